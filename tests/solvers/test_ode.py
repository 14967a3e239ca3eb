"""Solvers against closed forms: order, cost, control of the error, gradients, refusals."""

import dataclasses
import itertools
import json
import math
from fractions import Fraction

import pytest
import torch

from fmcore.solvers import SOLVERS, ButcherTableau, odeint, sdeint
from fmcore.solvers.tableaus import continuous_extension

F64 = torch.float64
METHODS = list(SOLVERS)
PAIRS = ["bosh3", "dopri5"]
ONE = torch.ones(1, dtype=F64)
NAN = float("nan")
# Evaluations a step: an FSAL method's last slope is the next step's first.
STAGES = {"euler": 1, "midpoint": 2, "heun": 2, "rk4": 4, "bosh3": 3, "dopri5": 6}

NODES = {
    "euler": [0],
    "midpoint": [0, 1 / 2],
    "heun": [0, 1],
    "rk4": [0, 1 / 2, 1 / 2, 1],
    "bosh3": [0, 1 / 2, 3 / 4],
    "dopri5": [0, 1 / 5, 3 / 10, 4 / 5, 8 / 9, 1],
}


def decay(x, t):
    return -x


class Forced:
    """x' = A x + cos(3 t) p + sin(3 t) q for a batch of rows x, solved by a matrix exponential."""

    def __init__(self):
        g = torch.Generator().manual_seed(5678)
        self.a = torch.randn(4, 4, dtype=F64, generator=g) * 0.6
        self.p, self.q = torch.randn(2, 4, dtype=F64, generator=g)
        self.x0 = torch.randn(3, 4, dtype=F64, generator=g)
        self.t0, self.t1 = 0.3, 3.3

    def __call__(self, x, t):
        return x @ self.a.T + torch.cos(3 * t) * self.p + torch.sin(3 * t) * self.q

    def exact(self, t):
        # (x, cos, sin) together obey a linear system with constant coefficients.
        m = torch.zeros(6, 6, dtype=F64)
        m[:4, :4], m[:4, 4], m[:4, 5] = self.a, self.p, self.q
        m[4, 5], m[5, 4] = -3.0, 3.0
        clock = torch.tensor([math.cos(3 * self.t0), math.sin(3 * self.t0)], dtype=F64)
        z0 = torch.cat((self.x0, clock.expand(3, 2)), dim=1)
        return (z0 @ torch.matrix_exp(m * (t - self.t0)).T)[:, :4]


class Tutorial:
    """x' = (x + t^2 - 2) / (t + 1), with x = t^2 + 2 t + 2 - 2 (t + 1) log(t + 1) + c (t + 1)."""

    t0, t1 = 0.0, 5.0
    x0 = torch.tensor([[2.0], [3.5]], dtype=F64)

    def __call__(self, x, t):
        return (x + t**2 - 2) / (t + 1)

    def exact(self, t):
        # Variation of constants: (x / (t + 1))' = (t^2 - 2) / (t + 1)^2.
        particular = (t + 1) * (t + 1 - 2 * math.log(t + 1) + 1 / (t + 1))
        return particular + (self.x0 - 2) * (t + 1)


FIELDS = {"forced": Forced(), "tutorial": Tutorial()}


def observed_order(error, coarsest):
    """Slope of log error on log step, where the step is halved."""
    coarse, fine = error(coarsest), error(2 * coarsest)
    assert fine > 1e-12, "rounding hides the order"
    return math.log2(coarse / fine)


COARSEST = {"euler": 2000, "midpoint": 400, "heun": 400, "bosh3": 200, "rk4": 120, "dopri5": 60}


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

    assert observed_order(error, COARSEST[method]) == pytest.approx(SOLVERS[method].order, abs=0.1)


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

    assert observed_order(error, COARSEST[method]) == pytest.approx(SOLVERS[method].order, abs=0.1)


def trees(order):
    """Rooted trees with so many nodes, each the sorted tuple of the trees on its root."""
    if order == 1:
        return [()]
    forests = {()}
    for parts in partitions(order - 1):
        forests |= {tuple(sorted(f)) for f in itertools.product(*(trees(p) for p in parts))}
    return sorted(forests - {()})


def partitions(n, largest=None):
    if n == 0:
        return [()]
    return [(k, *rest) for k in range(min(n, largest or n), 0, -1) for rest in partitions(n - k, k)]


def nodes(tree):
    return 1 + sum(map(nodes, tree))


def density(tree):
    """gamma: the product over all nodes of the size of the subtree there."""
    return nodes(tree) * math.prod(map(density, tree))


