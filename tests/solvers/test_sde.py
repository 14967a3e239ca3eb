"""Stochastic equations against closed forms: moments, strong order, refusals."""

import math

import pytest
import torch
from known import F64, FIELDS, NAN, ONE, decay, listed
from small import gen

from fmcore.solvers import SDE_METHODS, odeint, sdeint


@pytest.mark.parametrize(("method", "nfe"), [("euler_maruyama", 1), ("stochastic_heun", 2)])
def test_ornstein_uhlenbeck(method, nfe):
    theta, sigma, n = 1.3, 0.8, 40_000
    x0 = torch.full((n, 1), 2.0, dtype=F64)
    sol = sdeint(
        lambda x, t: -theta * x, lambda x, t: torch.full((1, 1), sigma, dtype=F64), x0, (0.0, 1.0),
        method=method, steps=200, generator=gen(),
    )  # fmt: skip
    mean, var = 2 * math.exp(-theta), sigma**2 / (2 * theta) * (1 - math.exp(-2 * theta))
    assert (sol.nfe, sol.accepted, sol.t) == (200 * nfe, 200, 1.0)
    bias = 0.006 if nfe == 1 else 0.0  # theta h / 2 of the mean; 0.003 and 0.0007 of the variance
    assert sol.x.mean().item() == pytest.approx(mean, abs=bias + 4 * math.sqrt(var / n))
    assert sol.x.var().item() == pytest.approx(var, abs=bias / 4 + 4 * var * math.sqrt(2 / n))


@pytest.mark.parametrize(
    ("method", "ode"), [("euler_maruyama", "euler"), ("stochastic_heun", "heun")]
)
def test_without_noise_an_sde_is_an_ode(method, ode):
    v = FIELDS["forced"]
    none = torch.zeros((), dtype=F64)
    sol = sdeint(v, lambda x, t: none, v.x0, (0.3, 1.0), method=method, steps=7, generator=gen())
    torch.testing.assert_close(sol.x, odeint(v, v.x0, (0.3, 1.0), method=ode, steps=7).x)


def test_time_dependence_and_exactness_for_pure_noise():
    # dx = 2 t dt + 3 t^2 dW: the Heun mean of g at both ends, and x(1) - N(1, 9/5).
    x0 = torch.zeros(50_000, 1, dtype=F64)
    sol = sdeint(
        lambda x, t: 2 * t * torch.ones_like(x), lambda x, t: 3 * t**2, x0, (0.0, 1.0),
        method="stochastic_heun", steps=50, generator=gen(),
    )  # fmt: skip
    assert sol.x.mean().item() == pytest.approx(1.0, abs=4 * math.sqrt(1.8 / 50_000))
    assert sol.x.var().item() == pytest.approx(1.8, rel=4 * math.sqrt(2 / 50_000))


