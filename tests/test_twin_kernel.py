"""A rehearsal notices what goes wrong: a cell that fails, and a slider that moves nothing."""

import os
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

pytest.importorskip("ipywidgets")
from twin_kernel import CellFailed, kernel, play  # noqa: E402

LAB = """\
import ipywidgets
slider = ipywidgets.IntSlider(3, min=1, max=9)
picture = ipywidgets.HTML("<img src='data:image/png;base64,AA'>")
ipywidgets.VBox([slider, picture])"""
FOLLOWS = """
slider.observe(lambda change: picture.set_trait("value", f"data:image/{change.new}"), "value")"""


@pytest.fixture
def running(tmp_path):
    with kernel(Path(sys.executable), tmp_path, dict(os.environ)) as running:
        yield running


def notebook(*cells):
    made = [{"cell_type": "code", "id": f"c{i}", "source": [c]} for i, c in enumerate(cells)]
    return {"cells": [{"cell_type": "markdown", "id": "m", "source": ["1 / 0"]}, *made]}


def test_a_cell_that_fails_is_named_with_what_it_said(running):
    with pytest.raises(CellFailed, match=r"(?s)cell 'c1' said ZeroDivisionError.*before\n.*1 / 0"):
        play(running, notebook("x = 1", "print('before')\n1 / 0", "x = 2"))
    assert running.run("print(x)") == ("1\n", None)  # nothing ran after it, and the kernel goes on


def test_an_assertion_is_named_by_its_line(running):
    """Of fifty in a cell, none of which has a message."""
    with pytest.raises(CellFailed, match=r"AssertionError:  at 'assert x == 2  # two'"):
        play(running, notebook("x = 1\nassert x == 1\nassert x == 2  # two\nassert x == 3"))


def test_a_slider_moves_its_picture(running):
    assert play(running, notebook(LAB + FOLLOWS, "x = 1"))["sliders"] == 1
    assert running.run("print(slider.value, picture.value)")[0] == "1 data:image/1\n"


def test_a_slider_that_moves_nothing_is_caught(running):
    with pytest.raises(CellFailed, match="a slider of a lab was moved, and the picture stayed"):
        play(running, notebook(LAB))
