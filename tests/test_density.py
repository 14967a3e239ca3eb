"""Divergence, log-determinants and likelihoods against closed forms, slogdet and differences."""

import math

import numpy as np
import pytest
import torch
from small import gen
from torch import nn

from fmcore.density import (
    bits_per_dim,
    continuity_residual,
    divergence,
    log_det,
    log_likelihood,
)
from fmcore.fields import (
    Empirical,
    GaussianMixture,
    MarginalField,
    Rotation,
    Saddle,
    Shear,
    Storm,
    Sum,
    Uniform,
    Vortex,
)
from fmcore.networks import MLP, UNet
from fmcore.paths import OTPath, VPPath
from fmcore.solvers import odeint

F64 = torch.float64
MIX = GaussianMixture(
    torch.tensor([[-1.0, 0.5], [1.5, -0.5], [0.0, 1.5]], dtype=F64), [0.4, 0.6, 0.9], [1, 2, 3]
)


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=gen(seed), dtype=F64)


class Convolution(nn.Module):
    """A smooth field of images whose divergence is not 0 and whose Jacobian is not symmetric."""

    def __init__(self, channels=1):
        super().__init__()
        self.weight = nn.Parameter(0.4 * normal(channels, channels, 3, 3, seed=7))
        self.bias = nn.Parameter(0.3 * normal(channels, seed=8))

    def forward(self, x, t):
        t = torch.as_tensor(t, dtype=x.dtype).reshape(-1, 1, 1, 1)
        return torch.tanh(nn.functional.conv2d(x, self.weight, self.bias, padding=1)) + t * x.sin()


class Curl(nn.Module):
    """A nonlinear field of vectors, time-dependent, neither symmetric nor free of divergence."""

    def __init__(self, dim):
        super().__init__()
        self.weight = nn.Parameter(0.5 * normal(dim, dim, seed=9))

    def forward(self, x, t):
        return torch.tanh(x @ self.weight.T + torch.as_tensor(t, dtype=x.dtype).reshape(-1, 1))


FIELDS = {
    "vectors": (Curl(3), normal(5, 3)),
    "one number": (Curl(1), normal(5, 1)),
    "images, B == W": (Convolution(), normal(3, 1, 3, 3)),
    "images of two channels": (Convolution(2), normal(2, 2, 2, 4)),
}
each_field = pytest.mark.parametrize(("v", "x"), FIELDS.values(), ids=FIELDS.keys())


def jacobians(function, x):
    """The Jacobian of every row by itself, (B, d, d), so that rows cannot be mixed up."""
    d = x[0].numel()
    rows = [
        torch.autograd.functional.jacobian(lambda y: function(y), x[i : i + 1]).reshape(d, d)
        for i in range(len(x))
    ]
    return torch.stack(rows)


# ---- divergence


@each_field
def test_exact_divergence_is_the_trace_of_the_jacobian(v, x):
    expected = jacobians(lambda y: v(y, 0.3), x).diagonal(dim1=1, dim2=2).sum(1)
    assert expected.abs().min() > 1e-3
    torch.testing.assert_close(divergence(v, x, 0.3).detach(), expected)


@pytest.mark.parametrize(
    "wind",
    [
        Storm(),
        Saddle(1.3),
        Shear(0.7),
        Rotation(2.0),
        Vortex(center=(0.2, 0.1), strength=2.0, core=0.5),
        Uniform((1.0, -0.5)),
        Sum([Storm(), Saddle(0.5)]),
    ],
    ids=lambda wind: type(wind).__name__,
)
def test_divergence_of_winds_is_their_closed_form(wind):
    x = 2 * normal(20, 2)
    torch.testing.assert_close(
        divergence(wind, x, 0.4), wind.divergence(x, 0.4), rtol=1e-9, atol=1e-9
    )


def test_every_row_has_its_own_time():
    v, x = FIELDS["images, B == W"]
    t = torch.tensor([0.0, 0.4, 1.0], dtype=F64)
    rows = torch.cat([divergence(v, x[i : i + 1], t[i]) for i in range(3)])
    torch.testing.assert_close(divergence(v, x, t), rows)
    assert (divergence(v, x, 0.0) - rows).abs()[1:].min() > 1e-3


