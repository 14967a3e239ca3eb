"""A change of path against the exact field of the other path, and what it leaves as it was."""

import pickle
from dataclasses import dataclass

import pytest
import torch
from mixtures import ALL, F64, along, field
from small import gen, unet

from fmcore.fields import Empirical, MarginalField
from fmcore.guidance import Guided
from fmcore.paths import PATHS, CosinePath, OTPath, ProbabilityPath, VPPath, change_path
from fmcore.sampling import generate
from fmcore.solvers import odeint
from fmcore.weights import FlowModel

OT, HARBOUR, VP, COSINE = OTPath(), OTPath(0.05), VPPath(), CosinePath()


@dataclass(frozen=True)
class Power(ProbabilityPath):
    """No closed form for anything: derivatives by jvp, times by bisection."""

    p: float = 1.5

    def a(self, t):
        return t**self.p

    def b(self, t):
        return 1 - t


EVERY = [*ALL, Power()]
PAIRS = [(path, other) for path in EVERY for other in EVERY]
TIMES = [0.0, 1e-4, 0.003, 0.1, 0.35, 0.5, 0.8, 0.95, 0.99, 0.999, 1.0]


def ratio(path, t):
    t = torch.as_tensor(t, dtype=F64)
    return path.a(t) / path.b(t)


def reached(path, other, t):
    """Whether both have a velocity there, and `path` the ratio of `other`."""
    if t == 1.0 and VP in (path, other):  # infinite
        return False
    if t == 0.0 and path == Power():  # it stands still, and so says nothing of the data
        return False
    return ratio(path, 0.0) <= ratio(other, t) <= ratio(path, 1.0)


@pytest.mark.parametrize(("path", "other"), PAIRS, ids=str)
def test_it_is_the_field_of_the_other_path(path, other):
    w, u, seen = change_path(field(path), path, other), field(other), 0
    for t in TIMES:
        if reached(path, other, t):
            x = along(other, t)
            torch.testing.assert_close(w(x, t), u(x, t), rtol=1e-6, atol=1e-6)
            seen += 1
    assert seen >= 6


@pytest.mark.parametrize(("path", "other"), PAIRS, ids=str)
def test_a_time_for_each_row_and_in_float32(path, other):
    t = torch.tensor([0.3, 0.05, 0.8, 0.5])
    x = along(other, t, 4)
    w, u = change_path(field(path), path, other), field(other)
    torch.testing.assert_close(w(x, t.double()), u(x, t.double()), rtol=1e-6, atol=1e-6)
    single = w(x.float(), t)
    assert single.dtype == torch.float32
    torch.testing.assert_close(single.double(), u(x, t.double()), rtol=2e-4, atol=2e-4)
    half = w(x.bfloat16(), t)
    assert half.dtype == torch.bfloat16
    exact = u(x.bfloat16().double(), t.double())
    torch.testing.assert_close(half.double(), exact, rtol=0.05, atol=0.05)


@pytest.mark.parametrize("path", EVERY, ids=str)
@pytest.mark.parametrize("dtype", [torch.float32, F64])
def test_times_are_found_from_the_ratio(path, dtype):
    t = torch.tensor([0.0, 1e-3, 0.2, 0.5, 0.9, 0.999, 1.0], dtype=dtype)
    a, b = path.a(t), path.b(t)
    tolerance = 20 * torch.finfo(dtype).eps
    for scale in (1.0, 0.3, 7.0):  # only the ratio counts
        found = path.time_at(scale * a, scale * b)
        assert found.dtype == dtype
        torch.testing.assert_close(found, t, rtol=tolerance, atol=tolerance)
    assert path.time_at(a[3], b[3]).shape == ()


@pytest.mark.parametrize("path", EVERY, ids=str)
def test_beyond_the_ratios_of_a_path_its_nearest_time_is_taken(path):
    ends = path.time_at(torch.tensor([0.0, 1.0], dtype=F64), torch.tensor([1.0, 0.0], dtype=F64))
    torch.testing.assert_close(ends, torch.tensor([0.0, 1.0], dtype=F64), rtol=0, atol=1e-15)
    assert ((ends >= 0) & (ends <= 1)).all()


@pytest.mark.parametrize("dtype", [torch.float32, F64])
def test_no_time_lies_outside_by_a_rounding_error(dtype):
    zero, one = torch.zeros((), dtype=dtype), torch.ones((), dtype=dtype)
    for i in range(1, 40):
        for path in (VPPath(0.1 * i, 0.7 * i + 3), VPPath(0.3 * i, 0.3 * i), OTPath(i / 41)):
            assert path.time_at(zero, one) >= 0 and path.time_at(one, zero) <= 1
            start, end = (path.time_at(path.a(t), path.b(t)) for t in (zero, one))
            assert abs(start) < 1e-6 and abs(end - 1) < 1e-6


def test_near_the_end_of_vp_no_digits_are_lost():
    """log(1 + b^2 / a^2) of so small a b is found to a part in a thousand; log1p knows it."""
    t = 1 - torch.arange(1, 20) * 2.0**-14
    found = VP.time_at(VP.a(t), VP.b(t))
    torch.testing.assert_close(found, t, rtol=0, atol=2e-7)


