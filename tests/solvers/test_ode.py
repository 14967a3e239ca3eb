"""Solutions against closed forms: order, cost, gradients, refusals."""

import math

import pytest
import torch
from known import (
    F64,
    FIELDS,
    METHODS,
    NAN,
    ONE,
    PAIRS,
    decay,
    known,
    listed,
    observed_order,
)

from fmcore.solvers import SOLVERS, odeint

# --- order ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("direction", ["forward", "backward"])
@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize("method", METHODS)
def test_order_at_the_end(method, field, direction):
    v = FIELDS[field]
    span = (v.t0, v.t1) if direction == "forward" else (v.t1, v.t0)

    def error(n):
        sol = odeint(v, v.exact(span[0]), span, method=method, steps=n)
        return (sol.x - v.exact(span[1])).abs().max().item()

    order = SOLVERS[method].order
    assert observed_order(error, known(method).coarsest) == pytest.approx(order, abs=0.1)


# --- one step, and what it costs -----------------------------------------------------------------


@pytest.mark.parametrize("method", METHODS)
def test_the_field_is_read_at_the_nodes_of_the_tableau(method):
    seen = []

    def v(x, t):
        assert t.shape == () and t.dtype == x.dtype and t.device == x.device
        seen.append(t.item())
        return x

    odeint(v, ONE, (2.0, 5.0), method=method, steps=3)
    times = [2.0 + i + c for i in range(3) for c in known(method).nodes]
    assert seen == pytest.approx(times, abs=1e-15)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("steps", [1, 7, 40])
def test_nfe_of_fixed_steps(method, steps):
    sol = odeint(decay, ONE, method=method, steps=steps)
    assert (sol.nfe, sol.accepted, sol.rejected) == (steps * known(method).evaluations, steps, 0)
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


# --- gradients -----------------------------------------------------------------------------------


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


