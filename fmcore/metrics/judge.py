"""The judge: how good are these digits? Every score stands between two others.

Its floor is the score of real images; its ceiling is that of the best of the controls, images that
are known not to be digits. A score near its ceiling says nothing.

The images are seen by the features of `DigitClassifier`, 128 numbers each, and read by `Reader`.
Before that they are rounded to bytes, as any picture is that leaves the program: a Fréchet distance
sees grain that no eye does.
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
from fmcore.metrics.classifier import BATCH, DigitClassifier, load_classifier
from fmcore.metrics.distances import frechet_distance, nearest, precision_recall
from fmcore.metrics.reader import load_reader, reads

FEWEST = 200
"""The fewest images that a `Judge` scores."""


@dataclass(frozen=True)
class Evaluation:
    """What a `Judge` finds.

    A `*_floor` is the same score of real images (`Judge` says of which), a `*_ceiling` that of the
    control that fares best in it: digits glued from halves of two classes, or uniform noise.
    """

    n: int
    """Number of images."""
    frechet: float
    """Fréchet distance between the features of the images and of the test set."""
    frechet_floor: float
    """The same for training images in place of the samples."""
    frechet_ceiling: float
    precision: float
    """Share of the images that lie where test images lie."""
    precision_floor: float
    precision_ceiling: float
    recall: float
    """Share of the test images that lie where the images lie."""
    recall_floor: float
    recall_ceiling: float
    readable: float
    """Share of the images that read as a digit at all (`readable`)."""
    readable_floor: float
    readable_ceiling: float
    classes: tuple[float, ...]
    """Share of each digit, 0 to 9, as the classifier reads them."""
    class_distance: float
    """Total variation between these shares and those of the test set: 0 is balanced like it."""
    accuracy: float | None
    """Share of the images that the classifier reads as what was asked for; None if nothing was."""
    accuracy_floor: float
    """Share of the test images that it reads as what they are."""
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
    are. `nearest_floor`, `readable_floor` and `accuracy_floor` are those of all test images, which
    the classifier and the reader have not seen and which are not their own neighbours. The ceilings
    take halves of the same training images, glued (`glued`), and as much uniform noise.
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
        self.reader = copy.deepcopy(load_reader()).to(device)
        self.train_labels = class_labels(self.train.labels, len(self.train), "labels")
        self.train_pixels = self.train.pixels.to(device).flatten(1).float() / 127.5
        self.features, self.probabilities = classify(test.pixels, self.classifier)
        reading = self.probabilities.argmax(1)
        self.accuracy = _share(
            reading == class_labels(test.labels, len(test), "labels").to(reading.device)
        )
        self.readable = _share(reads(test.pixels, self.reader))
        self.test_nearest = nearest(test.pixels, self.train_pixels)
        self.bounds: dict[int, dict[str, float]] = {}

    @torch.no_grad()
    def __call__(self, images: Tensor, label: Tensor | None = None) -> Evaluation:
        """Judge `(n, 1, 28, 28)` in [-1, 1]; `label` `(n,)` is what was asked for, if anything.

        Raises `ValueError` if the images have another shape or are not finite, if there are fewer
        than 200 of them (128 features need more than 128), or more than there are training images.
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
        scores, probabilities = self._scores(pixels)
        distance, reading = nearest(pixels, self.train_pixels), probabilities.argmax(1)
        shares, truth = _shares(reading), _shares(self.probabilities.argmax(1))
        return Evaluation(
            n=n,
            **scores,
            **self._bounds(n),
            classes=tuple(shares.tolist()),
            class_distance=(shares - truth).abs().sum().item() / 2,
            accuracy=None if label is None else _share(reading == label.to(reading.device)),
            accuracy_floor=self.accuracy,
            nearest=distance.median().item(),
            nearest_floor=self.test_nearest.median().item(),
            copies=_share(distance < double(self.test_nearest).quantile(0.001).to(distance)),
        )

    def _scores(self, pixels: Tensor) -> tuple[dict[str, float], Tensor]:
        """The four scores that have a floor and a ceiling, and how the images are read."""
        features, probabilities = classify(pixels, self.classifier)
        precision, recall = precision_recall(features, self.features)
        scores = {
            "frechet": frechet_distance(features, self.features),
            "precision": precision,
            "recall": recall,
            "readable": _share(reads(pixels, self.reader)),
        }
        return scores, probabilities

    def _bounds(self, n: int) -> dict[str, float]:
        """Floors and ceilings for `n` images."""
        if n not in self.bounds:
            spread = torch.linspace(0, len(self.train) - 1, n).round().long()
            pixels, labels = self.train.pixels[spread].cpu(), self.train_labels[spread].cpu()
            g = torch.Generator().manual_seed(0)
            noise = torch.randint(256, pixels.shape, generator=g, dtype=torch.uint8)
            floor, _ = self._scores(pixels)
            controls = [self._scores(x)[0] for x in (glued(pixels, labels), noise)]
            floor["readable"] = self.readable
            best = {k: max(c[k] for c in controls) for k in floor}
            best["frechet"] = min(c["frechet"] for c in controls)
            self.bounds[n] = {f"{k}_floor": v for k, v in floor.items()}
            self.bounds[n] |= {f"{k}_ceiling": v for k, v in best.items()}
        return self.bounds[n]


