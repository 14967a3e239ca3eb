"""On a GPU: the same numbers as on the CPU, and a training that goes on where it was left."""

import warnings

import pytest
import torch

import fmcore
from fmcore import cli
from fmcore.data import ImageData, load_images
from fmcore.fields import MarginalField
from fmcore.guidance import Guided
from fmcore.metrics import Judge
from fmcore.networks import MLP, UNet
from fmcore.paths import OTPath
from fmcore.sampling import generate
from fmcore.training import Checkpoints, TrainConfig, fit

DEVICE = "cuda"
pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")


@pytest.fixture(autouse=True)
def full_precision(monkeypatch):
    """Convolutions in float32, not in its short form: otherwise nothing could be compared."""
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)


def pictures(n=256, size=8):
    """Bright or dark from left to right, by their label: something that can be learnt."""
    g = torch.Generator().manual_seed(5)
    labels = torch.randint(0, 2, (n,), generator=g)
    ramp = torch.linspace(40, 215, size).expand(n, 1, size, size)
    pixels = torch.where(labels.view(-1, 1, 1, 1) == 1, ramp, 255 - ramp)
    pixels = pixels + 10 * torch.randn(pixels.shape, generator=g)
    return ImageData(pixels.clamp(0, 255).byte(), labels, "ramps", "test")


def unet(**kwargs):
    torch.manual_seed(0)
    return UNet(**{"base": 16, "time_dim": 16, "groups": 4, **kwargs})


def config(**kwargs):
    return TrainConfig(
        **{"steps": 60, "batch_size": 64, "lr": 3e-3, "log_every": 20, "progress": False,
           "device": DEVICE, **kwargs}
    )  # fmt: skip


def test_generate_gives_what_the_cpu_gives():
    """In float64: an untrained network is rough, and rounding decides how its steps are chosen."""
    net, label = unet(num_classes=3, levels=3).double(), torch.tensor([0, 1, 2, 3, 1])
    x0 = torch.randn(5, 1, 8, 8, generator=torch.Generator().manual_seed(1))
    for model in (net, Guided(net, 2.0)):
        for how in (dict(method="heun", steps=5), dict(method="dopri5", rtol=1e-4, atol=1e-4)):
            answers = [
                generate(model.to(device), 5, x0=x0, label=label, batch_size=2, **how)
                for device in ("cpu", DEVICE)
            ]
            assert answers[1].device.type == DEVICE
            torch.testing.assert_close(answers[1].cpu(), answers[0], rtol=0, atol=1e-8)


def test_a_field_without_weights_is_computed_where_the_noise_is():
    g = torch.Generator(DEVICE).manual_seed(0)
    drawn = generate(lambda x, t: -x, 3, shape=(2,), generator=g)
    given = generate(lambda x, t: -x, 3, x0=torch.ones(3, 2, device=DEVICE))
    assert drawn.device.type == given.device.type == DEVICE


