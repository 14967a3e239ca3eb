"""The figure of the reader's hand: what a trained network makes of a drawing, in the page.

A drawing is finished, tidied up, sent to its noise and back, or morphed into another digit, as
`fmcore.editing` does it. One finished drawing is computed in advance, for the still and for the
time before the network is there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from torch import Tensor
from torch.nn.functional import max_pool2d

from fmcore.checks import floating, whole
from fmcore.data import EMBEDDED, load_images
from fmcore.editing import inpaint
from fmcore.images import from_unit, to_unit
from fmcore.weights import FlowModel

from ..checks import MOST_SEED, instant, text
from ..stills import mosaic
from ..theme import theme
from .base import LivingFigure
from .live import live
from .spec import pack, path_data

_MOST_DIGITS = 36
_FINISHED, _STEPS = 4, 30  # pictures, and evaluations for each
NOISES = 16  # what a DigitFigure sends with the same network


class HandFigure(LivingFigure):
    """What the network makes of a drawing by the reader's own hand, with pointer or keys.

    model       a `FlowModel` of a `UNet` of grey images, such as `load_pretrained("mnist")`
    digits      what can be chosen without drawing, and what a drawing can be morphed into: images
                `(1, H, W)` in [-1, 1] by name; by default a test image of each digit of MNIST
    drawing     `(1, H, W)`, what is on the sheet at first; by default the upper half of a 3, or of
                the first of `digits`
    goal        the name of the digit that is first offered for a morph; by default the last
    t           the time from which a drawing is tidied up at first, in [0.3, 0.8]
    seed        of the noises with which the first drawing is finished
    height      of the whole figure in CSS pixels

    The network comes when the reader presses a button: its weights in half precision and those of a
    judge of digits, 2.7 MB for the pretrained network. Before that the figure shows the first
    drawing and four ways to finish it, which are computed here, in 30 evaluations.

    Raises TypeError or ValueError that says what does not fit: a model that no page can run, images
    of another shape or beyond [-1, 1], a drawing without ink, a name that is not there.

    >>> import fmcore
    >>> figure = HandFigure(fmcore.load_pretrained("mnist"), seed=1)
    >>> figure.save_html("hand.html")  # doctest: +SKIP
    >>> figure
    HandFigure(10 digits, goal='9')
    """

    entry = "hand_figure.js"
    more_on_phone = 35
    grows_on_phone = 0.57

    def __init__(
        self,
        model: FlowModel,
        *,
        digits: Mapping[str, Tensor] | None = None,
        drawing: Tensor | None = None,
        goal: str | None = None,
        t: float = 0.5,
        seed: int = 0,
        caption: str = "",
        alt: str = "",
        height: int = 560,
    ) -> None:
        seed = whole("seed", seed, 0, MOST_SEED)
        shape = picture_shape(model)
        told, self.network = live(
            model,
            torch.randn(NOISES, *shape, generator=torch.Generator().manual_seed(0)),
            ["midpoint"],
            "net/hand_worker.js",
            "serveHand",
        )
        if not told:
            raise TypeError(REFUSED.format(f"one of {type(model.net).__name__}"))
        path = path_data(model.path, (0.0, 1.0))
        if path is None:
            raise ValueError(f"a page cannot follow {model.path}: it is not finite at t = 0 or 1")
        digits = _mnist() if digits is None else digits
        self.digits = {
            text("a name in digits", name): _image(f"digits[{name!r}]", image, shape)
            for name, image in _named(digits).items()
        }
        first = self.digits.get("3", next(iter(self.digits.values())))
        if drawing is None:
            drawing = torch.where(torch.arange(shape[1])[:, None] < shape[1] / 2, first, -1.0)
        self.drawing = _image("drawing", drawing, shape)
        if not bool((self.drawing > 0).any()):
            raise ValueError("drawing has no ink: no value above 0")
        self.goal = next(reversed(self.digits)) if goal is None else text("goal", goal)
        if self.goal not in self.digits:
            raise ValueError(f"goal must be one of {', '.join(self.digits)}; got {goal!r}")
        self.t = instant("t", t, (0.3, 0.8))
        self.caption, self.height = text("caption", caption), whole("height", height, 240)
        self.alt = text("alt", alt) or (
            "Interactive figure: on the left a sheet to draw on, with half a digit; on the right "
            "what the network makes of it, four ways to finish the digit"
        )
        four = self.drawing.expand(_FINISHED, *shape)
        g = torch.Generator().manual_seed(seed)
        self.finished = inpaint(model, four, kept(four), steps=_STEPS, generator=g).cpu()
        self.spec: dict[str, Any] = {
            "shape": list(shape[1:]),
            "names": [*self.digits],
            "digits": _bytes(torch.stack([*self.digits.values()])),
            "drawing": _bytes(self.drawing),
            "finished": _bytes(self.finished),
            "path": path,
            "live": told,
            "alt": self.alt,
            "start_state": {"seed": seed, "t": self.t, "goal": self.goal},
        }
        self._check_size()

    def still(self, t: float | None = None) -> Figure:
        """A matplotlib figure: the first drawing, and four ways to finish it, whatever the time."""
        if t is not None:
            instant("t", t, (0, 1))
        panels = {"a drawing": self.drawing[None], "finished from four noises": self.finished}
        with theme():
            figure, axes = plt.subplots(1, 2, figsize=(7.0, 3.9))
            for ax, (title, images) in zip(axes, panels.items(), strict=True):
                mosaic.digits(images, columns=1 if len(images) == 1 else 2, ax=ax)
                ax.set_title(title)
            new = (0.75 * (self.finished - self.drawing)).clamp(0, 1)[:, 0]  # as digit_grid.js
            mosaic.tint(new, mosaic.NEW, columns=2, ax=axes[1])
        return figure

    def __repr__(self) -> str:
        return f"HandFigure({len(self.digits)} digits, goal={self.goal!r})"


def kept(drawings: Tensor) -> Tensor:
    """Until when the pixels of drawings (n, 1, H, W) are kept, as in the page (its editing.js).

    Ink stays for good, and the paper within two pixels of it while the coarse is decided, so that
    the ink is neither thickened nor painted over; later that paper is free to be joined.
    """
    ink = drawings > 0
    near = max_pool2d(ink.float(), kernel_size=5, stride=1, padding=2) > 0
    return torch.where(ink, 1.0, torch.where(near & (drawings < -0.9), 0.5, 0.0))


REFUSED = (
    "model must be a FlowModel of a UNet of grey images without vectors as conditions, whose "
    "network predicts the velocity: no page can run {}"
)


def picture_shape(model: FlowModel) -> tuple[int, int, int]:
    """That of one picture. Raises TypeError for what is no model of grey images."""
    shape = tuple(model.config["shape"]) if isinstance(model, FlowModel) else ()
    if len(shape) != 3 or shape[0] != 1:
        raise TypeError(REFUSED.format(f"{type(model).__name__} {shape or ''}".strip()))
    return (1, shape[1], shape[2])


def _mnist() -> dict[str, Tensor]:
    """A test image of each digit, of the part of MNIST that comes with the library."""
    data = load_images("mnist", split="test", root=EMBEDDED)
    return {str(label): to_unit(image) for label, image in enumerate(data.pixels[20:30])}


def _named(digits: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
    if not isinstance(digits, Mapping):
        raise TypeError(f"digits must be images by name, got {type(digits).__name__}")
    if not 1 <= len(digits) <= _MOST_DIGITS:
        raise ValueError(f"digits must be 1 to {_MOST_DIGITS} images, got {len(digits)}")
    return digits


def _image(name: str, image: Tensor, shape: tuple[int, ...]) -> Tensor:
    """`image` as it will be in the page. Raises unless it has that shape and lies in [-1, 1]."""
    if floating(name, image).shape != shape:
        raise ValueError(f"{name} must have the shape {shape}, got {tuple(image.shape)}")
    if not bool((image.abs() <= 1).all()):  # which NaN is not, either
        raise ValueError(f"{name} must lie in [-1, 1]")
    return to_unit(from_unit(image.detach().cpu()))


def _bytes(images: Tensor) -> dict[str, str]:
    return pack(from_unit(images), "u1")
