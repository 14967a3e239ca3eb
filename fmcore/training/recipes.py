"""Recipes: a training in full, and the recipes that have a name."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from fmcore.config import TrainConfig
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
from fmcore.training.optimizers import MakeOptimizer

__all__ = ["RECIPES", "Recipe"]

Coupling = Callable[..., Any]
"""`x0, x1, label = couple(x0, x1, label=None, generator=g)`: as many pairs, joined anew."""


@dataclass(frozen=True)
class Recipe:
    """A training in full: what the network is, along which path, and how. See `RECIPES`.

    `fit(UNet(**r.network), r.path, data, r.train, loss=r.loss, couple=r.couple,
    optimizer=r.optimizer)` runs recipe r.
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
    optimizer: MakeOptimizer | None = None
    """What makes the optimizer of the parameters; None is AdamW."""

    def __post_init__(self) -> None:
        kinds = {"network": Mapping, "path": ProbabilityPath, "train": TrainConfig}
        for name, kind in kinds.items():
            if not isinstance(value := getattr(self, name), kind):
                given = type(value).__name__ if isinstance(value, Mapping) else repr(value)
                raise TypeError(f"{name} must be a {kind.__name__}, got {given}")
        if not callable(self.loss):
            raise TypeError(f"loss must be callable, as `cfm_loss` is, got {self.loss!r}")
        for name in ("couple", "optimizer"):
            if not ((value := getattr(self, name)) is None or callable(value)):
                raise TypeError(f"{name} must be callable or None, got {value!r}")

    def as_dict(self) -> dict[str, Any]:
        """How it trains, as plain values for a file: loss, times and coupling by name, and numbers.

        >>> RECIPES["mnist"].as_dict()["times"]
        'stratified'
        """
        function, settings, times = self.loss, set(), draws(self.loss)[0]
        while isinstance(function, partial):
            function, settings = function.func, settings | function.keywords.keys()
        name = LOSSES.name_of(function) if settings <= {"times"} else None
        own = {"optimizer": describe(self.optimizer)} if self.optimizer else {}
        numbers, unsaid = vars(self.train), {"progress"}
        if own:  # whose learning rate and weight decay these are not, unless somebody chose them
            names = "lr", "weight_decay"
            unsaid |= {k for k in names if numbers[k] == getattr(TrainConfig, k)}
        return {
            "loss": name or describe(self.loss),
            "times": TIMES.name_of(times) or describe(times),
            **({"couple": describe(self.couple)} if self.couple else {}),
            **own,
            **{k: v for k, v in numbers.items() if k not in unsaid},
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
