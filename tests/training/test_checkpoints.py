"""Files of checkpoints: whole or not at all, and what is said of those that are not."""

import os
import signal

import pytest
import torch
from resumable import train
from small import weights

from fmcore.training import CheckpointError, Checkpoints


def test_the_last_are_kept(tmp_path):
    train(tmp_path, every=4, keep=2)
    assert [file.name for file in Checkpoints(tmp_path).files()] == [
        "step-00000016.pt",
        "step-00000020.pt",
    ]


def test_the_end_is_saved_whenever_it_comes(tmp_path):
    train(tmp_path, every=7)
    assert [file.name[5:13] for file in Checkpoints(tmp_path).files()] == [
        "00000007",
        "00000014",
        "00000020",
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
