"""Editing where everything is known: flows of normal laws, mixtures, noise along an arc."""

import math
from functools import partial

import pytest
import torch
from small import gen
from torch import nn

from fmcore import CosinePath, GaussianMixture, Guided, MarginalField, OTPath, load_pretrained
from fmcore.editing import edit, encode, inpaint, slerp
from fmcore.networks import MLP
from fmcore.weights import FlowModel


class AlongTime(nn.Module):
    """A network and what follows it."""

    def __init__(self, parts):
        super().__init__()
        self.parts = parts

    def forward(self, x, t):
        return self.parts[1](self.parts[0](x, t))


MEAN, STD = torch.tensor([1.0, -2.0]), 0.5
PATHS = (OTPath(), CosinePath(), OTPath(sigma_min=0.1))


def bell(path):
    """The field that carries N(0, I) to N(MEAN, STD^2), and x at time t in units of its law."""
    field = MarginalField(GaussianMixture(MEAN[None], STD), path)

    def standard(x, t):
        a, b = (f(torch.tensor(t)) for f in (path.a, path.b))
        return (x - a * MEAN) / (a**2 * STD**2 + b**2).sqrt()

    return field, standard


@pytest.mark.parametrize("path", PATHS, ids=str)
@pytest.mark.parametrize("t", [0.4, 0.9])
def test_a_datum_keeps_its_place_within_the_law(path, t):
    """The flow of a normal law is affine: in units of the law nothing moves."""
    field, standard = bell(path)
    x1 = MEAN + torch.randn(6, 2, generator=gen(1))
    xt, _ = path.sample(torch.randn(6, 2, generator=gen()), x1, t)
    how = dict(path=path, method="rk4", generator=gen())
    z = encode(field, x1, t=t, steps=40, **how)
    torch.testing.assert_close(standard(z, 0.0), standard(xt, t), atol=2e-4, rtol=0)
    how["generator"] = gen()
    end = edit(field, x1, t=t, steps=40, **how)
    torch.testing.assert_close(standard(end, 1.0), standard(xt, t), atol=2e-4, rtol=0)


def test_from_the_end_the_way_back_is_the_datum_of_its_noise():
    field, standard = bell(OTPath())
    x1 = MEAN + torch.randn(4, 2, generator=gen(1))
    z = encode(field, x1, t=1.0, path=OTPath(), steps=40, generator=gen())
    torch.testing.assert_close(standard(z, 0.0), standard(x1, 1.0), atol=1e-3, rtol=0)
    same = edit(field, x1, t=1.0, path=OTPath(), generator=gen())
    torch.testing.assert_close(same, x1)


@pytest.mark.parametrize("path", PATHS, ids=str)
def test_what_is_kept_decides_the_rest(path):
    """Two far clusters: whoever keeps one coordinate gets the other one of the same cluster."""
    mix = GaussianMixture([[-2.0, -2.0], [2.0, 2.0]], 0.1)
    field = MarginalField(mix, path)
    x1 = torch.tensor([[2.0, -9.0], [-2.0, 9.0]]).repeat_interleave(50, 0)
    keep = torch.tensor([True, False]).expand(100, 2)
    x = inpaint(field, x1, keep, path=path, steps=20, generator=gen())
    assert torch.equal(x[:, 0], x1[:, 0])
    assert ((x[:, 1] - x1[:, 0]).abs() < 0.5).all()
    # Of what is kept nowhere, nothing is seen; what is kept everywhere stays.
    none, how = torch.zeros(100, 2), dict(path=path, steps=5)
    one, two = (inpaint(field, s * x1, none, generator=gen(), **how) for s in (1, -3))
    assert torch.equal(one, two)
    assert torch.equal(inpaint(field, x1, none + 1, generator=gen(), **how), x1)


def test_what_is_kept_for_a_time_is_free_afterwards():
    """Held for half of the time, a coordinate still decides the cluster, and then moves into it."""
    field = MarginalField(GaussianMixture([[-2.0, -2.0], [2.0, 2.0]], 0.1), OTPath())
    x1 = torch.tensor([[1.4, 0.0]]).expand(50, 2)
    until = torch.tensor([0.8, 0.0]).expand(50, 2)
    x = inpaint(field, x1, until, path=OTPath(), steps=20, generator=gen())
    assert ((x - 2).abs() < 0.5).all()


