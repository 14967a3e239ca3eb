"""The command line, from training to a picture, and its one-line errors."""

import json
import math
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import fmcore
from fmcore.cli import main
from fmcore.flowmaps import RULES, jump
from fmcore.losses import describe
from fmcore.networks import TwoTimes, UNet
from fmcore.paths import OTPath
from fmcore.training import RECIPES, fit
from fmcore.weights import FlowModel, load_pretrained, load_weights, save_weights

TINY = ["--root", "embedded", "--base", "8", "--batch-size", "8", "--no-progress"]
SMALL = [*TINY, "--steps", "3"]


def test_train_then_sample(tmp_path, capsys):
    weights, picture = tmp_path / "w.safetensors", tmp_path / "digits.png"
    main(["train", "--out", str(weights), *SMALL, "--classes", "--log-every", "1"])
    output = capsys.readouterr().out
    assert (
        "5,000 images of mnist, the part that comes with the library" in output
        and "step 3/3" in output
    )
    about = load_weights(weights).config["about"]
    assert (about["data"], about["images"], about["recipe"]["steps"]) == ("mnist", 5000, 3)
    sample = ["sample", "--out", str(picture), "--weights", str(weights), "--n", "6"]
    main([*sample, "--method", "euler", "--steps", "2", "--label", "3"])
    assert Image.open(picture).size == (3 * 28 + 2 * 2, 2 * 28 + 2)


def test_training_is_repeatable(tmp_path):
    files = [tmp_path / "a.safetensors", tmp_path / "b.safetensors"]
    for file in files:
        main(["train", "--out", str(file), *SMALL])
    a, b = (load_weights(file).state_dict() for file in files)
    assert all(a[name].equal(b[name]) for name in a)


def test_a_recipe_sets_everything_and_options_override_it(tmp_path, capsys):
    file = tmp_path / "w.safetensors"
    few = [*TINY, "--steps", "2"]
    main(["train", "--out", str(file), "--recipe", "reference", *few])
    config = load_weights(file).config
    assert config["path"] == {"name": "OTPath", "sigma_min": 0.1}
    assert config["network"]["base"] == 8 and config["network"]["time_scale"] == 2 * math.pi
    recipe = config["about"]["recipe"]
    assert (recipe["loss"], recipe["ema"], recipe["lr"]) == ("reference", 0.999, 2e-4)
    assert (recipe["epochs"], recipe["steps"], recipe["batch_size"]) == (None, 2, 8)


@pytest.mark.parametrize(
    ("recipe", "given", "epochs", "steps"),
    [
        ("laptop", ["--epochs", "1"], 1, None),
        ("laptop", ["--steps", "2"], None, 2),
        ("shipped", ["--epochs", "1"], 1, None),
        ("shipped", ["--steps", "2"], None, 2),
    ],
)
def test_epochs_and_steps_replace_what_the_recipe_says(recipe, given, epochs, steps, tmp_path):
    file = tmp_path / "w.safetensors"
    few = ["--base", "8", "--batch-size", "2500", "--no-compile", "--root", "embedded", *given]
    main(["train", "--out", str(file), "--recipe", recipe, *few])
    about = load_weights(file).config["about"]
    assert (about["recipe"]["epochs"], about["recipe"]["steps"]) == (epochs, steps)


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_recipe_says_how_long_it_trains(recipe, capsys):
    with pytest.raises(SystemExit) as stop:
        main(["train", "--recipe", recipe, "--help"])
    told = " ".join(re.sub(r"[│╭╮╰╯─]", " ", capsys.readouterr().out).split())
    assert stop.value.code == 0
    train = RECIPES[recipe].train
    assert f"give this or steps. (default: {train.epochs})" in told
    assert f"give this or epochs. (default: {train.steps})" in told


def test_epochs_and_steps_together_are_refused(tmp_path, capsys):
    out = ["train", "--out", str(tmp_path / "w.safetensors"), "--root", "embedded"]
    with pytest.raises(SystemExit) as stop:
        main([*out, "--recipe", "laptop", "--epochs", "1", "--steps", "2"])
    assert stop.value.code == 2 and "exactly one of epochs and steps" in capsys.readouterr().err


