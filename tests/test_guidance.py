"""Guidance: a known push, no more evaluations than it needs, and what it refuses."""

import math

import pytest
import torch
from small import Linear, gen, noise, unet

from fmcore.guidance import Guided
from fmcore.networks import MLP, UNet
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


def test_every_sample_may_have_a_scale_of_its_own():
    """Against one sample at a time, also where they are drawn in several batches."""
    net, scale = unet(num_classes=3), torch.tensor([0.0, 0.5, 1.0, 4.0])
    x, label = torch.randn(4, 1, 8, 8, generator=gen()), torch.tensor([0, 1, 2, 0])
    rows = range(4)
    each = [Guided(net, scale[i].item())(x[i : i + 1], 0.3, label[i : i + 1]) for i in rows]
    torch.testing.assert_close(Guided(net, scale)(x, 0.3, label), torch.cat(each))
    assert torch.equal(Guided(net, scale)(x, 0.3), net(x, 0.3))
    how = dict(steps=2, clamp=False)
    each = [
        generate(Guided(net, scale[i].item()), 1, x0=x[i : i + 1], label=label[i : i + 1], **how)
        for i in rows
    ]
    drawn = generate(net, 4, x0=x, label=label, guidance=scale, batch_size=3, **how)
    torch.testing.assert_close(drawn, torch.cat(each))
    alike = generate(net, 4, x0=x, label=label, guidance=2, **how)
    assert torch.equal(alike, generate(Guided(net, 2.0), 4, x0=x, label=label, **how))


def test_guidance_towards_a_vector():
    torch.manual_seed(0)
    net, x, c = MLP(condition_dim=3, hidden=16), noise(4, 2), noise(4, 3)
    free, told = net(x, 0.3), net(x, 0.3, c)
    torch.testing.assert_close(Guided(net, 3.0)(x, 0.3, c), free + 3 * (told - free))
    hidden = torch.where(torch.tensor([[True], [False]] * 2), torch.nan, c)
    torch.testing.assert_close(Guided(net, 3.0)(x, 0.3, hidden)[::2], free[::2])


@pytest.mark.parametrize(
    ("scale", "message"),
    [
        (torch.ones(3), "there are 3 scales for 4 samples"),
        (torch.ones(4, 1), r"scale must be a number or have shape \(B,\), got \(4, 1\)"),
        (torch.tensor([1.0, math.nan, 1, 1]), "scale must be finite"),
    ],
)
def test_scales_that_do_not_fit(scale, message):
    with pytest.raises(ValueError, match=message):
        Guided(unet(num_classes=3), scale)(noise(4, 1, 8, 8), 0.5, torch.zeros(4).long())


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
