"""The commands: every option arrives, and every end has its exit status."""

import json

import pytest
import torch
from PIL import Image

from fmcore.cli import main
from fmcore.data import load_images
from fmcore.images import to_unit
from fmcore.networks import UNet
from fmcore.paths import OTPath
from fmcore.weights import FlowModel, load_weights, save_weights

TINY = ["--root", "embedded", "--base", "8", "--batch-size", "8", "--no-progress"]


def sampled(tmp_path, *options):
    """The bytes of a picture of the shipped network, after one step."""
    out = tmp_path / f"{len(list(tmp_path.iterdir()))}.png"
    main(["sample", "--out", str(out), "--steps", "1", *options])
    return out.read_bytes()


def refused(arguments, capsys):
    """The exit status, and what was said: one line."""
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    told = capsys.readouterr().err
    assert told.startswith("fmcore: ") and len(told.splitlines()) == 1
    return stop.value.code, told


# ---- options


@pytest.mark.parametrize("label", [[], ["--label", "3"]])
def test_another_seed_is_another_picture(label, tmp_path):
    one, other, same = (
        sampled(tmp_path, "--n", "2", *label, "--seed", seed) for seed in ("1", "2", "1")
    )
    assert one == same != other


def test_the_columns_of_a_picture(tmp_path):
    sampled(tmp_path, "--n", "4", "--columns", "4")
    assert Image.open(tmp_path / "0.png").size == (4 * 28 + 3 * 2, 28)


def test_the_seed_of_a_training_is_that_of_the_initial_weights(tmp_path):
    """With a learning rate of 0 and no decay they are the weights in the end."""
    made = []
    for seed in ("1", "2", "1"):
        file = tmp_path / f"{len(made)}.safetensors"
        stay = ["--steps", "1", "--lr", "0", "--weight-decay", "0"]
        main(["train", "--out", str(file), *TINY, *stay, "--seed", seed])
        made.append(torch.cat([w.flatten() for w in load_weights(file).state_dict().values()]))
    assert made[0].equal(made[2]) and not made[0].equal(made[1])


def test_evaluate_asks_for_every_digit_and_knows_the_training_images(tmp_path, monkeypatch):
    """Samples that are training images are copies, and test images would be none."""
    asked, out = [], tmp_path / "scores.json"

    def copied(o, model, n, label, generator):
        asked.append((label, generator.initial_seed()))
        return to_unit(load_images("mnist", root="embedded").pixels[:n]), 1, 0.1

    monkeypatch.setattr("fmcore.cli.draw.draw", copied)
    main(["evaluate", "--root", "embedded", "--n", "300", "--seed", "7", "--out", str(out)])
    found, ((label, seed),) = json.loads(out.read_text()), asked
    assert found["copies"] == 1 and found["nearest"] < 0.1
    assert seed == found["seed"] == 7 and label.unique().tolist() == [*range(10)]


# ---- ends


def test_only_digits_are_judged(tmp_path, capsys):
    weights = tmp_path / "w.safetensors"
    save_weights(FlowModel(UNet(base=8), OTPath(), (1, 8, 8)), weights)
    code, told = refused(["evaluate", "--root", "embedded", "--weights", str(weights)], capsys)
    assert code == 2 and "only digits of 28x28 are judged, not [1, 8, 8]" in told


def test_data_that_are_not_there(tmp_path, capsys):
    out = str(tmp_path / "w.safetensors")
    code, told = refused(["train", "--out", out, *TINY, "--steps", "1", "--data", "kmnist"], capsys)
    assert code == 2 and "kmnist: only the part that comes with the library" in told


def test_a_damaged_checkpoint_ends_in_one_line_or_is_skipped(tmp_path, capsys):
    saved = ["--checkpoints", str(tmp_path / "run"), "--every", "1", "--steps", "2"]
    again = ["train", "--out", str(tmp_path / "w.safetensors"), *TINY, *saved]
    main(again)
    (tmp_path / "run" / "step-00000002.pt").write_bytes(b"half")
    capsys.readouterr()
    code, told = refused([*again, "--resume"], capsys)
    assert code == 2 and "step-00000002.pt is damaged" in told
    main([*again, "--resume", "--skip-damaged"])
    assert "step 2/2" in capsys.readouterr().out


def test_a_loss_that_is_not_finite_has_a_status_of_its_own(tmp_path, capsys):
    out = tmp_path / "w.safetensors"
    code, told = refused(
        ["train", "--out", str(out), *TINY, "--steps", "9", "--lr", "1e30"], capsys
    )
    assert code == 1 and "the loss is" in told and not out.exists()


def test_ctrl_c_ends_as_the_shell_expects(tmp_path, monkeypatch, capsys):
    def pressed(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr("fmcore.cli.draw.generate", pressed)
    code, told = refused(["sample", "--out", str(tmp_path / "x.png")], capsys)
    assert code == 128 + 2 and told == "fmcore: stopped\n"  # SIGINT is the signal 2