def test_the_recipe_of_the_shipped_network_makes_one_like_it(tmp_path):
    file = tmp_path / "w.safetensors"
    few = [*TINY, "--steps", "2"]
    main(["train", "--out", str(file), "--recipe", "shipped", *few])
    like, made = load_pretrained("mnist").config, load_weights(file).config
    assert made["network"] == like["network"] | {"base": 8} and made["path"] == like["path"]
    for name in ("lr", "schedule", "warmup", "clip", "times", "label_dropout", "ema", "loss"):
        assert made["about"]["recipe"][name] == like["about"]["recipe"][name]


@pytest.mark.parametrize("levels", [2, 3])
def test_starting_from_weights_and_learning_more_on_the_way(levels, tmp_path):
    """With a learning rate of 0 and no decay the network stays the one it started from."""
    first, second = tmp_path / "a.safetensors", tmp_path / "b.safetensors"
    main(["train", "--out", str(first), *SMALL])
    stay = ["--start", str(first), "--lr", "0", "--weight-decay", "0", "--seed", "1"]
    more = ["--classes", "--levels", str(levels)]
    main(["train", "--out", str(second), *SMALL, *stay, *more])
    a, b = load_weights(first), load_weights(second)
    before = a.config["about"]
    assert b.config["about"]["start"] == {"weights": str(first)} | before and "start" not in before
    x = torch.randn(3, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    for label in (None, torch.tensor([0, 5, 9])):
        torch.testing.assert_close(b(x, 0.4, label), a(x, 0.4))
    new = [p for name, p in b.net.named_parameters() if "below" in name and ".up." not in name]
    assert len(new) == (levels > 2) * 22 and all(p.abs().sum() > 0 for p in new if p.ndim > 1)


def test_starting_from_weights_of_a_network_without_the_silu(tmp_path, capsys):
    first, second = tmp_path / "a.safetensors", tmp_path / "b.safetensors"
    save_weights(FlowModel(UNet(base=8, film_silu=False), OTPath(), (1, 28, 28)), first)
    stay = ["--start", str(first), "--lr", "0", "--weight-decay", "0"]
    with pytest.raises(SystemExit):
        main(["train", "--out", str(second), *SMALL, *stay])
    assert "film_silu is False, not True" in capsys.readouterr().err
    main(["train", "--out", str(second), *SMALL, *stay, "--no-film-silu"])
    a, b = load_weights(first), load_weights(second)
    x = torch.randn(3, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(b(x, 0.4), a(x, 0.4))


def test_starting_from_weights_that_do_not_fit(tmp_path, capsys):
    file, other = tmp_path / "a.safetensors", tmp_path / "b.safetensors"
    main(["train", "--out", str(file), *SMALL, "--classes", "--levels", "3"])
    different = ["--sigma-min", "0.1", "--time-scale", "7"]
    with pytest.raises(SystemExit):
        main(["train", "--out", str(other), *SMALL, "--start", str(file), *different])
    told = capsys.readouterr().err
    assert (
        "num_classes is 10, not None" in told
        and "levels is 3, not 2" in told
        and "time_scale is 1000.0, not 7.0" in told
    )
    assert "its path is OTPath(sigma_min=0.0), not OTPath(sigma_min=0.1)" in told
    assert not other.exists()


def test_stopped_and_resumed_on_the_command_line(tmp_path, capsys):
    """The last step is done by a second command, which differs only in --resume."""
    files = [tmp_path / "a.safetensors", tmp_path / "b.safetensors"]
    main(["train", "--out", str(files[0]), *SMALL])
    saved = ["--checkpoints", str(tmp_path / "run"), "--every", "1"]
    main(["train", "--out", str(files[1]), *SMALL, *saved])
    (tmp_path / "run" / "step-00000003.pt").unlink()
    capsys.readouterr()
    main(["train", "--out", str(files[1]), *SMALL, *saved, "--resume", "--log-every", "1"])
    told = capsys.readouterr().out.splitlines()
    assert len(told) == 3 and told[1].startswith("step 3/3") and told[2].startswith("wrote")
    a, b = (load_weights(file).state_dict() for file in files)
    assert all(a[name].equal(b[name]) for name in a)


def test_shipped_digits_from_another_folder(tmp_path):
    """`fmcore sample --method heun --steps 10 --out digits.png`, right after installation."""
    command = [sys.executable, "-m", "fmcore", "sample", "--method", "heun", "--steps", "10"]
    result = subprocess.run(
        [*command, "--out", "digits.png", "--n", "4"], cwd=tmp_path, capture_output=True, text=True
    )
    assert result.returncode == 0, result.stderr
    pixels = np.asarray(Image.open(tmp_path / "digits.png"))
    assert pixels.max() > 200 and 0.5 < (pixels < 30).mean() < 0.95  # strokes on black


def test_evaluate_judges_and_writes(tmp_path, capsys):
    """Beside the embedded part of MNIST, a network that has learnt nothing."""
    weights, out = tmp_path / "w.safetensors", tmp_path / "scores.json"
    main(["train", "--out", str(weights), *SMALL, "--classes"])
    capsys.readouterr()
    judge = ["evaluate", "--weights", str(weights), "--out", str(out), "--n", "200"]
    judge += ["--root", "embedded"]
    main([*judge, "--method", "dopri5", "--steps", "2"])
    told, found = capsys.readouterr().out, json.loads(out.read_text())
    assert found["nfe"] == 12 and "200 samples, dopri5, 12 evaluations each" in told
    assert "compared with 1,000 images of mnist, the part that comes with the library" in told
    assert found["method"] == "dopri5" and found["last_step"] is None
    assert found["frechet"] > found["frechet_floor"] and found["n"] == 200
    assert found["accuracy"] is not None and sum(found["classes"]) == pytest.approx(1)
    main([*judge, "--method", "dopri5", "--steps", "2", "--last-step", "midpoint"])
    spared = json.loads(out.read_text())
    assert spared["nfe"] == 8 and spared["last_step"] == "midpoint"
    main([*judge, "--steps", "2", "--guidance", "3"])  # of midpoint, unless told otherwise
    pushed = json.loads(out.read_text())
    assert pushed["nfe"] == 8 and pushed["guidance"] == 3  # two evaluations for one
    for row in ("Fréchet distance", "precision", "readable", "read as what was asked for"):
        assert row in told


def test_evaluate_takes_as_many_samples_as_there_are_test_images(tmp_path, capsys, monkeypatch):
    drawn = []

    def draw(o, model, n, label, generator):
        drawn.append(n)
        return torch.zeros(n, 1, 28, 28), 1, 0.1

    monkeypatch.setattr("fmcore.cli.draw.draw", draw)
    main(["evaluate", "--root", "embedded"])
    assert drawn == [1000] and "1,000 samples" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        main(["evaluate", "--root", "embedded", "--n", "5001"])
    assert "n must be at most 5,000, the training images, got 5001" in capsys.readouterr().err
    assert drawn == [1000]


def test_five_midpoint_steps_unless_told_otherwise(tmp_path):
    """The same picture as with both said, and another with ten steps of Heun."""
    pictures = []
    for how in ([], ["--method", "midpoint", "--steps", "5"], ["--method", "heun"]):
        out = tmp_path / f"{len(pictures)}.png"
        main(["sample", "--out", str(out), "--n", "2", *how])
        pictures.append(out.read_bytes())
    assert pictures[0] == pictures[1] != pictures[2]


def test_the_version(capsys):
    main(["--version"])
    assert capsys.readouterr().out == f"fmcore {fmcore.__version__}\n"


@pytest.mark.parametrize("letters", [83, 84, 90])
def test_a_name_that_is_too_long_is_refused_before_the_work(letters, tmp_path, monkeypatch, capsys):
    """A file is first written as name.partial; 83 Chinese characters are 249 bytes."""
    monkeypatch.setattr(
        "fmcore.cli.draw.load_images", lambda *a, **k: pytest.fail("began the work")
    )
    out = tmp_path / ("风" * letters)
    for command in (["train", *SMALL], ["evaluate"]):
        with pytest.raises(SystemExit) as stop:
            main([*command, "--out", str(out)])
        assert stop.value.code == 2 and "File name too long" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["sample", "--weights", str(out), "--out", str(tmp_path / "x.png")])
    assert "Traceback" not in capsys.readouterr().err and not list(tmp_path.iterdir())


def test_a_folder_of_checkpoints_that_cannot_be_is_refused(tmp_path, capsys):
    long = str(tmp_path / ("风" * 90))
    with pytest.raises(SystemExit) as stop:
        main(
            [
                "train",
                "--out",
                str(tmp_path / "w"),
                *SMALL,
                "--checkpoints",
                long,
            ]
        )
    assert stop.value.code == 2
    assert "File name too long" in capsys.readouterr().err


def test_a_model_of_five_channels_is_no_picture(tmp_path, capsys):
    torch.manual_seed(0)
    model = FlowModel(UNet(base=8, in_channels=5), OTPath(), (5, 8, 8))
    save_weights(model, tmp_path / "w.safetensors")
    with pytest.raises(SystemExit):
        main(
            [
                "sample",
                "--weights",
                str(tmp_path / "w.safetensors"),
                "--out",
                str(tmp_path / "x.png"),
            ]
        )
    assert "1 channel (grey), 3 (RGB) or 4 (RGBA), got 5" in capsys.readouterr().err


def test_memory_that_is_not_there_ends_in_one_line(tmp_path, monkeypatch, capsys):
    def full(*arguments, **options):
        raise torch.OutOfMemoryError("out of memory: tried to allocate 80 GiB")

    monkeypatch.setattr("fmcore.cli.draw.generate", full)
    with pytest.raises(SystemExit) as stop:
        main(["sample", "--out", str(tmp_path / "x.png")])
    assert stop.value.code == 2 and "tried to allocate" in capsys.readouterr().err


def test_every_digit_can_be_asked_for(tmp_path):
    """Also the 0, which is a label like any other."""
    pictures = []
    for label in ("0", "9"):
        out = tmp_path / f"{label}.png"
        main(["sample", "--out", str(out), "--n", "2", "--steps", "1", "--label", label])
        pictures.append(out.read_bytes())
    assert pictures[0] != pictures[1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train", "--out", "nowhere/w.safetensors", *SMALL], "there is no folder nowhere"),
        (["train", "--out", "w.safetensors", *SMALL, "--epochs", "1"], "exactly one of epochs and"),
        (["train", "--out", "w.safetensors", *SMALL, "--resume"], "--resume needs --checkpoints"),
        (["train", "--out", "w.safetensors", *SMALL, "--device", "cuda"], "no GPU is available"),
        (["train", "--out", "w.safetensors", *SMALL, "--device", "abacus"], "is no device"),
        (["train", "--out", "w.safetensors", *SMALL, "--precision", "fp16"], "fp16' needs a GPU"),
        (["evaluate", "--out", "nowhere/x.json"], "there is no folder nowhere"),
        (["evaluate", "--weights", "w.pt"], "there is no weight file w.pt"),
        (["sample", "--out", "nowhere/x.png"], "there is no folder nowhere"),
        (["sample", "--out", "x.png", "--weights", "cifar"], "no pretrained model 'cifar'"),
        (["sample", "--out", "x.png", "--weights", "w.pt"], "there is no weight file w.pt"),
        (["sample", "--out", "x.png", "--steps", "0"], "steps"),
        (["sample", "--out", "x.png", "--label", "12"], "lie in [0, 9]"),
        (["sample", "--out", "x.png", "--guidance", "3"], "guidance=3 pushes towards a class, and"),
        (["sample", "--out", "x.png", "--label", "10"], "lie in [0, 9], got 10"),
        (["sample", "--out", "x.png", "--n", "-1", "--label", "3"], "at most 100000, got -1"),
        (["sample", "--out", "x.png", "--columns", "0"], "a whole number of at least 1, got 0"),
        (["sample", "--out", "x.png", "--n", "999999999"], "at most 100000, got 999999999"),
        (["sample", "--out", "x.png", "--seed", str(2**64)], f"at most {2**63 - 1}, got {2**64}"),
        (["sample", "--out", "x.png", "--seed", "-1"], "seed must be a whole number of at least 0"),
        (["evaluate", "--seed", "-1"], "seed must be a whole number of at least 0"),
        (["train", "--out", "w", *SMALL, "--seed", str(2**64)], f"got {2**64}"),
        (["sample", "--out", "x.png", "--guidance", "nan", "--label", "1"], "guidance must be"),
        (["sample", "--out", "x.png", "--device", "mps"], "cannot compute on device='mps'"),
        (["sample", "--out", "x.png", "--device", "meta"], "cannot compute on device='meta'"),
        (["sample", "--out", "x.nonsense", "--n", "1"], "x.nonsense"),
        (["sample", "--out", "x.psd", "--n", "1"], "'.psd' is not a picture format"),
        (["sample", "--out", "x.h5", "--n", "1"], "'.h5' is not a picture format"),
        (["sample", "--out", "x.png", "--weights", "runs/mnist"], "no weight file runs/mnist"),
    ],
)
def test_mistakes_end_in_one_line(arguments, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code == 2
    error = capsys.readouterr().err
    assert error.startswith("fmcore: ") and message in error and "Traceback" not in error
    assert len(error.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("make", [Path.mkdir, Path.touch])
def test_what_is_called_so_here_does_not_hide_the_shipped_network(make, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    make(tmp_path / "mnist")
    main(["sample", "--out", "x.png", "--n", "1", "--steps", "1"])
    assert (tmp_path / "x.png").exists()


def test_a_recipe_that_is_not_there_is_refused_with_those_that_are(tmp_path, capsys):
    with pytest.raises(SystemExit) as stop:
        main(["train", "--out", str(tmp_path / "w.safetensors"), "--recipe", "soup"])
    told = " ".join(capsys.readouterr().err.split())
    assert stop.value.code == 2 and "reference" in told and "mnist" in told and "soup" in told


@pytest.mark.parametrize("wish", [["--label", "3"], ["--guidance", "0"]])
def test_a_network_without_classes_is_not_asked_for_one(wish, tmp_path, capsys):
    weights, out = tmp_path / "w.safetensors", tmp_path / "x.png"
    save_weights(FlowModel(UNet(base=8), OTPath(), (1, 28, 28)), weights)
    with pytest.raises(SystemExit):
        main(["sample", "--weights", str(weights), "--out", str(out), *wish])
    assert "class" in capsys.readouterr().err and not out.exists()


@pytest.mark.parametrize("arguments", [["sample", "--method", "rk5", "--out", "x.png"], ["fly"]])
def test_unknown_words_are_refused_by_the_parser(arguments, capsys):
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code == 2


# ---- which loss, times and path


def trained(tmp_path, *options, recipe=None):
    """The configuration in the weight file of a few steps."""
    file = tmp_path / f"{len(list(tmp_path.iterdir()))}.safetensors"
    named = ["--recipe", recipe] if recipe else []
    main(["train", "--out", str(file), *named, *SMALL, *options])
    return load_weights(file).config


@pytest.mark.parametrize(
    ("options", "loss", "times"),
    [
        ([], "cfm", "uniform"),
        (["--loss", "reference"], "reference", "inner"),
        (["--times", "logit_normal"], "cfm", "logit_normal"),
        (["--loss", "reference", "--times", "stratified"], "reference", "stratified"),
    ],
)
def test_loss_and_times_by_name(options, loss, times, tmp_path):
    found = trained(tmp_path, *options)["about"]["recipe"]
    assert (found["loss"], found["times"]) == (loss, times)


def test_the_loss_and_the_times_are_trained_with(tmp_path, monkeypatch):
    seen = []

    def spy(*arguments, loss, **rest):
        seen.append(loss)
        return fit(*arguments, loss=loss, **rest)

    monkeypatch.setattr("fmcore.cli.train.fit", spy)
    for options in ([], ["--loss", "reference"], ["--times", "stratified"]):
        trained(tmp_path, *options)
    trained(tmp_path, "--times", "uniform", recipe="mnist")
    trained(tmp_path, recipe="mnist")
    assert [describe(loss) for loss in seen] == [
        "cfm_loss",
        "reference_loss",
        "cfm_loss(times=stratified_times)",
        "cfm_loss(times=uniform_times)",
        "cfm_loss(times=stratified_times)",
    ]


@pytest.mark.parametrize(
    ("recipe", "options", "loss", "times"),
    [
        ("reference", ["--times", "stratified"], "reference", "stratified"),
        ("reference", ["--loss", "cfm"], "cfm", "uniform"),
        ("mnist", ["--times", "uniform"], "cfm", "uniform"),
        ("mnist", ["--loss", "reference"], "reference", "inner"),
    ],
)
def test_an_option_overrides_the_loss_of_a_recipe(recipe, options, loss, times, tmp_path):
    found = trained(tmp_path, *options, recipe=recipe)["about"]["recipe"]
    assert (found["loss"], found["times"]) == (loss, times)


@pytest.mark.parametrize(
    ("options", "recipe", "path"),
    [
        (["--path", "VPPath"], None, {"name": "VPPath", "beta_min": 0.1, "beta_max": 20.0}),
        (["--path", "VPPath"], "reference", {"name": "VPPath", "beta_min": 0.1, "beta_max": 20.0}),
        (["--sigma-min", "0.2"], None, {"name": "OTPath", "sigma_min": 0.2}),
        (["--sigma-min", "0.2"], "reference", {"name": "OTPath", "sigma_min": 0.2}),
        (["--sigma-min", "0"], "reference", {"name": "OTPath", "sigma_min": 0.0}),
        (["--path", "OTPath"], "reference", {"name": "OTPath", "sigma_min": 0.0}),
        (["--path", "OTPath", "--sigma-min", "0.3"], None, {"name": "OTPath", "sigma_min": 0.3}),
    ],
)
def test_the_path_by_name(options, recipe, path, tmp_path):
    assert trained(tmp_path, *options, recipe=recipe)["path"] == path


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--path", "VPPath", "--sigma-min", "0.1"], "--sigma-min is for an OTPath; this one is V"),
        (["--sigma-min", "1"], "sigma_min must lie in [0, 1), got 1.0"),
        (["--lr", "nan"], "lr must be a finite number >= 0, got nan"),
        (["--time-scale", "0"], "time_scale must be a finite number > 0, got 0"),
    ],
)
def test_a_path_or_a_number_that_cannot_be(options, message, tmp_path, capsys):
    with pytest.raises(SystemExit) as stop:
        main(["train", "--out", str(tmp_path / "w.safetensors"), *SMALL, *options])
    told = capsys.readouterr().err
    assert stop.value.code == 2 and message in told.replace("\n", " ")
    assert "Traceback" not in told and not list(tmp_path.iterdir())


@pytest.mark.parametrize("option", ["--loss", "--times", "--path"])
def test_names_that_are_not_there_are_refused_by_the_parser(option, tmp_path, capsys):
    with pytest.raises(SystemExit) as stop:
        main(["train", "--out", str(tmp_path / "w.safetensors"), *SMALL, option, "soup"])
    told = " ".join(capsys.readouterr().err.split())
    assert stop.value.code == 2 and "soup" in told


@pytest.mark.parametrize(
    ("options", "coupling"),
    [
        ([], None),
        (["--couple", "minibatch_ot"], "MinibatchOT(label_weight=0.0)"),
        (
            ["--couple", "minibatch_ot", "--label-weight", "30", "--classes"],
            "MinibatchOT(label_weight=30.0)",
        ),
    ],
)
def test_the_coupling_by_name_and_what_labels_weigh_in_it(options, coupling, tmp_path, monkeypatch):
    seen = []

    def spy(*arguments, couple, **rest):
        seen.append(describe(couple) or None)
        return fit(*arguments, couple=couple, **rest)

    monkeypatch.setattr("fmcore.cli.train.fit", spy)
    assert trained(tmp_path, *options)["about"]["recipe"].get("couple") == coupling
    assert seen == [coupling]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--label-weight", "1"], "--label-weight is for --couple minibatch_ot; got None"),
        (
            ["--couple", "independent", "--label-weight", "1", "--classes"],
            "--label-weight is for --couple minibatch_ot; got independent",
        ),
        (["--couple", "minibatch_ot", "--label-weight", "1"], "--label-weight needs --classes"),
        (
            ["--couple", "minibatch_ot", "--label-weight", "-1", "--classes"],
            "label_weight must be a finite number >= 0, got -1",
        ),
    ],
)
def test_labels_weigh_only_where_there_are_some(options, message, tmp_path, capsys):
    with pytest.raises(SystemExit) as stop:
        main(["train", "--out", str(tmp_path / "w.safetensors"), *SMALL, *options])
    assert stop.value.code == 2 and message in capsys.readouterr().err


