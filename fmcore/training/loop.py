"""Training: a loop that hides nothing, as a generator, so that the caller watches while it runs."""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any
from weakref import finalize

import torch
from torch import Tensor, nn

from fmcore.checks import beside, randn_like
from fmcore.data import ImageData
from fmcore.devices import device_name
from fmcore.images import to_unit
from fmcore.losses import Loss, cfm_loss
from fmcore.models import layers
from fmcore.networks import NETWORKS
from fmcore.paths import ProbabilityPath
from fmcore.training.checkpoints import Checkpoints
from fmcore.training.feed import Data, Feed
from fmcore.training.inputs import (
    check_arguments,
    paired,
    prediction_of,
    scalar,
    training_data,
    training_device,
)
from fmcore.training.interrupts import kept, whole_steps
from fmcore.training.optimizers import MakeOptimizer
from fmcore.training.processes import joined, team
from fmcore.training.recipes import Coupling, Recipe, TrainConfig
from fmcore.training.state import Progress, TrainingState
from fmcore.weights import FlowModel

if TYPE_CHECKING:
    from tqdm import tqdm


def fit(
    model: nn.Module,
    path: ProbabilityPath,
    data: Data,
    config: TrainConfig,
    *,
    loss: Loss = cfm_loss,
    couple: Coupling | None = None,
    optimizer: MakeOptimizer | None = None,
    checkpoints: Checkpoints | None = None,
) -> Iterator[Progress]:
    """Train `model` in place by conditional flow matching and yield `Progress` as it goes.

    The loop over it is what trains: to train without watching, call `train`, which takes the same
    arguments.

    `data` is one of

    - an `ImageData`, a tensor `(N, *shape)`, or a `torch.utils.data.TensorDataset` of one, or of
      two, the second with the labels: all of it moves to the device at once;
    - any other map-style `Dataset` of torch, whose items stay where they are until their batch
      comes. What they draw from torch's global generator, to be augmented, `config.seed` decides;
    - any iterable of batches, such as a `DataLoader` (with workers, say): they come as they are,
      each of `batch_size` samples but for shorter ones after the first. At its end it is begun
      again if it can be. If it has no length, give steps; then all of them count as one epoch.

    Items and batches are a tensor or a pair `(x1, label)`. `uint8` images become numbers in
    [-1, 1], floats are taken as they are. An epoch of the first two is a new shuffle of the data,
    without the last incomplete batch. Labels are used if the model takes them, as
    `model(x, t, label)`: a network that says how many classes it has (`config["num_classes"]`), or
    how long the vectors are that condition it (`config["condition_dim"]`, for labels `(N, k)`), is
    shown some samples without their label, any other gets every label as it is. The model and the
    average remember the shape of the data, so that `generate` knows it. A `FlowModel` that is
    frozen, as a loaded one is, is thawed; weights that are frozen beside others stay as they are.
    `loss(net, path, x1, *, x0, label, ...)` returns a scalar (see `fmcore.losses`), and
    `x0, x1, label = couple(x0, x1, label, generator=g)` pairs noise and data anew.

    `optimizer(parameters)` makes a `torch.optim.Optimizer` in the place of AdamW, such as
    `partial(torch.optim.SGD, lr=0.1, momentum=0.9)`. Learning rates and weight decays are its own,
    then: `lr` and `weight_decay` of the config are left out, or say the same. The schedule and its
    warm-up take every group from its learning rate to the same fraction of it.

    All that is drawn here comes from `config.seed` (dropout inside a network does not): the same
    seed, data and initial weights on the same CPU give the same weights, bit for bit. With
    `checkpoints` this holds for a run that was killed and resumed as well; such a run is also saved
    when it is interrupted (Ctrl-C) or left early. An iterable begins anew then. In processes
    started by `torchrun` each works on its share of the batch (an iterable has to yield the same
    ones in all), and the first saves; meanwhile `fmcore.training.team().rank` says which one this
    is.

    A training may be resumed with other `epochs` or `steps`, not fewer than are done: optimizer and
    average go on. At a constant learning rate that is the longer training, bit for bit. A cosine is
    that of the new length from there on: extended at its end to twice the length, it jumps from 0
    back to lr / 2. That is another training than one of the length from the start, and
    `Progress.extended` and `about` say so.

    Raises `ValueError` or `TypeError` at once if the arguments do not fit or the data cannot be
    trained on, and with the first step if a device or a precision is not there, and if a
    checkpoint is of another training, with the fields that differ; `CheckpointError` if one cannot
    be read or written; `FloatingPointError`, with the step, as soon as a report or a checkpoint
    finds that the loss is not finite. Warns (`UserWarning`) of labels that the model does not take
    and of images that are not in [-1, 1].

    >>> from fmcore.networks import MLP
    >>> from fmcore.paths import OTPath
    >>> config = TrainConfig(steps=4, batch_size=8, log_every=2, progress=False)
    >>> [p.step for p in fit(MLP(dim=2), OTPath(), torch.zeros(32, 2), config)]
    [2, 4]
    """
    check_arguments(model, path, config, loss, couple, optimizer, checkpoints)
    feed, started = training_data(data, model, config), []
    steps = _steps(model, path, feed, config, loss, couple, optimizer, checkpoints, started)
    finalize(steps, _warn_unless, started).atexit = False
    return steps