@pytest.mark.parametrize(("method", "order"), [("euler_maruyama", 0.5), ("stochastic_heun", 1.0)])
def test_strong_order_on_geometric_brownian_motion(method, order, monkeypatch):
    # The same Brownian path at every step size: increments of the finest grid, added up.
    fine, mu, sigma, rows = 1024, 0.5, 0.7, 2000
    path = torch.randn(fine, rows, 1, dtype=F64, generator=gen()) / math.sqrt(fine)
    w1 = path.sum(0)
    drift = mu - sigma**2 / 2 if method == "euler_maruyama" else mu
    exact = torch.exp(drift + sigma * w1)

    def error(n):
        unit = iter(path.reshape(n, fine // n, rows, 1).sum(1) * math.sqrt(n))
        monkeypatch.setattr("fmcore.solvers.sde.randn_like", lambda x, generator: next(unit))
        sol = sdeint(
            lambda x, t: mu * x, lambda x, t: sigma * x, torch.ones(rows, 1, dtype=F64), (0.0, 1.0),
            method=method, steps=n, generator=gen(),
        )  # fmt: skip
        return (sol.x - exact).abs().mean().item()

    slope = math.log2(error(32) / error(512)) / 4
    assert slope == pytest.approx(order, abs=0.1)


def test_sde_runs_backward_and_repeats_itself():
    def run(seed, span):
        return sdeint(
            lambda x, t: torch.ones_like(x), lambda x, t: torch.ones_like(x) * 0.5,
            torch.zeros(20_000, 1), span, method="euler_maruyama", steps=10, generator=gen(seed),
        ).x  # fmt: skip

    back = run(1, (1.0, 0.0))
    assert back.mean().item() == pytest.approx(-1.0, abs=0.02)
    assert back.std().item() == pytest.approx(0.5, abs=0.02)
    assert torch.equal(run(1, (0.0, 1.0)), run(1, (0.0, 1.0)))
    assert not torch.equal(run(1, (0.0, 1.0)), run(2, (0.0, 1.0)))
    assert torch.equal(run(1, (0.3, 0.3)), torch.zeros(20_000, 1))
    nothing = sdeint(
        decay, decay, ONE, (0.3, 0.3), method="euler_maruyama", steps=10, generator=gen()
    )
    assert (nothing.nfe, nothing.accepted, nothing.rejected) == (0, 0, 0)


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_a_number_will_do_as_diffusion(dtype):
    def solve(diffusion):
        return sdeint(
            decay, diffusion, torch.ones(5, 2, dtype=dtype), (0, 1), method="stochastic_heun",
            steps=4, generator=gen(), t_eval=[0.3, 0.7],
        )  # fmt: skip

    expected = solve(lambda x, t: torch.full((), 2.0, dtype=dtype))
    for diffusion in (2, 2.0, torch.tensor(2), lambda x, t: 2, lambda x, t: 2.0):
        sol = solve(diffusion)
        assert torch.equal(sol.x, expected.x) and torch.equal(sol.xs, expected.xs)
        assert sol.x.dtype == dtype and sol.nfe == expected.nfe


@pytest.mark.parametrize(("arguments", "error", "message"), [
    ({"method": "milstein"}, ValueError, f"one of {listed(SDE_METHODS)}, got 'milstein'"),
    ({"steps": 0}, ValueError, "steps must be a whole number of at least 1, got 0"),
    ({"generator": None}, TypeError, "generator must be a torch.Generator"),
    ({"t_span": (0, NAN)}, ValueError, "t_span must be finite"),
    ({"x0": torch.ones(2, 2, dtype=torch.int32)}, TypeError, "got torch.int32"),
    ({"drift": lambda x, t: x[0]}, ValueError, r"drift\(x, t\) must return .* got \(2,\)"),
    # It would broadcast over the columns although it has one entry a row.
    ({"diffusion": lambda x, t: x[:, 0]}, ValueError, r"diffusion\(x, t\) .* \(2, 2\), got \(2,\)"),
    ({"diffusion": lambda x, t: x[:, :, None]}, ValueError, r"got \(2, 2, 1\)"),
    ({"diffusion": lambda x, t: torch.ones(3, 1)}, ValueError, r"got \(3, 1\)"),
    ({"diffusion": lambda x, t: "0.5"}, TypeError, "must return a tensor or a number, got str"),
    ({"diffusion": lambda x, t: True}, TypeError, "must return a tensor or a number, got bool"),
    ({"diffusion": "0.5"}, TypeError, "diffusion must be a finite number, got '0.5'"),
    ({"diffusion": NAN}, ValueError, "diffusion must be a finite number"),
    ({"drift": lambda x, t: x / (t - t)}, ValueError,
     "NaN or infinity in the state after step 1 of 4, at t=0.25"),
])  # fmt: skip
def test_sde_refusals(arguments, error, message):
    good = {
        "drift": decay, "diffusion": lambda x, t: torch.ones_like(x), "x0": torch.ones(2, 2),
        "t_span": (0.0, 1.0), "method": "euler_maruyama", "steps": 4, "generator": gen(),
    }  # fmt: skip
    with pytest.raises(error, match=message):
        sdeint(**{**good, **arguments})