def test_before_the_start_of_vp_the_field_is_off_by_as_much_as_it_begins_with():
    """a(0) = 0.0066: the means are those of time 0, and the field of OT is nearly met."""
    w, x = change_path(field(VP), VP, OT), along(OT, 0.0)
    off = (w(x, 0.0) - field(OT)(x, 0.0)).abs().max()
    assert 0 < off < 0.03
    at_start = VP.velocity_to_data(field(VP)(x, 0.0), x, 0.0)
    noise = VP.velocity_to_noise(field(VP)(x, 0.0), x, 0.0)
    torch.testing.assert_close(w(x, 0.0), at_start - noise, rtol=1e-3, atol=1e-3)


def test_beyond_a_harbour_the_means_are_those_of_its_end():
    """0.05 of noise is the least that was trained on: at the end of OT it is not told from data."""
    w = change_path(field(HARBOUR), HARBOUR, OT)
    for t in (0.96, 0.99, 1.0):
        x = along(OT, t)
        off = (w(x, t) - field(OT)(x, t)).square().mean().sqrt()
        assert 1e-3 < off < 0.25 and w(x, t).isfinite().all()


@pytest.mark.parametrize("other", [COSINE, Power()], ids=str)
def test_every_path_leads_from_the_same_noise_to_the_same_data(other):
    """What lies between is another path: the ends of the flow are those of the ODE of OT."""
    x0 = torch.randn(32, 2, generator=gen(), dtype=F64)
    here = odeint(field(OT), x0, method="rk4", steps=200)
    there = odeint(change_path(field(OT), OT, other), x0, method="rk4", steps=200, t_eval=[0.5, 1])
    torch.testing.assert_close(there.x, here.x, rtol=0, atol=1e-4)
    middle = odeint(field(OT), x0, (0.0, 0.5), method="rk4", steps=100).x
    assert (there.xs[0] - middle).abs().max() > 0.05


def test_there_and_back_again():
    t, x = 0.4, along(OT, 0.4)
    w = change_path(field(OT), OT, COSINE)
    back = change_path(w, COSINE, OT)
    torch.testing.assert_close(back(x, t), field(OT)(x, t), rtol=1e-10, atol=1e-10)


def test_labels_and_models_pass_through_it():
    net = unet(num_classes=10)
    model = FlowModel(net, OT, (1, 8, 8))
    w = change_path(model, OT, COSINE)
    x, label = torch.randn(3, 1, 8, 8, generator=gen()), torch.tensor([1, 2, 3])
    assert not torch.equal(w(x, 0.4, label), w(x, 0.4))
    s = OT.time_at(*(f(torch.tensor(0.4)) for f in (COSINE.a, COSINE.b)))
    k = (OT.a(s) / COSINE.a(torch.tensor(0.4))).item()
    seen = []
    change_path(lambda x, t, y: seen.append((x, t, y)) or x, OT, COSINE)(x, 0.4, label)
    torch.testing.assert_close(seen[0][0], k * x)
    assert seen[0][1].shape == () and seen[0][2] is label
    torch.testing.assert_close(seen[0][1], s)
    images = generate(Guided(w, 2.0), 3, steps=2, label=label, generator=gen())
    assert images.shape == (3, 1, 8, 8) and images.isfinite().all()
    again = pickle.loads(pickle.dumps(w))
    torch.testing.assert_close(again(x, 0.4), w(x, 0.4))


def test_gradients_flow_through_it():
    x = along(COSINE, 0.4, 4).requires_grad_()
    w, u = change_path(field(OT), OT, COSINE), field(COSINE)
    ours, exact = (torch.autograd.grad(v(x, 0.4).sum(), x)[0] for v in (w, u))
    torch.testing.assert_close(ours, exact, rtol=1e-8, atol=1e-8)


def test_data_points_and_images_as_well():
    points = Empirical(torch.randn(5, 1, 4, 4, generator=gen(), dtype=F64))
    x = torch.randn(4, 1, 4, 4, generator=gen(1), dtype=F64)
    w = change_path(MarginalField(points, OT), OT, VP)
    for t in (0.3, torch.tensor([0.1, 0.4, 0.7, 0.9], dtype=F64)):
        torch.testing.assert_close(w(x, t), MarginalField(points, VP)(x, t), rtol=1e-6, atol=1e-6)


def test_a_path_that_does_not_fit_is_refused():
    with pytest.raises(ValueError, match=r"v is a field along OTPath.*, and path is VPPath"):
        change_path(field(OT), VP, COSINE)
    with pytest.raises(ValueError, match="v is a field along CosinePath"):
        change_path(change_path(field(OT), OT, COSINE), OT, COSINE)
    with pytest.raises(ValueError, match="does not determine the data where .* 0: t = 0 on Power"):
        change_path(field(Power()), Power(), OT)(along(OT, 0.0), 0.0)
    with pytest.raises(ValueError, match="the velocity is infinite where b.*t = 1 on VPPath"):
        change_path(field(OT), OT, VP)(along(OT, 1.0), 1.0)

    @dataclass(frozen=True)
    class Slower(OTPath):  # and the closed form of its parent is no longer right
        def a(self, t):
            return t**2

        def da(self, t):
            return 2 * t

    @dataclass(frozen=True)
    class There(ProbabilityPath):  # and back
        def a(self, t):
            return t * (1.2 - t)

        def b(self, t):
            return 1 - 0.5 * t

    for path in (Slower(), There()):
        with pytest.raises(ValueError, match=r"must rise with t, and time_at\(a, b\) invert it"):
            change_path(lambda x, t: x, path, OT)
        change_path(lambda x, t: x, OT, path)  # only the trained path is inverted


def test_all_paths_of_the_table_are_tested():
    assert {type(path) for path in ALL} == set(PATHS.values())
