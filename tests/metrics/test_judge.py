"""Scores against what they must be for real images, noise and copies."""

import dataclasses

import pytest
import torch

from fmcore.data import ImageData, load_images
from fmcore.images import to_unit
from fmcore.metrics import (
    DigitClassifier,
    Judge,
)

TRAIN, TEST = load_images("digits"), load_images("digits", split="test")


@pytest.fixture(scope="module")
def judge():
    """A judge of scikit-learn's digits, with an eye that was never taught to see."""
    torch.manual_seed(0)
    classifier = DigitClassifier().train()
    for layer in classifier.body:  # statistics of these images, as if it had been trained on them
        if isinstance(layer, torch.nn.BatchNorm2d):
            layer.momentum = None
    with torch.no_grad():
        classifier(to_unit(TRAIN.pixels[:500]))
    return Judge(TRAIN, TEST, classifier=classifier.eval())


def test_the_test_set_itself_is_perfect(judge):
    found = judge(to_unit(TEST.pixels))
    assert found.n == 297 and found.frechet < 1e-6
    assert found.precision == found.recall == 1 and found.class_distance == 0
    assert found.nearest == found.nearest_floor and found.copies <= 2 / 297
    assert found.sure == found.sure_floor and sum(found.classes) == pytest.approx(1)
    assert found.accuracy is None


def test_training_images_are_the_floor_and_are_copies(judge):
    spread = torch.linspace(0, 1499, 300).round().long()
    found = judge(to_unit(TRAIN.pixels[spread]))
    assert found.frechet == pytest.approx(found.frechet_floor) and found.frechet > 0
    assert (found.precision, found.recall) == (found.precision_floor, found.recall_floor)
    assert found.copies == 1 and found.nearest < 0.1 < found.nearest_floor


def test_noise_is_far_from_everything(judge):
    noise = torch.randn(300, 1, 28, 28, generator=torch.Generator().manual_seed(0)).clamp(-1, 1)
    found = judge(noise)
    assert found.frechet > 20 * found.frechet_floor and found.precision < 0.05
    assert found.nearest > 3 * found.nearest_floor and found.copies == 0


def test_one_digit_only_is_noticed(judge):
    """A thousand good threes: nothing is wrong with any of them."""
    threes = TEST.pixels[TEST.labels == 3]
    found = judge(to_unit(threes.repeat(10, 1, 1, 1)[:300]))
    assert found.precision == 1 and found.recall < 0.5 and found.frechet > found.frechet_floor


def test_class_distance_is_the_share_that_would_have_to_move():
    """All images alike, so one class has them all: the rest of the test set's shares is missing."""
    judge = Judge(TRAIN, TEST)
    found = judge(to_unit(TEST.pixels[:1]).expand(200, -1, -1, -1))
    (k,) = (k for k, share in enumerate(found.classes) if share == 1)
    truth = (judge.probabilities.argmax(1) == k).double().mean().item()
    assert 0.02 < truth < 0.5 and found.class_distance == pytest.approx(1 - truth, abs=1e-6)


@pytest.mark.parametrize(("odds", "sure"), [(0.8, 0), (1.5, 1)])
def test_sure_is_more_than_one_half(odds, sure):
    """A classifier that gives class 0 the same probability whatever it sees: odds / (1 + odds)."""
    classifier = DigitClassifier().eval()
    torch.nn.init.zeros_(classifier.head.weight)
    with torch.no_grad():
        classifier.head.bias.copy_(torch.tensor([odds, *[1 / 9] * 9]).log())
    found = Judge(TRAIN, TEST, classifier=classifier)(to_unit(TEST.pixels[:200]))
    assert found.sure == found.sure_floor == sure and found.classes[0] == 1


def test_accuracy_is_of_what_was_asked_for(judge):
    images = to_unit(TEST.pixels)
    with torch.no_grad():
        asked = judge.classifier(images).argmax(1)
    asked[:30] = (asked[:30] + 1) % 10
    assert judge(images, asked).accuracy == pytest.approx(1 - 30 / 297)


def test_images_are_judged_as_the_bytes_that_are_saved(judge):
    """Half a grey level, and anything beyond black and white, is no difference."""
    images = to_unit(TEST.pixels)
    shifted = 3 * images + 0.4 / 127.5  # -3 to 3
    binary = to_unit(TEST.pixels.ge(128).to(torch.uint8) * 255)
    assert judge(binary + 0.4 / 127.5) == judge(binary)
    assert judge(shifted) == judge(shifted.clamp(-1, 1))


@pytest.mark.parametrize(
    ("images", "kwargs", "message"),
    [
        (torch.zeros(300, 784), {}, r"shape \(n, 1, 28, 28\).*got \(300, 784\)"),
        (torch.zeros(300, 3, 28, 28), {}, r"got \(300, 3, 28, 28\)"),
        (torch.zeros(199, 1, 28, 28), {}, "n at least 200, got"),
        (torch.full((300, 1, 28, 28), float("nan")), {}, "must be finite"),
        (
            torch.zeros(300, 1, 28, 28),
            {"label": torch.zeros(30)},
            r"label must have shape \(300,\), got \(30,\)",
        ),
        (torch.zeros(1600, 1, 28, 28), {}, "1600 images need as many training images, got 1500"),
    ],
)
def test_bad_images(judge, images, kwargs, message):
    with pytest.raises(ValueError, match=message):
        judge(images, **kwargs)


def test_a_judge_on_a_device_that_is_not_there():
    with pytest.raises(ValueError, match="device='abacus' is no device"):
        Judge(TRAIN, TEST, device="abacus")


def test_evaluation_is_a_plain_value(judge):
    found = judge(to_unit(TEST.pixels))
    assert dataclasses.is_dataclass(found) and found.as_dict()["n"] == 297


def test_too_few_to_compare_with():
    few = ImageData(TEST.pixels[:100], TEST.labels[:100], "digits", "test")
    with pytest.raises(ValueError, match="at least 200 test images are needed, got 100"):
        Judge(TRAIN, few)


def test_a_judge_leaves_the_shared_classifier_alone():
    """It works on a copy: another judge may be on another device."""
    given = DigitClassifier().train()
    judge = Judge(TRAIN, TEST, classifier=given)
    assert judge.classifier is not given and given.training and not judge.classifier.training
