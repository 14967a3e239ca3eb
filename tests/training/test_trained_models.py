"""What is trained: labels reach the model, shapes are remembered, averages move."""

import gc
import math
import warnings

import numpy as np
import pytest
import torch
from small import config, gen, pictures, points, unet, weights
from torch import nn

from fmcore.data import ImageData
from fmcore.losses import cfm_loss
from fmcore.models import clamp_time, sample_shape
from fmcore.networks import MLP, UNet
from fmcore.paths import OTPath, ProbabilityPath, VPPath
from fmcore.sampling import generate
from fmcore.training import Checkpoints, fit, train
from fmcore.training.inputs import training_data
from fmcore.weights import FlowModel, load_weights, save_weights


class Around(nn.Module):
    def __init__(self, inner):
        super().__init__()
        self.inner = inner


class XTY(Around):
    def forward(self, x, t, y=None):
        return self.inner(x, t, y)


class ByName(Around):
    def forward(self, x, t, *, condition=None):
        return self.inner(x, t, condition)


class XT(Around):
    def forward(self, x, t):
        return self.inner(x, t)


class Own(nn.Module):
    """A conditional network of one's own, which says nothing of itself."""

    def __init__(self):
        super().__init__()
        self.shift = nn.Parameter(torch.zeros(10))
        self.seen = []

    def forward(self, x, t, label=None):
        self.seen.append(label)
        shift = self.shift.sum() if label is None else self.shift[label][:, None, None, None]
        return x + shift


def moved_classes(net, make, **kwargs):
    """Which rows of the label embedding have moved in a training of the model that wraps it."""
    before = net.embed_label.weight.detach().clone()
    list(fit(make(net), OTPath(), pictures(64), config(steps=12, **kwargs)))
    return (net.embed_label.weight != before).any(1)


@pytest.mark.parametrize(
    "make",
    [
        lambda net: net,
        nn.DataParallel,
        XTY,
        ByName,
        clamp_time,
        lambda net: FlowModel(net, OTPath(), (1, 8, 8)),
        lambda net: nn.DataParallel(FlowModel(net, OTPath(), (1, 8, 8))),
    ],
)
def test_labels_reach_the_network_through_whatever_wraps_it(make):
    assert moved_classes(unet(num_classes=10), make, label_dropout=0.3).all()
    # Without dropout "no class" is not among them, unless weight decay moves it.
    moved = moved_classes(unet(num_classes=10), make, label_dropout=0.0, weight_decay=0.0)
    assert moved.tolist() == [True] * 10 + [False]


def test_a_loaded_model_goes_on_with_its_classes(tmp_path):
    save_weights(FlowModel(unet(num_classes=10), OTPath(), (1, 8, 8)), tmp_path / "w.safetensors")
    model = load_weights(tmp_path / "w.safetensors")
    assert moved_classes(model.net, lambda net: model).all()
    with pytest.raises(ValueError, match="no parameter that could be trained: all are frozen"):
        fit(load_weights(tmp_path / "w.safetensors").net, OTPath(), pictures(), config())


def test_a_network_of_ones_own_gets_every_label_as_it_is():
    net, data = Own(), pictures(64)
    list(fit(net, OTPath(), data, config(steps=8, label_dropout=0.9)))
    seen = torch.cat(net.seen)
    assert torch.equal(seen.sort()[0], data.labels.sort()[0])  # an epoch: each of them once


def test_labels_that_no_one_takes_are_spoken_of():
    conditional = XT(unet(num_classes=10))
    for model in (conditional, nn.DataParallel(conditional), XT(Own())):
        with pytest.warns(UserWarning, match="data have labels and .* takes none.*data.pixels"):
            training_data(pictures(), model, config())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for model in (unet(), FlowModel(unet(), OTPath(), (1, 8, 8))):  # built without classes
            assert [*fit(model, OTPath(), pictures(), config())]
        assert [*fit(conditional, OTPath(), pictures().pixels, config())]


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (2.9 * torch.ones(32), "labels must hold integers, got torch.float32"),
        (torch.ones(32, dtype=torch.bool), "labels must hold integers, got torch.bool"),
        (torch.full((32,), -1), "labels run from -1 to -1, but"),
    ],
)
def test_labels_that_are_none_are_refused(labels, message):
    data = ImageData(pictures().pixels, labels, "noise", "test")
    for model in (unet(num_classes=10), Own()):
        with pytest.raises(ValueError, match=message):
            fit(model, OTPath(), data, config())


# ---- shapes, frozen parts, bytes


