r"""How straight is a flow, how far do its particles go, and how far apart are two clouds?

Along the trajectories x' = v(x, t) from noise x0 to x1,

    straightness   S = int_0^1 E |(x1 - x0) - v(x_t, t)|^2 dt         (Liu et al. 2023, section 2)
    path length    L = E int_0^1 |v(x_t, t)| dt  >=  E |x1 - x0|

S is 0 if and only if every particle goes straight and at constant speed. Then, and only then, one
Euler step to t = 1 is exact from every point of a trajectory.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from fmcore.checks import flag, whole
from fmcore.couplings import alike, best_pairing
from fmcore.devices import double
from fmcore.solvers import ButcherTableau, VectorField, odeint
from fmcore.solvers.field import CountedField, initial_state


def straightness(
    v: VectorField, x0: Tensor, *, method: str | ButcherTableau = "midpoint", steps: int
) -> float:
    """S = int_0^1 E |(x1 - x0) - v(x_t, t)|^2 dt, the mean over the rows of x0 `(B, *shape)`.

    The square is summed over a row. The flow is solved twice, first for x1 and then for the
    integral, each by `steps` steps of `method`; take enough, since a single Euler step finds any
    flow straight. Raises as `odeint` does.

    >>> x0 = torch.randn(100, 2, generator=torch.Generator().manual_seed(0))
    >>> straightness(lambda x, t: torch.ones_like(x), x0, steps=10) < 1e-12
    True
    >>> round(straightness(lambda x, t: 2 * t * torch.ones_like(x), x0, steps=100), 3)  # 2/3
    0.667
    """
    start, end, _ = _along(v, x0, lambda k: k.norm(dim=1), method, steps)
    wrong = _along(v, x0, lambda k: (end - start - k).square().sum(1), method, steps)[2]
    return double(wrong).mean().item()


def path_length(
    v: VectorField,
    x0: Tensor,
    *,
    method: str | ButcherTableau = "midpoint",
    steps: int,
    relative: bool = False,
) -> float:
    """E int_0^1 |v(x_t, t)| dt: how far the rows of x0 `(B, *shape)` travel, on average.

    With `relative`, divided by the mean distance E |x1 - x0| that they cover: 1 for straight
    trajectories, at whatever speed. Solved by `steps` steps of `method`. Raises as `odeint` does,
    and `ValueError` for a relative length if no row moves away.

    >>> x0 = torch.tensor([[3.0, 4.0]])
    >>> round(path_length(lambda x, t: torch.stack([-x[:, 1], x[:, 0]], 1), x0, steps=100), 3)
    5.0
    """
    start, end, length = _along(v, x0, lambda k: k.norm(dim=1), method, steps)
    far = double(length).mean().item()
    if not flag("relative", relative):
        return far
    if not (distance := double(end - start).norm(dim=1).mean().item()):
        raise ValueError("relative=True needs a row of x0 that ends elsewhere: their distance is 0")
    return far / distance


@torch.no_grad()
def _along(
    v: VectorField,
    x0: Tensor,
    rate: Callable[[Tensor], Tensor],
    method: str | ButcherTableau,
    steps: int,
) -> tuple[Tensor, Tensor, Tensor]:
    """x0, x1 `(B, d)` and int_0^1 rate(v) dt `(B,)`, as one state, in float32 or better."""
    initial_state(x0)
    if x0.ndim < 2 or x0.numel() == 0:
        raise ValueError(f"x0 must have shape (B, *shape), not empty, got {tuple(x0.shape)}")
    f, start = CountedField(v, x0), x0.flatten(1)
    start = start.to(f.wide)

    def together(state: Tensor, t: Tensor) -> Tensor:
        k = f(state[:, :-1].reshape(x0.shape), t).flatten(1)
        return torch.cat([k, rate(k)[:, None]], dim=1)  # (B, d + 1)

    state = torch.cat([start, start.new_zeros(len(x0), 1)], dim=1)
    x = odeint(together, state, method=method, steps=whole("steps", steps)).x
    return start, x[:, :-1], x[:, -1]


def wasserstein2(x: Tensor, y: Tensor) -> float:
    """The Wasserstein-2 distance of two clouds of equally many points, `(n, *shape)` each.

        W2^2 = min over permutations p of  (1/n) sum_i |x_i - y_p(i)|^2

    Exact, in double precision: n^2 distances and a time of order n^3 (2,000 points take a second or
    two, 5,000 ten). Two clouds drawn from one distribution have a distance as well, which falls
    about as n^(-1/d) in d > 2 dimensions: compare with that one. `ValueError` if shapes differ or a
    distance is not finite, `TypeError` if dtypes differ.

    >>> x = torch.randn(50, 2, generator=torch.Generator().manual_seed(0))
    >>> round(wasserstein2(x, x.flip(0) + torch.tensor([3.0, 4.0])), 5)
    5.0
    """
    alike("x", x, "y", y)
    y = y[best_pairing(x, y)]
    return (double(x) - double(y)).flatten(1).square().sum(1).mean().sqrt().item()
