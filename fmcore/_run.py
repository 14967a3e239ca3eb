"""The state of a training: what changes while it runs, and therefore what a checkpoint holds."""

from __future__ import annotations

import math
import time
from dataclasses import asdict, dataclass, field, is_dataclass
from pathlib import Path as FilePath

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from fmcore.checkpoints import Checkpoints, fingerprint
from fmcore.parallel import Team
from fmcore.paths import Path
from fmcore.recipes import TrainConfig
from fmcore.weights import load_state

# A run may go on with another value of these: they do not change what is learnt.
_FREE = ("compile", "device", "log_every", "progress")


@dataclass(frozen=True)
class Metrics:
    """What `fit` yields: the loss is the mean since the last one, `ema` the averaged network.

    `elapsed` and `remaining` are seconds, the latter an estimate; `images_per_second` counts the
    images of all processes. `ema` is the network in training, not a copy: sample from it before
    you ask for more.
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


class Run:
    """All that changes while a training runs, and therefore all that a checkpoint holds."""

    def __init__(
        self,
        model: nn.Module,
        path: Path,
        x: Tensor,
        labels: Tensor | None,
        config: TrainConfig,
        device: torch.device,
        us: Team,
        checkpoints: Checkpoints | None,
    ):
        self.model, self.config, self.us, self.checkpoints = model, config, us, checkpoints
        self.batches = len(x) // config.batch_size
        self.steps = config.steps if config.steps is not None else config.epochs * self.batches
        self.ema = AveragedModel(model).module.requires_grad_(False)
        model.to(device).train()
        self.ema.to(device).eval()
        self.replays = can_replay(config, device, us)
        # A recorded step reads its learning rate from the device.
        self.lr = torch.tensor(config.lr, device=device) if self.replays else config.lr
        self.optimizer = torch.optim.AdamW(
            model.parameters(), self.lr, weight_decay=config.weight_decay, fused=True,
            capturable=self.replays,
        )  # fmt: skip
        self.scaler = torch.amp.GradScaler(device.type, enabled=config.precision == "fp16")
        self.generator = torch.Generator(device).manual_seed(config.seed)
        self.order: Tensor | None = None  # the shuffle of this epoch
        self.losses: list[Tensor] = []  # since the last report
        self.loss = math.nan  # of the last report
        self.step = self.saved = 0
        self.whole = True  # not in the middle of a step
        self.before = 0.0  # seconds, in the processes that came before this one
        self.file = None  # the last checkpoint
        self.what = {
            "network": f"{type(model).__name__}({getattr(model, 'config', '')})",
            "path": _what(path),
            "data": fingerprint(x) if checkpoints else "",
            "labels": fingerprint(labels) if checkpoints and labels is not None else "",
            **{k: v for k, v in asdict(config).items() if k not in _FREE},
        }
        if checkpoints:
            if us.rank == 0:
                checkpoints.prepare()
            if found := checkpoints.load():
                self._restore(*found, device)
            us.agree(f"step {self.step}", "would go on from", "share the folder of checkpoints")
        self.start, self.first = time.perf_counter(), self.step

    def _restore(self, state: dict, file: FilePath, device: torch.device) -> None:
        theirs = state["what"]
        differ = [k for k in self.what | theirs if self.what.get(k) != theirs.get(k)]
        if differ:
            raise ValueError(
                f"{file} is of another training: "
                + "; ".join(f"{k} is {self.what.get(k)!r}, was {theirs.get(k)!r}" for k in differ)
            )
        load_state(self.model, state["weights"], f"{file} is of another network")
        load_state(self.ema, state["averages"], f"{file} is of another network")
        self.optimizer.load_state_dict(state["optimizer"])
        for group in self.optimizer.param_groups:  # theirs may have been replayed, or not
            group.update(lr=self.lr, capturable=self.replays)
        self.scaler.load_state_dict(state["scaler"])
        if state["device"] == device.type:  # generators of other devices are of another kind
            self.generator.set_state(state["generator"])
        else:
            self.generator.manual_seed(self.config.seed + state["step"])
        self.order = None if state["order"] is None else state["order"].to(device)
        self.losses = list(state["losses"].to(device))
        self.loss, self.before = state["loss"], state["elapsed"]
        self.step = self.saved = state["step"]
        self.file = file

    def set_learning_rate(self, lr: float) -> None:
        for group in self.optimizer.param_groups:
            if isinstance(group["lr"], Tensor):
                group["lr"].fill_(lr)
            else:
                group["lr"] = lr

    @property
    def elapsed(self) -> float:
        return self.before + time.perf_counter() - self.start

    def metrics(self) -> Metrics:
        config, size = self.config, self.config.batch_size
        done = (self.step - self.first) * size
        rate = done / max(time.perf_counter() - self.start, 1e-9)
        remaining = (self.steps - self.step) * size / rate if rate else 0.0
        last = max(self.step - 1, 0)
        return Metrics(
            self.step, self.steps, last // self.batches, self.loss,
            config.learning_rate(last, self.steps), rate, self.elapsed, remaining, self.ema,
        )  # fmt: skip

    def report(self) -> Metrics:
        losses = self._finite_losses()
        self.loss, self.losses = losses.mean().item(), []
        self._copy_buffers()
        return self.metrics()

    def _finite_losses(self) -> Tensor:
        """The losses since the last report, averaged over all processes."""
        if not self.losses:
            return torch.zeros(0)
        losses = self.us.mean(torch.stack(self.losses).float()).cpu()
        bad = (~losses.isfinite()).nonzero()
        if len(bad):
            step = self.step - len(losses) + 1 + bad[0].item()
            lr = self.config.learning_rate(step - 1, self.steps)
            kept = f"the last good checkpoint is {self.file}; " if self.file else ""
            raise FloatingPointError(
                f"the loss is {losses[bad[0]].item()} in step {step} of {self.steps} (lr={lr:g}, "
                f"precision={self.config.precision}); {kept}try a smaller lr, or clip=1.0"
            )
        return losses

    def save(self) -> None:
        losses = self._finite_losses()
        weights = self.model.state_dict()
        if not all(bool(w.isfinite().all()) for w in self.model.parameters()):
            raise FloatingPointError(
                f"a weight is not finite after step {self.step} of {self.steps}; "
                f"the last good checkpoint is {self.file}; try a smaller lr, or clip=1.0"
            )
        self._copy_buffers()
        if self.us.rank == 0:
            self.file = self.checkpoints.save(
                {
                    "what": self.what,
                    "weights": weights,
                    "averages": self.ema.state_dict(),
                    "optimizer": self.optimizer.state_dict(),
                    "scaler": self.scaler.state_dict(),
                    "generator": self.generator.get_state(),
                    "device": self.generator.device.type,
                    "order": self.order,
                    "losses": losses,
                    "loss": self.loss,
                    "elapsed": self.elapsed,
                    "step": self.step,
                },
                self.step,
            )
        self.saved = self.step

    def _copy_buffers(self) -> None:
        """Running statistics, if the network has any, are not averaged: the latest are right."""
        averages = dict(self.ema.named_buffers())
        for name, latest in self.model.named_buffers():
            if name in averages:  # a cache that was filled later has no place in it
                averages[name].copy_(latest)

    def farewell(self) -> str:
        """Save, and say in a line how to go on."""
        where = f"stopped after step {self.step} of {self.steps}"
        if not self.checkpoints:
            return where
        self.leave()
        if not self.file:
            return f"{where}; nothing was saved"
        return f"{where}; {self.file}: resume to go on from there"

    def leave(self) -> None:
        """Save what is not saved yet, unless a step was torn apart by a second Ctrl-C.

        Several processes may be at different steps: they do not save.
        """
        if self.checkpoints and self.whole and self.us.size == 1 and self.step > self.saved:
            self.save()


def can_replay(config: TrainConfig, device: torch.device, us: Team) -> bool:
    """Whether a step can be recorded: compiled, on a GPU, alone, and never skipped as in fp16."""
    on_a_gpu = config.compile and device.type == "cuda"
    return on_a_gpu and us.size == 1 and config.precision != "fp16"


def _what(path: Path) -> str:
    """A path in a line: as it is written if plain numbers say all of it, else by its schedule."""
    if is_dataclass(path) and all(isinstance(v, int | float | str) for v in vars(path).values()):
        return repr(path)
    t = torch.linspace(0.01, 0.99, 99, dtype=torch.float64)  # at the ends some have no derivative
    schedule = [weight(t).expand_as(t) for weight in (path.a, path.b, path.da, path.db)]
    return f"{type(path).__name__}, schedule {fingerprint(torch.stack(schedule))}"
