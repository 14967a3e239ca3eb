"""Straightness, path length and Wasserstein-2, against closed forms and by hand."""

import itertools
import math

import pytest
import torch
from small import noise

from fmcore.fields import Empirical, MarginalField
from fmcore.metrics import path_length, straightness, wasserstein2
from fmcore.paths import OTPath


def turn(rate):
    def v(x, t):
        return rate * torch.stack([-x[:, 1], x[:, 0]], dim=1)

    return v


def speed_of(s):
    """Everything moves along (1, ..., 1) with the speed s(t) in each direction."""
    return lambda x, t: s(t) * torch.ones_like(x)


X = noise(50, 2).double()
SQUARE = X.square().sum(1).mean().item()
RADIUS = X.norm(dim=1).mean().item()
FINE = dict(method="rk4", steps=50)


# ---- straightness


@pytest.mark.parametrize("rate", [0.5, -2.0, 2 * math.pi])
def test_straightness_of_a_rotation(rate):
    """The speed is rate r, the chord 2 r sin(rate / 2), and S = E |v|^2 - E |chord|^2."""
    expected = SQUARE * (rate**2 - 4 * math.sin(rate / 2) ** 2)
    assert straightness(turn(rate), X, **FINE) == pytest.approx(expected, rel=1e-5)


def test_straight_and_even_is_0_and_uneven_is_not():
    """At the speed 1 + 2 c (t - 1/2) the mean square of the deviation is c^2 / 3, each way."""
    for shape in ((2,), (1, 3, 4)):
        x = noise(7, *shape).double()
        assert straightness(lambda x, t: 3 + 0 * x, x, steps=7) < 1e-25
        uneven = straightness(speed_of(lambda t: 1 + 4 * (t - 0.5)), x, **FINE)
        assert uneven == pytest.approx(math.prod(shape) * 4 / 3)


def test_it_is_a_mean_over_the_rows():
    v = turn(1.0)
    each = [straightness(v, row[None], **FINE) for row in X]
    assert straightness(v, X, **FINE) == pytest.approx(sum(each) / len(each))


def test_particles_that_differ_but_go_straight():
    """To a single datum all go straight; the field, singular at t = 1, is not evaluated there."""
    v = MarginalField(Empirical([[1.0, 2.0]]), OTPath())
    assert straightness(v, X, steps=10) < 1e-20
    reach = (X - torch.tensor([1.0, 2.0])).norm(dim=1).mean().item()
    assert path_length(v, X, steps=10) == pytest.approx(reach)
    assert path_length(v, X, steps=10, relative=True) == pytest.approx(1)


def test_a_single_euler_step_finds_every_flow_straight():
    assert straightness(turn(3.0), X, method="euler", steps=1) < 1e-25
    assert straightness(turn(3.0), X, method="euler", steps=2) > 1


# ---- path length


@pytest.mark.parametrize("angle", [0.5, -2.0, 2 * math.pi])
def test_length_of_a_rotation(angle):
    assert path_length(turn(angle), X, **FINE) == pytest.approx(abs(angle) * RADIUS, rel=1e-5)


def test_length_relative_to_the_distance_covered():
    expected = 1.0 / (2 * math.sin(0.5))
    assert path_length(turn(1.0), X, relative=True, **FINE) == pytest.approx(expected)
    uneven = speed_of(lambda t: 4 * t**3)
    x = noise(5, 1, 2, 2)
    assert path_length(uneven, x, **FINE) == pytest.approx(2.0)  # the root of 4 directions
    assert path_length(uneven, x, relative=True, **FINE) == pytest.approx(1.0)


def test_means_are_taken_before_the_ratio():
    """A row that stays at rest has a length and a distance of 0, and no ratio."""
    rows = torch.tensor([[0.0, 0.0], [3.0, 4.0]])
    ratio = path_length(turn(math.pi), rows, relative=True, **FINE)
    assert ratio == pytest.approx(math.pi / 2, rel=1e-5)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_added_up_in_single(dtype):
    """A thousand steps of 1/1000: in bfloat16 a state of 1 would stand still."""
    x = torch.ones(4, 2, dtype=dtype)
    length = path_length(lambda x, t: torch.ones_like(x), x, steps=1000)
    assert length == pytest.approx(2**0.5, rel=1e-5)
    assert straightness(lambda x, t: torch.ones_like(x), x, steps=1000) < 1e-8


def test_no_graph_is_kept():
    asked = []
    straightness(lambda x, t: asked.append(torch.is_grad_enabled()) or turn(1.0)(x, t), X, steps=2)
    assert asked and not any(asked)


# ---- Wasserstein-2


def test_wasserstein_is_the_best_of_all_pairings():
    for n in range(1, 6):
        x, y = noise(n, 3, seed=n), noise(n, 3, seed=n + 10)
        every = itertools.permutations(range(n))
        best = min((x - y[[*p]]).square().sum(1).mean().sqrt().item() for p in every)
        assert wasserstein2(x, y) == wasserstein2(y, x) == pytest.approx(best)


def test_wasserstein_on_a_line_is_that_of_the_sorted():
    x, y = noise(1000, 1), 1 + 2 * noise(1000, 1, seed=2)
    assert wasserstein2(x, y) == pytest.approx((x.sort(0)[0] - y.sort(0)[0]).square().mean().sqrt())
    # of the distributions themselves: sqrt((m - m')^2 + (s - s')^2)
    assert wasserstein2(x, y) == pytest.approx(2**0.5, rel=0.1)


@pytest.mark.parametrize("far", [5.0, 1e8])
def test_wasserstein_of_a_cloud_that_has_moved(far):
    x = noise(80, 1, 2, 2).double()
    moved = x.flip(0) + far / 2  # far / 2 in each of four directions
    assert wasserstein2(x, moved) == pytest.approx(far)
    assert wasserstein2(x + 1e8, x.flip(0) + 1e8 + 0.5) == pytest.approx(1.0)
    assert wasserstein2(x, x.flip(0)) == 0


def test_wasserstein_is_worked_out_in_double_precision():
    x, y = ((far + noise(60, 4, seed=far)).half() for far in (1000, 3))
    assert wasserstein2(x, y) == wasserstein2(x.double(), y.double()) > 0.5
