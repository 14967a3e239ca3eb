"""The times of a solve: intervals, and gradients with respect to their ends and to output times."""

import math
import re

import numpy as np
import pytest
import torch
from known import F64
from torch.autograd import forward_ad
from torch.func import grad, jacfwd, jacrev, jvp

from fmcore import log_det, log_likelihood, multistep, odeint, sdeint
from fmcore.paths import OTPath
from fmcore.solvers.times import interval


@pytest.mark.parametrize("span", [(0, 1), [0, 1.0], np.array([0, 1]), torch.tensor([0.0, 1.0])])
def test_an_interval_of_any_kind(span):
    assert interval(span) == (0.0, 1.0) and {*map(type, interval(span))} == {float}
    assert interval((1, -2.5)) == (1.0, -2.5)  # backward


@pytest.mark.parametrize(
    "span", [1.0, None, (0,), (0, 1, 2), "01", ("0", "1"), (False, True), (0, None), (0, 1j)]
)
def test_what_is_no_interval(span):
    message = re.escape(f"t_span must be two numbers (t0, t1), got {span!r}")
    with pytest.raises(TypeError, match=f"^{message}$"):
        interval(span)


@pytest.mark.parametrize(
    ("span", "given"),
    [
        ((math.nan, 1), "(nan, 1)"),
        ((0, math.inf), "(0, inf)"),
        ((-math.inf, 0), "(-inf, 0)"),
        ((-(10**400), 10**400), "(-inf, inf)"),
    ],
)
def test_an_interval_is_finite(span, given):
    with pytest.raises(ValueError, match=f"^t_span must be finite, got {re.escape(given)}$"):
        interval(span)


RATE = 0.8


def grow(x, t):
    """x' = 2 rate t x: from x0 at t0 it grows to x0 exp(rate (t1^2 - t0^2))."""
    return 2 * RATE * t * x


def number(value):
    return torch.tensor(value, dtype=F64, requires_grad=True)


SETTINGS = [
    {"method": "rk4", "steps": 40},
    {"method": "dopri5", "steps": 10},  # whose last slope is the first of the next step
    {"method": "heun", "steps": 400},
    {"method": "rk4", "step_size": 0.03},
    {"method": "dopri5", "rtol": 1e-8, "atol": 1e-8},
]
X0 = torch.tensor([[1.0, -2.0]], dtype=F64)


@pytest.mark.parametrize("ends", [(0.2, 0.9), (0.9, 0.2)], ids=["forward", "backward"])
@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_the_ends_of_an_interval_have_the_gradients_of_the_flow(settings, ends):
    t0, t1 = map(number, ends)
    x = odeint(grow, X0, (t0, t1), **settings).x
    plain = odeint(grow, X0, ends, **settings).x
    assert torch.equal(x, plain)  # a gradient changes no number
    over_t0, over_t1 = torch.autograd.grad(x[0, 1], (t0, t1))
    v = grow(plain, ends[1])[0, 1]
    back = -grow(X0, ends[0])[0, 1] * plain[0, 1] / X0[0, 1]  # -(dx / dx0) v(x0, t0)
    assert over_t1.item() == pytest.approx(v.item(), rel=1e-4)
    assert over_t0.item() == pytest.approx(back.item(), rel=1e-4)


@pytest.mark.parametrize("method", ["euler", "midpoint", "rk4", "dopri5"])
def test_gradients_are_those_of_the_steps_taken(method):
    """With few steps, far from the flow: against differences of what `odeint` returns."""

    def solve(t0, t1, at):
        return odeint(grow, X0, (t0, t1), method=method, steps=2, t_eval=[t0, at, t1])

    def outputs(t0, t1, at):
        sol = solve(t0, t1, at)
        return torch.cat([sol.x.sum().reshape(1), sol.xs.sum((1, 2))])

    times, h = (0.2, 0.9, 0.3), 1e-6
    jacobian = torch.stack(torch.autograd.functional.jacobian(outputs, tuple(map(number, times))))
    for i in range(3):
        low, high = list(times), list(times)
        low[i], high[i] = times[i] - h, times[i] + h
        slope = (outputs(*high) - outputs(*low)) / (2 * h)
        torch.testing.assert_close(jacobian[i], slope, rtol=1e-7, atol=1e-7)


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_a_time_of_output_has_the_velocity_as_its_gradient(settings):
    """At the start, within a step, at the end of one, and at t1, which does not move."""
    at = torch.tensor([0.0, 0.234, 0.5, 1.0], dtype=F64, requires_grad=True)
    sol = odeint(grow, X0, t_eval=at, **settings)
    plain = odeint(grow, X0, t_eval=at.detach(), **settings)
    torch.testing.assert_close(sol.xs, plain.xs, rtol=1e-14, atol=0)
    assert torch.equal(sol.x, plain.x) and not sol.x.requires_grad
    jacobian = torch.stack([torch.autograd.grad(x[0, 0], at, retain_graph=True)[0] for x in sol.xs])
    v = [grow(x, t)[0, 0] for x, t in zip(plain.xs, at.detach(), strict=True)]
    torch.testing.assert_close(jacobian, torch.diag(torch.stack(v)), rtol=2e-3, atol=2e-3)


