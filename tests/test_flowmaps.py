"""Losses of flow maps: their targets, where they come to rest, and what their networks learn."""

import math
from functools import partial
from typing import ClassVar

import numpy as np
import pytest
import torch
from mixtures import F64, along, field
from small import gen, noise

from fmcore.fields import FlowMap, GaussianMixture, MarginalField
from fmcore.flowmaps import RULES, Jump, Rule, flow_map_loss, jump
from fmcore.losses import pairs_to_the_end, sorted_pairs
from fmcore.paths import CosinePath, OTPath, VPPath

PATHS = [OTPath(), VPPath(), CosinePath()]
OWN = ["shortcut", "lagrangian", "eulerian"]  # whose target does not look at the velocity seen


def beside(t):
    return t[:, None]


def polynomial(x, s, t):
    """A mean velocity of no flow, whose derivatives are written out in `Written`."""
    s, t = beside(s), beside(t)
    return (
        torch.stack([x[:, 0] * x[:, 1], x[:, 1] ** 2 - x[:, 0]], 1) * (1 + s * t**2) + s**2 - 3 * t
    )


class Written:
    """The same with its derivatives by hand."""

    def __init__(self, x, s, t):
        self.s, self.t = beside(s), beside(t)
        self.base = torch.stack([x[:, 0] * x[:, 1], x[:, 1] ** 2 - x[:, 0]], 1)
        self.x, self.scale = x, 1 + self.s * self.t**2

    def d_s(self):
        return self.base * self.t**2 + 2 * self.s

    def d_t(self):
        return self.base * 2 * self.s * self.t - 3

    def along(self, v):
        x, y, p, q = *self.x.unbind(1), *v.unbind(1)
        return torch.stack([y * p + x * q, 2 * y * q - p], 1) * self.scale


def expected(rule, x, s, t, v, teacher):
    """The targets as the papers write them, for `polynomial`."""
    u, d, length = polynomial(x, s, t), Written(x, s, t), beside(t - s)
    own = polynomial(x, s, s) if teacher is None else teacher(x, s)
    if rule == "shortcut":
        middle = (s + t) / 2
        there = x + beside(middle - s) * polynomial(x, s, middle)
        return (polynomial(x, s, middle) + polynomial(there, middle, t)) / 2
    if rule == "lagrangian":
        end = x + length * u
        speed = polynomial(end, t, t) if teacher is None else teacher(end, t)
        return speed - length * d.d_t()
    if rule == "eulerian":
        return own + length * (d.d_s() + d.along(own))
    tangent = own if rule == "improved_mean_flow" else v
    return v + length * (d.d_s() + d.along(tangent))


class Shifted(torch.nn.Module):
    """A mean velocity, and a number that is added to it."""

    def __init__(self, u, weight=0.0):
        super().__init__()
        self.u, self.weight = u, torch.nn.Parameter(torch.tensor(weight, dtype=F64))

    def forward(self, x, s, t):
        return self.u(x, s, t) + self.weight * torch.sin(x + beside(s) - 2 * beside(t))


def a_batch(path, n=12, last=0.9):
    x1, x0 = along(path, 1.0, n), noise(n, 2).double()
    s, t = (last * torch.rand(2, n, generator=gen(5), dtype=F64)).sort(dim=0).values
    return x1, x0, s, t


def teacher(x, t):
    return torch.cos(x) * (1 + beside(t))


@pytest.mark.parametrize("taught", [None, teacher])
@pytest.mark.parametrize("rule", RULES)
def test_a_loss_is_the_distance_to_its_target(rule, taught):
    """With derivatives by hand, off the diagonal and on it."""
    path = OTPath()
    x1, x0, s, t = a_batch(path)
    t[:3] = s[:3]
    xs, v = path.sample(x0, x1, s)
    v = v if taught is None else taught(xs, s)
    wanted = torch.where(beside(s == t), v, expected(rule, xs, s, t, v, taught))
    loss = partial(flow_map_loss, polynomial, path, x1, rule=rule, teacher=taught, x0=x0)
    mean = (polynomial(xs, s, t) - wanted).square().mean()
    torch.testing.assert_close(loss(t=(s, t)), mean)
    torch.testing.assert_close(loss(t=torch.stack([s, t], 1)), mean)


