"""Networks with a second clock."""

import math
from functools import partial

import pytest
import torch
from small import config, gen, noise, unet

from fmcore.fields import FlowMap, GaussianMixture, MarginalField
from fmcore.flowmaps import RULES, flow_map_loss, jump
from fmcore.networks import MLP, TwoTimes, UNet
from fmcore.paths import OTPath
from fmcore.sampling import generate
from fmcore.training import train
from fmcore.weights import FlowModel, load_weights, save_weights

SMALL = dict(base=8, time_dim=16, groups=4)


def stirred(net, seed=0):
    """With weights of which none is 0."""
    g = gen(seed)
    for p in net.parameters():
        p.data.copy_(0.2 * torch.randn(p.shape, generator=g))  # in its memory format
    return net


@pytest.mark.parametrize("net", [unet(num_classes=10), MLP(hidden=16)], ids=["UNet", "MLP"])
def test_at_first_it_is_the_network_of_one_time(net):
    """Whatever the second time; and in training it learns to look at it."""
    two = TwoTimes.from_one(net)
    x = noise(3, 2) if isinstance(net, MLP) else noise(3, 1, 8, 8)
    s = torch.tensor([0.0, 0.3, 0.6])
    for t in (s, s + 0.2, torch.ones(3)):
        assert torch.equal(two(x, s, t), net(x, s))
    (two(x, s, s + 0.2) - 1).square().mean().backward()
    assert two.embed_length[-1].weight.grad.abs().max() > 0
    assert {name for name, _ in net.named_parameters()} == {
        name.removeprefix("net.") for name, _ in two.named_parameters() if "length" not in name
    }
    assert all(p.grad is None for p in net.parameters())


def test_the_second_clock_is_the_length_of_the_jump():
    """The same embedding for the same length, added to that of the start."""
    two = stirred(TwoTimes("MLP", hidden=16))
    x, seen = noise(1, 2), []
    two.embed_length.register_forward_hook(lambda net, given, out: seen.append((given[0], out)))
    for s, t in ((0.0, 0.25), (0.5, 0.75), (0.5, 1.0)):
        two(x, s, t)
    assert [given.item() for given, _ in seen] == [0.25, 0.25, 0.5]
    waves = two.net.embed_time(torch.tensor([0.5])) + seen[2][1]
    assert torch.equal(two(x, 0.5, 1.0), two.net.layers(torch.cat([x, waves], 1)))


@pytest.mark.parametrize("of", ["UNet", "MLP"])
def test_its_clocks_turn_slowly(of):
    """Derivatives in the times stay of the size of the answers."""
    two = TwoTimes(of)
    one = (UNet if of == "UNet" else MLP)(time_scale=1000.0)
    assert two.config["time_scale"] == 2 * math.pi
    for net in (two, TwoTimes.from_one(one)):
        assert max(net.embed_length[0].constants) == pytest.approx(2 * math.pi)
    assert TwoTimes.from_one(one).config["time_scale"] == 1000.0


@pytest.mark.parametrize("scale", [2 * math.pi, 1000.0])
def test_a_fast_clock_lets_the_derivative_explode(scale):
    torch.manual_seed(0)
    net = TwoTimes("MLP", hidden=32, time_scale=scale)
    x, s, t = noise(64, 2), torch.linspace(0.1, 0.9, 64), torch.ones(64)
    u, slope = torch.func.jvp(lambda s: net(x, s, t), (s,), (torch.ones(64),))
    assert (slope.norm() > 20 * u.norm()) == (scale == 1000.0)


def test_a_label_reaches_the_network_inside():
    two = stirred(TwoTimes("UNet", num_classes=3, **SMALL))
    x, label = noise(2, 1, 8, 8), torch.tensor([0, 2])
    answers = two(x, 0.1, 0.9, label)
    torch.testing.assert_close(answers[:1], two(x[:1], 0.1, 0.9, label[:1]))
    assert not torch.equal(answers, two(x, 0.1, 0.9))
    assert torch.equal(two(x, 0.1, 0.9), two(x, 0.1, 0.9, torch.tensor([3, 3])))


