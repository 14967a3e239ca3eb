"""The hand's scripts under Node: editing with the same noise as the library, and ink on a sheet."""

import math
from itertools import pairwise

import pytest
import torch
from hand_jobs import DEEDS, HAND_RUNNER, ask, expected
from networks import KINDS, NETWORKS

from fmcore import CosinePath, FlowModel, OTPath, VPPath, load_pretrained, slerp
from fmcore.data import load_images
from fmcore.images import to_unit
from fmcore.viz.living.hand_figure import kept


@pytest.fixture(scope="session")
def hand(in_node):
    return in_node("net/hand_worker.js", HAND_RUNNER)


@pytest.fixture(scope="session")
def ink(in_node):
    return in_node("hand_figure.js", HAND_RUNNER)


def normal(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(sum(shape)))


def off(answer, images):
    return (torch.tensor(answer).double() - images.flatten(1).double()).abs().max()


@pytest.mark.parametrize("deed", DEEDS)
@pytest.mark.parametrize("path", [OTPath(), OTPath(sigma_min=0.1), CosinePath(), VPPath()], ids=str)
def test_a_deed_is_what_the_library_does_along_any_path(hand, deed, path):
    make, shape, _ = NETWORKS["two levels"]
    model, x = FlowModel(make().net, path, shape), normal(2, *shape).clamp(-1, 1)
    assert off(ask(hand, model, deed, x), expected(model, deed, x)) < 1e-4


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("deed", DEEDS)
def test_the_shipped_network_does_it_too(hand, deed, kind):
    """In single precision; a class is asked for where one can be."""
    model = load_pretrained("mnist")
    x = to_unit(load_images("mnist", split="test", root="embedded").pixels[3:5])
    found = ask(hand, model, deed, x, kinds=[kind], label=3)
    assert off(found, expected(model, deed, x, label=3)) < 1e-4


def test_the_arc_is_that_of_the_library(hand):
    x, y = normal(2, 3, 784)
    for s in (0.0, 0.3, 1.0):
        job = {"deed": "slerp", "x": x.tolist(), "y": y.tolist(), "s": s}
        assert off(hand(job), slerp(x, y, s)) < 1e-5
        assert off(hand(job | {"y": x.tolist()}), x) < 1e-6


def test_what_is_kept_of_a_drawing_is_the_same_for_both(hand):
    x = to_unit(load_images("mnist", split="test", root="embedded").pixels[:20])
    x[0] = -1
    x[1] = -1
    x[1, 0, [0, 0, 27, 27], [0, 27, 0, 27]] = 1  # in the corners nothing wraps around
    until = torch.tensor(hand({"deed": "kept", "x": x.flatten(1).tolist(), "width": 28}))
    assert torch.equal(until, kept(x).flatten(1))
    assert set(until.unique().tolist()) == {0, 0.5, 1} and until[0].max() == 0
    assert (until[1] == 0.5).sum() == 4 * (3 * 3 - 1)


def test_what_an_order_asks_for(hand):
    """The pictures of each deed, in the order in which they come: the ends of an arc first."""
    order = {"what": "morph", "count": 9, "steps": 1, "t": 0.98, "seed": 1}
    images = lambda **more: hand({"deed": "trips", "order": order | more})  # noqa: E731
    assert images() == [0, 8, 1, 2, 3, 4, 5, 6, 7]
    assert images(what="trip") == [0]
    assert images(what="finish", count=4) == images(what="tidy", count=4) == [0, 1, 2, 3]


# ---- ink


def drawn(ink, *points, size=28):
    lines = list(pairwise(points)) or [points * 2]
    job = {"ink": "lines", "lines": lines, "width": size, "height": size}
    return torch.tensor(ink(job)).view(size, size)


def centre_of(x):
    share = (x + 1) / 2
    at = torch.arange(28) + 0.5
    return [(share.sum(d) * at).sum().item() / share.sum().item() for d in (0, 1)]


def test_a_line_is_as_wide_as_those_of_mnist(ink):
    """Across a line lie two to three pixels of ink, however it lies; beyond, the sheet is bare."""
    for start, end in (((8, 14.5), (22, 14.5)), ((8, 8), (14.5, 22)), ((8, 8), (20, 20))):
        share = (drawn(ink, start, end) + 1) / 2
        length = math.dist(start, end)
        assert 2.2 < share.sum().item() / (length + 2.6) < 3
        assert share.min() == 0 and share.max() == 1
    dot = drawn(ink, (5.5, 9.5))
    assert dot[9, 5] == 1 and dot[9, 8] == -1 and centre_of(dot) == pytest.approx([5.5, 9.5])


def test_ink_that_leaves_the_sheet_is_cut_off(ink):
    x = drawn(ink, (-10, 5), (40, 5))
    assert torch.equal(x, x[:, :1].expand(28, 28)) and x[4:6].min() > 0.5
    assert drawn(ink, (-9, -9), (-5, -5)).max() == -1


def test_centred_as_mnist_places_its_digits(ink):
    """The centre of mass in the middle, and the longer side twenty pixels, from whatever size."""
    small = drawn(ink, (3, 4), (9, 4), (4, 15))
    (x,) = ink({"ink": "centred", "x": [small.flatten().tolist()], "width": 28, "height": 28})
    x = torch.tensor(x).view(28, 28)
    assert centre_of(x) == pytest.approx([14, 14], abs=0.15)
    rows = (x > 0).any(1).nonzero()
    assert 17 <= rows.max() - rows.min() + 1 <= 21
    (again,) = ink({"ink": "centred", "x": [x.flatten().tolist()], "width": 28, "height": 28})
    assert (torch.tensor(again).view(28, 28) - x).abs().mean() < 0.05
    blank = [-1.0] * 784
    assert ink({"ink": "centred", "x": [blank], "width": 28, "height": 28}) == [blank]


def test_mnist_itself_is_centred(ink):
    """Its digits stay where they are, within what whole pixels allow."""
    x = to_unit(load_images("mnist", split="test", root="embedded").pixels[:30]).flatten(1)
    found = ink({"ink": "of", "x": x.tolist(), "width": 28, "height": 28})
    assert all(abs(z - 14) < 1.1 for one in found for z in one["middle"])
    assert all(17 <= max(one["wide"], one["high"]) <= 21 for one in found)
    blank = ink({"ink": "of", "x": [[-1.0] * 784], "width": 28, "height": 28})[0]
    assert blank["empty"] and not found[0]["empty"]


def test_the_upper_half(ink):
    x = normal(1, 784)
    (half,) = ink({"ink": "half", "x": x.tolist()})
    assert half[:392] == pytest.approx(x[0, :392].tolist()) and set(half[392:]) == {-1}
