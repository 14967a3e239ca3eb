"""Steps that are chosen: the error follows the tolerance, at the cost that is promised."""

import itertools
import math

import pytest
import torch
from known import F64, FIELDS, NAN, ONE, PAIRS, decay, known

from fmcore.solvers import SOLVERS, ButcherTableau, odeint


@pytest.mark.parametrize("method", PAIRS)
def test_nfe_of_adaptive_steps(method):
    v = FIELDS["forced"]
    for tol in (1e-3, 1e-6):
        sol = odeint(v, v.x0, (0.3, 4.0), method=method, rtol=tol, atol=tol)
        # Two for the first step, and all stages but the first of every trial: that one is the last
        # of the step before, or else it is evaluated anew after every step.
        after_the_first = SOLVERS[method].stages - 1
        anew = 0 if known(method).evaluations == after_the_first else sol.accepted - 1
        assert sol.nfe == 2 + after_the_first * (sol.accepted + sol.rejected) + anew
        assert (
            sol.nfe
            == odeint(
                v, v.x0, (0.3, 4.0), method=method, rtol=tol, atol=tol, t_eval=[0.31, 2.0, 3.999]
            ).nfe
        )


def test_a_pair_that_is_not_fsal_evaluates_every_first_stage():
    pair = ButcherTableau(
        "heun-euler", 2, a=((), (1,)), b=(0.5, 0.5), c=(0, 1), b_embedded=(1, 0), embedded_order=1
    )
    v = FIELDS["forced"]
    sol = odeint(v, v.x0, (0.3, 2.0), method=pair, rtol=1e-9, atol=1e-3)
    trials = sol.accepted + sol.rejected
    assert sol.nfe == 2 + trials + (sol.accepted - 1) and sol.accepted > 9
    assert (sol.x - v.exact(2.0)).abs().max() < 2e-2


@pytest.mark.parametrize("method", PAIRS)
@pytest.mark.parametrize("field", FIELDS)
def test_the_error_follows_the_tolerance(method, field):
    v = FIELDS[field]
    t1 = v.t0 + 1.7
    errors, costs = [], []
    # An estimate of order 1 would need more than 10,000 steps for the finer ones.
    fine = SOLVERS[method].embedded_order > 1
    for tol in (1e-4, 1e-6, 1e-8) if fine else (1e-2, 1e-3, 1e-4):
        sol = odeint(v, v.x0, (v.t0, t1), method=method, rtol=tol, atol=tol)
        errors.append((sol.x - v.exact(t1)).abs().max().item())
        costs.append(sol.nfe)
        assert errors[-1] < 20 * tol
    assert errors == sorted(errors, reverse=True) and costs == sorted(costs)


@pytest.mark.parametrize(("tol", "most", "error"), [
    (1e-3, 32, 1.9e-4), (1e-5, 62, 1.7e-6), (1e-6, 92, 1.7e-7), (1e-8, 200, 2.4e-9),
])  # fmt: skip
def test_dopri5_on_decay(tol, most, error):
    sol = odeint(decay, ONE, (0.0, 5.0), method="dopri5", rtol=tol, atol=tol)
    assert sol.nfe <= most
    assert abs(sol.x.item() - math.exp(-5)) < error


def test_dopri5_against_torchdiffeq():
    torchdiffeq = pytest.importorskip("torchdiffeq")
    v = FIELDS["forced"]
    ours = theirs = cost = their_cost = 0.0
    for tol, t1 in itertools.product((1e-4, 1e-6, 1e-8), (1.3, 2.1, 3.0)):
        count = itertools.count()

        def swapped(t, x, count=count):
            next(count)
            return v(x, t)

        span = torch.tensor([0.3, t1], dtype=F64)
        x = torchdiffeq.odeint(swapped, v.x0, span, method="dopri5", rtol=tol, atol=tol)[-1]
        sol = odeint(v, v.x0, (0.3, t1), method="dopri5", rtol=tol, atol=tol)
        ours += math.log((sol.x - v.exact(t1)).abs().max().item())
        theirs += math.log((x - v.exact(t1)).abs().max().item())
        cost, their_cost = cost + sol.nfe, their_cost + next(count)
    assert cost <= their_cost and ours <= theirs


def test_steps_grow_at_most_tenfold_and_are_tried_again_when_too_long():
    # A field that is 0 until t = 2 and then turns fast: the long step into it must be rejected.
    def v(x, t):
        return torch.where(t < 2, 0.0, 30.0) * torch.cos(30 * t) * torch.ones_like(x)

    sol = odeint(v, ONE * 0, (0.0, 3.0), method="dopri5", rtol=1e-6, atol=1e-6)
    assert sol.rejected >= 1
    assert sol.x.item() == pytest.approx(math.sin(90) - math.sin(60), abs=1e-4)


def test_the_controller_itself():
    # x' = p'(t) with p of degree 4 (q + 1 = 5): dopri5 errs only in its estimate, which we know.
    taken = []

    def v(x, t):
        taken.append(t.item())
        return 5 * t**4 * torch.ones_like(x)

    tol = 1e-4
    sol = odeint(v, ONE * 0, (0.0, 3.0), method="dopri5", rtol=0, atol=tol)
    grid = [0.0, *taken[2 + 5 :: 6]]
    s = SOLVERS["dopri5"]
    unit = abs(sum(e * c**4 for e, c in zip(s.error, s.c, strict=True))) * 5
    grown = 0
    for start, end, following in zip(grid, grid[1:], grid[2:], strict=False):
        h = end - start
        err = unit * h**5 / tol  # the terms in t h^4 and below vanish: b* has order 4
        factor = min(10.0, max(0.2, 0.9 * err ** (-1 / 5)))
        if 3.0 - end > 2 * h * factor:
            assert following - end == pytest.approx(h * factor, rel=1e-6)
            grown += 1
    assert grown >= 3 and sol.rejected == 0
    assert sol.x.item() == pytest.approx(3.0**5, rel=1e-12)


