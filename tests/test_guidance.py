"""Guidance: a known push, no more evaluations than it needs, and what it refuses."""

import math

import pytest
import torch
from small import Linear, gen, noise, unet

from fmcore.guidance import Guided
from fmcore.networks import UNet
from fmcore.paths import OTPath
from fmcore.sampling import generate
from fmcore.weights import FlowModel


@pytest.mark.parametrize("scale", [0.0, 0.5, 1, 3.0])
def test_guidance_pushes_by_its_scale(scale):
    """v = -x + y with the class and -x without: the push is the class, times the scale."""
    label = torch.tensor([1, 2, 5])
    how = dict(x0=torch.zeros(3, 1, 4, 4), steps=200)
    x = generate(Guided(Linear(-1.0), scale), 3, label=label / 20, **how)
    expected = scale * label / 20 * (1 - math.exp(-1))
    torch.testing.assert_close(x, expected.reshape(3, 1, 1, 1).expand_as(x), atol=1e-4, rtol=0)


def test_guidance_at_0_and_1_is_the_network_itself():
    net = unet(num_classes=3)
    x, label = torch.randn(4, 1, 8, 8, generator=gen()), torch.tensor([0, 1, 2, 3])
    free, told = net(x, 0.3), net(x, 0.3, label)
    assert not torch.allclose(free[:3], told[:3]) and torch.allclose(free[3], told[3])
    assert torch.equal(Guided(net, 0.0)(x, 0.3, label), free)
    assert torch.equal(Guided(net, 1.0)(x, 0.3, label), told)
    assert torch.equal(Guided(net, 7.0)(x, 0.3), free)


@pytest.mark.parametrize(
    ("scale", "told", "calls"), [(0, True, 1), (1, True, 1), (3, True, 2), (3, False, 1)]
)
def test_guidance_asks_no_more_than_it_must(scale, told, calls):
    net = Linear(-1.0)
    Guided(net, scale)(noise(3, 1, 4, 4), 0.3, torch.zeros(3) if told else None)
    assert len(net.calls) == calls


def test_guided_draws_of_a_model_that_knows_its_shape():
    model = FlowModel(UNet(base=8, time_dim=16, groups=4, num_classes=3), OTPath(), (1, 8, 8))
    x = generate(Guided(model, 2.0), 2, steps=1, label=torch.tensor([0, 1]), generator=gen())
    assert x.shape == (2, 1, 8, 8)


@pytest.mark.parametrize("scale", [math.inf, math.nan, "2", None, True])
def test_guidance_needs_a_number(scale):
    kind = ValueError if isinstance(scale, float) else TypeError
    with pytest.raises(kind, match="scale must be a finite number"):
        Guided(Linear(-1.0), scale)


def test_guidance_needs_classes():
    for model in (UNet(base=8), FlowModel(UNet(base=8), OTPath(), (1, 28, 28))):
        with pytest.raises(TypeError, match="guidance needs a network with classes"):
            Guided(model, 2.0)
