"""Checkpoint files: whole or not at all, the last are kept, damage is noticed."""

import json
import math
import os
import signal

import pytest
import torch
from saved_trainings import STEPS, config, train, unet, weights

from fmcore.networks import UNet
from fmcore.paths import OTPath
from fmcore.training import CheckpointError, Checkpoints


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
