"""Charts are tested by what they draw: every value, averages, slopes."""

import numpy as np
import pytest
import torch

from fmcore.viz import plots


def test_loss_curve_shows_every_value_and_an_unbiased_average():
    steps = torch.arange(0, 400, 2)
    ax = plots.loss_curve(steps, torch.full((200,), 3.0), smooth=0.9, floor=1.0, label="CFM")
    raw, average, floor = ax.lines
    np.testing.assert_allclose(raw.get_xydata().T, [steps, np.full(200, 3.0)])
    np.testing.assert_allclose(average.get_ydata(), 3.0)  # no pull towards 0 at the start
    assert set(floor.get_ydata()) == {1.0} and average.get_label() == "CFM"
    # after a jump from 0 to 1 it keeps 0.9 of its distance at each step
    jump = plots.loss_curve(range(400), [0.0] * 200 + [1.0] * 200, smooth=0.9).lines[1].get_ydata()
    np.testing.assert_allclose((1 - jump[210:240]) / (1 - jump[209:239]), 0.9, rtol=1e-6)


def test_loss_curve_errors():
    for args, message in [
        (([1, 2], [1.0]), "of one length, got 2 and 1"),
        (([], []), "steps is empty"),
        (([1, 2], [1.0, float("nan")]), "losses holds 1 values that are NaN"),
    ]:
        with pytest.raises(ValueError, match=message):
            plots.loss_curve(*args)
    with pytest.raises(ValueError, match=r"smooth must lie in \[0, 1\), got 1"):
        plots.loss_curve([1], [1.0], smooth=1)
    with pytest.raises(ValueError, match="above 0, got -1"):
        plots.loss_curve([1, 2], [1.0, -1.0], log=True)


@pytest.mark.parametrize("against", ["h", "nfe"])
def test_convergence_states_the_order_and_draws_it(against):
    h = 0.5 ** torch.arange(2.0, 8.0, dtype=torch.float64)
    sizes = h if against == "h" else 1 / h
    ax = plots.convergence(sizes, 7 * h**3, method="bosh3", order=3, against=against)
    line, triangle = ax.lines
    assert line.get_label() == "Bogacki–Shampine, order 3.00"
    assert (ax.get_xscale(), ax.get_yscale()) == ("log", "log")
    np.testing.assert_allclose(line.get_xydata().T, [sizes, 7 * h**3])
    corners = np.log(triangle.get_xydata()[:3])
    edges = np.roll(corners, -1, 0) - corners
    flat = np.isclose(edges, 0)
    assert flat.any(1).sum() == 2  # one edge along each axis
    slope = (edges[~flat.any(1), 1] / edges[~flat.any(1), 0]).item()
    assert slope == pytest.approx(3 if against == "h" else -3)
    below = np.interp(corners[:, 0], *np.log(line.get_xydata()[:: 1 if against == "nfe" else -1].T))
    assert (corners[:, 1] < below + 1e-9).all()
    (number,) = ax.texts  # outside of the triangle, at its upright edge
    assert (number.get_text(), number.get_ha()) == ("3", "left" if against == "h" else "right")
    assert "step size" in ax.get_xlabel() if against == "h" else "NFE" in ax.get_xlabel()


def test_convergence_of_a_solver_of_ones_own(own_solver):
    ax = plots.convergence([0.1, 0.05], [0.01, 0.0025], method=own_solver)
    assert ax.lines[0].get_label() == "Own, order 2.00"


def test_convergence_errors():
    for args, message in [
        (([0.1, 0.2], [0.0, 1.0]), "above 0"),
        (([0.1], [1.0]), "at least two different sizes"),
        (([0.1, 0.1], [1.0, 1.0]), "at least two different sizes"),
    ]:
        with pytest.raises(ValueError, match=message):
            plots.convergence(*args)
    with pytest.raises(ValueError, match="against must be one of 'h', 'nfe', got"):
        plots.convergence([1, 2], [1, 2], against="time")


def test_charts_are_wider_than_high_and_planes_are_square():
    field, points = (lambda x, t: -x), torch.zeros(3, 2)
    for ax, size in (
        (plots.loss_curve([1, 2], [0.5, 0.4]), [7.0, 3.6]),
        (plots.convergence([1, 2], [1, 2]), [7.0, 4.8]),
        (plots.quiver(field), [5.0, 5.0]),
        (plots.scatter(points), [5.0, 5.0]),
        (plots.digits(torch.zeros(2, 8, 8), columns=2), [1.6, 1.6 * 8 / 18]),
    ):
        assert ax.figure.get_size_inches().tolist() == pytest.approx(size)
