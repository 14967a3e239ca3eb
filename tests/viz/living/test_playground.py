"""The playground in Python and under Node: its data, its address, its file, its lines of Python."""

import base64
import json
from pathlib import Path

import numpy as np
import pytest
import torch

import fmcore
from fmcore import MLP, GaussianMixture, load_weights
from fmcore.data import toy
from fmcore.metrics import wasserstein2
from fmcore.viz import PlaygroundFigure
from fmcore.viz.living.playground import BATCHES, RATES, WIDTHS

RUNNER = (Path(__file__).parent / "play_runner.mjs").read_text("utf-8")
SHAPES = ("eight_gaussians", "two_moons", "checkerboard", "spiral")
VIEWS = {"field": True, "particles": True, "error": False}


@pytest.fixture(scope="module")
def js(in_node):
    run = in_node("playground.js", RUNNER)
    return lambda what, spec, **job: run({"job": what, "spec": spec, **job})


def state(figure, **changes):
    return {**figure.spec["start_state"], "points": [], "views": VIEWS, **changes}


def read(packed):
    data = np.frombuffer(base64.b64decode(packed["base64"]), packed["type"])
    return torch.from_numpy(data.copy())


@pytest.mark.parametrize("name", SHAPES)
def test_a_shape_is_the_toy_of_the_library(name):
    """As near to draws from it as these are to each other."""
    shown, g = PlaygroundFigure(name), torch.Generator().manual_seed(0)
    mixture = GaussianMixture(shown.points, shown.width)
    toys = [toy(name, 400, generator=g) for _ in range(5)]
    apart = [wasserstein2(toys[0], other) for other in toys[1:]]
    mine = [wasserstein2(toys[0], mixture.sample(400, generator=g)) for _ in range(4)]
    assert np.mean(mine) < 1.25 * np.mean(apart)
    for data in shown.spec["shapes"]:
        assert len(read(data["points"])) <= 2 * 160
    (given,) = (data for data in shown.spec["shapes"] if data["id"] == name)
    assert torch.allclose(read(given["points"]).view(-1, 2).float(), shown.points.float())


def test_the_data_say_what_the_browser_needs():
    points = torch.tensor([[0.0, 1.0], [1.0, 0.0], [-1.0, 0.0]])
    shown = PlaygroundFigure(
        points=points, width=0.3, path="VP", pairing="ot", hidden=32, lr=3e-3, batch_size=128,
        ema=0.0, steps=1000, solver="rk4", solver_steps=4, seed=5, t=0.25, alt="a triangle",
    )  # fmt: skip
    spec = json.loads(json.dumps(shown.spec))
    assert spec["start_state"] == {
        "shape": "own", "path": "VP", "pairing": "ot", "hidden": 32, "lr": 3e-3, "batch": 128,
        "average": 0.0, "solver": "rk4", "steps": 4, "seed": 5, "share": 0.25, "playing": False,
    }  # fmt: skip
    own = spec["shapes"][-1]
    assert own["id"] == "own" and own["width"] == 0.3
    assert read(own["points"]).tolist() == points.flatten().tolist()
    assert spec["training"] == {"steps": 1000} and spec["alt"] == "a triangle"
    assert spec["network"] == MLP(dim=2, hidden=32, depth=3, time_dim=16).config
    assert spec["paths"][1]["path"] == {"kind": "VPPath", "beta_min": 0.1, "beta_max": 20.0}
    assert repr(shown) == "PlaygroundFigure('own', path='VP', pairing='ot', hidden=32)"
    assert PlaygroundFigure().spec["start_state"]["playing"]


