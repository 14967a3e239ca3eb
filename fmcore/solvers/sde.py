r"""SDE solvers: dx = f(x, t) dt + g(x, t) dW on a fixed grid.

With h the step, dW ~ N(0, |h|) and x* = x + h f(x, t) + g(x, t) dW,

    Euler-Maruyama    x_new = x*                                       the Ito solution
    stochastic Heun   x_new = x + h (f + f*) / 2 + (g + g*) / 2 dW     the Stratonovich solution

where f* and g* are taken at x* and t + h (Kloeden & Platen 1992, sections 10.2 and 14.1). The two
solutions are the same where g does not depend on x.

Between the ends of a step the state is x + theta (x_new - x) + g B, with B a Brownian bridge: the
law of W there, given dW. With Euler-Maruyama it is what a shorter step would have led to.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from fmcore.checks import is_finite, randn_like, real, require_generator, whole
from fmcore.solvers._output import BridgedOutput
from fmcore.solvers._runge_kutta import Grid, stage_times
from fmcore.solvers.field import CountedField, VectorField, initial_state
from fmcore.solvers.ode import Solution, not_finite
from fmcore.solvers.tableaus import HEUN
from fmcore.solvers.times import constant, interval
from fmcore.tables import Table, check_callable

Step = Callable[[CountedField, CountedField, Tensor, Tensor, Tensor, float, Tensor], Tensor]
"""One step `(f, g, x, t, t_new, h, dw) -> x_new`."""


def euler_maruyama(
    f: CountedField, g: CountedField, x: Tensor, t: Tensor, t_new: Tensor, h: float, dw: Tensor
) -> Tensor:
    """x + f h + g dW: strong order 1/2 (1 where g is constant), for the Ito solution."""
    return x + h * f(x, t) + g(x, t) * dw


def stochastic_heun(
    f: CountedField, g: CountedField, x: Tensor, t: Tensor, t_new: Tensor, h: float, dw: Tensor
) -> Tensor:
    """The mean of f and g at both ends of an Euler-Maruyama step, for the Stratonovich solution."""
    fx, gx = f(x, t), g(x, t)
    end = x + h * fx + gx * dw
    return x + h / 2 * (fx + f(end, t_new)) + (gx + g(end, t_new)) / 2 * dw


SDE_METHODS: Table[Step] = Table(
    "SDE method",
    check_callable("SDE method"),
    euler_maruyama=euler_maruyama,
    stochastic_heun=stochastic_heun,
)
"""The methods of `sdeint` by name."""


def sdeint(
    drift: VectorField,
    diffusion: VectorField | float,
    x0: Tensor,
    t_span: tuple[float, float],
    *,
    method: str,
    steps: int,
    generator: torch.Generator,
    t_eval: Sequence[float] | Tensor | None = None,
) -> Solution:
    """A sample path of dx = f(x, t) dt + g(x, t) dW at t1, and at the times `t_eval` before it.

    `method` is a key of `SDE_METHODS`: "euler_maruyama" (Ito) or "stochastic_heun" (Stratonovich).
    It takes `steps` equal steps. The noise is diagonal: diffusion(x, t) returns a number, a 0-d
    tensor, or one with the axes of x that broadcasts to its shape; `diffusion` may also be a number
    itself, the same everywhere. Backward in time h < 0 and dW stays N(0, |h|).

    `t_eval` are times between t0 and t1, as in `odeint`. What is asked for changes neither the
    steps nor x nor nfe: its noise is drawn after that of the steps. A time inside a step has the
    strong order of the method, and costs one more evaluation of the diffusion a step.

    Raises as `odeint` does; TypeError without a generator.

    >>> g = torch.Generator().manual_seed(0)
    >>> sol = sdeint(lambda x, t: -x, 1.0, torch.zeros(10_000, 1), (0.0, 5.0),
    ...              method="stochastic_heun", steps=100, generator=g)
    >>> abs(sol.x.var().item() - 0.5) < 0.03, sol.nfe
    (True, 200)
    """
    step = SDE_METHODS.find("method", method)
    t0, t1 = interval(t_span)
    constant("t_span", t_span)
    constant("t_eval", t_eval)
    n = whole("steps", steps)
    require_generator(generator)
    f = CountedField(drift, initial_state(x0), "drift")
    noise: Any = diffusion if callable(diffusion) else _everywhere(real("diffusion", diffusion))
    g = CountedField(noise, x0, "diffusion", broadcasts=True)
    h, x = (t1 - t0) / n, x0.to(f.wide)
    output = None if t_eval is None else BridgedOutput(x, t0, t1, t_eval)
    grid = Grid(t0, t1, h, n if h else 0)
    # The times of Heun's stages are those of both ends of a step.
    for i, (start, end, (t, t_new)) in enumerate(stage_times(HEUN, grid, x), start=1):
        dw = math.sqrt(abs(h)) * randn_like(x, generator)
        x_new = step(f, g, x, t, t_new, h, dw)
        if not is_finite(x_new):
            raise not_finite(i, grid)
        if output is not None:
            output.collect(start, x, [g(x, t)] if output.inside(end) else (), end, x_new)
        x = x_new
    ts = xs = None
    if output is not None:
        output.draw(generator)
        ts, xs = (y.to(x0.dtype) for y in output.stacked())
    return Solution(x.to(x0.dtype), t1, f.nfe, grid.n, 0, ts, xs)


def _everywhere(g: float) -> VectorField:
    return lambda x, t: x.new_tensor(g)
