"""The visual language: colours that hold on both pages and for all eyes, styles of solvers."""

import dataclasses

import matplotlib
import numpy as np
import pytest
from matplotlib import pyplot as plt
from matplotlib.colors import to_rgb

from fmcore.fields import Rotation
from fmcore.solvers import SOLVERS
from fmcore.viz import COLORS, plots, ramp, solver_style, theme, use_theme

SOLVER_NAMES = ("euler", "midpoint", "heun", "rk4", "bosh3", "dopri5")


def linear(color):
    c = np.array(to_rgb(color))
    return np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)


def contrast(a, b):
    y = sorted(np.array([linear(a), linear(b)]) @ [0.2126, 0.7152, 0.0722])
    return (y[1] + 0.05) / (y[0] + 0.05)


@pytest.mark.parametrize("page", ["#ffffff", "#121212"])
def test_colours_hold_on_both_pages(page):
    for name, color in COLORS.items():
        if name != "muted":
            assert contrast(color, page) >= (4.3 if name == "ink" else 3.0), name


# Machado, Oliveira & Fernandes 2009, severity 1.0, on linear RGB
EYES = {
    "full": np.eye(3),
    "protan": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deutan": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
}


def oklab(rgb):  # Ottosson 2020
    lms = np.cbrt(
        np.clip(rgb, 0, 1)
        @ np.array(
            [
                [0.4122214708, 0.2119034982, 0.0883024619],
                [0.5363325363, 0.6806995451, 0.2817188376],
                [0.0514459929, 0.1073969566, 0.6299787005],
            ]
        )
    )
    return lms @ np.array(
        [
            [0.2104542553, 1.9779984951, 0.0259040371],
            [0.7936177850, -2.4285922050, 0.7827717662],
            [-0.0040720468, 0.4505937099, -0.8086757660],
        ]
    )


@pytest.mark.parametrize("eyes", EYES)
@pytest.mark.parametrize("group", [("source", "target", "path", "field"), SOLVER_NAMES])
def test_colours_differ_for_all_eyes(eyes, group):
    seen = oklab(np.array([linear(COLORS[name]) for name in group]) @ np.array(EYES[eyes]).T)
    gap = np.linalg.norm(seen[:, None] - seen[None], axis=-1) + np.eye(len(group))
    assert gap.min() > 0.09  # about five times what one can just tell apart


def test_the_solvers_of_the_book_have_styles_of_their_own():
    """One that is added later has the default style, until it gets one."""
    assert set(SOLVER_NAMES) <= set(SOLVERS)
    styles = [solver_style(name) for name in SOLVER_NAMES]
    assert len({s.color for s in styles}) == len({s.marker for s in styles}) == len(SOLVER_NAMES)


def test_a_solver_of_ones_own_has_a_style_and_an_unknown_one_has_none(own_solver):
    style = solver_style(own_solver)
    assert (style.label, style.color, style.marker) == ("Own", COLORS["ink"], "o")
    with pytest.raises(ValueError, match="'euler', 'midpoint'.*got 'nonsense'"):
        solver_style("nonsense")


@pytest.mark.parametrize(("name", "label"), [("my_rk", "My Rk"), ("SSPRK3", "SSPRK3")])
def test_a_label_is_made_of_a_name(name, label, ralston):
    assert solver_style(dataclasses.replace(ralston, name=name)).label == label


def test_theme_is_a_context_with_a_transparent_page():
    before = dict(plt.rcParams)
    with theme():
        assert plt.rcParams["text.color"] == COLORS["ink"]
        figure = plots.quiver(Rotation(1.0)).figure
        figure.canvas.draw()
        assert np.asarray(figure.canvas.buffer_rgba())[0, 0, 3] == 0
    assert dict(plt.rcParams) == before
    for name, page in (("light", "#ffffff"), ("dark", "#121212")):
        with theme(name):
            assert contrast(plt.rcParams["text.color"], page) > 10
    with pytest.raises(ValueError, match="'auto', 'light', 'dark', got 'sepia'"), theme("sepia"):
        pass


def test_use_theme_stays_and_needs_no_notebook():
    with matplotlib.rc_context():
        use_theme("light")
        assert plt.rcParams["figure.facecolor"] == "none"


def test_the_ramp_goes_from_nothing_to_its_colour_and_never_back():
    colors = ramp("#c8622b")(np.linspace(0, 1, 50))
    np.testing.assert_allclose(colors[:, :3], np.tile(to_rgb("#c8622b"), (50, 1)), atol=1e-6)
    assert colors[0, 3] == 0 and colors[-1, 3] == 1 and (np.diff(colors[:, 3]) > 0).all()