@pytest.mark.parametrize("rule", RULES)
def test_no_gradient_flows_through_a_target(rule):
    path = VPPath()
    x1, x0, s, t = a_batch(path)
    net = Shifted(polynomial, 0.3)
    flow_map_loss(net, path, x1, rule=rule, x0=x0, t=(s, t)).backward()
    xs, v = path.sample(x0, x1, s)
    with torch.no_grad():
        target = RULES[rule].target(Jump(net, xs, s, t, v, lambda x, t: net(x, t, t)))
    u = net(xs, s, t)
    (slope,) = torch.autograd.grad(
        ((u - u.detach() + (u - target).detach()) ** 2).mean(), net.weight
    )
    torch.testing.assert_close(net.weight.grad, slope)


@pytest.mark.parametrize("path", PATHS, ids=str)
@pytest.mark.parametrize("rule", RULES)
def test_the_flow_map_is_its_own_target(rule, path):
    """With the marginal field as the teacher, row by row."""
    v = field(path)
    x1, x0, s, t = a_batch(path)
    t = s + (t - s) / 4
    loss = flow_map_loss(FlowMap(v, steps=8), path, x1, rule=rule, teacher=v, x0=x0, t=(s, t))
    assert loss.sqrt() < 1e-6


class Gaussian(torch.nn.Module):
    """u of the flow from N(0, 1) to N(1.2, 0.6²) for s < t, and on the diagonal; plus `weight` phi.

    Everything is a polynomial in x, so that quadrature with few nodes is exact.
    """

    def __init__(self, path, weight=0.0):
        super().__init__()
        self.path, self.mean, self.std = path, 1.2, 0.6
        self.weight = torch.nn.Parameter(torch.tensor(weight, dtype=F64))
        one = GaussianMixture(*torch.tensor([[[1.2]], [[0.6]]], dtype=F64))
        self.field = MarginalField(one, path)

    def forward(self, x, s, t):
        phi = self.weight * (x**2 * beside(t) + x - beside(s) ** 2)
        if bool((s == t).all()):
            return self.field(x, t) + phi
        (a_s, b_s), (a_t, b_t) = ((self.path.a(r), self.path.b(r)) for r in (s, t))
        sd_s, sd_t = (((a * self.std) ** 2 + b**2).sqrt() for a, b in ((a_s, b_s), (a_t, b_t)))
        ratio = sd_t / sd_s
        shift = beside(a_t - ratio * a_s) * self.mean
        return (shift + beside(ratio - 1) * x) / beside(t - s) + phi


def quadrature(means, stds, shares, nodes):
    """Pairs (x0, x1) and their weights: sums over them are means over N(0, 1) and a mixture."""
    z, w = np.polynomial.hermite_e.hermegauss(nodes)
    z, w = torch.from_numpy(z), torch.from_numpy(w / w.sum())
    means, stds, shares = (torch.tensor(each, dtype=F64)[:, None] for each in (means, stds, shares))
    x1 = (means + stds * z).flatten()
    x0, x1 = (grid.reshape(-1, 1) for grid in torch.meshgrid(z, x1, indexing="ij"))
    return x0, x1, torch.outer(w, (shares * w).flatten()).flatten()


@pytest.mark.parametrize("path", PATHS, ids=str)
@pytest.mark.parametrize("rule", RULES)
def test_in_the_mean_over_data_the_flow_map_is_at_rest(rule, path):
    """By quadrature over noise and data, without a teacher; beside it the loss is not at rest."""
    x0, x1, w = quadrature([1.2], [0.6], [1.0], 6)
    for s, t in ((0.3, 0.3), (0.2, 0.95), (0.35, 0.7)):
        for start, rests in ((0.0, True), (0.1, False)):
            net = Gaussian(path, start)
            loss = flow_map_loss(net, path, x1, rule=rule, x0=x0, t=(s, t), weight=len(w) * w)
            loss.backward()
            assert (abs(net.weight.grad) < 1e-10) == rests


def test_of_a_mixture_as_well():
    """There the mean velocity bends, and the quadrature has to be finer."""
    path, two = OTPath(), ([-0.6, 0.7], [0.8, 0.9], [0.4, 0.6])
    x0, x1, w = quadrature(*two, 24)
    means, stds = (torch.tensor(each, dtype=F64)[:, None] for each in two[:2])
    net = Shifted(FlowMap(MarginalField(GaussianMixture(means, stds, two[2]), path), steps=16))
    loss = flow_map_loss(net, path, x1, rule="mean_flow", x0=x0, t=(0.2, 0.7), weight=len(w) * w)
    loss.backward()
    assert abs(net.weight.grad) < 1e-6


