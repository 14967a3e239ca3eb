"""Images: bytes to numbers in [-1, 1] and back, side by side, and as picture files."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from fmcore.checks import floating, require_generator, whole
from fmcore.files import replacing, writable

__all__ = ["dequantize", "from_unit", "image_grid", "save_grid", "to_unit"]


def to_unit(pixels: Tensor) -> Tensor:
    """Bytes 0 ... 255 as float32 in [-1, 1].

    >>> to_unit(torch.tensor([0, 255], dtype=torch.uint8))
    tensor([-1.,  1.])
    """
    if not isinstance(pixels, Tensor) or pixels.dtype != torch.uint8:
        given = pixels.dtype if isinstance(pixels, Tensor) else type(pixels).__name__
        raise TypeError(f"pixels must be uint8, got {given}")
    return pixels.float() / 127.5 - 1


def from_unit(images: Tensor) -> Tensor:
    """Images in [-1, 1] as bytes 0 ... 255; values outside are clamped, the rest is rounded.

    Raises `TypeError` unless they are of a floating dtype, `ValueError` if there is a NaN.

    >>> from_unit(torch.tensor([-1.0, 0.0, 2.0]))
    tensor([  0, 128, 255], dtype=torch.uint8)
    """
    floating("images", images)
    if bool(images.isnan().any()):
        raise ValueError(f"{images.isnan().sum().item()} values of the images are NaN")
    return ((images.float().clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)


def dequantize(pixels: Tensor, *, generator: torch.Generator) -> Tensor:
    """Bytes as float32, each spread evenly over the width of its grey level, 2/255.

    `to_unit(pixels)` plus noise from U[-1/255, 1/255]. Likelihoods need it: on the bytes as such,
    which are isolated points, a density may grow without bound (Theis et al. 2016, section 3.1).

    >>> g = torch.Generator().manual_seed(0)
    >>> pixels = torch.tensor([0, 7, 255], dtype=torch.uint8)
    >>> from_unit(dequantize(pixels, generator=g))
    tensor([  0,   7, 255], dtype=torch.uint8)
    """
    x, g = to_unit(pixels), require_generator(generator)
    u = torch.rand(x.shape, generator=g, device=g.device).to(x.device)
    return x + (2 * u - 1) / 255


def image_grid(images: Tensor, columns: int | None = None, gap: int = 2) -> Tensor:
    """Images `(B, C, H, W)` in [-1, 1] side by side, row by row, as bytes `(H', W', C)`.

    `columns` is the square root of B, rounded up, if it is not given. The gaps, and the places of
    an incomplete last row, are black, like the background of the digits.

    >>> image_grid(torch.zeros(5, 1, 28, 28), columns=3).shape
    torch.Size([58, 88, 1])
    """
    if floating("images", images).ndim != 4 or len(images) == 0:
        raise ValueError(f"images must be non-empty, (B, C, H, W), got {tuple(images.shape)}")
    columns = math.ceil(math.sqrt(len(images))) if columns is None else whole("columns", columns)
    gap = whole("gap", gap, least=0)
    count, channels, height, width = images.shape
    rows = -(-count // columns)
    grid = torch.zeros(
        rows * (height + gap) - gap, columns * (width + gap) - gap, channels, dtype=torch.uint8
    )
    for k, image in enumerate(from_unit(images).cpu()):
        top, left = k // columns * (height + gap), k % columns * (width + gap)
        grid[top : top + height, left : left + width] = image.permute(1, 2, 0)
    return grid


def picture_format(file: Path) -> str:
    """The format of a picture by the ending of `file`; `ValueError` if there is no such one.

    >>> picture_format(Path("digits.jpg"))
    'JPEG'
    """
    from PIL import Image  # comes with torchvision

    kind = Image.registered_extensions().get(file.suffix.lower(), "")
    try:  # some formats can only be read, and some can hold no shades of grey
        Image.new("L", (28, 28)).save(io.BytesIO(), kind)
    except (KeyError, OSError, ValueError, AttributeError) as error:
        raise ValueError(
            f"cannot write {file}: {file.suffix!r} is not a picture format; use .png"
        ) from error
    return kind


def picture_channels(shape: Sequence[int]) -> int:
    """The channels of images `(C, H, W)`, if a picture can have so many.

    >>> picture_channels((5, 28, 28))
    Traceback (most recent call last):
    ValueError: a picture has 1 channel (grey), 3 (RGB) or 4 (RGBA), got 5 of shape (5, 28, 28)
    """
    if len(shape) != 3 or shape[0] not in (1, 3, 4):
        raise ValueError(
            "a picture has 1 channel (grey), 3 (RGB) or 4 (RGBA), "
            f"got {shape[0]} of shape {tuple(shape)}"
        )
    return shape[0]


def grid_picture(images: Tensor, kind: str, columns: int | None = None) -> bytes:
    """`image_grid` as the bytes of a picture of format `kind`, such as "PNG"."""
    from PIL import Image

    grid, out = image_grid(images, columns), io.BytesIO()
    picture_channels(images.shape[1:])
    Image.fromarray(grid.squeeze(-1).numpy()).save(out, kind)
    return out.getvalue()


def save_grid(images: Tensor, file: str | Path, columns: int | None = None) -> None:
    """Write `image_grid` as a picture; the ending of `file` decides the format."""
    file = writable(file)
    content = grid_picture(images, picture_format(file), columns)
    with replacing(file) as stream:
        stream.write(content)