def test_what_was_trained_draws_what_it_was_trained_on():
    torch.manual_seed(0)
    net = UNet(base=8, groups=4, time_dim=16, in_channels=3)
    data = torch.randint(0, 256, (16, 3, 12, 16), generator=gen(), dtype=torch.uint8)
    *_, last = fit(net, OTPath(), data, config(steps=2))
    for model in (net, last.ema, nn.DataParallel(net)):
        assert generate(model, 2, steps=1, generator=gen()).shape == (2, 3, 12, 16)
    *_, last = fit(MLP(hidden=8), OTPath(), points(), config(steps=2))
    assert generate(last.ema, 2, steps=1, generator=gen()).shape == (2, 2)


def test_a_model_of_another_shape_is_refused():
    model = FlowModel(unet(), OTPath(), (1, 28, 28))
    with pytest.raises(
        ValueError, match=r"samples of shape \(1, 28, 28\), the data of \(1, 8, 8\)"
    ):
        fit(nn.DataParallel(model), OTPath(), pictures(), config())
    with pytest.raises(ValueError, match=r"8 channels, the network 1; permute the axes"):
        fit(unet(), OTPath(), pictures().pixels.permute(0, 2, 3, 1), config())


def test_frozen_weights_stay_and_the_average_with_them():
    model = MLP(hidden=8)
    model.layers[0].requires_grad_(False)
    before = [p.detach().clone() for p in model.layers[0].parameters()]
    *_, last = fit(model, OTPath(), points(), config(weight_decay=0.5))
    for net in (model, last.ema):
        after = net.layers[0].parameters()
        assert all(torch.equal(a, b) for a, b in zip(after, before, strict=True))
    assert not torch.equal(weights(model), weights(MLP(hidden=8)))


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_bytes_become_numbers_of_the_networks_own_kind(dtype):
    *_, last = fit(unet().to(dtype), OTPath(), pictures(), config(steps=2))
    assert math.isfinite(last.loss)
    with pytest.raises(TypeError, match="x1 holds bytes: `fmcore.images.to_unit`"):
        cfm_loss(unet(), OTPath(), pictures().pixels, generator=gen())


# ---- values


def test_values_that_are_not_finite_are_found_before_the_first_step():
    data = points()
    data[7, 1] = math.nan
    with pytest.raises(ValueError, match="data must be finite, got NaN or infinity"):
        fit(MLP(), OTPath(), data, config())


@pytest.mark.parametrize(("low", "high", "warns"), [(0, 1, True), (0, 255, True), (-1, 1, False)])
def test_images_in_another_range_are_spoken_of(low, high, warns):
    data = torch.rand(16, 1, 8, 8, generator=gen()) * (high - low) + low
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        training_data(data, unet(), config())
    said = [str(w.message) for w in said if w.category is UserWarning]
    assert len(said) == warns
    assert not warns or "lie in [-1, 1]: pass bytes (uint8), or 2 * x - 1" in said[0]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        training_data(data[:, 0, 0], MLP(dim=8), config())  # points
        training_data(torch.zeros(16, 1, 8, 8), unet(), config())


class Wrong(OTPath):
    def db(self, t):
        return torch.ones_like(t)


class Plain(OTPath):
    def da(self, t):
        return 1.0


class Tall(OTPath):
    def a(self, t):
        return t.reshape(-1, 1)


class Broken(OTPath):
    def b(self, t):
        return t / 0


@pytest.mark.parametrize(
    ("path", "error", "message"),
    [
        (
            Wrong(),
            ValueError,
            "Wrong.db is not the derivative of b: at t = 0.137 it is 1, and .* -1",
        ),
        (Plain(), TypeError, r"Plain.da\(t\) must return a tensor like t, such as .*, got 1.0"),
        (
            Tall(),
            ValueError,
            r"Tall.a\(t\) must return a tensor like t of shape \(6,\), got \(6, 1\)",
        ),
        (Broken(), ValueError, r"Broken.b\(t\) must return a tensor like t, finite"),
    ],
)
def test_a_path_with_a_wrong_schedule_is_refused_wherever_it_enters(path, error, message):
    x = torch.zeros(2, 2)
    for enter in (
        path.check,
        lambda: path.sample(x, x, 0.5),
        lambda: cfm_loss(MLP(), path, x, generator=gen()),
        lambda: fit(MLP(), path, points(), config()),
        lambda: train(MLP(), path, points(), config()),
    ):
        with pytest.raises(error, match=message):
            enter()


def test_paths_that_are_right_pass_however_they_are_written():
    class Single(ProbabilityPath):
        """Computes in float32, bends in the middle, and has a derivative without a shape."""

        def a(self, t):
            return torch.where(t < 0.5, t * 0.5, 1.5 * t - 0.5).float()

        def b(self, t):
            return (1 - t).float()

        def db(self, t):
            return torch.tensor(-1.0)

    for path in (Single(), VPPath(), VPPath(0.01, 50.0), OTPath(0.9)):
        path.check()


