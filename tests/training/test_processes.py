"""Several processes: two equal one, and one that is killed comes back."""

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from fmcore.data import toy
from fmcore.devices import device_name, processor
from fmcore.losses import LOSSES
from fmcore.networks import MLP
from fmcore.paths import OTPath
from fmcore.training import Checkpoints, Team, TrainConfig, fit
from fmcore.training.inputs import training_data

# What every process of these tests does. Process 1 is killed in the middle of step 9, once.
WORKER = """
import os, signal, sys
sys.path.insert(0, {tests!r})
from test_processes import *
from fmcore.training import Checkpoints
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
    model = MLP(hidden=16, depth=2)
    torch.manual_seed(team().rank)  # the first process decides: DDP sends its weights to the others
    for p in model.parameters():
        torch.nn.init.normal_(p, std=0.3)
    saved = Checkpoints(folder + {run}, every=4, resume=True)
    metrics = list(fit(model, Killed(), points(), config(), loss=LOSSES[{loss!r}], checkpoints=saved))
    torch.save(outcome(metrics), f"{{folder}}/{{team().rank}}.pt")
"""  # noqa: E501


def points():
    return toy("pinwheel", 96, generator=torch.Generator().manual_seed(0))


def config(**kwargs):
    return TrainConfig(
        steps=16, batch_size=24, lr=1e-2, clip=1.0, log_every=2, progress=False, **kwargs
    )


def outcome(metrics):
    weights = torch.cat([p.detach().flatten() for p in metrics[-1].ema.parameters()])
    return {"losses": [(m.step, m.loss) for m in metrics], "weights": weights}


def alone(loss):
    torch.manual_seed(0)
    model = MLP(hidden=16, depth=2)
    torch.manual_seed(0)
    for p in model.parameters():
        torch.nn.init.normal_(p, std=0.3)
    return outcome(list(fit(model, OTPath(), points(), config(), loss=LOSSES[loss])))


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


@pytest.mark.parametrize(("loss", "kill"), [("cfm", True), ("reference", False)])
def test_two_processes_equal_one(loss, kill, tmp_path):
    """The same losses and weights up to rounding; also when a process was killed on the way.

    The robust loss weighs each row by its share of the whole batch, which no process sees alone.
    """
    script = tmp_path / "worker.py"
    tests = str(Path(__file__).parent)
    script.write_text(
        WORKER.format(tests=tests, folder=str(tmp_path), loss=loss, kill=kill, run=repr("/run"))
    )
    result = torchrun("--max-restarts=2", str(script))
    assert result.returncode == 0, result.stderr
    assert (tmp_path / "dead").exists() == kill
    one = alone(loss)
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
    model, folder = MLP(hidden=16, depth=2), tmp_path / "run0"
    path = type("Killed", (OTPath,), {})()  # by this name a checkpoint knows the path of WORKER
    for m in fit(model, path, points(), config(), checkpoints=Checkpoints(folder)):
        if m.step == 8:
            break
    script, tests = tmp_path / "worker.py", str(Path(__file__).parent)
    script.write_text(
        WORKER.format(tests=tests, folder=str(tmp_path), loss="cfm", kill=False,
                      run='f"/run{team().rank}"')
    )  # fmt: skip
    result = torchrun(str(script))
    assert result.returncode != 0
    assert "process 0 would go on from step 8; process 1 would go on from step 0" in result.stderr
    assert [file.name for file in folder.iterdir()] == ["step-00000008.pt"]


def test_fit_joins_by_itself(tmp_path):
    """A script that knows nothing of processes is shared out all the same, and saved once."""
    script = tmp_path / "worker.py"
    script.write_text(f"""
import sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
from test_processes import *
from fmcore.training import team

torch.manual_seed(0)
model = MLP(hidden=16, depth=2)
torch.manual_seed(0)
for p in model.parameters():
    torch.nn.init.normal_(p, std=0.3)
metrics = []
for m in fit(model, OTPath(), points(), config(), checkpoints=Checkpoints("run", every=8)):
    metrics.append(m)
    assert team().size == 2
rank = __import__("os").environ["RANK"]
torch.save(outcome(metrics), f"{{rank}}.pt")
assert team().size == 1
""")
    result = torchrun(str(script), cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    one = alone("cfm")
    for rank in range(2):
        torch.testing.assert_close(
            torch.load(tmp_path / f"{rank}.pt")["weights"], one["weights"], atol=2e-6, rtol=1e-5
        )
    names = sorted(file.name for file in (tmp_path / "run").iterdir())
    assert names == ["step-00000008.pt", "step-00000016.pt"]


def test_the_command_line_in_two_processes(tmp_path):
    small = ["--data", "digits", "--base", "8", "--steps", "3", "--batch-size", "8"]
    result = torchrun(
        "-m", "fmcore", "train", "--out", "w.safetensors", *small, "--no-progress", cwd=tmp_path
    )
    assert result.returncode == 0, result.stderr
    lines = [line for line in result.stdout.splitlines() if line.strip()]
    assert [line.split()[0] for line in lines] == ["1,500", "step", "wrote"]  # one process talks


def test_a_batch_that_cannot_be_shared():
    with pytest.raises(ValueError, match="batch_size=24 cannot be shared evenly by 5 processes"):
        training_data(points(), MLP(), config(), Team(0, 5))


def test_the_rows_of_all_are_the_batch():
    rows = [row for rank in range(3) for row in range(12)[Team(rank, 3).share]]
    assert sorted(rows) == list(range(12))


# ---- what they are called


def test_a_processor_goes_by_its_name_and_its_threads(monkeypatch):
    text = (
        "processor\t: 0\nmodel name\t: Abacus 9000 @ 1 Hz\nprocessor\t: 1\nmodel name\t: another\n"
    )
    monkeypatch.setattr(Path, "read_text", lambda file: text)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 3)
    assert device_name("cpu") == "Abacus 9000 @ 1 Hz, 3 threads"


@pytest.mark.parametrize("known", ["arm", ""])
def test_a_processor_without_a_name_goes_by_its_kind(known, monkeypatch):
    monkeypatch.setattr(platform, "processor", lambda: known)
    monkeypatch.setattr(platform, "machine", lambda: "aarch64")
    monkeypatch.setattr(Path, "read_text", lambda file: "processor\t: 0\n")
    assert processor() == (known or "aarch64")

    def nothing(file):
        raise FileNotFoundError

    monkeypatch.setattr(Path, "read_text", nothing)
    assert processor() == (known or "aarch64")


def test_other_devices_have_names_too(monkeypatch):
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: f"the GPU of {device}")
    assert device_name("cuda:1") == "the GPU of cuda:1" and device_name("mps") == "mps"
