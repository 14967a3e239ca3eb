"""What the tests of figures share: no windows, a generator, a small network, a reader's solver."""

import matplotlib
import pytest
import torch
from matplotlib import pyplot as plt

from fmcore.networks import UNet
from fmcore.solvers import SOLVERS, ButcherTableau

matplotlib.use("agg")


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


@pytest.fixture
def gen():
    return torch.Generator().manual_seed(1)


@pytest.fixture
def unet():
    return UNet(base=8)


@pytest.fixture
def ralston():
    """A tableau that the library does not have."""
    return ButcherTableau("own", order=2, a=((), (2 / 3,)), b=(1 / 4, 3 / 4), c=(0, 2 / 3))


@pytest.fixture(params=["registered", "passed"])
def own_solver(request, ralston, monkeypatch):
    """A solver of a reader's own: its name in `SOLVERS`, or the tableau itself."""
    if request.param == "passed":
        return ralston
    monkeypatch.setitem(SOLVERS, "own", ralston)
    return "own"
