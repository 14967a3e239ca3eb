"""Scores against closed forms, and against what they must be for real images, noise and copies."""

import dataclasses

import numpy as np
import pytest
import scipy.linalg
import torch

from fmcore.data import ImageData, load_images
from fmcore.images import to_unit
from fmcore.metrics import (
    DigitClassifier,
    Judge,
    frechet_distance,
    load_classifier,
    nearest,
    precision_recall,
)
from fmcore.metrics.classifier import classifier_card


def draw(n, d, seed=0):
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def exactly(mean, covariance, n=50, seed=0):
    """Points whose sample mean and sample covariance are these."""
    x = draw(n, len(mean), seed)
    x = x - x.mean(0)
    x = x @ torch.linalg.inv(torch.linalg.cholesky(x.T.cov().reshape(len(mean), -1))).T
    return torch.tensor(mean, dtype=torch.float64) + x @ torch.linalg.cholesky(covariance).T


# ---- Fréchet distance


def test_frechet_on_the_line():
    """Two normals on a line: the difference of the means squared, and that of the deviations."""
    x = exactly([1.0], torch.tensor([[4.0]], dtype=torch.float64))
    y = exactly([-2.0], torch.tensor([[0.25]], dtype=torch.float64), seed=1)
    assert frechet_distance(x, y) == pytest.approx(3**2 + (2 - 0.5) ** 2)


def test_frechet_of_covariances_that_do_not_commute():
    a, b = draw(6, 6, 1), draw(6, 6, 2)
    ca, cb = a @ a.T + 0.1 * torch.eye(6), b @ b.T + 0.1 * torch.eye(6)
    x, y = exactly([0.0] * 6, ca), exactly([1.0] * 6, cb, seed=3)
    root = scipy.linalg.sqrtm(ca.numpy() @ cb.numpy())  # of the product itself, another algorithm
    expected = 6 + np.trace(ca.numpy() + cb.numpy() - 2 * root.real)
    assert frechet_distance(x, y) == pytest.approx(expected, rel=1e-9)
    assert frechet_distance(y, x) == pytest.approx(expected, rel=1e-9)


def test_frechet_does_not_mind_turning_and_duplicates():
    x, y = draw(80, 5), 1 + 2 * draw(90, 5, 1)
    turn, _ = torch.linalg.qr(draw(5, 5, 2))
    assert frechet_distance(x @ turn, y @ turn) == pytest.approx(frechet_distance(x, y))
    assert frechet_distance(x, x.flip(0)) == pytest.approx(0, abs=1e-9)
    flat = torch.cat([x, torch.zeros(80, 1)], dim=1)  # a feature that never changes
    assert frechet_distance(flat, flat + 1) == pytest.approx(6)


def test_frechet_is_never_negative():
    """Of a set and itself, rounding would make it so for some."""
    distances = [frechet_distance(draw(40, 8, seed), draw(40, 8, seed)) for seed in range(40)]
    assert min(distances) >= 0 and max(distances) < 1e-9


@pytest.mark.parametrize(
    "shapes", [((5, 2), (5, 3)), ((1, 2), (5, 2)), ((5,), (5,)), ((5, 0), (5, 0))]
)
def test_frechet_refuses(shapes):
    with pytest.raises(ValueError, match="features must have shapes"):
        frechet_distance(*(torch.zeros(shape) for shape in shapes))


def test_scores_are_worked_out_in_double_precision():
    x, y = (draw(60, 4, seed).float() + 1000 for seed in (1, 2))
    for score in (frechet_distance, precision_recall):
        assert score(x, y) == score(x.double(), y.double())
    assert frechet_distance(x.half(), y.half()) > 0


@pytest.mark.parametrize("score", [frechet_distance, precision_recall])
def test_features_that_are_not_finite(score):
    x = draw(20, 3)
    spoilt = x.index_fill(0, torch.tensor([7]), float("nan"))
    for pair in ((spoilt, x), (x, spoilt)):
        with pytest.raises(ValueError, match="features must be finite"):
            score(*pair)


