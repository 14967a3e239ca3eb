"""The state of a training: all that changes while it runs, and so all that a checkpoint holds."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from fmcore.losses import Loss, draws
from fmcore.models import layers, no_label
from fmcore.paths import ProbabilityPath
from fmcore.training.checkpoints import Checkpoints
from fmcore.training.feed import Feed
from fmcore.training.identity import differences, identity
from fmcore.training.inputs import thaw
from fmcore.training.optimizers import MakeOptimizer, described, made
from fmcore.training.processes import Team
from fmcore.training.recipes import Coupling, TrainConfig
from fmcore.training.replay import Replayed
from fmcore.weights import load_tensors, misfit

_DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


@dataclass(frozen=True)
class Progress:
    """What `fit` yields: the loss is the mean since the last one, `ema` the averaged network.

    `elapsed` and `remaining` are seconds, the latter an estimate; `images_per_second` counts the
    images of all processes. `ema` is the running average itself, not a copy: sample from it before
    you go on with the loop. `extended` has `(step, steps)` for each time that a training of `steps`
    was resumed at `step` as one of another length.
    """

    step: int
    steps: int
    epoch: int
    loss: float
    lr: float
    images_per_second: float
    elapsed: float
    remaining: float
    ema: nn.Module = field(repr=False)
    extended: tuple[tuple[int, int], ...] = ()


class TrainingState:
    """Network, averages, optimizer, random numbers, and how far the training has come.

    feed        the data, in batches
    network     what is evaluated: the model, over all processes, compiled if that is asked for
    ema         its averaged weights, in float32 or better
    step        steps done, of `steps` in all
    times       how the loss draws its times; None if it does so itself, when it is called
    """

    def __init__(
        self,
        model: nn.Module,
        path: ProbabilityPath,
        feed: Feed,
        config: TrainConfig,
        device: torch.device,
        *,
        team: Team,
        loss: Loss,
        couple: Coupling | None,
        optimizer: MakeOptimizer | None = None,
        checkpoints: Checkpoints | None,
    ) -> None:
        if config.batch_size % team.size:
            raise ValueError(
                f"batch_size={config.batch_size} cannot be shared evenly by {team.size} processes"
            )
        self.model, self.path, self.config, self.device = model, path, config, device
        self.loss, self.couple, self.team, self.checkpoints = loss, couple, team, checkpoints
        self.no_label = no_label(model)  # what hides a label, if the network says so
        self.feed, self.steps = feed, _length(vars(config), feed)
        self.dtype = _DTYPES[config.precision]  # in which the network computes
        thaw(model)
        for layer in layers(model):
            layer.trained_shape = tuple(feed.x.shape[1:])  # so that `generate` knows what it draws
        self.ema = AveragedModel(model).module.requires_grad_(False)
        model.to(device).train()
        self.ema.to(device).eval()
        _widen(self.ema)
        self.times, self.weights = draws(loss)
        self.parameters, self.averages = list(model.parameters()), list(self.ema.parameters())
        fixed = feed.even and self.times is not None and optimizer is None
        self.replays = fixed and can_replay(config, device, team)
        # A recorded step reads its learning rate from the device.
        self.lr = torch.tensor(config.lr, device=device) if self.replays else config.lr
        if optimizer is None:
            self.optimizer: torch.optim.Optimizer = torch.optim.AdamW(
                self.parameters, self.lr, weight_decay=config.weight_decay, fused=True,
                capturable=self.replays,
            )  # fmt: skip
        else:
            self.optimizer, highest = made(optimizer, self.parameters, config)
            self.config = replace(config, lr=highest)  # which the schedule begins at
        self.scaler = torch.amp.GradScaler(device.type, enabled=config.precision == "fp16")
        self.generator = torch.Generator(device).manual_seed(config.seed)
        self.losses: list[Tensor] = []  # since the last report
        self.reported_loss = math.nan
        self.step = self.saved_step = 0
        self.within_a_step = False
        self.extended: tuple[tuple[int, int], ...] = ()
        self.seconds_before = 0.0  # in the processes that came before this one
        self.last_file: Path | None = None
        self.identity: dict[str, Any] = {}
        if checkpoints:
            self.identity = identity(model, path, feed.identity(), config, loss, couple)
            if optimizer is not None:
                self.identity["optimizer"] = described(self.optimizer)
        self._resume()
        self.started, self.first_step = time.perf_counter(), self.step
        feed.to(device)
        network = team.wrap(model)
        self.network = torch.compile(network) if config.compile else network

    def _resume(self) -> None:
        """Go on from the latest checkpoint, if there is one and that is asked for."""
        if self.checkpoints is None:
            return
        if self.team.rank == 0:
            self.checkpoints.prepare()
        if loaded := self.checkpoints.load():
            self._restore(*loaded)
        steps = self.team.all_values(self.step)
        if len({*steps}) > 1:
            each = "; ".join(f"process {k} would go on from step {n}" for k, n in enumerate(steps))
            raise ValueError(
                f"the processes do not agree: {each}; they must share the folder of checkpoints"
            )

    def _restore(self, state: dict[str, Any], file: Path) -> None:
        if differ := differences(self.identity, state["what"]):
            raise ValueError(f"{file} is of another training: {'; '.join(differ)}")
        step, before = state["step"], _length(state["what"], self.feed)
        if step > self.steps:
            raise ValueError(
                f"{file} has done {step} steps, and {self.steps} are asked for in all: a training "
                "can be made longer, or end where it is"
            )
        self.extended = state.get("extended", ())
        if before != self.steps:
            self.extended = (*self.extended, (step, before))
        for net, tensors in ((self.model, state["weights"]), (self.ema, state["averages"])):
            if problem := misfit(net, tensors):
                raise ValueError(f"{file} is of another network: {problem}")
            load_tensors(net, tensors)
        _widen(self.ema)
        self.optimizer.load_state_dict(state["optimizer"])
        if "optimizer" not in self.identity:
            for group in self.optimizer.param_groups:  # theirs may have been replayed, or not
                group.update(lr=self.lr, capturable=self.replays)
        self.scaler.load_state_dict(state["scaler"])
        if state["device"] == self.device.type:  # generators of other devices are of another kind
            self.generator.set_state(state["generator"])
        else:
            self.generator.manual_seed(self.config.seed + state["step"])
        self.feed.order = None if state["order"] is None else state["order"].to(self.device)
        self.losses = list(state["losses"].to(self.device))
        self.reported_loss, self.seconds_before = state["loss"], state["elapsed"]
        self.step = self.saved_step = step
        self.last_file = file

    def recorded(self, learn: Callable[..., Tensor]) -> Callable[..., Tensor]:
        """`learn`, recorded and replayed where that can be done."""
        return Replayed(learn) if self.replays else learn

    def set_learning_rate(self, lr: float) -> None:
        """The learning rate of the coming step, where the optimizer reads it."""
        for group in self.optimizer.param_groups:
            own = lr * group.get("share", 1.0)
            if isinstance(group["lr"], Tensor):
                group["lr"].fill_(own)
            else:
                group["lr"] = own

    def average_weights(self) -> None:
        """ema = d ema + (1 - d) weights, with a decay d that grows into the configured one."""
        # A long memory is of no use while there is little to remember: from 0, which is a copy.
        decay = min(self.config.ema, self.step / (9 + self.step))
        latest = [p.to(a.dtype) for p, a in zip(self.parameters, self.averages, strict=True)]
        get_ema_multi_avg_fn(decay)(self.averages, latest, self.step)

    @property
    def elapsed(self) -> float:
        """Seconds of training, in the processes before this one too."""
        return self.seconds_before + time.perf_counter() - self.started

    def due(self, every: int) -> bool:
        """Whether something is due that happens every so many steps, and at the end."""
        return self.step % every == 0 or self.step == self.steps

    def progress(self) -> Progress:
        """How far the training is, with the loss of the last report."""
        done = (self.step - self.first_step) * self.config.batch_size
        rate = done / max(time.perf_counter() - self.started, 1e-9)
        remaining = (self.steps - self.step) * self.config.batch_size / rate if rate else 0.0
        last = max(self.step - 1, 0)
        return Progress(
            self.step, self.steps, last // self.feed.batches, self.reported_loss,
            self.config.learning_rate(last, self.steps), rate, self.elapsed, remaining, self.ema,
            self.extended,
        )  # fmt: skip

    def report(self) -> Progress:
        """The progress, with the mean loss since the last report."""
        losses = self._finite_losses()
        self.reported_loss, self.losses = losses.mean().item(), []
        self._copy_buffers()
        return self.progress()

    def _finite_losses(self) -> Tensor:
        """The losses since the last report, averaged over all processes."""
        if not self.losses:
            return torch.zeros(0)
        losses = self.team.mean(torch.stack(self.losses).float()).cpu()
        bad = (~losses.isfinite()).nonzero()
        if len(bad):
            step = self.step - len(losses) + 1 + int(bad[0])
            lr = self.config.learning_rate(step - 1, self.steps)
            raise FloatingPointError(
                f"the loss is {losses[bad[0]].item()} in step {step} of {self.steps} (lr={lr:g}, "
                f"precision={self.config.precision}); {self._advice()}"
            )
        return losses

    def _advice(self) -> str:
        """What to do about a training that has gone wrong."""
        kept = f"the last good checkpoint is {self.last_file}; " if self.last_file else ""
        return f"{kept}try a smaller lr, or clip=1.0"

    def save(self) -> None:
        """Write a checkpoint; `FloatingPointError` if the training has gone wrong before it."""
        if self.checkpoints is None:
            return
        losses = self._finite_losses()
        if not all(bool(w.isfinite().all()) for w in self.parameters):
            raise FloatingPointError(
                f"a weight is not finite after step {self.step} of {self.steps}; {self._advice()}"
            )
        self._copy_buffers()
        if self.team.rank == 0:
            self.last_file = self.checkpoints.save(
                {
                    "what": self.identity,
                    "weights": self.model.state_dict(),
                    "averages": self.ema.state_dict(),
                    "optimizer": self.optimizer.state_dict(),
                    "scaler": self.scaler.state_dict(),
                    "generator": self.generator.get_state(),
                    "device": self.generator.device.type,
                    "order": self.feed.order,
                    "losses": losses,
                    "loss": self.reported_loss,
                    "elapsed": self.elapsed,
                    "extended": self.extended,
                    "step": self.step,
                },
                self.step,
            )
        self.saved_step = self.step

    def _copy_buffers(self) -> None:
        """Running statistics, if the network has any, are not averaged: the latest are right."""
        averages = dict(self.ema.named_buffers())
        for name, latest in self.model.named_buffers():
            if name in averages:  # a cache that was filled later has no place in it
                averages[name].copy_(latest)

    def save_unsaved(self) -> None:
        """Save what is not saved yet, unless a second Ctrl-C came in the middle of a step.

        Several processes may be at different steps: they do not save.
        """
        if not self.within_a_step and self.team.size == 1 and self.step > self.saved_step:
            self.save()

    def how_to_go_on(self) -> str:
        """In a line: where the training stopped, and the file from which it goes on."""
        where = f"stopped after step {self.step} of {self.steps}"
        if not self.checkpoints:
            return where
        if not self.last_file:
            return f"{where}; nothing was saved"
        return f"{where}; resume to go on from {self.last_file}"


def _length(config: Mapping[str, Any], feed: Feed) -> int:
    """The steps of a training in all, from the numbers of a configuration."""
    return config["steps"] or config["epochs"] * feed.batches


def _widen(ema: nn.Module) -> None:
    """Averages in float32 or better: 0.999 of a number in bfloat16 is the number itself."""
    if any(w.dtype in (torch.bfloat16, torch.float16) for w in ema.parameters()):
        ema.float()


def can_replay(config: TrainConfig, device: torch.device, team: Team) -> bool:
    """Whether a step can be recorded: compiled, on a GPU, alone, and never skipped as in fp16."""
    on_a_gpu = config.compile and device.type == "cuda"
    return on_a_gpu and team.size == 1 and config.precision != "fp16"
