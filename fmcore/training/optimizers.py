"""Optimizers of one's own: what is made of the parameters, and how the schedule reaches it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import nn
from torch.optim import Optimizer

from fmcore.config import TrainConfig

MakeOptimizer = Callable[[list[nn.Parameter]], Optimizer]
"""`optimizer = make(parameters)`, such as `torch.optim.SGD` with its settings by `partial`."""


def made(
    make: MakeOptimizer, parameters: list[nn.Parameter], config: TrainConfig
) -> tuple[Optimizer, float]:
    """The optimizer, and the highest learning rate of its groups; `share` is that of each group.

    Raises `TypeError` if it is none, `ValueError` if it moves other parameters, or if `config` asks
    for a learning rate or a weight decay that it does not have.
    """
    optimizer = make(parameters)
    if not isinstance(optimizer, Optimizer):
        raise TypeError(f"optimizer must return an Optimizer, got {type(optimizer).__name__}")
    groups, known = optimizer.param_groups, {id(p) for p in parameters}
    if not all(id(p) in known for group in groups for p in group["params"]):
        raise ValueError("the optimizer must be made of the parameters that it is given")
    rates = [float(group["lr"]) for group in groups]
    decays = [group.get("weight_decay", 0) for group in groups]
    for name, said, own in (
        ("lr", config.lr, [max(rates)]),
        ("weight_decay", config.weight_decay, decays),
    ):
        if said not in (getattr(TrainConfig, name), *own):
            raise ValueError(
                f"the config has {name}={said:g}, the optimizer {name}={own[0]:g}: leave it out "
                "of the config, or give the same to both"
            )
    for group, rate in zip(groups, rates, strict=True):
        group["share"] = rate / (max(rates) or 1)
    return optimizer, max(rates)


def described(optimizer: Optimizer) -> str:
    """Its name, and the settings of each group that are not off."""
    return f"{type(optimizer).__name__}({'; '.join(map(_settings, optimizer.param_groups))})"


def _settings(group: dict[str, Any]) -> str:
    on = {k: v for k, v in group.items() if k not in ("params", "share") and v not in (None, False)}
    return f"{len(group['params'])} of " + ", ".join(f"{k}={v}" for k, v in on.items())
