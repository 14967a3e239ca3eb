"""The loop: it learns a known field, repeats bit for bit, and refuses what cannot be."""

import math
from functools import partial

import pytest
import scipy.stats
import torch

from fmcore.data import ImageData, toy
from fmcore.losses import TIMES, cfm_loss, reference_loss
from fmcore.networks import MLP, UNet
from fmcore.paths import OTPath, VPPath
from fmcore.sampling import generate
from fmcore.training import TrainConfig, fit, inputs
from fmcore.training.state import TrainingState
from fmcore.weights import FlowModel, load_weights, save_weights


def config(**kwargs):
    return TrainConfig(**{"steps": 6, "batch_size": 8, "log_every": 2, "progress": False, **kwargs})


def unet(seed=0, **kwargs):
    torch.manual_seed(seed)
    return UNet(**{"base": 8, "time_dim": 16, "groups": 4, **kwargs})


def pictures(n=32, size=8):
    g = torch.Generator().manual_seed(5)
    pixels = torch.randint(0, 256, (n, 1, size, size), generator=g, dtype=torch.uint8)
    return ImageData(pixels, torch.randint(0, 10, (n,), generator=g), "noise", "test")


def train(model, data, cfg, path=OTPath(), **kwargs):  # noqa: B008 - frozen
    return list(fit(model, path, data, cfg, **kwargs))


def test_it_learns_the_field_of_a_gaussian():
    """x1 ~ N(m, s^2 I): the marginal velocity is linear in x and known."""
    m, s = torch.tensor([1.0, -0.5]), 0.5
    x1 = m + s * torch.randn(4096, 2, generator=torch.Generator().manual_seed(0))
    torch.manual_seed(0)
    net = MLP(dim=2, hidden=64, depth=2)
    cfg = config(steps=800, batch_size=512, lr=3e-3, schedule="cosine", ema=0.99, log_every=100)
    metrics = train(net, x1, cfg)
    t = torch.full((500, 1), 0.4)
    variance = t**2 * s**2 + (1 - t) ** 2
    x = t * m + variance.sqrt() * torch.randn(500, 2, generator=torch.Generator().manual_seed(1))
    exact = m + (t * s**2 - (1 - t)) / variance * (x - t * m)
    error = (metrics[-1].ema(x, 0.4) - exact).square().mean().sqrt() / exact.std()
    assert error < 0.1


def test_it_yields_at_the_asked_steps_and_counts_epochs():
    metrics = train(unet(), pictures(32), config(epochs=2, steps=None, log_every=3))
    assert [m.step for m in metrics] == [3, 6, 8]
    assert [m.epoch for m in metrics] == [0, 1, 1] and metrics[0].steps == 8
    assert all(math.isfinite(m.loss) and m.images_per_second > 0 for m in metrics)


def test_reported_loss_is_the_mean_since_the_last_report():
    one = [m.loss for m in train(unet(), pictures(), config(log_every=1, steps=5))]
    two = [m.loss for m in train(unet(), pictures(), config(log_every=2, steps=5))]
    expected = [sum(one[:2]) / 2, sum(one[2:4]) / 2, one[4]]
    assert two == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_same_seed_same_weights_bit_for_bit(precision, tmp_path):
    """Trained twice, stopped, saved and loaded: the same samples to the last bit."""
    noise = torch.randn(3, 1, 8, 8, generator=torch.Generator().manual_seed(9))
    samples = []
    for run in range(2):
        ema = train(unet(), pictures(), config(precision=precision))[-1].ema
        file = tmp_path / f"{run}.safetensors"
        save_weights(FlowModel(ema, OTPath(), (1, 8, 8)), file)
        samples += [
            generate(ema, 3, steps=3, x0=noise),
            generate(load_weights(file), 3, steps=3, x0=noise),
        ]
    assert all(torch.equal(s, samples[0]) for s in samples[1:])
    other = train(unet(), pictures(), config(precision=precision, seed=1))[-1].ema
    assert not torch.equal(generate(other, 3, steps=3, x0=noise), samples[0])


def test_it_leaves_the_global_stream_alone():
    model, before = unet(), torch.random.get_rng_state()
    train(model, pictures(), config())
    assert torch.equal(torch.random.get_rng_state(), before)


