"""Killed, stopped by Ctrl-C or left open: what was learnt is saved."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from resumable import STEPS, config, train
from small import weights

from fmcore.paths import OTPath
from fmcore.training import Checkpoints
from fmcore.training.interrupts import delayed_interrupt

HELPERS = [str(folder) for folder in Path(__file__).parents[:2]]

KILLED = """
import os, random, signal, sys, time
from pathlib import Path
import torch
from fmcore import Checkpoints, OTPath, fit
sys.path[:0] = {tests!r}
from resumable import config
from small import pictures, unet, weights

folder, cfg = {folder!r}, config(epochs=20, log_every=1)

def run():
    saved = Checkpoints(folder, every=1, resume=True)
    for m in fit(unet(num_classes=10), OTPath(), pictures(40), cfg, checkpoints=saved):
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
    code = KILLED.format(tests=HELPERS, folder=str(tmp_path / "run"), out=str(out))
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

    where = rf"stopped after step 7 of {STEPS}; resume to go on from .*step-00000007.pt"
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

    with pytest.raises(KeyboardInterrupt, match=r"step 6 of 20; resume .*step-00000004.pt"):
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
    with pytest.raises(KeyboardInterrupt), delayed_interrupt() as came:  # noqa: PT012
        signal.raise_signal(signal.SIGINT)
        assert came
        signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) == before


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