def _warn_unless(started: list[bool]) -> None:
    if not started:
        warnings.warn(
            "fit(...) was never iterated: nothing was trained. Loop over it, or call train(...)",
            RuntimeWarning,
            stacklevel=2,
        )


def _steps(
    model: nn.Module,
    path: ProbabilityPath,
    feed: Feed,
    config: TrainConfig,
    loss: Loss,
    couple: Coupling | None,
    optimizer: MakeOptimizer | None,
    checkpoints: Checkpoints | None,
    started: list[bool],
) -> Iterator[Progress]:
    started.append(True)
    with joined(config.device) as name:
        config = replace(config, device=name)
        run = TrainingState(
            model, path, feed, config, training_device(config),
            team=team(), loss=loss, couple=couple, optimizer=optimizer, checkpoints=checkpoints,
        )  # fmt: skip
        yield from _loop(run)


def train(
    model: nn.Module,
    path: ProbabilityPath,
    data: Data,
    config: TrainConfig,
    *,
    loss: Loss = cfm_loss,
    couple: Coupling | None = None,
    optimizer: MakeOptimizer | None = None,
    checkpoints: Checkpoints | None = None,
) -> FlowModel:
    """Train `model` in place, to the end; returns the averaged weights, ready to sample and save.

    The arguments, and what is raised, are those of `fit`. The result is a `FlowModel` of the
    network inside `model`, in evaluation mode and frozen; its `about` says how it was trained.
    Raises `TypeError` before the work if that network or the path is in no table (`NETWORKS`,
    `PATHS`), since then no `FlowModel` can hold it: use `fit`.

    >>> from fmcore.networks import MLP
    >>> from fmcore.paths import OTPath
    >>> config = TrainConfig(steps=4, batch_size=8, progress=False)
    >>> model = train(MLP(dim=2), OTPath(), torch.zeros(32, 2), config)
    >>> model(torch.zeros(5, 2), 0.5).shape, model.config["shape"]
    (torch.Size([5, 2]), [2])
    """
    check_arguments(model, path, config, loss, couple, optimizer, checkpoints)
    feed = training_data(data, model, config)
    shape = feed.x.shape[1:]
    predict = prediction_of(model, loss)
    # If that cannot be, better now than in the end.
    FlowModel(_network(model), path, shape, predict=predict)
    *_, last = _steps(model, path, feed, config, loss, couple, optimizer, checkpoints, [])
    recipe = Recipe({}, path, config, loss, couple, optimizer)
    other = {"data": feed.name, "images": feed.count}
    of_data = data.about if isinstance(data, ImageData) else other
    about = {**of_data, **about_training(recipe, last)}
    trained = FlowModel(_network(last.ema), path, shape, about, predict=predict)
    return trained.eval().requires_grad_(False)


def _network(model: nn.Module) -> nn.Module:
    """The network inside a model, if it is one of the table; else the model itself."""
    known = (layer for layer in layers(model) if NETWORKS.name_of(type(layer)))
    return next(known, model)


def about_training(recipe: Recipe, last: Progress) -> dict[str, Any]:
    """How a network was trained, as plain values for a file: `last` is the end of the training."""
    extended = {"extended": last.extended} if last.extended else {}
    return {
        "recipe": recipe.as_dict(),
        **extended,
        "processes": team().size,
        "seconds": round(last.elapsed, 1),
        "device": device_name(recipe.train.device),
        "torch": torch.__version__,
        "date": time.strftime("%Y-%m-%d"),
    }


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
    g = run.generator
    x1, label = run.feed.next(run.step, g)
    if len(x1) % run.team.size:
        raise ValueError(f"{run.team.size} processes cannot share a batch of {len(x1)} evenly")
    x1, label = x1.to(run.device), None if label is None else label.to(run.device)
    if label is not None and run.no_label is not None:
        hidden = torch.rand(len(x1), generator=g, device=g.device) < run.config.label_dropout
        label = torch.where(beside(hidden, label), run.no_label, label)
    if x1.dtype == torch.uint8:
        x1 = to_unit(x1).to(run.parameters[0].dtype)
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