def test_an_epoch_shows_every_image_once():
    """Images of one constant colour each: what the network sees at t = 1 is the image itself."""
    n, seen = 24, []
    pixels = torch.arange(n, dtype=torch.float32)[:, None, None, None].expand(n, 1, 4, 4)

    class Spy(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = torch.nn.Parameter(torch.zeros(()))

        def forward(self, x, t):
            return self.weight * x

    class Ends(OTPath):
        def sample(self, x0, x1, t):
            seen.extend(x1[:, 0, 0, 0].tolist())
            return super().sample(x0, x1, t)

    train(Spy(), pixels, config(epochs=2, steps=None, batch_size=8), Ends())
    first, second = seen[:n], seen[n:]
    assert sorted(first) == sorted(second) == list(range(n))
    assert first != second and first != sorted(first)


def test_ema_is_the_average_it_says():
    """With decay d the average after one more step is d old + (1 - d) new; the first is a copy."""
    model = torch.nn.Linear(2, 2)

    class Field(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.linear = model

        def forward(self, x, t):
            return self.linear(x)

    net, history = Field(), []
    for m in fit(net, OTPath(), torch.randn(64, 2), config(log_every=1, steps=30, lr=0.1, ema=0.7)):
        weight, average = net.linear.weight.detach().clone(), m.ema.linear.weight.detach().clone()
        if not history:
            torch.testing.assert_close(average, weight)
        else:
            done = m.step - 1
            d = min(0.7, done / (9 + done))
            torch.testing.assert_close(average, d * history[-1] + (1 - d) * weight)
        history.append(average)


def test_learning_rate_warms_up_and_falls():
    cfg = config(steps=10, lr=1.0, warmup=4, schedule="cosine", log_every=1, batch_size=4)
    rates = [m.lr for m in train(MLP(hidden=4, depth=1), toy_data(), cfg)]
    assert rates[:4] == [0.25, 0.5, 0.75, 1.0]
    assert rates[4] == 1.0 and rates[7] == pytest.approx(0.5) and 0 < rates[9] < 0.1
    flat = train(MLP(hidden=4, depth=1), toy_data(), config(lr=0.5, log_every=1))
    assert {m.lr for m in flat} == {0.5}


def toy_data():
    return toy("two_moons", 64, generator=torch.Generator().manual_seed(0))


def test_every_step_has_its_own_learning_rate(monkeypatch):
    """The first step is the first of the warm-up, and none is taken at the end, where it is 0."""
    used = []
    monkeypatch.setattr(TrainingState, "set_learning_rate", lambda self, lr: used.append(lr))
    train(unet(), pictures(), config(steps=5, lr=1.0, warmup=2, schedule="cosine"))
    assert used == pytest.approx([0.5, 1.0, 1.0, 0.75, 0.25])


def test_classes_are_learned_and_sometimes_hidden():
    seen = []

    class Spy(UNet):
        def forward(self, x, t, label=None):
            seen.append(label)
            return super().forward(x, t, label)

    model = Spy(base=8, time_dim=16, groups=4, num_classes=10)
    train(model, pictures(64), config(steps=40, label_dropout=0.25, batch_size=32))
    labels = torch.cat(seen)
    hidden = (labels == 10).float().mean().item()
    assert 0.2 < hidden < 0.3 and labels.min() >= 0 and labels.unique().numel() == 11


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_precision_is_that_of_the_network_and_not_of_the_weights(precision):
    seen = []

    class Spy(MLP):
        def forward(self, x, t):
            v = super().forward(x, t)
            seen.append(v.dtype)
            return v

    model = Spy(hidden=8, depth=1)
    train(model, toy_data(), config(precision=precision, steps=2))
    assert set(seen) == {torch.bfloat16 if precision == "bf16" else torch.float32}
    assert all(p.dtype == torch.float32 for p in model.parameters())


def times_seen(times, size=64, steps=40):
    """All times at which a training asks for the path, `(steps, size)`."""
    seen = []

    class Spy(OTPath):
        def sample(self, x0, x1, t):
            seen.append(t)
            return super().sample(x0, x1, t)

    train(MLP(hidden=8, depth=1), toy_data(), config(batch_size=size, steps=steps), Spy(),
          loss=partial(cfm_loss, times=TIMES[times]))  # fmt: skip
    return torch.stack(seen)


def test_uniform_times():
    t = times_seen("uniform").flatten()
    assert scipy.stats.kstest(t, "uniform").pvalue > 0.01


def test_stratified_times_are_uniform_with_one_in_each_slice():
    t = times_seen("stratified")
    slices = (t.sort(dim=1).values * 64).floor()
    assert torch.equal(slices, torch.arange(64.0).expand(40, 64))
    assert scipy.stats.kstest(t.flatten(), "uniform").pvalue > 0.01
    within = (t.sort(dim=1).values * 64 - slices).flatten()  # drawn anew in each slice
    assert scipy.stats.kstest(within, "uniform").pvalue > 0.01


def test_logit_normal_times():
    """log(t / (1 - t)) is standard normal (Esser et al. 2024, section 3.1)."""
    t = times_seen("logit_normal").flatten().double()
    assert scipy.stats.kstest((t / (1 - t)).log(), "norm").pvalue > 0.01


def test_noise_is_standard_and_new_in_every_step():
    seen = []

    class Spy(OTPath):
        def sample(self, x0, x1, t):
            seen.append(x0)
            return super().sample(x0, x1, t)

    train(MLP(hidden=8, depth=1), toy_data(), config(steps=40, batch_size=64), Spy())
    assert scipy.stats.kstest(torch.cat(seen).flatten(), "norm").pvalue > 0.01
    assert torch.cat(seen).unique(dim=0).shape[0] == 40 * 64


def test_the_reference_loss_is_trained_with_its_weights():
    """The first reported loss is that of the formula on the same draws."""
    x, cfg = toy_data(), config(steps=1, batch_size=64, log_every=1)
    torch.manual_seed(0)
    model = MLP(hidden=8, depth=1)
    with torch.no_grad():
        g = torch.Generator().manual_seed(0)
        x1 = x[torch.randperm(64, generator=g)]
        x0, u = torch.randn(64, 2, generator=g), torch.rand(64, generator=g)
        t = 1e-5 + (1 - 2e-5) * u
        v = model(t[:, None] * x1 + (1 - t[:, None]) * x0, t)
        error = torch.nn.functional.smooth_l1_loss(v, x1 - x0, beta=0.1, reduction="none")
        w = t * (1 - t) / (t * (1 - t)).mean()
        expected = (w[:, None] * error).mean() + 3e-5 * v.square().mean()
    progress = train(model, x, cfg, loss=reference_loss)[0]
    assert progress.loss == pytest.approx(expected.item(), rel=1e-5)


def test_statistics_of_the_network_are_copied_into_the_average():
    """Batch normalisation in evaluation mode: the average must know what the network has seen."""

    class Normed(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.norm, self.linear = torch.nn.BatchNorm1d(2), torch.nn.Linear(2, 2)

        def forward(self, x, t):
            return self.linear(self.norm(x))

    model = Normed().eval()  # `fit` trains it all the same
    ema = train(model, 5 + toy_data(), config(steps=20))[-1].ema
    assert model.norm.running_mean.abs().min() > 0.5
    assert torch.equal(ema.norm.running_mean, model.norm.running_mean)
    assert ema.norm.num_batches_tracked == 20
    assert not ema.training and model.training  # to be sampled from as it is
    assert not any(p.requires_grad for p in ema.parameters())  # and asked without no_grad


def test_seconds_to_go():
    metrics = train(MLP(hidden=8, depth=1), toy_data(), config(steps=40, log_every=10))
    assert metrics[-1].remaining == 0
    for m in metrics[:-1]:
        assert m.remaining == pytest.approx((40 - m.step) / m.step * m.elapsed, rel=0.05)


def test_settings_and_metrics_are_values():
    with pytest.raises(AttributeError, match="cannot assign"):
        config().lr = 1.0
    metrics = train(MLP(hidden=8, depth=1), toy_data(), config())[-1]
    with pytest.raises(AttributeError, match="cannot assign"):
        metrics.loss = 0.0
    assert "step=6" in repr(metrics) and "MLP" not in repr(metrics)


def test_gradient_is_clipped():
    torch.manual_seed(0)
    model = MLP(hidden=8, depth=1)
    for _ in fit(model, OTPath(), 1e3 * toy_data(), config(clip=0.01, log_every=1, steps=3)):
        norm = torch.stack([p.grad.norm() for p in model.parameters()]).norm()
        assert norm <= 0.0101


def test_a_loss_that_is_not_finite_stops_with_the_steps():
    with pytest.raises(FloatingPointError, match="the loss is nan in step 1 of 6.*lr"):
        train(MLP(), torch.full((64, 2), float("nan")), config())


def test_a_loss_that_is_not_finite_later_on_names_its_step_and_rate():
    """Losses are looked at in batches of reports; the step that is named is that of the loss."""
    model, calls = MLP(hidden=8, depth=1), []

    def spoil(_, inputs, v):
        calls.append(len(v))
        return v * math.inf if len(calls) == 9 else v

    model.register_forward_hook(spoil)
    cfg = config(steps=12, log_every=6, schedule="cosine", warmup=0)
    lr = f"{cfg.learning_rate(8, 12):g}"  # of the ninth step
    with pytest.raises(FloatingPointError, match=rf"step 9 of 12 \(lr={lr}, precision=fp32\)"):
        train(model, toy_data(), cfg)


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"steps": None}, "exactly one of epochs and steps, got epochs=None, steps=None"),
        ({"epochs": 1}, "exactly one of epochs and steps, got epochs=1, steps=6"),
        ({"steps": 0}, "steps must be a whole number of at least 1, got 0"),
        ({"batch_size": 2.5}, "batch_size must be a whole number"),
        ({"batch_size": 0}, "batch_size must be a whole number of at least 1, got 0"),
        ({"log_every": 0}, "log_every must be a whole number of at least 1, got 0"),
        ({"steps": None, "epochs": 0}, "epochs must be a whole number of at least 1, got 0"),
        ({"log_every": -1}, "log_every"),
        ({"lr": -1.0}, "lr must be a finite number >= 0"),
        ({"lr": float("nan")}, "lr must be a finite number >= 0"),
        ({"ema": 1.0}, r"ema must lie in \[0, 1\)"),
        ({"label_dropout": 1.0}, r"label_dropout must lie in \[0, 1\)"),
        ({"clip": 0.0}, "clip must be a finite number > 0"),
        ({"schedule": "linear"}, "schedule must be one of .*cosine.*got 'linear'"),
        ({"precision": "fp8"}, "precision must be one of .*bf16"),
        (
            {"seed": 1.5},
            "seed must be a whole number of .*, at most 9223372036854775807, got 1.5",
        ),
        ({"seed": -1}, "seed must be a whole number of at least 0, .*, got -1"),
        ({"seed": 2**63}, "seed must be a whole number of at least 0"),
        ({"warmup": 1.5}, "warmup must be a whole number of at least 0, got 1.5"),
        ({"warmup": -1}, "warmup must be a whole number of at least 0, got -1"),
        ({"steps": True}, "steps must be a whole number of at least 1, got True"),
        ({"seed": True}, "seed must be a whole number of at least 0, .*, got True"),
    ],
)
def test_bad_settings(kwargs, message):
    (value, *_) = kwargs.values() if None not in kwargs.values() else [0]
    no_whole_number = isinstance(value, bool) or value in (1.5, 2.5)
    with pytest.raises(TypeError if no_whole_number else ValueError, match=message):
        config(**kwargs)


