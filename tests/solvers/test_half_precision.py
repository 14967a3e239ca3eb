"""Half precision: the state and the time are kept in float32, and only the field is coarse."""

import gc
import math
from itertools import pairwise

import numpy as np
import pytest
import torch

from fmcore.density import log_det, log_likelihood
from fmcore.solvers import SOLVERS, odeint, sdeint
from fmcore.solvers._runge_kutta import BLOCK, Grid, stage_times

HALF = [torch.bfloat16, torch.float16]


def one(x, t):
    return torch.ones_like(x)


def decay(x, t):
    return -x


@pytest.mark.parametrize("dtype", HALF)
@pytest.mark.parametrize("method", SOLVERS)
def test_many_small_steps_do_not_stand_still(method, dtype):
    """1 + 1/300 is 1 in bfloat16: 300 steps would end where they began."""
    x0 = torch.ones(3, 2, dtype=dtype)
    sol = odeint(one, x0, method=method, steps=300, t_eval=[0.5, 1.0])
    assert sol.x.dtype == sol.xs.dtype == dtype
    torch.testing.assert_close(sol.x.float(), torch.full((3, 2), 2.0), rtol=0, atol=2e-3)
    torch.testing.assert_close(sol.xs[0].float(), torch.full((3, 2), 1.5), rtol=0, atol=2e-3)


@pytest.mark.parametrize("dtype", HALF)
def test_the_field_sees_its_own_dtype_and_a_fine_time(dtype):
    seen = set()

    def v(x, t):
        assert x.dtype == dtype and t.dtype == torch.float32 and t.ndim == 0
        seen.add(t.item())
        return torch.ones_like(x)

    odeint(v, torch.zeros(2, dtype=dtype), method="euler", steps=1000)
    assert len(seen) == 1000
    sdeint(
        v, lambda x, t: x.new_zeros(()), torch.zeros(2, dtype=dtype), (0.0, 1.0),
        method="euler_maruyama", steps=1500, generator=torch.Generator(),
    )  # fmt: skip
    assert len(seen) > 1500


@pytest.mark.parametrize("dtype", HALF)
@pytest.mark.parametrize(
    "how", [dict(method="rk4", steps=50), dict(method="dopri5", rtol=1e-4, atol=1e-4)]
)
def test_only_the_field_is_rounded(how, dtype):
    """The same as a solve in float32 of the field that rounds by itself, rounded at the end."""
    x0 = torch.linspace(-2, 2, 9).to(dtype)

    def coarse(x, t):
        return torch.sin(x) - x * t

    def rounds_by_itself(x, t):
        return coarse(x.to(dtype), t).float()

    expected = odeint(rounds_by_itself, x0.float(), **how)
    found = odeint(coarse, x0, **how)
    assert torch.equal(found.x, expected.x.to(dtype)) and found.nfe == expected.nfe


@pytest.mark.parametrize("dtype", HALF)
def test_gradients_go_through(dtype):
    x0 = torch.full((1,), 0.5, dtype=dtype, requires_grad=True)
    odeint(decay, x0, method="heun", steps=200).x.sum().backward()
    assert x0.grad.dtype == dtype and abs(x0.grad.item() - math.exp(-1)) < 5e-3


@pytest.mark.parametrize("dtype", HALF)
def test_a_stochastic_path_moves_as_well(dtype):
    g, half = torch.Generator().manual_seed(0), torch.tensor(0.5, dtype=dtype)
    x0 = torch.ones(4000, 1, dtype=dtype)
    sol = sdeint(
        one, lambda x, t: half, x0, (0.0, 1.0), method="stochastic_heun", steps=500, generator=g
    )
    assert sol.x.dtype == dtype
    x = sol.x.float()
    assert abs(x.mean().item() - 2) < 0.03 and abs(x.std().item() - 0.5) < 0.03


@pytest.mark.parametrize("dtype", HALF)
@pytest.mark.parametrize("divergence", ["exact", "hutchinson"])
def test_a_logarithm_is_summed_finely(dtype, divergence):
    x = torch.full((2, 3), 0.1, dtype=dtype)
    how = dict(method="euler", steps=400, divergence=divergence, generator=torch.Generator())
    res = log_det(lambda x, t: 0.5 * x, x, **how)
    assert res.x.dtype == dtype and res.log_det.dtype == torch.float32
    torch.testing.assert_close(res.log_det, torch.full((2,), 1.5), rtol=0, atol=1e-4)
    found = log_likelihood(one, x + 1, method="euler", steps=400)
    torch.testing.assert_close(  # carries N(0, I) to N(1, I)
        found.log_prob, torch.distributions.Normal(1.0, 1.0).log_prob(x.float() + 1).sum(1),
        rtol=0, atol=5e-3,
    )  # fmt: skip


