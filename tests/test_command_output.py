"""What the commands write to the standard output, and how soon they say what they can do."""

import io
import json
import subprocess
import sys

import numpy as np
import pytest
import torch
from PIL import Image

from fmcore.cli import main
from fmcore.cli.options import names
from fmcore.couplings import COUPLINGS
from fmcore.images import image_grid
from fmcore.losses import LOSSES, TIMES
from fmcore.networks import MLP, UNet
from fmcore.paths import PATHS, OTPath
from fmcore.sampling import generate
from fmcore.solvers import SOLVERS
from fmcore.training import RECIPES
from fmcore.weights import FlowModel, load_pretrained, save_weights

FEW = ["--n", "2", "--steps", "1"]


@pytest.fixture(scope="module")
def points(tmp_path_factory):
    """A weight file of a network for points of the plane."""
    file = tmp_path_factory.mktemp("weights") / "points.safetensors"
    torch.manual_seed(0)
    save_weights(FlowModel(MLP(hidden=8), OTPath(), (2,)), file)
    return str(file)


def refused(arguments, capsys):
    """What was said: one line, with exit status 2."""
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    said = capsys.readouterr()
    assert stop.value.code == 2 and not said.out
    assert said.err.startswith("fmcore: ") and len(said.err.splitlines()) == 1
    return said.err


# ---- before torch


@pytest.mark.parametrize(
    "arguments",
    [["--help"], ["--version"], ["train", "--help"], ["sample", "--help"], ["export", "-h"]],
)
def test_help_comes_without_torch(arguments):
    program = f"""
import sys
from fmcore.cli import main
try:
    main({arguments!r})
except SystemExit as stop:
    assert not stop.code
assert "torch" not in sys.modules and "numpy" not in sys.modules
"""
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    if "--version" not in arguments:
        assert "usage: fmcore" in ran.stdout and "None}" not in ran.stdout
    if arguments == ["--help"]:
        for hint in ("--version", "--tyro-print-completion bash"):
            assert hint in ran.stdout
    if "sample" in arguments:
        assert "{euler,midpoint,heun," in ran.stdout and "|all" in ran.stdout
    if "train" in arguments:
        assert "{reference,mnist,laptop,shipped}" in ran.stdout


@pytest.mark.parametrize(
    ("module", "name", "table"),
    [
        ("fmcore.solvers.tableaus", "SOLVERS", SOLVERS),
        ("fmcore.training.recipes", "RECIPES", RECIPES),
        ("fmcore.losses", "LOSSES", LOSSES),
        ("fmcore.losses", "TIMES", TIMES),
        ("fmcore.paths.schedules", "PATHS", PATHS),
        ("fmcore.couplings", "COUPLINGS", COUPLINGS),
    ],
)
def test_the_names_of_a_table_are_read_from_its_source(module, name, table, monkeypatch):
    """And from the table itself where it is loaded, with what was added to it."""
    assert names(module, name) == tuple(table)
    monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.delitem(sys.modules, module)
    assert names(module, name) == tuple(table)
    with pytest.raises(LookupError, match="no table NOTHING in"):
        names(module, "NOTHING")


def test_a_solver_of_ones_own_is_an_option(monkeypatch):
    added = {**SOLVERS.rows, "mine": SOLVERS["heun"]}
    monkeypatch.setattr(SOLVERS, "rows", added)
    assert names("fmcore.solvers.tableaus", "SOLVERS")[-1] == "mine"


# ---- results as JSON


def test_sample_says_as_json_what_it_drew(tmp_path, capsys):
    out = tmp_path / "x.png"
    main(["sample", "--out", str(out), *FEW, "--label", "3", "--seed", "5", "--json"])
    said = capsys.readouterr()
    found = json.loads(said.out)
    assert (found["out"], found["n"], found["label"], found["seed"]) == (str(out), 2, "3", 5)
    assert (found["method"], found["steps"], found["nfe"]) == ("midpoint", 1, 2)
    assert found["rtol"] is found["atol"] is found["last_step"] is None
    assert "wrote" in said.err and out.exists()  # words go there


