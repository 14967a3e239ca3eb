"""Wires that are cut: in PyTorch against other ways to cut them, in the page against PyTorch."""

import base64
import copy
from itertools import combinations
from pathlib import Path

import pytest
import torch
from networks import KINDS, NETWORKS
from torch import nn

from fmcore import generate, load_pretrained
from fmcore.solvers import SOLVERS
from fmcore.viz.living.wires import cut, wires
from fmcore.viz.web import web_network

RUNNER = (Path(__file__).parent / "wire_runner.mjs").read_text("utf-8")
SHAPES = ("two levels", "three levels, classes", "colours, odd widths", "four levels, vectors")


def made(name):
    """A model, and for two pictures x: times, and labels where there are any."""
    make, shape, label = NETWORKS[name]
    x = torch.randn(2, *shape, generator=torch.Generator().manual_seed(1))
    return make(), x, torch.tensor([0.2, 0.9]), None if label is None else label[:2]


def velocity(model, names, x, t, label):
    with torch.no_grad(), cut(model.net, names):
        return model.net(x, t) if label is None else model.net(x, t, label)


def without(net, *layers):
    """A copy in which the weights and biases of layers are 0."""
    net = copy.deepcopy(net)
    for name in layers:
        for weight in net.get_submodule(name).parameters():
            nn.init.zeros_(weight)
    return net


def by_hand(net, x, t, label, skips):
    """The equations of the U-Net, with a factor for what each skip carries."""
    e = net.embed_time(t)
    if net.embed_label is not None:
        e = e + net.embed_label(label, len(x))
    parts = [(net.down, net.block2, net.block3, net.up)]
    level = net.below
    while level is not None:
        parts.append((level.down, level.block1, level.block2, level.up))
        level = level.below

    def lower(h, k):
        down, first, second, up = parts[k]
        inner = first(down(h), e)
        if k + 1 < len(parts):
            inner = lower(inner, k + 1) + skips[k + 1] * inner
        return up(second(inner, e))

    h = net.block1(net.enter(x), e)
    return net.leave(net.block4(lower(h, 0) + skips[0] * h, e))


@pytest.mark.parametrize("name", SHAPES)
def test_a_part_that_is_cut_adds_nothing(name):
    """As if the weights of its last layer were 0: a block's second convolution, the way up."""
    model, *at = made(name)
    for wire in wires(model.net):
        if wire.startswith("skip") or wire == "clock":
            continue
        k = int(wire[4:]) - 1 if wire.startswith("down") else None
        layer = f"{wire}.conv2" if k is None else "below." * k + "up"
        other = copy.deepcopy(model)
        other.net = without(model.net, layer)
        found, expected = velocity(model, [wire], *at), velocity(other, [], *at)
        assert torch.allclose(found, expected, atol=1e-5), wire
        assert (found - velocity(model, [], *at)).abs().max() > 1e-3, wire


@pytest.mark.parametrize("name", SHAPES)
def test_a_skip_that_is_cut_carries_nothing(name):
    model, x, t, label = made(name)
    levels = model.net.config["levels"]
    for k in range(1, levels):
        skips = [float(level != k) for level in range(1, levels)]
        with torch.no_grad():
            expected = by_hand(model.net, x, t, label, skips)
        assert torch.allclose(velocity(model, [f"skip{k}"], x, t, label), expected, atol=1e-5)
        assert (velocity(model, [], x, t, label) - expected).abs().max() > 1e-3


def test_a_clock_that_is_cut_stands_still():
    model, x, t, label = made("three levels, classes")
    still = velocity(model, ["clock"], x, t, label)
    assert torch.equal(still, velocity(model, ["clock"], x, 1 - t, label))
    assert torch.equal(still, velocity(model, [], x, torch.tensor(0.5), label))
    assert not torch.equal(still, velocity(model, ["clock"], x, t, label.flip(0)))


def test_a_network_is_whole_again_and_another_one_too():
    """Also after an error, and with nothing that comes from below and nothing beside it."""
    model, *at = made("two levels")
    before = velocity(model, [], *at)
    blank = velocity(model, ["skip1", "down1"], *at)
    assert blank.isfinite().all() and blank.std(dim=(2, 3))[..., None, None].max() < before.std()
    with pytest.raises(ZeroDivisionError), cut(model.net, wires(model.net)):
        raise ZeroDivisionError
    assert torch.equal(velocity(model, [], *at), before)
    assert not any(part._forward_hooks or part._forward_pre_hooks for part in model.modules())


def test_every_wire_has_a_place_of_its_own():
    for name in SHAPES:
        net = made(name)[0].net
        levels = net.config["levels"]
        found = wires(net)
        assert len(found) == 2 * levels + 2 * (levels - 1) + 1
        taken = [
            (wire.place[0], wire.place[1] + k)
            for wire in found.values()
            for k in range(wire.place[2])
        ]
        assert len(taken) == len(set(taken))
        assert all(0 <= row <= levels and 0 <= column < 2 * levels for row, column in taken)
        assert (levels, 2 * levels - 1) not in taken  # the place of the button that mends


# ---- in the page


@pytest.fixture(scope="session")
def in_page(in_node):
    run = in_node("net/wire_worker.js", RUNNER)

    def answer(model, choices, x0, labels, steps=2, kinds=KINDS):
        """The digits for each choice of wires."""
        every = wires(model.net)
        common = {
            "noises": x0.flatten(1).tolist(), "tableau": SOLVERS["midpoint"].as_dict(),
            "steps": steps, "labels": labels,
        }  # fmt: skip
        found = run({
            "file": base64.b64encode(web_network(model, torch.float32)).decode(),
            "height": x0.shape[-2], "width": x0.shape[-1], "kinds": kinds,
            "orders": [
                common | {"wires": [every[name]._asdict() for name in names]} for names in choices
            ],
        })  # fmt: skip
        assert found["untouched"]
        return torch.tensor(found["digits"])

    return answer


def here(model, names, x0, labels, steps=2):
    with cut(model.net, names):
        x = generate(model, len(x0), x0=x0, steps=steps, label=labels, clamp=False)
    return x.flatten(1)


@pytest.mark.parametrize("name", SHAPES[:2])
def test_the_page_cuts_the_same_wires(in_page, name):
    """Each alone, and in pairs."""
    model, x0, _, label = made(name)
    labels = None if label is None else [3, 7]
    every = [*wires(model.net)]
    choices = [[], *([one] for one in every), *[*combinations(every, 2)][::13], every]
    for names, found in zip(choices, in_page(model, choices, x0, labels), strict=True):
        assert torch.allclose(found, here(model, names, x0, labels), atol=1e-4), names


@pytest.mark.parametrize("kind", KINDS)
def test_the_shipped_network_too(in_page, kind):
    model = load_pretrained("mnist")
    x0 = torch.randn(2, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    choices = ["skip2", "block4"], ["down2", "clock"]
    found = in_page(model, choices, x0, [1, 8], kinds=[kind])
    for names, digits in zip(choices, found, strict=True):
        assert torch.allclose(digits, here(model, names, x0, [1, 8]), atol=1e-4)
