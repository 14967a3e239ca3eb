r"""Losses: regression of a network onto the velocity of a path.

Conditional flow matching (Lipman et al. 2023, theorem 2): the loss

    L(v) = E_{t, x0, x1} || v(x_t, t) - u_t ||^2,    t ~ U[0, 1],

has the same gradient as the regression onto the unknown marginal velocity. It does not go to 0:
its floor is the variance of u_t given (x_t, t).
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from fmcore._checks import batch_time, rand_time, randn_like
from fmcore.paths import Path


def cfm_loss(
    net: Callable[..., Tensor],
    path: Path,
    x1: Tensor,
    *,
    x0: Tensor | None = None,
    t: float | Tensor | None = None,
    label: Tensor | None = None,
    weight: Tensor | None = None,
    generator: torch.Generator | None = None,
) -> Tensor:
    """The conditional flow matching loss: the mean over batch and dimensions of (v(xt, t) - ut)^2.

    `x1` is a batch of data `(B, *shape)`. What is not given is drawn with `generator`: `x0` from
    N(0, I), `t` from U[0, 1], one for each row; it may be left out only when both are given. A
    `label` goes to `net(x, t, label)`. `weight` `(B,)` multiplies the rows. Returns a scalar.

    `ValueError` for a time outside [0, 1], for an empty batch, for shapes that do not fit, and for
    a network that returns another shape than that of its input.

    At rest, the loss is the mean square of the velocity x1 - x0 itself:

    >>> from fmcore.paths import OTPath
    >>> x1, g = torch.full((1000, 2), 3.0), torch.Generator().manual_seed(0)
    >>> round(cfm_loss(lambda x, t: 0 * x, OTPath(), x1, generator=g).item())  # 3^2 + 1
    10
    """
    v, ut, _ = _velocities(net, path, x1, x0, t, label, generator)
    return _mean((v - ut).square(), weight)


def reference_weight(t: Tensor) -> Tensor:
    """The weight of the reference recipe: t (1 - t), divided by its mean over the batch `(B,)`.

    >>> reference_weight(torch.tensor([0.0, 0.5, 0.5]))
    tensor([0.0000, 1.5000, 1.5000])
    """
    weight = t * (1 - t)
    return weight / weight.mean().clamp_min(torch.finfo(weight.dtype).tiny)


def reference_loss(
    net: Callable[..., Tensor],
    path: Path,
    x1: Tensor,
    *,
    x0: Tensor | None = None,
    t: float | Tensor | None = None,
    label: Tensor | None = None,
    weight: Tensor | None = None,
    generator: torch.Generator | None = None,
    beta: float = 0.1,
    penalty: float = 3e-5,
    t_margin: float = 1e-5,
) -> Tensor:
    """The weighted robust loss of the reference recipe.

        mean(w smooth_l1(v - ut; beta)) + penalty mean(v^2),    w = t (1 - t) / mean(t (1 - t))

    `smooth_l1` is r^2 / (2 beta) for |r| < beta and |r| - beta / 2 beyond: it grows linearly, so it
    aims at a median rather than at the mean that the theorem asks for. `t` is drawn from
    U[t_margin, 1 - t_margin]. A `weight` that is given takes the place of w. Arguments, result and
    errors otherwise as for `cfm_loss`.
    """
    if not beta > 0 or not penalty >= 0 or not 0 <= t_margin < 0.5:
        raise ValueError(
            "beta must be positive, penalty not negative and t_margin in [0, 0.5), "
            f"got {beta}, {penalty}, {t_margin}"
        )
    if t is None:
        t = t_margin + (1 - 2 * t_margin) * rand_time(x1, generator)
    v, ut, t = _velocities(net, path, x1, x0, t, label, generator)
    weight = reference_weight(t) if weight is None else weight
    robust = torch.nn.functional.smooth_l1_loss(v, ut, beta=beta, reduction="none")
    return _mean(robust, weight) + penalty * v.square().mean()


def _mean(each: Tensor, weight: Tensor | None) -> Tensor:
    """The mean of `each` `(B, *shape)`, with its rows weighted."""
    if weight is None:
        return each.mean()
    if weight.shape != each.shape[:1]:
        raise ValueError(f"weight must have shape ({len(each)},), got {tuple(weight.shape)}")
    return (weight * each.flatten(1).mean(1)).mean()


def _velocities(net, path, x1, x0, t, label, generator) -> tuple[Tensor, Tensor, Tensor]:
    """What the network says at a random point of the path, what the path says, and when."""
    if x1.numel() == 0:
        raise ValueError(f"there is no loss of an empty batch, got shape {tuple(x1.shape)}")
    x0 = randn_like(x1, generator) if x0 is None else x0
    t = rand_time(x1, generator) if t is None else batch_time(t, x1)
    xt, ut = path.sample(x0, x1, t)
    v = net(xt, t) if label is None else net(xt, t, label)
    if v.shape != ut.shape:
        raise ValueError(
            f"the network must return the shape of its input, {tuple(ut.shape)}, "
            f"got {tuple(v.shape)}"
        )
    return v.to(ut.dtype), ut, t  # a network under autocast answers in half precision