def slope_of(tree, a):
    """For each stage the elementary weight of the tree without b (Hairer et al., II.2)."""
    s = len(a)
    below = [slope_of(branch, a) for branch in tree]
    return [math.prod(sum(a[i][j] * w[j] for j in range(i)) for w in below) for i in range(s)]


def defect(weights, a, order, theta=1.0):
    """The largest violation of the order conditions up to `order`."""
    return max(
        abs(
            sum(w * p for w, p in zip(weights, slope_of(tree, a), strict=True))
            - theta**n / density(tree)
        )
        for n in range(1, order + 1)
        for tree in trees(n)
    )


def test_the_trees_are_counted_right():
    assert [len(trees(n)) for n in range(1, 7)] == [1, 1, 2, 4, 9, 20]


@pytest.mark.parametrize("method", METHODS)
def test_order_conditions(method):
    s = SOLVERS[method]
    assert defect(s.b, s.a, s.order) < 1e-14
    assert defect(s.b, s.a, s.order + 1) > 1e-4
    if s.b_embedded:
        assert defect(s.b_embedded, s.a, s.embedded_order) < 1e-14
        assert defect(s.b_embedded, s.a, s.embedded_order + 1) > 1e-4


@pytest.mark.parametrize("method", METHODS)
def test_order_conditions_of_the_continuous_extension(method):
    s = SOLVERS[method]
    order = {"euler": 1, "midpoint": 2, "heun": 2, "bosh3": 3, "rk4": 3, "dopri5": 4}[method]
    for theta in (0.0, 0.1, 0.5, 0.77, 1.0):
        assert defect(s.dense_weights(theta), s.a, order, theta) < 1e-13
    assert s.dense_weights(1.0) == pytest.approx(s.b, abs=1e-14)


def test_the_entries_are_the_published_ones():
    def exact(row):
        return [str(Fraction(x).limit_denominator(100_000)) for x in row]

    assert exact(SOLVERS["heun"].b) == ["1/2", "1/2"] and exact(SOLVERS["heun"].c) == ["0", "1"]
    assert exact(SOLVERS["midpoint"].b) == ["0", "1"]
    assert exact(SOLVERS["rk4"].b) == ["1/6", "1/3", "1/3", "1/6"]
    assert exact(SOLVERS["rk4"].c) == ["0", "1/2", "1/2", "1"]
    assert exact(SOLVERS["bosh3"].c) == ["0", "1/2", "3/4", "1"]
    assert exact(SOLVERS["bosh3"].error) == ["-5/72", "1/12", "1/9", "-1/8"]
    assert exact(SOLVERS["dopri5"].c) == ["0", "1/5", "3/10", "4/5", "8/9", "1", "1"]
    dormand_prince = [71 / 57600, 0, -71 / 16695, 71 / 1920, -17253 / 339200, 22 / 525, -1 / 40]
    assert SOLVERS["dopri5"].error == pytest.approx([2 / 3 * e for e in dormand_prince], abs=1e-15)


def test_the_extension_of_dopri5_is_smooth_across_steps():
    # Slopes v at both ends, and the coefficients with the smallest error, which make b(1/2) this.
    s = SOLVERS["dopri5"]
    slope = [sum(j * d for j, d in enumerate(row, 1)) for row in s.dense]
    assert slope == pytest.approx([0] * 6 + [1], abs=1e-12)
    shampine = [
        6025192743 / 30085553152, 0, 51252292925 / 65400821598, -2691868925 / 45128329728,
        187940372067 / 1594534317056, -1776094331 / 19743644256, 11237099 / 235043384,
    ]  # fmt: skip
    assert s.dense_weights(0.5) == pytest.approx([w / 2 for w in shampine], abs=1e-12)


# --- one step, and what it costs -----------------------------------------------------------------


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


@pytest.mark.parametrize("method", PAIRS)
def test_nfe_of_adaptive_steps(method):
    v = FIELDS["forced"]
    for tol in (1e-3, 1e-6):
        sol = odeint(v, v.x0, (0.3, 4.0), method=method, rtol=tol, atol=tol)
        assert sol.nfe == 2 + STAGES[method] * (sol.accepted + sol.rejected)
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


# --- requested times -----------------------------------------------------------------------------

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


# --- adaptive steps ------------------------------------------------------------------------------


@pytest.mark.parametrize("method", PAIRS)
@pytest.mark.parametrize("field", FIELDS)
def test_the_error_follows_the_tolerance(method, field):
    v = FIELDS[field]
    t1 = v.t0 + 1.7
    errors, costs = [], []
    for tol in (1e-4, 1e-6, 1e-8):
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


