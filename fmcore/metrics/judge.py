"""The judge: how good are these digits? Every score comes with what real images would get.

The images are seen by the features of `DigitClassifier`, 128 numbers each. Before that they are
rounded to bytes, as any picture is that leaves the program.
"""

from __future__ import annotations

import copy
from dataclasses import asdict, dataclass

import torch
from torch import Tensor

from fmcore.checks import class_labels, floating
from fmcore.data import ImageData, load_images
from fmcore.devices import double, find_device
from fmcore.images import from_unit, to_unit
from fmcore.metrics.classifier import DigitClassifier, load_classifier
from fmcore.metrics.distances import BATCH, frechet_distance, nearest, precision_recall

FEWEST = 200


@dataclass(frozen=True)
class Evaluation:
    """What a `Judge` finds. A `*_floor` is the same score of as many real images that are new."""

    n: int
    """Number of images."""
    frechet: float
    """Fréchet distance between the features of the images and of the test set."""
    frechet_floor: float
    """The same for training images in place of the samples."""
    precision: float
    """Share of the images that lie where test images lie."""
    precision_floor: float
    recall: float
    """Share of the test images that lie where the images lie."""
    recall_floor: float
    sure: float
    """Share of the images to which the classifier gives one class more than one half."""
    sure_floor: float
    classes: tuple[float, ...]
    """Share of each digit, 0 to 9, as the classifier reads them."""
    class_distance: float
    """Total variation between these shares and those of the test set: 0 is balanced like it."""
    accuracy: float | None
    """Share of the images that the classifier reads as what was asked for; None if nothing was."""
    nearest: float
    """Median distance of an image to the nearest training image, in pixels of [-1, 1]^784."""
    nearest_floor: float
    copies: float
    """Share of the images that are nearer to a training image than 999 of 1,000 test images are."""

    def as_dict(self) -> dict:
        return asdict(self)


class Judge:
    """Scores for digits: `Judge(train, test)(images)` is an `Evaluation`.

    `train` and `test` are MNIST unless given. What depends on them alone is computed once: keep the
    judge for the next images. On two CPU cores the first judgement takes about a minute and
    each one after it half of that, nearly all of it for the nearest of 60,000 training images.

    The floors take `n` training images, spread over the whole set, in place of the samples, so that
    they have the bias of the same `n`: a Fréchet distance of few images is too large, whatever they
    are. `nearest_floor` and `sure_floor` are those of all test images, which the classifier has not
    seen and which are not their own neighbours.
    Compare scores at the same `n` only; the habit is 10,000. Raises `ValueError` if there
    are fewer than 200 test images.
    """

    @torch.no_grad()
    def __init__(
        self,
        train: ImageData | None = None,
        test: ImageData | None = None,
        *,
        classifier: DigitClassifier | None = None,
        device: str = "cpu",
    ):
        for data in (train, test):
            if not (data is None or isinstance(data, ImageData)):
                raise TypeError(f"train and test must be ImageData, got {type(data).__name__}")
        self.train = load_images("mnist") if train is None else train
        test = load_images("mnist", split="test") if test is None else test
        if len(test) < FEWEST:
            raise ValueError(f"at least {FEWEST} test images are needed, got {len(test)}")
        find_device(device)
        self.classifier = copy.deepcopy(classifier or load_classifier()).to(device).eval()
        self.train_pixels = self.train.pixels.to(device).flatten(1).float() / 127.5
        self.features, self.probabilities = classify(test.pixels, self.classifier)
        self.test_nearest = nearest(test.pixels, self.train_pixels)
        self.floors: dict[int, tuple[float, float, float]] = {}

    @torch.no_grad()
    def __call__(self, images: Tensor, label: Tensor | None = None) -> Evaluation:
        """Judge `(n, 1, 28, 28)` in [-1, 1]; `label` `(n,)` is what was asked for, if anything.

        Raises `ValueError` if the images have another shape or are not finite, if there are fewer
        than 200 of them (the covariance of 128 features needs more), or more than training images.
        """
        n = len(floating("images", images))
        if images.ndim != 4 or images.shape[1:] != (1, 28, 28) or n < FEWEST:
            raise ValueError(
                f"images must have shape (n, 1, 28, 28) with n at least {FEWEST}, "
                f"got {tuple(images.shape)}"
            )
        if n > len(self.train):
            raise ValueError(f"{n} images need as many training images, got {len(self.train)}")
        if not images.isfinite().all():
            raise ValueError("images must be finite")
        label = None if label is None else class_labels(label, n)
        pixels = from_unit(images)
        features, probabilities = classify(pixels, self.classifier)
        distance, reading = nearest(pixels, self.train_pixels), probabilities.argmax(1)
        shares, truth = _shares(reading), _shares(self.probabilities.argmax(1))
        precision, recall = precision_recall(features, self.features)
        frechet_floor, precision_floor, recall_floor = self._floor(n)
        accuracy = None if label is None else _share(reading == label.to(reading.device))
        return Evaluation(
            n=n,
            frechet=frechet_distance(features, self.features),
            frechet_floor=frechet_floor,
            precision=precision,
            precision_floor=precision_floor,
            recall=recall,
            recall_floor=recall_floor,
            sure=_share(probabilities.amax(1) > 0.5),
            sure_floor=_share(self.probabilities.amax(1) > 0.5),
            classes=tuple(shares.tolist()),
            class_distance=(shares - truth).abs().sum().item() / 2,
            accuracy=accuracy,
            nearest=distance.median().item(),
            nearest_floor=self.test_nearest.median().item(),
            copies=_share(distance < double(self.test_nearest).quantile(0.001).to(distance)),
        )

    def _floor(self, n: int) -> tuple[float, float, float]:
        if n not in self.floors:
            spread = torch.linspace(0, len(self.train) - 1, n).round().long()
            features, _ = classify(self.train.pixels[spread], self.classifier)
            distance = frechet_distance(features, self.features)
            self.floors[n] = (distance, *precision_recall(features, self.features))
        return self.floors[n]


def _share(these: Tensor) -> float:
    return double(these).mean().item()


def _shares(classes: Tensor) -> Tensor:
    return torch.bincount(classes, minlength=10) / len(classes)


def report(scores: Evaluation) -> str:
    """The scores as a table, each beside that of real images."""
    rows = [
        ("Fréchet distance", scores.frechet, scores.frechet_floor),
        ("precision", scores.precision, scores.precision_floor),
        ("recall", scores.recall, scores.recall_floor),
        ("read without doubt", scores.sure, scores.sure_floor),
        ("distance to the nearest training image", scores.nearest, scores.nearest_floor),
        ("nearer than 999 of 1,000 test images", scores.copies, 0.001),
        ("distance of the class shares", scores.class_distance, None),
        ("read as what was asked for", scores.accuracy, None),
    ]
    lines = [f"{'':40}{'samples':>10}{'real':>10}"]
    for name, score, floor in rows:
        if score is not None:
            lines.append(f"{name:40}{score:10.4f}" + ("" if floor is None else f"{floor:10.4f}"))
    shares = "  ".join(f"{k}: {share:.1%}" for k, share in enumerate(scores.classes))
    return "\n".join([*lines, shares])


def classify(pixels: Tensor, classifier: DigitClassifier) -> tuple[Tensor, Tensor]:
    """Features `(n, 128)` and class probabilities `(n, 10)` of bytes `(n, 1, 28, 28)`."""
    device = next(classifier.parameters()).device
    features = torch.cat([classifier.features(to_unit(x.to(device))) for x in pixels.split(BATCH)])
    return features, classifier.head(features).softmax(1)
