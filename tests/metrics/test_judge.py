"""Scores against what they must be for real images, noise and copies."""

import dataclasses

import pytest
import torch

from fmcore.data import ImageData, load_images
from fmcore.images import to_unit
from fmcore.metrics import (
    DigitClassifier,
    Judge,
    readable,
    report,
)
from fmcore.metrics.judge import glued


def few(split, n):
    """The first `n` of the embedded part: balanced."""
    data = load_images("mnist", split=split, root="embedded")
    return dataclasses.replace(data, pixels=data.pixels[:n], labels=data.labels[:n])


TRAIN, TEST = few("train", 1500), few("test", 300)


@pytest.fixture(scope="module")
def judge():
    return Judge(TRAIN, TEST)


def test_the_test_set_itself_is_perfect(judge):
    found = judge(to_unit(TEST.pixels))
    assert found.n == 300 and found.frechet < 1e-6
    assert found.precision == found.recall == 1 and found.class_distance == 0
    assert found.nearest == found.nearest_floor and found.copies <= 2 / 300
    assert found.readable == found.readable_floor > 0.95 and sum(found.classes) == pytest.approx(1)
    assert found.accuracy is None


@pytest.mark.parametrize("n", [300, 200])
def test_training_images_are_the_floor_and_are_copies(n, judge):
    spread = torch.linspace(0, 1499, n).round().long()
    found = judge(to_unit(TRAIN.pixels[spread]))
    assert found.frechet == pytest.approx(found.frechet_floor) and found.frechet > 0
    assert (found.precision, found.recall) == (found.precision_floor, found.recall_floor)
    assert found.copies == 1 and found.nearest < 0.1 < found.nearest_floor


def test_noise_is_far_from_everything(judge):
    noise = torch.randn(300, 1, 28, 28, generator=torch.Generator().manual_seed(0)).clamp(-1, 1)
    found = judge(noise)
    assert found.frechet > 20 * found.frechet_floor and found.precision < 0.05
    assert found.nearest > 2.5 * found.nearest_floor and found.copies == 0


def test_one_digit_only_is_noticed(judge):
    """A thousand good threes: nothing is wrong with any of them."""
    threes = TEST.pixels[TEST.labels == 3]
    found = judge(to_unit(threes.repeat(10, 1, 1, 1)[:300]))
    assert found.precision == 1 and found.recall < 0.5 and found.frechet > found.frechet_floor


def test_class_distance_is_the_share_that_would_have_to_move(judge):
    """All images alike, so one class has them all: the rest of the test set's shares is missing."""
    found = judge(to_unit(TEST.pixels[:1]).expand(200, -1, -1, -1))
    (k,) = (k for k, share in enumerate(found.classes) if share == 1)
    truth = (judge.probabilities.argmax(1) == k).double().mean().item()
    assert 0.02 < truth < 0.5 and found.class_distance == pytest.approx(1 - truth, abs=1e-6)


def test_every_score_stands_between_its_floor_and_its_ceiling(judge):
    """Real digits lie at the floors, digits glued from halves at the ceilings, noise beyond."""
    real = judge(to_unit(TEST.pixels))
    spread = torch.linspace(0, 1499, 300).round().long()
    fakes = judge(to_unit(glued(TRAIN.pixels[spread], TRAIN.labels[spread])))
    noise = judge(torch.rand(300, 1, 28, 28, generator=torch.Generator().manual_seed(5)) * 2 - 1)
    assert fakes.frechet == pytest.approx(fakes.frechet_ceiling)
    assert fakes.frechet_floor < fakes.frechet_ceiling < noise.frechet
    for score in ("precision", "recall", "readable"):
        floor, ceiling = (getattr(fakes, f"{score}_{end}") for end in ("floor", "ceiling"))
        assert getattr(fakes, score) == ceiling < floor <= getattr(real, score) + 0.02
        assert getattr(noise, score) <= ceiling
    assert noise.readable == 0 and real.readable > 0.95


