"""Sampling: from noise to images, by solving the ODE of a trained network."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from fmcore._checks import randn_like
from fmcore.data import from_unit
from fmcore.solvers import odeint
from fmcore.weights import check_writable


@torch.no_grad()
def generate(
    model: nn.Module,
    n: int,
    *,
    method: str = "heun",
    steps: int | None = None,
    rtol: float | None = None,
    atol: float | None = None,
    generator: torch.Generator | None = None,
    x0: Tensor | None = None,
    label: Tensor | None = None,
    shape: tuple[int, ...] | None = None,
    batch_size: int = 256,
) -> Tensor:
    """`n` images `(n, C, H, W)` in [-1, 1], where the noise x0 is carried to by the field `model`.

        x1 = x0 + int_0^1 model(x_t, t) dt

    `steps` steps of `method` (10 if nothing is said), or adaptive ones with `rtol` and `atol`. The
    noise is drawn from `generator`, or given as `x0` `(n, C, H, W)`; the result is determined by
    it. `label` `(n,)` goes to a network with classes. `shape` is that of one image; a `FlowModel`
    knows its own. At most `batch_size` images are under way at once. The model is left as it was.

    `ValueError` or `TypeError` for what cannot be, also from `odeint`.

    >>> from fmcore.networks import UNet
    >>> g = torch.Generator().manual_seed(0)
    >>> generate(UNet(base=8), 3, steps=2, generator=g).shape
    torch.Size([3, 1, 28, 28])
    """
    if not isinstance(n, int) or isinstance(n, bool) or n < 1:
        raise ValueError(f"n must be a whole number of at least 1, got {n!r}")
    if not isinstance(batch_size, int) or batch_size < 1:
        raise ValueError(f"batch_size must be a whole number of at least 1, got {batch_size!r}")
    weights = next(model.parameters(), torch.empty(()))
    if x0 is None:
        x0 = randn_like(torch.empty(n, *_shape(model, shape)), generator)
    elif len(x0) != n:
        raise ValueError(f"x0 must hold n={n} images, got shape {tuple(x0.shape)}")
    if label is not None and label.shape != (n,):
        raise ValueError(f"label must have shape ({n},), got {tuple(label.shape)}")
    if steps is None and rtol is None and atol is None:
        steps = 10

    def field(part: Tensor | None):
        return lambda x, t: model(x, t) if part is None else model(x, t, part)

    training = model.training
    model.eval()
    try:
        images = []
        for first in range(0, n, batch_size):
            rows = slice(first, first + batch_size)
            part = None if label is None else label[rows].to(weights.device)
            start = x0[rows].to(weights.device, weights.dtype)
            solution = odeint(field(part), start, method=method, steps=steps, rtol=rtol, atol=atol)
            images.append(solution.x.clamp(-1, 1))
    finally:
        model.train(training)
    return torch.cat(images)


def image_grid(images: Tensor, columns: int | None = None, gap: int = 2) -> Tensor:
    """Images `(B, C, H, W)` in [-1, 1] side by side, row by row, as bytes `(H', W', C)`.

    `columns` is the square root of B, rounded up, if it is not given. The gaps, and the places of
    an incomplete last row, are black, as the ground of the digits is.

    >>> image_grid(torch.zeros(5, 1, 28, 28), columns=3).shape
    torch.Size([58, 88, 1])
    """
    if images.ndim != 4 or len(images) == 0:
        raise ValueError(f"images must have shape (B, C, H, W), got {tuple(images.shape)}")
    columns = columns or -int(-(len(images) ** 0.5) // 1)
    if columns < 1 or gap < 0:
        raise ValueError(f"columns must be at least 1 and gap at least 0, got {columns}, {gap}")
    count, channels, height, width = images.shape
    rows = -(-count // columns)
    grid = torch.zeros(
        rows * (height + gap) - gap, columns * (width + gap) - gap, channels, dtype=torch.uint8
    )
    for k, image in enumerate(from_unit(images).cpu()):
        top, left = k // columns * (height + gap), k % columns * (width + gap)
        grid[top : top + height, left : left + width] = image.permute(1, 2, 0)
    return grid


def check_picture(file: str | Path) -> Path:
    """The path itself, if a picture can be written there; `ValueError` says why not."""
    from PIL import Image  # comes with torchvision

    file = check_writable(file)
    if file.suffix.lower() not in Image.registered_extensions():
        raise ValueError(f"cannot write {file}: {file.suffix!r} is no picture format, take .png")
    return file


def save_grid(images: Tensor, file: str | Path, columns: int | None = None) -> None:
    """Write `image_grid` as a picture; the ending of `file` decides the format."""
    from PIL import Image

    grid = image_grid(images, columns)
    Image.fromarray(grid.squeeze(-1).numpy()).save(check_picture(file))


def _shape(model: nn.Module, shape: tuple[int, ...] | None) -> tuple[int, ...]:
    """The shape of one image: as asked for, as the model says, or that of MNIST for a `UNet`."""
    config = getattr(model, "config", {})
    if shape is None and "in_channels" in config:
        shape = (config["in_channels"], 28, 28)
    shape = shape or config.get("shape")
    if shape is None:
        raise ValueError(f"{type(model).__name__} does not say what it draws: pass shape=(C, H, W)")
    return tuple(shape)
