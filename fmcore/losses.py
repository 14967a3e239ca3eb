r"""Losses: regression of a network onto the velocity of a path.

Conditional flow matching (Lipman et al. 2023, theorem 2): the loss

    L(v) = E_{t, x0, x1} || v(x_t, t) - u_t ||^2,    t ~ U[0, 1],

has the same gradient as the regression onto the unknown marginal velocity. It does not go to 0:
its floor is the variance of u_t given (x_t, t).

A loss is a function `loss(net, path, x1, *, x0=..., label=..., generator=...)` that returns a
scalar and draws its own times. How it draws them is a function as well, the default of its keyword
`times`; the default of `weights` turns times into weights. `partial(cfm_loss, times=...)` is
another loss.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from inspect import Parameter, signature
from typing import Any

import torch
from torch import Tensor

from fmcore.checks import (
    batch_time,
    expand_time,
    floating,
    positive,
    rand_time,
    randn_like,
    real,
)
from fmcore.models import evaluate
from fmcore.paths import PREDICTIONS, ProbabilityPath, error_weight, prediction_target
from fmcore.paths.predictions import MARGIN
from fmcore.tables import Table, check_callable

__all__ = [
    "LOSSES", "TIMES", "cfm_loss", "inner_times", "logit_normal_times", "pairs_to_the_end",
    "prediction_loss", "reference_loss", "reference_weight", "sorted_pairs", "stratified_times",
    "uniform_times",
]  # fmt: skip

Loss = Callable[..., Tensor]
Times = Callable[[Tensor, torch.Generator | None], Tensor]
"""Times `(B,)`, one for each row of x, drawn with a generator."""
Weights = Callable[[Tensor], Tensor]
"""Weights `(B,)` of the rows, from their times."""


def uniform_times(x: Tensor, generator: torch.Generator | None) -> Tensor:
    """t ~ U[0, 1), independent."""
    return rand_time(x, generator)


def inner_times(x: Tensor, generator: torch.Generator | None, margin: float = 1e-5) -> Tensor:
    """t ~ U[margin, 1 - margin], independent; `margin` in [0, 0.5)."""
    margin = real("margin", margin, 0, 0.5)
    return margin + (1 - 2 * margin) * rand_time(x, generator)


def stratified_times(x: Tensor, generator: torch.Generator | None) -> Tensor:
    """t_i ~ U[i / B, (i + 1) / B): uniform as a whole, one time in each of B equal slices.

    >>> t = stratified_times(torch.zeros(4, 2), torch.Generator().manual_seed(0))
    >>> (4 * t).floor()
    tensor([0., 1., 2., 3.])
    """
    u = rand_time(x, generator)
    below_1 = 1 - torch.finfo(u.dtype).eps / 2  # rounding may reach 1, where paths may end
    return ((torch.arange(len(u), device=u.device) + u) / len(u)).clamp_max(below_1)


def logit_normal_times(x: Tensor, generator: torch.Generator | None) -> Tensor:
    """log(t / (1 - t)) ~ N(0, 1) (Esser et al. 2024, eq. 19, with m = 0 and s = 1)."""
    wide = torch.promote_types(x.dtype, torch.float32)
    return randn_like(x.new_empty(len(x), dtype=wide), generator).sigmoid()


def sorted_pairs(x: Tensor, generator: torch.Generator | None, diagonal: float = 0.5) -> Tensor:
    """Times s <= t `(B, 2)`: two uniform ones in order, or in a share `diagonal` the later one."""
    diagonal = real("diagonal", diagonal, 0, 1)
    s, t, u = (rand_time(x, generator) for _ in range(3))
    s, t = torch.minimum(s, t), torch.maximum(s, t)
    return torch.stack([torch.where(u < diagonal, t, s), t], dim=1)


def pairs_to_the_end(x: Tensor, generator: torch.Generator | None) -> Tensor:
    """Times `(B, 2)`: s uniform and t = 1, the only jumps that a consistency model makes."""
    s = rand_time(x, generator)
    return torch.stack([s, torch.ones_like(s)], dim=1)


TIMES: Table[Times] = Table(
    "way to draw times",
    check_callable("way to draw times"),
    uniform=uniform_times,
    stratified=stratified_times,
    logit_normal=logit_normal_times,
    inner=inner_times,
)
"""How to draw t, by name: for the command line."""


def cfm_loss(
    net: Callable[..., Tensor],
    path: ProbabilityPath,
    x1: Tensor,
    *,
    x0: Tensor | None = None,
    t: float | Tensor | None = None,
    label: Tensor | None = None,
    weight: Tensor | None = None,
    generator: torch.Generator | None = None,
    times: Times = uniform_times,
) -> Tensor:
    """The conditional flow matching loss: the mean over batch and dimensions of (v(xt, t) - ut)^2.

    `x1` is a batch of data `(B, *shape)`. What is not given is drawn with `generator`: `x0` from
    N(0, I), `t` by `times`, one for each row. Without a generator, both have to be given. A
    `label` goes to `net(x, t, label)`. `weight` `(B,)` multiplies the rows. Returns a scalar.

    Raises `ValueError` if a time lies outside [0, 1], if the batch is empty, if shapes do not fit,
    or if the network returns another shape than its input has; `TypeError` if a dtype does not.

    For a network that returns 0, the loss is the mean square of the velocity x1 - x0:

    >>> from fmcore.paths import OTPath
    >>> x1, g = torch.full((1000, 2), 3.0), torch.Generator().manual_seed(0)
    >>> round(cfm_loss(lambda x, t: 0 * x, OTPath(), x1, generator=g).item())  # 3^2 + 1
    10
    """
    check_batch(net, path, x1, times)
    x0 = randn_like(x1, generator) if x0 is None else x0
    t = times(x1, generator) if t is None else t
    v, ut = _answers(net, path, x1, x0, t, label)
    return mean_of_rows((v - ut).square(), weight)


def reference_weight(t: Tensor) -> Tensor:
    """The weight of the reference recipe: t (1 - t), divided by its mean over the batch `(B,)`.

    >>> reference_weight(torch.tensor([0.0, 0.5, 0.5]))
    tensor([0.0000, 1.5000, 1.5000])
    """
    weight = t * (1 - t)
    return weight / weight.mean().clamp_min(torch.finfo(weight.dtype).tiny)


def reference_loss(
    net: Callable[..., Tensor],
    path: ProbabilityPath,
    x1: Tensor,
    *,
    x0: Tensor | None = None,
    t: float | Tensor | None = None,
    label: Tensor | None = None,
    weight: Tensor | None = None,
    generator: torch.Generator | None = None,
    times: Times = inner_times,
    weights: Weights = reference_weight,
    beta: float = 0.1,
    penalty: float = 3e-5,
) -> Tensor:
    """The weighted robust loss of the reference recipe.

        mean(w smooth_l1(v - ut; beta)) + penalty mean(v^2),    w = t (1 - t) / mean(t (1 - t))

    `smooth_l1` is r^2 / (2 beta) for |r| < beta and |r| - beta / 2 beyond: it grows linearly, so it
    aims at a median rather than at the mean that the theorem asks for. A `weight` that is given
    takes the place of `weights(t)`. Arguments, result and errors otherwise as for `cfm_loss`.
    """
    check_batch(net, path, x1, times, weights)
    positive("beta", beta)
    real("penalty", penalty, 0)
    t = batch_time(times(x1, generator) if t is None else t, x1)
    x0 = randn_like(x1, generator) if x0 is None else x0
    v, ut = _answers(net, path, x1, x0, t, label)
    weight = weights(t) if weight is None else weight
    robust = torch.nn.functional.smooth_l1_loss(v, ut, beta=beta, reduction="none")
    return mean_of_rows(robust, weight) + penalty * v.square().mean()


def prediction_loss(
    net: Callable[..., Tensor],
    path: ProbabilityPath,
    x1: Tensor,
    *,
    predict: str,
    measure: str | None = None,
    x0: Tensor | None = None,
    t: float | Tensor | None = None,
    label: Tensor | None = None,
    weight: Tensor | None = None,
    generator: torch.Generator | None = None,
    times: Times = partial(inner_times, margin=MARGIN),  # noqa: B008
) -> Tensor:
    """The mean square error of a network that predicts the velocity, data, noise or score.

        mean((D_m / D_p)^2 (q(xt, t) - q_t)^2)

    `predict` is what `net` returns and `measure` what is compared, keys of `PREDICTIONS`; left out,
    they are the same and the factor is 1. With predict="noise" this is the loss of Ho et al. 2020,
    eq. 14; with measure="velocity" it is `cfm_loss` of `as_velocity(net, path, predict=...)` at the
    times at which that field is exact. Near an end the factor or the score may be huge, so times
    stay 1e-3 away from both. Arguments, result and errors otherwise as for `cfm_loss`.

    >>> from fmcore.paths import OTPath
    >>> x1, g = torch.full((1000, 2), 3.0), torch.Generator().manual_seed(0)
    >>> loss = partial(prediction_loss, lambda x, t: 0 * x, OTPath(), x1, generator=g)
    >>> round(loss(predict="data").item()), round(loss(predict="noise").item())
    (9, 1)
    """
    check_batch(net, path, x1, times)
    x0 = randn_like(x1, generator) if x0 is None else x0
    t = times(x1, generator) if t is None else t
    q, target = _answers(net, path, x1, x0, t, label, predict)
    each = (q - target).square()
    if measure not in (None, predict):
        each = each * error_weight(path, expand_time(t, x1), predict=predict, measure=measure)
    return mean_of_rows(each, weight)


LOSSES: Table[Loss] = Table(
    "loss",
    check_callable("loss"),
    cfm=cfm_loss,
    reference=reference_loss,
    noise=partial(prediction_loss, predict="noise"),
    data=partial(prediction_loss, predict="data"),
)
"""The losses by name: for the command line. `fit` takes the functions."""


def draws(loss: Loss) -> tuple[Times | None, Weights | None]:
    """How a loss draws its times and weighs them: None where it has no such keyword.

    `fit` calls these two for the whole batch, so that several processes see the same numbers.

    >>> draws(partial(cfm_loss, times=stratified_times)) == (stratified_times, None)
    True
    """
    return _default(loss, "times"), _default(loss, "weights")


def predicted(loss: Loss) -> str:
    """What a network learns from a loss to predict, a key of `PREDICTIONS`.

    The value of the keyword `predict`; the velocity, if there is none.

    >>> predicted(cfm_loss), predicted(partial(prediction_loss, predict="noise"))
    ('velocity', 'noise')
    """
    found = _default(loss, "predict")
    return found if found in PREDICTIONS else "velocity"


def _default(loss: Loss, keyword: str) -> Any:
    """What a loss sets a keyword to if nobody else does; None if it has no such keyword."""
    found = signature(loss).parameters.get(keyword)
    return None if found is None or found.default is Parameter.empty else found.default


def describe(function: Callable[..., Any] | None) -> str:
    """A function in a line: its name, and what `partial` has set.

    >>> describe(partial(cfm_loss, times=stratified_times))
    'cfm_loss(times=stratified_times)'
    """
    if isinstance(function, partial):
        values = [*map(repr, function.args)]
        values += [
            f"{name}={describe(value) if callable(value) else repr(value)}"
            for name, value in sorted(function.keywords.items())
        ]
        return f"{describe(function.func)}({', '.join(values)})"
    if function is None:
        return ""
    anonymous = (
        type(function).__repr__ is object.__repr__
    )  # an address, another one in each process
    return getattr(function, "__name__", type(function).__name__ if anonymous else repr(function))


def check_batch(net: Any, path: Any, x1: Any, *functions: Any) -> None:
    """Raises unless `x1` is a batch of numbers, and the rest is of its kind."""
    if not callable(net):
        raise TypeError(f"net must be callable as net(x, t), got {type(net).__name__}")
    if not callable(getattr(path, "sample", None)):
        raise TypeError(f"path must be a ProbabilityPath, got {path!r}")
    for function in functions:
        if not callable(function):
            raise TypeError(f"times and weights must be callable, got {function!r}")
    if isinstance(x1, Tensor) and x1.dtype == torch.uint8:
        raise TypeError("x1 holds bytes: `fmcore.images.to_unit` turns them into [-1, 1]")
    floating("x1", x1)
    if x1.numel() == 0:
        raise ValueError(f"there is no loss of an empty batch, got shape {tuple(x1.shape)}")


def mean_of_rows(each: Tensor, weight: Tensor | None) -> Tensor:
    """The mean of `each` `(B, *shape)`, with its rows weighted."""
    if weight is None:
        return each.mean()
    if not isinstance(weight, Tensor):
        raise TypeError(f"weight must be a tensor ({len(each)},), got {type(weight).__name__}")
    if weight.shape != each.shape[:1]:
        raise ValueError(f"weight must have shape ({len(each)},), got {tuple(weight.shape)}")
    return (weight * each.flatten(1).mean(1)).mean()


def _answers(
    net: Callable[..., Tensor],
    path: ProbabilityPath,
    x1: Tensor,
    x0: Tensor,
    t: float | Tensor,
    label: Tensor | None,
    predict: str = "velocity",
) -> tuple[Tensor, Tensor]:
    """What the network predicts and what it should, at a random point of the path."""
    t = batch_time(t, x1)
    xt, ut = path.sample(x0, x1, t)
    if predict != "velocity":
        ut = prediction_target(path, x0, x1, t, predict=predict)
    v = evaluate(net, xt, t, label)
    if not isinstance(v, Tensor):
        raise TypeError(f"the network must return a tensor, got {type(v).__name__}")
    if v.shape != ut.shape:
        raise ValueError(
            f"the network must return the shape of its input, {tuple(ut.shape)}, "
            f"got {tuple(v.shape)}"
        )
    return v.to(ut.dtype), ut  # a network under autocast answers in half precision
