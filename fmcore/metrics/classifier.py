"""A small classifier of digits, whose last layer but one gives the features of all metrics.

Trained by `benchmarks/classifier.py` on the training images of MNIST; the numbers are in its model
card, `assets/features/mnist.md`.
"""

from __future__ import annotations

import json
from functools import lru_cache

from safetensors import safe_open
from torch import Tensor, nn

from fmcore.files import ASSETS

WEIGHTS = ASSETS / "features" / "mnist.safetensors"


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

        def layer(channels: int, out: int, width: int = 3) -> list[nn.Module]:
            convolution = nn.Conv2d(channels, out, width, padding=width // 2, bias=False)
            return [convolution, nn.BatchNorm2d(out), nn.SiLU()]

        self.body = nn.Sequential(
            *layer(1, 32, 5), nn.MaxPool2d(2),  # 14x14
            *layer(32, 64), nn.MaxPool2d(2),  # 7x7
            *layer(64, 128),
        )  # fmt: skip
        self.head = nn.Linear(128, 10)

    def features(self, x: Tensor) -> Tensor:
        """The features `(B, 128)` of images `(B, 1, 28, 28)` in [-1, 1]."""
        if x.ndim != 4 or x.shape[1:] != (1, 28, 28):
            raise ValueError(f"images must have shape (B, 1, 28, 28), got {tuple(x.shape)}")
        return self.body(x).mean(dim=(2, 3))

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.features(x))


@lru_cache(maxsize=1)
def load_classifier() -> DigitClassifier:
    """The classifier that comes with the library, in evaluation mode, on the CPU.

    >>> load_classifier() is load_classifier()
    True
    """
    model = DigitClassifier()
    with safe_open(WEIGHTS, framework="pt") as file:
        names = file.keys()
        model.load_state_dict({name: file.get_tensor(name) for name in names})
    return model.eval().requires_grad_(False)


def classifier_card() -> dict:
    """The header of its weights: test accuracy, recipe, seed, device, versions and date."""
    with safe_open(WEIGHTS, framework="pt") as file:
        return json.loads(file.metadata()["fmcore"])