@pytest.mark.parametrize("loss", ["noise", "data"])
def test_weights_say_what_they_predict(loss, tmp_path, capsys):
    assert trained(tmp_path, "--loss", loss)["predict"] == loss
    start = ["--start", str(tmp_path / "0.safetensors")]
    assert trained(tmp_path, "--loss", loss, *start)["predict"] == loss
    with pytest.raises(SystemExit):
        trained(tmp_path, *start)
    error = capsys.readouterr().err
    assert f"they predict the {loss}, not the velocity" in error


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_trains_a_network_that_jumps(rule, tmp_path, capsys):
    weights, array = tmp_path / "w.safetensors", tmp_path / "digits.npy"
    main(["train", "--out", str(weights), *SMALL, "--loss", rule])
    model = load_weights(weights)
    assert model.jumps and isinstance(model.net, TwoTimes)
    assert model.config["network"]["time_scale"] == 2 * math.pi
    assert model.config["about"]["recipe"]["loss"] == f"flow_map_loss(rule={rule!r})"
    draw = ["--weights", str(weights), "--json"]
    capsys.readouterr()
    for steps, jumps in (([], 1), (["--steps", "2"], 2)):
        main(["sample", "--out", str(array), "--n", "3", *draw, *steps])
        told = json.loads(capsys.readouterr().out)
        assert (told["method"], told["steps"], told["nfe"]) == ("jump", jumps, jumps)
        x0 = torch.randn(3, 1, 28, 28, generator=torch.Generator().manual_seed(0))
        expected = jump(model.net, x0, jumps).clamp(-1, 1)
        torch.testing.assert_close(torch.from_numpy(np.load(array)), expected)


