"""Four predictions of one thing: each from the exact field, and back to it."""

import pickle
from functools import partial

import pytest
import torch
from mixtures import ALL, F64, MIX, along, field
from small import Linear, config, gen, unet

from fmcore.fields import MarginalField
from fmcore.guidance import Guided
from fmcore.losses import cfm_loss, prediction_loss
from fmcore.networks import MLP
from fmcore.paths import (
    PREDICTIONS,
    CosinePath,
    OTPath,
    VPPath,
    as_velocity,
    error_weight,
    prediction_target,
)
from fmcore.sampling import generate
from fmcore.solvers import odeint
from fmcore.training import fit, train
from fmcore.weights import FlowModel

OT, VP = OTPath(), VPPath()
T = torch.tensor([0.01, 0.3, 0.7, 0.99], dtype=F64)
each_path = pytest.mark.parametrize("path", ALL, ids=str)
each_prediction = pytest.mark.parametrize("predict", PREDICTIONS)


def exact(path, predict):
    """The best possible network: what the marginal field says."""
    u = field(path)
    b = lambda t: path.b(torch.as_tensor(t, dtype=F64)).reshape(-1, 1)  # noqa: E731
    return {
        "velocity": u,
        "data": u.data,
        "score": u.score,
        "noise": lambda x, t: -b(t).to(x) * u.score(x, t),
    }[predict]


@each_path
@each_prediction
def test_each_prediction_stands_for_the_same_velocity(path, predict):
    v = as_velocity(exact(path, predict), path, predict=predict, gain=1000)
    for t in (T, 0.4):
        x = along(path, t, 4)
        torch.testing.assert_close(v(x, t), field(path)(x, t), rtol=1e-8, atol=1e-8)
    assert v(x.float(), 0.4).dtype == torch.float32
    half, x = v(x.bfloat16(), 0.4), x.bfloat16()
    torch.testing.assert_close(half.double(), field(path)(x.double(), 0.4), rtol=0.05, atol=0.05)


@each_path
@each_prediction
def test_the_weight_is_what_an_error_becomes(path, predict):
    """A prediction is moved a little, and the velocity is watched."""
    x, net = along(path, T, 4), exact(path, predict)
    v = partial(as_velocity, path=path, predict=predict, gain=1000)
    moved = v(lambda x, t: net(x, t) + 0.01)(x, T)
    change = moved - v(net)(x, T)
    found = error_weight(path, T, predict=predict)
    torch.testing.assert_close(
        change.square(), 1e-4 * found[:, None].expand(4, 2), rtol=1e-6, atol=0
    )
    for measure in PREDICTIONS:
        back = error_weight(path, T, predict=measure)
        torch.testing.assert_close(
            error_weight(path, T, predict=predict, measure=measure), found / back
        )


def test_weights_of_ot_as_they_are_known():
    t = torch.tensor([0.1, 0.5, 0.8], dtype=F64)
    for predict, known in {
        "velocity": torch.ones_like(t), "noise": t**-2, "data": (1 - t) ** -2,
        "score": ((1 - t) / t) ** 2,
    }.items():  # fmt: skip
        torch.testing.assert_close(error_weight(OT, t, predict=predict), known)
    # The loss of a score that Song et al. weigh by b^2 is that of the noise.
    weight = error_weight(VP, t, predict="score", measure="noise")
    torch.testing.assert_close(weight, VP.b(t) ** 2)


@each_path
def test_targets_are_what_a_pair_is_made_of(path):
    x0, x1 = (torch.randn(4, 3, 4, 4, generator=gen(s), dtype=F64) for s in (0, 1))
    xt, ut = path.sample(x0, x1, T)
    a, b = (f(T)[:, None, None, None] for f in (path.a, path.b))
    known = {"velocity": ut, "data": x1, "noise": x0, "score": (a * x1 - xt) / b**2}
    for predict, q in known.items():
        found = prediction_target(path, x0, x1, T, predict=predict)
        torch.testing.assert_close(found, q, rtol=1e-8, atol=1e-8)
    assert prediction_target(path, x0.half(), x1.half(), 0.5, predict="score").dtype == torch.half


def test_a_prediction_of_ones_own_is_one_row(monkeypatch):
    """That of Salimans & Ho 2022, a x0 - b x1: on a circle it is the velocity, but for its pace."""
    monkeypatch.setattr(PREDICTIONS, "rows", dict(PREDICTIONS.rows))
    PREDICTIONS["v"] = lambda path, t: (-path.b(t), path.a(t))
    path, x = CosinePath(), along(CosinePath(), T, 4)
    net = lambda x, t: -2 / torch.pi * field(path)(x, t)  # noqa: E731
    found = as_velocity(net, path, predict="v")(x, T)
    torch.testing.assert_close(found, field(path)(x, T), rtol=1e-8, atol=1e-8)
    weight = error_weight(path, T, predict="v")
    torch.testing.assert_close(weight, torch.full_like(T, torch.pi**2 / 4))


