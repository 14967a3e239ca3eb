"""Bad input of every kind: an error of the right kind, early, that says what was given."""

import in_couplings
import in_editing
import in_fields
import in_figures
import in_flowmaps
import in_jump_figure
import in_multistep
import in_pair_figure
import in_paths
import in_playground
import in_sampling
import in_solvers
import in_training
import matplotlib
import pytest
from matplotlib import pyplot as plt

import fmcore

matplotlib.use("agg")

ROOMS = (
    in_fields,
    in_paths,
    in_solvers,
    in_multistep,
    in_couplings,
    in_flowmaps,
    in_training,
    in_sampling,
    in_editing,
    in_figures,
    in_jump_figure,
    in_pair_figure,
    in_playground,
)
ROWS = [row for room in ROOMS for row in room.ROWS]
# What a function returns, which nobody builds, and what `fit` looks at: see `train_on`.
RESULTS = {fmcore.Progress, fmcore.Solution, fmcore.ImageData}


@pytest.fixture(autouse=True)
def nothing_is_left():
    """No figure stays open, and no theme in use."""
    with matplotlib.rc_context():
        yield
    plt.close("all")


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_bad_input_is_refused_by_name(row):
    with pytest.raises(row.error) as caught:
        row.call(**row.changes)
    assert row.piece in str(caught.value)


@pytest.mark.parametrize("call", {id(row.call): row.call for row in ROWS}.values(), ids=str)
def test_without_the_change_the_call_works(call):
    call()


def test_no_public_function_is_left_out():
    """A class is built, or one of its methods is called; an exception is raised."""
    known = {row.call.function for row in ROWS} | {row.error for row in ROWS} | RESULTS
    owners = [getattr(function, "__self__", None) for function in known]
    for name in fmcore.__all__:
        public = getattr(fmcore, name)
        by_method = isinstance(public, type) and any(isinstance(o, public) for o in owners)
        assert not callable(public) or public in known or by_method, f"no bad input to {name}"


def test_the_rows_are_many_and_differ():
    names = [str(row) for row in ROWS]
    assert len(names) >= 250
    assert sorted(names) == sorted(set(names))
