"""Tableaus: the conditions of their order, and numbers that fit together."""

import dataclasses
import itertools
import json
import math
from fractions import Fraction

import pytest
from known import FIELDS, KNOWN, METHODS, ONE, PAIRS, decay, known, observed_order

from fmcore.solvers import SOLVERS, ButcherTableau, odeint
from fmcore.solvers.tableaus import continuous_extension


def test_the_methods_that_the_book_explains_are_there():
    assert set(KNOWN) <= set(METHODS) and {"bosh3", "dopri5"} <= set(PAIRS)


def trees(order):
    """Rooted trees with so many nodes, each the sorted tuple of the trees on its root."""
    if order == 1:
        return [()]
    forests = {()}
    for parts in partitions(order - 1):
        forests |= {tuple(sorted(f)) for f in itertools.product(*(trees(p) for p in parts))}
    return sorted(forests - {()})


def partitions(n, largest=None):
    if n == 0:
        return [()]
    return [(k, *rest) for k in range(min(n, largest or n), 0, -1) for rest in partitions(n - k, k)]


def nodes(tree):
    return 1 + sum(map(nodes, tree))


def density(tree):
    """gamma: the product over all nodes of the size of the subtree there."""
    return nodes(tree) * math.prod(map(density, tree))


def slope_of(tree, a):
    """For each stage the elementary weight of the tree without b (Hairer et al., II.2)."""
    s = len(a)
    below = [slope_of(branch, a) for branch in tree]
    return [math.prod(sum(a[i][j] * w[j] for j in range(i)) for w in below) for i in range(s)]


def defect(weights, a, order, theta=1.0):
    """The largest violation of the order conditions up to `order`."""
    return max(
        abs(
            sum(w * p for w, p in zip(weights, slope_of(tree, a), strict=True))
            - theta**n / density(tree)
        )
        for n in range(1, order + 1)
        for tree in trees(n)
    )


def test_the_trees_are_counted_right():
    assert [len(trees(n)) for n in range(1, 7)] == [1, 1, 2, 4, 9, 20]


@pytest.mark.parametrize("method", METHODS)
def test_order_conditions(method):
    s = SOLVERS[method]
    assert defect(s.b, s.a, s.order) < 1e-14
    assert defect(s.b, s.a, s.order + 1) > 1e-4
    if s.b_embedded:
        assert defect(s.b_embedded, s.a, s.embedded_order) < 1e-14
        assert defect(s.b_embedded, s.a, s.embedded_order + 1) > 1e-4


@pytest.mark.parametrize("method", METHODS)
def test_order_conditions_of_the_continuous_extension(method):
    s = SOLVERS[method]
    for theta in (0.0, 0.1, 0.5, 0.77, 1.0):
        assert defect(s.dense_weights(theta), s.a, known(method).between, theta) < 1e-13
    assert s.dense_weights(1.0) == pytest.approx(s.b, abs=1e-14)


def test_the_entries_are_the_published_ones():
    def exact(row):
        return [str(Fraction(x).limit_denominator(100_000)) for x in row]

    assert exact(SOLVERS["heun"].b) == ["1/2", "1/2"] and exact(SOLVERS["heun"].c) == ["0", "1"]
    assert exact(SOLVERS["midpoint"].b) == ["0", "1"]
    assert exact(SOLVERS["rk4"].b) == ["1/6", "1/3", "1/3", "1/6"]
    assert exact(SOLVERS["rk4"].c) == ["0", "1/2", "1/2", "1"]
    assert exact(SOLVERS["bosh3"].c) == ["0", "1/2", "3/4", "1"]
    assert exact(SOLVERS["bosh3"].error) == ["-5/72", "1/12", "1/9", "-1/8"]
    assert exact(SOLVERS["dopri5"].c) == ["0", "1/5", "3/10", "4/5", "8/9", "1", "1"]
    dormand_prince = [71 / 57600, 0, -71 / 16695, 71 / 1920, -17253 / 339200, 22 / 525, -1 / 40]
    assert SOLVERS["dopri5"].error == pytest.approx([2 / 3 * e for e in dormand_prince], abs=1e-15)


def test_the_extension_of_dopri5_is_smooth_across_steps():
    # Slopes v at both ends, and the coefficients with the smallest error, which make b(1/2) this.
    s = SOLVERS["dopri5"]
    slope = [sum(j * d for j, d in enumerate(row, 1)) for row in s.dense]
    assert slope == pytest.approx([0] * 6 + [1], abs=1e-12)
    shampine = [
        6025192743 / 30085553152, 0, 51252292925 / 65400821598, -2691868925 / 45128329728,
        187940372067 / 1594534317056, -1776094331 / 19743644256, 11237099 / 235043384,
    ]  # fmt: skip
    assert s.dense_weights(0.5) == pytest.approx([w / 2 for w in shampine], abs=1e-12)


def test_a_tableau_of_ones_own():
    ralston = ButcherTableau("ralston", 2, a=((), (2 / 3,)), b=(1 / 4, 3 / 4), c=(0, 2 / 3))
    v = FIELDS["forced"]

    def error(n):
        sol = odeint(v, v.x0, (0.3, 2.0), method=ralston, steps=n, t_eval=[0.777, 2.0])
        return (sol.xs[1] - v.exact(2.0)).abs().max().item()

    assert observed_order(error, 100) == pytest.approx(2, abs=0.1)


def test_a_tableau_without_extension_says_so():
    s = SOLVERS["rk4"]
    three_eighths = ButcherTableau(
        "3/8", 4, a=((), (1 / 3,), (-1 / 3, 1), (1, -1, 1)), b=(1 / 8, 3 / 8, 3 / 8, 1 / 8),
        c=(0, 1 / 3, 2 / 3, 1),
    )  # fmt: skip
    assert three_eighths.dense is None and s.dense is not None
    assert odeint(decay, ONE, method=three_eighths, steps=2, t_eval=[0, 0.5]).xs.shape == (2, 1)
    with pytest.raises(ValueError, match="3/8 has no continuous extension"):
        odeint(decay, ONE, method=three_eighths, steps=2, t_eval=[0.3])


def test_tableaux_survive_json():
    for name, s in SOLVERS.items():
        data = json.loads(json.dumps(s.as_dict()))
        assert data["name"] == name and data["order"] == s.order
        assert tuple(map(tuple, data["a"])) == s.a and tuple(data["b"]) == s.b
        assert ButcherTableau(**data) == s


@pytest.mark.parametrize(("change", "message"), [
    ({"c": (0, 0.5)}, "row 1 of a sums to 1.0, but c is 0.5"),
    ({"c": (0,)}, "one row or entry a stage, got 2, 2 and 1"),
    ({"a": ((), (0.5, 0.5))}, "strictly lower triangular: row 1 has 1 entries, got 2"),
    ({"b": (0.5, 0.6)}, "b must sum to 1"),
    ({"b_embedded": (1.0, 0.0)}, "b_embedded and embedded_order go together"),
    ({"b_embedded": (1.0, 0.1), "embedded_order": 1}, "b_embedded must have 2 entries"),
    ({"dense": ((1.0, -0.5), (0.0, 0.6))}, "dense must have 2 rows"),
    ({"dense": ((1.0, -0.5),)}, "dense must have 2 rows"),
    ({"order": 0}, "order must be a whole number of at least 1, got 0"),
])  # fmt: skip
def test_a_tableau_that_does_not_fit_together(change, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(SOLVERS["heun"], **change)


def test_the_quadratic_extension_leaves_with_the_first_slope():
    assert continuous_extension((0.0, 1.0), hermite=False) == ((1.0, -1.0), (0.0, 1.0))
