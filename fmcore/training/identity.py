"""Which training a checkpoint belongs to: everything that changes what is learnt, in words."""

from __future__ import annotations

import zlib
from dataclasses import asdict, is_dataclass
from typing import Any

import torch
from torch import nn

from fmcore.losses import Loss, describe
from fmcore.paths import ProbabilityPath
from fmcore.training.recipes import Coupling, TrainConfig

# A run may go on with another value of these: they do not change what is learnt.
_FREE = ("compile", "device", "log_every", "progress")
_LENGTH = ("epochs", "steps")  # kept, but a run may be extended


def identity(
    model: nn.Module,
    path: ProbabilityPath,
    data: dict[str, str],
    config: TrainConfig,
    loss: Loss,
    couple: Coupling | None,
) -> dict[str, Any]:
    """Network, path, loss and settings as plain values, beside what `data` says of itself."""
    return {
        "network": f"{type(model).__name__}({_arguments(model)})",
        "path": describe_path(path),
        **data,
        "loss": describe(loss),
        "couple": describe(couple),
        **{k: v for k, v in asdict(config).items() if k not in _FREE},
    }


def _arguments(model: nn.Module) -> Any:
    """The configuration, without what it was before there was an argument for it."""
    config, before = getattr(model, "config", ""), getattr(model, "BEFORE", {})
    if not isinstance(config, dict):
        return config
    return {k: v for k, v in config.items() if (k, v) not in before.items()}


def differences(ours: dict[str, Any], theirs: dict[str, Any]) -> list[str]:
    """In which fields a checkpoint is of another training, a line each."""
    theirs = _as_named_now(theirs)
    return [
        f"{k} is {ours.get(k)!r}, was {theirs.get(k)!r}"
        for k in ours | theirs
        if ours.get(k) != theirs.get(k) and k not in _LENGTH
    ]


def _as_named_now(theirs: dict[str, Any]) -> dict[str, Any]:
    """The identity in a checkpoint of version 0.1, whose losses and times had other names."""
    if "times" not in theirs:
        return theirs
    names = {
        ("cfm", "uniform"): "cfm_loss",
        ("cfm", "stratified"): "cfm_loss(times=stratified_times)",
        ("cfm", "logit_normal"): "cfm_loss(times=logit_normal_times)",
        ("reference", "uniform"): "reference_loss",
    }
    old = f"{theirs['loss']} with {theirs['times']} times"
    rest = {k: v for k, v in theirs.items() if k != "times"}
    return {**rest, "loss": names.get((theirs["loss"], theirs["times"]), old), "couple": ""}


def describe_path(path: ProbabilityPath) -> str:
    """A path in a line: as it is written if plain numbers say all of it, else by its schedule."""
    if is_dataclass(path) and all(isinstance(v, int | float | str) for v in vars(path).values()):
        return repr(path)
    t = torch.linspace(0.01, 0.99, 99, dtype=torch.float64)  # at the ends some have no derivative
    schedule = [weight(t).expand_as(t) for weight in (path.a, path.b, path.da, path.db)]
    return f"{type(path).__name__}, schedule {fingerprint(torch.stack(schedule))}"


def fingerprint(x: torch.Tensor) -> str:
    """What a data set is, in a line: its shape and type, and a checksum of its bytes.

    >>> fingerprint(torch.zeros(10, 2))
    '10 of (2,), float32, crc32 8e2318e6'
    """
    content = x.detach().cpu().contiguous().view(torch.uint8)  # NumPy has no bfloat16
    checksum = zlib.crc32(content.numpy())
    dtype = str(x.dtype).removeprefix("torch.")
    return f"{len(x)} of {tuple(x.shape[1:])}, {dtype}, crc32 {checksum:08x}"