@pytest.mark.parametrize("method", fmcore.SOLVERS)
def test_solvers_and_likelihood_give_what_the_cpu_gives(method):
    torch.manual_seed(0)
    net = MLP(dim=2, hidden=16).double()
    x = torch.randn(7, 2, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    answers = []
    for device in ("cpu", DEVICE):
        v, x = net.to(device), x.to(device)
        solution = fmcore.odeint(v, x, method=method, steps=7, t_eval=[0.0, 0.3, 1.0])
        found = fmcore.log_likelihood(v, x, method=method, steps=7)
        answers.append([a.cpu() for a in (solution.x, solution.xs, found.log_prob, found.x0)])
    for here, there in zip(*answers, strict=True):
        torch.testing.assert_close(there, here, rtol=1e-10, atol=1e-10)


def test_the_exact_field_of_a_data_set_on_a_gpu():
    data = torch.rand(20, 1, 4, 4, generator=torch.Generator().manual_seed(2))
    x = torch.randn(3, 1, 4, 4, generator=torch.Generator().manual_seed(3))
    here = MarginalField(fmcore.Empirical(data), OTPath())(x, 0.7)
    there = MarginalField(fmcore.Empirical(data.to(DEVICE)), OTPath())(x.to(DEVICE), 0.7)
    torch.testing.assert_close(there.cpu(), here, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16"])
@pytest.mark.parametrize("compiled", [False, True])
def test_it_learns_in_every_precision(precision, compiled):
    """And what it has learnt is a function of its class."""
    if precision == "fp16" and DEVICE == "cpu":
        pytest.skip("fp16 needs a GPU")
    net, data = unet(num_classes=2), pictures()
    settings = config(precision=precision, compile=compiled, steps=300, label_dropout=0.0, ema=0.9)
    *_, last = fit(net, OTPath(), data, settings)
    assert last.ema.embed_label.weight.dtype == torch.float32
    label = torch.tensor([0] * 20 + [1] * 20)
    g = torch.Generator().manual_seed(1)
    images = generate(last.ema, 40, shape=(1, 8, 8), steps=5, label=label, generator=g).cpu()
    slope = images[..., -1].mean((1, 2)) - images[..., 0].mean((1, 2))
    assert (slope[20:] > 0.5).all() and (slope[:20] < -0.5).all()


@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16"])
def test_a_run_that_was_left_goes_on(precision, tmp_path):
    """On a GPU not to the last bit: its sums come in another order each time."""
    if precision == "fp16" and DEVICE == "cpu":
        pytest.skip("fp16 needs a GPU")
    settings = config(precision=precision, lr=1e-3, clip=1.0)
    *_, whole = fit(unet(), OTPath(), pictures(), settings)
    for metrics in fit(
        unet(), OTPath(), pictures(), settings, checkpoints=Checkpoints(tmp_path, every=20)
    ):
        if metrics.step == 40:
            break
    resumed = Checkpoints(tmp_path, every=20, resume=True)
    reports = list(fit(unet(), OTPath(), pictures(), settings, checkpoints=resumed))
    assert [m.step for m in reports] == [60]
    assert reports[0].loss == pytest.approx(whole.loss, rel=0.02)


def test_the_first_losses_of_a_compiled_run_are_those_of_a_plain_one():
    runs = [
        [m.loss for m in fit(unet(), OTPath(), pictures(), config(steps=8, log_every=1, **how))]
        for how in (dict(), dict(compile=True))
    ]
    assert runs[0] == pytest.approx(runs[1], rel=1e-3)


def test_nothing_waits_for_the_gpu_between_two_reports():
    """A look at a number on the device would stall the queue of kernels in every step."""
    if DEVICE == "cpu":
        pytest.skip("a CPU has no queue")
    steps = fit(unet(num_classes=2), OTPath(), pictures(), config(log_every=30, clip=1.0))
    next(steps)
    torch.cuda.set_sync_debug_mode("warn")
    try:
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            next(steps)  # thirty steps, seven shuffles, and a report, which has to wait
    finally:
        torch.cuda.set_sync_debug_mode("default")
    waits = [str(w.message) for w in said if "synchroniz" in str(w.message)]
    assert 1 <= len(waits) < 10, waits


def test_the_judge_says_the_same():
    sets = [load_images("mnist", split=split, root="embedded") for split in ("train", "test")]
    images, label = fmcore.data.to_unit(sets[0].pixels[:300]), sets[0].labels[:300]
    here, there = (Judge(*sets, device=d)(images, label).as_dict() for d in ("cpu", DEVICE))
    for name, value in here.items():
        assert there[name] == pytest.approx(value, rel=1e-2, abs=1e-3), name


def test_the_command_line(tmp_path):
    weights, picture = tmp_path / "w.safetensors", tmp_path / "p.png"
    cli.main(
        ["train", "--out", str(weights), "--root", "embedded", "--base", "8", "--steps", "4",
         "--batch-size", "16", "--precision", "bf16", "--compile", "--device", DEVICE]
    )  # fmt: skip
    cli.main(["sample", "--weights", str(weights), "--out", str(picture), "--device", DEVICE])
    assert picture.stat().st_size > 1000