def test_train_says_as_json_what_came_of_it(tmp_path, capsys):
    out = tmp_path / "w.safetensors"
    few = ["--root", "embedded", "--base", "8", "--batch-size", "8", "--steps", "2"]
    main(["train", "--out", str(out), *few, "--json", "--no-progress", "--log-every", "1"])
    said = capsys.readouterr()
    found = json.loads(said.out)
    assert (found["out"], found["step"], found["data"]) == (str(out), 2, "mnist")
    assert found["loss"] > 0 and found["recipe"]["lr"] == 2e-4 and "step 2/2" in said.err


@pytest.mark.parametrize("way", [["--json"], ["--out", "-"], ["--json", "--quiet"]])
def test_evaluate_says_its_scores_as_json(way, capsys, monkeypatch):
    monkeypatch.setattr(
        "fmcore.cli.draw.draw", lambda o, model, n, *rest: (torch.zeros(n, 1, 28, 28), 4, 0.1)
    )
    main(["evaluate", "--root", "embedded", "--n", "200", *way])
    said = capsys.readouterr()
    found = json.loads(said.out)
    assert found["n"] == 200 and found["readable"] == 0 and found["nfe"] == 4
    assert ("Fréchet distance" in said.err) == ("--quiet" not in way)


def test_quiet_says_nothing(tmp_path, capsys):
    main(["sample", "--out", str(tmp_path / "x.png"), *FEW, "--quiet"])
    few = ["--root", "embedded", "--base", "8", "--batch-size", "8", "--steps", "2"]
    main(["train", "--out", str(tmp_path / "w"), *few, "--quiet"])
    said = capsys.readouterr()
    assert not said.out and not said.err and len(list(tmp_path.iterdir())) == 2


# ---- pictures and arrays


@pytest.mark.parametrize(("out", "kind"), [("-", "PNG"), ("-.jpg", "JPEG")])
def test_a_picture_on_the_standard_output(out, kind, tmp_path, monkeypatch, capfdbinary):
    monkeypatch.chdir(tmp_path)
    main(["sample", "--out", out, *FEW])
    said = capfdbinary.readouterr()
    picture = Image.open(io.BytesIO(said.out))
    assert picture.format == kind and picture.size == (2 * 28 + 2, 28)
    assert b"wrote" in said.err and not list(tmp_path.iterdir())


@pytest.mark.parametrize("way", ["x.npy", "x.pt", "-.npy", "-.pt"])
def test_an_array_holds_what_the_picture_shows(way, tmp_path, monkeypatch, capfdbinary):
    monkeypatch.chdir(tmp_path)
    main(["sample", "--out", "x.png", *FEW, "--label", "3", "--quiet"])
    main(["sample", "--out", way, *FEW, "--label", "3"])
    raw = capfdbinary.readouterr().out if way[0] == "-" else (tmp_path / way).read_bytes()
    if way.endswith(".npy"):
        images = torch.from_numpy(np.load(io.BytesIO(raw)))
    else:
        images = torch.load(io.BytesIO(raw), weights_only=True)
    assert images.shape == (2, 1, 28, 28) and images.dtype == torch.float32
    shown = np.asarray(Image.open(tmp_path / "x.png"))
    assert (image_grid(images).squeeze(-1).numpy() == shown).all()


def test_points_are_an_array(points, tmp_path):
    out = tmp_path / "x.npy"
    main(["sample", "--weights", points, "--out", str(out), "--n", "5", "--steps", "2"])
    assert np.load(out).shape == (5, 2)


# ---- classes and tolerances


