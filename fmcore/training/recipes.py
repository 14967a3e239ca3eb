"""Recipes: the numbers of a training in one place, and the recipes that have a name."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Literal, get_args

from fmcore.checks import flag, one_of, positive, real, whole
from fmcore.losses import (
    LOSSES,
    TIMES,
    Loss,
    cfm_loss,
    describe,
    draws,
    reference_loss,
    stratified_times,
)
from fmcore.paths import OTPath, ProbabilityPath
from fmcore.tables import Table

Schedule = Literal["constant", "cosine"]
Precision = Literal["fp32", "bf16", "fp16"]
Coupling = Callable[..., Any]
"""`x0, x1, label = couple(x0, x1, label=None, generator=g)`: as many pairs, joined anew."""


@dataclass(frozen=True)
class TrainConfig:
    """How to train, in numbers. Exactly one of `epochs` and `steps` says for how long.

    Raises `ValueError` if a number is out of range, `TypeError` if it is not a number.

    >>> TrainConfig(epochs=50, batch_size=256).lr
    0.0002
    """

    epochs: int | None = None
    """Passes over the data; give this or steps."""
    steps: int | None = None
    """Optimiser steps; give this or epochs."""
    batch_size: int = 256
    """Images in a step, over all processes."""
    lr: float = 2e-4
    """Learning rate of AdamW, at its highest."""
    weight_decay: float = 0.01
    """Decoupled weight decay."""
    schedule: Schedule = "constant"
    """The learning rate after the warm-up: constant, or a half cosine down to 0."""
    warmup: int = 0
    """Steps in which the learning rate rises to lr."""
    clip: float | None = None
    """Largest norm of the gradient."""
    ema: float = 0.999
    """Decay of the exponential moving average of the weights."""
    label_dropout: float = 0.1
    """How often a network that says how many classes it has sees an image without its label."""
    precision: Precision = "fp32"
    """bf16 and fp16 run the network under autocast; the weights stay in float32."""
    compile: bool = False
    """Compile the network, and on a GPU record a step and replay it; pays after half a minute."""
    device: str = "cpu"
    """Where to train."""
    seed: int = 0
    """Seed of everything random."""
    log_every: int = 50
    """Steps between two reports."""
    progress: bool = True
    """Show a progress bar."""

    def __post_init__(self) -> None:
        if (self.epochs is None) == (self.steps is None):
            raise ValueError(
                "give exactly one of epochs and steps, "
                f"got epochs={self.epochs}, steps={self.steps}"
            )
        self._check("epochs", whole, optional=True)
        self._check("steps", whole, optional=True)
        self._check("batch_size", whole)
        self._check("lr", real, 0)
        self._check("weight_decay", real, 0)
        self._check("schedule", one_of, get_args(Schedule))
        self._check("warmup", whole, 0)
        self._check("clip", positive, optional=True)
        self._check("ema", real, 0, 1)
        self._check("label_dropout", real, 0, 1)
        self._check("precision", one_of, get_args(Precision))
        self._check("seed", whole, 0, 2**63 - 1)
        self._check("log_every", whole)
        self._check("compile", flag)
        self._check("progress", flag)
        if not isinstance(self.device, str):
            raise TypeError(f"device must be a name such as 'cuda', got {self.device!r}")

    def _check(
        self, name: str, check: Callable[..., Any], *limits: Any, optional: bool = False
    ) -> None:
        """Stores the field as a plain value; a NumPy number could not be saved as one."""
        value = getattr(self, name)
        if not (optional and value is None):
            object.__setattr__(self, name, check(name, value, *limits))

    def learning_rate(self, step: int, steps: int) -> float:
        """The learning rate of step `step` (from 0) of `steps`: warm-up, then the schedule.

        >>> TrainConfig(steps=100, lr=1.0, schedule="cosine").learning_rate(50, 100)
        0.5
        """
        if step < self.warmup:
            return self.lr * (step + 1) / self.warmup
        if self.schedule == "constant":
            return self.lr
        progress = (step - self.warmup) / max(1, steps - self.warmup)
        return self.lr * (1 + math.cos(math.pi * progress)) / 2


@dataclass(frozen=True)
class Recipe:
    """A training in full: what the network is, along which path, and how. See `RECIPES`.

    `fit(UNet(**r.network), r.path, data, r.train, loss=r.loss, couple=r.couple)` runs recipe r.
    """

    network: dict[str, Any] = field(default_factory=dict)
    """Arguments of `UNet`."""
    path: ProbabilityPath = field(default_factory=OTPath)
    """The probability path."""
    train: TrainConfig = field(default_factory=lambda: TrainConfig(epochs=50))
    """The numbers of the training."""
    loss: Loss = cfm_loss
    """The loss, which draws its own times."""
    couple: Coupling | None = None
    """How noise and data are paired; None leaves them independent."""

    def __post_init__(self) -> None:
        kinds = {"network": Mapping, "path": ProbabilityPath, "train": TrainConfig}
        for name, kind in kinds.items():
            if not isinstance(value := getattr(self, name), kind):
                given = type(value).__name__ if isinstance(value, Mapping) else repr(value)
                raise TypeError(f"{name} must be a {kind.__name__}, got {given}")
        if not callable(self.loss):
            raise TypeError(f"loss must be callable, as `cfm_loss` is, got {self.loss!r}")
        if not (self.couple is None or callable(self.couple)):
            raise TypeError(f"couple must be callable or None, got {self.couple!r}")

    def as_dict(self) -> dict[str, Any]:
        """How it trains, as plain values for a file: loss, times and coupling by name, and numbers.

        >>> RECIPES["mnist"].as_dict()["times"]
        'stratified'
        """
        function, settings, times = self.loss, set(), draws(self.loss)[0]
        while isinstance(function, partial):
            function, settings = function.func, settings | function.keywords.keys()
        name = LOSSES.name_of(function) if settings <= {"times"} else None
        return {
            "loss": name or describe(self.loss),
            "times": TIMES.name_of(times) or describe(times),
            **({"couple": describe(self.couple)} if self.couple else {}),
            **{k: v for k, v in vars(self.train).items() if k != "progress"},
        }

    def on(self, device: str, **changes: Any) -> Recipe:
        """The same recipe on another device, with other changes to `train` if there are any."""
        return replace(self, train=replace(self.train, device=device, **changes))


def _check_recipe(name: str, recipe: Recipe) -> None:
    if not isinstance(recipe, Recipe):
        raise TypeError(f"recipe {name!r} must be a Recipe, got {type(recipe).__name__}")


_COSINE: Any = dict(schedule="cosine", clip=1.0)

RECIPES: Table[Recipe] = Table(
    "recipe",
    _check_recipe,
    # The recipe that many tutorials share: noise of size 0.1 is left at t = 1, the time turns at
    # most once, and the robust loss aims at a median. Their average starts from the initial
    # weights; ours forgets them first, here as well.
    reference=Recipe(
        network=dict(base=64, time_scale=2 * math.pi),
        path=OTPath(sigma_min=0.1),
        train=TrainConfig(epochs=50, batch_size=256, lr=2e-4, ema=0.999),
        loss=reference_loss,
    ),
    mnist=Recipe(
        network=dict(base=64),
        train=TrainConfig(epochs=50, batch_size=256, lr=1e-3, warmup=200, **_COSINE),
        loss=partial(cfm_loss, times=stratified_times),
    ),
    # Digits on two CPU cores in ten minutes; `benchmarks/ladder.py` measures what less time gives.
    laptop=Recipe(
        network=dict(base=16, levels=3, num_classes=10),
        train=TrainConfig(steps=12_500, batch_size=64, lr=4e-3, warmup=100, **_COSINE),
        loss=partial(cfm_loss, times=stratified_times),
    ),
    shipped=Recipe(
        network=dict(base=40, levels=3, num_classes=10, film_silu=False),
        train=TrainConfig(
            epochs=150, batch_size=256, lr=2e-3, warmup=200, label_dropout=0.5, **_COSINE
        ),
        loss=partial(cfm_loss, times=stratified_times),
    ),
)
"""The recipes by name: "reference"; "mnist", the one of this book for the same network; "laptop",
for two CPU cores; "shipped", which made the weights that come with the library."""
