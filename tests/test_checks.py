"""Time broadcasts over the batch axis and no other; what has a wrong kind or range is named."""

import math
import re

import numpy as np
import pytest
import torch

from fmcore.checks import (
    batch_time,
    class_labels,
    expand_time,
    finite,
    flag,
    floating,
    is_finite,
    label_tensor,
    labels_in_range,
    like,
    one_of,
    positive,
    rand_time,
    randn_like,
    real,
    real_numbers,
    require_generator,
    whole,
)


@pytest.mark.parametrize("t", [0.25, torch.tensor(0.25), torch.full((4,), 0.25)])
def test_every_form_of_time_becomes_one_number_a_row(t):
    x = torch.zeros(4, 1, 4, 4, dtype=torch.float64)
    assert torch.equal(batch_time(t, x), torch.full((4,), 0.25, dtype=torch.float64))
    assert expand_time(t, x).shape == (4, 1, 1, 1)


def test_time_runs_along_the_batch_when_batch_and_width_are_equal():
    x = torch.zeros(4, 1, 4, 4)
    t = torch.tensor([0.0, 0.1, 0.2, 0.3])
    product = torch.ones_like(x) * expand_time(t, x)
    assert torch.equal(product[:, 0, 0, 0], t)
    assert torch.equal(product[2], torch.full((1, 4, 4), 0.2))


@pytest.mark.parametrize("shape", [(4, 1), (1,), (3,), (4, 1, 1, 1), (1, 4)])
def test_a_time_of_another_shape_is_refused(shape):
    with pytest.raises(ValueError, match=r"shape \(\) or \(4,\).*got shape"):
        expand_time(torch.zeros(shape), torch.zeros(4, 1, 4, 4))


@pytest.mark.parametrize("t", [-1e-3, 1.001, float("nan"), float("inf")])
def test_a_time_outside_the_unit_interval_is_refused(t):
    with pytest.raises(ValueError, match=rf"t must lie in \[0, 1\].*got {t:g}"):
        expand_time(torch.tensor([0.0, 1.0, 0.5, t]), torch.zeros(4, 3))
    with pytest.raises(ValueError, match=r"t must lie in \[0, 1\]"):
        batch_time(t, torch.zeros(2, 3))


def test_a_state_needs_a_batch_axis():
    with pytest.raises(ValueError, match="batch axis"):
        batch_time(0.5, torch.tensor(1.0))


def test_draws_repeat_with_the_seed_and_leave_the_global_stream_alone():
    x = torch.zeros(5, 2)
    before = torch.random.get_rng_state()
    draws = [
        (randn_like(x, g), rand_time(x, g))
        for g in (torch.Generator().manual_seed(s) for s in (1, 1, 2))
    ]
    assert torch.equal(torch.random.get_rng_state(), before)
    assert all(torch.equal(a, b) for a, b in zip(draws[0], draws[1], strict=True))
    assert not torch.equal(draws[0][0], draws[2][0])
    assert draws[0][1].shape == (5,) and (draws[0][1] >= 0).all() and (draws[0][1] < 1).all()


def test_a_missing_generator_is_named():
    with pytest.raises(TypeError, match="torch.Generator.*got NoneType"):
        require_generator(None)


# ---- one wording for each complaint

NO_NUMBERS = [True, np.True_, torch.tensor(True), "3", b"3", None, [3], torch.zeros(2), 3j]


@pytest.mark.parametrize("value", [3, np.int64(3), np.uint8(3), torch.tensor(3)])
def test_a_whole_number_of_any_kind_becomes_an_int(value):
    n = whole("n", value, 3, 3)
    assert n == 3 and type(n) is int


@pytest.mark.parametrize("value", [*NO_NUMBERS, 3.0, np.float64(3), math.nan])
def test_what_is_no_whole_number(value):
    message = re.escape(f"n must be a whole number of at least 1, got {value!r}")
    with pytest.raises(TypeError, match=f"^{message}$"):
        whole("n", value)


def test_whole_numbers_have_two_ends():
    with pytest.raises(ValueError, match="^n must be a whole number of at least 1, got 0$"):
        whole("n", 0)
    limits = "n must be a whole number of at least 2, at most 4, got "
    for value in (1, 5, np.int64(5)):
        with pytest.raises(ValueError, match=f"^{limits}{value}$"):
            whole("n", value, 2, 4)
    with pytest.raises(TypeError, match=f"^{limits}2.5$"):
        whole("n", 2.5, 2, 4)
    assert [whole("n", n, 2, 4) for n in (2, 4)] == [2, 4] and whole("n", -7, -7) == -7


