"""Training: a loop that hides nothing, as a generator, so that the caller watches while it runs."""

from __future__ import annotations

import atexit
import signal
from collections.abc import Iterator
from dataclasses import replace

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

from fmcore import _training_checks as check
from fmcore._replay import Replayed
from fmcore._run import Metrics, Run
from fmcore.checkpoints import Checkpoints, held_interrupt
from fmcore.data import ImageData, to_unit
from fmcore.losses import cfm_loss, reference_loss, reference_weight
from fmcore.parallel import joined, team
from fmcore.paths import Path
from fmcore.recipes import TrainConfig

_LOSSES = {"cfm": cfm_loss, "reference": reference_loss}
_DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


def fit(
    model: nn.Module,
    path: Path,
    data: ImageData | Tensor,
    config: TrainConfig,
    *,
    checkpoints: Checkpoints | None = None,
) -> Iterator[Metrics]:
    """Train `model` in place by conditional flow matching and yield `Metrics` as it goes.

    `data` is an `ImageData` or a tensor `(N, *shape)`: `uint8` images become numbers in [-1, 1],
    floats are taken as they are. All of it moves to the device at once. Labels are used if the
    network has classes. An epoch is a new shuffle of the data, without the last incomplete batch.

    All that is drawn here comes from `config.seed` (dropout inside a network does not): the same
    seed, data and initial weights on the same CPU give the same weights, bit for bit. With
    `checkpoints` this holds for a run that was killed and resumed as well; such a run is also saved
    when it is interrupted (Ctrl-C) or left early.
    In processes started by `torchrun` each works on its share of the batch, and the first saves;
    meanwhile `fmcore.parallel.team().rank` says which one this is.

    The work, and with it the checks, begins when the first metrics are asked for. `ValueError` or
    `TypeError` for data that cannot be trained on, for a device or a precision that is not there,
    and for a checkpoint of another training, with the fields that differ. `CheckpointError` for
    one that cannot be read or written. `FloatingPointError`, with the step, as soon as a report or
    a checkpoint finds that the loss is not finite.

    >>> from fmcore.networks import MLP
    >>> from fmcore.paths import OTPath
    >>> config = TrainConfig(steps=4, batch_size=8, log_every=2, progress=False)
    >>> [m.step for m in fit(MLP(dim=2), OTPath(), torch.zeros(32, 2), config)]
    [2, 4]
    """
    check.training(model, path, config)
    with joined(config.device) as device:
        yield from _fit(model, path, data, replace(config, device=device), checkpoints)


def _fit(model, path, data, config, checkpoints) -> Iterator[Metrics]:
    us = team()
    device = check.device(config)
    x, labels = check.data(data, model, config, us)
    run = Run(model, path, x, labels, config, device, us, checkpoints)
    x, labels = x.to(device), None if labels is None else labels.to(device)
    size, batches, steps = config.batch_size, run.batches, run.steps

    network = us.wrap(model)
    if config.compile:
        network = torch.compile(network)
    loss_function, generator = _LOSSES[config.loss], run.generator
    dtype = _DTYPES[config.precision]  # in which the network computes
    parameters, averages = list(model.parameters()), list(run.ema.parameters())

    def learn(
        x1: Tensor, x0: Tensor, t: Tensor, label: Tensor | None, weight: Tensor | None
    ) -> Tensor:
        """A step of the optimiser; the loss before it."""
        with torch.autocast(device.type, dtype, dtype != torch.float32):
            loss = loss_function(network, path, x1, x0=x0, t=t, label=label, weight=weight)
        run.optimizer.zero_grad(set_to_none=True)
        run.scaler.scale(loss).backward()
        if config.clip is not None:
            run.scaler.unscale_(run.optimizer)
            nn.utils.clip_grad_norm_(parameters, config.clip)
        run.scaler.step(run.optimizer)
        run.scaler.update()
        return loss.detach()

    if run.replays:
        learn = Replayed(learn)

    if run.step == steps:
        yield run.metrics()
    bar = _progress_bar(run.step, steps, config.progress and us.rank == 0)
    # A loop that is still open when the program ends would come too late: Python is half gone then.
    atexit.register(run.leave)
    try:
        while run.step < steps:
            with held_interrupt() as interrupted:  # a step is done or not begun, never half done
                step, run.whole = run.step, False
                if step % batches == 0:
                    run.order = torch.randperm(len(x), generator=generator, device=device)
                rows = run.order[step % batches * size :][:size]
                label = None
                if labels is not None:
                    hidden = torch.rand(size, generator=generator, device=device)
                    none = model.config["num_classes"]
                    label = torch.where(hidden < config.label_dropout, none, labels[rows])[us.mine]
                x0, t, weight = _draw(x, config, generator)
                x1 = x[rows[us.mine]]
                x1 = to_unit(x1) if x1.dtype == torch.uint8 else x1  # (B, *shape)

                run.set_learning_rate(config.learning_rate(step, steps))
                weight = None if weight is None else weight[us.mine]
                loss = learn(x1, x0[us.mine], t[us.mine], label, weight)
                # A long memory is of no use while there is little to remember: the decay grows
                # into `ema`, from 0, which is a copy.
                get_ema_multi_avg_fn(min(config.ema, step / (9 + step)))(averages, parameters, step)

                run.losses.append(loss)  # on the device; the host waits when it reports
                run.step, run.whole = step + 1, True
                done = run.step
            bar.update()
            reporting = done % config.log_every == 0 or done == steps
            if reporting:
                report = run.report()
                bar.set_postfix_str(
                    f"loss {report.loss:.4f}, {report.images_per_second:.0f} images/s"
                )
            if checkpoints and (done % checkpoints.every == 0 or done == steps):
                run.save()
            if interrupted:
                signal.raise_signal(signal.SIGINT)  # to whoever waits for it
            if reporting:
                yield report
    except GeneratorExit:  # the caller left the loop
        run.leave()
        raise
    except KeyboardInterrupt:
        raise KeyboardInterrupt(run.farewell()) from None
    finally:
        atexit.unregister(run.leave)
        bar.close()


def _draw(
    x: Tensor, config: TrainConfig, g: torch.Generator
) -> tuple[Tensor, Tensor, Tensor | None]:
    """Noise `(B, *shape)`, times `(B,)` and weights `(B,)` or None, for the whole batch."""
    size, dtype = config.batch_size, x.dtype if x.is_floating_point() else torch.float32
    x0 = torch.randn(size, *x.shape[1:], generator=g, device=g.device, dtype=dtype)
    if config.times == "logit_normal":  # Esser et al. 2024, eq. 19, with m = 0 and s = 1
        t = torch.randn(size, generator=g, device=g.device, dtype=dtype).sigmoid()
    else:
        t = torch.rand(size, generator=g, device=g.device, dtype=dtype)
    if config.times == "stratified":
        below_1 = 1 - torch.finfo(dtype).eps / 2  # rounding may reach 1, where paths may end
        t = ((torch.arange(size, device=g.device) + t) / size).clamp_max(below_1)
    if config.loss != "reference":
        return x0, t, None
    t = 1e-5 + (1 - 2e-5) * t  # as `reference_loss` draws it
    return x0, t, reference_weight(t)


def _progress_bar(done: int, steps: int, show: bool):
    from tqdm.auto import tqdm  # drawn by ipywidgets in a notebook, as text in a terminal

    return tqdm(initial=done, total=steps, unit="step", disable=not show)
