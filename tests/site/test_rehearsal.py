"""Twins run as Colab would run them: three in turn. What they say where something is missing."""

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent

import rehearse  # noqa: E402

import book  # noqa: E402

NAMES = [Path(page).name for page in book.chapters()]
LONG = pytest.mark.skipif(
    not os.environ.get("REHEARSE"), reason="takes minutes a twin: set REHEARSE=1"
)
NOWHERE = "http://127.0.0.1:9/name.git"  # where nobody listens


@pytest.fixture
def folder(published):
    return published


@pytest.fixture(scope="module")
def repository():
    with rehearse.served() as address:
        yield address


@LONG
@pytest.mark.parametrize("name", rehearse.turn(NAMES))
def test_a_twin_runs_to_its_end_and_replaces_nothing(name, folder, repository):
    seen = rehearse.rehearse(name, folder, repository)
    chapter = (ROOT / "book" / f"{name}.ipynb").read_text("utf-8")
    assert "fmcore" in seen["installed"] and "fmcore" not in seen["before"]
    assert seen["before"]["ipython"] == "7.34.0" and seen["before"]["ipywidgets"] == "7.7.1"
    assert seen["sliders_moved"] == chapter.count("_lab(")


@LONG
def test_a_twin_says_what_is_missing_and_goes_on(folder, repository):
    """No network, then one; the second cell before the others; all of them twice."""
    with rehearse.fresh() as (running, _):
        said, error = running.run(rehearse.first(rehearse.read("index", folder, NOWHERE)))
        assert "fmcore is not here and could not be installed: is there a network?" in error
        _, error = running.run("from fmcore import odeint")
        assert error == "ModuleNotFoundError: No module named 'fmcore'"

        notebook = rehearse.read("index", folder, repository)
        assert running.run(rehearse.first(notebook))[1] is None
        last = [c for c in notebook["cells"] if c["cell_type"] == "code"][-1]
        said, error = running.run("".join(last["source"]))
        assert error == "NameError: name 'torch' is not defined"
        assert "A cell above, which makes this name, has not run." in said
        for _ in range(2):
            rehearse.play(running, notebook)


def test_every_twin_has_its_turn():
    names = [str(i) for i in range(16)]
    seen = [rehearse.turn(names, day) for day in range(6)]
    assert all(len(three) == 3 for three in seen)
    assert set().union(*seen) == set(names)


def test_an_interpreter_that_is_none_is_refused(monkeypatch):
    monkeypatch.setenv("REHEARSE_PYTHON", "python2-none")
    with pytest.raises(ValueError, match="REHEARSE_PYTHON must name an interpreter, got 'python2"):
        rehearse.python.__wrapped__()
