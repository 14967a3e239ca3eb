"""The field of pairs against closed forms, chance, autograd and the continuity equation."""

import math

import pytest
import torch

from fmcore.couplings import best_pairing
from fmcore.fields import Empirical, MarginalField, PairField, pairs
from fmcore.metrics import straightness
from fmcore.paths import OTPath
from fmcore.solvers import odeint

F64 = torch.float64


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=F64)


X0, X1 = normal(9, 2, seed=1), 2 * normal(9, 2, seed=2) + 1
FIELD = PairField(X0, X1, width=0.4)
TIMES = (0.0, 0.3, 0.5, 1.0)


def torch_mixture(x0, x1, width, t):
    """p_t of the pairs, written by somebody else."""
    normals = torch.distributions.Normal((1 - t) * x0 + t * x1, width)
    return torch.distributions.MixtureSameFamily(
        torch.distributions.Categorical(torch.ones(len(x0), dtype=F64)),
        torch.distributions.Independent(normals, 1),
    )


@pytest.mark.parametrize("t", TIMES)
@pytest.mark.parametrize("d", [1, 2, 20])
def test_the_density_is_the_mixture_of_the_clouds(d, t):
    x0, x1, x = normal(7, d, seed=1), normal(7, d, seed=2) + 1, normal(30, d, seed=3)
    found = PairField(x0, x1, width=0.6).log_prob(x, t)
    assert torch.allclose(found, torch_mixture(x0, x1, 0.6, t).log_prob(x), atol=1e-12)


def test_one_pair_is_a_straight_line():
    u, x = PairField(X0[:1], X1[:1], width=0.01), normal(20, 2)
    assert torch.allclose(u(x, 0.7), (X1 - X0)[0].expand(20, 2), atol=1e-12)
    end = odeint(u, X0[:1], method="euler", steps=1).x
    assert torch.allclose(end, X1[:1]) and straightness(u, X0[:1], steps=10) < 1e-20


@pytest.mark.parametrize("t", TIMES)
def test_the_velocity_is_the_weighted_mean(t):
    """Pair by pair, the formula of the paper."""
    x = X0[:4] + 0.3
    for row, found in zip(x, FIELD(x, t), strict=True):
        weights = [
            math.exp(-float((row - (1 - t) * a - t * b).square().sum()) / (2 * 0.4**2))
            for a, b in zip(X0, X1, strict=True)
        ]
        mean = sum(w * (b - a) for w, a, b in zip(weights, X0, X1, strict=True)) / sum(weights)
        assert torch.allclose(found, mean, atol=1e-12)


def test_the_velocity_is_the_conditional_expectation():
    """Of x1 - x0 given x_t: the mean over a small cell, where as many come from chance."""
    g, n, t = torch.Generator().manual_seed(0), 1_000_000, 0.5
    i = torch.randint(len(X0), (n,), generator=g)
    xt = (1 - t) * X0[i] + t * X1[i] + 0.4 * torch.randn(n, 2, generator=g, dtype=F64)
    centre, tried = torch.tensor([0.6, 0.2], dtype=F64), 0
    for shift in (0.0, 0.5, 1.0):
        at = centre + shift
        near = (xt - at).abs().amax(dim=1) < 0.05
        target = (X1 - X0)[i[near]]
        error = target.std(dim=0) / math.sqrt(len(target))
        assert len(target) > 300
        assert ((target.mean(dim=0) - FIELD(xt[near], t).mean(dim=0)).abs() < 4.5 * error).all()
        tried += 1
    assert tried == 3


def test_it_minimises_the_loss_on_the_pairs():
    """The slope of the loss at u is nothing but chance, in whatever direction."""
    g, n = torch.Generator().manual_seed(0), 200_000
    i, t = torch.randint(len(X0), (n,), generator=g), torch.rand(n, generator=g, dtype=F64)
    noise = 0.4 * torch.randn(n, 2, generator=g, dtype=F64)
    xt = (1 - t)[:, None] * X0[i] + t[:, None] * X1[i] + noise
    u, off = FIELD(xt, t), (X1 - X0)[i]
    for direction in (u, torch.ones_like(u), xt, torch.sin(3 * xt)):
        slope = ((u - off) * direction).sum(dim=1)
        assert abs(slope.mean()) < 4.5 * slope.std() / math.sqrt(n)
    wrong = ((1.05 * u - off) * u).sum(dim=1)  # the test sees five percent
    assert abs(wrong.mean()) > 10 * wrong.std() / math.sqrt(n)


@pytest.mark.parametrize("t", TIMES)
def test_density_and_velocity_satisfy_the_continuity_equation(t):
    """d log p / dt + div u + u . grad log p = 0"""
    x = (X0 + 0.5 * normal(9, 2, seed=4)).requires_grad_()
    at = torch.full((9,), t, dtype=F64, requires_grad=True)
    u, log_p = FIELD(x, at), FIELD.log_prob(x, at)
    score, rate = torch.autograd.grad(log_p.sum(), (x, at), retain_graph=True)
    divergence = sum(
        torch.autograd.grad(u[:, d].sum(), x, retain_graph=True)[0][:, d] for d in (0, 1)
    )
    residual = (rate + divergence + (u * score).sum(dim=1)).detach()
    assert float(divergence.detach().abs().max()) > 0.1
    assert float(residual.abs().max()) < 1e-9