def glued(pixels: Tensor, labels: Tensor) -> Tensor:
    """The top half of each image above the bottom half of one of another class: no digits.

    >>> pixels = torch.arange(4, dtype=torch.uint8)[:, None, None, None].expand(4, 1, 2, 1)
    >>> glued(pixels, torch.tensor([0, 1, 0, 1])).flatten(1).tolist()
    [[0, 1], [2, 3], [1, 0], [3, 2]]
    """
    order = labels.argsort(stable=True)
    # One class after the other: at the distance of the largest, everyone meets another class.
    other = order.roll(-int(labels.bincount().max()))
    half = pixels.shape[2] // 2
    return torch.cat([pixels[order, :, :half], pixels[other, :, half:]], dim=2)


def _share(these: Tensor) -> float:
    return double(these).mean().item()


def _shares(classes: Tensor) -> Tensor:
    return torch.bincount(classes, minlength=10) / len(classes)


def report(scores: Evaluation) -> str:
    """The scores as a table, each beside those of real images and of what is no digit."""
    s = scores
    rows = [
        ("Fréchet distance", s.frechet, s.frechet_floor, s.frechet_ceiling),
        ("precision", s.precision, s.precision_floor, s.precision_ceiling),
        ("recall", s.recall, s.recall_floor, s.recall_ceiling),
        ("readable", s.readable, s.readable_floor, s.readable_ceiling),
        ("distance to the nearest training image", s.nearest, s.nearest_floor),
        ("nearer than 999 of 1,000 test images", s.copies, 0.001),
        ("distance of the class shares", s.class_distance),
        ("read as what was asked for", s.accuracy, s.accuracy_floor),
    ]
    lines = [f"{'':40}{'samples':>10}{'real':>10}{'no digits':>10}"]
    for name, *values in rows:
        if values[0] is not None:
            lines.append(f"{name:40}" + "".join(f"{value:10.4f}" for value in values))
    shares = "  ".join(f"{k}: {share:.1%}" for k, share in enumerate(scores.classes))
    return "\n".join([*lines, shares])


def classify(pixels: Tensor, classifier: DigitClassifier) -> tuple[Tensor, Tensor]:
    """Features `(n, 128)` and class probabilities `(n, 10)` of bytes `(n, 1, 28, 28)`."""
    device = next(classifier.parameters()).device
    features = torch.cat([classifier.features(to_unit(x.to(device))) for x in pixels.split(BATCH)])
    return features, classifier.head(features).softmax(1)