def test_settings_unless_told_otherwise():
    """The reference recipe, but for the loss; labels are hidden one time in ten."""
    assert vars(TrainConfig(epochs=50)) == dict(
        epochs=50,
        steps=None,
        batch_size=256,
        lr=2e-4,
        weight_decay=0.01,
        schedule="constant",
        warmup=0,
        clip=None,
        ema=0.999,
        label_dropout=0.1,
        precision="fp32",
        compile=False,
        device="cpu",
        seed=0,
        log_every=50,
        progress=True,
    )


def test_a_misspelt_setting():
    with pytest.raises(TypeError, match="learning_rate"):
        TrainConfig(steps=1, learning_rate=1.0)


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"precision": "fp16"}, "precision='fp16' needs a GPU; on a CPU take 'bf16' or 'fp32'"),
        ({"device": "abacus"}, "device='abacus' is no device"),
        ({"device": "cuda:64"}, "device='cuda:64' was asked for, but"),
        ({"device": "meta"}, "device='meta' cannot be computed on"),
    ],
)
def test_devices_and_precisions_that_are_not_there(kwargs, message):
    with pytest.raises(ValueError, match=message):
        train(MLP(), toy_data(), config(**kwargs))


@pytest.mark.parametrize("bf16", [True, False])
def test_a_gpu_without_bfloat16(bf16, monkeypatch):
    """A T4 has none. (A pretended one: what is tested is what is said of it.)"""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: bf16)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "Tesla T4")
    monkeypatch.setattr(inputs, "find_device", torch.device)
    settings = config(device="cuda", precision="bf16")
    if bf16:
        assert inputs.training_device(settings).type == "cuda"
    else:
        with pytest.raises(ValueError, match="'bf16' is not supported by Tesla T4; take 'fp16'"):
            inputs.training_device(settings)


