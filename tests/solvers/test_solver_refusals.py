"""What `odeint` refuses, and how it says where a state is not finite."""

import math

import pytest
import torch
from equations import NAN, ONE, decay

from fmcore.solvers import odeint


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
    ({"rtol": 1e-3, "atol": 1e-3}, ValueError, r"\('bosh3', 'dopri5'\), which 'heun' has not"),
    ({"method": "dopri5", "rtol": 1e-3, "atol": 0}, ValueError, "atol must be a finite number > 0"),
    ({"method": "dopri5", "rtol": NAN, "atol": 1}, ValueError, "rtol must be a finite number >= 0"),
    ({"method": "dopri5", "rtol": -1, "atol": 1}, ValueError, "rtol must be a finite number >= 0"),
    ({"method": "dopri5", "rtol": 1e-3, "atol": NAN}, ValueError, "atol must be a finite number"),
    ({"method": "hoin", "steps": 3}, ValueError,
     "'euler', 'midpoint', 'heun', 'rk4', 'bosh3', 'dopri5' or a ButcherTableau, got 'hoin'"),
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
