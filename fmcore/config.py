"""The numbers of a training in one place.

The options of `fmcore train` are made from them, so that this file loads without torch.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, get_args

__all__ = ["TrainConfig"]

Schedule = Literal["constant", "cosine"]
Precision = Literal["fp32", "bf16", "fp16"]


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
    """Share of the samples whose class or vector a network with conditions does not get to see."""
    precision: Precision = "fp32"
    """bf16 and fp16 run the network under autocast; the weights stay in float32."""
    compile: bool = False
    """Compile the network, and on a GPU record a step and replay it; pays after half a minute."""
    device: str = "cpu"
    """Where to train, such as cpu or cuda."""
    seed: int = 0
    """Seed of everything random."""
    log_every: int = 50
    """Steps between two reports."""
    progress: bool = True
    """Show a progress bar."""

    def __post_init__(self) -> None:
        from fmcore.checks import flag, one_of, positive, real, whole  # and torch: not for a help

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
