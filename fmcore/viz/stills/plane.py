"""What the figures of the plane share: a field at points, grids, axes of equal scale."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from torch import Tensor

from fmcore.checks import real, real_numbers

from ..checks import Extent, box

Field = Callable[[Tensor, Tensor], Tensor]


def axes(ax: Axes | None, width: float, height: float) -> Axes:
    """`ax`, or new axes of that size in inches."""
    if ax is None:
        return plt.subplots(figsize=(width, height))[1]
    if not isinstance(ax, Axes):
        raise TypeError(f"ax must be the Axes of matplotlib, got {type(ax).__name__}")
    return ax


def plane(ax: Axes | None, extent: Extent | None) -> Axes:
    """An axes with equal scales, few ticks and, where there are none yet, labels."""
    limits = None if extent is None else box(extent)
    ax = axes(ax, 5.0, 5.0)
    ax.set_aspect("equal")
    if limits is not None:
        ax.set_xlim(*limits[:2])
        ax.set_ylim(*limits[2:])
    for axis, name in ((ax.xaxis, "$x$"), (ax.yaxis, "$y$")):
        axis.set_major_locator(MaxNLocator(4, steps=[1, 2, 5, 10], min_n_ticks=3))
        if not axis.get_label_text():
            axis.set_label_text(name)
    ax.yaxis.label.set_rotation(0)
    if all(len(g.get_siblings(ax)) > 1 for g in (ax.get_shared_x_axes(), ax.get_shared_y_axes())):
        ax.label_outer()  # small multiples share one scale: write it once
    return ax


def breadth(ax: Axes) -> float:
    """The width of the axes in points, before the layout adjusts it."""
    return ax.bbox.width / ax.figure.dpi * 72


def dot_size(ax: Axes, count: int) -> float:
    """A diameter in points at which `count` dots do not crowd the axes."""
    return float(np.clip(0.22 * breadth(ax) / math.sqrt(count), 1.8, 6.0))


def centres(low: float, high: float, cell: float) -> np.ndarray:
    """Centres of equal cells between low and high, about `cell` wide."""
    count = max(round((high - low) / cell), 2)
    return low + (np.arange(count) + 0.5) * (high - low) / count


def grid(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The points of a grid, `(len(y) * len(x), 2)`, row by row: a row has one y.

    >>> grid(np.array([0.0, 1.0]), np.array([5.0])).tolist()
    [[0.0, 5.0], [1.0, 5.0]]
    """
    return np.stack(np.meshgrid(x, y), -1).reshape(-1, 2)


def as_input(function: Callable, points: np.ndarray | Tensor) -> Tensor:
    """The points on the device and in the dtype of a function's own parameters.

    A function without parameters gets them on the CPU, in the default dtype.
    """
    like = torch.empty(0)
    if isinstance(function, torch.nn.Module):
        like = next((p for p in function.parameters() if p.is_floating_point()), like)
    return torch.as_tensor(points).to(like.device, like.dtype)


@torch.no_grad()
def velocity(field: Field, points: np.ndarray, t: float) -> np.ndarray:
    """The field at `points` `(B, 2)` and one time, `(B, 2)` in float64.

    Raises ValueError if the field fails, returns another shape, or a value that is not finite;
    TypeError if it is not callable, or returns what is no number.
    """
    if not callable(field):
        raise TypeError(f"field must be callable as field(x, t), got {type(field).__name__}")
    x, t = as_input(field, points), real("t", t)
    try:
        v = field(x, x.new_tensor(t))
    except Exception as error:
        raise ValueError(
            f"a figure calls field(x, t) with x of shape {tuple(x.shape)} and t = {t:.9g}, "
            f"but this field failed: {error}"
        ) from error
    v = real_numbers("what field(x, t) returns", v)
    if v.shape != x.shape:
        raise ValueError(
            f"the field must return {tuple(x.shape)} for x of shape {tuple(x.shape)}, a velocity "
            f"of the plane for each point, got {tuple(v.shape)}"
        )
    v = v.detach().to("cpu", torch.float64).numpy()
    bad = ~np.isfinite(v).all(1)
    if bad.any():
        where = ", ".join(f"{c:g}" for c in points[bad][0])
        raise ValueError(
            f"the field is NaN or infinite at {int(bad.sum())} of {len(v)} points at t = {t:.9g}, "
            f"first at x = ({where}): choose another extent or time"
        )
    return v
