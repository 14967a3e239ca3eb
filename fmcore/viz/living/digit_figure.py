"""The figure for digits: a trained network over solver, steps and time, without a kernel.

The pictures are computed beforehand (`sprite.py`); the browser chooses among them. Those of the
network that comes with the library come with it too.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from fmcore.tableaus import SOLVERS

from ..stills import mosaic
from ..stills.plane import check_count
from ..theme import solver_style, theme
from .base import LivingFigure
from .sprite import Sprite, compute_sprite, load_sprite, sprite_key

SHIPPED = Path(__file__).parents[2] / "pretrained" / "mnist_sprite.png"
MOST_SPRITE_BYTES = 400_000
_MOST_NOISES = 36
STEPS = (1, 2, 3, 4, 5, 6, 8, 10, 15, 20)


class DigitFigure(LivingFigure):
    """Digits that answer the hand: on the way at time t, and where solver and steps arrive.

    model       v(x, t) of images `(n, 1, H, W)` in [-1, 1], such as `load_pretrained("mnist")`
    x0          the noises `(n, 1, H, W)`; by default sixteen of 28 by 28, drawn from `seed`
    solvers     the methods on offer, keys of `SOLVERS`
    steps       the numbers of steps on offer, ascending
    frames      states on the way, at even times
    solver, step  what is shown at first
    t           None plays from the noise; a time in [0, 1] waits there
    height      of the whole figure in CSS pixels

    The network is evaluated for every solver and number of steps: about 800 times by default. For
    the shipped network nothing is computed, for its pictures are shipped as well.

    `TypeError` or `ValueError` says what does not fit: a model that returns another shape, an
    unknown solver, a number out of range, more than 400 kB of pictures.
    """

    entry = "digits.js"
    more_on_phone = -45

    def __init__(
        self,
        model: nn.Module,
        *,
        x0: Tensor | None = None,
        seed: int = 0,
        solvers: Sequence[str] = ("euler", "midpoint", "heun", "rk4"),
        steps: Sequence[int] = STEPS,
        frames: int = 25,
        solver: str = "heun",
        step: int = 5,
        t: float | None = None,
        caption: str = "",
        alt: str = "",
        height: int = 460,
    ) -> None:
        if not isinstance(model, nn.Module):
            raise TypeError(f"model must be a torch module, got {type(model).__name__}")
        solvers, steps = list(dict.fromkeys(solvers)), list(steps)
        unknown = [name for name in solvers if name not in SOLVERS]
        if unknown or solver not in solvers:
            raise ValueError(
                f"solvers must be some of {', '.join(SOLVERS)}, solver one of them; got {solvers}, "
                f"{solver!r}"
            )
        for count in steps:
            check_count("a number of steps", count, 1)
        if steps != sorted(set(steps)) or step not in steps:
            raise ValueError(f"steps must ascend, step be one of them; got {steps}, {step!r}")
        check_count("frames", frames, 2)
        check_count("height", height, 240)
        if t is not None and not 0 <= t <= 1:
            raise ValueError(f"t must lie in [0, 1] or be None, got {t!r}")
        if x0 is None:
            x0 = torch.randn(16, 1, 28, 28, generator=torch.Generator().manual_seed(seed))
        if x0.ndim != 4 or x0.shape[1] != 1 or not 1 <= len(x0) <= _MOST_NOISES:
            raise ValueError(
                f"x0 must be (n, 1, H, W) with n up to {_MOST_NOISES}, got {tuple(x0.shape)}"
            )
        self.caption, self.height = caption, height
        self.solver, self.step, self.t = solver, step, t
        self.alt = alt or (
            f"Interactive figure of {len(x0)} generated digits: on the left on their way from "
            "noise, on the right where the chosen solver takes them"
        )
        self.sprite = _sprite(model, x0, solvers, steps, frames)
        png = self.sprite.png()
        if len(png) * 4 / 3 > MOST_SPRITE_BYTES:
            raise ValueError(
                f"the pictures would take {len(png) / 750:.0f} kB as text, and 400 kB is the limit:"
                " take fewer solvers, steps, frames or noises"
            )
        about = {k: v for k, v in self.sprite.about.items() if k not in ("key", "solvers")}
        self.spec: dict[str, Any] = {
            **about,
            "picture": base64.b64encode(png).decode("ascii"),
            "shape": list(self.sprite.shades.shape[1:]),
            "solvers": [
                {"id": name, "label": style.label, "color": style.color}
                for name, style in ((name, solver_style(name)) for name in solvers)
            ],
            "reference": about["reference"] | {"label": solver_style("dopri5").label},
            "alt": self.alt,
            "start_state": {
                "solver": solver,
                "steps": step,
                "share": 0.0 if t is None else t,
                "playing": t is None,
            },
        }

    def still(self) -> Any:
        """A matplotlib figure: the digits at time `t`, and where solver and steps arrive."""
        from matplotlib import pyplot as plt

        sprite = self.sprite
        times = sprite.about["times"]
        t = 0.5 if self.t is None else self.t
        nearest = min(range(len(times)), key=lambda i: abs(times[i] - t))
        nfe = sprite.about["nfe"][sprite.row(self.solver, self.step)]
        shown = {
            f"on the way, t = {times[nearest]:.2f}": len(sprite.about["nfe"]) + nearest,
            f"{solver_style(self.solver).label}, {self.step} steps, NFE {nfe}": sprite.row(
                self.solver, self.step
            ),
        }
        with theme():
            picture, axes = plt.subplots(1, 2, figsize=(7.0, 3.9))
            for ax, (title, row) in zip(axes, shown.items(), strict=True):
                mosaic.digits(sprite.images(row), ax=ax)
                ax.set_title(title)
        return picture

    def __repr__(self) -> str:
        n = len(self.sprite.shades[0])
        return f"DigitFigure({n} digits, solver={self.solver!r}, step={self.step})"


def _sprite(
    model: nn.Module, x0: Tensor, solvers: list[str], steps: list[int], frames: int
) -> Sprite:
    """The shipped pictures if they are of this model, or new ones."""
    if SHIPPED.is_file():
        shipped = load_sprite(SHIPPED)
        if shipped.about["key"] == sprite_key(model, x0, solvers, steps, frames):
            return shipped
    return compute_sprite(model, x0, solvers, steps, frames)
