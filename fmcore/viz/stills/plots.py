"""Still figures of the plane: a field as arrows or streamlines, particles, paths and densities.

Every function draws onto the `ax` it is given, or makes one, and returns it. A field is a callable
`v(x, t)` of a tensor `x` of shape `(B, 2)` and a 0-d tensor `t`; it is evaluated without gradients,
on the device and in the dtype of its own parameters if it is a module, else on the CPU in the
default dtype. An `extent` is `(xmin, xmax, ymin, ymax)`. Colours, type and frames come from
`fmcore.viz.theme`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from matplotlib import rcParams
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import to_rgba_array
from torch import Tensor

from fmcore.checks import flag, positive, real_numbers, whole

from ..checks import Extent, Method, as_array, box
from ..theme import COLORS, ramp, solver_style
from .charts import convergence, loss_curve
from .mosaic import digits
from .plane import Field, as_input, breadth, centres, dot_size, grid, plane, velocity

__all__ = [
    "convergence",
    "density",
    "digits",
    "loss_curve",
    "particles",
    "path",
    "quiver",
    "scatter",
    "streamlines",
]

SQUARE = (-3.0, 3.0, -3.0, 3.0)
MOST_MARKS = 12  # on one path: more of them would hide it


def quiver(
    field: Field,
    t: float = 0.0,
    *,
    extent: Extent = SQUARE,
    n: int = 20,
    ax: Axes | None = None,
    scale: float | None = None,
    color: str = COLORS["field"],
    by_speed: bool = False,
) -> Axes:
    """The field at time `t` as arrows on a grid of `n` cells along the longer side.

    An arrow sits in the middle of its cell and points along the field there; it is one cell long
    where the speed is `scale`, by default the speed that 95 % of the arrows do not exceed. To
    compare figures, at different times say, give them the same `scale`. `by_speed` fades slow
    arrows.

    Raises ValueError if the field returns another shape or a value that is not finite.

    >>> ax = quiver(lambda x, t: -x, n=6)
    >>> len(ax.collections[0].U)
    36
    """
    xmin, xmax, ymin, ymax = box(extent)
    n, by_speed = whole("n", n, 2), flag("by_speed", by_speed)
    cell = max(xmax - xmin, ymax - ymin) / n
    x, y = centres(xmin, xmax, cell), centres(ymin, ymax, cell)
    u, v = velocity(field, grid(x, y), t).T.reshape(2, len(y), len(x))
    speed = np.hypot(u, v)
    if scale is None:
        scale = float(np.quantile(speed, 0.95)) or float(speed.max()) or 1.0
    scale = positive("scale", scale)
    ax = plane(ax, (xmin, xmax, ymin, ymax))
    arrows = ax.quiver(
        x, y, u, v, color=color, zorder=2,
        angles="xy", scale_units="xy", units="xy", pivot="mid", scale=scale / cell,
        width=0.085 * cell, headwidth=3.6, headlength=3.8, headaxislength=3.4,
    )  # fmt: skip
    if by_speed:
        arrows.set_array(speed.ravel())
        arrows.set_cmap(ramp(color))
        arrows.set_clim(0, scale)
    return ax


def streamlines(
    field: Field,
    t: float = 0.0,
    *,
    extent: Extent = SQUARE,
    density: float = 1.0,
    ax: Axes | None = None,
    color: str = COLORS["field"],
) -> Axes:
    """The integral curves of the field held at time `t`, thicker where it is faster.

    A streamline is the trajectory of a particle only if the field does not depend on time.
    `density` scales the number of lines. Raises ValueError if the field is not finite, has another
    shape, or is zero everywhere.

    >>> ax = streamlines(lambda x, t: torch.stack([-x[:, 1], x[:, 0]], 1))
    >>> print(*ax.get_xlim())
    -3.0 3.0
    """
    xmin, xmax, ymin, ymax = box(extent)
    density = positive("density", density)
    cell = max(xmax - xmin, ymax - ymin) / 80
    # streamplot draws no further than the grid, so the grid has to reach the edges
    x = np.linspace(xmin, xmax, max(round((xmax - xmin) / cell), 2) + 1)
    y = np.linspace(ymin, ymax, max(round((ymax - ymin) / cell), 2) + 1)
    u, v = velocity(field, grid(x, y), t).T.reshape(2, len(y), len(x))
    speed = np.hypot(u, v)
    if not speed.any():
        raise ValueError(f"the field is zero on the whole extent at t = {t:.9g}: no streamlines")
    ax = plane(ax, (xmin, xmax, ymin, ymax))
    fine = float(np.clip(breadth(ax) / 300, 0.55, 1.0))  # small multiples, thin lines
    width = fine * (0.7 + 1.3 * np.minimum(speed / np.quantile(speed, 0.95).clip(1e-30), 1.0))
    ax.streamplot(
        x, y, u, v, color=color, density=density, linewidth=width, arrowsize=1.1 * fine, zorder=2
    )
    ax.set_xlim(xmin, xmax)  # streamplot widens the limits
    ax.set_ylim(ymin, ymax)
    return ax


def particles(
    xs: Tensor | np.ndarray,
    *,
    trails: bool = True,
    ax: Axes | None = None,
    color: str | Sequence[str] | None = None,
    size: float | None = None,
    extent: Extent | None = None,
) -> Axes:
    """Particles at the last of the times in `xs` `(T, B, 2)`, with trails that fade with age.

    `color` is one colour or one for each particle; `size` is the diameter of a dot in points.
    Raises ValueError if `xs` is empty, has another shape or holds a value that is not finite.

    >>> ax = particles(torch.zeros(5, 3, 2))
    >>> ax.collections[-1].get_offsets().shape
    (3, 2)
    """
    xs, trails = as_array("xs", xs, ("T", "B", 2)), flag("trails", trails)
    states, count, _ = xs.shape
    rgba = to_rgba_array(COLORS["path"] if color is None else color)
    if len(rgba) not in (1, count):
        raise ValueError(f"color must be one colour or {count} of them, got {len(rgba)}")
    rgba = np.broadcast_to(rgba, (count, 4))
    ax = plane(ax, extent)
    size = dot_size(ax, count) if size is None else positive("size", size)
    # A trail is a few pieces, each of one age: a piece for every step would be T times B lines.
    pieces = min(states - 1, 24)
    if trails and pieces > 0:
        cuts = np.linspace(0, states - 1, pieces + 1).round().astype(int)
        for age, (i, j) in enumerate(pairwise(cuts), start=1):
            freshness = age / pieces
            faded = rgba * [1, 1, 1, 0.75 * freshness**1.5]
            width = size * (0.12 + 0.33 * freshness)
            lines = list(xs[i : j + 1].swapaxes(0, 1))
            ax.add_collection(LineCollection(lines, colors=faded, linewidths=width, zorder=3))
    ax.scatter(*xs[-1].T, s=size**2, c=rgba, linewidths=0, zorder=4)
    ax.autoscale_view()
    return ax


def path(
    xs: Tensor | np.ndarray,
    *,
    method: Method | None = None,
    label: str | None = None,
    color: str | None = None,
    marker: str | None = None,
    ax: Axes | None = None,
    extent: Extent | None = None,
) -> Axes:
    """Trajectories `xs`, `(T, 2)` or `(T, B, 2)`, as lines with their steps marked.

    Of more than twelve steps, evenly chosen ones are marked, the last among them.

    `method` is a solver, a key of `SOLVERS` or a `ButcherTableau`, whose colour, marker and legend
    label the line gets; `label`, `color` and `marker` override them. Without a solver it is a
    reference curve: no marks, in the ink of the page. Raises ValueError if the solver is unknown,
    or `xs` is empty, of another shape or not finite.

    >>> ax = path(torch.zeros(11, 2), method="euler")
    >>> ax.lines[0].get_marker(), ax.lines[0].get_label()
    ('o', 'Euler')
    """
    xs = real_numbers("xs", xs)
    states = as_array("xs", xs[:, None] if xs.ndim == 2 else xs, ("T", "B", 2))
    style: dict[str, Any] = {"color": rcParams["text.color"], "linewidth": 1.2, "zorder": 3}
    if method is not None:
        solver = solver_style(method)
        style = {**solver.line, "zorder": 4}
        label = solver.label if label is None else label
    if color is not None:
        style["color"] = color
    if marker is not None:
        style["marker"] = marker
    steps = len(states) - 1
    every = max(math.ceil(steps / MOST_MARKS), 1)
    ax = plane(ax, extent)
    for i in range(states.shape[1]):
        (line,) = ax.plot(*states[:, i].T, label=label if i == 0 else None, **style)
        line.set_markevery((steps % every, every))
    return ax


def density(
    log_prob: Callable[[Tensor], Tensor],
    *,
    extent: Extent = SQUARE,
    n: int = 200,
    ax: Axes | None = None,
    color: str = COLORS["target"],
    vmax: float | None = None,
    contours: bool = True,
) -> Axes:
    """The density `exp(log_prob(x))`: opaque at `vmax`, by default its largest value in view.

    Contours stand at 0.1, 0.3, 0.5, 0.7 and 0.9 of `vmax`; `n` is the number of points along the
    longer side. To compare figures, give them the same `vmax`. Raises ValueError if `log_prob`
    does not return `(B,)`, or returns NaN or infinity (minus infinity is a density of 0).

    >>> ax = density(lambda x: -x.square().sum(1) / 2, n=50)
    >>> ax.images[0].get_array().shape
    (50, 50)
    """
    xmin, xmax, ymin, ymax = box(extent)
    n, contours = whole("n", n, 2), flag("contours", contours)
    cell = max(xmax - xmin, ymax - ymin) / n
    x, y = centres(xmin, xmax, cell), centres(ymin, ymax, cell)
    if not callable(log_prob):
        raise TypeError(f"log_prob must be callable, log_prob(x), got {type(log_prob).__name__}")
    points = as_input(log_prob, grid(x, y))
    with torch.no_grad():
        values = real_numbers("what log_prob(x) returns", log_prob(points))
    if values.shape != points.shape[:1]:
        raise ValueError(
            f"log_prob must return ({len(points)},) for x of shape {tuple(points.shape)}, "
            f"got {tuple(values.shape)}"
        )
    p = values.detach().to("cpu", torch.float64).exp().numpy().reshape(len(y), len(x))
    if not np.isfinite(p).all():
        raise ValueError("log_prob returned NaN or infinity on the extent")
    peak = float(p.max()) if vmax is None else positive("vmax", vmax)
    if peak == 0:
        raise ValueError("the density is 0 on the whole extent: choose another extent")
    ax = plane(ax, (xmin, xmax, ymin, ymax))
    ax.imshow(
        p,
        extent=(xmin, xmax, ymin, ymax),
        origin="lower",
        cmap=ramp(color),
        vmin=0,
        vmax=peak,
        interpolation="bilinear",
        alpha=0.8 if contours else None,
        zorder=1,
    )
    if contours and p.max() > 0.1 * peak:
        levels = peak * np.array([0.1, 0.3, 0.5, 0.7, 0.9])
        ax.contour(x, y, p, levels=levels, colors=color, linewidths=0.8, zorder=1)
    ax.set_xlim(xmin, xmax)
    ax.set_ylim(ymin, ymax)
    return ax


def scatter(
    x: Tensor | np.ndarray,
    *,
    ax: Axes | None = None,
    color: str | Sequence[str] = COLORS["target"],
    label: str | None = None,
    size: float | None = None,
    extent: Extent | None = None,
) -> Axes:
    """Samples `x` `(B, 2)` as dots, by default in the colour of the data.

    `size` is the diameter of a dot in points. Raises ValueError if `x` is empty, has another shape
    or holds a value that is not finite.

    >>> ax = scatter(torch.zeros(8, 2), color=COLORS["source"], label="noise")
    >>> len(ax.collections[0].get_offsets())
    8
    """
    x = as_array("x", x, ("B", 2))
    ax = plane(ax, extent)
    size = dot_size(ax, len(x)) if size is None else positive("size", size)
    ax.scatter(*x.T, s=size**2, c=color, alpha=0.85, linewidths=0, label=label, zorder=3)
    return ax
