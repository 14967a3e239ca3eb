"""The reader: does an image read as a digit at all?

A classifier that has only ever seen digits calls everything a digit, noise included. This one has
an eleventh class, "no digit", and has learnt it from images that nobody could read: digits glued
from halves, erased, smeared, overlaid, overdrawn, shuffled, and noise. It is made by
`benchmarks/reader.py`; `assets/features/reader.md` says what it makes of kinds it has never seen.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from fmcore.checks import floating
from fmcore.images import from_unit, to_unit
from fmcore.metrics.classifier import BATCH, convolution, load_network, picture_batch

NO_DIGIT = 10


class Reader(nn.Module):
    """Images `(B, 1, 28, 28)` in [-1, 1] -> logits `(B, 11)`: the digits 0 to 9, and "no digit".

    Five convolutions with batch normalisation in three resolutions, and two layers that see where
    in the image everything lies. 354,899 parameters.

    >>> Reader().eval()(torch.zeros(2, 1, 28, 28)).shape
    torch.Size([2, 11])
    """

    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(
            *convolution(1, 24, 5), nn.MaxPool2d(2),  # 14x14
            *convolution(24, 48), *convolution(48, 48), nn.MaxPool2d(2),  # 7x7
            *convolution(48, 96), *convolution(96, 96), nn.AvgPool2d(2, ceil_mode=True),  # 4x4
            nn.Flatten(),
        )  # fmt: skip
        self.head = nn.Sequential(
            nn.Linear(96 * 16, 128), nn.SiLU(), nn.Dropout(0.2), nn.Linear(128, NO_DIGIT + 1)
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.body(picture_batch(x)))


def load_reader() -> Reader:
    """The reader that comes with the library, frozen, in evaluation mode, on the CPU."""
    return load_network(Reader, "reader")


def readable(images: Tensor) -> Tensor:
    """Whether each of the images `(N, 1, 28, 28)` in [-1, 1] reads as a digit: `(N,)`, bool.

    True where the reader gives "no digit" less than one half. The images are rounded to bytes
    first, as they are when they are saved. Of real test images 99 in 100 are readable, of noise
    none, of digits glued from halves about one in ten: the card has the table.

    Raises `ValueError` if the images have another shape or are not finite, `TypeError` if they are
    not of a floating dtype.

    >>> readable(torch.zeros(3, 1, 28, 28))
    tensor([False, False, False])
    """
    picture_batch(floating("images", images))
    if not images.isfinite().all():
        raise ValueError("images must be finite")
    return reads(from_unit(images), load_reader()).to(images.device)


@torch.no_grad()
def reads(pixels: Tensor, reader: Reader) -> Tensor:
    """Whether bytes `(N, 1, 28, 28)` read as digits: `(N,)`, on the device of the reader."""
    device = next(reader.parameters()).device
    parts = (reader(to_unit(part.to(device))).softmax(1) for part in pixels.split(BATCH))
    return torch.cat([p[:, NO_DIGIT] < 0.5 for p in parts])
