"""Sample paths at requested times, and the strong and weak orders of both methods."""

import math

import pytest
import torch
from known import F64
from small import gen

from fmcore.solvers import SDE_METHODS, sdeint

METHODS = [("euler_maruyama", 1), ("stochastic_heun", 2)]
THETA, SIGMA, MU = 1.3, 0.8, 0.5


def constant(value, dtype=F64):
    """One and the same tensor at every time: a step is not told by it."""
    only = torch.tensor(value, dtype=dtype)
    return lambda x, t: only


def back(x, t):
    return -THETA * x


@pytest.mark.parametrize(("method", "nfe"), METHODS)
@pytest.mark.parametrize("span", [(0.0, 1.0), (1.0, 0.0)])
def test_marginals_of_an_ornstein_uhlenbeck_process(span, method, nfe):
    """Also back in time, where the drift that draws to 0 has the other sign."""
    n, x0 = 40_000, torch.full((40_000, 1), 2.0, dtype=F64)
    sign = span[1] - span[0]
    times = [t if sign > 0 else 1 - t for t in (0.0, 0.013, 0.5, 0.777, 0.7775, 1.0)]
    sol = sdeint(
        lambda x, t: sign * back(x, t), constant(SIGMA), x0, span, method=method, steps=100,
        generator=gen(), t_eval=times,
    )  # fmt: skip
    assert sol.nfe == 100 * nfe and sol.xs.shape == (6, n, 1)
    assert torch.equal(sol.xs[0], x0) and torch.equal(sol.xs[-1], sol.x)
    bias = 0.012 if nfe == 1 else 0.0
    for t, x in zip(times, sol.xs, strict=True):
        age = abs(t - span[0])
        var = SIGMA**2 / (2 * THETA) * (1 - math.exp(-2 * THETA * age))
        mean = 2 * math.exp(-THETA * age)
        assert x.mean().item() == pytest.approx(mean, abs=bias * age + 4 * math.sqrt(var / n))
        assert x.var().item() == pytest.approx(var, abs=bias * var + 4 * var * math.sqrt(2 / n))


@pytest.mark.parametrize(("method", "_"), METHODS)
@pytest.mark.parametrize("span", [(0.0, 1.0), (1.0, 0.0)])
def test_a_path_without_drift_is_brownian_within_its_steps_too(span, method, _):
    """Cov(W(s), W(t)) = min(s, t), for any number of steps and of times in each."""
    n = 40_000
    ages = torch.tensor([0.1, 0.2, 0.45, 0.6, 0.9, 1.0], dtype=F64)
    times = ages if span[0] == 0 else 1 - ages
    sol = sdeint(
        constant_like(0.0), constant(1.0), torch.zeros(n, 1, dtype=F64), span, method=method,
        steps=2, generator=gen(3), t_eval=times,
    )  # fmt: skip
    found = sol.xs[:, :, 0] @ sol.xs[:, :, 0].T / n
    torch.testing.assert_close(found, torch.minimum(ages[:, None], ages), rtol=0, atol=0.025)


def constant_like(value):
    return lambda x, t: torch.full_like(x, value)


@pytest.mark.parametrize(("method", "nfe"), METHODS)
def test_output_changes_nothing(method, nfe):
    asked = []

    def g(x, t):
        asked.append((t.item(), x.sum().item()))
        return 0.3 * x

    def run(**output):
        asked.clear()
        x0 = torch.ones(50, 2, dtype=F64)
        return sdeint(
            back, g, x0, (0.0, 1.0), method=method, steps=8, generator=gen(), **output
        )  # fmt: skip

    plain = run()
    assert plain.ts is plain.xs is None and len(asked) == 8 * nfe
    sol = run(t_eval=[0.0, 0.0, 0.125, 0.3, 0.3, 0.31, 0.9, 1.0, 1.0])
    assert torch.equal(sol.x, plain.x) and sol.nfe == plain.nfe == 8 * nfe
    assert len(asked) == 8 * nfe + 2  # one more in each of the two steps that hold times
    assert len(set(asked)) == 8 * nfe  # and that where the step began
    assert torch.equal(sol.xs[0], sol.xs[1]) and torch.equal(sol.xs[-1], sol.xs[-2])
    assert torch.equal(sol.xs[3], sol.xs[4]) and not torch.equal(sol.xs[4], sol.xs[5])
    assert torch.equal(sol.xs[-1], sol.x)
    grid = run(t_eval=torch.linspace(0, 1, 9, dtype=F64))
    assert torch.equal(grid.xs[1], sol.xs[2]) and len(asked) == 8 * nfe
    assert run(t_eval=[]).xs.shape == (0, 50, 2)


def test_an_empty_span_and_half_precision():
    x0 = torch.ones(3, 2, dtype=torch.bfloat16)
    how = dict(method="euler_maruyama", steps=300, generator=gen())
    still = sdeint(back, constant(1.0, x0.dtype), x0, (0.3, 0.3), t_eval=[0.3, 0.3], **how)
    assert torch.equal(still.xs, torch.stack([x0, x0])) and (still.nfe, still.accepted) == (0, 0)
    sol = sdeint(
        constant_like(1.0), constant(0.0, x0.dtype), x0, (0.0, 1.0), t_eval=[0.5, 0.7512, 1], **how
    )
    assert sol.x.dtype == sol.xs.dtype == sol.ts.dtype == torch.bfloat16
    moved = torch.tensor([1.5, 1.7512, 2.0])[:, None, None].expand(3, 3, 2)
    torch.testing.assert_close(sol.xs.float(), moved, rtol=0, atol=8e-3)


