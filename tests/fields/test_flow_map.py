"""The solved flow map: against the closed form of a Gaussian, and the three rules."""

import pytest
import torch
from mixtures import F64, MIX, along, field
from small import gen, noise

from fmcore.fields import FlowMap, GaussianMixture, MarginalField
from fmcore.paths import CosinePath, OTPath, VPPath

PATHS = [OTPath(), OTPath(sigma_min=0.05), VPPath(), CosinePath()]


def beside(t, x):
    return t.reshape(-1, *[1] * (x.ndim - 1))


def times(n, seed=3, last=0.95):
    """Times s <= t of n rows; some are equal, and some are 0."""
    g = gen(seed)
    s, t = (last * torch.rand(2, n, generator=g, dtype=F64)).sort(dim=0).values
    s[:3], t[2:5] = 0, s[2:5]
    return s, t


@pytest.mark.parametrize("path", PATHS, ids=str)
@pytest.mark.parametrize("backward", [False, True])
def test_of_a_gaussian_it_is_affine(path, backward):
    """X(x, s, t) = a_t m + (sd_t / sd_s) (x - a_s m), with sd² = a² std² + b²."""
    mean, std = torch.tensor([[2.0, -1.0]], dtype=F64), torch.tensor([[0.3, 1.5]], dtype=F64)
    u = FlowMap(MarginalField(GaussianMixture(mean, std), path))
    x, (s, t) = noise(32, 2).double(), times(32)
    s, t = (t, s) if backward else (s, t)
    (a_s, b_s), (a_t, b_t) = ((path.a(time)[:, None], path.b(time)[:, None]) for time in (s, t))
    sd_s, sd_t = ((a**2 * std**2 + b**2).sqrt() for a, b in ((a_s, b_s), (a_t, b_t)))
    expected = a_t * mean + sd_t / sd_s * (x - a_s * mean)
    torch.testing.assert_close(u.end(x, s, t), expected, atol=1e-7, rtol=1e-7)
    torch.testing.assert_close(x + beside(t - s, x) * u(x, s, t), expected, atol=1e-7, rtol=1e-7)


@pytest.mark.parametrize("path", PATHS, ids=str)
def test_the_three_rules_hold(path):
    """By differences of the flow map, not by its own derivatives."""
    v = field(path)
    u, x, (s, t) = FlowMap(v), along(path, 0.5, 32), times(32)
    middle = s + 0.3 * (t - s)
    torch.testing.assert_close(
        u.end(u.end(x, s, middle), middle, t), u.end(x, s, t), atol=1e-6, rtol=0
    )
    h = 1e-4
    s, t = s + h, t + h
    ahead, behind = u.end(x, s, t + h), u.end(x, s, t - h)
    torch.testing.assert_close(
        (ahead - behind) / (2 * h), v(u.end(x, s, t), t), atol=1e-6, rtol=1e-6
    )
    along_x = h * v(x, s)  # a particle at x is there with all others of its trajectory
    change = (u.end(x + along_x, s + h, t) - u.end(x - along_x, s - h, t)) / (2 * h)
    assert change.abs().max() < 1e-5


def test_on_the_diagonal_it_is_the_field():
    path, x = VPPath(), noise(8, 2).double()
    v, t = field(path), torch.linspace(0, 0.9, 8, dtype=F64)
    torch.testing.assert_close(FlowMap(v, steps=1)(x, t, t), v(x, t))


def test_derivatives_are_those_of_the_flow():
    """The Lagrangian rule by `jvp`, and a gradient through all of it."""
    path, x = OTPath(), noise(8, 2).double()
    v, (s, t) = field(path), times(8)
    u = FlowMap(v)
    end, speed = torch.func.jvp(lambda t: u.end(x, s, t), (t,), (torch.ones_like(t),))
    torch.testing.assert_close(speed, v(end, t), atol=1e-6, rtol=1e-6)
    start = x.clone().requires_grad_()
    assert torch.autograd.gradcheck(lambda x: FlowMap(v, steps=1).end(x, s, t), start)


def test_steps_and_method_are_those_of_the_solve():
    """One Euler step of length t - s; two of half of it."""

    def v(x, t):
        return x + beside(t, x)

    x, s = noise(4, 1).double(), 0.2
    once = FlowMap(v, method="euler", steps=1).end(x, s, 0.6)
    torch.testing.assert_close(once, x + 0.4 * (x + s))
    twice = FlowMap(v, method="euler", steps=2).end(x, s, 0.6)
    half = x + 0.2 * (x + s)
    torch.testing.assert_close(twice, half + 0.2 * (half + 0.4))


def test_images_and_half_precision_keep_their_shape_and_dtype():
    x = noise(3, 1, 4, 4).half()
    u = FlowMap(lambda x, t: 0 * x + 1, steps=2)
    assert u(x, torch.zeros(3), 1.0).dtype == torch.float16
    assert torch.equal(u.end(x, 0.0, 0.5), x + 0.5)
    assert str(MIX)[:5] in repr(FlowMap(field(OTPath())))