# ---- the ends


@pytest.mark.parametrize("method", ["euler", "heun", "rk4"])
@pytest.mark.parametrize("path", [OT, CosinePath(), OTPath(0.05)], ids=str)
@each_prediction
def test_sampled_from_the_very_start_to_the_very_end(path, predict, method):
    """Where the noise is x itself, and where the data are, the field stands still and is finite."""
    x0, n = torch.randn(64, 2, generator=gen(), dtype=F64), 100
    v = as_velocity(exact(path, predict), path, predict=predict)
    expected = odeint(field(path), x0, method=method, steps=n).x
    assert (odeint(v, x0, method=method, steps=n).x - expected).square().mean().sqrt() < 0.01
    v = as_velocity(exact(path, predict), path, predict=predict, gain=1000)
    assert (odeint(v, x0, method=method, steps=n).x - expected).abs().max() < 1e-3


@pytest.mark.parametrize(
    ("path", "predict", "start", "stop"),
    [
        (OT, "noise", 0.1, 0.999),  # 1 / t
        (OT, "data", 0.001, 0.9),  # 1 / (1 - t)
        (OT, "score", 1 / 11, 0.999),  # (1 - t) / t
        (VP, "noise", 0.001, 0.999),  # beta / 2b, at most 10
        (OTPath(0.2), "data", 0.001, 0.999),  # 1 / b is at most 5
    ],
    ids=str,
)
def test_where_errors_would_grow_more_than_tenfold_the_field_stands_still(
    path, predict, start, stop
):
    x, v = along(path, 0.5, 4), as_velocity(exact(path, predict), path, predict=predict, gain=10)
    for held, outside in ((start, [0.0, 0.9 * start]), (stop, [0.5 + 0.5 * stop, 1.0])):
        still = v(x, outside[0])
        assert still.isfinite().all() and torch.equal(still, v(x, outside[1]))
        torch.testing.assert_close(still, v(x, held), rtol=0.05, atol=0.05)
        inside = held + (0.05 if held < 0.5 else -0.05)
        torch.testing.assert_close(v(x, inside), field(path)(x, inside), rtol=1e-8, atol=1e-8)
    rows = torch.tensor([0.0, 0.3, 0.6, 1.0], dtype=F64)
    for i, t in enumerate(rows):
        torch.testing.assert_close(v(x, rows)[i], v(x, t)[i])


def test_where_there_is_no_prediction_the_error_says_when():
    x, t = torch.ones(2, 2), torch.tensor([0.5, 0.0])
    for predict, when, message in (
        ("noise", t, "the velocity cannot be recovered from the noise: t = 0 on OTPath"),
        ("score", t, "the velocity cannot be recovered from the score: t = 0 on OTPath"),
        ("data", 1 - t, "the velocity cannot be recovered from the data: t = 1 on OTPath"),
        ("score", 1 - t, "the score is infinite: t = 1 on OTPath"),
    ):
        with pytest.raises(ValueError, match=message):
            error_weight(OT, when, predict=predict)
    with pytest.raises(ValueError, match="the score is infinite: t = 1 on OTPath"):
        prediction_target(OT, x, x, 1.0, predict="score")
    with pytest.raises(ValueError, match=r"t must lie in \[0, 1\]"):
        as_velocity(lambda x, t: x, OT, predict="noise")(x, 1.01)
    with pytest.raises(
        ValueError, match="no time on OTPath.* has a gain of at most 0.5 for the noi"
    ):
        as_velocity(lambda x, t: x, OT, predict="noise", gain=0.5)


# ---- labels, wrappers, training


def test_labels_and_models_pass_through_it():
    net, x, label = Linear(0.5), torch.randn(3, 1, 4, 4, generator=gen()), torch.tensor([1, 2, 3])
    v = as_velocity(net, OT, predict="data")
    torch.testing.assert_close(v(x, 0.5, label), (net(x, 0.5, label) - x) / 0.5)
    torch.testing.assert_close(Guided(v, 3.0)(x, 0.5, label), 3 * v(x, 0.5, label) - 2 * v(x, 0.5))
    assert [*v.parameters()] == [net.rate]
    torch.testing.assert_close(pickle.loads(pickle.dumps(v))(x, 0.3), v(x, 0.3))
    digits = as_velocity(unet(num_classes=10), OT, predict="noise")
    images = generate(Guided(digits, 2.0), 2, label=label[:2], generator=gen(), steps=2)
    assert images.shape == (2, 1, 28, 28) and images.isfinite().all()
    assert as_velocity(net, OT, predict="velocity") is net


