"""Output at requested times: as good as the steps, and free of charge."""

import pytest
import torch
from known import F64, FIELDS, METHODS, ONE, PAIRS, decay, known, observed_order

from fmcore.solvers import SOLVERS, odeint


@pytest.mark.parametrize("direction", ["forward", "backward"])
@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize("method", METHODS)
def test_order_between_the_grid_points(method, field, direction):
    v = FIELDS[field]
    span = (v.t0, v.t1) if direction == "forward" else (v.t1, v.t0)
    times = torch.linspace(*span, 418, dtype=F64)[1:-1]
    exact = torch.stack([v.exact(t) for t in times.tolist()])

    def error(n):
        sol = odeint(v, v.exact(span[0]), span, method=method, steps=n, t_eval=times)
        return (sol.xs - exact).abs().max().item()

    order = SOLVERS[method].order
    assert observed_order(error, known(method).coarsest) == pytest.approx(order, abs=0.1)


SETTINGS = [
    *({"method": m, "steps": 11} for m in METHODS),
    *({"method": m, "rtol": 1e-5, "atol": 1e-6} for m in PAIRS),
]


@pytest.mark.parametrize("span", [(0.3, 1.3), (1.3, -0.4)])
@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_requested_times_change_nothing_else(settings, span):
    v = FIELDS["forced"]
    plain = odeint(v, v.x0, span, **settings)
    times = torch.linspace(*span, 24, dtype=F64)
    sol = odeint(v, v.x0, span, **settings, t_eval=times)
    assert plain.ts is None and plain.xs is None
    assert torch.equal(sol.x, plain.x)
    assert (sol.accepted, sol.rejected) == (plain.accepted, plain.rejected)
    assert torch.equal(sol.xs[0], v.x0) and torch.equal(sol.xs[-1], sol.x)
    assert torch.equal(sol.ts, times) and sol.t == span[1]


@pytest.mark.parametrize("dtype", [torch.float32, F64])
def test_grid_times_give_grid_states(dtype):
    v = FIELDS["forced"]
    x0 = v.x0
    times = torch.linspace(0.0, 0.7, 11, dtype=dtype)
    sol = odeint(v, x0, (0.0, 0.7), method="dopri5", steps=10, t_eval=times)
    assert sol.nfe == 60
    for i in range(1, 11):
        again = odeint(v, x0, (0.0, 0.07 * i), method="dopri5", steps=i).x
        torch.testing.assert_close(sol.xs[i], again, rtol=1e-13, atol=1e-13)


def test_repeated_and_absent_times():
    sol = odeint(decay, ONE, steps=4, t_eval=[0, 0, 0.3, 0.3, 0.5, 0.5, 1, 1])
    assert sol.xs.shape == (8, 1)
    for i in (0, 2, 4, 6):
        assert torch.equal(sol.xs[i], sol.xs[i + 1])
    assert odeint(decay, ONE, steps=4, t_eval=[]).xs.shape == (0, 1)


@pytest.mark.parametrize("method", PAIRS)
def test_output_of_adaptive_steps_is_as_good_as_its_steps(method):
    times = torch.linspace(0, 5, 501, dtype=F64)
    for tol in (1e-4, 1e-7):
        sol = odeint(decay, ONE, (0.0, 5.0), method=method, rtol=tol, atol=tol, t_eval=times)
        assert (sol.xs[:, 0] - torch.exp(-times)).abs().max() < 3 * tol


def test_no_time_at_all():
    for settings in SETTINGS:
        sol = odeint(decay, ONE, (0.4, 0.4), **settings, t_eval=[0.4, 0.4])
        assert torch.equal(sol.x, ONE) and (sol.nfe, sol.accepted, sol.rejected) == (0, 0, 0)
        assert torch.equal(sol.xs, ONE.expand(2, 1))
