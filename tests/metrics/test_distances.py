"""Distances between sets of features, against closed forms and by hand."""

import numpy as np
import pytest
import scipy.linalg
import torch

from fmcore.metrics import (
    frechet_distance,
    nearest,
    precision_recall,
)


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


def test_two_points_are_enough_for_frechet():
    """0 and 2 have the mean 1 and the variance 2, 10 and 14 the mean 12 and the variance 8."""
    x, y = torch.tensor([[0.0], [2.0]]), torch.tensor([[10.0], [14.0]])
    assert frechet_distance(x, y) == pytest.approx(11**2 + (8**0.5 - 2**0.5) ** 2)


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


def test_the_balls_have_their_edges():
    """k = 2: the balls around 0, 1 and 11 have the radii 11, 10 and 11; and points may coincide."""
    real, edges = torch.tensor([[0.0], [1.0], [11.0]]), torch.tensor([[-11.0], [22.0], [5.0]])
    assert precision_recall(edges, real, k=2)[0] == 1
    same = torch.ones(4, 2)
    assert precision_recall(same, same) == (1, 1)


def test_precision_and_recall_far_from_the_origin():
    """There a distance by products, |x|^2 + |y|^2 - 2 x.y, would cancel; and dtypes may differ."""
    x, y = draw(400, 4, 1).double(), 1.2 * draw(300, 4, 2).double()
    assert 0.5 < precision_recall(x, y)[1] < 1
    assert precision_recall(x + 2**20, y + 2**20) == precision_recall(x.float(), y)


def test_nearest_is_the_brute_force_minimum(monkeypatch):
    monkeypatch.setattr("fmcore.metrics.distances.BATCH", 3)  # the last one is not full
    g = torch.Generator().manual_seed(0)
    x = torch.randint(0, 256, (7, 1, 28, 28), generator=g, dtype=torch.uint8)
    known = torch.randint(0, 256, (30, 784), generator=g).float() / 127.5
    expected = ((x.reshape(7, 1, 784) / 127.5 - known) ** 2).sum(-1).sqrt().amin(1)
    torch.testing.assert_close(nearest(x, known), expected)
