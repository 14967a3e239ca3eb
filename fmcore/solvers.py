r"""Solvers: from a velocity field to the flow it generates.

`odeint` solves x' = v(x, t), x(t0) = x0. A method is a Butcher tableau (`tableaus.py`), and one
explicit step serves them all: on a fixed grid, or with steps h chosen from the estimated error,

    err   = rms( h sum_i (b_i - b*_i) k_i / (atol + rtol max(|x|, |x_new|)) )    over the batch
    h_new = h clip(0.9 err^(-1/(q+1)), 0.2, 10)             q the order of the embedded method b*

where a step with err > 1 is rejected and tried again (Hairer, Norsett & Wanner 1993, II.4).
`sdeint` solves dx = f(x, t) dt + g(x, t) dW on a fixed grid.

Time may run backward. Everything is plain autograd: gradients with respect to x0 and to the
parameters of v are those of the steps taken (discretise, then optimise).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from fmcore import _solver_checks as check
from fmcore._checks import randn_like, require_generator
from fmcore._runge_kutta import Output, stage_times, step, weighted_sum
from fmcore._solver_checks import Field, is_finite, not_finite
from fmcore.tableaus import SOLVERS, ButcherTableau

__all__ = ["SOLVERS", "ButcherTableau", "Solution", "odeint", "sdeint"]

VectorField = Callable[[Tensor, Tensor], Tensor]

# A state that is not finite stays so: a look after every 16 steps misses nothing, and a look in
# each would cost as much as a cheap field, more on a GPU.
CHECK_EVERY = 16


@dataclass(frozen=True, eq=False)
class Solution:
    """What a solve returns: the state x at time t, and what it cost.

    nfe                 evaluations of v (of the drift)
    accepted, rejected  steps; on a fixed grid all are accepted
    ts, xs              requested times (T,) and the states there (T, *x.shape), else None
    """

    x: Tensor
    t: float
    nfe: int
    accepted: int
    rejected: int
    ts: Tensor | None = None
    xs: Tensor | None = None


def odeint(
    v: VectorField,
    x0: Tensor,
    t_span: tuple[float, float] = (0.0, 1.0),
    *,
    method: str | ButcherTableau = "heun",
    steps: int | None = None,
    step_size: float | None = None,
    rtol: float | None = None,
    atol: float | None = None,
    t_eval: Sequence[float] | Tensor | None = None,
    max_steps: int = 10_000,
) -> Solution:
    """The solution of x' = v(x, t), x(t0) = x0 at t1, and at the times `t_eval` on the way.

    v           called as v(x, t), t a 0-d tensor of x's dtype and device; returns the like of x
    x0          floating-point tensor of any shape, usually (B, *shape)
    t_span      (t0, t1); t1 < t0 runs backward, t1 = t0 returns x0
    method      a key of `SOLVERS`, or a `ButcherTableau`
    steps       so many equal steps, or
    step_size   steps of this size, the last one shortened to end on t1, or
    rtol, atol  steps as long as the error allows, one for the whole batch; needs an embedded method
    t_eval      times between t0 and t1, in the direction of integration. They change neither the
                steps nor x, and cost no evaluation, except one if an FSAL method on a fixed grid
                is asked for a time inside its last step
    max_steps   the most steps that `step_size`, or `rtol` and `atol`, may lead to

    Raises TypeError or ValueError that says what was given and what is allowed; ValueError with
    the time and step where NaN or infinity appears, or where the tolerances cannot be met.

    >>> x0 = torch.ones(1, dtype=torch.float64)
    >>> sol = odeint(lambda x, t: -x, x0, (0.0, 1.0), method="rk4", steps=10)
    >>> f"{sol.x.item():.6f}", sol.nfe
    ('0.367880', 40)
    >>> sol = odeint(lambda x, t: -x, x0, method="dopri5", rtol=1e-6, atol=1e-6, t_eval=[0.5, 1])
    >>> [f"{x:.5f}" for x in sol.xs[:, 0]]
    ['0.60653', '0.36788']
    """
    tableau = check.tableau(method)
    t0, t1 = check.interval(t_span)
    n = check.number_of_steps(t1 - t0, steps, step_size, rtol, atol, max_steps)
    check.state(x0)
    f = Field(v, x0)
    output = None if t_eval is None else Output(tableau, x0, t0, t1, t_eval)
    if n is None:
        check.tolerances(tableau, rtol, atol)
    if t0 == t1:
        x, accepted, rejected = x0, 0, 0
    elif n is None:
        x, accepted, rejected = _adaptive(
            f, tableau, x0, t0, t1, partial(_norm, rtol=rtol, atol=atol), max_steps, output
        )
    else:
        h = (t1 - t0) / n if step_size is None else math.copysign(step_size, t1 - t0)
        grid = [*(t0 + i * h for i in range(n)), t1]
        x, accepted, rejected = _fixed(f, tableau, x0, grid, output), n, 0
    ts, xs = (None, None) if output is None else output.stacked()
    return Solution(x, t1, f.nfe, accepted, rejected, ts, xs)


def _fixed(
    f: Field, tableau: ButcherTableau, x: Tensor, grid: Sequence[float], output: Output | None
) -> Tensor:
    """The state at the end of the grid, after one step between each two of its times."""
    n = len(grid) - 1
    times = stage_times(tableau, grid, x)
    needed = tableau.stages - tableau.fsal  # an FSAL method's last slope is the next k1
    k1, last_good = None, (0, x)
    for i in range(n):
        x_new, slopes = step(f, tableau, x, grid[i + 1] - grid[i], times[i][:needed], k1)
        k1 = None
        if output is not None:
            if tableau.fsal and output.inside(grid[i + 1]):
                k1 = f(x_new, times[i][-1])
                slopes.append(k1)
            output.collect(grid[i], x, slopes, grid[i + 1], x_new)
        x = x_new
        if (i + 1) % CHECK_EVERY == 0 or i + 1 == n:
            if not is_finite(x):
                with torch.no_grad():  # step again from the last good state, and look each time
                    i, x = last_good
                    while is_finite(x) and i < n:
                        x, _ = step(f, tableau, x, grid[i + 1] - grid[i], times[i][:needed], None)
                        i += 1
                raise not_finite(i, grid)
            last_good = i + 1, x
    return x


def _adaptive(
    f: Field,
    tableau: ButcherTableau,
    x: Tensor,
    t0: float,
    t1: float,
    norm: Callable[[Tensor, Tensor], float],
    max_steps: int,
    output: Output | None,
) -> tuple[Tensor, int, int]:
    """The state at t1, and the numbers of accepted and rejected steps that led there."""
    error, order = tableau.error, tableau.embedded_order + 1
    needed = tableau.stages - tableau.fsal
    sign = math.copysign(1.0, t1 - t0)
    t, accepted, rejected = t0, 0, 0
    k1 = f(x, x.new_tensor(t0))
    h = _first_step(f, x, k1, t0, t1, norm, order)
    while t != t1:
        # With less than two steps to go, take half of what is left, and no sliver at the end.
        left = abs(t1 - t)
        t_new = t1 if left <= h else (t + t1) / 2 if left < 2 * h else t + h * sign
        h = abs(t_new - t)
        if accepted + rejected == max_steps or h <= 1e-15 * abs(t):
            raise ValueError(
                f"cannot go on at t={t:.9g} with step size {h:.3g}, after {accepted} accepted and "
                f"{rejected} rejected steps (max_steps={max_steps}). If v is finite and smooth "
                "there, loosen rtol and atol, allow more steps, or take fixed ones"
            )
        (times,) = stage_times(tableau, (t, t_new), x)
        x_new, slopes = step(f, tableau, x, t_new - t, times[:needed], k1)
        if tableau.fsal:
            slopes.append(f(x_new, times[-1]))
        with torch.no_grad():
            w, total = weighted_sum(error, slopes)
            err = h * abs(w) * norm(total, torch.maximum(x.abs(), x_new.abs()))
            err = err if is_finite(x_new) else math.inf
        if err <= 1:
            if output is not None:
                output.collect(t, x, slopes, t_new, x_new)
            t, x, k1 = t_new, x_new, slopes[-1] if tableau.fsal else None
            accepted += 1
        else:
            k1 = slopes[0]
            rejected += 1
        # err may be 0; where the trial left the finite numbers it is inf or NaN, and max gives 0.2.
        h *= min(10.0, max(0.2, 0.9 * max(err, 1e-99) ** (-1 / order)))
    return x, accepted, rejected


@torch.no_grad()
def _norm(e: Tensor, x: Tensor, rtol: float, atol: float) -> float:
    """Root mean square of e / (atol + rtol |x|), in single precision or better."""
    wide = torch.promote_types(x.dtype, torch.float32)
    ratio = e.to(wide) / (atol + rtol * x.abs().to(wide))
    return torch.linalg.vector_norm(ratio).item() / math.sqrt(max(1, x.numel()))


@torch.no_grad()
def _first_step(
    f: Field,
    x: Tensor,
    k1: Tensor,
    t0: float,
    t1: float,
    norm: Callable[[Tensor, Tensor], float],
    order: int,
) -> float:
    """The size of the first step, from the sizes of x, x' and x'' (Hairer et al., II.4)."""
    if not is_finite(k1):
        raise ValueError(f"NaN or infinity in v(x0, t0) at t0={t0:g}, before the first step")
    d0, d1 = norm(x, x), norm(k1, x)
    h0 = 0.01 * d0 / d1 if min(d0, d1) >= 1e-5 and max(d0, d1) < math.inf else 1e-6
    h0 = min(h0, abs(t1 - t0))
    h = math.copysign(h0, t1 - t0)
    d2 = norm(f(x + h * k1, x.new_tensor(t0 + h)) - k1, x) / h0
    if not math.isfinite(d1 + d2):
        return h0
    h1 = (0.01 / max(d1, d2)) ** (1 / order) if max(d1, d2) > 1e-15 else max(1e-6, 1e-3 * h0)
    return min(100 * h0, h1)