def test_noise_is_the_other_control():
    """Beside a test set of noise it is the one that fares best, and always the same noise."""
    g = torch.Generator().manual_seed(5)
    pixels = torch.randint(256, (300, 1, 28, 28), generator=g, dtype=torch.uint8)
    noise = dataclasses.replace(TEST, pixels=pixels)
    first, second = (Judge(TRAIN, noise)(to_unit(pixels)) for _ in range(2))
    assert first == second
    assert first.frechet_ceiling < 0.1 * first.frechet_floor
    assert first.precision_ceiling > 0.5 > first.precision_floor


def test_half_an_image_is_from_another_class():
    pixels, labels = TRAIN.pixels[:700], TRAIN.labels[:700].clone()
    labels[labels == 4] = 1  # one class twice as large as the others
    made = glued(pixels, labels)
    order = labels.argsort(stable=True)
    assert made[:, :, :14].equal(pixels[order, :, :14])
    below = {
        x.numpy().tobytes(): k for x, k in zip(pixels[:, :, 14:], labels.tolist(), strict=True)
    }
    found = torch.tensor([below[x.numpy().tobytes()] for x in made[:, :, 14:]])
    assert (found != labels[order]).all()
    assert sorted(x.numpy().tobytes() for x in made[:, :, 14:]) == sorted(
        x.numpy().tobytes() for x in pixels[:, :, 14:]
    )


def test_the_judge_reads_what_the_reader_reads(judge):
    images = to_unit(TEST.pixels.clone())
    images[:90] = -1  # blank paper
    found = judge(images)
    assert found.readable == readable(images).double().mean().item() <= 0.7
    assert found.readable_floor == readable(to_unit(TEST.pixels)).double().mean().item()


def test_accuracy_is_of_what_was_asked_for(judge):
    images = to_unit(TEST.pixels)
    with torch.no_grad():
        asked = judge.classifier(images).argmax(1)
    asked[:30] = (asked[:30] + 1) % 10
    found = judge(images, asked)
    assert found.accuracy == pytest.approx(1 - 30 / 300)
    assert found.accuracy_floor == judge(images, TEST.labels).accuracy > 0.97


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
    assert dataclasses.is_dataclass(found) and found.as_dict()["n"] == 300


def test_a_report_has_a_row_for_every_score(judge):
    """None for what was not asked for; a score of 0 is a score."""
    found = judge(to_unit(TEST.pixels))
    asked = dataclasses.replace(found, accuracy=0.0)
    header, *rows, _ = report(asked).splitlines()
    assert header.split() == ["samples", "real", "no", "digits"]
    assert [row for row in rows if "asked for" not in row] == report(found).splitlines()[1:-1]
    table = {row[:40].strip(): [float(x) for x in row[40:].split()] for row in rows}
    assert len(table) == 8 and table["distance of the class shares"] == [0]
    assert table["read as what was asked for"][0] == 0
    table["frechet"] = table["Fréchet distance"]
    for score in ("frechet", "precision", "recall", "readable"):
        expected = [getattr(found, score + end) for end in ("", "_floor", "_ceiling")]
        assert table[score] == pytest.approx(expected, abs=6e-5)


def test_what_is_judged_by_is_mnist_unless_given(judge, monkeypatch):
    sets = {"train": TRAIN, "test": TEST}
    monkeypatch.setattr("fmcore.metrics.judge.load_images", lambda name, split="train": sets[split])
    by_itself = Judge()
    assert by_itself.train is TRAIN and by_itself.features.equal(judge.features)


def test_the_fewest_are_enough():
    """As many training images as samples; none can be nearer to them than they are themselves."""
    fewest = few("test", 200)
    found = Judge(fewest, fewest)(to_unit(fewest.pixels))
    assert found.n == 200 and found.nearest == found.copies == 0


def test_too_few_to_compare_with():
    few = ImageData(TEST.pixels[:100], TEST.labels[:100], "mnist", "test")
    with pytest.raises(ValueError, match="at least 200 test images are needed, got 100"):
        Judge(TRAIN, few)


def test_a_judge_leaves_the_shared_classifier_alone():
    """It works on a copy: another judge may be on another device."""
    given = DigitClassifier().train()
    judge = Judge(TRAIN, TEST, classifier=given)
    assert judge.classifier is not given and given.training and not judge.classifier.training