def test_single_and_double_precision_are_not_converted():
    for dtype in (torch.float32, torch.float64):
        x0 = torch.ones(2, dtype=dtype)
        assert odeint(decay, x0, (0.5, 0.5), steps=3).x is x0
        seen = []

        def v(x, t, seen=seen):
            seen.append((x, t))
            return -x

        odeint(v, x0, method="euler", steps=1)
        assert seen[0][0] is x0 and seen[0][1].dtype == dtype


# ---- times


@pytest.mark.parametrize("n", [1, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK + 7])
def test_times_made_in_blocks_are_those_made_at_once(n):
    tableau, x = SOLVERS["dopri5"], torch.zeros(1)
    t0, t1 = 0.1, -0.7
    grid = [t0 + i * ((t1 - t0) / n) for i in range(n)] + [t1]
    lazy = Grid(t0, t1, (t1 - t0) / n, n)
    assert [*lazy] == grid and lazy[3:9] == grid[3:9] and len(lazy) == n + 1
    nodes = torch.tensor(grid, dtype=torch.float64)
    c = torch.tensor(tableau.c, dtype=torch.float64)[:, None]
    expected = torch.lerp(nodes[:-1], nodes[1:], c).to(x.dtype).T
    steps = [*stage_times(tableau, lazy, x)]
    assert torch.equal(torch.stack([torch.stack(times) for _, _, times in steps]), expected)
    assert [(t, t_new) for t, t_new, _ in steps] == [*pairwise(grid)]


def live_tensors():
    return sum(issubclass(type(thing), torch.Tensor) for thing in gc.get_objects())


@pytest.mark.parametrize("steps", [2_000, 8_000])
def test_the_memory_of_a_solve_does_not_grow_with_its_steps(steps):
    counts, calls = [], []

    def v(x, t):
        calls.append(None)
        if len(calls) % steps == 0:  # four times in a solve
            counts.append(live_tensors() - before)
        return -x

    x0 = torch.ones(1)
    gc.collect()
    before = live_tensors()
    odeint(v, x0, method="rk4", steps=steps)
    sdeint(
        v, lambda x, t: x.new_zeros(()), x0, (0.0, 1.0), method="stochastic_heun", steps=steps,
        generator=torch.Generator(),
    )  # fmt: skip
    assert max(counts) < 8 * BLOCK


# ---- what else is said of numbers


def count(t_span, step_size):
    return odeint(one, torch.zeros(1), t_span, method="euler", step_size=step_size)


@pytest.mark.parametrize(
    ("t_span", "steps"),
    [((0.5, 1.0), 5), ((1.0, 0.5), 5), ((-1.0, -0.55), 5), ((2.0, 1.93), 1), ((0.3, -0.3), 6)],
)
def test_the_number_of_steps_is_that_of_the_interval_wherever_it_lies(t_span, steps):
    sol = count(t_span, 0.1)
    assert sol.accepted == sol.nfe == steps
    torch.testing.assert_close(sol.x.item(), t_span[1] - t_span[0], rtol=0, atol=1e-6)


def test_numbers_of_numpy_and_torch_are_numbers():
    expected = count((0.0, 1.0), 0.25).x
    for step_size in (np.float32(0.25), np.float64(0.25), torch.tensor(0.25)):
        assert torch.equal(count((np.float64(0), torch.tensor(1.0)), step_size).x, expected)
    sol = odeint(one, torch.zeros(1), np.array([0.0, 1.0]), method="euler", steps=np.int64(4))
    assert torch.equal(sol.x, expected)
    for wrong in (True, np.bool_(True), "0.1"):
        with pytest.raises(TypeError, match="step_size must be a finite number > 0, got"):
            count((0.0, 1.0), wrong)


def test_a_time_that_is_hardly_outside_is_shown_in_full():
    with pytest.raises(ValueError, match="between t0=0 and t1=0.9999999, got 1.0"):
        odeint(one, torch.zeros(1, dtype=torch.float64), (0, 0.9999999), steps=2, t_eval=[1.0])


def test_a_result_is_printed_in_a_line():
    x = torch.zeros(5000, 2)
    sol = odeint(one, x, method="euler", steps=2, t_eval=[0.0, 1.0])
    assert repr(sol) == (
        "Solution(x=(5000, 2) float32, t=1.0, nfe=2, accepted=2, rejected=0, ts=(2,) float32, "
        "xs=(2, 5000, 2) float32)"
    )
    assert repr(log_det(one, x, method="euler", steps=2)) == (
        "Transport(x=(5000, 2) float32, log_det=(5000,) float32, nfe=2)"
    )
    assert repr(log_likelihood(one, x, method="euler", steps=2)) == (
        "Likelihood(log_prob=(5000,) float32, x0=(5000, 2) float32, nfe=2)"
    )