@pytest.mark.parametrize("value", [0.5, np.float32(0.5), np.float64(0.5), torch.tensor(0.5)])
def test_a_number_of_any_kind_becomes_a_float(value):
    for x in (real("x", value), real("x", value, 0.5, 1), positive("x", value)):
        assert x == 0.5 and type(x) is float
    assert real("x", np.int32(-2)) == -2 and type(positive("x", 2)) is float


@pytest.mark.parametrize("value", NO_NUMBERS)
def test_what_is_no_number(value):
    given = re.escape(repr(value))
    for check, allowed in (
        (lambda: real("x", value), "must be a finite number"),
        (lambda: real("x", value, 0), "must be a finite number >= 0"),
        (lambda: real("x", value, 0, 1), r"must lie in \[0, 1\)"),
        (lambda: positive("x", value), "must be a finite number > 0"),
    ):
        with pytest.raises(TypeError, match=f"^x {allowed}, got {given}$"):
            check()


@pytest.mark.parametrize("value", [True, np.True_, torch.tensor(True)])
def test_a_bool_of_any_kind_is_a_flag(value):
    assert flag("log", value) is True and flag("log", value ^ True) is False


@pytest.mark.parametrize(
    "value", ["no", 1, 0, None, [True], np.array([True]), torch.tensor([True, False]), 1.0]
)
def test_what_is_no_flag(value):
    with pytest.raises(
        TypeError, match=f"^log must be True or False, got {re.escape(repr(value))}$"
    ):
        flag("log", value)


@pytest.mark.parametrize(
    ("values", "dtype"),
    [
        ([[0, 1]], torch.int64),
        ([0.5], torch.float32),
        (np.zeros(2), torch.float64),
        (torch.zeros(2).half(), torch.float16),
        (range(3), torch.int64),
    ],
)
def test_numbers_of_any_kind_become_a_tensor(values, dtype):
    x = real_numbers("x", values)
    assert x.dtype == dtype and x.tolist() == torch.as_tensor(values).tolist()


@pytest.mark.parametrize(
    ("values", "given"),
    [
        ("two", "'two'"),
        (None, "None"),
        ([[0], [1, 2]], "[[0], [1, 2]]: expected sequence of length 1"),
        ([["a"]], "[['a']]"),
        (np.array(["a"]), "array(['a']"),
        ([True], "torch.bool"),
        (torch.zeros(2).cfloat(), "torch.complex64"),
        (list("abcdefghijklmnopqrstuvwxyz"), "['a', 'b', 'c', 'd', 'e', 'f', ...]"),
    ],
)
def test_what_is_no_number_is_shown_shortly(values, given):
    with pytest.raises(TypeError, match=re.escape(f"x must be real numbers, got {given}")):
        real_numbers("x", values)


@pytest.mark.parametrize(
    ("limits", "good", "bad", "allowed"),
    [
        (
            (),
            [-1e300, 0, 1e300],
            [math.nan, math.inf, -math.inf, -(10**400)],
            "must be a finite number",
        ),
        ((2,), [2, 1e300], [1.999, math.inf, math.nan], "must be a finite number >= 2"),
        ((0, 1), [0, 0.999], [-1e-9, 1, math.nan, math.inf], r"must lie in \[0, 1\)"),
    ],
)
def test_real_numbers_have_a_closed_and_an_open_end(limits, good, bad, allowed):
    assert [real("x", value, *limits) for value in good] == good
    for value in bad:
        with pytest.raises(ValueError, match=f"^x {allowed}, got {re.escape(repr(value))}$"):
            real("x", value, *limits)


def test_positive_numbers_are_finite_and_not_0():
    assert positive("x", 5e-324) > 0 and positive("x", 1e300) == 1e300
    for value in (0, -0.0, -1, math.inf, math.nan, 10**400):
        with pytest.raises(ValueError, match=f"^x must be a finite number > 0, got {value!r}$"):
            positive("x", value)


def test_one_of_several():
    assert one_of("name", "b", ("a", "b")) == "b" and one_of("name", "a", {"a": 1}) == "a"
    assert one_of("name", "a", iter("ab")) == "a"
    for value in ("c", None, 1):
        message = re.escape(f"name must be one of 'a', 'b', got {value!r}")
        with pytest.raises(ValueError, match=f"^{message}$"):
            one_of("name", value, ("a", "b"))


