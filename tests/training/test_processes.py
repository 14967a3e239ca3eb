"""Several processes: two equal one, and one that is killed comes back."""

import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
import torch
from small import config, points, weights

from fmcore.flowmaps import flow_map_loss
from fmcore.losses import LOSSES, cfm_loss, sorted_pairs
from fmcore.networks import MLP, TwoTimes
from fmcore.paths import OTPath
from fmcore.training import Checkpoints, Team, fit
from fmcore.training.feed import feed_of
from fmcore.training.state import TrainingState

HELPERS = [str(folder) for folder in Path(__file__).parents[:2]]  # of this file and of `small`
CONFIG = config(steps=16, batch_size=24, lr=1e-2, clip=1.0)
DATA = points("pinwheel", 96)
HOW = {**LOSSES, "mean flow": partial(flow_map_loss, rule="mean_flow", times=sorted_pairs)}

# What every process of these tests does. Process 1 is killed in the middle of step 9, once.
WORKER = """
import os, signal, sys
sys.path[:0] = {helpers!r}
from test_processes import *
from fmcore.training import joined, team

folder = {folder!r}

class Killed(OTPath):
    steps = 0

    def sample(self, x0, x1, t):
        type(self).steps += 1
        if {kill!r} and self.steps == 9 and team().rank == 1 and not os.path.exists(folder + "/dead"):
            open(folder + "/dead", "w").close()
            os.kill(os.getpid(), signal.SIGKILL)
        return super().sample(x0, x1, t)

with joined("cpu") as device:
    # The first process decides: DDP sends its weights to the others.
    model = {start}(team().rank)
    saved = Checkpoints(folder + {run}, every=4, resume=True)
    metrics = list(
        fit(model, Killed(), DATA, CONFIG, loss=HOW[{loss!r}], couple={couple}, checkpoints=saved)
    )
    torch.save(outcome(metrics), f"{{folder}}/{{team().rank}}.pt")
"""  # noqa: E501


def worker(folder, loss="cfm", couple="None", kill=False, run='"/run"', start="start"):
    """A file with that program; `couple` and `run` are expressions in it."""
    file = folder / "worker.py"
    file.write_text(
        WORKER.format(
            helpers=HELPERS,
            folder=str(folder),
            loss=loss,
            couple=couple,
            kill=kill,
            run=run,
            start=start,
        )
    )
    return str(file)


def start(seed=0):
    model = MLP(hidden=16, depth=2)
    torch.manual_seed(seed)
    for p in model.parameters():
        torch.nn.init.normal_(p, std=0.3)
    return model


def start_jumps(seed=0):
    return TwoTimes.from_one(start(seed))


def outcome(metrics):
    return {"losses": [(m.step, m.loss) for m in metrics], "weights": weights(metrics[-1].ema)}


def alone(loss="cfm", couple=None, start=start):
    return outcome(list(fit(start(), OTPath(), DATA, CONFIG, loss=HOW[loss], couple=couple)))


def shuffled(x0, x1, label=None, *, generator):
    """A coupling that looks at the whole batch: no process could do it with its own rows."""
    order = torch.randperm(len(x0), generator=generator)
    return x0[order] - x0.mean(0), x1, label


def torchrun(*args, cwd=None, processes=2):
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    return subprocess.run(
        [*command, f"--nproc-per-node={processes}", *args],
        capture_output=True,
        text=True,
        cwd=cwd,
        timeout=240,
        env={**os.environ, "OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo"},
    )


@pytest.mark.parametrize(
    ("loss", "couple", "kill", "start"),
    [
        ("cfm", None, True, start),
        ("reference", shuffled, False, start),
        ("mean flow", None, False, start_jumps),
    ],
)
def test_two_processes_equal_one(loss, couple, kill, start, tmp_path):
    """The same losses and weights up to rounding; also when a process was killed on the way.

    The robust loss weighs each row by its share of the whole batch, which no process sees alone,
    and a coupling pairs the rows of the whole batch. The target of a flow map is a derivative that
    passes the averaging of gradients by, while its prediction must not.
    """
    name = couple.__name__ if couple else "None"
    result = torchrun("--max-restarts=2", worker(tmp_path, loss, name, kill, start=start.__name__))
    assert result.returncode == 0, result.stderr
    assert (tmp_path / "dead").exists() == kill
    one = alone(loss, couple, start)
    for rank in range(2):
        two = torch.load(tmp_path / f"{rank}.pt")
        assert two["losses"][-1][0] == 16
        expected = one["losses"][-len(two["losses"]) :]  # after a restart, from step 8 on
        assert len(two["losses"]) == (4 if kill else 8)
        for (step, loss_of_two), (same, loss_of_one) in zip(two["losses"], expected, strict=True):
            assert step == same and loss_of_two == pytest.approx(loss_of_one, rel=1e-5)
        torch.testing.assert_close(two["weights"], one["weights"], atol=2e-6, rtol=1e-5)


def test_processes_that_would_go_on_from_different_steps(tmp_path):
    """As on two machines that do not share a disk."""
    folder = tmp_path / "run0"
    path = type("Killed", (OTPath,), {})()  # by this name a checkpoint knows the path of WORKER
    for m in fit(start(), path, DATA, CONFIG, checkpoints=Checkpoints(folder)):
        if m.step == 8:
            break
    result = torchrun(worker(tmp_path, run='f"/run{team().rank}"'))
    assert result.returncode != 0
    assert "process 0 would go on from step 8; process 1 would go on from step 0" in result.stderr
    assert [file.name for file in folder.iterdir()] == ["step-00000008.pt"]


def test_fit_joins_by_itself(tmp_path):
    """A script that knows nothing of processes is shared out all the same, and saved once."""
    script = tmp_path / "worker.py"
    script.write_text(f"""
import sys
sys.path[:0] = {HELPERS!r}
from test_processes import *
from fmcore.training import team

metrics = []
for m in fit(start(), OTPath(), DATA, CONFIG, checkpoints=Checkpoints("run", every=8)):
    metrics.append(m)
    assert team().size == 2
rank = __import__("os").environ["RANK"]
torch.save(outcome(metrics), f"{{rank}}.pt")
assert team().size == 1
""")
    result = torchrun(str(script), cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    one = alone()
    for rank in range(2):
        torch.testing.assert_close(
            torch.load(tmp_path / f"{rank}.pt")["weights"], one["weights"], atol=2e-6, rtol=1e-5
        )
    names = sorted(file.name for file in (tmp_path / "run").iterdir())
    assert names == ["step-00000008.pt", "step-00000016.pt"]


def test_the_command_line_in_two_processes(tmp_path):
    small = ["--root", "embedded", "--base", "8", "--steps", "3", "--batch-size", "8"]
    result = torchrun(
        "-m", "fmcore", "train", "--out", "w.safetensors", *small, "--no-progress", cwd=tmp_path
    )
    assert result.returncode == 0, result.stderr
    lines = [line for line in result.stdout.splitlines() if line.strip()]
    assert [line.split()[0] for line in lines] == ["5,000", "step", "wrote"]  # one process talks


def test_a_batch_that_cannot_be_shared():
    how = dict(team=Team(0, 5), loss=cfm_loss, couple=None, checkpoints=None)
    feed = feed_of(DATA, CONFIG)
    with pytest.raises(ValueError, match="batch_size=24 cannot be shared evenly by 5 processes"):
        TrainingState(MLP(), OTPath(), feed, CONFIG, torch.device("cpu"), **how)


def test_the_rows_of_all_are_the_batch():
    rows = [row for rank in range(3) for row in range(12)[Team(rank, 3).share]]
    assert sorted(rows) == list(range(12))
