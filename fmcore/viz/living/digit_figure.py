"""The figure for digits: a trained network over solver, steps and time, without a kernel.

The pictures are computed in advance (`sprite.py`); the browser chooses among them. Those of the
pretrained network come with the library. The network itself is at hand (`live.py`): a reader who
asks for it has any number of steps, classes, guidance and noises.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

import torch
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from torch import Tensor, nn

from fmcore.checks import floating, whole
from fmcore.files import ASSETS

from ..checks import MOST_SEED, Method, by_name, moment, series, solver_name, text
from ..stills import mosaic
from ..theme import solver_style, theme
from .base import LivingFigure
from .live import live
from .sprite import REFERENCE, Sprite, compute_sprite, load_sprite, sprite_key

SHIPPED = ASSETS / "mnist_sprite.png"
MOST_SPRITE_BYTES = 400_000
_MOST_NOISES = 36
STEPS = (1, 2, 3, 4, 5, 6, 8, 10, 15, 20)


class DigitFigure(LivingFigure):
    """Digits at a time t, and where the chosen solver takes them in the chosen number of steps.

    model       v(x, t) of images `(n, 1, H, W)` in [-1, 1], such as `load_pretrained("mnist")`
    x0          the noises `(n, 1, H, W)`; by default sixteen of 28 by 28, drawn from `seed`
    solvers     the methods on offer: keys of `SOLVERS`, or a `ButcherTableau`
    steps       the numbers of steps on offer, ascending
    frames      states between noise and digit, at even times
    solver, step  what is shown at first: by default midpoint, if it is on offer, and 5 steps
    t           None plays from the noise; a time in [0, 1] waits there
    height      of the whole figure in CSS pixels

    A `FlowModel` of a `UNet` can also run in the page, once the reader presses a button: with any
    class, guidance, number of steps and noise. Its weights in half precision and those of a judge
    of digits travel along, 2.7 MB for the pretrained network.
    The network is evaluated for every solver and number of steps: about 750 times by default. For
    the pretrained network nothing is computed: its pictures come with the library.

    Raises TypeError or ValueError that says what does not fit: a model that returns another shape,
    an unknown solver, a number out of range, more than 400 kB of pictures.
    """

    entry = "digit_figure.js"
    more_on_phone = -30
    grows_on_phone = 0.5

    def __init__(
        self,
        model: nn.Module,
        *,
        x0: Tensor | None = None,
        seed: int = 0,
        solvers: Sequence[Method] = ("euler", "midpoint", "heun", "rk4"),
        steps: Sequence[int] = STEPS,
        frames: int = 25,
        solver: Method | None = None,
        step: int = 5,
        t: float | None = None,
        caption: str = "",
        alt: str = "",
        height: int = 520,
    ) -> None:
        if not isinstance(model, nn.Module):
            raise TypeError(f"model must be a torch module, got {type(model).__name__}")
        methods = by_name(solvers)
        if solver is None:
            solver = "midpoint" if "midpoint" in methods else next(iter(methods))
        name, step = solver_name(solver), whole("step", step)
        if name not in methods:
            raise ValueError(f"solver must be one of {', '.join(methods)}; got {name!r}")
        counts = _ascending(steps)
        if step not in counts:
            raise ValueError(f"step must be one of {counts}; got {step}")
        frames = whole("frames", frames, 2)
        noises = _noises(x0, seed)
        self.caption, self.height = text("caption", caption), whole("height", height, 240)
        self.solver, self.step, self.t = name, step, moment("t", t, (0, 1))
        self.alt = text("alt", alt) or (
            f"Interactive figure of {len(noises)} generated digits: on the left at a time between "
            "noise and digit, on the right where the chosen solver takes them"
        )
        self.sprite = _sprite(model, noises, list(methods.values()), counts, frames)
        about = {k: v for k, v in self.sprite.about.items() if k not in ("key", "solvers")}
        told, self.network = live(model, noises, methods.values())
        styles = {name: solver_style(method) for name, method in methods.items()}
        self.spec: dict[str, Any] = {
            **about,
            "live": told or None,
            "picture": _as_text(self.sprite),
            "shape": list(self.sprite.shades.shape[1:]),
            "solvers": [
                {"id": name, "label": style.label, "color": style.color}
                for name, style in styles.items()
            ],
            "reference": about["reference"] | {"label": solver_style(REFERENCE).label},
            "alt": self.alt,
            "start_state": {
                "solver": name,
                "steps": step,
                "share": self.t or 0.0,
                "playing": self.t is None,
            },
        }

    def still(self, t: float | None = None) -> Figure:
        """A matplotlib figure: the digits at time `t`, and where solver and steps take them.

        Of the frames the one nearest to `t`; left out, it is that of the figure, or the middle.
        """
        times, nfe = self.sprite.about["times"], self.sprite.about["nfe"]
        t = moment("t", self.t if t is None else t, (0, 1))
        t = 0.5 if t is None else t
        nearest = min(range(len(times)), key=lambda i: abs(times[i] - t))
        end = self.sprite.row(self.solver, self.step)
        label = next(s["label"] for s in self.spec["solvers"] if s["id"] == self.solver)
        panels = {
            f"t = {times[nearest]:.2f}": len(nfe) + nearest,
            f"{label}, {self.step} steps, NFE {nfe[end]}": end,
        }
        with theme():
            figure, axes = plt.subplots(1, 2, figsize=(7.0, 3.9))
            for ax, (title, row) in zip(axes, panels.items(), strict=True):
                mosaic.digits(self.sprite.images(row), ax=ax)
                ax.set_title(title)
        return figure

    def __repr__(self) -> str:
        n = len(self.sprite.shades[0])
        return f"DigitFigure({n} digits, solver={self.solver!r}, step={self.step})"


def _ascending(steps: Sequence[int]) -> list[int]:
    """The numbers of steps as a list. Raises ValueError unless they ascend."""
    counts = [whole("a number of steps", count) for count in series("steps", steps)]
    if not counts or counts != sorted(set(counts)):
        raise ValueError(f"steps must ascend, got {counts}")
    return counts


def _noises(x0: Tensor | None, seed: int) -> Tensor:
    """The noises (n, 1, H, W): `x0`, or sixteen drawn from `seed`."""
    if x0 is None:
        g = torch.Generator().manual_seed(whole("seed", seed, 0, MOST_SEED))
        return torch.randn(16, 1, 28, 28, generator=g)
    if floating("x0", x0).ndim != 4 or x0.shape[1] != 1 or not 1 <= len(x0) <= _MOST_NOISES:
        raise ValueError(
            f"x0 must be (n, 1, H, W) with n up to {_MOST_NOISES}, got {tuple(x0.shape)}"
        )
    return x0


def _sprite(
    model: nn.Module, x0: Tensor, solvers: list[Method], steps: list[int], frames: int
) -> Sprite:
    """The shipped pictures if they are of this model, or new ones."""
    if SHIPPED.is_file():
        shipped = load_sprite(SHIPPED)
        if shipped.about["key"] == sprite_key(model, x0, solvers, steps, frames):
            return shipped
    return compute_sprite(model, x0, solvers, steps, frames)


def _as_text(sprite: Sprite) -> str:
    """The picture as base64. Raises ValueError if it would make a page heavy."""
    text = base64.b64encode(sprite.png()).decode("ascii")
    if len(text) > MOST_SPRITE_BYTES:
        raise ValueError(
            f"the pictures would take {len(text) / 1000:.0f} kB as text, and 400 kB is the limit: "
            "take fewer solvers, steps, frames or noises"
        )
    return text
