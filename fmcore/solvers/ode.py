r"""ODE solvers: from a velocity field to the flow it generates.

`odeint` solves x' = v(x, t), x(t0) = x0. A method is a Butcher tableau (`tableaus.py`), and one
explicit step serves them all: on a fixed grid, or with steps h chosen from the estimated error,

    err   = rms( h sum_i (b_i - b*_i) k_i / (atol + rtol max(|x|, |x_new|)) )    over the batch
    h_new = h clip(0.9 err^(-1/(q+1)), 0.2, 10)             q the order of the embedded method b*

where a step with err > 1 is rejected and tried again (Hairer, Norsett & Wanner 1993, II.4).

Time may run backward. Everything is plain autograd: gradients with respect to x0, to the
parameters of v, and to times (`times.py`) are those of the steps taken (discretise, then optimise).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from fmcore.checks import is_finite, summary
from fmcore.solvers._arguments import number_of_steps
from fmcore.solvers._control import ErrorControl
from fmcore.solvers._output import DenseOutput, Output
from fmcore.solvers._runge_kutta import Grid, stage_times, step, weighted_sum
from fmcore.solvers.field import CountedField, VectorField, initial_state
from fmcore.solvers.tableaus import ButcherTableau, find_tableau
from fmcore.solvers.times import Stretched, interval, moving

# A state that is not finite stays so: checking it after every 16 steps misses nothing, and checking
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

    def __repr__(self) -> str:
        return summary(self, **vars(self))


def odeint(
    v: VectorField,
    x0: Tensor,
    t_span: tuple[float, float] | Tensor = (0.0, 1.0),
    *,
    method: str | ButcherTableau = "heun",
    steps: int | None = None,
    step_size: float | None = None,
    rtol: float | None = None,
    atol: float | None = None,
    t_eval: Sequence[float] | Tensor | None = None,
    max_steps: int = 10_000,
) -> Solution:
    """The solution of x' = v(x, t), x(t0) = x0 at t1, and at the times `t_eval` before it.

    v           called as v(x, t), t a 0-d tensor in float32 or better; returns a tensor like x
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

    t_span and t_eval may be, or hold, tensors that require a gradient: dx/dt1 = v(x, t1) and
    dx/dt0 = -(dx/dx0) v(x0, t0), as exactly as the steps, which stretch with the interval. Then all
    states at `t_eval` come from slopes within steps, those at the end of a step as well.

    The state is computed in float32 or better and returned in the dtype of x0, in which v sees it.
    If gradients are enabled, and x0 or the parameters of v ask for them, the graph of every step
    is kept, which takes memory: under `torch.no_grad()` none is.

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
    tableau = find_tableau(method)
    t0, t1 = interval(t_span)
    n = number_of_steps(t1 - t0, steps, step_size, rtol, atol, max_steps)
    f = CountedField(v, initial_state(x0))
    start, ends = x0.to(f.wide), moving(t_span)
    field = f if ends is None else Stretched(f, t0, t1, ends)
    output = None if t_eval is None else DenseOutput(tableau, start, t0, t1, t_eval, ends)
    x, accepted, rejected = start, 0, 0
    if n is None:
        control = ErrorControl.of(tableau, rtol, atol)
        if t0 != t1:
            x, accepted, rejected = _adaptive(field, tableau, x, t0, t1, control, max_steps, output)
    elif t0 != t1:
        h = (t1 - t0) / n if step_size is None else math.copysign(step_size, t1 - t0)
        x, accepted = _fixed(field, tableau, x, Grid(t0, t1, h, n), output), n
    ts, xs = (None, None) if output is None else (y.to(x0.dtype) for y in output.stacked())
    x = x.to(x0.dtype)
    return Solution(x, t1, f.nfe, accepted, rejected, ts, xs)


def _fixed(
    f: VectorField,
    tableau: ButcherTableau,
    x: Tensor,
    grid: Sequence[float],
    output: Output | None,
) -> Tensor:
    """The state at the end of the grid, after one step between each two of its times."""
    n = len(grid) - 1
    needed = tableau.stages - tableau.fsal  # an FSAL method's last slope is the next k1
    k1, checked, good = None, 0, x  # `good` is the state after `checked` steps
    for i, (t, t_new, times) in enumerate(stage_times(tableau, grid, x)):
        x_new, slopes = step(f, tableau, x, t_new - t, times[:needed], k1)
        k1 = None
        if output is not None:
            if tableau.fsal and output.inside(t_new):
                k1 = f(x_new, times[-1])
                slopes.append(k1)
            output.collect(t, x, slopes, t_new, x_new)
        x = x_new
        if (i + 1) % CHECK_EVERY == 0 or i + 1 == n:
            if not is_finite(x):
                raise _first_bad_step(f, tableau, good, grid, checked)
            checked, good = i + 1, x
    return x


@torch.no_grad()
def _first_bad_step(
    f: VectorField, tableau: ButcherTableau, x: Tensor, grid: Sequence[float], i: int
) -> ValueError:
    """The error that names it: steps again from the state after `i` steps, checking each."""
    for t, t_new, times in stage_times(tableau, grid[i:], x):
        if not is_finite(x):
            break
        x, _ = step(f, tableau, x, t_new - t, times, None)
        i += 1
    return not_finite(i, grid)


def not_finite(i: int, grid: Sequence[float]) -> ValueError:
    """The error for a state that is not finite after step `i`."""
    return ValueError(
        f"NaN or infinity in the state after step {i} of {len(grid) - 1}, at t={grid[i]:g}: "
        "take smaller steps, or look at the field there"
    )


def _adaptive(
    f: VectorField,
    tableau: ButcherTableau,
    x: Tensor,
    t0: float,
    t1: float,
    control: ErrorControl,
    max_steps: int,
    output: Output | None,
) -> tuple[Tensor, int, int]:
    """The state at t1, and the numbers of accepted and rejected steps that led there."""
    needed = tableau.stages - tableau.fsal
    sign = math.copysign(1.0, t1 - t0)
    t, accepted, rejected = t0, 0, 0
    k1 = f(x, x.new_tensor(t0))
    h = control.first_step(f, x, k1, t0, t1)
    while t != t1:
        # With less than two steps to go, take half of what is left, and no sliver at the end. The
        # figures' script (`adapt` in viz/js/flow/solvers.js) has the same line.
        left = abs(t1 - t)
        t_new = t1 if left <= h else (t + t1) / 2 if left < 2 * h else t + h * sign
        h = abs(t_new - t)
        if accepted + rejected == max_steps or h <= 1e-15 * abs(t):
            raise ValueError(
                f"cannot go on at t={t:.9g} with step size {h:.3g}, after {accepted} accepted and "
                f"{rejected} rejected steps (max_steps={max_steps}). If v is finite and smooth "
                "there, loosen rtol and atol, allow more steps, or take fixed ones"
            )
        _, _, times = next(stage_times(tableau, (t, t_new), x))
        x_new, slopes = step(f, tableau, x, t_new - t, times[:needed], k1)
        if tableau.fsal:
            slopes.append(f(x_new, times[-1]))
        with torch.no_grad():
            w, total = weighted_sum(control.weights, slopes)
            err = h * abs(w) * control.norm(total, torch.maximum(x.abs(), x_new.abs()))
            err = err if is_finite(x_new) else math.inf
        if err <= 1:
            if output is not None:
                output.collect(t, x, slopes, t_new, x_new)
            t, x, k1 = t_new, x_new, slopes[-1] if tableau.fsal else None
            accepted += 1
        else:
            k1 = slopes[0]
            rejected += 1
        h *= control.factor(err)
    return x, accepted, rejected