# ---- averages


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64])
def test_the_average_moves_whatever_the_network_is(dtype, tmp_path):
    """0.999 of a number in bfloat16 is the number itself: an average in it would stand still."""
    model, x = MLP(hidden=16).to(dtype), points(n=64).to(dtype)
    start = {name: w.clone() for name, w in model.state_dict().items()}
    how = config(steps=40, ema=0.999, lr=1e-2, log_every=40)
    *_, last = fit(model, OTPath(), x, how, checkpoints=Checkpoints(tmp_path, every=20))
    wide = torch.promote_types(dtype, torch.float32)
    assert {p.dtype for p in last.ema.parameters()} == {wide}
    assert {p.dtype for p in model.parameters()} == {dtype}

    # By hand, in double precision, from the weights after each step.
    again, average = MLP(hidden=16).to(dtype), torch.zeros(())
    again.load_state_dict(start)
    steps = fit(again, OTPath(), x, config(steps=40, ema=0.999, lr=1e-2, log_every=1))
    for step, _ in enumerate(steps):
        decay = min(0.999, step / (9 + step))
        average = decay * average + (1 - decay) * weights(again).double()
    torch.testing.assert_close(weights(last.ema).double(), average, rtol=1e-5, atol=1e-6)
    *_, resumed = fit(
        MLP(hidden=16).to(dtype), OTPath(), x, how,
        checkpoints=Checkpoints(tmp_path, every=20, resume=True),
    )  # fmt: skip
    assert torch.equal(weights(resumed.ema), weights(last.ema))


def test_an_average_that_was_saved_in_half_precision_moves_again(tmp_path):
    """As version 0.1 saved it."""
    torch.manual_seed(0)
    start = MLP(hidden=16).bfloat16()
    saved = Checkpoints(tmp_path, every=3, resume=True)
    for p in fit(start, OTPath(), points().bfloat16(), config(), checkpoints=saved):
        if p.step == 4:
            break
    file = saved.latest()
    state = torch.load(file, weights_only=True)
    state["averages"] = {name: w.bfloat16() for name, w in state["averages"].items()}
    torch.save(state, file)
    *_, last = fit(MLP(hidden=16).bfloat16(), OTPath(), points().bfloat16(), config(),
                   checkpoints=saved)  # fmt: skip
    assert {p.dtype for p in last.ema.parameters()} == {torch.float32}


# ---- to the end


def test_train_is_fit_to_its_end():
    data, how = pictures(), config(log_every=3)
    model = train(unet(num_classes=10), OTPath(0.1), data, how)
    *_, last = fit(unet(num_classes=10), OTPath(0.1), data, how)
    assert isinstance(model, FlowModel) and model.path == OTPath(0.1)
    assert torch.equal(weights(model), weights(last.ema))
    assert not model.training and not any(p.requires_grad for p in model.parameters())
    assert model.config["shape"] == [1, 8, 8] and sample_shape(model) == (1, 8, 8)
    about = model.config["about"]
    assert (about["data"], about["images"], about["recipe"]["steps"]) == ("noise", 32, 6)
    assert about["recipe"]["loss"] == "cfm" and about["processes"] == 1
    assert {"seconds", "device", "torch", "date"} <= about.keys()


@pytest.mark.parametrize(
    "make", [nn.DataParallel, lambda net: FlowModel(net, OTPath(), (1, 8, 8)), XTY]
)
def test_train_returns_the_network_inside(make):
    model = train(make(unet()), OTPath(), pictures().pixels, config(steps=2))
    assert type(model.net) is UNet and model.config["about"]["data"].startswith("a tensor of shape")
    direct = train(unet(), OTPath(), pictures().pixels, config(steps=2))
    assert torch.equal(weights(model), weights(direct))


def test_train_refuses_before_the_work_what_it_cannot_return():
    net = Own()
    with pytest.raises(TypeError, match="net must be one of .* got Own"):
        train(net, OTPath(), pictures(), config())
    assert net.seen == []


def test_a_fit_that_nobody_iterates_is_spoken_of():
    steps = fit(MLP(), OTPath(), points(), config())
    with pytest.warns(RuntimeWarning, match=r"never iterated: nothing was trained.*call train"):
        del steps
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        steps = fit(MLP(), OTPath(), points(), config())
        next(steps)
        del steps
        gc.collect()
    assert not said


@pytest.mark.parametrize("name", ["compile", "progress"])
def test_a_text_is_no_yes_or_no(name):
    with pytest.raises(TypeError, match=f"{name} must be True or False, got 'no'"):
        config(**{name: "no"})
    for name in ("resume", "skip_damaged"):
        with pytest.raises(TypeError, match=f"{name} must be True or False, got 'no'"):
            Checkpoints("x", **{name: "no"})
    assert Checkpoints("x", every=np.int64(5), resume=np.bool_(True)).resume is True
    with pytest.raises(TypeError, match="device must be a name such as 'cuda', got 0"):
        config(device=0)