# ---- precision and recall


def test_precision_and_recall_see_different_faults():
    """Half of the modes missing: all samples are good, half of the data is not reached."""
    left, right = draw(400, 2) - 20, draw(400, 2, 1) + 20
    real = torch.cat([left, right])
    new_left = draw(400, 2, 2) - 20
    precision, recall = precision_recall(new_left, real)
    assert precision > 0.95 and 0.45 < recall < 0.5
    invented = torch.cat([new_left, draw(400, 2, 3) + torch.tensor([20.0, -20.0])])
    precision, recall = precision_recall(invented, real)
    assert 0.47 < precision <= 0.5 and 0.45 < recall < 0.5


def test_precision_by_hand():
    """On a line, k = 1: the ball around 0 and 1 has radius 1, that around 10 radius 9."""
    real = torch.tensor([[0.0], [1.0], [10.0]])
    inside = torch.tensor([[-0.9], [1.9], [0.5], [18.9]])
    outside = torch.tensor([[-1.1], [19.1]])
    assert precision_recall(inside, real, k=1)[0] == 1
    assert precision_recall(torch.cat([inside, outside]), real, k=1)[0] == pytest.approx(4 / 6)
    with pytest.raises(ValueError, match=r"n and m at least 4, got \(3, 1\) and \(6, 1\)"):
        precision_recall(real, torch.cat([inside, outside]))
    for k in (0, -1, 1.5):
        kind = TypeError if k == 1.5 else ValueError
        with pytest.raises(kind, match=f"k must be a whole number of at least 1, got {k}"):
            precision_recall(inside, real, k=k)


def test_precision_and_recall_far_from_the_origin():
    """There a distance by products, |x|^2 + |y|^2 - 2 x.y, would cancel; and dtypes may differ."""
    x, y = draw(400, 4, 1).double(), 1.2 * draw(300, 4, 2).double()
    assert 0.5 < precision_recall(x, y)[1] < 1
    assert precision_recall(x + 2**20, y + 2**20) == precision_recall(x.float(), y)


def test_nearest_is_the_brute_force_minimum():
    g = torch.Generator().manual_seed(0)
    x = torch.randint(0, 256, (7, 1, 28, 28), generator=g, dtype=torch.uint8)
    known = torch.randint(0, 256, (30, 784), generator=g).float() / 127.5
    expected = ((x.reshape(7, 1, 784) / 127.5 - known) ** 2).sum(-1).sqrt().amin(1)
    torch.testing.assert_close(nearest(x, known), expected)


# ---- all of it


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


# ---- the classifier that is shipped


def test_the_classifier_reads_digits():
    assert classifier_card()["test_accuracy"] >= 0.993
    model = load_classifier()
    assert not model.training and sum(p.numel() for p in model.parameters()) == 94_698
    try:
        test = load_images("mnist", split="test", download=False)
    except RuntimeError:
        pytest.skip("no MNIST")
    with torch.no_grad():
        logits = torch.cat([model(to_unit(x)) for x in test.pixels.split(1000)])
    wrong = logits.argmax(1) != test.labels
    assert 1 - wrong.double().mean().item() == pytest.approx(
        classifier_card()["test_accuracy"], abs=2e-4
    )


def test_the_classifier_refuses_other_images():
    with pytest.raises(ValueError, match=r"images must have shape \(B, 1, 28, 28\)"):
        DigitClassifier()(torch.zeros(2, 784))


def test_too_few_to_compare_with():
    few = ImageData(TEST.pixels[:100], TEST.labels[:100], "digits", "test")
    with pytest.raises(ValueError, match="at least 200 test images are needed, got 100"):
        Judge(TRAIN, few)


def test_a_judge_leaves_the_shared_classifier_alone():
    """It works on a copy: another judge may be on another device."""
    given = DigitClassifier().train()
    judge = Judge(TRAIN, TEST, classifier=given)
    assert judge.classifier is not given and given.training and not judge.classifier.training
