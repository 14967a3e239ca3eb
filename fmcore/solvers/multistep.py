r"""Multistep solvers for a path: what is known of the schedule is integrated in closed form.

At x = a x1 + b x0 the velocity is two estimates, D of the data and E of the noise, x = a D + b E.
With the clock lambda = log(a / b) the equation x' = v is either of (Lu et al. 2022, eq. 3.4; 2022b)

    d(x / b) = e^lambda D d lambda,        d(x / a) = -e^-lambda E d lambda,

so that only D, or E, has to be guessed in between. Where it stays as it is, both come to

    x_new = a_new D + b_new E                                          order 1: DDIM

(Song et al. 2021, eq. 12 with sigma = 0), which needs no lambda and holds where a or b is 0. Where
it goes on changing as in the step before, whose length in lambda is h', up to half of the step h,

    x_new += (a_new - b_new a / b) (h / 2h') (D - D')                  order 2: DPM-Solver++(2M)

or, in the noise, (b_new - a_new b / a) (h / 2h') (E - E') (DPM-Solver-2M).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
from torch import Tensor

from fmcore.checks import is_finite, one_of, positive, real_numbers, shown, whole
from fmcore.paths import ProbabilityPath
from fmcore.paths.path import check_field
from fmcore.solvers.field import CountedField, VectorField, initial_state
from fmcore.solvers.ode import Solution, not_finite
from fmcore.solvers.times import constant
from fmcore.tables import Table, check_callable


def uniform(path: ProbabilityPath, steps: int) -> Tensor:
    """Equal steps in t, from 0 to 1."""
    return torch.linspace(0, 1, whole("steps", steps) + 1, dtype=torch.float64)


def log_snr(path: ProbabilityPath, steps: int, margin: float = 1e-3) -> Tensor:
    """Equal steps in log(a / b) between `margin` and 1 - `margin`; its ends are at 0 and 1.

    There the clock may be infinite, as at both ends of an `OTPath`.
    """
    t = uniform(path, steps)
    if not 0 < positive("margin", margin) < 0.5:
        raise ValueError(f"margin must lie in (0, 0.5), got {margin!r}")
    ends = torch.tensor([margin, 1 - margin], dtype=t.dtype)
    low, high = torch.log(path.a(ends) / path.b(ends))
    clock = torch.lerp(low, high, t)
    inner = path.time_at(torch.sigmoid(clock), torch.sigmoid(-clock))[1:-1]
    return torch.cat((t[:1], inner, t[-1:]))


def shifted(path: ProbabilityPath, steps: int, shift: float = 3.0) -> Tensor:
    """t / (t + shift (1 - t)) of equal steps: with shift > 1 shorter ones near the noise.

    As in Stable Diffusion 3 (Esser et al. 2024, eq. 23), whose time runs the other way. A shift of
    p after one of q is one of p q.

    >>> from fmcore.paths import OTPath
    >>> shifted(OTPath(), 2, shift=3.0)
    tensor([0.0000, 0.2500, 1.0000], dtype=torch.float64)
    """
    t = uniform(path, steps)
    return t / (t + positive("shift", shift) * (1 - t))


GRIDS: Table[Callable[[ProbabilityPath, int], Tensor]] = Table(
    "grid", check_callable("grid"), uniform=uniform, log_snr=log_snr, shifted=shifted
)
"""The times of `multistep` by name: `grid(path, steps)` are `steps + 1` times from 0 to 1."""


def multistep(
    v: VectorField,
    path: ProbabilityPath,
    x0: Tensor,
    *,
    order: int = 2,
    steps: int,
    predict: str = "data",
    grid: str | Sequence[float] | Tensor | None = None,
) -> Solution:
    """The solution of x' = v(x, t) at the end of the grid, one evaluation of v a step.

    v           a velocity field of `path`, called as v(x, t), t a 0-d tensor; bind labels to it
    x0          state at the first time, (B, *shape)
    order       1 (DDIM) or 2 (DPM-Solver++(2M)), at most `steps`
    predict     "data" or "noise": what is taken to be linear in log(a / b); with order 1 it is all
                the same, and on an `OTPath` with sigma_min = 0 it is Euler
    grid        None for equal steps in t, a key of `GRIDS`, or `steps + 1` times in [0, 1] that
                increase, such as `GRIDS["shifted"](path, steps, shift=9.0)`

    Order 1 is used in the first step, which has no other before it; in the second if a = 0 at the
    start, since h' is infinite; and in the last if b = 0 at its end, where x_new is D. v is never
    evaluated at the last time, where that of a `VPPath` is infinite. Time runs forward only: use
    `odeint` to encode data. With steps of equal length in t, the order 2 asked for is 1.93 to 2.00
    on an `OTPath` with sigma_min = 0.05; with sigma_min = 0 the last steps, ever longer in lambda,
    bring it down to between 0.8 and 1.8 (three Gaussians in the plane, 20 to 320 steps).

    The state is computed in float32 or better and returned in the dtype of x0, in which v sees it.

    Raises TypeError or ValueError that says what was given and what is allowed; ValueError with
    the time and step where NaN or infinity appears.

    >>> from fmcore.fields import GaussianMixture, MarginalField
    >>> from fmcore.paths import VPPath
    >>> v = MarginalField(GaussianMixture([[2.0]], stds=0.1), VPPath())
    >>> sol = multistep(v, VPPath(), torch.tensor([[0.5]]), steps=10)
    >>> f"{sol.x.item():.1f}", sol.nfe
    ('2.0', 10)
    """
    n = whole("steps", steps)
    if whole("order", order, 1, 2) > n:
        raise ValueError(f"order={order} needs at least {order} steps, got steps={n}")
    one_of("predict", predict, ("data", "noise"))
    check_field(v, path)
    times, a, b, clock = _schedule(path, n, grid)
    f = CountedField(v, initial_state(x0))
    x, before = x0.to(f.wide), None
    ts = times.to(x.dtype).to(x.device)
    for i in range(n):
        k = f(x, ts[i])
        data, noise = path.velocity_to_data(k, x, ts[i]), path.velocity_to_noise(k, x, ts[i])
        x = a[i + 1] * data + b[i + 1] * noise
        held = data if predict == "data" else noise
        if order == 2 and before is not None and b[i + 1] > 0:
            ratio = (clock[i + 1] - clock[i]) / (clock[i] - clock[i - 1])  # 0 if h' is infinite
            if predict == "data":
                weight = a[i + 1] - b[i + 1] * a[i] / b[i]
            else:
                weight = b[i + 1] - a[i + 1] * b[i] / a[i]
            x = x + weight * ratio / 2 * (held - before)
        before = held
        if not is_finite(x):
            raise not_finite(i + 1, times.tolist())
    return Solution(x.to(x0.dtype), times[-1].item(), f.nfe, n, 0)


def _schedule(
    path: ProbabilityPath, steps: int, grid: str | Sequence[float] | Tensor | None
) -> tuple[Tensor, list[float], list[float], list[float]]:
    """The times of a grid, and a, b and log(a / b) there."""
    if grid is None or isinstance(grid, str):
        grid = GRIDS.find("grid", "uniform" if grid is None else grid)(path, steps)
    constant("grid", grid)
    real_numbers("grid", grid)
    t = torch.as_tensor(grid, dtype=torch.float64, device="cpu")
    if t.shape != (steps + 1,):
        raise ValueError(f"grid must be steps + 1 = {steps + 1} times, got shape {tuple(t.shape)}")
    for time in t.tolist():
        if not 0 <= time <= 1:  # NaN fails as well
            raise ValueError(f"grid must lie in [0, 1], got {shown(time)}")
    for earlier, later in pairwise(t.tolist()):
        if later <= earlier:
            raise ValueError(f"grid must increase, got {shown(later)} after {shown(earlier)}")
    a, b = path.a(t).expand_as(t), path.b(t).expand_as(t)
    clock = torch.log(a / b)
    if not bool((clock.diff() > 0).all()):
        raise ValueError(f"a(t) / b(t) must grow along the grid, on {path}")
    return t, a.tolist(), b.tolist(), clock.tolist()
