"""`odeint` on fixed grids: observed orders, evaluations, times, gradients."""

import math

import pytest
import torch
from equations import COARSEST, F64, FIELDS, METHODS, ONE, STAGES, decay, observed_order

from fmcore.solvers import SOLVERS, odeint

NODES = {
    "euler": [0],
    "midpoint": [0, 1 / 2],
    "heun": [0, 1],
    "rk4": [0, 1 / 2, 1 / 2, 1],
    "bosh3": [0, 1 / 2, 3 / 4],
    "dopri5": [0, 1 / 5, 3 / 10, 4 / 5, 8 / 9, 1],
}


@pytest.mark.parametrize("direction", ["forward", "backward"])
@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize("method", METHODS)
def test_order_at_the_end(method, field, direction):
    v = FIELDS[field]
    span = (v.t0, v.t1) if direction == "forward" else (v.t1, v.t0)

    def error(n):
        sol = odeint(v, v.exact(span[0]), span, method=method, steps=n)
        return (sol.x - v.exact(span[1])).abs().max().item()

    assert observed_order(error, COARSEST[method]) == pytest.approx(SOLVERS[method].order, abs=0.1)


@pytest.mark.parametrize("method", METHODS)
def test_the_field_is_read_at_the_nodes_of_the_tableau(method):
    seen = []

    def v(x, t):
        assert t.shape == () and t.dtype == x.dtype and t.device == x.device
        seen.append(t.item())
        return x

    odeint(v, ONE, (2.0, 5.0), method=method, steps=3)
    assert seen == pytest.approx([2.0 + i + c for i in range(3) for c in NODES[method]], abs=1e-15)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("steps", [1, 7, 40])
def test_nfe_of_fixed_steps(method, steps):
    sol = odeint(decay, ONE, method=method, steps=steps)
    assert (sol.nfe, sol.accepted, sol.rejected) == (steps * STAGES[method], steps, 0)
    off_grid = odeint(decay, ONE, method=method, steps=steps, t_eval=[0.01, 0.5, 0.999])
    assert off_grid.nfe == sol.nfe + SOLVERS[method].fsal
    on_grid = odeint(decay, ONE, method=method, steps=steps, t_eval=[0.0, 1.0])
    assert on_grid.nfe == sol.nfe


def test_step_size_shortens_the_last_step():
    times = []

    def v(x, t):
        times.append(t.item())
        return x * 0 + 1

    sol = odeint(v, ONE, (0.0, 1.0), method="euler", step_size=0.3)
    assert sol.nfe == 4 and times == pytest.approx([0, 0.3, 0.6, 0.9])
    assert sol.x.item() == pytest.approx(2.0, abs=1e-15)
    times.clear()
    back = odeint(v, ONE, (1.0, 0.0), method="euler", step_size=0.3)
    assert back.nfe == 4 and times == pytest.approx([1, 0.7, 0.4, 0.1])
    assert back.x.item() == pytest.approx(0.0, abs=1e-15)


@pytest.mark.parametrize("n", [1, 3, 7, 10, 49, 1000])
def test_step_size_of_an_nth_is_n_steps(n):
    assert odeint(decay, ONE, (0.0, 0.7), method="euler", step_size=0.7 / n).accepted == n
    assert odeint(decay, ONE, (0.0, 7.0), method="euler", step_size=70.0).accepted == 1


def test_time_does_not_drift():
    ends = []

    def v(x, t):
        ends.append(t.item())
        return x

    odeint(v, ONE, (0.0, 0.7), method="heun", steps=1000)
    assert ends[-1] == 0.7 and ends[2 * 500] == 0.0 + 500 * (0.7 / 1000)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, F64])
@pytest.mark.parametrize("shape", [(), (5,), (2, 1, 28, 28), (0, 3)])
def test_any_shape_and_dtype(dtype, shape):
    x0 = torch.ones(shape, dtype=dtype)
    fixed = odeint(decay, x0, method="rk4", steps=8, t_eval=[0.3, 1])
    adaptive = odeint(decay, x0, method="dopri5", rtol=1e-2, atol=1e-4, t_eval=[0.3, 1])
    for sol in (fixed, adaptive):
        assert sol.x.shape == shape and sol.x.dtype == dtype
        assert sol.xs.shape == (2, *shape) and sol.ts.dtype == dtype
        exact = torch.full(shape, math.exp(-1), dtype=F64)
        tol = 3e-3 + 4 * torch.finfo(dtype).eps
        torch.testing.assert_close(sol.x.to(F64), exact, atol=tol, rtol=0)


@pytest.mark.parametrize("method", METHODS)
def test_there_and_back_again(method):
    v = FIELDS["forced"]
    there = odeint(v, v.x0, (0.3, 1.0), method=method, steps=500)
    back = odeint(v, there.x, (1.0, 0.3), method=method, steps=500)
    assert (back.x - v.x0).abs().max() < {1: 2e-2, 2: 1e-4}.get(SOLVERS[method].order, 1e-8)


@pytest.mark.parametrize("settings", [
    {"method": "euler", "steps": 1}, {"method": "rk4", "steps": 40},
    {"method": "dopri5", "steps": 9},
    {"method": "dopri5", "rtol": 1e-9, "atol": 1e-9},
    {"method": "bosh3", "rtol": 1e-8, "atol": 1e-8},
], ids=str)  # fmt: skip
def test_gradients_on_a_linear_system(settings):
    g = torch.Generator().manual_seed(0)
    a = (torch.randn(3, 3, dtype=F64, generator=g) * 0.5).requires_grad_()
    x0 = torch.randn(5, 3, dtype=F64, generator=g).requires_grad_()
    w = torch.randn(2, 5, 3, dtype=F64, generator=g)

    def loss(x0, a):
        sol = odeint(lambda x, t: x @ a.T, x0, (0.0, 0.8), **settings, t_eval=[0.4, 0.8])
        return (w * sol.xs).sum()

    if settings == {"method": "euler", "steps": 1}:
        exact = sum((w_i * (x0 + t * x0 @ a.T)).sum() for w_i, t in zip(w, (0.4, 0.8), strict=True))
    else:
        flow = (torch.matrix_exp(t * a) for t in (0.4, 0.8))
        exact = sum((w_i * (x0 @ m.T)).sum() for w_i, m in zip(w, flow, strict=True))
    expected = torch.autograd.grad(exact, (x0, a))
    for got, want in zip(torch.autograd.grad(loss(x0, a), (x0, a)), expected, strict=True):
        torch.testing.assert_close(got, want, rtol=1e-6, atol=1e-6)
    if "steps" in settings:
        assert torch.autograd.gradcheck(loss, (x0, a))