def test_all_labels_in_turn_a_column_each(tmp_path, capsys):
    """The same noise with the same labels, given to `generate`, is the same array."""
    out = tmp_path / "x.npy"
    main(["sample", "--out", str(out), "--n", "12", "--steps", "1", "--label", "all"])
    g, label = torch.Generator().manual_seed(0), torch.tensor([*range(10), 0, 1])
    mine = generate(load_pretrained("mnist"), 12, label=label, steps=1, generator=g)
    assert torch.from_numpy(np.load(out)).equal(mine)
    main(
        ["sample", "--out", str(tmp_path / "x.png"), "--n", "12", "--steps", "1", "--label", "all"]
    )
    assert Image.open(tmp_path / "x.png").size == (10 * 30 - 2, 2 * 30 - 2)


def test_tolerances_take_the_place_of_steps(tmp_path, capsys):
    out, how = tmp_path / "x.npy", ["--n", "2", "--method", "bosh3", "--json"]
    main(["sample", "--out", str(out), *how, "--rtol", "0.1", "--atol", "0.1"])
    found = json.loads(capsys.readouterr().out)
    assert found["steps"] is None and (found["rtol"], found["atol"]) == (0.1, 0.1)
    g = torch.Generator().manual_seed(0)
    model = load_pretrained("mnist")
    mine = generate(model, 2, method="bosh3", rtol=0.1, atol=0.1, generator=g)
    assert torch.from_numpy(np.load(out)).equal(mine)


# ---- mistakes


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--method", "dopri5", "--rtol", "0.1", "--steps", "3"], "got steps and rtol"),
        (["--method", "dopri5", "--rtol", "-1", "--atol", "1"], "rtol"),
        (["--rtol", "0.1", "--atol", "0.1"], "midpoint"),
        (["--method", "dopri5", "--rtol", "1", "--atol", "1", "--last-step", "euler"], "last_step"),
        (["--label", "three"], "label must be a whole number or all, got 'three'"),
        (["--label", "10"], "label must lie in [0, 9], got 10"),
        (["--label", "all", "--n", "9"], "n of at least 10, one a class, got 9"),
        (["--out", "x.npy", "--columns", "2"], "--columns is for a picture; .npy is an array"),
        (["--out", "-", "--json"], "--json and --out - would both write to the standard output"),
        (["--out", "-.nonsense"], "'.nonsense' is not a picture format"),
        (["--out", "no/x.npy"], "there is no folder no"),
    ],
)
def test_mistakes_are_said_early_and_in_one_line(options, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("fmcore.cli.draw.draw", lambda *a: pytest.fail("began the work"))
    out = [] if "--out" in options else ["--out", "x.png"]
    assert message in refused(["sample", *out, *options], capsys)
    assert not list(tmp_path.iterdir())


def test_networks_that_cannot(points, tmp_path, capsys):
    known = ["sample", "--weights", points, "--out", str(tmp_path / "x.npy")]
    assert "this one knows none" in refused([*known, "--label", "all"], capsys)
    plain = str(tmp_path / "w.safetensors")
    save_weights(FlowModel(UNet(base=8), OTPath(), (1, 8, 8)), plain)
    assert "this one knows none" in refused(
        ["sample", "--weights", plain, "--out", str(tmp_path / "x.png"), "--label", "all"], capsys
    )
    picture = ["sample", "--weights", points, "--out", str(tmp_path / "x.png")]
    assert "a picture has 1 channel" in refused(picture, capsys)


def test_weights_do_not_go_to_the_standard_output(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    said = refused(["train", "--out", "-", "--steps", "1", "--root", "embedded"], capsys)
    assert "weights go to a file" in said
    assert "a network goes to a file" in refused(["export", "--out", "-.onnx"], capsys)
    assert not list(tmp_path.iterdir())


def test_bytes_are_not_written_to_a_terminal(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("fmcore.cli.draw.os.isatty", lambda descriptor: True)
    assert "--out - writes bytes" in refused(["sample", "--out", "-"], capsys)
