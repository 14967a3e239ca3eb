"""Checkpoints: whole or not at all, and a resumed training is the same training."""

import dataclasses
import json
import math
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from fmcore.data import ImageData
from fmcore.networks import UNet
from fmcore.paths import OTPath, ProbabilityPath, VPPath
from fmcore.training import CheckpointError, Checkpoints, TrainConfig, fit
from fmcore.training.interrupts import held_interrupt
from fmcore.training.state import TrainingState

STEPS = 20


def unet(**kwargs):
    torch.manual_seed(0)
    return UNet(**{"base": 8, "time_dim": 16, "groups": 4, **kwargs})


def pictures(n=40, seed=5):
    g = torch.Generator().manual_seed(seed)
    pixels = torch.randint(0, 256, (n, 1, 8, 8), generator=g, dtype=torch.uint8)
    return ImageData(pixels, torch.randint(0, 10, (n,), generator=g), "noise", "test")


def relabelled():
    data = pictures()
    return ImageData(data.pixels, data.labels.flip(0), data.name, data.source)


def config(**kwargs):
    # 5 batches an epoch, 20 steps, reports that do not fall on checkpoints
    defaults = dict(
        epochs=4, batch_size=8, log_every=3, progress=False, lr=1e-3, schedule="cosine", clip=1.0
    )
    return TrainConfig(**{**defaults, **kwargs})


def train(folder=None, stop=None, model=None, path=OTPath(), data=None, cfg=None, **kwargs):  # noqa: B008
    """Train, leaving the loop at the first report from step `stop` on; all metrics, and the net."""
    model = model or unet(num_classes=10)
    saved = Checkpoints(folder, **{"every": 4, **kwargs}) if folder else None
    metrics = []
    for m in fit(model, path, data or pictures(), cfg or config(), checkpoints=saved):
        metrics.append(m)
        if stop is not None and m.step >= stop:
            break
    return metrics, model


def weights(model):
    return torch.cat([p.detach().flatten() for p in model.parameters()])


@pytest.fixture(scope="module")
def whole():
    """The run that nobody disturbs."""
    return train()


