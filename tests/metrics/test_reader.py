"""The reader, which can say no: on digits, and on images of other kinds than it has learnt from."""

import pytest
import torch
from torch.nn import functional as F

from fmcore.data import load_images
from fmcore.images import to_unit
from fmcore.metrics import Reader, load_reader, readable
from fmcore.metrics.classifier import network_card

TEST = load_images("mnist", split="test", root="embedded")
INK = TEST.pixels.float() / 255  # (1000, 1, 28, 28), paper 0; the k-th shows k % 10
OTHER = INK.roll(3, 0)  # of another class
TOP = (torch.arange(28) < 14).float()[:, None]


def share(ink):
    return readable(2 * ink.clamp(0, 1) - 1).double().mean().item()


def draw(kind):
    g = torch.Generator().manual_seed(0)
    if kind == "uniform":
        return torch.rand(500, 1, 28, 28, generator=g)
    if kind == "normal":
        return torch.randn(500, 1, 28, 28, generator=g) / 2 + 0.5
    squares = INK.reshape(-1, 1, 4, 7, 4, 7).transpose(3, 4).reshape(-1, 16, 7, 7)
    order = torch.rand(len(INK), 16, generator=g).argsort(1)[:, :, None, None]
    shuffled = squares.gather(1, order.expand_as(squares)).reshape(-1, 1, 4, 4, 7, 7)
    return shuffled.transpose(3, 4).reshape(-1, 1, 28, 28)


@pytest.mark.parametrize(
    ("kind", "make", "least", "most"),
    [
        ("digits", lambda: INK, 0.98, 1),
        (
            "digits with a little grain",
            lambda: draw("normal").repeat(2, 1, 1, 1) * 0.05 + INK,
            0.95,
            1,
        ),
        ("glued, top and bottom", lambda: TOP * INK + (1 - TOP) * OTHER, 0, 0.15),
        ("glued, left and right", lambda: TOP.T * INK + (1 - TOP.T) * OTHER, 0, 0.15),
        ("erased above", lambda: (1 - TOP) * INK, 0, 0.35),
        ("erased on the right", lambda: TOP.T * INK, 0, 0.35),
        ("overlaid", lambda: torch.maximum(INK, OTHER), 0, 0.35),
        ("mixed", lambda: (INK + OTHER) / 2, 0, 0.35),
        ("smeared", lambda: F.avg_pool2d(INK, (1, 13), 1, (0, 6)), 0, 0.35),
        ("uniform noise", lambda: draw("uniform"), 0, 0.02),
        ("normal noise", lambda: draw("normal"), 0, 0.02),
        ("blank paper", lambda: torch.zeros(9, 1, 28, 28), 0, 0),
        ("patches of 7 in another order", lambda: draw("patches"), 0, 0.02),
        ("negatives", lambda: 1 - INK, 0, 0.02),
    ],
)
def test_what_reads_as_a_digit(kind, make, least, most):
    assert least <= share(make()) <= most


def test_the_reader_that_is_shipped():
    reader = load_reader()
    assert not reader.training and sum(p.numel() for p in reader.parameters()) == 354_899
    assert all(not p.requires_grad and p.dtype == torch.float32 for p in reader.parameters())
    with torch.no_grad():
        read = reader(to_unit(TEST.pixels)).argmax(1)
    assert (read == TEST.labels).double().mean().item() > 0.97  # which digit, as well
    assert network_card("reader")["seed"] == 0


def test_images_are_read_as_the_bytes_that_are_saved():
    images = to_unit(TEST.pixels[:50])
    assert readable(images + 0.4 / 127.5).equal(readable(images))
    assert readable(images.double()).equal(readable(images))
    assert readable(3 * images).equal(readable((3 * images).clamp(-1, 1)))


def test_one_answer_an_image_whatever_stands_beside_it():
    images = torch.cat([to_unit(TEST.pixels[:700]), torch.zeros(7, 1, 28, 28)])
    one = torch.cat([readable(x[None]) for x in images[690:]])
    assert readable(images)[690:].equal(one) and one[:10].any() and not one[10:].any()
    assert readable(images).shape == (707,) and readable(images).dtype == torch.bool
    assert readable(images[:0]).shape == (0,)


@pytest.mark.parametrize(
    ("images", "error", "message"),
    [
        (torch.zeros(3, 784), ValueError, r"shape \(B, 1, 28, 28\), got \(3, 784\)"),
        (torch.zeros(1, 28, 28), ValueError, r"got \(1, 28, 28\)"),
        (torch.zeros(2, 3, 28, 28), ValueError, r"got \(2, 3, 28, 28\)"),
        (torch.full((2, 1, 28, 28), float("nan")), ValueError, "images must be finite"),
        (torch.full((2, 1, 28, 28), float("inf")), ValueError, "images must be finite"),
        (TEST.pixels[:2], TypeError, "uint8"),
        ("digits", TypeError, "str"),
    ],
)
def test_bad_images(images, error, message):
    with pytest.raises(error, match=message):
        readable(images)


def test_a_reader_that_is_not_trained_has_the_shape_it_says():
    assert Reader().eval()(torch.zeros(2, 1, 28, 28)).shape == (2, 11)
    with pytest.raises(ValueError, match=r"got \(2, 1, 32, 32\)"):
        Reader()(torch.zeros(2, 1, 32, 32))
