"""The field at one point of a still: a vector, and of a marginal field what it is the mean of.

Through (x, t) runs one conditional path for each component k of the target, from E[x0 | x, k] to
E[x1 | x, k] (`MarginalField.conditionals`), and the field is the mean of their velocities, weighted
by p(k | x). `js/layers/probe_layer.js` draws the same in the browser.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import LinearSegmentedColormap
from torch import Tensor

from fmcore.fields import MarginalField

from ..checks import Extent
from ..stills.plane import Field, centres, grid, velocity
from ..theme import COLORS

MOST_PATHS = 60  # conditional paths shown: the likeliest, unless
LIKELY = 50  # times less likely than the likeliest
WITH_ARROW = 0.02  # the least weight of a path that gets an arrow of its own
PARTS = 24  # of a conditional path, from the colour of the source to that of the target
REACH = 0.2  # widths of the extent: an arrow at full speed, or of the fastest path, and
MOST_REACH = 0.27  # of any
FULL_SPEED = 0.9  # an arrow of full length is as fast as all but the fastest tenth


class Paths(NamedTuple):
    """The conditional paths through a point, the likeliest first."""

    weight: Tensor  # (K,), posterior probabilities
    source: Tensor  # (K, 2), where they come from
    target: Tensor  # (K, 2), where they lead
    velocity: Tensor  # (K, 2), at the point


def conditional_paths(field: MarginalField, at: list[float], t: float) -> Paths:
    """All conditional paths through the point `at` at time `t`."""
    x = torch.tensor([at], dtype=torch.float64)
    weight, x0, x1 = (each[0] for each in field.conditionals(x, t))
    da, db = (f(x.new_tensor(t)) for f in (field.path.da, field.path.db))
    weight, order = weight.sort(descending=True)
    return Paths(weight, x0[order], x1[order], (da * x1 + db * x0)[order])


def draw_probe(
    ax: Axes,
    field: Field,
    at: list[float],
    t: float,
    *,
    span: tuple[float, float],
    extent: Extent,
    conditionals: bool,
) -> None:
    """The vector of the field at a point; of a marginal field, the conditional paths through it."""
    width, full = extent[1] - extent[0], 0.0

    def arrow(v: np.ndarray, thickness: float, color: str, alpha: float, zorder: int) -> None:
        reach = v * REACH * width / (full or _full_speed(field, t, extent))
        reach = reach * min(1.0, MOST_REACH * width / max(float(np.hypot(*reach)), 1e-12))
        tip = {"arrowstyle": "-|>,head_width=0.25,head_length=0.5", "shrinkA": 0, "shrinkB": 0}
        style = {"color": color, "alpha": alpha, "lw": thickness, "mutation_scale": 12}
        end = (at[0] + reach[0], at[1] + reach[1])
        ax.annotate("", end, (at[0], at[1]), arrowprops={**tip, **style}, zorder=zorder)

    if conditionals and isinstance(field, MarginalField):
        paths = conditional_paths(field, at, t)
        count = int((paths.weight[:MOST_PATHS] >= paths.weight[0] / LIKELY).sum())
        times = torch.linspace(*span, PARTS + 1, dtype=torch.float64)
        a, b = (f(times)[:, None, None] for f in (field.path.a, field.path.b))
        lines = (a * paths.target[:count] + b * paths.source[:count]).transpose(0, 1).numpy()
        colors = LinearSegmentedColormap.from_list(
            "time", [COLORS[role] for role in ("source", "path", "target")]
        )((np.arange(PARTS) + 0.5) / PARTS)
        weights = paths.weight[:count].numpy()
        arrows = int((weights >= WITH_ARROW).sum()) or count  # one scale for them and their mean
        full = float(paths.velocity[:arrows].norm(dim=1).max())
        for line, weight, v in reversed(
            list(zip(lines, weights, paths.velocity[:count].numpy(), strict=True))
        ):
            shade = 0.18 + 0.72 * float(np.sqrt(weight / weights[0]))
            pieces = np.stack([line[:-1], line[1:]], axis=1)
            ax.add_collection(
                LineCollection(
                    list(pieces), colors=colors, linewidths=0.9 + 3 * weight, alpha=shade, zorder=5
                )
            )
            ax.plot(
                *line[-1], "o", color=COLORS["target"], markersize=2 * (1.6 + 3 * weight), zorder=6
            )
            if weight >= WITH_ARROW:
                arrow(v, 1.2 + 1.6 * weight, COLORS["target"], 0.35 + 0.65 * weight, 6)
    arrow(velocity(field, np.array([at]), t)[0], 3.4, COLORS["ink"], 1.0, 7)
    ax.plot(*at, "o", color=COLORS["ink"], markersize=6, zorder=7)


def _full_speed(field: Field, t: float, extent: Extent) -> float:
    """The speed that all but the fastest tenth of the points in view do not exceed."""
    xmin, xmax, ymin, ymax = extent
    cell = (xmax - xmin) / 12
    points = grid(centres(xmin, xmax, cell), centres(ymin, ymax, cell))
    speeds = np.hypot(*velocity(field, points, t).T)
    return float(np.quantile(speeds, FULL_SPEED)) or float(speeds.max()) or 1.0
