"""Tables: a name once, a row that can be used, and what is added works everywhere."""

from dataclasses import dataclass

import pytest
import torch
from small import config, points, weights

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
from fmcore.cli import main
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
    (name, row), (_, other) = [*table.items()][:2]
    for add in (lambda: table.update({name: other}), lambda: table.__setitem__(name, other)):
        with pytest.raises(ValueError, match=f"there is a {table.kind} '{name}' already"):
            add()
    table[name] = row  # which says nothing new
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
        (SOLVERS, "rals", RALSTON, ValueError, "solver 'mine' must be called that in SOLVERS, n"),
        (PATHS, "Line", "OTPath", TypeError, "path 'Line' must be a subclass of ProbabilityPath"),
        (PATHS, "Half", Half, TypeError, "path 'Half' lacks b"),
        (PATHS, "Curve", Bent, ValueError, "path Bent must be called that in PATHS, not 'Curve'"),
        (NETWORKS, "Net", object, TypeError, "network 'Net' must be a subclass of torch.nn"),
        (
            NETWORKS,
            "L",
            torch.nn.Linear,
            ValueError,
            "Linear must be called that in NET",
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
    with pytest.raises(ValueError, match=r"w.safetensors .*no path 'Bent', .*PATHS.register\(Bent"):
        fmcore.load_weights(file)


def scale(module="notebook", factor=1.0):
    """The class `Scale` as a cell of a notebook defines it, each time anew."""

    class Scale(torch.nn.Module):
        def __init__(self, start=1.0):
            super().__init__()
            self.config, self.s = {"start": start}, torch.nn.Parameter(torch.tensor(start))

        def forward(self, x, t, label=None):
            return factor * self.s * x

    Scale.__module__ = module
    return Scale


@pytest.fixture
def networks(monkeypatch):
    """The table of networks; what is added is gone after the test."""
    monkeypatch.setattr(NETWORKS, "rows", dict(NETWORKS.rows))
    return NETWORKS


def test_a_registered_network_can_be_saved_and_loaded(networks, tmp_path, monkeypatch, capsys):
    Scale, file = networks.register(scale()), tmp_path / "w.safetensors"
    fmcore.save_weights(fmcore.FlowModel(Scale(2.0), fmcore.OTPath(), (1, 2, 2)), file)
    assert fmcore.load_weights(file)(torch.ones(1, 1, 2, 2), 0.5).eq(2).all()
    main(["sample", "--weights", str(file), "--n", "1", "--out", str(tmp_path / "w.png")])
    main(["export", "--weights", str(file), "--out", str(tmp_path / "w.pt2")])
    capsys.readouterr()
    del networks["Scale"]
    with pytest.raises(SystemExit):
        main(["sample", "--weights", str(file), "--n", "1", "--out", str(tmp_path / "w.png")])
    assert (
        "there is no network 'Scale', only 'UNet', 'MLP', 'TwoTimes'. A file brings no code: if "
        "Scale is a class of yours, define it and call fmcore.NETWORKS.register(Scale) first\n"
    ) in capsys.readouterr().err


def test_a_registered_network_is_trained_and_goes_on_from_its_checkpoint(networks, tmp_path):
    Scale, trained = networks.register(scale()), []
    for _ in range(2):
        saved = fmcore.Checkpoints(tmp_path, every=2, resume=True)
        few = config(steps=4, lr=0.01)
        trained.append(fmcore.train(Scale(), fmcore.OTPath(), points(), few, checkpoints=saved))
        (tmp_path / "step-00000004.pt").unlink()  # the second time it goes on after two steps
    assert weights(trained[0]) == weights(trained[1]) != 1


def test_a_cell_that_runs_again_replaces_its_class(networks, tmp_path):
    old = fmcore.FlowModel(networks.register(scale())(3.0), fmcore.OTPath(), (2,))
    networks.register(scale(factor=10.0))
    fmcore.save_weights(fmcore.FlowModel(old.net, old.path, (2,)), tmp_path / "w")  # still known
    assert fmcore.load_weights(tmp_path / "w")(torch.ones(1, 2), 0.5).tolist() == [[30.0, 30.0]]
    with pytest.raises(ValueError, match="there is a network 'Scale' already: .*notebook"):
        networks.register(scale(module="another"))
    mine = type("UNet", (torch.nn.Module,), {})
    with pytest.raises(ValueError, match="there is a network 'UNet' already"):
        networks.register(mine)
    lambdas = Table("loss", one=lambda: 1)
    with pytest.raises(ValueError, match="there is a loss 'one' already"):  # all are called alike
        lambdas["one"] = lambda: 2


def test_what_has_no_name_of_its_own_cannot_be_registered(networks):
    with pytest.raises(TypeError, match="the name of a network must be a string, got None"):
        networks.register(torch.nn.Linear(1, 1))


@pytest.mark.parametrize("config", [{"begin": 1.0}, {"start": 1.0, "name": "Scale"}])
def test_a_config_that_cannot_build_the_network_anew(networks, config):
    net = networks.register(scale())()
    net.config = config
    with pytest.raises(TypeError, match=r"Scale\(\*\*config\) must build .* unexpected keyword"):
        fmcore.FlowModel(net, fmcore.OTPath(), (2,))
