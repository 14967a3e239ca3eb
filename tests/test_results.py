"""What was measured: where it is found, and what it says of its origin."""

import json

import pytest

import fmcore
from fmcore import results
from fmcore.results import ORIGIN, keep, measured, origin, results_folder


@pytest.mark.parametrize("name", sorted(file.stem for file in results_folder().glob("*.json")))
def test_every_row_says_where_it_is_from(name):
    """Device, seed, date, versions and command, in the row or for all of them."""
    found = measured(name)
    assert set(found) == {"about", "rows"} and found["rows"]
    for row in found["rows"]:
        about = found["about"] | row
        assert all(about.get(key) is not None for key in ORIGIN), row
        assert about["command"].startswith(("python benchmarks/", "fmcore "))


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
    with pytest.raises(ValueError, match=r"name must be one of .*'training', got 'wind'"):
        fmcore.measured("wind")


def test_the_origin_is_this_run(monkeypatch):
    monkeypatch.setattr("sys.argv", ["/somewhere/benchmarks/wind.py", "--out", "a b"])
    here = origin(seed=3)
    assert set(here) == set(ORIGIN) and here["seed"] == 3
    assert here["command"] == "python benchmarks/wind.py --out 'a b'"
    monkeypatch.setattr("sys.argv", ["benchmarks/wind.py"])
    assert origin()["command"] == "python benchmarks/wind.py"
    monkeypatch.setattr("sys.argv", ["/somewhere/bin/fmcore", "evaluate", "--n", "200"])
    assert origin()["command"] == "fmcore evaluate --n 200"


def test_results_are_kept_whole(tmp_path):
    file = tmp_path / "wind.json"
    keep(file, {"seed": 0}, [{"speed": 1.5}])
    assert json.loads(file.read_text()) == {"about": {"seed": 0}, "rows": [{"speed": 1.5}]}
    with pytest.raises(TypeError):
        keep(file, {}, [{"speed": object()}])
    assert json.loads(file.read_text())["rows"] == [{"speed": 1.5}]