def test_a_state_at_a_fixed_time_does_not_move_with_the_end():
    t1 = number(1.0)
    sol = odeint(grow, X0, (0.0, t1), method="rk4", steps=50, t_eval=[0.25, 0.5])
    assert torch.autograd.grad(sol.xs.sum(), t1)[0].abs() < 1e-6 < sol.xs.sum().abs()


def test_gradients_of_every_kind_and_of_second_order():
    def end(t1):
        return odeint(grow, X0, (0.0, t1), method="rk4", steps=40).x[0, 0]

    t = torch.tensor(0.7, dtype=F64)
    x = math.exp(RATE * 0.49)
    first, second = 2 * RATE * 0.7 * x, (2 * RATE + (2 * RATE * 0.7) ** 2) * x
    with forward_ad.dual_level():
        dual = forward_ad.make_dual(t, torch.ones_like(t))
        forward = forward_ad.unpack_dual(end(dual)).tangent
    each = [grad(end)(t), jacrev(end)(t), jacfwd(end)(t), jvp(end, (t,), (t / t,))[1], forward]
    assert [g.item() for g in each] == pytest.approx([first] * 5, rel=1e-5)
    assert grad(grad(end))(t).item() == pytest.approx(second, rel=1e-4)

    def within(t1):
        return odeint(grow, X0, (0.0, t1), method="rk4", steps=40, t_eval=[0.3]).xs[0, 0, 0]

    assert grad(grad(within))(t).abs() < 1e-4  # a state at a fixed time stays

    def slope_in_x0(t1):  # the same exponential, by a gradient within
        return grad(lambda x: odeint(grow, x, (0.0, t1), method="rk4", steps=40).x.sum())(X0)[0, 0]

    assert jvp(slope_in_x0, (t,), (t / t,))[1].item() == pytest.approx(first, rel=1e-5)


def test_one_tensor_of_both_ends_in_single_precision():
    span = torch.tensor([0.0, 0.9], requires_grad=True)
    x = odeint(grow, X0.float(), span, method="rk4", steps=20).x
    (over,) = torch.autograd.grad(x[0, 0], span)
    assert x.dtype == over.dtype == torch.float32
    assert over.tolist() == pytest.approx(
        [0.0, 2 * RATE * 0.9 * x[0, 0].item()], rel=1e-4, abs=1e-5
    )
    with torch.no_grad():
        assert not odeint(grow, X0.float(), span, method="rk4", steps=20).x.requires_grad


def test_a_likelihood_has_a_gradient_in_time():
    """log p_t1(x) of N(0, e^(2 rate t1^2)), the flow of N(0, 1); and the logarithm alone."""
    t1, x = number(0.9), torch.tensor([[0.5], [1.5]], dtype=F64)
    res = log_likelihood(grow, x, t_span=(0.0, t1), method="rk4", steps=40)
    (over,) = torch.autograd.grad(res.log_prob.sum(), t1)
    slope = 2 * RATE * 0.9  # of the logarithm of the scale, in t1
    exact = (slope * ((x * math.exp(-RATE * 0.81)) ** 2 - 1)).sum()
    assert over.item() == pytest.approx(exact.item(), rel=1e-5)
    (over,) = torch.autograd.grad(log_det(grow, x, (0.0, t1), steps=40).log_det.sum(), t1)
    assert over.item() == pytest.approx(2 * slope, rel=1e-5)


def test_where_no_gradient_flows_there_is_an_error():
    still, g = (lambda x, t: 0 * x), torch.Generator()
    noisy = {"method": "euler_maruyama", "steps": 2, "generator": g}
    with pytest.raises(ValueError, match=r"no gradient flows to t_span: .* t_span.detach\(\)"):
        sdeint(still, still, X0, (0.0, number(1.0)), **noisy)
    with pytest.raises(ValueError, match="no gradient flows to t_eval"):
        sdeint(still, still, X0, (0.0, 1.0), t_eval=[0.5, number(1.0)], **noisy)
    with pytest.raises(ValueError, match="no gradient flows to grid"):
        multistep(grow, OTPath(), X0, steps=2, order=1, grid=[0.0, 0.5, number(1.0)])
    with pytest.raises(ValueError, match=r"t_span has no gradient where .* got \(0.5, 0.5\)"):
        odeint(grow, X0, (0.5, number(0.5)), steps=1)
    assert sdeint(still, still, X0, torch.tensor([0.0, 1.0]), **noisy).t == 1.0
