"""Training: a loop that hides nothing, as a generator, so that the caller watches while it runs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from fmcore.checks import randn_like
from fmcore.data import ImageData
from fmcore.images import to_unit
from fmcore.losses import Loss, cfm_loss
from fmcore.paths import ProbabilityPath
from fmcore.training.checkpoints import Checkpoints
from fmcore.training.inputs import (
    check_arguments,
    paired,
    scalar,
    training_data,
    training_device,
)
from fmcore.training.interrupts import kept, whole_steps
from fmcore.training.processes import joined, team
from fmcore.training.recipes import Coupling, TrainConfig
from fmcore.training.state import Progress, TrainingState

if TYPE_CHECKING:
    from tqdm import tqdm


def fit(
    model: nn.Module,
    path: ProbabilityPath,
    data: ImageData | Tensor,
    config: TrainConfig,
    *,
    loss: Loss = cfm_loss,
    couple: Coupling | None = None,
    checkpoints: Checkpoints | None = None,
) -> Iterator[Progress]:
    """Train `model` in place by conditional flow matching and yield `Progress` as it goes.

    `data` is an `ImageData` or a tensor `(N, *shape)`: `uint8` images become numbers in [-1, 1],
    floats are taken as they are. All of it moves to the device at once. Labels are used if the
    network has classes. An epoch is a new shuffle of the data, without the last incomplete batch.
    `loss(net, path, x1, *, x0, label, ...)` returns a scalar (see `fmcore.losses`), and
    `x0, x1, label = couple(x0, x1, label, generator=g)` pairs noise and data anew.

    All that is drawn here comes from `config.seed` (dropout inside a network does not): the same
    seed, data and initial weights on the same CPU give the same weights, bit for bit. With
    `checkpoints` this holds for a run that was killed and resumed as well; such a run is also saved
    when it is interrupted (Ctrl-C) or left early.
    In processes started by `torchrun` each works on its share of the batch, and the first saves;
    meanwhile `fmcore.training.team().rank` says which one this is.

    The work, and with it the checks, begins with the first `Progress` that is asked for. Raises
    `ValueError` or `TypeError` if the data cannot be trained on, if a device or a precision is not
    there, and if a checkpoint is of another training, with the fields that differ;
    `CheckpointError` if one cannot be read or written; `FloatingPointError`, with the step, as soon
    as a report or a checkpoint finds that the loss is not finite.

    >>> from fmcore.networks import MLP
    >>> from fmcore.paths import OTPath
    >>> config = TrainConfig(steps=4, batch_size=8, log_every=2, progress=False)
    >>> [p.step for p in fit(MLP(dim=2), OTPath(), torch.zeros(32, 2), config)]
    [2, 4]
    """
    check_arguments(model, path, config, loss, couple)
    with joined(config.device) as name:
        config, processes = replace(config, device=name), team()
        samples = training_data(data, model, config, processes)
        run = TrainingState(
            model, path, samples, config, training_device(config),
            team=processes, loss=loss, couple=couple, checkpoints=checkpoints,
        )  # fmt: skip
        yield from _loop(run)


def _loop(run: TrainingState) -> Iterator[Progress]:
    if run.step == run.steps:
        yield run.progress()
    learn = run.recorded(partial(training_step, run))
    with kept(run), _progress_bar(run) as bar:
        while run.step < run.steps:
            progress = None
            with whole_steps():
                run.within_a_step = True
                x1, x0, t, label, weight = draw(run)
                run.set_learning_rate(run.config.learning_rate(run.step, run.steps))
                run.losses.append(learn(x1, x0, t, label, weight))  # on the device: no waiting
                run.average_weights()
                run.step, run.within_a_step = run.step + 1, False
                bar.update()
                if run.due(run.config.log_every):
                    progress = run.report()
                    rate = f"{progress.images_per_second:.0f} images/s"
                    bar.set_postfix_str(f"loss {progress.loss:.4f}, {rate}")
                if run.checkpoints and run.due(run.checkpoints.every):
                    run.save()
            if progress:
                yield progress


def draw(
    run: TrainingState,
) -> tuple[Tensor, Tensor, Tensor | None, Tensor | None, Tensor | None]:
    """This process's share of a batch: data x1, noise x0 `(B, *shape)`, t, label, weight `(B,)`.

    Every process draws the whole batch, so that one process or eight see the same numbers.
    """
    g, rows, label = run.generator, run.next_rows(), None
    if run.labels is not None:
        hidden = torch.rand(len(rows), generator=g, device=g.device) < run.config.label_dropout
        label = torch.where(hidden, run.no_class, run.labels[rows])
    x1 = to_unit(run.x[rows]) if run.x.dtype == torch.uint8 else run.x[rows]
    x0 = randn_like(x1, g)
    if run.couple is not None:
        x0, x1, label = paired(run.couple, x0, x1, label, g)
    t = None if run.times is None else run.times(x1, g)
    weight = None if run.weights is None or t is None else run.weights(t)
    share = run.team.share
    t, label, weight = (None if each is None else each[share] for each in (t, label, weight))
    return x1[share], x0[share], t, label, weight


def training_step(
    run: TrainingState,
    x1: Tensor,
    x0: Tensor,
    t: Tensor | None,
    label: Tensor | None,
    weight: Tensor | None,
) -> Tensor:
    """Forward, backward, step; returns the loss before the step."""
    drawn: dict[str, Any] = {"x0": x0, "t": t, "label": label, "weight": weight}
    if t is None:  # the loss draws its own
        drawn["generator"] = run.generator
    drawn = {name: each for name, each in drawn.items() if each is not None}
    with torch.autocast(run.device.type, run.dtype, run.dtype != torch.float32):
        loss = scalar(run.loss(run.network, run.path, x1, **drawn))
    run.optimizer.zero_grad(set_to_none=True)
    run.scaler.scale(loss).backward()
    if run.config.clip is not None:
        run.scaler.unscale_(run.optimizer)
        nn.utils.clip_grad_norm_(run.parameters, run.config.clip)
    run.scaler.step(run.optimizer)
    run.scaler.update()
    return loss.detach()


def _progress_bar(run: TrainingState) -> tqdm:
    from tqdm.auto import tqdm  # drawn by ipywidgets in a notebook, as text in a terminal

    show = run.config.progress and run.team.rank == 0
    return tqdm(initial=run.step, total=run.steps, unit="step", disable=not show)