def test_with_a_gradient_through_the_target_it_is_not():
    """The mean flow as a residual: the noise of the velocity gets a slope of its own."""
    path = OTPath()
    x0, x1, w = quadrature([1.2], [0.6], [1.0], 6)
    net = Gaussian(path)
    s, t = (torch.full((len(w),), time, dtype=F64) for time in (0.2, 0.9))
    xs, v = path.sample(x0, x1, s)
    target = RULES["mean_flow"].target(Jump(net, xs, s, t, v, teacher))
    loss = (w[:, None] * (net(xs, s, t) - target).square()).sum()
    (slope,) = torch.autograd.grad(loss, net.weight)
    assert abs(slope) > 0.01


def test_adaptive_weights_move_the_point_of_rest():
    path, slopes = OTPath(), []
    x0, x1, w = quadrature([1.2], [0.6], [1.0], 6)
    for p in (0.0, 1.0):
        net = Gaussian(path)
        flow_map_loss(
            net, path, x1, rule="mean_flow", x0=x0, t=(0.2, 0.9), weight=len(w) * w, adaptive=p
        ).backward()
        slopes.append(abs(net.weight.grad))
    assert slopes[0] < 1e-10 < 1e-3 < slopes[1]


def test_adaptive_weights_divide_the_rows():
    x1, x0, s, t = a_batch(OTPath())
    loss = partial(flow_map_loss, polynomial, OTPath(), rule="mean_flow")
    each = torch.stack(
        [loss(x1[i : i + 1], x0=x0[i : i + 1], t=(s[i], t[i])) for i in range(len(x1))]
    )
    both = loss(x1, x0=x0, t=(s, t), adaptive=0.5, weight=torch.arange(12.0))
    torch.testing.assert_close(both, (torch.arange(12.0) * each / (each + 1e-3).sqrt()).mean())


def test_adaptive_weights_are_numbers():
    """The slope is that of the loss with these weights given."""
    path = OTPath()
    x1, x0, s, t = a_batch(path)
    each = [
        flow_map_loss(
            Shifted(polynomial, 0.3), path, x1[i : i + 1], rule="shortcut", x0=x0[i : i + 1],
            t=(s[i], t[i]),
        )
        for i in range(len(x1))
    ]  # fmt: skip
    weight = 1 / (torch.stack(each).detach() + 1e-3)
    slopes = []
    for how in (dict(adaptive=1.0), dict(weight=weight)):
        net = Shifted(polynomial, 0.3)
        flow_map_loss(net, path, x1, rule="shortcut", x0=x0, t=(s, t), **how).backward()
        slopes.append(net.weight.grad)
    torch.testing.assert_close(*slopes)


def test_a_teacher_is_told_the_label():
    def taught(x, t, label=None):
        return teacher(x, t) + (0 if label is None else beside(label))

    x1, x0, s, _ = a_batch(OTPath())
    xs, _ = OTPath().sample(x0, x1, s)
    label = torch.arange(12)
    loss = flow_map_loss(
        lambda x, s, t, label: 0 * x, OTPath(), x1, rule="eulerian", teacher=taught, x0=x0,
        t=(s, s), label=label,
    )  # fmt: skip
    torch.testing.assert_close(loss, (teacher(xs, s) + beside(label)).square().mean())


def test_the_network_is_told_the_label_in_its_own_target():
    """Steady winds, one for each label: a jump is two of half its length."""

    def net(x, s, t, label=None):
        return torch.zeros_like(x) + (0 if label is None else beside(label))

    x1, x0, s, t = a_batch(OTPath())
    label = torch.arange(1, 13)
    loss = flow_map_loss(net, OTPath(), x1, rule="shortcut", x0=x0, t=(s, t), label=label)
    assert loss == 0


def test_guidance_pushes_the_velocity_that_is_seen():
    """w v + (1 - w) u without a label, in the rows that have one."""

    class Net(torch.nn.Module):
        config: ClassVar = {"num_classes": 10}

        def forward(self, x, s, t, label=None):
            shift = 0 if label is None else beside(label) / 10
            return polynomial(x, s, t) + shift

    x1, x0, s, _ = a_batch(OTPath())
    label = torch.arange(12)
    label[5:] = 10  # no class
    loss = flow_map_loss(
        Net(), OTPath(), x1, rule="mean_flow", x0=x0, t=(s, s), label=label, guidance=3.0
    )
    xs, v = OTPath().sample(x0, x1, s)
    wanted = torch.where(beside(label < 10), 3 * v - 2 * polynomial(xs, s, s), v)
    torch.testing.assert_close(
        loss, (polynomial(xs, s, s) + beside(label) / 10 - wanted).square().mean()
    )