def test_the_page_and_the_still(tmp_path):
    shown = PlaygroundFigure("two_moons", caption="a caption", t=0.5)
    shown.save_html(tmp_path / "play.html")
    page = (tmp_path / "play.html").read_text("utf-8")
    assert "a caption" in page and "default-src 'none'" in page and len(page) < 330_000
    assert set(shown._repr_mimebundle_()) == {"text/html", "image/png", "text/plain"}
    for t, titles in ((None, ["0", "0.5", "1"]), (0.5, ["0", "0.25", "0.5"]), (0, ["0"] * 3)):
        still = shown.still(t)
        assert [ax.get_title() for ax in still.axes] == [f"t = {when}" for when in titles]
    last = torch.tensor(shown.still().axes[2].collections[-1].get_offsets().tolist())
    g = torch.Generator().manual_seed(0)
    data = [GaussianMixture(shown.points, shown.width).sample(len(last), generator=g) for _ in "ab"]
    assert wasserstein2(last, data[0]) < 1.5 * wasserstein2(*data)


# ---- the address


@pytest.fixture(scope="module")
def shown():
    return PlaygroundFigure("two_moons", steps=400)


def address(js, shown, **changes):
    own = state(shown)
    return js("write", shown.spec, state=own | changes, own=own)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({}, ""),
        ({"share": 0.3, "playing": False}, ""),  # a moment is nobody's setting
        ({"shape": "spiral"}, "#playground&shape=spiral"),
        (
            {"path": "VP", "pairing": "reflow", "hidden": 128, "lr": 0.03, "batch": 64},
            "#playground&path=VP&pairing=reflow&hidden=128&lr=0.03&batch=64",
        ),
        ({"average": 0, "lr": 1e-4}, "#playground&lr=0.0001&average=0"),
        (
            {"solver": "euler", "steps": 3, "seed": 7, "views": {**VIEWS, "field": False}},
            "#playground&solver=euler&steps=3&seed=7&views=particles",
        ),
        ({"views": dict.fromkeys(VIEWS, False)}, "#playground&views="),
    ],
)
def test_what_is_set_stands_in_the_address_and_is_read_from_it(js, shown, changes, text):
    assert address(js, shown, **changes) == text
    found = js("read", shown.spec, address=f"https://a.org/b.html?c=d{text}")
    kept = {k: v for k, v in changes.items() if k not in ("share", "playing")}
    assert found == {"changes": kept, "damaged": []}


def test_a_drawing_stands_in_the_address_too(js, shown):
    g = torch.Generator().manual_seed(0)
    points = (6.4 * torch.rand(160, 2, generator=g) - 3.2).flatten().tolist()
    text = address(js, shown, shape="drawn", points=points)
    assert text.startswith("#playground&shape=drawn&points=") and len(text) < 700
    found = js("read", shown.spec, address=text)
    assert found["damaged"] == [] and found["changes"]["shape"] == "drawn"
    assert found["changes"]["points"] == pytest.approx(points, abs=6.4 / 1295 / 1.99)
    again = address(js, shown, shape="drawn", points=found["changes"]["points"])
    assert again == text
    edges = [-3.2, 3.2, -9.0, 9.0]
    assert js("points", shown.spec, points=edges, extent=[-3.2, 3.2, -3.2, 3.2]) == pytest.approx(
        [-3.2, 3.2, -3.2, 3.2]
    )


@pytest.mark.parametrize(
    ("text", "damaged", "left"),
    [
        ("#playground&shape=cat", ["shape"], {}),
        ("#playground&hidden=63&lr=0.03", ["hidden"], {"lr": 0.03}),
        ("#playground&lr=-1&batch=1e9&average=2&steps=0&seed=-4",
         ["lr", "batch", "average", "steps", "seed"], {}),
        ("#playground&steps=31&steps=4", ["steps"], {"steps": 4}),
        ("#playground&views=field.ghosts", ["views"], {}),
        ("#playground&shape=drawn", ["points"], {}),
        ("#playground&shape=drawn&points=00zz11", ["points"], {}),
        ("#playground&shape=drawn&points=00zz11zz", ["points"], {}),  # two points
        (f"#playground&shape=drawn&points={'00zz' * 161}", ["points"], {}),
        ("#playground&shape=drawn&points=<b>00<", ["points"], {}),
        ("#playground&__proto__=1&toString=2", ["__proto__", "toString"], {}),
        ("#playground&&=&path", ["", "", "path"], {}),
        ("#playground&path=%E0%A4%A", ["path"], {}),
        ("#playground", [], {}),
        ("#playgrounds&shape=cat", [], {}),
        ("#s-time", [], {}),
        ("", [], {}),
    ],
)  # fmt: skip
def test_what_nobody_wrote_is_named_and_left_out(js, shown, text, damaged, left):
    found = js("read", shown.spec, address=f"file:///a.html{text}")
    assert found == {"changes": left, "damaged": damaged}