@pytest.mark.parametrize("sign", [1, -1])
def test_the_first_step_is_hairers(sign):
    seen = []

    def v(x, t):
        seen.append((t.item(), x.item()))
        return -x

    odeint(v, sign * ONE, (0.0, 5.0), method="dopri5", rtol=1e-6, atol=1e-6)
    # |x| = |x'| = |x''| = 1 over the scale 2e-6; an Euler step of h0 measures x''.
    h0, h1 = 0.01, (0.01 / (1 / 2e-6)) ** (1 / 5)
    assert seen[0] == (0, sign)
    assert seen[1] == pytest.approx((h0, sign * (1 - h0)))
    assert seen[2] == pytest.approx((0.2 * h1, sign * (1 - 0.2 * h1)), rel=1e-9)


@pytest.mark.parametrize(("slope", "bend"), [(1.0, 100.0), (1.0, 0.0), (0.0, 0.0)])
def test_the_first_step_heeds_both_derivatives(slope, bend):
    seen = []

    def v(x, t):
        seen.append(t.item())
        return (slope + bend * t) * torch.ones_like(x)

    odeint(v, ONE, (0.0, 0.1), method="dopri5", rtol=1e-6, atol=1e-6)
    most = max(slope, bend)
    h = (0.01 / (most / 2e-6)) ** (1 / 5) if most else 1e-6
    assert seen[2] == pytest.approx(0.2 * h, rel=1e-9)


def test_slopes_too_large_for_their_norm():
    sol = odeint(
        lambda x, t: torch.full_like(x, 1e38), torch.ones(1), method="dopri5", rtol=1e-3, atol=1e-3
    )
    assert sol.x.item() == pytest.approx(1e38, rel=1e-5)


def test_the_error_is_a_mean_over_the_batch():
    v = FIELDS["forced"]
    tol = {"method": "dopri5", "rtol": 1e-6, "atol": 1e-6}
    one, many = (odeint(v, x, (0.3, 2.0), **tol) for x in (v.x0, v.x0.repeat(100, 1)))
    assert (one.accepted, one.rejected) == (many.accepted, many.rejected)
    torch.testing.assert_close(many.x, one.x.repeat(100, 1), rtol=1e-9, atol=1e-12)


def test_a_hopeless_step_shrinks_to_a_fifth():
    ends = []

    def v(x, t):
        ends.append(t.item())
        return torch.where(t > 1e-5, NAN, 1.0) * torch.ones_like(x)

    tol = {"method": "dopri5", "rtol": 1e-3, "atol": 1e-3, "max_steps": 3}
    with pytest.raises(ValueError, match="after 0 accepted and 3 rejected"):
        odeint(v, ONE, **tol)
    trials = ends[2 + 5 :: 6]  # the first slope is kept: 6 evaluations a trial
    # |x| = |x'| gives h0 = 0.01; x'' cannot be had where the field is not finite.
    assert trials == pytest.approx([0.01, 0.002, 0.0004])


@pytest.mark.parametrize("span", [(0.0, 1.0), (1.0, 0.0)])
def test_the_field_is_never_read_outside_the_interval(span):
    seen = []

    def v(x, t):
        seen.append(t.item())
        return x * 1e-4

    odeint(v, ONE, span, method="dopri5", rtol=1e-3, atol=1e-3)
    assert min(seen) == 0.0 and max(seen) == 1.0 and seen[-1] == span[1]


def test_a_trial_that_overflows_is_tried_again_smaller():
    # log x is not defined for the x < 0 that a long first step would reach.
    def v(x, t):
        return -torch.sqrt(x) * torch.where(t < 0.5, 1e-9, 1.0)

    sol = odeint(v, ONE, (0.0, 2.3), method="dopri5", rtol=1e-6, atol=1e-6)
    assert sol.rejected > 0 and torch.isfinite(sol.x).all()
    assert sol.x.item() == pytest.approx(0.01, abs=1e-3)


def test_a_saturating_field_cannot_hide_an_infinite_state():
    big = torch.full((1,), 3e38)
    with pytest.raises(ValueError, match="cannot go on at t="):
        odeint(lambda x, t: big.clone(), big, (0.0, 3.0), method="dopri5", rtol=1e-3, atol=1e-3)


def test_nan_at_the_start_of_an_adaptive_solve():
    with pytest.raises(ValueError, match=r"NaN or infinity in v\(x0, t0\) at t0=0"):
        odeint(lambda x, t: x * NAN, ONE, method="dopri5", rtol=1e-3, atol=1e-3)


def test_an_adaptive_solve_that_cannot_go_on():
    tol = {"method": "dopri5", "rtol": 1e-6, "atol": 1e-6}
    place = r"cannot go on at t=(1\.0000|0\.9999)\d+ with step size .*e-\d+, "
    message = place + r"after \d{1,3} accepted and \d{1,3} rejected steps"
    with pytest.raises(ValueError, match=message):  # x = 1 / (1 - t)
        odeint(lambda x, t: x * x, ONE, (0.0, 2.0), **tol)
    message = r"after \d+ accepted and \d+ rejected steps \(max_steps=7\).*loosen rtol and atol"
    with pytest.raises(ValueError, match=message):
        odeint(lambda x, t: torch.cos(50 * t) * x, ONE, **tol, max_steps=7)
    sol = odeint(decay, ONE, **tol)
    assert odeint(decay, ONE, **tol, max_steps=sol.accepted + sol.rejected).nfe == sol.nfe