def strong_errors(method, drift, diffusion, exact, monkeypatch, t_eval=None):
    """Errors with 16 and 256 steps on the same Brownian paths, at t_eval or the end."""
    fine, rows = 1024, 2000
    steps = torch.randn(fine, rows, 1, dtype=F64, generator=gen()) / math.sqrt(fine)
    w = torch.cat((torch.zeros(1, rows, 1, dtype=F64), steps.cumsum(0)))
    errors = []
    for n in (16, 256):
        width = fine // n
        units = iter(w[::width].diff(dim=0) * math.sqrt(n))
        bridges = []
        for k in t_eval or ():
            start, part = k // width * width, k % width / width
            inside = w[k] - torch.lerp(w[start], w[start + width], part)
            bridges.append(inside / math.sqrt(part * (1 - part) / n))
        drawn = iter(bridges)
        monkeypatch.setattr("fmcore.solvers.sde.randn_like", lambda x, g, u=units: next(u))
        monkeypatch.setattr("fmcore.solvers._output.randn_like", lambda x, g, u=drawn: next(u))
        sol = sdeint(
            drift, diffusion, torch.ones(rows, 1, dtype=F64), (0.0, 1.0), method=method, steps=n,
            generator=gen(), t_eval=None if t_eval is None else [k / fine for k in t_eval],
        )  # fmt: skip
        x, at = (sol.x[None], [fine]) if t_eval is None else (sol.xs, t_eval)
        truth = torch.stack([exact(w, k, fine) for k in at])
        errors.append((x - truth).abs().mean().item())
    return errors


def brownian_motion_of(method):
    """Geometric: x = exp(mu t + sigma W) in the calculus of each method."""
    ito = method == "euler_maruyama"

    def exact(w, k, fine):
        return torch.exp((MU - ito * SIGMA**2 / 2) * k / fine + SIGMA * w[k])

    return lambda x, t: MU * x, lambda x, t: SIGMA * x, exact


def mean_reversion(w, k, fine):
    """Ornstein-Uhlenbeck by parts: W minus theta times its integral against an exponential."""
    s = torch.arange(k + 1, dtype=F64)[:, None, None] / fine
    decay = torch.exp(-THETA * (s[-1] - s))
    integral = torch.trapezoid(decay * w[: k + 1], dx=1 / fine, dim=0)
    return math.exp(-THETA * k / fine) + SIGMA * (w[k] - THETA * integral)


@pytest.mark.parametrize("t_eval", [None, [341, 683, 1001]])
@pytest.mark.parametrize(("method", "order"), [("euler_maruyama", 0.5), ("stochastic_heun", 1.0)])
def test_strong_order_with_multiplicative_noise(method, order, t_eval, monkeypatch):
    coarse, fine = strong_errors(method, *brownian_motion_of(method), monkeypatch, t_eval)
    assert math.log2(coarse / fine) / 4 == pytest.approx(order, abs=0.15)


@pytest.mark.parametrize("t_eval", [None, [341, 683, 1001]])
@pytest.mark.parametrize("method", SDE_METHODS)
def test_strong_order_with_additive_noise(method, t_eval, monkeypatch):
    field = back, constant(SIGMA), mean_reversion
    coarse, fine = strong_errors(method, *field, monkeypatch, t_eval)
    assert math.log2(coarse / fine) / 4 == pytest.approx(1.0, abs=0.15)


def one_step(method, drift, diffusion, x, z, h, monkeypatch):
    """A step of length h from x with the standard normal numbers z."""
    monkeypatch.setattr("fmcore.solvers.sde.randn_like", lambda like, g: z)
    how = dict(method=method, steps=1, generator=gen())
    return sdeint(drift, diffusion, x, (0.0, h), **how).x


@pytest.mark.parametrize("power", [1, 2])
@pytest.mark.parametrize("method", SDE_METHODS)
def test_weak_order_with_multiplicative_noise(method, power, monkeypatch):
    """x_new = M x with independent M, so that E x^p = (E M^p)^n: by quadrature, no sampling."""
    nodes = torch.linspace(-10, 10, 4001, dtype=F64)[:, None]
    density = torch.exp(-(nodes**2) / 2)
    drift, diffusion, _ = brownian_motion_of(method)
    ito = method == "euler_maruyama"
    exact = math.exp(power * (MU - ito * SIGMA**2 / 2) + power**2 * SIGMA**2 / 2)

    def error(n):
        m = one_step(method, drift, diffusion, torch.ones_like(nodes), nodes, 1 / n, monkeypatch)
        return abs(((density * m**power).sum() / density.sum()).item() ** n - exact)

    assert math.log2(error(64) / error(128)) == pytest.approx(1.0, abs=0.15)


@pytest.mark.parametrize(("method", "order"), [("euler_maruyama", 1), ("stochastic_heun", 2)])
def test_weak_order_with_additive_noise(method, order, monkeypatch):
    """x_new = A x + C z: the mean is A^n, and the variance the sum of C^2 A^2k."""

    def errors(n):
        start = torch.tensor([[1.0], [0.0]], dtype=F64)
        field = back, constant(SIGMA)
        a, c = one_step(method, *field, start, 1 - start, 1 / n, monkeypatch).flatten().tolist()
        var = c**2 * sum(a ** (2 * k) for k in range(n))
        exact = SIGMA**2 / (2 * THETA) * (1 - math.exp(-2 * THETA))
        return abs(a**n - math.exp(-THETA)), abs(var - exact)

    for coarse, fine in zip(errors(32), errors(64), strict=True):
        assert math.log2(coarse / fine) == pytest.approx(order, abs=0.15)