def test_reports_of_a_training_that_is_over_are_dropped(js, shown):
    assert js("runs", shown.spec, state=state(shown), runs=[1, 2, 1, 2]) == [2, 2]


# ---- the file, and the lines of Python


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("path", ["OT", "VP", "cosine"])
def test_the_file_is_opened_by_the_library(js, shown, tmp_path, width, path):
    net = MLP(dim=2, hidden=width, depth=3, time_dim=16)
    weights = [p.detach().flatten().tolist() for p in net.parameters()]
    given = state(shown, hidden=width, path=path, seed=3)
    text = js("file", shown.spec, state=given, weights=weights, step=400)
    (tmp_path / "net.safetensors").write_bytes(base64.b64decode(text))
    model = load_weights(tmp_path / "net.safetensors")
    assert isinstance(model.net, MLP) and model.net.config == net.config
    for mine, theirs in zip(model.net.parameters(), net.parameters(), strict=True):
        assert torch.equal(mine, theirs)
    assert type(model.path).__name__.lower().startswith(path.lower())
    assert model.path == type(model.path)() and model.config["shape"] == [2]
    assert model.config["about"] == {
        "data": "two_moons", "pairing": "independent", "lr": 0.01, "batch_size": 256,
        "ema": 0.99, "seed": 3, "step": 400,
    }  # fmt: skip


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"pairing": "ot", "path": "VP", "average": 0, "batch": 64},
        {"pairing": "reflow", "path": "cosine", "solver": "rk4", "steps": 3, "hidden": 16},
    ],
    ids=str,
)
def test_the_lines_of_python_run_and_train_the_same(js, shown, changes):
    lines = js("python", shown.spec, state=state(shown, **changes))
    assert len(lines.splitlines()) <= 17
    ran = {}
    exec(lines.replace("TrainConfig(", "TrainConfig(progress=False, "), ran)
    model, config = ran["model"], ran["config"]
    assert model.net.config["hidden"] == changes.get("hidden", 64)
    assert (config.lr, config.warmup, config.schedule, config.clip) == (0.01, 50, "cosine", 1.0)
    assert config.ema == changes.get("average", 0.99)
    assert config.steps == (200 if changes.get("pairing") == "reflow" else 400)
    assert config.batch_size == changes.get("batch", 256)
    x, data = ran["x"], ran["data"]
    assert x.shape == (1000, 2) and data.shape == (20_000, 2)
    apart = wasserstein2(data[:500], data[500:1000])
    assert wasserstein2(x[:500], data[:500]) < 3 * apart
    names = lines.splitlines()[1].removeprefix("from fmcore import ").split(", ")
    assert all(hasattr(fmcore, name) and lines.count(name) > 1 for name in names)


def test_every_choice_is_one_that_python_takes(js, shown):
    """Of each list, whatever a reader may choose, the lines say what they should."""
    for name, choices, key in (
        ("lr", RATES, "lr"), ("batch", BATCHES, "batch_size"), ("hidden", WIDTHS, "hidden"),
    ):  # fmt: skip
        for choice in choices:
            lines = js("python", shown.spec, state=state(shown, **{name: choice}))
            (said,) = (part for part in lines.split() if part.startswith(f"{key}="))
            assert float(said.removeprefix(f"{key}=").strip("(),")) == choice
