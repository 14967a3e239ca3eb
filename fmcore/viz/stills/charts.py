"""Charts of one number against another: the loss of a training run, the error of a solver."""

from __future__ import annotations

import numpy as np
from matplotlib import rcParams
from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator, NullFormatter

from fmcore.checks import flag, one_of, real

from ..checks import Method, Numbers, as_array, series
from ..theme import COLORS, solver_style
from .plane import axes


def loss_curve(
    steps: Numbers,
    losses: Numbers,
    *,
    smooth: float = 0.95,
    floor: float | None = None,
    label: str | None = None,
    color: str = COLORS["path"],
    log: bool = False,
    ax: Axes | None = None,
) -> Axes:
    """The loss against the step: every value faintly, their exponential moving average on top.

    `smooth` in [0, 1) is what the average keeps of its past at each step. `floor` draws the value
    that the loss cannot fall below. Raises ValueError if the lengths differ, there are no values,
    one is not finite, or `log` is set and a loss is not positive.

    >>> ax = loss_curve(range(100), [1.0] * 100, floor=0.5)
    >>> ax.get_xlabel(), ax.get_ylabel()
    ('training step', 'loss')
    """
    steps, losses = _pair("steps", steps, "losses", losses)
    smooth = real("smooth", smooth, 0, 1)
    if flag("log", log) and (losses <= 0).any():
        raise ValueError(f"a logarithmic axis needs losses above 0, got {losses.min():g}")
    floor = None if floor is None else real("floor", floor)
    ax = axes(ax, 7.0, 3.6)
    ax.plot(steps, losses, color=color, linewidth=0.8, alpha=0.3, zorder=2)
    ax.plot(steps, _moving_average(losses, smooth), color=color, label=label, zorder=3)
    if floor is not None:
        ax.axhline(floor, color=rcParams["text.color"], linewidth=1.0, linestyle=(0, (4, 3)))
        ax.annotate(
            "floor", (0, floor), (6, 3), xycoords=ax.get_yaxis_transform(),
            textcoords="offset points", ha="left", va="bottom", size=rcParams["xtick.labelsize"],
        )  # fmt: skip
    if log:
        ax.set_yscale("log")
    ax.set_xlabel("training step")
    ax.set_ylabel("loss")
    return ax


def convergence(
    sizes: Numbers,
    errors: Numbers,
    *,
    method: Method | None = None,
    label: str | None = None,
    color: str | None = None,
    order: float | None = None,
    against: str = "h",
    ax: Axes | None = None,
) -> Axes:
    """Error against step size (`against="h"`) or evaluations (`"nfe"`) on logarithmic axes.

    The legend gives the observed order: the slope of a least-squares line through the logarithms
    (against evaluations, its negative). `order` adds a triangle of that slope below the points, to
    compare with. `method` is a solver, a key of `SOLVERS` or a `ButcherTableau`, whose colour,
    marker and name the line gets. Raises ValueError if the solver is unknown, the lengths differ,
    there are fewer than two sizes, or a value is not positive and finite.

    >>> ax = convergence([0.1, 0.05], [0.01, 0.0025], method="heun")
    >>> ax.lines[0].get_label()
    'Heun, order 2.00'
    """
    one_of("against", against, ("h", "nfe"))
    sizes, errors = _pair("sizes", sizes, "errors", errors)
    if len(np.unique(sizes)) < 2:
        raise ValueError(f"a slope needs at least two different sizes, got {sizes.tolist()}")
    if (sizes <= 0).any() or (errors <= 0).any():
        least = min(sizes.min(), errors.min())
        raise ValueError(f"sizes and errors must be above 0 to have a logarithm, got {least:g}")
    sign = 1 if against == "h" else -1
    slope = sign * np.polyfit(np.log(sizes), np.log(errors), 1)[0]
    style = {"color": rcParams["text.color"], "marker": "o"}
    if method is not None:
        solver = solver_style(method)
        style, label = solver.line, solver.label if label is None else label
    if color is not None:
        style["color"] = color
    order = None if order is None else real("order", order)
    ax = axes(ax, 7.0, 4.8)
    ax.loglog(sizes, errors, label=f"{label + ', ' if label else ''}order {slope:.2f}", **style)
    if order is not None:
        _triangle(ax, sizes, errors, sign * order, f"{order:g}", style["color"])
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_locator(LogLocator(numticks=7))
        axis.set_minor_formatter(NullFormatter())
    ax.grid(True, which="major", alpha=0.35)
    ax.set_axisbelow(True)
    ax.set_xlabel("step size $h$" if against == "h" else "evaluations of the field (NFE)")
    ax.set_ylabel("error")
    return ax


def _triangle(
    ax: Axes, sizes: np.ndarray, errors: np.ndarray, slope: float, text: str, color: str
) -> None:
    """A right triangle of the given slope, under the two middle points of the line."""
    by_size = np.argsort(sizes)
    sizes, errors = sizes[by_size], errors[by_size]
    i = (len(sizes) - 1) // 2
    left, right = sizes[i], sizes[i + 1]
    # Half an order of magnitude below the points; the right angle at the end that lies lower.
    if slope > 0:
        low = errors[i] * 0.3
        corners = [(left, low), (right, low), (right, low * (right / left) ** slope)]
        at, side = (right, low * (right / left) ** (slope / 2)), "left"
    else:
        low = errors[i + 1] * 0.3
        corners = [(right, low), (left, low), (left, low * (left / right) ** slope)]
        at, side = (left, low * (left / right) ** (slope / 2)), "right"
    ax.plot(*zip(*corners, corners[0], strict=True), color=color, linewidth=0.9, alpha=0.8)
    offset = (4 if slope > 0 else -4, 0)
    ax.annotate(
        text, at, offset, textcoords="offset points", ha=side, va="center",
        size=rcParams["xtick.labelsize"], color=color,
    )  # fmt: skip


def _moving_average(values: np.ndarray, keep: float) -> np.ndarray:
    """Exponential moving average, free of the bias towards its start (Kingma & Ba 2015, sec. 3)."""
    mean, out = 0.0, np.empty_like(values)
    for k, value in enumerate(values, start=1):
        mean = keep * mean + (1 - keep) * value
        out[k - 1] = mean / (1 - keep**k)
    return out


def _pair(name_a: str, a: Numbers, name_b: str, b: Numbers) -> tuple[np.ndarray, np.ndarray]:
    """Two series of one length as arrays."""
    a, b = (
        as_array(name, values if hasattr(values, "shape") else series(name, values), ("N",))
        for name, values in ((name_a, a), (name_b, b))
    )
    if len(a) != len(b):
        raise ValueError(f"{name_a} and {name_b} must be of one length, got {len(a)} and {len(b)}")
    return a, b
