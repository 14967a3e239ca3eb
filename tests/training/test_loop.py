"""The loop: it learns a known field, repeats bit for bit, and does what its settings say."""

import math
from dataclasses import replace
from datetime import date
from functools import partial

import pytest
import scipy.stats
import torch
from small import config, pictures, points, unet

from fmcore.devices import device_name
from fmcore.losses import TIMES, cfm_loss, reference_loss
from fmcore.networks import MLP, UNet
from fmcore.paths import OTPath
from fmcore.sampling import generate
from fmcore.training import Recipe, about_training, fit
from fmcore.training.state import TrainingState
from fmcore.weights import FlowModel, load_weights, save_weights


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
    rates = [m.lr for m in train(MLP(hidden=4, depth=1), points(), cfg)]
    assert rates[:4] == [0.25, 0.5, 0.75, 1.0]
    assert rates[4] == 1.0 and rates[7] == pytest.approx(0.5) and 0 < rates[9] < 0.1
    flat = train(MLP(hidden=4, depth=1), points(), config(lr=0.5, log_every=1))
    assert {m.lr for m in flat} == {0.5}


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
    train(model, points(), config(precision=precision, steps=2))
    assert set(seen) == {torch.bfloat16 if precision == "bf16" else torch.float32}
    assert all(p.dtype == torch.float32 for p in model.parameters())


def times_seen(times, size=64, steps=40):
    """All times at which a training asks for the path, `(steps, size)`."""
    seen = []

    class Spy(OTPath):
        def sample(self, x0, x1, t):
            seen.append(t)
            return super().sample(x0, x1, t)

    train(MLP(hidden=8, depth=1), points(), config(batch_size=size, steps=steps), Spy(),
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

    train(MLP(hidden=8, depth=1), points(), config(steps=40, batch_size=64), Spy())
    assert scipy.stats.kstest(torch.cat(seen).flatten(), "norm").pvalue > 0.01
    assert torch.cat(seen).unique(dim=0).shape[0] == 40 * 64


def test_the_reference_loss_is_trained_with_its_weights():
    """The first reported loss is that of the formula on the same draws."""
    x, cfg = points(), config(steps=1, batch_size=64, log_every=1)
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
    ema = train(model, 5 + points(), config(steps=20))[-1].ema
    assert model.norm.running_mean.abs().min() > 0.5
    assert torch.equal(ema.norm.running_mean, model.norm.running_mean)
    assert ema.norm.num_batches_tracked == 20
    assert not ema.training and model.training  # to be sampled from as it is
    assert not any(p.requires_grad for p in ema.parameters())  # and asked without no_grad


def test_seconds_to_go():
    metrics = train(MLP(hidden=8, depth=1), points(), config(steps=40, log_every=10))
    assert metrics[-1].remaining == 0
    for m in metrics[:-1]:
        assert m.remaining == pytest.approx((40 - m.step) / m.step * m.elapsed, rel=0.05)


def test_settings_and_metrics_are_values():
    with pytest.raises(AttributeError, match="cannot assign"):
        config().lr = 1.0
    metrics = train(MLP(hidden=8, depth=1), points(), config())[-1]
    with pytest.raises(AttributeError, match="cannot assign"):
        metrics.loss = 0.0
    assert "step=6" in repr(metrics) and "MLP" not in repr(metrics)


def test_what_a_training_says_of_itself():
    before, last = date.today(), train(MLP(hidden=8, depth=1), points(), config())[-1]
    recipe = Recipe({}, OTPath(), config())
    about = about_training(recipe, replace(last, elapsed=12.34, remaining=5.0))
    assert about["recipe"] == recipe.as_dict() and about["processes"] == 1
    assert about["seconds"] == 12.3 and about["torch"] == torch.__version__
    assert about["device"] == device_name("cpu")
    assert before <= date.fromisoformat(about["date"]) <= date.today()


def test_gradient_is_clipped():
    torch.manual_seed(0)
    model = MLP(hidden=8, depth=1)
    for _ in fit(model, OTPath(), 1e3 * points(), config(clip=0.01, log_every=1, steps=3)):
        norm = torch.stack([p.grad.norm() for p in model.parameters()]).norm()
        assert norm <= 0.0101


def test_a_loss_that_is_not_finite_stops_with_the_steps():
    model = MLP()
    model.layers[0].bias.data[0] = math.nan
    with pytest.raises(FloatingPointError, match="the loss is nan in step 1 of 6.*lr"):
        train(model, points(), config())


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
        train(model, points(), cfg)
