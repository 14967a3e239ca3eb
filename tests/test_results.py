"""What was measured: where it is found, and what it says of its origin."""

import hashlib
import json
import sys
from datetime import date

import pytest
import torch

import fmcore
from fmcore import results
from fmcore.data import read_mosaic
from fmcore.devices import device_name
from fmcore.images import to_unit
from fmcore.metrics import readable
from fmcore.results import ORIGIN, keep, measured, origin, results_folder


def test_results_travel_with_the_library(tmp_path, monkeypatch):
    """An installed library has them among its assets; those come first."""
    assert results_folder().name == "results" and results_folder().parent.name == "benchmarks"
    monkeypatch.setattr(results, "ASSETS", tmp_path / "fmcore" / "assets")
    (tmp_path / "benchmarks" / "results").mkdir(parents=True)
    (tmp_path / "benchmarks" / "results" / "a.json").write_text('{"about": {}, "rows": [1]}')
    assert measured("a")["rows"] == [1]
    (tmp_path / "fmcore" / "assets" / "results").mkdir(parents=True)
    with pytest.raises(ValueError, match="name must be one of"):
        measured("a")


def test_results_that_are_not_there():
    with pytest.raises(ValueError, match=r"name must be one of .*'training', 'twins', got 'wind'"):
        fmcore.measured("wind")


def test_the_origin_is_this_run(monkeypatch):
    monkeypatch.setattr("sys.argv", ["/somewhere/benchmarks/wind.py", "--out", "a b"])
    before, here = date.today(), origin(seed=3)
    assert set(here) == set(ORIGIN) and here["seed"] == 3
    assert before <= date.fromisoformat(here["date"]) <= date.today()
    assert here["python"] == sys.version.split()[0] and here["torch"] == torch.__version__
    assert here["device"] == device_name("cpu")
    assert here["command"] == "python benchmarks/wind.py --out 'a b'"
    monkeypatch.setattr("sys.argv", ["benchmarks/wind.py"])
    assert origin()["command"] == "python benchmarks/wind.py"
    monkeypatch.setattr("sys.argv", ["/somewhere/bin/fmcore", "evaluate", "--n", "200"])
    assert origin()["command"] == "fmcore evaluate --n 200"


def test_samples_that_were_kept_get_the_scores_that_were_written_down():
    """Some rows keep their samples as pictures: another judge, or this one again, can read them."""
    rows = {row["samples_sha256"]: row for row in measured("mnist")["rows"]}
    files = sorted((results_folder().parent / "samples").glob("*.png"))
    assert len(files) >= 3
    for file in files:
        pixels = read_mosaic(file)
        row = rows[hashlib.sha256(pixels.numpy().tobytes()).hexdigest()[:16]]
        assert row["model"] in file.name and row["solver"] in file.name and row["n"] == len(pixels)
        share = readable(to_unit(pixels)).double().mean().item()
        assert share == pytest.approx(row["readable"], abs=0.002)


def test_results_are_kept_whole(tmp_path):
    file = tmp_path / "wind.json"
    keep(file, {"seed": 0}, [{"speed": 1.5}])
    assert json.loads(file.read_text()) == {"about": {"seed": 0}, "rows": [{"speed": 1.5}]}
    with pytest.raises(TypeError):
        keep(file, {}, [{"speed": object()}])
    assert json.loads(file.read_text())["rows"] == [{"speed": 1.5}]