# --- tableaux as data ----------------------------------------------------------------------------


def test_a_tableau_of_ones_own():
    ralston = ButcherTableau("ralston", 2, a=((), (2 / 3,)), b=(1 / 4, 3 / 4), c=(0, 2 / 3))
    v = FIELDS["forced"]

    def error(n):
        sol = odeint(v, v.x0, (0.3, 2.0), method=ralston, steps=n, t_eval=[0.777, 2.0])
        return (sol.xs[1] - v.exact(2.0)).abs().max().item()

    assert observed_order(error, 100) == pytest.approx(2, abs=0.1)


def test_a_tableau_without_extension_says_so():
    s = SOLVERS["rk4"]
    three_eighths = ButcherTableau(
        "3/8", 4, a=((), (1 / 3,), (-1 / 3, 1), (1, -1, 1)), b=(1 / 8, 3 / 8, 3 / 8, 1 / 8),
        c=(0, 1 / 3, 2 / 3, 1),
    )  # fmt: skip
    assert three_eighths.dense is None and s.dense is not None
    assert odeint(decay, ONE, method=three_eighths, steps=2, t_eval=[0, 0.5]).xs.shape == (2, 1)
    with pytest.raises(ValueError, match="3/8 has no continuous extension"):
        odeint(decay, ONE, method=three_eighths, steps=2, t_eval=[0.3])


def test_tableaux_survive_json():
    for name, s in SOLVERS.items():
        data = json.loads(json.dumps(s.as_dict()))
        assert data["name"] == name and data["order"] == s.order
        assert tuple(map(tuple, data["a"])) == s.a and tuple(data["b"]) == s.b
        assert ButcherTableau(**data) == s