def test_the_flow_carries_the_first_clouds_to_the_last():
    """In mean and covariance, though no particle need end where the partner of its cloud does."""
    n, g = 8_000, torch.Generator().manual_seed(3)
    i = torch.randint(len(X0), (n,), generator=g)
    start = X0[i] + 0.4 * torch.randn(n, 2, generator=g, dtype=F64)
    end = odeint(FIELD, start, method="rk4", steps=15).x
    true = X1[i] + 0.4 * torch.randn(n, 2, generator=g, dtype=F64)
    assert torch.allclose(end.mean(0), true.mean(0), atol=0.05)
    assert torch.allclose(end.T.cov(), true.T.cov(), atol=0.15)
    assert (end - true).norm(dim=1).mean() > 0.5


def test_two_pairs_that_cross_exchange_their_ends():
    x0 = torch.tensor([[0.0, -1.0], [0.0, 1.0]], dtype=F64)
    u = PairField(x0, x0.flip(0) + torch.tensor([4.0, 0.0]), width=0.2)
    end = odeint(u, x0, method="rk4", steps=60).x
    assert torch.allclose(end, x0 + torch.tensor([4.0, 0.0]), atol=1e-2)
    assert straightness(u, x0, steps=30) > 1
    parallel = PairField(x0, x0 + torch.tensor([4.0, 0.0]), width=0.2)
    assert straightness(parallel, x0, steps=10) < 1e-9


def independent_limit(x, t, points, width):
    """E[x1 - x0 | x_t = x] with all of N(0, I) paired with each point: width adds to its spread."""
    var = (1 - t) ** 2 + width**2
    log = -(x[:, None] - t * points).square().sum(-1) / (2 * var)
    noise = (1 - t) * (x[:, None] - t * points) / var
    return (log.softmax(1)[..., None] * (points - noise)).sum(1)


@pytest.mark.parametrize("t", [0.1, 0.5, 0.8])
def test_many_independent_pairs_approach_the_marginal_field(t):
    """The first draws of noise leave chance; a width is added to the spread of x_t."""
    points, n = 1.5 * normal(5, 2, seed=5), 100_000
    k = torch.arange(n) % 5
    x = t * points + 0.5 * (1 - t)
    u = PairField(normal(n, 2, seed=6), points[k], width=0.15)
    assert torch.allclose(u(x, t), independent_limit(x, t, points, 0.15), atol=0.12)
    exact = MarginalField(Empirical(points), OTPath())(x, t)
    assert torch.allclose(independent_limit(x, t, points, 1e-4), exact, atol=1e-5)
    assert (u(x, t) - exact).norm(dim=1).max() < 0.5


def test_the_best_pairing_is_the_straightest_and_the_worst_the_least_straight():
    x0, x1 = normal(12, 2, seed=7), 2 * normal(12, 2, seed=8)
    order = [best_pairing(x0, x1), torch.arange(12), best_pairing(x0, -x1)]
    found = [straightness(PairField(x0, x1[p], 0.3), x0, steps=30) for p in order]
    assert found[0] < 0.5 * found[1] < found[2]


def test_times_dtypes_and_portions(monkeypatch):
    x, t = normal(6, 2, seed=9), torch.rand(6, dtype=F64, generator=torch.Generator())
    rows = torch.cat([FIELD(x[j : j + 1], float(t[j])) for j in range(6)])
    assert torch.allclose(FIELD(x, t), rows, atol=1e-14)
    whole = FIELD(x, 0.3), FIELD.log_prob(x, 0.3)
    monkeypatch.setattr(pairs, "_CHUNK", 2 * FIELD.x0.numel())  # two rows at a time
    assert torch.equal(FIELD(x, t), FIELD(x, t.clone()))
    for now, before in zip((FIELD(x, 0.3), FIELD.log_prob(x, 0.3)), whole, strict=True):
        assert torch.allclose(now, before, atol=1e-14)
    half = FIELD(x.half(), 0.3)
    assert half.dtype == FIELD.log_prob(x.half(), 0.3).dtype == torch.half
    assert torch.allclose(half.double(), whole[0], atol=2e-2)
    assert torch.isfinite(FIELD(1e6 * x, 0.5)).all()  # where every weight would be 0
    assert repr(FIELD) == "PairField(9 pairs in 2 dimensions, width=0.4)"


def test_the_pairs_are_kept_as_they_were():
    x0, x1 = X0.clone(), X1.clone().requires_grad_()
    u = PairField(x0, x1)
    assert u.width == 0.1 and not u(x0, 0.5).requires_grad