def test_the_answer_of_the_network_is_checked():
    x = torch.ones(2, 2)
    for net, error, message in (
        (lambda x, t: x[:1], ValueError, r"v\(x, t\) and x must have the same shape"),
        (lambda x, t: None, TypeError, r"v\(x, t\) must be a tensor"),
    ):
        with pytest.raises(error, match=message):
            as_velocity(net, OT, predict="noise")(x, 0.5)
    with pytest.raises(ValueError, match="v is a field along VPPath"):
        as_velocity(MarginalField(MIX, VP), OT, predict="noise")


@each_path
@each_prediction
def test_the_loss_of_the_velocity_is_that_of_the_field_it_stands_for(path, predict):
    x0, x1 = (torch.randn(4, 2, generator=gen(s), dtype=F64) for s in (0, 1))
    net = lambda x, t: 0.7 * x  # noqa: E731
    found = prediction_loss(net, path, x1, predict=predict, measure="velocity", x0=x0, t=T)
    field_of = as_velocity(net, path, predict=predict, gain=1000)
    expected = cfm_loss(field_of, path, x1, x0=x0, t=T)
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=0)


@pytest.mark.parametrize("predict", ["data", "noise", "score"])
def test_a_network_trained_on_it_is_sampled_as_any_other(predict):
    """A quarter and three quarters of the points at -2 and at 2, from 1,500 steps of training."""
    x1 = torch.where(torch.rand(4000, 1, generator=gen()) < 0.25, -2.0, 2.0)
    x1 = x1 + 0.3 * torch.randn(4000, 1, generator=gen(1))
    torch.manual_seed(0)
    net, path = MLP(dim=1, hidden=64), CosinePath()
    measure = "noise" if predict == "score" else None
    loss = partial(prediction_loss, predict=predict, measure=measure)
    settings = config(steps=1500, batch_size=256, lr=3e-3, ema=0.99)
    model = train(net, path, x1, settings, loss=loss)
    x = generate(model, 4000, method="heun", steps=20, generator=gen(2))
    low = x[:, 0] < 0
    assert abs(low.float().mean() - 0.25) < 0.04
    assert abs(x[low].mean() + 2) < 0.15 and abs(x[~low].mean() - 2) < 0.15
    assert x[~low].std() < 0.5
    *_, last = fit(net, path, x1, config(), loss=loss)  # and by hand
    assert last.step == 6


# ---- a model that is saved


@each_prediction
def test_a_model_is_the_velocity_whatever_its_network_predicts(predict):
    net = MLP(dim=2, hidden=4, depth=1).double()
    model = FlowModel(net, OT, (2,), predict=predict)
    net.forward = lambda x, t: exact(OT, predict)(x, t)
    x = along(OT, 0.4, 4)
    torch.testing.assert_close(model(x, 0.4), field(OT)(x, 0.4), rtol=1e-8, atol=1e-8)
    assert {*model.state_dict()} == {f"net.{name}" for name in net.state_dict()}


@pytest.mark.parametrize("predict", ["noise", "data"])
def test_a_training_returns_the_velocity_whatever_the_loss_asks_for(predict):
    """Data at a point c: the noise is (x - t c) / (1 - t), the velocity (c - x) / (1 - t)."""
    data = torch.full((64, 2), 3.0)
    loss = partial(prediction_loss, predict=predict)
    torch.manual_seed(0)  # the initial weights
    model = train(MLP(dim=2, hidden=32), OT, data, config(steps=300, lr=1e-2), loss=loss)
    assert model.predict == predict
    x = torch.tensor([[1.0, 2.0], [1.5, 1.5]])
    velocity = (3 - x) / 0.5
    off, bare = ((v(x, 0.5) - velocity).abs().mean() for v in (model, model.net))
    assert off < 0.4 < bare and bare > 3 * off
    more = train(model, OT, data, config(steps=5))
    assert more.predict == predict and more.net is not model.net


def test_what_returns_the_velocity_is_not_trained_to_predict_something_else():
    model = FlowModel(MLP(dim=2), OT, (2,), predict="noise")
    loss = partial(prediction_loss, predict="noise")
    for run in (train, lambda *args, **more: next(fit(*args, **more))):
        with pytest.raises(ValueError, match="asks for the noise, and FlowModel returns the vel"):
            run(model, OT, torch.zeros(64, 2), config(steps=1), loss=loss)
    for v in (model, torch.nn.DataParallel(model), as_velocity(MLP(dim=2), OT, predict="data")):
        with pytest.raises(ValueError, match="returns the velocity already, not the noise"):
            as_velocity(v, OT, predict="noise")
