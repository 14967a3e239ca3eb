"""Tables: a name once, a row that can be used, and what is added works everywhere."""

from dataclasses import dataclass

import pytest
import torch

import fmcore
from fmcore import (
    COUPLINGS,
    GRIDS,
    LOSSES,
    NETWORKS,
    PATHS,
    PREDICTIONS,
    RECIPES,
    SDE_METHODS,
    SOLVERS,
    ButcherTableau,
)
from fmcore.losses import TIMES
from fmcore.paths import ProbabilityPath
from fmcore.tables import Table

TABLES = (
    SOLVERS,
    SDE_METHODS,
    GRIDS,
    PATHS,
    PREDICTIONS,
    COUPLINGS,
    NETWORKS,
    LOSSES,
    TIMES,
    RECIPES,
)
RALSTON = ButcherTableau("mine", order=2, a=((), (2 / 3,)), b=(1 / 4, 3 / 4), c=(0, 2 / 3))


@dataclass(frozen=True)
class Bent(ProbabilityPath):
    power: float = 2.0

    def a(self, t):
        return t**self.power

    def b(self, t):
        return 1 - t**self.power


class Half(ProbabilityPath):
    def a(self, t):
        return t


@pytest.fixture
def added(monkeypatch):
    """Adds rows that are gone after the test."""

    def add(table, name, row):
        monkeypatch.setattr(table, "rows", dict(table.rows))
        table[name] = row

    return add


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.kind)
def test_a_name_is_taken_once(table):
    name, row = next(iter(table.items()))
    for add in (lambda: table.update({name: row}), lambda: table.__setitem__(name, row)):
        with pytest.raises(ValueError, match=f"there is a {table.kind} '{name}' already"):
            add()
    assert table[name] is row and table.name_of(row) == name
    with pytest.raises(TypeError, match=f"the name of a {table.kind} must be a string, got 7"):
        table[7] = row
    assert table.name_of(object()) is None


def test_a_name_that_is_not_there_is_answered_with_those_that_are():
    table = Table("square", two=4, three=9)
    for look in (table.__getitem__, table.__delitem__):
        with pytest.raises(KeyError, match="no square 'five', only 'two', 'three'"):
            look("five")
    assert "five" not in table and table.get("five", 0) == 0 and table.pop("five", None) is None
    del table["two"]
    assert dict(table) == {"three": 9}


@pytest.mark.parametrize(
    ("table", "name", "row", "error", "message"),
    [
        (SOLVERS, "mine", "heun", TypeError, "solver 'mine' must be a ButcherTableau, got s"),
        (SOLVERS, "rals", RALSTON, ValueError, "solver 'mine' must be called so in SOLVERS, n"),
        (PATHS, "Line", "OTPath", TypeError, "path 'Line' must be a subclass of ProbabilityPath"),
        (PATHS, "Half", Half, TypeError, "path 'Half' lacks b"),
        (PATHS, "Curve", Bent, ValueError, "path Bent must be called so in PATHS, not 'Curve'"),
        (NETWORKS, "Net", object, TypeError, "network 'Net' must be a subclass of torch.nn"),
        (
            NETWORKS,
            "L",
            torch.nn.Linear,
            ValueError,
            "network Linear must be called so in NET",
        ),
        (RECIPES, "soup", {}, TypeError, "recipe 'soup' must be a Recipe, got dict"),
        (LOSSES, "mine", 1.0, TypeError, "loss 'mine' must be callable, got 1.0"),
        (
            TIMES,
            "late",
            [0.9],
            TypeError,
            r"draw times 'late' must be callable, got \[0.9\]",
        ),
        (SDE_METHODS, "milstein", 1, TypeError, "SDE method 'milstein' must be callable, got 1"),
    ],
)
def test_a_row_that_lacks_something(table, name, row, error, message):
    with pytest.raises(error, match=message):
        table[name] = row
    assert name not in table


def test_a_path_that_is_no_dataclass():
    class Line(ProbabilityPath):
        def a(self, t):
            return t

        def b(self, t):
            return 1 - t

    with pytest.raises(TypeError, match="path 'Line' must be a dataclass, so that its numbers can"):
        PATHS["Line"] = Line


def test_a_table_starts_out_checked():
    with pytest.raises(ValueError, match="three is odd"):
        Table("number", refuse_odd, three=3)


def test_a_row_goes_by_its_name_and_its_equal_does_not():
    table = Table("list", empty=[])
    assert table.name_of(table["empty"]) == "empty" and table.name_of([]) is None


def refuse_odd(name, row):
    if row % 2:
        raise ValueError(f"{name} is odd")


def test_a_registered_solver_is_a_method(added):
    added(SOLVERS, "mine", RALSTON)
    x0 = torch.ones(1, dtype=torch.float64)
    sol = fmcore.odeint(lambda x, t: -x, x0, method="mine", steps=10)
    assert sol.x.item() == fmcore.odeint(lambda x, t: -x, x0, method=RALSTON, steps=10).x.item()


def test_a_registered_path_can_be_saved_and_loaded(added, tmp_path):
    net, path = fmcore.MLP(hidden=4, depth=1), Bent(power=3.0)
    with pytest.raises(TypeError, match="path one of .*OTPath.*VPPath.*got MLP and Bent: add"):
        fmcore.FlowModel(net, path, (2,))
    added(PATHS, "Bent", Bent)
    file = tmp_path / "w.safetensors"
    fmcore.save_weights(fmcore.FlowModel(net, path, (2,)), file)
    assert fmcore.load_weights(file).path == path
    del PATHS["Bent"]
    with pytest.raises(ValueError, match="w.safetensors .*the path must be one of .*got 'Bent'"):
        fmcore.load_weights(file)


def test_a_registered_network_can_be_saved_and_loaded(added, tmp_path):
    class Scale(torch.nn.Module):
        def __init__(self, start=1.0):
            super().__init__()
            self.config, self.s = {"start": start}, torch.nn.Parameter(torch.tensor(start))

        def forward(self, x, t):
            return self.s * x

    added(NETWORKS, "Scale", Scale)
    file = tmp_path / "w.safetensors"
    fmcore.save_weights(fmcore.FlowModel(Scale(2.0), fmcore.OTPath(), (2,)), file)
    assert fmcore.load_weights(file)(torch.ones(1, 2), 0.5).tolist() == [[2.0, 2.0]]
