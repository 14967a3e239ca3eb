"""What figures refuse, each complaint in its one wording."""

import re

import numpy as np
import pytest
import torch

from fmcore.checks import positive, whole
from fmcore.solvers import SOLVERS
from fmcore.viz.checks import as_array, box, by_name, moment, numbers, series, text


@pytest.mark.parametrize("values", [(1,), (1, 2, 3), (0, float("nan"))])
def test_numbers_that_are_too_few_too_many_or_not_finite(values):
    with pytest.raises(ValueError, match=r"start must be finite numbers \(x, y\), got"):
        numbers("start", values, "x", "y")


@pytest.mark.parametrize("values", [(1, None), 3, "ab", "12", None, (True, 0)])
def test_what_is_no_numbers(values):
    given = re.escape(repr(values))
    with pytest.raises(TypeError, match=rf"start must be finite numbers \(x, y\), got {given}"):
        numbers("start", values, "x", "y")


def test_numbers_of_any_kind_become_floats():
    for values in ([1, 2], np.array([1, 2]), torch.tensor([1.0, 2.0]), (np.float32(1), 2)):
        assert numbers("start", values, "x", "y") == (1.0, 2.0)


def test_a_whole_number_is_an_int_in_its_range():
    assert whole("n", np.int64(3)) == 3 and type(whole("n", np.int64(3))) is int
    for value in (True, 2.0, "2", None):
        with pytest.raises(TypeError, match="n must be a whole number of at least 1, got"):
            whole("n", value)
    for value in (0, 6):
        with pytest.raises(ValueError, match=f"at least 1, at most 5, got {value}"):
            whole("n", value, 1, 5)


def test_a_positive_number_is_finite():
    assert positive("scale", np.float32(2)) == 2.0
    for value in (0, -1, float("inf"), float("nan")):
        with pytest.raises(ValueError, match="scale must be a finite number > 0"):
            positive("scale", value)
    for value in ("2", True, None):
        with pytest.raises(TypeError, match="scale must be a finite number > 0"):
            positive("scale", value)


@pytest.mark.parametrize("extent", [(1, 1, 0, 1), (0, 1, 1, 0), (2, 1, 0, 1)])
def test_a_box_has_an_inside(extent):
    assert box((0, 1, 2, 3)) == (0.0, 1.0, 2.0, 3.0)
    with pytest.raises(ValueError, match="xmin < xmax and ymin < ymax"):
        box(extent)


@pytest.mark.parametrize(
    ("shape", "letters"), [((2,), r"\(T, B, 2\)"), ((5, 3), r"\(T, B, 2\)"), ((5, 3, 4), "2")]
)
def test_an_array_of_another_shape_is_refused_with_both_shapes(shape, letters):
    assert as_array("xs", torch.zeros(5, 3, 2), ("T", "B", 2)).shape == (5, 3, 2)
    with pytest.raises(ValueError, match=rf"xs must have shape .*{letters}.*, got"):
        as_array("xs", torch.zeros(shape), ("T", "B", 2))


def test_numbers_in_a_list_keep_all_their_digits():
    assert as_array("x", [0.1, 1e-300], ("N",)).tolist() == [0.1, 1e-300]


def test_a_moment_lies_in_its_span_whichever_way_it_runs():
    assert moment("t", None, (0, 1)) is None
    for span in ((0.25, 0.75), (0.75, 0.25)):
        for t in (0.25, np.float32(0.5), torch.tensor(0.75)):
            assert moment("t", t, span) == t and type(moment("t", t, span)) is float
        for t in (0.2499999999, 0.7500000001):
            with pytest.raises(ValueError, match=rf"t must lie in \[0.*5\] or be None, got {t}"):
                moment("t", t, span)


def test_several_are_a_list_and_a_word_is_one():
    assert series("views", ("a", "b")) == ["a", "b"] == series("views", {"a": 1, "b": 2})
    for wrong in ("arrows", None, 3):
        with pytest.raises(TypeError, match=f"views must be a list, got {wrong!r}"):
            series("views", wrong)


def test_a_text_is_a_string():
    assert text("alt", "a storm") == "a storm"
    for wrong in (None, 3, b"storm"):
        with pytest.raises(TypeError, match=f"alt must be a string, got {wrong!r}"):
            text("alt", wrong)


def test_solvers_have_names_of_their_own(ralston):
    assert by_name(["heun", ralston, "heun"]) == {"heun": "heun", "own": ralston}
    assert list(by_name(["heun", SOLVERS["heun"]])) == ["heun"]
    for wrong in ((), ("eular",), (3,)):
        with pytest.raises(ValueError, match="solvers|method"):
            by_name(wrong)
    for wrong in ("heun", ralston, None):
        with pytest.raises(TypeError, match="solvers must be a list, got"):
            by_name(wrong)
