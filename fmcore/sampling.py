"""Sampling: from noise to data, by solving the ODE of a trained network."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from fmcore.checks import (
    floating,
    randn_like,
    require_generator,
    whole,
)
from fmcore.flowmaps import jump
from fmcore.guidance import Guided, per_sample
from fmcore.models import evaluate, evaluating, flow_map, home, label_for, sample_shape
from fmcore.solvers import ButcherTableau, Solution, VectorField, odeint

__all__ = ["counted", "generate", "solve_in_two"]

DEFAULT_STEPS = 5


@torch.no_grad()
def generate(
    model: nn.Module | VectorField,
    n: int,
    *,
    method: str | ButcherTableau = "midpoint",
    steps: int | None = None,
    rtol: float | None = None,
    atol: float | None = None,
    last_step: str | ButcherTableau | None = None,
    generator: torch.Generator | None = None,
    x0: Tensor | None = None,
    label: Any = None,
    guidance: float | Tensor = 1.0,
    shape: Sequence[int] | None = None,
    batch_size: int = 256,
    clamp: bool | None = None,
) -> Tensor:
    """`n` samples `(n, *shape)`: where the field `model` carries the noise x0.

        x1 = x0 + int_0^1 model(x_t, t) dt

    `steps` steps of `method` (default: 5), or adaptive ones with `rtol` and `atol`. `last_step`
    is the method of the last of the `steps`, if it is to be another (see `solve_in_two`). A flow
    map, such as `TwoTimes`, makes `steps` jumps instead (default: 1), and needs no method.

    The noise is drawn from `generator`, or given as `x0` `(n, *shape)`; it determines the result,
    which has the device and dtype of the model's weights, or else those of `x0`. `label` is the
    condition of each sample, or one for all: a class, `(n,)` or a number (`num_classes` itself
    means none), or a vector, `(n, k)` or `(k,)`, for a network with `condition_dim=k`. `guidance`
    pushes towards it, all samples alike or each by its own number `(n,)`: see `Guided`. `shape` is
    that of one sample: a `FlowModel` knows its own, a network that `fit` trained remembers that of
    its data, and any other network for images of one channel draws `(1, 28, 28)`. At most
    `batch_size` samples are computed at once. With `clamp`, samples are clamped to [-1, 1]; left
    out, images `(C, H, W)` are and points are not. The model is left as it was, and several threads
    may draw from it at once. No graph is kept; for gradients use `odeint`.

    Raises `ValueError` or `TypeError` if the arguments do not fit, and as `odeint` does.

    >>> from fmcore.networks import UNet
    >>> g = torch.Generator().manual_seed(0)
    >>> generate(UNet(base=8), 3, steps=2, generator=g).shape
    torch.Size([3, 1, 28, 28])
    """
    if not callable(model):
        raise TypeError(f"model must be callable as model(x, t), got {type(model).__name__}")
    n, batch_size = whole("n", n), whole("batch_size", batch_size)
    if clamp not in (None, True, False):
        raise TypeError(f"clamp must be True, False or None, got {clamp!r}")
    if x0 is None:
        sides, g = _shape(model, shape), require_generator(generator)
        x0 = randn_like(torch.empty(n, *sides, device=g.device), g)
    else:
        x0 = _given(x0, n, shape)
    device, dtype = home(model) or (x0.device, x0.dtype)
    label = None if label is None else label_for(model, label, n).to(device)
    guidance = _guidance(guidance, label, n)
    arrive = _route(model, guidance, method, steps, rtol, atol, last_step)
    samples = []
    with evaluating(model):
        for first in range(0, n, batch_size):
            rows = slice(first, first + batch_size)
            y = None if label is None else label[rows]
            scale = guidance[rows] if isinstance(guidance, Tensor) else guidance
            samples.append(arrive(x0[rows].to(device, dtype), y, scale))
    x1 = torch.cat(samples)
    is_image = x1.ndim == 4
    return x1.clamp(-1, 1) if (is_image if clamp is None else clamp) else x1


def _route(
    model: VectorField,
    guidance: float | Tensor,
    method: str | ButcherTableau,
    steps: int | None,
    rtol: float | None,
    atol: float | None,
    last_step: str | ButcherTableau | None,
) -> Callable[[Tensor, Tensor | None, float | Tensor], Tensor]:
    """From noise, a label and the scale of guidance to samples."""
    network = flow_map(model)
    if network is not None:
        if method != "midpoint" or not (rtol is atol is last_step is None):
            raise ValueError(
                "a flow map jumps: it takes steps, but no method, rtol, atol or last_step"
            )
        if isinstance(guidance, Tensor) or guidance != 1:
            raise ValueError("a flow map is guided in training, not here: see `flow_map_loss`")
        return lambda noise, label, scale: jump(
            network, noise, 1 if steps is None else steps, label=label
        )
    if steps is None and rtol is None and atol is None:
        steps = DEFAULT_STEPS
    solve = partial(odeint, method=method, steps=steps, rtol=rtol, atol=atol)
    if last_step is not None:
        if rtol is not None or atol is not None:
            raise ValueError("last_step goes with steps, not with rtol and atol")
        solve = partial(solve_in_two, method=method, steps=steps, last_step=last_step)

    def along_the_field(noise: Tensor, label: Tensor | None, scale: float | Tensor) -> Tensor:
        v = model if label is None else Guided(model, scale)
        return solve(lambda x, t: evaluate(v, x, t, label), noise).x

    return along_the_field


def solve_in_two(
    v: VectorField,
    x0: Tensor,
    *,
    method: str | ButcherTableau,
    steps: int | None,
    last_step: str | ButcherTableau = "midpoint",
) -> Solution:
    """From t = 0 to 1 in `steps` equal steps of `method`, of which the last is one of `last_step`.

    Where a path ends without noise, as with sigma_min = 0, its velocity at t = 1 is 0/0, and near
    it errors of x are multiplied by 1/(1 - t). A method whose steps end with an evaluation there
    (Heun, RK4) can be spared it by a last step of the midpoint rule, as Karras et al. 2022,
    algorithm 1 takes it by Euler's. Raises as `odeint` does.

    >>> solve_in_two(lambda x, t: -x / (1 - t), torch.ones(1, 1), method="rk4", steps=2).x
    tensor([[0.]])
    """
    steps = whole("steps", steps)
    end, x, nfe = 1 - 1 / steps, x0, 0
    if steps > 1:
        before = odeint(v, x, (0.0, end), method=method, steps=steps - 1)
        x, nfe = before.x, before.nfe
    last = odeint(v, x, (end, 1.0), method=last_step, steps=1)
    return Solution(last.x, last.t, nfe + last.nfe, steps, 0)


@contextmanager
def counted(model: nn.Module) -> Generator[list[int]]:
    """A list that grows by one number with every evaluation of `model`: the rows of its batch.

    >>> from fmcore.networks import MLP
    >>> net = MLP(hidden=8)
    >>> with counted(net) as rows:
    ...     _ = odeint(net, torch.zeros(5, 2), method="heun", steps=2)
    >>> rows
    [5, 5, 5, 5]
    """
    rows: list[int] = []
    hook = model.register_forward_hook(lambda network, arguments, answer: rows.append(len(answer)))
    try:
        yield rows
    finally:
        hook.remove()


def _guidance(guidance: Any, label: Tensor | None, n: int) -> float | Tensor:
    """The scale of guidance, or one for each of n samples; with a label to push towards."""
    scale = per_sample("guidance", guidance)
    if isinstance(scale, Tensor) and len(scale) != n:
        raise ValueError(f"guidance must be a number or have shape ({n},), got ({len(scale)},)")
    if label is None and not (isinstance(scale, float) and scale == 1):
        raise ValueError(f"guidance={guidance} pushes towards a label, and none is given")
    return scale


def _given(x0: Tensor, n: int, shape: Sequence[int] | None) -> Tensor:
    """The noise that was given, if it is `n` samples of that shape."""
    floating("x0", x0)
    if x0.ndim < 1 or len(x0) != n:
        raise ValueError(f"x0 must hold n={n} samples, got shape {tuple(x0.shape)}")
    if shape is not None and x0.shape[1:] != _sides(shape):
        raise ValueError(f"x0 must be (n, *shape) with shape={shape}, got {tuple(x0.shape)}")
    return x0


def _shape(model: VectorField, shape: Sequence[int] | None) -> tuple[int, ...]:
    """The shape of one sample: as asked for, or as the model says."""
    if shape is None and (shape := sample_shape(model)) is None:
        raise ValueError(
            f"{type(model).__name__} does not say what it draws: pass shape=, that of one sample, "
            "such as (3, 32, 32) for images or (2,) for points"
        )
    return _sides(shape)


def _sides(shape: Sequence[int]) -> tuple[int, ...]:
    if not isinstance(shape, list | tuple):
        raise TypeError(f"shape must be that of one sample, such as (1, 28, 28), got {shape!r}")
    return tuple(whole("each side of shape", side) for side in shape)
