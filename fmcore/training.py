"""Training: a loop that hides nothing, as a generator, so that the caller watches while it runs."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from fmcore.data import ImageData, to_unit
from fmcore.losses import cfm_loss, reference_loss
from fmcore.paths import Path

_LOSSES = {"cfm": cfm_loss, "reference": reference_loss}


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
    """Images in a step."""
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
    ema: float = 0.999
    """Decay of the exponential moving average of the weights."""
    label_dropout: float = 0.1
    """How often a network with classes sees an image without its label."""
    precision: Literal["fp32", "bf16"] = "fp32"
    """bf16 runs the network under autocast; the weights stay in float32."""
    compile: bool = False
    """Compile the network; pays on a GPU, after a minute."""
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
        for name in ("epochs", "steps", "batch_size", "log_every"):
            value = getattr(self, name)
            if value is not None and (not isinstance(value, int) or value < 1):
                raise ValueError(f"{name} must be a whole number of at least 1, got {value!r}")
        for name, low, high in (
            ("lr", 0, math.inf),
            ("weight_decay", 0, math.inf),
            ("warmup", 0, math.inf),
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
            ("loss", tuple(_LOSSES)),
            ("precision", ("fp32", "bf16")),
        ):
            if getattr(self, name) not in allowed:
                raise ValueError(f"{name} must be one of {allowed}, got {getattr(self, name)!r}")


@dataclass(frozen=True)
class Metrics:
    """What `fit` yields: the loss is the mean since the last one, `ema` the averaged network.

    `ema` is the network in training, not a copy: sample from it before you ask for more.
    """

    step: int
    steps: int
    epoch: int
    loss: float
    lr: float
    images_per_second: float
    elapsed: float
    ema: nn.Module = field(repr=False)


def fit(
    model: nn.Module, path: Path, data: ImageData | Tensor, config: TrainConfig
) -> Iterator[Metrics]:
    """Train `model` in place by conditional flow matching and yield `Metrics` as it goes.

    `data` is an `ImageData` or a tensor `(N, *shape)`: `uint8` images become numbers in [-1, 1],
    floats are taken as they are. All of it moves to the device at once. Labels are used if the
    network has classes. An epoch is a new shuffle of the data, without the last incomplete batch.

    Everything random comes from `config.seed`: the same seed, data and initial weights on the same
    CPU give the same weights, bit for bit. `ValueError` for data that cannot be trained on, and
    `FloatingPointError` as soon as the loss is seen not to be finite.

    >>> from fmcore.networks import MLP
    >>> from fmcore.paths import OTPath
    >>> config = TrainConfig(steps=4, batch_size=8, log_every=2, progress=False)
    >>> [m.step for m in fit(MLP(dim=2), OTPath(), torch.zeros(32, 2), config)]
    [2, 4]
    """
    device = torch.device(config.device)
    x, labels = _to_device(data, model, config, device)
    batches = len(x) // config.batch_size
    steps = config.steps if config.steps is not None else config.epochs * batches

    model.to(device).train()
    optimizer = torch.optim.AdamW(
        model.parameters(), config.lr, weight_decay=config.weight_decay, fused=True
    )
    ema = AveragedModel(model).module.requires_grad_(False)
    weights, averages = list(model.parameters()), list(ema.parameters())
    network = torch.compile(model) if config.compile else model
    loss_function = _LOSSES[config.loss]
    generator = torch.Generator(device).manual_seed(config.seed)

    total, start = torch.zeros((), device=device), time.perf_counter()
    order = None
    bar = _progress_bar(steps, config.progress)
    for step in bar:
        if step % batches == 0:
            order = torch.randperm(len(x), generator=generator, device=device)
        first = step % batches * config.batch_size
        batch = order[first : first + config.batch_size]
        x1 = to_unit(x[batch]) if x.dtype == torch.uint8 else x[batch]  # (B, *shape)
        label = None
        if labels is not None:
            shown = torch.rand(len(batch), generator=generator, device=device)
            none = model.config["num_classes"]
            label = torch.where(shown < config.label_dropout, none, labels[batch])

        lr = _learning_rate(config, step, steps)
        for group in optimizer.param_groups:
            group["lr"] = lr
        with torch.autocast(device.type, torch.bfloat16, enabled=config.precision == "bf16"):
            loss = loss_function(network, path, x1, label=label, generator=generator)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        if config.clip is not None:
            nn.utils.clip_grad_norm_(model.parameters(), config.clip)
        optimizer.step()
        # A long memory is of no use while there is little to remember: the decay grows into `ema`,
        # from 0, which is a copy.
        decay = min(config.ema, step / (9 + step))
        get_ema_multi_avg_fn(decay)(averages, weights, step)

        total += loss.detach()  # stays on the device; the host waits only when it reports
        done = step + 1
        if done % config.log_every == 0 or done == steps:
            count = (done - 1) % config.log_every + 1
            mean = total.item() / count
            if not math.isfinite(mean):
                raise FloatingPointError(
                    f"the loss is {mean} between steps {done - count + 1} and {done} of {steps} "
                    f"(lr={lr:g}, precision={config.precision}); try a smaller lr, or clip=1.0"
                )
            total.zero_()
            elapsed = time.perf_counter() - start
            rate = done * config.batch_size / elapsed
            bar.set_postfix_str(f"loss {mean:.4f}, {rate:.0f} images/s")
            yield Metrics(done, steps, step // batches, mean, lr, rate, elapsed, ema)


def _to_device(data, model, config, device) -> tuple[Tensor, Tensor | None]:
    x = data.pixels if isinstance(data, ImageData) else data
    if not isinstance(x, Tensor) or not (x.is_floating_point() or x.dtype == torch.uint8):
        raise TypeError(
            "data must be an ImageData or a tensor (N, *shape) of a floating dtype or uint8, got "
            + (str(x.dtype) if isinstance(x, Tensor) else type(x).__name__)
        )
    if x.ndim < 2 or len(x) < config.batch_size:
        raise ValueError(
            f"data of shape {tuple(x.shape)} has fewer samples than batch_size={config.batch_size}"
        )
    if device.type == "cuda" and not torch.cuda.is_available():
        raise ValueError(f"device={config.device!r} was asked for, but no GPU is available")
    classes = getattr(model, "config", {}).get("num_classes")
    labels = data.labels if isinstance(data, ImageData) and classes else None
    if classes and labels is None:
        raise ValueError("a network with classes needs labels: pass an ImageData")
    if labels is not None and not 0 <= labels.min() <= labels.max() < classes:
        raise ValueError(
            f"labels run from {labels.min().item()} to {labels.max().item()}, "
            f"but the network has {classes} classes"
        )
    return x.to(device), None if labels is None else labels.to(device)


def _learning_rate(config: TrainConfig, step: int, steps: int) -> float:
    if step < config.warmup:
        return config.lr * (step + 1) / config.warmup
    if config.schedule == "constant":
        return config.lr
    progress = (step - config.warmup) / max(1, steps - config.warmup)
    return config.lr * (1 + math.cos(math.pi * progress)) / 2


def _progress_bar(steps: int, show: bool):
    from tqdm.auto import tqdm  # drawn by ipywidgets in a notebook, as text in a terminal

    return tqdm(range(steps), unit="step", disable=not show)