# --- refusals ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("arguments", "error", "message"), [
    ({}, ValueError, "either steps, or step_size, or both rtol and atol; got none of them"),
    ({"steps": 3, "step_size": 0.1}, ValueError, "got steps and step_size"),
    ({"steps": 3, "rtol": 1e-3, "atol": 1e-3}, ValueError, "got steps and rtol and atol"),
    ({"rtol": 1e-3}, ValueError, "got rtol$"),
    ({"atol": 1e-3}, ValueError, "got atol$"),
    ({"steps": 0}, ValueError, "steps must be a whole number of at least 1, got 0"),
    ({"steps": -2}, ValueError, "steps must be a whole number of at least 1, got -2"),
    ({"steps": 2.0}, TypeError, "steps must be a whole number of at least 1, got 2.0"),
    ({"steps": True}, TypeError, "steps must be a whole number of at least 1, got True"),
    ({"steps": "3"}, TypeError, "steps must be a whole number of at least 1, got '3'"),
    ({"step_size": 0}, ValueError, "step_size must be a finite number > 0, got 0"),
    ({"step_size": -0.1}, ValueError, "step_size must be a finite number > 0, got -0.1"),
    ({"step_size": math.inf}, ValueError, "step_size must be a finite number > 0, got inf"),
    ({"step_size": "big"}, TypeError, "step_size must be a finite number > 0, got 'big'"),
    ({"step_size": True}, TypeError, "step_size must be a finite number > 0, got True"),
    ({"step_size": 1e-5}, ValueError,
     "step_size=1e-05 means 100000 steps, more than max_steps=10000$"),
    ({"step_size": 1e-320}, ValueError, "means inf steps"),
    ({"steps": 3, "max_steps": 0}, ValueError, "max_steps must be a whole .* at least 1, got 0"),
    ({"rtol": 1e-3, "atol": 1e-3}, ValueError, rf"\({listed(PAIRS)}\), which 'heun' does not have"),
    ({"method": "dopri5", "rtol": 1e-3, "atol": 0}, ValueError, "atol must be a finite number > 0"),
    ({"method": "dopri5", "rtol": NAN, "atol": 1}, ValueError, "rtol must be a finite number >= 0"),
    ({"method": "dopri5", "rtol": -1, "atol": 1}, ValueError, "rtol must be a finite number >= 0"),
    ({"method": "dopri5", "rtol": 1e-3, "atol": NAN}, ValueError, "atol must be a finite number"),
    ({"method": "hoin", "steps": 3}, ValueError,
     f"one of {listed(METHODS)} or a ButcherTableau, got 'hoin'"),
    ({"method": 4, "steps": 3}, ValueError, "got 4"),
    ({"stpes": 3}, TypeError, "unexpected keyword argument 'stpes'"),
    ({"steps": 3, "t_span": (0, NAN)}, ValueError, r"t_span must be finite, got \(0, nan\)"),
    ({"steps": 3, "t_span": (0, math.inf)}, ValueError, r"t_span must be finite, got \(0, inf\)"),
    ({"steps": 3, "t_span": 1.0}, TypeError, r"t_span must be two numbers \(t0, t1\), got 1.0"),
    ({"steps": 3, "t_span": (0, 1, 2)}, TypeError, "t_span must be two numbers"),
    ({"steps": 3, "t_eval": [0.5, 1.5]}, ValueError, "between t0=0 and t1=1, got 1.5"),
    ({"steps": 3, "t_eval": [-0.1]}, ValueError, "between t0=0 and t1=1, got -0.1"),
    ({"steps": 3, "t_eval": [NAN]}, ValueError, "between t0=0 and t1=1, got nan"),
    ({"steps": 3, "t_eval": [0.5, 0.2]}, ValueError, "from t0=0 to t1=1, got 0.2 after 0.5"),
    ({"steps": 3, "t_eval": [0.2, 0.5], "t_span": (1, 0)}, ValueError, "got 0.5 after 0.2"),
    ({"steps": 3, "t_eval": [[0.5]]}, ValueError, r"one-dimensional, got shape \(1, 1\)"),
    ({"steps": 3, "x0": [1.0]}, TypeError, "x0 must be a torch.Tensor, got list"),
    ({"steps": 3, "x0": torch.ones(2, dtype=torch.int64)}, TypeError, "got torch.int64"),
    ({"steps": 3, "x0": torch.ones(2, dtype=torch.bool)}, TypeError, "got torch.bool"),
    ({"steps": 3, "x0": torch.ones(2, dtype=torch.complex64)}, TypeError, "got torch.complex64"),
    ({"steps": 3, "x0": torch.tensor([1.0, NAN])}, ValueError, "x0 must be finite"),
    ({"steps": 3, "v": 3.0}, TypeError, r"v must be callable as v\(x, t\), got float"),
    ({"steps": 3, "v": lambda x, t: 1.0}, TypeError, "must return a tensor, got float"),
    ({"steps": 3, "v": lambda x, t: x[None]}, ValueError, r"x's shape \(1,\), got \(1, 1\)"),
    ({"steps": 3, "v": lambda x, t: x.sum()}, ValueError, r"x's shape \(1,\), got \(\)"),
    ({"steps": 3, "v": lambda x, t: x.float()}, TypeError,
     "x's dtype torch.float64, got torch.float32: under autocast"),
    ({"steps": 3, "v": lambda x, t: x.to("meta")}, ValueError, "x's device cpu, got meta"),
])  # fmt: skip
def test_refusals(arguments, error, message):
    with pytest.raises(error, match=message):
        odeint(**{"v": decay, "x0": ONE, **arguments})


@pytest.mark.parametrize("step", [1, 5, 16, 17, 40])
@pytest.mark.parametrize("method", ["euler", "dopri5"])
def test_nan_is_reported_with_its_time_and_step(step, method):
    start = (step - 1) / 40

    def v(x, t):
        return torch.where(t >= start - 1e-9, NAN, 1.0) * x

    message = rf"NaN or infinity in the state after step {step} of 40, at t={step / 40:g}: "
    # Each step of dopri5 reads the field at its end as well.
    start += 0.5 / 40 if method == "dopri5" else 0.0
    with pytest.raises(ValueError, match=message):
        odeint(v, ONE, method=method, steps=40)


def test_infinity_that_grows_from_the_state_is_reported_at_its_step():
    x, step = 1.0, 0
    while math.isfinite(x):  # Euler's method for x' = 9 x^2, by hand
        x, step = x + 0.01 * 9 * x * x, step + 1
    assert 17 < step < 100 and step % 16
    with pytest.raises(ValueError, match=f"after step {step} of 100, at t={step / 100:g}: "):
        odeint(lambda x, t: 9 * x * x, ONE, method="euler", steps=100)


def test_a_sum_that_overflows_is_no_infinity():
    x0 = torch.full((4096,), 60_000.0, dtype=torch.float16)
    sol = odeint(lambda x, t: torch.zeros_like(x), x0, method="euler", steps=2)
    assert torch.equal(sol.x, x0)