def test_a_field_that_does_not_depend_on_x_has_none():
    x = normal(4, 2)
    assert torch.equal(divergence(lambda x, t: torch.ones_like(x), x, 0.0), torch.zeros(4).double())
    scale = nn.Parameter(torch.ones((), dtype=F64))  # a gradient, but none that leads to x
    div = divergence(lambda x, t: scale * torch.ones_like(x), x, 0.0)
    assert torch.equal(div.detach(), torch.zeros(4, dtype=F64))
    partly = divergence(lambda x, t: torch.stack([x[:, 0] ** 2, 0 * x[:, 0] + 3], 1), x, 0.0)
    torch.testing.assert_close(partly, 2 * x[:, 0])
    for signs in range(3):
        by_signs = divergence(
            lambda x, t: torch.ones_like(x), x, 0.0, method="hutchinson", generator=gen(signs)
        )
        assert torch.equal(by_signs, torch.zeros(4, dtype=F64))


@each_field
def test_hutchinson_has_the_mean_and_the_variance_it_should(v, x):
    """e . J e for signs e: mean tr J, variance sum over i < j of (J_ij + J_ji)^2."""
    n = 4000
    many = x[:1].expand(n, *x.shape[1:]).contiguous()
    estimates = divergence(v, many, 0.3, method="hutchinson", generator=gen(3)).detach()
    j = jacobians(lambda y: v(y, 0.3), x[:1])[0]
    variance = ((j + j.T).triu(1) ** 2).sum().item()
    assert abs(estimates.mean().item() - j.trace().item()) <= 4 * math.sqrt(variance / n) + 1e-12
    assert abs(estimates.var().item() - variance) <= 0.15 * variance + 1e-12


def test_more_probes_narrow_the_estimate():
    v, x = FIELDS["vectors"]
    many = x[:1].expand(3000, 3).contiguous()
    one, nine = (
        divergence(v, many, 0.3, method="hutchinson", probes=n, generator=gen(n)).var().item()
        for n in (1, 9)
    )
    assert abs(one / nine - 9) < 1


def test_hutchinson_is_reproducible_and_takes_signs():
    v, x = FIELDS["images, B == W"]
    one, same, other = (
        divergence(v, x, 0.3, method="hutchinson", generator=gen(seed)) for seed in (1, 1, 2)
    )
    assert torch.equal(one, same) and not torch.equal(one, other)
    diagonal = divergence(lambda x, t: x**2, x, 0.0, method="hutchinson", generator=gen())
    torch.testing.assert_close(diagonal, 2 * x.flatten(1).sum(1))  # exact only if e_i^2 = 1


# ---- the determinant of a flow


