"""LeNet-5, a second yardstick: a network of the textbooks, trained as everyone trains it.

The features of `DigitClassifier` are those of a network of this book, and a distance in them cannot
be compared with anyone else's. This one has published parts only: the architecture of LeCun et al.
1998, the recipe of the tutorials, and MNIST. `lenet.py` makes it; weights, statistics and card lie
in the folder `lenet5`.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from fmcore.checks import finite, floating
from fmcore.devices import double
from fmcore.images import from_unit, to_unit
from fmcore.metrics.classifier import BATCH, picture_batch
from fmcore.metrics.distances import between_normals

FOLDER = Path(__file__).parent / "lenet5"
FEWEST = 200  # images; a covariance of 84 features needs more of them than features


class LeNet5(nn.Module):
    """Images `(B, 1, 28, 28)` in [-1, 1] -> logits `(B, 10)`; `features` gives `(B, 84)`.

    LeCun et al. 1998, figure 2, as it is written today: layers of means without weights, every map
    of the second convolution sees all six of the first, and the end is linear. 61,706 parameters.

    >>> lenet, images = LeNet5(), torch.zeros(2, 1, 28, 28)
    >>> lenet(images).shape, lenet.features(images).shape
    (torch.Size([2, 10]), torch.Size([2, 84]))
    """

    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(1, 6, 5, padding=2), nn.Tanh(), nn.AvgPool2d(2),  # 14x14
            nn.Conv2d(6, 16, 5), nn.Tanh(), nn.AvgPool2d(2),  # 5x5
            nn.Flatten(),
            nn.Linear(16 * 25, 120), nn.Tanh(),
            nn.Linear(120, 84), nn.Tanh(),
        )  # fmt: skip
        self.head = nn.Linear(84, 10)

    def features(self, x: Tensor) -> Tensor:
        """The features `(B, 84)`, in (-1, 1), of images `(B, 1, 28, 28)` in [-1, 1]."""
        return self.body(picture_batch(x))

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.features(x))


@cache
def load_lenet() -> LeNet5:
    """The LeNet-5 that is published here, frozen, in evaluation mode, on the CPU."""
    lenet = LeNet5()
    lenet.load_state_dict(load_file(FOLDER / "weights.safetensors"))
    return lenet.eval().requires_grad_(False)


@torch.no_grad()
def lenet_moments(pixels: Tensor, lenet: LeNet5 | None = None) -> tuple[Tensor, Tensor]:
    """Mean `(84,)` and covariance `(84, 84)` of the features of bytes `(n, 1, 28, 28)`."""
    lenet = load_lenet() if lenet is None else lenet
    parts = [lenet.features(to_unit(part.cpu())) for part in pixels.split(BATCH)]
    features = double(torch.cat(parts))
    return features.mean(0), features.T.cov()


def lenet_distance(images: Tensor) -> float:
    """Fréchet distance of images `(n, 1, 28, 28)` in [-1, 1] to the test images of MNIST.

    In the features of LeNet-5; the mean and the covariance of those of the test images are
    published with it. The images are rounded to bytes first, as they are when they are saved. Few
    images are further away than many of the same kind: compare at the same n, the habit is 10,000,
    and with what real images get, which the card says.

    Raises `ValueError` if the images have another shape, are not finite or are fewer than 200,
    `TypeError` if they are not of a floating dtype.

    >>> from fmcore.data import load_images
    >>> real = to_unit(load_images("mnist", root="embedded").pixels)
    >>> lenet_distance(real) < 1 < 10 < lenet_distance(-real)
    True
    """
    finite("images", picture_batch(floating("images", images)))
    if len(images) < FEWEST:
        raise ValueError(f"at least {FEWEST} images are needed, got {len(images)}")
    real = load_file(FOLDER / "statistics.safetensors")
    mean, covariance = lenet_moments(from_unit(images))
    return between_normals(mean, covariance, real["test.mean"], real["test.covariance"])