@pytest.fixture(autouse=True)
def python_waits_for_ctrl_c():
    """Also where the tests are a job in the background, to which Ctrl-C means nothing."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


# ---- the same training


@pytest.mark.parametrize("stop", [3, 5, 6, 12, 17])
def test_left_and_resumed_is_the_same_training(stop, tmp_path, whole):
    """Weights, averages and every later report are the same to the last bit."""
    first, _ = train(tmp_path, stop=stop)
    rest, model = train(tmp_path, resume=True, model=unet(num_classes=10))
    metrics, undisturbed = whole
    assert torch.equal(weights(model), weights(undisturbed))
    assert torch.equal(weights(rest[-1].ema), weights(metrics[-1].ema))
    assert [(m.step, m.epoch, m.loss, m.lr) for m in first + rest] == [
        (m.step, m.epoch, m.loss, m.lr) for m in metrics
    ]
    assert rest[0].elapsed > first[-1].elapsed


def test_images_without_labels_are_resumed_as_well(tmp_path):
    _, undisturbed = train(model=unet())
    train(tmp_path, stop=9, model=unet())
    _, model = train(tmp_path, resume=True, model=unet())
    assert torch.equal(weights(model), weights(undisturbed))


def test_statistics_are_those_of_the_step_that_is_saved(tmp_path):
    """Also where nothing has been reported yet: the average has the statistics of the network."""

    class Normed(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.norm = torch.nn.BatchNorm2d(1)

        def forward(self, x, t):
            return self.norm(x)

    train(tmp_path, model=Normed(), cfg=config(log_every=20), keep=9)
    state = torch.load(tmp_path / "step-00000004.pt")
    seen = state["weights"]["norm.running_var"]
    assert seen != 1 and torch.equal(state["averages"]["norm.running_var"], seen)


def test_images_a_second_are_those_since_the_restart(tmp_path):
    train(tmp_path, stop=9, every=9)
    before = torch.load(tmp_path / "step-00000009.pt")["elapsed"]
    for m in train(tmp_path, resume=True)[0]:
        images = m.images_per_second * (m.elapsed - before)
        assert images == pytest.approx((m.step - 9) * 8, rel=0.5)  # with step + 9 it is 2.6 times
        assert m.remaining == pytest.approx((STEPS - m.step) * 8 / m.images_per_second)


def test_on_another_device_the_noise_is_new_at_every_step(tmp_path):
    """Its random states are of another kind. What must not come is the noise of the first step."""
    train(tmp_path, every=4, keep=9)
    seen = []
    for step in (0, 4, 8):
        folder = tmp_path / str(step)
        folder.mkdir()
        if step:
            state = torch.load(tmp_path / f"step-{step:08d}.pt") | {"device": "cuda"}
            torch.save(state, folder / f"step-{step:08d}.pt")
        model, times = unet(num_classes=10), []
        model.register_forward_pre_hook(lambda _, inputs, times=times: times.append(inputs[1]))
        train(folder, model=model, stop=step + 1, resume=True)
        seen.append(times[0])
    a, b, c = seen
    assert a.shape == (8,) and not any(torch.equal(p, q) for p, q in ((a, b), (a, c), (b, c)))


def test_a_run_that_was_replayed_on_a_gpu_goes_on_elsewhere(tmp_path, whole):
    """There the optimizer is prepared for it, and its learning rate lies on the device."""
    train(tmp_path, stop=9)
    (file,) = tmp_path.glob("step-00000009.pt")
    state = torch.load(file)
    for group in state["optimizer"]["param_groups"]:
        group.update(capturable=True, lr=torch.tensor(0.123))
    torch.save(state, file)
    metrics, model = train(tmp_path, resume=True)
    assert torch.equal(weights(model), weights(whole[1])) and metrics[-1].loss == whole[0][-1].loss
    (group,) = torch.load(tmp_path / f"step-{STEPS:08d}.pt")["optimizer"]["param_groups"]
    assert group["capturable"] is False and isinstance(group["lr"], float)


def test_a_learning_rate_on_the_device_is_changed_in_place():
    """A recorded step goes on reading it where it was."""
    for lr in (0.1, torch.tensor(0.1)):
        optimizer = torch.optim.AdamW([torch.zeros(1, requires_grad=True)], lr)
        TrainingState.set_learning_rate(SimpleNamespace(optimizer=optimizer), 0.5)
        (group,) = optimizer.param_groups
        assert float(group["lr"]) == 0.5 and type(group["lr"]) is type(lr)
        assert lr is group["lr"] or isinstance(lr, float)


def test_weights_of_another_start_are_overwritten(tmp_path, whole):
    train(tmp_path, stop=9)
    torch.manual_seed(99)
    other = UNet(base=8, time_dim=16, groups=4, num_classes=10)
    train(tmp_path, resume=True, model=other)
    assert torch.equal(weights(other), weights(whole[1]))


def test_saving_does_not_disturb(tmp_path, whole):
    metrics, model = train(tmp_path, every=1)
    assert torch.equal(weights(model), weights(whole[1]))
    assert [m.loss for m in metrics] == [m.loss for m in whole[0]]


def test_a_finished_training_resumes_to_its_last_report(tmp_path, whole):
    metrics, _ = train(tmp_path)
    again, model = train(tmp_path, resume=True, model=unet(num_classes=10))
    assert len(again) == 1 and again[0].step == again[0].steps == STEPS
    assert again[0].loss == metrics[-1].loss and again[0].remaining == 0
    assert torch.equal(weights(model), weights(whole[1]))


def test_resuming_where_nothing_is_begins(tmp_path, whole):
    _, model = train(tmp_path / "new" / "folder", resume=True)
    assert torch.equal(weights(model), weights(whole[1]))


KILLED = """
import os, random, signal, sys, time
sys.path.insert(0, {tests!r})
from test_checkpoints import *

folder, cfg = {folder!r}, config(epochs=20, log_every=1)

def run():
    saved = Checkpoints(folder, every=1, resume=True)
    for m in fit(unet(num_classes=10), OTPath(), pictures(), cfg, checkpoints=saved):
        os.write(alive, b".")  # a step of this life is done
    torch.save(weights(m.ema), {out!r})