@pytest.mark.parametrize(
    ("value", "given"),
    [
        ([1.0], "list"),
        (1.0, "float"),
        (None, "NoneType"),
        (np.zeros(2), "ndarray"),
        (torch.zeros(2, dtype=torch.int64), "torch.int64"),
        (torch.zeros(2, dtype=torch.bool), "torch.bool"),
        (torch.zeros(2, dtype=torch.complex64), "torch.complex64"),
    ],
)
def test_what_is_no_floating_tensor(value, given):
    with pytest.raises(TypeError, match=f"^x must be a tensor of a floating dtype, got {given}$"):
        floating("x", value)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_floating_and_finite_give_back_what_they_are_given(dtype):
    x = torch.ones(3, dtype=dtype)
    assert floating("x", x) is x and finite("x", x) is x and is_finite(x)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_one_value_that_is_not_finite(value):
    x = torch.zeros(3, 4).index_put((torch.tensor(2), torch.tensor(1)), torch.tensor(value))
    assert not is_finite(x)
    with pytest.raises(ValueError, match="^x must be finite, got NaN or infinity in it$"):
        finite("x", x)


def test_infinities_do_not_cancel_and_a_large_sum_is_finite():
    assert not is_finite(torch.tensor([math.inf, -math.inf]))
    assert is_finite(torch.full((10,), 3e38))


def test_tensors_that_are_alike():
    x = torch.zeros(2, 3)
    assert like("y", torch.ones(2, 3), "x", x) is None
    for y, error, message in (
        (torch.ones(1, 3), ValueError, r"same shape, got \(1, 3\) and \(2, 3\)"),
        (torch.ones(2, 3, 1), ValueError, r"same shape, got \(2, 3, 1\) and \(2, 3\)"),
        (torch.ones(2, 3).double(), TypeError, "same dtype, got torch.float64 and torch.float32"),
    ):
        with pytest.raises(error, match=f"^y and x must have the {message}$"):
            like("y", y, "x", x)
    with pytest.raises(TypeError, match="^y must be a tensor of a floating dtype, got list$"):
        like("y", [0.0], "x", x)
    with pytest.raises(TypeError, match="^x must be a tensor of a floating dtype, got torch.int64"):
        like("y", x, "x", x.long())


def test_labels_are_whole_numbers_of_the_batch():
    label = torch.tensor([0, 3, 10], dtype=torch.uint8)
    assert class_labels(label, 3).dtype == torch.int64
    assert labels_in_range(label, 10) is label  # 10 means no class
    for wrong in (torch.tensor([0, 11]), torch.tensor([-1, 3])):
        ends = f"{wrong.min()} to {wrong.max()}"
        message = rf"labels must lie in \[0, 9\] \(10 means no class\), got {ends}"
        with pytest.raises(ValueError, match=message):
            labels_in_range(wrong, 10)
    with pytest.raises(TypeError, match=r"label must be a tensor \(3,\), got list"):
        label_tensor([0, 1, 2], 3)
    with pytest.raises(ValueError, match=r"label must have shape \(2,\), got \(3,\)"):
        label_tensor(label, 2)
    for dtype in (torch.float32, torch.bool, torch.complex64):
        with pytest.raises(ValueError, match=f"label must hold integers, got {dtype}"):
            class_labels(label.to(dtype), 3)


def test_time_is_fine_beside_half_precision():
    for dtype in (torch.bfloat16, torch.float16, torch.float32):
        t = batch_time(0.3 + 2**-12, torch.zeros(3, 2, dtype=dtype))
        assert t.dtype == torch.float32 and t[0].item() == pytest.approx(0.3 + 2**-12, abs=1e-7)
        times = rand_time(torch.zeros(4000, 2, dtype=dtype), torch.Generator().manual_seed(0))
        assert times.dtype == torch.float32 and len(times.unique()) > 3900
    assert batch_time(0.3, torch.zeros(3, 2, dtype=torch.float64)).dtype == torch.float64


@pytest.mark.parametrize("t", [1 + 1e-7, 1.0000001192092896, -1e-9, 1.5])
def test_a_time_that_is_hardly_outside_is_printed_so(t):
    with pytest.raises(ValueError, match=r"got .*clamp_time") as caught:
        batch_time(t, torch.zeros(2, 2, dtype=torch.float64))
    assert f"got {t!r}." in str(caught.value)
