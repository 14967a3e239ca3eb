"""Recipes: all the numbers of a training in one place, and three recipes that have a name."""

from __future__ import annotations

import contextlib
import math
import operator
from dataclasses import dataclass, field, replace
from typing import Literal

from fmcore.paths import OTPath, Path


@dataclass(frozen=True)
class TrainConfig:
    """How to train. Exactly one of `epochs` and `steps` says for how long.

    Raises `ValueError` for what cannot be.

    >>> TrainConfig(epochs=50, batch_size=256, loss="reference").lr
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
    schedule: Literal["constant", "cosine"] = "constant"
    """The learning rate after the warm-up: constant, or a half cosine down to 0."""
    warmup: int = 0
    """Steps in which the learning rate rises to lr."""
    clip: float | None = None
    """Largest norm of the gradient."""
    loss: Literal["cfm", "reference"] = "cfm"
    """Plain conditional flow matching, or the weighted robust loss of the reference recipe."""
    times: Literal["uniform", "stratified", "logit_normal"] = "uniform"
    """How t is drawn; stratified is uniform, with one t in each of batch_size equal slices."""
    ema: float = 0.999
    """Decay of the exponential moving average of the weights."""
    label_dropout: float = 0.1
    """How often a network with classes sees an image without its label."""
    precision: Literal["fp32", "bf16", "fp16"] = "fp32"
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
        least = dict(epochs=1, steps=1, batch_size=1, warmup=0, log_every=1)
        for name in (*least, "seed"):
            value = getattr(self, name)
            if isinstance(value, bool):
                raise ValueError(f"{name} must be a whole number, got {value!r}")
            if value is not None:
                with contextlib.suppress(TypeError):  # what is no whole number is refused below
                    object.__setattr__(self, name, operator.index(value))
        if not isinstance(self.seed, int) or not 0 <= self.seed < 2**63:
            raise ValueError(f"seed must be a whole number in [0, 2^63), got {self.seed!r}")
        if (self.epochs is None) == (self.steps is None):
            raise ValueError(
                "give exactly one of epochs and steps, "
                f"got epochs={self.epochs}, steps={self.steps}"
            )
        for name, low in least.items():
            value = getattr(self, name)
            if value is not None and (not isinstance(value, int) or value < low):
                raise ValueError(f"{name} must be a whole number of at least {low}, got {value!r}")
        for name in ("lr", "weight_decay", "ema", "label_dropout", "clip"):
            value = getattr(self, name)
            if value is not None:  # a NumPy number could not be saved as a plain value
                object.__setattr__(self, name, float(value))
        for name, low, high in (
            ("lr", 0, math.inf),
            ("weight_decay", 0, math.inf),
            ("ema", 0, 1),
            ("label_dropout", 0, 1),
        ):
            value = getattr(self, name)
            if not low <= value < high:
                raise ValueError(f"{name} must lie in [{low}, {high}), got {value!r}")
        if self.clip is not None and not self.clip > 0:
            raise ValueError(f"clip must be positive or None, got {self.clip!r}")
        for name, allowed in (
            ("schedule", ("constant", "cosine")),
            ("loss", ("cfm", "reference")),
            ("times", ("uniform", "stratified", "logit_normal")),
            ("precision", ("fp32", "bf16", "fp16")),
        ):
            if getattr(self, name) not in allowed:
                raise ValueError(f"{name} must be one of {allowed}, got {getattr(self, name)!r}")

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
    """A training in full: what the network is, along which path, and how. See `RECIPES`."""

    network: dict = field(default_factory=dict)
    """Arguments of `UNet`."""
    path: Path = OTPath(sigma_min=0.0)
    """The probability path."""
    train: TrainConfig = TrainConfig(epochs=50)
    """How to train."""

    def on(self, device: str, **changes) -> Recipe:
        """The same recipe on another device, with other changes to `train` if there are any."""
        return replace(self, train=replace(self.train, device=device, **changes))


RECIPES = {
    # The recipe that many tutorials share: most of the noise ends at t = 1 as noise of size 0.1,
    # the time turns at most once, and the robust loss aims at a median.
    "reference": Recipe(
        network=dict(base=64, time_scale=2 * math.pi),
        path=OTPath(sigma_min=0.1),
        train=TrainConfig(epochs=50, batch_size=256, lr=2e-4, loss="reference", ema=0.999),
    ),
    "mnist": Recipe(
        network=dict(base=64, time_scale=1000.0),
        path=OTPath(sigma_min=0.0),
        train=TrainConfig(
            epochs=50, batch_size=256, lr=1e-3, schedule="cosine", warmup=200, clip=1.0,
            times="stratified",
        ),
    ),
    "shipped": Recipe(
        network=dict(base=40, levels=3, num_classes=10, time_scale=1000.0),
        path=OTPath(sigma_min=0.0),
        train=TrainConfig(
            epochs=150, batch_size=256, lr=2e-3, schedule="cosine", warmup=200, clip=1.0,
            times="stratified", label_dropout=0.5,
        ),
    ),
}  # fmt: skip
"""The recipes by name: "reference"; "mnist", the one of this book for the same network; "shipped",
which made the weights that come with the library."""