def test_pairs_are_ordered_and_equal_as_often_as_asked():
    x = torch.zeros(20_000, 1)
    pairs = sorted_pairs(x, gen(), diagonal=0.25)
    s, t = pairs.unbind(1)
    assert pairs.shape == (20_000, 2) and bool((s <= t).all())
    assert abs((s == t).float().mean() - 0.25) < 0.01
    off = s < t  # density 2 on the triangle: means 1/3 and 2/3, and t - s has 1/3
    for mean, value in ((1 / 3, s[off]), (2 / 3, t[off]), (1 / 3, (t - s)[off])):
        assert abs(value.mean() - mean) < 0.01
    on = t[~off]  # the later of two: 2/3
    assert abs(on.mean() - 2 / 3) < 0.015
    s, t = pairs_to_the_end(x, gen()).unbind(1)
    assert bool((t == 1).all()) and abs(s.mean() - 0.5) < 0.01 and abs(s.var() - 1 / 12) < 0.005


def test_a_rule_draws_its_own_pairs_unless_told():
    seen = []

    def net(x, s, t):
        seen.append((s, t))
        return 0 * x

    loss = partial(flow_map_loss, net, OTPath(), torch.ones(64, 2))
    loss(rule="consistency", generator=gen())
    assert bool((seen[-1][1] == 1).all())
    loss(rule="consistency", generator=gen(), times=sorted_pairs)
    assert bool((seen[-1][1] < 1).any())
    loss(rule="eulerian", generator=gen(7))
    again = sorted_pairs(torch.ones(64, 2), torch.Generator().set_state(_after_noise(7)))
    torch.testing.assert_close(torch.stack(seen[-1], 1), again)


def _after_noise(seed):
    g = gen(seed)
    torch.randn(64, 2, generator=g)
    return g.get_state()


@pytest.mark.parametrize("steps", [1, 2, 5])
def test_the_true_flow_map_arrives_in_any_number_of_jumps(steps):
    path = OTPath()
    u, x0 = FlowMap(field(path)), noise(16, 2).double()
    torch.testing.assert_close(jump(u, x0, steps), u.end(x0, 0.0, 1.0), atol=1e-6, rtol=0)


def test_a_jump_costs_an_evaluation_and_passes_the_label_on():
    calls = []

    def net(x, s, t, label=None):
        calls.append((s[0].item(), t[0].item(), label))
        return 0 * x

    x = noise(3, 2)
    label = torch.tensor([1, 2, 3])
    assert torch.equal(jump(net, x, 4, label=label), x)
    assert [call[:2] for call in calls] == [(0, 0.25), (0.25, 0.5), (0.5, 0.75), (0.75, 1)]
    assert all(call[2] is label for call in calls)


def test_a_rule_of_ones_own_works():
    """Towards twice the velocity seen."""
    RULES["twice"] = Rule(lambda j: 2 * j.v, sorted_pairs)
    try:
        x1, x0, s, t = a_batch(OTPath())
        loss = flow_map_loss(lambda x, s, t: 0 * x, OTPath(), x1, rule="twice", x0=x0, t=(s, t))
        torch.testing.assert_close(loss, 4 * (x1 - x0).square().mean())
    finally:
        del RULES["twice"]


@pytest.mark.parametrize("rule", ["mean_flow", "lagrangian"])
@pytest.mark.filterwarnings("ignore:Dynamo detected a call to a `functools.lru_cache`")
def test_compiled_it_is_the_same(rule):
    path, net = OTPath(), _affine()
    x1, x0, s, t = (each.float() for each in a_batch(path))
    loss = partial(flow_map_loss, path=path, x1=x1, rule=rule, x0=x0, t=(s, t))
    compiled = torch.compile(loss, backend="aot_eager")(net)
    torch.testing.assert_close(compiled, loss(net))


@pytest.mark.parametrize("rule", RULES)
def test_in_half_precision_it_is_nearly_the_same(rule):
    path, net = OTPath(), _affine()
    x1, x0, s, t = (each.float() for each in a_batch(path))
    loss = partial(flow_map_loss, path=path, x1=x1, rule=rule, x0=x0, t=(s, t))
    exact = loss(net)
    with torch.autocast("cpu", torch.bfloat16):
        rounded = loss(net)
    assert rounded.dtype == torch.float32 and math.isclose(rounded, exact, rel_tol=0.03)


def _affine():
    class Net(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = torch.nn.Linear(4, 2)

        def forward(self, x, s, t):
            return self.layer(torch.cat([x, beside(s), beside(t)], 1).to(x.dtype))

    torch.manual_seed(0)
    return Net()