def test_bad_data_of_other_kinds():
    with pytest.raises(TypeError, match="data is torch.float64, the network's weights are torch.f"):
        train(MLP(), toy_data().double(), config())
    with pytest.raises(ValueError, match=r"data must have shape \(N, \*shape\), got \(64,\)"):
        train(MLP(), torch.zeros(64), config())
    with pytest.raises(ValueError, match="MLP has no parameter that could be trained"):
        train(MLP().requires_grad_(False), toy_data(), config())
    data = pictures()
    for labels in (data.labels[:20], data.labels[:, None]):
        with pytest.raises(ValueError, match=r"labels must have shape \(32,\), got"):
            wrong = ImageData(data.pixels, labels, "noise", "test")
            train(unet(num_classes=10), wrong, config())
    small = ImageData(data.pixels, data.labels.to(torch.uint8), "noise", "test")
    assert train(unet(num_classes=10), small, config(steps=1))[0].step == 1


def test_a_network_with_settings_of_its_own_kind():
    """`config` may be anything in somebody else's network."""
    model = MLP(hidden=8, depth=1)

    class Foreign(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.config, self.net = object(), model

        def forward(self, x, t):
            return self.net(x, t)

    assert train(Foreign(), toy_data().requires_grad_(), config(steps=1))[0].step == 1


def test_what_does_not_belong_together():
    model, config_ = MLP(hidden=8, depth=1), config(steps=1)
    for arguments, message in (
        ((lambda x, t: x, OTPath(), toy_data(), config_), "model must be a Module, got function"),
        ((model, None, toy_data(), config_), "path must be a ProbabilityPath, got NoneType"),
        ((model, OTPath(), toy_data(), {"steps": 1}), "config must be a TrainConfig, got dict"),
    ):
        with pytest.raises(TypeError, match=message):
            next(fit(*arguments))
    wrapped = FlowModel(model, OTPath(), (2,))
    with pytest.raises(ValueError, match=r"is of OTPath\(sigma_min=0.0\), and was to .* VPPath"):
        next(fit(wrapped, VPPath(), toy_data(), config_))
    assert next(fit(wrapped, OTPath(), toy_data(), config_)).step == 1
    data = pictures()
    with pytest.raises(TypeError, match=r"labels must be a tensor \(32,\), got NoneType"):
        train(unet(num_classes=10), ImageData(data.pixels, None, "noise", "test"), config())


def test_bad_data():
    with pytest.raises(ValueError, match="fewer samples than batch_size=8"):
        train(unet(), pictures(4), config())
    with pytest.raises(TypeError, match="floating dtype or uint8, got torch.int64"):
        train(MLP(), torch.zeros(64, 2, dtype=torch.long), config())
    with pytest.raises(TypeError, match="got list"):
        train(MLP(), [1.0], config())
    with pytest.raises(ValueError, match="needs labels"):
        train(unet(num_classes=10), pictures().pixels, config())
    for classes in (3, 9):
        message = f"labels run from 0 to 9, but the network has {classes} classes"
        with pytest.raises(ValueError, match=message):
            train(unet(num_classes=classes), pictures(64), config())
    with pytest.raises(ValueError, match="has 3 channels, the network 1"):
        train(unet(), torch.zeros(16, 3, 8, 8), config())


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_missing_gpu_is_said():
    with pytest.raises(ValueError, match="device='cuda' was asked for, but no GPU"):
        train(MLP(), toy_data(), config(device="cuda"))
