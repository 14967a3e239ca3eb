"""Images side by side, crisp, as ink on paper."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, to_rgb
from torch import Tensor

from fmcore.checks import real_numbers, whole

from ..checks import series
from .plane import axes

GAP = 2  # transparent pixels between two images
PAPER, INK = "#f6f3ec", "#17181c"
NEW = "#0072ff"  # of strokes that were not there before, as in the living figures
_PAPER_TO_INK = LinearSegmentedColormap.from_list("paper", [PAPER, INK], N=256).with_extremes(
    bad=(0.0, 0.0, 0.0, 0.0)
)


def digits(
    images: Tensor | np.ndarray,
    *,
    columns: int | None = None,
    ax: Axes | None = None,
    row_labels: Sequence[str] | None = None,
    column_labels: Sequence[str] | None = None,
) -> Axes:
    """Images `(B, 1, H, W)` or `(B, H, W)` in [-1, 1] as one grid: -1 is paper, 1 is ink.

    Image k stands in row `k // columns`, column `k % columns`; by default the grid is as nearly
    square as fits. The page shows through between the images. Raises ValueError if `images` has
    another shape, is empty, holds a value outside [-1, 1], or the labels are not one for each row
    and column.

    >>> ax = digits(torch.zeros(6, 1, 28, 28), columns=3)
    >>> ax.images[0].get_array().shape
    (58, 88)
    """
    images = real_numbers("images", images).detach().to("cpu", torch.float32)
    if images.ndim == 4 and images.shape[1] == 1:
        images = images[:, 0]
    if images.ndim != 3:
        raise ValueError(f"images must be (B, 1, H, W) or (B, H, W), got {tuple(images.shape)}")
    if images.numel() == 0:
        raise ValueError(f"images is empty: shape {tuple(images.shape)}")
    low, high = images.min().item(), images.max().item()
    if not (low >= -1 - 1e-4 and high <= 1 + 1e-4):  # NaN fails too
        raise ValueError(
            f"images must lie in [-1, 1], got [{low:g}, {high:g}]; clamp them: x.clamp(-1, 1)"
        )
    count, height, width = images.shape
    columns = math.ceil(math.sqrt(count)) if columns is None else whole("columns", columns)
    rows = math.ceil(count / columns)
    grid = _grid(images.numpy(), columns)
    inches = min(7.0, 0.8 * columns)
    ax = axes(ax, inches, inches * grid.shape[0] / grid.shape[1])
    ax.imshow(grid, cmap=_PAPER_TO_INK, vmin=-1, vmax=1, interpolation="nearest")
    for spine in ax.spines.values():
        spine.set_visible(False)
    _label(ax.yaxis, "row_labels", row_labels, rows, height)
    _label(ax.xaxis, "column_labels", column_labels, columns, width)
    ax.tick_params(length=0, pad=6, labeltop=True, labelbottom=False)
    return ax


def tint(shares: Tensor, color: str, *, columns: int, ax: Axes) -> None:
    """A colour over the `digits` of `ax`, in shares `(B, H, W)` in [0, 1]."""
    grid = _grid(shares.numpy(), columns)
    over = np.empty((*grid.shape, 4))
    over[..., :3], over[..., 3] = to_rgb(color), grid.filled(0.0)
    ax.imshow(over, interpolation="nearest")


def _grid(images: np.ndarray, columns: int) -> np.ma.MaskedArray:
    """Images (B, H, W) side by side, with gaps that are masked."""
    count, height, width = images.shape
    rows = math.ceil(count / columns)
    size = (rows * (height + GAP) - GAP, columns * (width + GAP) - GAP)
    grid = np.ma.array(np.zeros(size, dtype=np.float32), mask=True)
    for k, image in enumerate(images):
        top, left = k // columns * (height + GAP), k % columns * (width + GAP)
        grid[top : top + height, left : left + width] = image
    return grid


def _label(axis, name: str, labels: Sequence[str] | None, count: int, size: int) -> None:
    """Write one label at the middle of each row or column of the grid."""
    letters = isinstance(labels, str)
    labels = [] if labels is None else list(labels) if letters else series(name, labels)
    if labels and len(labels) != count:
        raise ValueError(f"{name} must have a label for each of {count}, got {len(labels)}")
    axis.set_ticks([k * (size + GAP) + (size - 1) / 2 for k in range(len(labels))], labels)