@pytest.mark.parametrize(("change", "message"), [
    ({"c": (0, 0.5)}, "row 1 of a sums to 1.0, but c is 0.5"),
    ({"c": (0,)}, "one row or entry a stage, got 2, 2 and 1"),
    ({"a": ((), (0.5, 0.5))}, "strictly lower triangular: row 1 has 1 entries, got 2"),
    ({"b": (0.5, 0.6)}, "b must sum to 1"),
    ({"b_embedded": (1.0, 0.0)}, "b_embedded and embedded_order go together"),
    ({"b_embedded": (1.0, 0.1), "embedded_order": 1}, "b_embedded must have 2 entries"),
    ({"dense": ((1.0, -0.5), (0.0, 0.6))}, "dense must have 2 rows"),
    ({"dense": ((1.0, -0.5),)}, "dense must have 2 rows"),
    ({"order": 0}, "order must be a whole number of at least 1, got 0"),
])  # fmt: skip
def test_a_tableau_that_does_not_fit_together(change, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(SOLVERS["heun"], **change)


def test_the_quadratic_extension_leaves_with_the_first_slope():
    assert continuous_extension((0.0, 1.0), hermite=False) == ((1.0, -1.0), (0.0, 1.0))


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
    with pytest.raises(ValueError, match=message):
        # Each step of dopri5 reads the field at its end as well.
        start += 0.5 / 40 if method == "dopri5" else 0.0
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


# --- stochastic differential equations -----------------------------------------------------------


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize(("method", "nfe"), [("euler_maruyama", 1), ("stochastic_heun", 2)])
def test_ornstein_uhlenbeck(method, nfe):
    theta, sigma, n = 1.3, 0.8, 40_000
    x0 = torch.full((n, 1), 2.0, dtype=F64)
    sol = sdeint(
        lambda x, t: -theta * x, lambda x, t: torch.full((1, 1), sigma, dtype=F64), x0, (0.0, 1.0),
        method=method, steps=200, generator=seeded(),
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
    sol = sdeint(v, lambda x, t: none, v.x0, (0.3, 1.0), method=method, steps=7, generator=seeded())
    torch.testing.assert_close(sol.x, odeint(v, v.x0, (0.3, 1.0), method=ode, steps=7).x)


def test_time_dependence_and_exactness_for_pure_noise():
    # dx = 2 t dt + 3 t^2 dW: the Heun mean of g at both ends, and x(1) - N(1, 9/5).
    x0 = torch.zeros(50_000, 1, dtype=F64)
    sol = sdeint(
        lambda x, t: 2 * t * torch.ones_like(x), lambda x, t: 3 * t**2, x0, (0.0, 1.0),
        method="stochastic_heun", steps=50, generator=seeded(),
    )  # fmt: skip
    assert sol.x.mean().item() == pytest.approx(1.0, abs=4 * math.sqrt(1.8 / 50_000))
    assert sol.x.var().item() == pytest.approx(1.8, rel=4 * math.sqrt(2 / 50_000))


@pytest.mark.parametrize(("method", "order"), [("euler_maruyama", 0.5), ("stochastic_heun", 1.0)])
def test_strong_order_on_geometric_brownian_motion(method, order, monkeypatch):
    # The same Brownian path at every step size: increments of the finest grid, added up.
    fine, mu, sigma, rows = 1024, 0.5, 0.7, 2000
    path = torch.randn(fine, rows, 1, dtype=F64, generator=seeded()) / math.sqrt(fine)
    w1 = path.sum(0)
    drift = mu - sigma**2 / 2 if method == "euler_maruyama" else mu
    exact = torch.exp(drift + sigma * w1)

    def error(n):
        unit = iter(path.reshape(n, fine // n, rows, 1).sum(1) * math.sqrt(n))
        monkeypatch.setattr("fmcore.solvers.sde.randn_like", lambda x, generator: next(unit))
        sol = sdeint(
            lambda x, t: mu * x, lambda x, t: sigma * x, torch.ones(rows, 1, dtype=F64), (0.0, 1.0),
            method=method, steps=n, generator=seeded(),
        )  # fmt: skip
        return (sol.x - exact).abs().mean().item()

    slope = math.log2(error(32) / error(512)) / 4
    assert slope == pytest.approx(order, abs=0.1)


def test_sde_runs_backward_and_repeats_itself():
    def run(seed, span):
        return sdeint(
            lambda x, t: torch.ones_like(x), lambda x, t: torch.ones_like(x) * 0.5,
            torch.zeros(20_000, 1), span, method="euler_maruyama", steps=10, generator=seeded(seed),
        ).x  # fmt: skip

    back = run(1, (1.0, 0.0))
    assert back.mean().item() == pytest.approx(-1.0, abs=0.02)
    assert back.std().item() == pytest.approx(0.5, abs=0.02)
    assert torch.equal(run(1, (0.0, 1.0)), run(1, (0.0, 1.0)))
    assert not torch.equal(run(1, (0.0, 1.0)), run(2, (0.0, 1.0)))
    assert torch.equal(run(1, (0.3, 0.3)), torch.zeros(20_000, 1))
    nothing = sdeint(
        decay, decay, ONE, (0.3, 0.3), method="euler_maruyama", steps=10, generator=seeded()
    )
    assert (nothing.nfe, nothing.accepted, nothing.rejected) == (0, 0, 0)


@pytest.mark.parametrize(("arguments", "error", "message"), [
    ({"method": "milstein"}, ValueError, "'euler_maruyama', 'stochastic_heun', got 'milstein'"),
    ({"steps": 0}, ValueError, "steps must be a whole number of at least 1, got 0"),
    ({"generator": None}, TypeError, "generator must be a torch.Generator"),
    ({"t_span": (0, NAN)}, ValueError, "t_span must be finite"),
    ({"x0": torch.ones(2, 2, dtype=torch.int32)}, TypeError, "got torch.int32"),
    ({"drift": lambda x, t: x[0]}, ValueError, r"drift\(x, t\) must return .* got \(2,\)"),
    # It would broadcast over the columns although it has one entry a row.
    ({"diffusion": lambda x, t: x[:, 0]}, ValueError, r"diffusion\(x, t\) .* \(2, 2\), got \(2,\)"),
    ({"diffusion": lambda x, t: x[:, :, None]}, ValueError, r"got \(2, 2, 1\)"),
    ({"diffusion": lambda x, t: torch.ones(3, 1)}, ValueError, r"got \(3, 1\)"),
    ({"diffusion": lambda x, t: 0.5}, TypeError, r"diffusion\(x, t\) must return a tensor"),
    ({"diffusion": 0.5}, TypeError, "diffusion must be callable"),
    ({"drift": lambda x, t: x / (t - t)}, ValueError,
     "NaN or infinity in the state after step 1 of 4, at t=0.25"),
])  # fmt: skip
def test_sde_refusals(arguments, error, message):
    good = {
        "drift": decay, "diffusion": lambda x, t: torch.ones_like(x), "x0": torch.ones(2, 2),
        "t_span": (0.0, 1.0), "method": "euler_maruyama", "steps": 4, "generator": seeded(),
    }  # fmt: skip
    with pytest.raises(error, match=message):
        sdeint(**{**good, **arguments})