def test_labels_guidance_and_the_path_of_a_model():
    """A model knows its path; a wrapped one, too; images are clamped, points are not."""
    model = load_pretrained("mnist")
    x1, label = torch.full((2, 1, 28, 28), -1.0), torch.tensor([3, 8])
    how = dict(t=0.3, steps=1, label=label)
    plain = edit(model, x1, generator=gen(), **how)
    assert plain.abs().max() <= 1 and plain.shape == x1.shape
    strong = edit(model, x1, guidance=2.0, generator=gen(), **how)
    assert not torch.equal(plain, strong)
    torch.testing.assert_close(edit(Guided(model, 2.0), x1, generator=gen(), **how), strong)
    points = FlowModel(MLP(hidden=8), OTPath(), (2,)).train()
    far = inpaint(points, 5 * torch.ones(2, 2), torch.ones(2, 2) > 0, steps=1, generator=gen())
    assert far.max() == 5 and points.training and not far.requires_grad


@pytest.mark.parametrize(
    "what",
    [encode, partial(edit, t=0.5), lambda model, x1, **how: inpaint(model, x1, x1 > 0, **how)],
)
def test_it_is_the_network_at_rest_in_its_own_precision(what):
    """Dropout is off while it is asked and on again afterwards; data follow the weights."""
    net = nn.Sequential(MLP(dim=2, hidden=8), nn.Dropout(0.9))
    model = AlongTime(net)
    model.train()
    how = dict(path=OTPath(), steps=3)
    first, second = (what(model, torch.ones(5, 2).double(), generator=gen(), **how) for _ in "ab")
    assert first.dtype == torch.float32 and torch.equal(first, second)
    assert model.training and net[1].training


def test_slerp_goes_round_the_circle_at_even_speed():
    """In the plane the angle is known; lengths are kept, and a row has its own s."""
    start, turn = torch.tensor([0.3, 2.0, -1.0]), torch.tensor([0.4, -2.9, 3e-9])
    s = torch.tensor([0.25, 0.5, 0.9])

    def at(angle):
        return 7 * torch.stack([angle.cos(), angle.sin()], dim=1)

    torch.testing.assert_close(slerp(at(start), at(start + turn), s), at(start + s * turn))
    short = 1e-3 * slerp(at(start), at(start + turn), s)
    torch.testing.assert_close(slerp(1e-3 * at(start), 1e-3 * at(start + turn), s), short)


def test_slerp_keeps_the_length_of_noise_and_the_chord_does_not():
    x, y = torch.randn(2, 100, 1, 28, 28, generator=gen())
    half = slerp(x, y, 0.5)
    assert half.shape == x.shape
    ends = (x.flatten(1).norm(dim=1) + y.flatten(1).norm(dim=1)) / 2
    assert (half.flatten(1).norm(dim=1) / ends - 1).abs().max() < 0.01
    assert (torch.lerp(x, y, 0.5).flatten(1).norm(dim=1) / ends - 0.5**0.5).abs().max() < 0.05
    torch.testing.assert_close(slerp(x, y, 0.0), x)
    torch.testing.assert_close(slerp(x, y, 1), y)
    torch.testing.assert_close(slerp(x, x, 0.3), x)
    torch.testing.assert_close(slerp(x, y, 0.3), slerp(y, x, 0.7))


@pytest.mark.parametrize(
    ("x", "y", "s", "message"),
    [
        (torch.ones(2, 3), torch.ones(2, 4), 0.5, r"got \(2, 3\) and \(2, 4\)"),
        (torch.ones(3), torch.ones(3), 0.5, r"must both have shape \(B, \*shape\)"),
        (torch.ones(2, 3), torch.ones(2, 3), torch.zeros(3), r"shape \(2,\), got \(3,\)"),
        (torch.ones(2, 3), torch.zeros(2, 3), 0.5, "a zero vector has no direction"),
        (torch.zeros(2, 3), torch.ones(2, 3), 0.5, "a zero vector has no direction"),
        (torch.ones(2, 3), -2 * torch.ones(2, 3), 0.5, "opposite to that of y"),
        (torch.ones(2, 3), torch.eye(2, 3), math.nan, "s must be a finite number, got nan"),
        (torch.full((2, 3), math.nan), torch.ones(2, 3), 0.5, "x and y must be finite"),
        (torch.ones(2, 3), torch.full((2, 3), math.inf), 0.5, "x and y must be finite"),
    ],
)
def test_bad_input_of_slerp(x, y, s, message):
    with pytest.raises(ValueError, match=message):
        slerp(x, y, s)


@pytest.mark.parametrize("dtypes", [(torch.float32, torch.float64), (torch.int64, torch.int64)])
def test_slerp_of_other_dtypes(dtypes):
    x, y = (torch.eye(2, 3).to(dtype) for dtype in dtypes)
    with pytest.raises(TypeError, match="floating dtype, got torch"):
        slerp(x, y.flip(0), 0.5)