def sdeint(
    drift: VectorField,
    diffusion: VectorField,
    x0: Tensor,
    t_span: tuple[float, float],
    *,
    method: str,
    steps: int,
    generator: torch.Generator,
) -> Solution:
    """A sample path of dx = f(x, t) dt + g(x, t) dW at t1, from x0 at t0.

    "euler_maruyama"   x + f h + g dW, dW ~ N(0, |h|): the Ito solution
    "stochastic_heun"  the mean of f and of g at both ends of that step: the Stratonovich solution

    The two solutions are the same where g does not depend on x. The noise is diagonal:
    diffusion(x, t) returns a 0-d tensor, or one with the axes of x that broadcasts to its shape.
    Backward in time h < 0 and dW stays N(0, |h|).

    Raises as `odeint` does; TypeError without a generator.

    >>> g = torch.Generator().manual_seed(0)
    >>> one = torch.ones(())
    >>> sol = sdeint(lambda x, t: -x, lambda x, t: one, torch.zeros(10_000, 1), (0.0, 5.0),
    ...              method="stochastic_heun", steps=100, generator=g)
    >>> abs(sol.x.var().item() - 0.5) < 0.03, sol.nfe
    (True, 200)
    """
    if method not in ("euler_maruyama", "stochastic_heun"):
        raise ValueError(
            f"method must be 'euler_maruyama' or 'stochastic_heun' for an SDE, got {method!r}"
        )
    t0, t1 = check.interval(t_span)
    n = check.positive_integer("steps", steps)
    check.state(x0)
    require_generator(generator)
    f, g = Field(drift, x0, "drift"), Field(diffusion, x0, "diffusion", broadcasts=True)
    if t0 == t1:
        return Solution(x0, t1, 0, 0, 0)
    h = (t1 - t0) / n
    x = x0
    grid = [*(t0 + i * h for i in range(n)), t1]
    for i, (t, t_new) in enumerate(stage_times(SOLVERS["heun"], grid, x0)):
        dw = math.sqrt(abs(h)) * randn_like(x, generator)
        fx, gx = f(x, t), g(x, t)
        x_new = x + h * fx + gx * dw
        if method == "stochastic_heun":
            x_new = x + h / 2 * (fx + f(x_new, t_new)) + (gx + g(x_new, t_new)) / 2 * dw
        if not is_finite(x_new):
            raise not_finite(i + 1, grid)
        x = x_new
    return Solution(x, t1, f.nfe, n, 0)