@each_field
@pytest.mark.parametrize("t_span", [(0.0, 1.0), (0.9, 0.2)])
def test_log_det_is_slogdet_of_the_jacobian_of_the_flow(v, x, t_span):
    def flow(y):
        return odeint(v, y, t_span, method="rk4", steps=40).x

    expected = torch.linalg.slogdet(jacobians(flow, x)).logabsdet
    res = log_det(v, x, t_span, method="rk4", steps=40)
    assert expected.abs().min() > 1e-3
    torch.testing.assert_close(res.log_det.detach(), expected, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(res.x, flow(x))
    assert res.nfe == 160


def test_log_det_of_a_linear_flow_is_the_trace():
    a, x = normal(3, 3), normal(4, 3)
    res = log_det(lambda x, t: x @ a.T, x, method="dopri5", rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(res.x, x @ torch.linalg.matrix_exp(a).T, rtol=1e-7, atol=1e-7)
    torch.testing.assert_close(res.log_det, a.trace().expand(4), rtol=1e-7, atol=1e-7)


@each_field
def test_there_and_back_cancel(v, x):
    there = log_det(v, x, (0.0, 1.0), method="rk4", steps=40)
    back = log_det(v, there.x.detach(), (1.0, 0.0), method="rk4", steps=40)
    torch.testing.assert_close(back.x, x.expand_as(x), rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(back.log_det, -there.log_det, rtol=1e-6, atol=1e-6)


# ---- likelihood


@pytest.mark.parametrize("path", [OTPath(), OTPath(sigma_min=0.2)], ids=str)
def test_likelihood_under_the_exact_field_is_the_density_of_the_data(path):
    u = MarginalField(MIX, path)
    x1 = MIX.sample(40, generator=gen())
    res = log_likelihood(u, x1, method="dopri5", rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(res.log_prob, u.log_prob(x1, 1.0), rtol=1e-6, atol=1e-6)
    again = odeint(u, res.x0, method="dopri5", rtol=1e-9, atol=1e-9).x
    torch.testing.assert_close(again, x1, rtol=1e-6, atol=1e-6)


def test_likelihood_at_a_time_before_the_end():
    """The VP velocity is infinite at t = 1; nearly there the density is that of x_t."""
    u, t = MarginalField(MIX, VPPath()), 0.95
    xt, _ = VPPath().sample(normal(20, 2), MIX.sample(20, generator=gen()), t)
    res = log_likelihood(u, xt, t_span=(0.0, t), method="dopri5", rtol=1e-8, atol=1e-8)
    # The VP path starts at N(a(0) x1, b(0)^2 I), which is not quite N(0, I).
    torch.testing.assert_close(res.log_prob, u.log_prob(xt, t), rtol=0, atol=0.05)


def test_forward_and_backward_agree():
    """The density of a sample, carried forward with it, and asked for afterwards."""
    net, x0 = Curl(3), normal(30, 3)
    there = log_det(net, x0, method="rk4", steps=40)
    standard = torch.distributions.Normal(0.0, 1.0).log_prob(x0).sum(1)
    res = log_likelihood(net, there.x.detach(), method="rk4", steps=40)
    torch.testing.assert_close(res.log_prob, standard - there.log_det, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(res.x0, x0.expand_as(x0), rtol=1e-5, atol=1e-5)


@each_field
def test_likelihood_of_any_shape_by_slogdet(v, x):
    def back(y):
        return odeint(v, y, (1.0, 0.0), method="rk4", steps=40).x

    noise = torch.distributions.Normal(0.0, 1.0).log_prob(back(x)).flatten(1).sum(1)
    expected = noise + torch.linalg.slogdet(jacobians(back, x)).logabsdet
    res = log_likelihood(v, x, method="rk4", steps=40)
    assert res.log_prob.shape == x.shape[:1] and res.x0.shape == x.shape
    torch.testing.assert_close(res.log_prob, expected, rtol=1e-5, atol=1e-5)


def test_a_network_is_a_density():
    """Whatever the weights: it integrates to one over the plane."""
    torch.manual_seed(0)  # the initial weights
    net = MLP(dim=2, hidden=16, depth=2).double()
    axis = torch.linspace(-6, 6, 121, dtype=F64)
    with torch.no_grad():
        res = log_likelihood(net, torch.cartesian_prod(axis, axis), method="rk4", steps=10)
    assert abs(res.log_prob.exp().sum().item() * 0.1**2 - 1) < 1e-4


def test_hutchinson_is_right_on_average_on_images():
    v, x = Convolution(), normal(1, 1, 4, 4)
    exact = log_likelihood(v, x, method="rk4", steps=20)
    n = 400
    with torch.no_grad():
        res = log_likelihood(
            v, x.expand(n, 1, 4, 4).contiguous(), divergence="hutchinson", method="rk4", steps=20,
            generator=gen(),
        )  # fmt: skip
    spread = res.log_prob.std().item()
    assert spread > 0.01  # every image of the batch has signs of its own
    assert abs(res.log_prob.mean().item() - exact.log_prob.item()) < 4 * spread / math.sqrt(n)
    torch.testing.assert_close(res.x0[:1], exact.x0)
    assert res.nfe == exact.nfe == 80


def test_the_real_network_takes_hutchinson():
    torch.manual_seed(0)
    net = UNet(base=8, time_dim=16, groups=4)
    x1 = normal(3, 1, 28, 28).float()
    with torch.no_grad():
        res = log_likelihood(
            net, x1, divergence="hutchinson", method="heun", steps=2, generator=gen()
        )
    assert res.log_prob.shape == (3,) and res.log_prob.dtype == torch.float32
    assert res.log_prob.isfinite().all() and res.nfe == 4


def test_counted_evaluations_are_the_evaluations():
    calls = []

    def v(x, t):
        calls.append(t)
        return -x

    for settings in (dict(steps=5, method="rk4"), dict(rtol=1e-4, atol=1e-4)):
        calls.clear()
        assert log_likelihood(v, normal(3, 2), **settings).nfe == len(calls) > 0


# ---- gradients


def test_gradients_in_the_parameters_and_in_the_data():
    """v = theta x gives N(0, e^{2 theta}): log p = -x^2 e^{-2 theta} / 2 - theta + const."""
    theta = torch.tensor(0.3, dtype=F64, requires_grad=True)
    x1 = normal(4, 1).requires_grad_()
    res = log_likelihood(lambda x, t: theta * x, x1, method="rk4", steps=20)
    to_theta, to_x1 = torch.autograd.grad(res.log_prob.sum(), (theta, x1))
    shrunk = x1.detach() * math.exp(-0.6)
    torch.testing.assert_close(to_theta, (x1.detach() * shrunk - 1).sum(), rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(to_x1, -shrunk, rtol=1e-5, atol=1e-6)


@each_field
@pytest.mark.parametrize("method", ["exact", "hutchinson"])
def test_gradient_of_the_divergence_by_finite_differences(v, x, method):
    how = dict(method=method, generator=gen(5))

    def total(shift):
        with torch.no_grad():
            how["generator"].manual_seed(5)
            return divergence(v, x + shift * direction, 0.3, **how).sum().item()

    direction, h = normal(*x.shape, seed=6), 1e-5
    y = x.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(divergence(v, y, 0.3, **how).sum(), y)
    slope = (total(h) - total(-h)) / (2 * h)
    assert abs((gradient * direction).sum().item() - slope) < 1e-6 * (1 + abs(slope))


def test_no_graph_where_nothing_is_to_be_differentiated():
    x, v = normal(3, 2), Curl(2)
    assert not divergence(lambda x, t: x.sin(), x, 0.0).requires_grad
    assert not log_likelihood(lambda x, t: x.sin(), x, steps=2).log_prob.requires_grad
    assert divergence(v, x, 0.0).requires_grad
    with torch.no_grad():
        assert not divergence(v, x, 0.0).requires_grad
        assert not log_likelihood(v, x.requires_grad_(), steps=2).log_prob.requires_grad


# ---- conservation


def residuals(log_prob, v, x, t, sizes):
    worst = [continuity_residual(log_prob, v, x, t, h=h).abs().max().item() for h in sizes]
    return worst, np.polyfit(np.log(sizes), np.log(worst), 1)[0]


IMAGES = Empirical(0.5 * normal(3, 1, 2, 2, seed=4))


@pytest.mark.parametrize("path", [OTPath(), OTPath(sigma_min=0.1), VPPath()], ids=str)
@pytest.mark.parametrize("target", [MIX, IMAGES], ids=["mixture", "images"])
def test_residual_of_the_exact_field_falls_with_the_square_of_h(target, path):
    u, x = MarginalField(target, path), 0.8 * normal(12, *target.shape)
    worst, slope = residuals(u.log_prob, u, x, 0.6, [0.02, 0.01, 0.005])
    assert abs(slope - 2) < 0.1
    assert worst[-1] < 0.05


def test_residual_of_another_field_does_not_fall():
    u, x = MarginalField(MIX, OTPath()), 0.8 * normal(12, 2)
    for wrong in (lambda x, t: -u(x, t), lambda x, t: u(x, 1 - t), lambda x, t: 1.1 * u(x, t)):
        worst, slope = residuals(u.log_prob, wrong, x, 0.6, [0.02, 0.01, 0.005])
        assert abs(slope) < 0.3 and worst[-1] > 0.005


def test_residual_is_the_derivative_it_stands_for():
    """If p stands still, what is left is div(p v)."""
    x = normal(6, 2)
    standard = torch.distributions.Normal(0.0, 1.0)

    def log_prob(x, t):
        return standard.log_prob(x).sum(1)

    found = continuity_residual(log_prob, Saddle(2.0), x, 0.5, h=1e-4)
    expected = log_prob(x, 0.5).exp() * (-2 * x[:, 0] ** 2 + 2 * x[:, 1] ** 2)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6)


def test_a_rotation_within_the_level_sets_changes_no_density():
    """Many fields move one density: adding a turn to the field of N(0, I) to N(0, I)."""
    u, turn = MarginalField(GaussianMixture([[0.0, 0.0]], 1.0), OTPath()), Rotation(3.0)
    x = normal(8, 2)
    worst, slope = residuals(
        u.log_prob, lambda x, t: u(x, t) + turn(x, t), x, 0.3, [0.02, 0.01, 0.005]
    )
    assert abs(slope - 2) < 0.1 and worst[-1] < 1e-3


# ---- what is refused


def detached(x, t):
    return x.detach() ** 2


BAD = [
    (dict(method="trace"), ValueError, "divergence must be 'exact' or 'hutchinson', got 'trace'"),
    (dict(method="hutchinson"), TypeError, "generator must be a torch.Generator"),
    (dict(method="hutchinson", probes=0, generator=gen()), ValueError, "probes must be .* got 0"),
    (dict(probes=2), ValueError, "probes=2 is for 'hutchinson'"),
    (dict(v=detached), ValueError, "lets no gradient through"),
    (dict(v=lambda x, t: x[:, :1]), ValueError, r"x's shape \(3, 2\), got \(3, 1\)"),
    (dict(v="wind"), TypeError, "v must be callable"),
    (dict(x=torch.zeros(3, 2).int()), TypeError, "x must have a floating-point dtype"),
    (dict(x=torch.full((3, 2), math.nan)), ValueError, "x must be finite"),
    (dict(x=torch.zeros(())), ValueError, r"x must have shape \(B, \*shape\).*got \(\)"),
    (dict(x=torch.zeros(0, 2)), ValueError, r"not empty, got \(0, 2\)"),
]


@pytest.mark.parametrize(("given", "error", "message"), BAD)
def test_bad_input_of_the_divergence(given, error, message):
    with pytest.raises(error, match=message):
        divergence(**{"v": lambda x, t: x, "x": torch.ones(3, 2), "t": 0.5, **given})


def test_inference_mode_is_named():
    with torch.inference_mode(), pytest.raises(ValueError, match="inference_mode"):
        divergence(lambda x, t: x**2, torch.ones(3, 2), 0.5)


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        (dict(), ValueError, "give either steps, or step_size, or both rtol and atol"),
        (dict(steps=5, divergence="skilling"), ValueError, "'exact' or 'hutchinson'"),
        (dict(steps=5, divergence="hutchinson"), TypeError, "generator must be"),
        (dict(steps=5, method="leapfrog"), ValueError, "method must be one of"),
        (dict(steps=5, t_span=(0.0,)), TypeError, "t_span must be two numbers"),
        (dict(steps=5, x1=[1.0]), TypeError, "x1 must be a torch.Tensor"),
        (
            dict(steps=5, x1=torch.ones(3, 2, dtype=torch.long)),
            TypeError,
            "x1 must have a floating",
        ),
    ],
)
def test_bad_input_of_the_likelihood(given, error, message):
    with pytest.raises(error, match=message):
        log_likelihood(**{"v": lambda x, t: x, "x1": torch.ones(3, 2), **given})


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        (dict(h=0.0), ValueError, "h must be a finite number > 0"),
        (dict(t=0.0), ValueError, r"t - h and t \+ h must lie in \[0, 1\], got t=0 and h=0.1"),
        (dict(t=0.95), ValueError, "must lie in"),
        (dict(log_prob=lambda x, t: x), ValueError, r"must return \(3,\), got \(3, 2\)"),
        (dict(v=lambda x, t: x[:, 0]), ValueError, "x's shape"),
    ],
)
def test_bad_input_of_the_residual(given, error, message):
    arguments = dict(log_prob=lambda x, t: x.sum(1), v=lambda x, t: x, x=torch.ones(3, 2), t=0.5)
    with pytest.raises(error, match=message):
        continuity_residual(**{**arguments, "h": 0.1, **given})


# ---- bits


def test_bits_of_a_normal_law_are_the_entropy_of_its_levels():
    """Pixels are independent and normal: of each we know how probable every grey level is."""
    law = torch.distributions.Normal(torch.tensor(0.1, dtype=F64), 0.2)
    levels = torch.arange(-400, 401, dtype=F64) * 2 / 255
    p = law.cdf(levels + 1 / 255) - law.cdf(levels - 1 / 255)
    entropy = -(p * p.clamp_min(1e-300).log2()).sum().item()  # bits a pixel
    x = law.sample((2000, 50))
    bits = bits_per_dim(law.log_prob(x).sum(1), 50)
    assert bits.shape == (2000,)
    assert bits.mean().item() == pytest.approx(entropy, abs=0.01)


def test_bits_do_not_depend_on_the_units():
    """Bytes from 0 to 255, whose levels are 1 wide, instead of [-1, 1]: the density shrinks."""
    log_prob = normal(5)
    in_bytes = bits_per_dim(log_prob - 12 * math.log(127.5), 12, width=1.0)
    torch.testing.assert_close(bits_per_dim(log_prob, 12), in_bytes)
    torch.testing.assert_close(bits_per_dim(log_prob, 1, width=1.0), -log_prob / math.log(2))


@pytest.mark.parametrize("given", [dict(dim=0), dict(dim=2.0), dict(dim=3, width=0.0)])
def test_bad_input_of_the_bits(given):
    (name, value) = list(given.items())[-1]
    with pytest.raises((TypeError, ValueError), match=f"{name} must be .*{value}"):
        bits_per_dim(torch.zeros(3), **given)


class Detached(torch.nn.Module):
    """v = rate x^2, whose parameter requires a gradient and whose input may be cut off."""

    def __init__(self, cut):
        super().__init__()
        self.rate, self.cut = torch.nn.Parameter(torch.tensor(2.0)), cut

    def forward(self, x, t):
        return self.rate * (x.detach() if self.cut else x) ** 2


@pytest.mark.parametrize("how", [{}, dict(method="hutchinson", probes=2, generator=gen())])
def test_a_field_with_parameters_that_cuts_x_off_is_refused(how):
    """Autograd finds a graph, that of the parameter, and no way from the result to x."""
    x = normal(5, 3).float()
    torch.testing.assert_close(divergence(Detached(cut=False), x, 0.0, **how), 4 * x.sum(1))
    with pytest.raises(ValueError, match="lets no gradient through"):
        divergence(Detached(cut=True), x, 0.0, **how)
    how = {("divergence" if name == "method" else name): value for name, value in how.items()}
    with pytest.raises(ValueError, match="lets no gradient through"):
        log_likelihood(Detached(cut=True), x, steps=2, method="euler", **how)


def test_components_that_do_not_depend_on_x_count_nothing():
    rate = torch.nn.Parameter(torch.tensor(2.0))

    def shear(x, t):  # div = 3 x_2^2
        return torch.stack([rate * torch.ones_like(x[:, 0]), x[:, 1] ** 3], dim=1)

    x = normal(4, 2).float()
    torch.testing.assert_close(divergence(shear, x, 0.0), 3 * x[:, 1] ** 2)
    res = log_det(shear, x, method="euler", steps=3)
    assert res.nfe == 3  # the check of the constant is no evaluation of the solve


@pytest.mark.parametrize("solve", [log_det, log_likelihood])
def test_no_graph_is_built_unless_it_is_asked_for(solve):
    torch.manual_seed(0)
    net, x, how = MLP(hidden=8), normal(4, 2).float(), dict(method="rk4", steps=2)
    value = solve(net, x, **how)
    assert not any(y.requires_grad for y in value[:2])
    asked = solve(net, x, create_graph=True, **how)
    for y, z in zip(value[:2], asked[:2], strict=True):
        assert z.requires_grad
        torch.testing.assert_close(y, z)
    through_x = solve(net, x.clone().requires_grad_(), **how)
    assert through_x[0].requires_grad
    declined = solve(net, x.clone().requires_grad_(), create_graph=False, **how)
    assert not declined[0].requires_grad
    with torch.no_grad():
        assert not solve(net, x, create_graph=True, **how)[0].requires_grad
    with pytest.raises(TypeError, match="create_graph must be True or False, got 'yes'"):
        solve(net, x, create_graph="yes", **how)


def test_the_gradient_in_the_parameters_is_that_of_finite_differences():
    torch.manual_seed(0)
    net, x, how = MLP(hidden=6, depth=1).double(), normal(3, 2), dict(method="rk4", steps=3)
    weight = net.layers[0].weight
    log_likelihood(net, x, create_graph=True, **how).log_prob.sum().backward()
    h, values = 1e-5, []
    for sign in (1, -1):
        with torch.no_grad():
            weight[1, 0] += sign * h
            values.append(log_likelihood(net, x, **how).log_prob.sum().item())
            weight[1, 0] -= sign * h
    assert weight.grad[1, 0].item() == pytest.approx((values[0] - values[1]) / (2 * h), rel=1e-5)


def test_numbers_of_numpy_are_numbers():
    bits = bits_per_dim(torch.tensor([-784 * math.log(256 * 2 / 255)]), np.prod((1, 28, 28)))
    assert bits.item() == pytest.approx(8, abs=1e-4)
    with pytest.raises(TypeError, match="dim must be a whole number of at least 1, got True"):
        bits_per_dim(torch.zeros(1), True)
