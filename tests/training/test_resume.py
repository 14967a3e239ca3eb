"""A resumed training is the same training, whatever ended the one before."""

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from saved_trainings import STEPS, config, train, unet, weights

from fmcore.networks import UNet
from fmcore.training import Checkpoints
from fmcore.training.state import TrainingState


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
from pathlib import Path
sys.path.insert(0, {tests!r})
from saved_trainings import *

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


def test_reports_may_come_at_other_steps(tmp_path, whole):
    train(tmp_path, stop=9)
    rest, model = train(tmp_path, resume=True, cfg=config(log_every=7))
    assert [m.step for m in rest] == [14, 20]
    assert torch.equal(weights(model), weights(whole[1]))


def test_numbers_of_numpy_are_saved_as_numbers(tmp_path, whole):
    cfg = config(lr=np.float64(1e-3), clip=np.float32(1), batch_size=np.int64(8))
    train(tmp_path, stop=9, cfg=cfg)
    _, model = train(tmp_path, resume=True)
    assert torch.equal(weights(model), weights(whole[1]))