torch.optim.AdamW(unet().parameters())  # its imports take seconds: here, and not in every child
moments = random.Random(0)
for kill in [True] * 10 + [False]:
    seen, alive = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            run()
        finally:
            os._exit(0)
    os.close(alive)
    if kill:
        os.read(seen, 1)  # however slow the machine is
        time.sleep(moments.uniform(0, 0.1))
        os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    latest = Checkpoints(folder).latest()
    print(latest.stem[5:] if latest else 0, len(list(Path(folder).glob("*.partial"))))
"""


def test_killed_at_ten_random_moments(tmp_path):
    """SIGKILL at any time, also while a checkpoint is being written: it saves after every step."""
    out = tmp_path / "ema.pt"
    code = KILLED.format(
        tests=str(Path(__file__).parent), folder=str(tmp_path / "run"), out=str(out)
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    steps = [int(line.split()[0]) for line in result.stdout.splitlines()]
    assert steps == sorted(steps) and len({*steps[:-1]}) > 4 and steps[-1] == 100, steps
    undisturbed = train(cfg=config(epochs=20))[0][-1]
    assert torch.equal(torch.load(out), weights(undisturbed.ema))


def test_killed_while_it_writes(tmp_path, monkeypatch, whole):
    """The process dies between the first byte and the new name: the file before is the latest."""
    train(tmp_path, stop=9)
    saved = Checkpoints(tmp_path, resume=True)
    before = saved.latest()
    monkeypatch.setattr(os, "replace", lambda *_: (_ for _ in ()).throw(SystemExit))
    with pytest.raises(SystemExit):
        train(tmp_path, resume=True, every=1)
    monkeypatch.undo()
    assert list(tmp_path.glob("*.partial")) and saved.latest() == before
    _, model = train(tmp_path, resume=True)
    assert torch.equal(weights(model), weights(whole[1]))
    assert not list(tmp_path.glob("*.partial"))


# ---- Ctrl-C


def test_ctrl_c_waits_for_the_step_and_saves(tmp_path, whole):
    steps = []

    class Pressed(OTPath):
        def sample(self, x0, x1, t):
            steps.append(t)
            if len(steps) == 7:
                signal.raise_signal(signal.SIGINT)  # in the middle of step 7
            return super().sample(x0, x1, t)

    where = rf"stopped after step 7 of {STEPS}; .*step-00000007.pt: resume to go on from there"
    with pytest.raises(KeyboardInterrupt, match=where):
        train(tmp_path, path=Pressed())
    saved = torch.load(tmp_path / "step-00000007.pt", weights_only=True)
    assert saved["step"] == 7
    _, model = train(tmp_path, resume=True, path=Pressed())
    assert torch.equal(weights(model), weights(whole[1]))


def test_ctrl_c_without_checkpoints():
    class Pressed(OTPath):
        def sample(self, x0, x1, t):
            signal.raise_signal(signal.SIGINT)
            return super().sample(x0, x1, t)

    with pytest.raises(KeyboardInterrupt, match=rf"^stopped after step 1 of {STEPS}$"):
        train(path=Pressed())


def test_a_torn_step_is_not_saved(tmp_path, whole):
    """The second Ctrl-C ends step 7 in the middle: the checkpoint before it is the last word."""
    steps = []

    class Impatient(OTPath):
        def sample(self, x0, x1, t):
            steps.append(t)
            if len(steps) == 7:
                signal.raise_signal(signal.SIGINT)
                signal.raise_signal(signal.SIGINT)
            return super().sample(x0, x1, t)

    with pytest.raises(KeyboardInterrupt, match=r"step 6 of 20; .*step-00000004.pt: resume"):
        train(tmp_path, path=Impatient())
    _, model = train(tmp_path, resume=True, path=Impatient())
    assert torch.equal(weights(model), weights(whole[1]))


def test_nothing_saved_is_said(tmp_path):
    class Impatient(OTPath):
        def sample(self, x0, x1, t):
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt, match="step 0 of 20; nothing was saved"):
        train(tmp_path, path=Impatient())
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("step", [6, STEPS])
def test_ctrl_c_in_a_reporting_step_does_not_spoil_the_next_report(step, tmp_path, whole):
    steps = []

    class Pressed(OTPath):
        def sample(self, x0, x1, t):
            steps.append(t)
            if len(steps) == step:
                signal.raise_signal(signal.SIGINT)
            return super().sample(x0, x1, t)

    with pytest.raises(KeyboardInterrupt, match=f"after step {step} of"):
        train(tmp_path, path=Pressed())
    rest, _ = train(tmp_path, resume=True, path=Pressed())
    expected = [m.loss for m in whole[0] if m.step > step] or [whole[0][-1].loss]
    assert [m.loss for m in rest] == expected


def test_the_signal_goes_to_whoever_waits_for_it():
    """A program with a handler of its own for Ctrl-C keeps it, and may go on."""
    called, before = [], signal.getsignal(signal.SIGINT)

    class Pressed(OTPath):
        def sample(self, x0, x1, t):
            signal.raise_signal(signal.SIGINT)
            return super().sample(x0, x1, t)

    try:
        signal.signal(signal.SIGINT, lambda *_: called.append(1))
        metrics, _ = train(path=Pressed(), cfg=config(epochs=1))
        assert len(called) == 5 and metrics[-1].step == 5
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # a job in the background
        metrics, _ = train(path=Pressed(), cfg=config(epochs=1))
        assert metrics[-1].step == 5 and signal.getsignal(signal.SIGINT) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


def test_a_second_ctrl_c_does_not_wait():
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        with held_interrupt() as came:
            signal.raise_signal(signal.SIGINT)
            assert came
            signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) == before


# ---- what lies in the folder


def test_the_last_are_kept(tmp_path):
    train(tmp_path, every=4, keep=2)
    assert [file.name for file in Checkpoints(tmp_path).files()] == [
        "step-00000016.pt",
        "step-00000020.pt",
    ]


def test_checkpoints_of_another_training_are_not_overwritten(tmp_path):
    train(tmp_path)
    before = sorted((f.name, f.read_bytes()) for f in tmp_path.iterdir())
    with pytest.raises(ValueError, match="up to step-00000020.pt: pass resume=True"):
        train(tmp_path)
    assert before == sorted((f.name, f.read_bytes()) for f in tmp_path.iterdir())


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (dict(cfg=config(lr=2e-3)), r"lr is 0.002, was 0.001$"),
        (dict(cfg=config(seed=1, clip=None)), r"clip is None, was 1.0; seed is 1, was 0$"),
        (dict(cfg=config(epochs=5)), r"epochs is 5, was 4$"),
        (dict(path=VPPath()), r"path is 'VPPath.*', was 'OTPath\(sigma_min=0.0\)'$"),
        (dict(data=relabelled()), r"labels is '40 of \(\), int64, crc32"),
        (dict(data=pictures(seed=6)), r"data is '40 of \(1, 8, 8\), uint8, crc32"),
        (dict(model=unet(num_classes=11)), r"network is .UNet.*11.*was .UNet.*10"),
    ],
)
def test_resuming_with_another_configuration(change, named, tmp_path):
    train(tmp_path, stop=9)
    with pytest.raises(ValueError, match=f"is of another training: {named}"):
        train(tmp_path, resume=True, **change)


def test_reports_may_come_at_other_steps(tmp_path, whole):
    train(tmp_path, stop=9)
    rest, model = train(tmp_path, resume=True, cfg=config(log_every=7))
    assert [m.step for m in rest] == [14, 20]
    assert torch.equal(weights(model), weights(whole[1]))


def test_a_damaged_checkpoint(tmp_path, whole):
    train(tmp_path, every=4, keep=3)
    file = Checkpoints(tmp_path).latest()
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1  # one bit, in the middle of the weights
    file.write_bytes(content)
    with pytest.raises(CheckpointError, match=r"00020.pt is damaged.*00016.pt.*skip_damaged=True"):
        train(tmp_path, resume=True)
    _, model = train(tmp_path, resume=True, skip_damaged=True)
    assert torch.equal(weights(model), weights(whole[1]))


def test_skipped_files_do_not_push_out_good_ones(tmp_path):
    train(tmp_path, every=4, keep=5)
    for file in Checkpoints(tmp_path).files()[2:]:  # 12, 16 and 20
        file.write_bytes(b"damaged")
    train(tmp_path, stop=9, every=1, keep=1, resume=True, skip_damaged=True)
    assert Checkpoints(tmp_path).files()[0].name == "step-00000009.pt"


def test_only_files_of_its_own_name_are_checkpoints(tmp_path):
    train(tmp_path, stop=9)
    saved = Checkpoints(tmp_path)
    latest = saved.latest()
    for name in ("step-best.pt", "step-00000099.pt.partial", "step-7.pt", "notes.txt"):
        (tmp_path / name).write_bytes(latest.read_bytes())
    assert saved.latest() == latest
    (tmp_path / "step-100000000.pt").write_bytes(latest.read_bytes())  # nine digits come last
    assert saved.latest().name == "step-100000000.pt"


def test_a_file_that_another_program_wrote(tmp_path):
    torch.save({"weight": torch.zeros(3)}, tmp_path / "step-00000001.pt")
    with pytest.raises(CheckpointError, match="00001.pt was not written by fmcore.fit"):
        train(tmp_path, resume=True)


@pytest.mark.parametrize("length", [0, 100, 0.5, 0.999])
def test_a_truncated_checkpoint(length, tmp_path):
    train(tmp_path, stop=4, every=100)
    (file,) = Checkpoints(tmp_path).files()
    content = file.read_bytes()
    file.write_bytes(content[: length if length > 1 else int(length * len(content))])
    for skip in (False, True):
        with pytest.raises(CheckpointError, match="damaged or no checkpoint|can be read"):
            train(tmp_path, resume=True, skip_damaged=skip)


def test_any_flipped_bit_is_harmless_or_noticed(tmp_path):
    train(tmp_path, stop=4, every=100)
    saved = Checkpoints(tmp_path, resume=True)
    file = saved.latest()
    content, (state, _) = file.read_bytes(), saved.load()
    g = torch.Generator().manual_seed(1)
    noticed = 0
    for k in torch.randint(len(content), (60,), generator=g).tolist():
        file.write_bytes(content[:k] + bytes([content[k] ^ 16]) + content[k + 1 :])
        try:
            found, _ = saved.load()
        except CheckpointError:
            noticed += 1
        else:
            assert all(torch.equal(found["weights"][n], w) for n, w in state["weights"].items())
            assert found["step"] == state["step"] and found["what"] == state["what"]
    assert noticed > 50


def test_a_checkpoint_cannot_run_code(tmp_path):
    class Evil:
        def __reduce__(self):
            return (os.mkdir, (str(tmp_path / "owned"),))

    torch.save({"step": Evil()}, tmp_path / "step-00000001.pt")
    with pytest.raises(CheckpointError, match="00001.pt is damaged or no checkpoint"):
        train(tmp_path, resume=True)
    assert not (tmp_path / "owned").exists()


def test_a_full_disk(tmp_path):
    """A limit on the size of files stands in for it: the error comes from the same write."""
    resource = pytest.importorskip("resource")
    train(tmp_path, stop=4, every=100)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, hard))
        with pytest.raises(CheckpointError, match="could not write .*the latest whole .*00006.pt"):
            train(tmp_path, resume=True)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, handler)
    assert [file.name for file in tmp_path.iterdir()] == ["step-00000006.pt"]


def test_a_folder_that_cannot_be(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match="cannot use .* for checkpoints"):
        train(tmp_path / "file")


@pytest.mark.parametrize("kwargs", [{"every": 0}, {"keep": 0}, {"every": 2.5}])
def test_bad_numbers(kwargs, tmp_path):
    kind = TypeError if kwargs == {"every": 2.5} else ValueError
    with pytest.raises(kind, match=f"{next(iter(kwargs))} must be a whole number"):
        Checkpoints(tmp_path, **kwargs)


# ---- losses that are not finite


def test_nan_names_the_step_and_the_last_good_checkpoint(tmp_path):
    steps = []

    class Poison(OTPath):
        def sample(self, x0, x1, t):
            steps.append(t)
            return super().sample(x0, x1 * float("nan") if len(steps) == 10 else x1, t)

    where = rf"the loss is nan in step 10 of {STEPS} .*checkpoint is .*step-00000008.pt"
    with pytest.raises(FloatingPointError, match=where):
        train(tmp_path, path=Poison(), every=4)
    assert Checkpoints(tmp_path).latest().name == "step-00000008.pt"
    assert json.dumps(torch.load(Checkpoints(tmp_path).latest())["what"])  # plain values


def test_masks_with_minus_infinity_are_no_fault(tmp_path):
    model = unet(num_classes=10)
    model.register_buffer("mask", torch.tensor([0.0, -math.inf]))
    train(tmp_path, stop=4, model=model)
    assert Checkpoints(tmp_path).latest()


def test_numbers_of_numpy_are_saved_as_numbers(tmp_path, whole):
    cfg = config(lr=np.float64(1e-3), clip=np.float32(1), batch_size=np.int64(8))
    train(tmp_path, stop=9, cfg=cfg)
    _, model = train(tmp_path, resume=True)
    assert torch.equal(weights(model), weights(whole[1]))


def test_a_path_of_ones_own_can_be_resumed(tmp_path):
    class Straight(ProbabilityPath):
        def a(self, t):
            return t

        def b(self, t):
            return 1 - t

        def da(self, t):
            return torch.ones_like(t)

        def db(self, t):
            return -torch.ones_like(t)

        def __init__(self, speed=1.0):
            self.speed = lambda: speed  # an attribute that is another object in every process
            self.table = torch.arange(5000.0)

    train(tmp_path, stop=9, path=Straight())
    rest, _ = train(tmp_path, resume=True, path=Straight())
    assert rest[-1].step == STEPS


def test_a_path_of_ones_own_is_known_by_its_schedule(tmp_path):
    @dataclasses.dataclass(frozen=True)
    class Bent(OTPath):
        power: Callable = lambda t: t

        def a(self, t):
            return self.power(t)

    train(tmp_path, stop=9, path=Bent())
    train(tmp_path, stop=12, resume=True, path=Bent(power=lambda t: t + 0))
    with pytest.raises(ValueError, match="path is 'Bent, schedule 4 of .*', was 'Bent, schedule 4"):
        train(tmp_path, resume=True, path=Bent(power=lambda t: t**2))


def test_a_network_of_ones_own_that_is_another(tmp_path):
    """It has no `config`: its tensors tell. The network is left as it was."""

    class Own(torch.nn.Module):
        def __init__(self, width):
            super().__init__()
            self.layers = torch.nn.Sequential(torch.nn.Conv2d(1, width, 1), torch.nn.ReLU())
            self.last = torch.nn.Conv2d(width, 1, 1)

        def forward(self, x, t):
            return self.last(self.layers(x))

    train(tmp_path, stop=9, model=Own(4))
    other = Own(5)
    before = weights(other).clone()
    message = r"step-.*pt is of another network: last.weight should be \(1, 5, 1, 1\) and is \(1, 4"
    with pytest.raises(ValueError, match=message):
        train(tmp_path, resume=True, model=other)
    assert torch.equal(weights(other), before)


@pytest.mark.parametrize("end", ["", "sys.exit(3)", "raise RuntimeError('mine')"])
def test_a_loop_that_is_still_open_when_the_program_ends_is_saved(end, tmp_path):
    script = f"""
