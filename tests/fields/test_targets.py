"""Targets against torch.distributions, frequencies and moments."""

import math

import pytest
import torch
from small import gen

from fmcore.fields import Empirical, GaussianMixture

MEANS = [[-2.0, 0.5, 1.0], [1.0, 2.0, -0.5]]
STDS = [[0.3, 1.0, 0.5], [0.7, 0.2, 1.5]]
SPREADS = {"number": 0.4, "(K,)": [0.3, 0.8], "(K, D)": STDS}


def mixture(stds=STDS, weights=(1.0, 3.0)):
    return GaussianMixture(torch.tensor(MEANS, dtype=torch.float64), stds, weights)


@pytest.mark.parametrize("stds", SPREADS.values(), ids=SPREADS.keys())
def test_log_prob_agrees_with_torch_distributions(stds):
    spread = torch.tensor(stds, dtype=torch.float64)
    spread = (spread[:, None] if spread.ndim == 1 else spread).expand(2, 3)
    means = torch.tensor(MEANS, dtype=torch.float64)
    reference = torch.distributions.MixtureSameFamily(
        torch.distributions.Categorical(torch.tensor([0.25, 0.75], dtype=torch.float64)),
        torch.distributions.Independent(torch.distributions.Normal(means, spread), 1),
    )
    x = 3 * torch.randn(50, 3, generator=gen(), dtype=torch.float64)
    torch.testing.assert_close(mixture(stds).log_prob(x), reference.log_prob(x))


def test_density_integrates_to_one():
    mix = GaussianMixture([[-2.0, 0.0], [1.0, 1.0]], [[0.3, 1.0], [0.7, 0.5]], [1, 3])
    axis = torch.linspace(-8, 8, 401, dtype=torch.float64)
    mass = mix.log_prob(torch.cartesian_prod(axis, axis)).exp().sum() * (axis[1] - axis[0]) ** 2
    assert abs(mass - 1) < 1e-6  # weights and means are float32


def test_log_prob_far_away_is_finite_and_follows_the_dtype_of_x():
    far = mixture(0.1).log_prob(torch.full((1, 3), 1e3))
    assert far.dtype == torch.float32 and far.isfinite().all()


def test_labelled_samples_have_the_moments_of_their_component():
    n = 40_000
    x, k = mixture().sample_labelled(n, generator=gen())
    assert x.shape == (n, 3) and k.shape == (n,) and x.dtype == torch.float64
    assert abs((k == 1).double().mean() - 0.75) < 4 * math.sqrt(0.75 * 0.25 / n)
    for i in (0, 1):
        part, mean, std = x[k == i], torch.tensor(MEANS[i]), torch.tensor(STDS[i])
        count = len(part)
        assert ((part.mean(dim=0) - mean).abs() < 4 * std / count**0.5).all()
        assert ((part.std(dim=0) / std - 1).abs() < 4 / (2 * count) ** 0.5).all()


def test_samples_depend_on_the_generator_and_on_nothing_else():
    for target in (mixture(), Empirical(torch.arange(100.0)[:, None])):
        torch.manual_seed(1)
        first = target.sample(8, generator=gen(3))
        torch.manual_seed(2)
        assert torch.equal(first, target.sample(8, generator=gen(3)))
        assert not torch.equal(first, target.sample(8, generator=gen(4)))


def test_empirical_draws_every_point_alike():
    points = torch.arange(5.0).reshape(5, 1, 1, 1).expand(5, 1, 2, 3)
    target = Empirical(points)
    x = target.sample(20_000, generator=gen())
    assert target.shape == (1, 2, 3) and x.shape == (20_000, 1, 2, 3)
    counts = x[:, 0, 0, 0].long().bincount(minlength=5)
    assert ((counts - 4000).abs() < 4 * math.sqrt(20_000 * 0.2 * 0.8)).all()


def test_lists_of_integers_are_numbers_too():
    mix = GaussianMixture([[0, 0], [2, 2]], 1)
    assert mix.means.dtype == mix.stds.dtype == mix.weights.dtype == torch.float32
    assert mix.stds.shape == (2, 2) and mix.weights.tolist() == [0.5, 0.5]
    assert repr(mix) == "GaussianMixture(2 components in 2 dimensions)"
    assert repr(Empirical([[0], [1], [4]])) == "Empirical(3 points of shape (1,))"


def test_a_target_holds_on_to_no_graph():
    means, one = torch.tensor(MEANS, requires_grad=True), torch.ones(2, requires_grad=True)
    mix = GaussianMixture(2 * means, 2 * one, 2 * one)
    assert not any(p.requires_grad for p in (mix.means, mix.stds, mix.weights))
    assert not Empirical(2 * means).points.requires_grad


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: GaussianMixture([0.0, 1.0], 1.0), ValueError, r"\(K, D\), got \(2,\)"),
        (lambda: GaussianMixture(torch.zeros(0, 2), 1.0), ValueError, r"\(K, D\), got \(0, 2\)"),
        (lambda: GaussianMixture([[math.nan]], 1.0), ValueError, "means must be finite"),
        (lambda: mixture(0.0), ValueError, "stds must be > 0, got 0"),
        (lambda: mixture([0.1, -0.2]), ValueError, r"stds must be > 0, got -0\.2"),
        (lambda: mixture(math.inf), ValueError, "stds must be finite"),
        (lambda: mixture([1.0] * 3), ValueError, r"shape \(2,\) or \(2, 3\).*, got \(3,\)"),
        (lambda: mixture(weights=[1, -1]), ValueError, "weights must be > 0, got -1"),
        (lambda: mixture(weights=[1, 0]), ValueError, "weights must be > 0, got 0"),
        (lambda: mixture(weights=[1, math.nan]), ValueError, "weights must be finite"),
        (lambda: mixture(weights=[1, 1, 1]), ValueError, r"weights must have shape \(2,\)"),
        (lambda: mixture().log_prob(torch.zeros(4, 2)), ValueError, r"\(4, 2\).*\(B, 3\)"),
        (lambda: mixture().log_prob(torch.zeros(4, 3).int()), TypeError, "floating dtype"),
        (lambda: mixture().sample(0, generator=gen()), ValueError, "at least 1, got 0"),
        (lambda: mixture().sample(2.0, generator=gen()), TypeError, "least 1, got 2.0"),
        (lambda: mixture().sample(2, generator=None), TypeError, "torch.Generator"),
        (lambda: Empirical([1.0, 2.0]), ValueError, r"\(N, \*shape\), got \(2,\)"),
        (lambda: Empirical(torch.zeros(0, 2)), ValueError, r"\(N, \*shape\), got \(0, 2\)"),
        (lambda: Empirical([[math.inf]]), ValueError, "points must be finite"),
        (lambda: Empirical([[0.0]]).sample(True, generator=gen()), TypeError, "whole number"),
        (lambda: Empirical([[0.0]]).sample(1, generator=0), TypeError, "torch.Generator"),
    ],
)
def test_bad_input_is_refused(make, error, message):
    with pytest.raises(error, match=message):
        make()
