"""What the figures of the plane share: checked input, a field on a grid, axes of equal scale."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import torch
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from torch import Tensor

Field = Callable[[Tensor, Tensor], Tensor]
Extent = Sequence[float]
Numbers = Sequence[float] | np.ndarray | Tensor


def as_array(name: str, x: Numbers, shape: str) -> np.ndarray:
    """`x` as float64 on the CPU; `ValueError` if it is empty, not finite or of another shape.

    `shape` reads like "(T, B, 2)": letters stand for any size.
    """
    x = torch.as_tensor(x).detach().to("cpu", torch.float64)
    want = shape.strip("()").replace(" ", "").strip(",").split(",")
    fits = x.ndim == len(want) and all(
        not w.isdigit() or int(w) == size for w, size in zip(want, x.shape, strict=True)
    )
    if not fits:
        raise ValueError(f"{name} must have shape {shape}, got {tuple(x.shape)}")
    if x.numel() == 0:
        raise ValueError(f"{name} is empty: shape {tuple(x.shape)}")
    if not torch.isfinite(x).all():
        bad = int((~torch.isfinite(x)).sum())
        raise ValueError(f"{name} holds {bad} values that are NaN or infinite")
    return x.numpy()


def plane(ax: Axes | None, extent: Extent | None) -> Axes:
    """An axes with equal scales, few ticks and, where there are none yet, labels."""
    limits = None if extent is None else check_extent(extent)
    if ax is None:
        _, ax = plt.subplots(figsize=(5.0, 5.0))
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
        ax.label_outer()  # small multiples with one scale need it written once
    return ax


def breadth(ax: Axes) -> float:
    """The width of the axes in points, as far as it is known before the layout."""
    return ax.bbox.width / ax.figure.dpi * 72


def dot_size(ax: Axes, count: int) -> float:
    """A diameter in points at which `count` dots fill the axes without a crowd."""
    return float(np.clip(0.22 * breadth(ax) / math.sqrt(count), 1.8, 6.0))


def check_extent(extent: Extent) -> tuple[float, float, float, float]:
    try:
        xmin, xmax, ymin, ymax = (float(e) for e in extent)
    except (TypeError, ValueError):
        raise ValueError(f"extent must be (xmin, xmax, ymin, ymax), got {extent!r}") from None
    if not (all(map(math.isfinite, (xmin, xmax, ymin, ymax))) and xmin < xmax and ymin < ymax):
        raise ValueError(
            "extent (xmin, xmax, ymin, ymax) needs finite xmin < xmax and ymin < ymax, "
            f"got {extent!r}"
        )
    return xmin, xmax, ymin, ymax


def check_count(name: str, value: int, least: int) -> None:
    if not isinstance(value, int) or value < least:
        raise ValueError(f"{name} must be an integer of at least {least}, got {value!r}")


def centres(low: float, high: float, cell: float) -> np.ndarray:
    """Centres of the cells, as near to `cell` in width as divides the interval evenly."""
    count = max(round((high - low) / cell), 2)
    return low + (np.arange(count) + 0.5) * (high - low) / count


def grid(x: np.ndarray, y: np.ndarray, function: Callable) -> Tensor:
    """The points of the grid, `(len(y) * len(x), 2)`, where and in what `function` computes."""
    like = torch.empty(0)
    if isinstance(function, torch.nn.Module):
        like = next((p for p in function.parameters() if p.is_floating_point()), like)
    xx, yy = np.meshgrid(x, y)  # rows are y
    return torch.from_numpy(np.stack([xx.ravel(), yy.ravel()], 1)).to(like.device, like.dtype)


def velocity(field: Field, x: np.ndarray, y: np.ndarray, t: float) -> tuple[np.ndarray, np.ndarray]:
    """The field's two components on the grid, each `(len(y), len(x))`."""
    points = grid(x, y, field)
    with torch.no_grad():
        u = torch.as_tensor(field(points, points.new_tensor(float(t))))
    if u.shape != points.shape:
        raise ValueError(
            f"the field must return {tuple(points.shape)} for x of shape {tuple(points.shape)}, "
            f"got {tuple(u.shape)}"
        )
    u = u.detach().to("cpu", torch.float64)
    bad = ~torch.isfinite(u).all(1)
    if bad.any():
        where = ", ".join(f"{c:g}" for c in points[bad][0].tolist())
        raise ValueError(
            f"the field is not finite at {int(bad.sum())} of {len(u)} points at t = {float(t):g}, "
            f"first at x = ({where})"
        )
    return tuple(u.T.reshape(2, len(y), len(x)).numpy())