def test_a_network_that_jumps_starts_from_one_of_one_time(tmp_path, capsys):
    first, second = tmp_path / "a.safetensors", tmp_path / "b.safetensors"
    main(["train", "--out", str(first), *SMALL])
    stay = ["--loss", "mean_flow", "--lr", "0", "--weight-decay", "0", "--seed", "1"]
    main(["train", "--out", str(second), *SMALL, *stay, "--start", str(first)])
    a, b = load_weights(first), load_weights(second)
    x = torch.randn(3, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(b.net(x, 0.25, 1.0), a(x, 0.25))
    with pytest.raises(SystemExit):
        main(["train", "--out", str(second), *SMALL, "--start", str(second)])
    assert "name is TwoTimes, not UNet" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["train", "--loss", "mean_flow", "--times", "uniform", "--steps", "1"], "needs pairs"),
        (["sample", "--method", "euler"], "a flow map jumps"),
        (["evaluate", "--last-step", "euler", "--root", "embedded"], "a flow map jumps"),
        (["sample", "--guidance", "2", "--label", "3"], "guided in training"),
    ],
)
def test_what_a_flow_map_is_not_asked(given, said, tmp_path, capsys):
    file = tmp_path / "w.safetensors"
    net = TwoTimes("UNet", base=8, time_dim=16, groups=4, num_classes=10)
    save_weights(FlowModel(net, OTPath(), (1, 28, 28)), file)
    more = {"train": ["--root", "embedded"], "evaluate": ["--n", "200", "--weights", str(file)]}
    more["sample"] = ["--n", "1", "--weights", str(file)]
    out = ["--out", str(tmp_path / "x.png")]
    with pytest.raises(SystemExit) as stop:
        main([*given, *more[given[0]], *out])
    assert stop.value.code == 2 and said in capsys.readouterr().err
