"""A small classifier of digits, whose last layer but one gives the features of all metrics.

Trained by `benchmarks/classifier.py` on the training images of MNIST; the numbers are in its model
card, `assets/features/mnist.md`.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TypeVar

from safetensors import safe_open
from torch import Tensor, nn

from fmcore.files import ASSETS

N = TypeVar("N", bound=nn.Module)
FOLDER = ASSETS / "features"
BATCH = 500  # images at once


def convolution(channels: int, out: int, width: int = 3) -> list[nn.Module]:
    """A convolution that keeps the size, batch normalisation, SiLU."""
    plain = nn.Conv2d(channels, out, width, padding=width // 2, bias=False)
    return [plain, nn.BatchNorm2d(out), nn.SiLU()]


def picture_batch(x: Tensor) -> Tensor:
    """`x`, if it has the shape of a batch of images of MNIST."""
    if x.ndim != 4 or x.shape[1:] != (1, 28, 28):
        raise ValueError(f"images must have shape (B, 1, 28, 28), got {tuple(x.shape)}")
    return x


class DigitClassifier(nn.Module):
    """Images `(B, 1, 28, 28)` in [-1, 1] -> logits `(B, 10)`; `features` gives `(B, 128)`.

    Three convolutions, each with batch normalisation, in three resolutions; the mean over the
    places of the last 7x7 map is the feature. 94,698 parameters.

    >>> import torch
    >>> classifier, images = DigitClassifier().eval(), torch.zeros(2, 1, 28, 28)
    >>> classifier(images).shape, classifier.features(images).shape
    (torch.Size([2, 10]), torch.Size([2, 128]))
    """

    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(
            *convolution(1, 32, 5), nn.MaxPool2d(2),  # 14x14
            *convolution(32, 64), nn.MaxPool2d(2),  # 7x7
            *convolution(64, 128),
        )  # fmt: skip
        self.head = nn.Linear(128, 10)

    def features(self, x: Tensor) -> Tensor:
        """The features `(B, 128)` of images `(B, 1, 28, 28)` in [-1, 1]."""
        return self.body(picture_batch(x)).mean(dim=(2, 3))

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.features(x))


def load_classifier() -> DigitClassifier:
    """The classifier that comes with the library, in evaluation mode, on the CPU.

    >>> load_classifier() is load_classifier()
    True
    """
    return load_network(DigitClassifier, "mnist")


@cache
def load_network(kind: Callable[[], N], name: str) -> N:
    """A network of the metrics with its weights, in float32, frozen, in evaluation mode."""
    network = kind()
    with safe_open(weights_of(name), framework="pt") as file:
        names = file.keys()
        network.load_state_dict({name: file.get_tensor(name) for name in names})
    return network.eval().requires_grad_(False)


def network_card(name: str) -> dict:
    """The header of its weights: test accuracy, recipe, seed, device, versions and date."""
    with safe_open(weights_of(name), framework="pt") as file:
        return json.loads(file.metadata()["fmcore"])


def weights_of(name: str) -> Path:
    """The file of the weights of "mnist" (`DigitClassifier`) or "reader"."""
    return FOLDER / f"{name}.safetensors"