import sys, torch
from fmcore import MLP, Checkpoints, OTPath, TrainConfig, fit

config = TrainConfig(steps=50, batch_size=4, log_every=3, progress=False)
saved = Checkpoints({str(tmp_path / "run")!r})
it = fit(MLP(hidden=8, depth=1), OTPath(), torch.zeros(16, 2), config, checkpoints=saved)
next(it), next(it)
{end}
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == {"": 0, "sys.exit(3)": 3}.get(end, 1)
    assert ("mine" in done.stderr) == ("mine" in end) and "shutting down" not in done.stderr
    assert [file.name for file in (tmp_path / "run").iterdir()] == ["step-00000006.pt"]


def test_nan_weights_are_not_saved(tmp_path):
    """The loss of the step before a checkpoint is finite, its gradient is not."""

    class Cliff(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x

        @staticmethod
        def backward(ctx, gradient):
            return gradient * float("nan")

    class Poisoned(UNet):
        calls = 0

        def forward(self, x, t, label=None):
            self.calls += 1
            v = super().forward(x, t, label)
            return Cliff.apply(v) if self.calls == 8 else v

    torch.manual_seed(0)
    model = Poisoned(base=8, time_dim=16, groups=4, num_classes=10)
    with pytest.raises(FloatingPointError, match="a weight is not finite after step 8 .*00004.pt"):
        train(tmp_path, model=model, every=4, cfg=config(clip=None))
    assert Checkpoints(tmp_path).latest().name == "step-00000004.pt"
