"""The figure of a network whose wires can be cut: what its digits become, in the page.

With one wire cut at a time the digits are computed in advance; a reader who asks for the network
cuts as many as there are.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import torch
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from torch import Tensor

from fmcore.checks import whole
from fmcore.images import from_unit, to_unit
from fmcore.metrics.reader import NO_DIGIT, load_reader
from fmcore.networks import UNet
from fmcore.sampling import generate
from fmcore.weights import FlowModel

from ..checks import MOST_SEED, instant, series, text
from ..stills import mosaic
from ..theme import theme
from .base import LivingFigure
from .hand_figure import NOISES, REFUSED, picture_shape
from .live import READABLE, live
from .spec import pack
from .wires import cut, wires

_METHOD, _STEPS = "midpoint", 5
_DIGITS, _MOST_DIGITS = 9, 25


class WireFigure(LivingFigure):
    """What a trained U-Net draws when its wires are cut: blocks, skips, the way below, the clock.

    model       a `FlowModel` of a `UNet` of grey images, such as `load_pretrained("mnist")`
    labels      the class that each digit is asked for; by default 1 to 9 if the network knows so
                many, else any. None asks for none
    cut         the wire that is cut at first: a key of `WireFigure(...).wires`; None cuts nothing
    seed        of the noises, one for each digit
    height      of the whole figure in CSS pixels

    A block that is cut passes on what it is given, a skip that is cut adds nothing, "down" lets
    nothing come up from the levels below it, and a clock that is cut stands at 0.5. The digits are
    drawn by five steps of the midpoint rule, with one wire cut at a time here, ten evaluations
    each. The network comes when the reader presses a button, and then any wires can be cut.

    Raises TypeError or ValueError that says what does not fit: a model that no page can run, a
    class or a wire that is not there.

    >>> import fmcore
    >>> figure = WireFigure(fmcore.load_pretrained("mnist"), cut="skip1")  # doctest: +SKIP
    """

    entry = "wire_figure.js"
    more_on_phone = -130
    grows_on_phone = 0.5

    def __init__(
        self,
        model: FlowModel,
        *,
        labels: Sequence[int] | str | None = "all",
        cut: str | None = None,
        seed: int = 0,
        caption: str = "",
        alt: str = "",
        height: int = 640,
    ) -> None:
        seed = whole("seed", seed, 0, MOST_SEED)
        shape = picture_shape(model)
        self.labels = _labels(labels, model)
        count = len(self.labels) if self.labels else _DIGITS
        g = torch.Generator().manual_seed(seed)
        noises = torch.randn(max(count, NOISES), *shape, generator=g)
        told, self.network = live(model, noises, [_METHOD], "net/wire_worker.js", "serveWires")
        noises = noises[:count].half().float()  # as they are in the page
        if not told:
            raise TypeError(REFUSED.format(f"one of {type(model.net).__name__}"))
        net = cast(UNet, model.net)
        self.wires = wires(net)
        if cut is not None and text("cut", cut) not in self.wires:
            raise ValueError(f"cut must be one of {', '.join(self.wires)}; got {cut!r}")
        self.cut = cut
        self.caption, self.height = text("caption", caption), whole("height", height, 240)
        self.alt = text("alt", alt) or (
            "Interactive figure: above a drawing of the network whose wires can be cut, below "
            f"{count} generated digits, on the left by the whole network, on the right with wires "
            "cut"
        )
        self.digits = _drawn(model, net, [None, *self.wires], noises, self.labels)
        self.spec: dict[str, Any] = {
            "shape": [count, *shape[1:]],
            "labels": self.labels,
            "steps": _STEPS,
            "levels": net.config["levels"],
            "wires": [{"id": name, **wire._asdict()} for name, wire in self.wires.items()],
            "pictures": pack(from_unit(torch.stack([*self.digits.values()])), "u1"),
            "reads": [_reads(images) for images in self.digits.values()],
            "live": told,
            "alt": self.alt,
            "start_state": {"cut": [cut] if cut else []},
        }
        self._check_size()

    def still(self, t: float | None = None) -> Figure:
        """A matplotlib figure: the digits of the whole network, and those with the wire cut that is
        cut at first, whatever the time."""
        if t is not None:
            instant("t", t, (0, 1))
        second = self.cut or next(iter(self.wires))
        panels = {"the whole network": None, f"cut: {self.wires[second].text}": second}
        with theme():
            figure, axes = plt.subplots(1, 2, figsize=(7.0, 3.9))
            for ax, (title, name) in zip(axes, panels.items(), strict=True):
                mosaic.digits(self.digits[name], ax=ax)
                ax.set_title(title)
        return figure

    def __repr__(self) -> str:
        return f"WireFigure({len(self.wires)} wires, cut={self.cut!r})"


def _labels(labels: Sequence[int] | str | None, model: FlowModel) -> list[int] | None:
    """A class for each digit. Raises unless the network knows them all."""
    classes = model.net.config["num_classes"] if isinstance(model.net, UNet) else None
    if labels is None or (labels == "all" and (classes or 0) <= _DIGITS):
        return None
    if labels == "all":
        return list(range(1, _DIGITS + 1))
    found = [whole("a label", label, 0) for label in series("labels", labels)]
    if not 1 <= len(found) <= _MOST_DIGITS:
        raise ValueError(f"labels must be 1 to {_MOST_DIGITS} classes, got {len(found)}")
    if max(found) >= (classes or 0):
        raise ValueError(f"the network knows {classes or 'no'} classes, got the label {max(found)}")
    return found


def _drawn(
    model: FlowModel,
    net: UNet,
    names: Sequence[str | None],
    noises: Tensor,
    labels: list[int] | None,
) -> dict[str | None, Tensor]:
    """The digits with each wire cut, rounded to bytes as they will be in the page."""
    digits = {}
    for name in names:
        with cut(net, [name] if name else []):
            images = generate(
                model, len(noises), method=_METHOD, steps=_STEPS, x0=noises, label=labels
            )
        digits[name] = to_unit(from_unit(images.cpu()))
    return digits


@torch.no_grad()
def _reads(images: Tensor) -> list[int | None] | None:
    """What the judge reads in each image, None where it reads no digit; None if it reads no such
    images."""
    if images.shape[1:] != READABLE:
        return None
    odds = load_reader()(images).softmax(1)
    digits = odds[:, :NO_DIGIT].argmax(1).tolist()
    none = (odds[:, NO_DIGIT] >= 0.5).tolist()
    return [None if unread else digit for digit, unread in zip(digits, none, strict=True)]