def test_it_goes_through_one_graph_an_export_and_vmap():
    """The times of a jump are compared where there are values, and only there."""
    net = stirred(TwoTimes("MLP", hidden=16))
    x, s, t = noise(3, 2), torch.tensor([0.1, 0.2, 0.3]), torch.tensor([0.5, 0.2, 0.9])
    expected = net(x, s, t)
    compiled = torch.compile(net, fullgraph=True, backend="eager")
    torch.testing.assert_close(compiled(x, s, t), expected)
    rows = torch.func.vmap(lambda x, s, t: net(x[None], s, t)[0])
    torch.testing.assert_close(rows(x, s, t), expected)
    with pytest.raises(ValueError, match=r"s <= t, got s = 0.5 and t = 0.1"):
        rows(x, t, s)
    batch = [{0: torch.export.Dim("batch")}] * 3
    program = torch.export.export(net.eval(), (x, s, t), dynamic_shapes=batch).module()
    torch.testing.assert_close(program(x[:2], s[:2], t[:2]), expected[:2])


def test_its_configuration_builds_it_anew():
    two = stirred(TwoTimes("UNet", num_classes=3, levels=3, **SMALL))
    again = TwoTimes(**two.config)
    again.load_state_dict(two.state_dict())
    x = noise(2, 1, 8, 8)
    assert torch.equal(again(x, 0.1, 0.9), two(x, 0.1, 0.9))
    assert TwoTimes.from_one(MLP().double()).embed_length[-1].weight.dtype == torch.float64


def test_a_model_of_it_is_a_field_and_generate_jumps(tmp_path):
    net = stirred(TwoTimes("UNet", num_classes=3, **SMALL))
    model = FlowModel(net, OTPath(), (1, 8, 8))
    save_weights(model, tmp_path / "w.safetensors")
    model = load_weights(tmp_path / "w.safetensors")
    x, label = noise(2, 1, 8, 8), torch.tensor([0, 2])
    assert torch.equal(model(x, 0.3, label), net(x, 0.3, 0.3, label))
    for steps in (None, 1, 3):
        drawn = generate(model, 2, steps=steps, x0=x, label=label, clamp=False)
        assert torch.equal(drawn, jump(net, x, steps or 1, label=label))
    assert torch.equal(generate(net, 2, x0=x), jump(net, x).clamp(-1, 1))
    for how in (dict(method="heun"), dict(rtol=0.1), dict(last_step="euler")):
        with pytest.raises(ValueError, match="a flow map jumps"):
            generate(model, 2, x0=x, **how)
    with pytest.raises(ValueError, match="guided in training"):
        generate(model, 2, x0=x, label=label, guidance=2.0)


@pytest.mark.parametrize(("rule", "taught"), [("mean_flow", False), ("consistency", True)])
def test_trained_by_fit_it_jumps(rule, taught):
    """To a wide Gaussian, where a step of Euler lands in the mean; with half its error."""
    path, target = OTPath(), GaussianMixture([[2.0, -1.0]], stds=1.5)
    v = MarginalField(target, path)
    torch.manual_seed(0)
    net = TwoTimes("MLP", hidden=32, depth=2)
    how = partial(flow_map_loss, rule=rule, times=RULES[rule].times, teacher=v if taught else None)
    data = target.sample(4096, generator=gen())
    settings = config(steps=300, batch_size=256, lr=5e-3, schedule="cosine", ema=0.98)
    model = train(net, path, data, settings, loss=how)
    x0 = noise(512, 2)
    true = FlowMap(v).end(x0, 0.0, 1.0)
    euler = (x0 + v(x0, 0.0) - true).square().mean().sqrt()
    assert (jump(model.net, x0) - true).square().mean().sqrt() < 0.45 * euler
