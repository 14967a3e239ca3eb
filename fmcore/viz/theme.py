"""One visual language for every figure: what each colour means, and how a page is set.

A figure of the book is one image that must hold on white and on the dark theme's `#121212`. Every
colour here therefore has a contrast of at least 3:1 on both (Web Content Accessibility Guidelines
2.2, criterion 1.4.11), and text is the grey in the middle: 4.31:1 on white, 4.34:1 on `#121212`,
where no colour can have more than 4.33:1 on both. The roles differ from one another, and the
solvers among themselves, for deuteranopes and protanopes too; solvers also differ by marker.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
from cycler import cycler  # comes with matplotlib
from matplotlib.colors import LinearSegmentedColormap, to_rgb

from fmcore.checks import one_of

from .checks import Method, solver_name

COLORS: dict[str, str] = {
    "source": "#4b6db6",  # noise, x0
    "target": "#c8622b",  # data, x1
    "path": "#a074ea",  # what moves between them, xt
    "field": "#589080",  # the velocity field itself
    "euler": "#c43a0c",
    "midpoint": "#b08c12",
    "heun": "#26775a",
    "rk4": "#0f97f5",
    "bosh3": "#6b5ad4",
    "dopri5": "#d3499b",
    "ink": "#777a7e",  # text and reference curves
    "muted": "#777a7e80",  # spines and ticks, which should recede
}
"""The colours of all figures, by what they stand for; they hold on light pages and on dark ones."""


@dataclass(frozen=True)
class SolverStyle:
    """How one solver is drawn: its name in a legend, its colour, marker and line style."""

    label: str
    color: str
    marker: str
    linestyle: Any

    @property
    def line(self) -> dict[str, Any]:
        """The keyword arguments of `Axes.plot` that carry the style."""
        return {"color": self.color, "marker": self.marker, "linestyle": self.linestyle}


_DASHED, _DOTTED, _DASH_DOTTED = (0, (4, 1.6)), (0, (1.2, 1.2)), (0, (4, 1.4, 1.2, 1.4))
_SOLVER_STYLES = {
    "euler": SolverStyle("Euler", COLORS["euler"], "o", "-"),
    "midpoint": SolverStyle("Midpoint", COLORS["midpoint"], "s", _DASHED),
    "heun": SolverStyle("Heun", COLORS["heun"], "^", "-"),
    "rk4": SolverStyle("RK4", COLORS["rk4"], "D", _DASHED),
    "bosh3": SolverStyle("Bogacki–Shampine", COLORS["bosh3"], "v", _DOTTED),
    "dopri5": SolverStyle("Dormand–Prince", COLORS["dopri5"], "P", _DASH_DOTTED),
}


def solver_style(method: Method) -> SolverStyle:
    """The style of a solver; ink and dots if the library has none for it.

    `method` is a key of `SOLVERS` or a `ButcherTableau`. Raises ValueError for any other name.

    >>> from fmcore.solvers import ButcherTableau
    >>> solver_style("heun").marker
    '^'
    >>> ralston = ButcherTableau("ralston", order=2, a=((), (2/3,)), b=(1/4, 3/4), c=(0, 2/3))
    >>> solver_style(ralston)
    SolverStyle(label='Ralston', color='#777a7e', marker='o', linestyle='-')
    """
    name = solver_name(method)
    if name in _SOLVER_STYLES:
        return _SOLVER_STYLES[name]
    label = name.replace("_", " ").title() if name.islower() else name
    return SolverStyle(label, COLORS["ink"], "o", "-")


def ramp(color: str) -> LinearSegmentedColormap:
    """A sequential colormap from nothing (transparent) to `color`, for any background.

    >>> print(*ramp("#ff0000")([0.0, 1.0])[:, 3])
    0.0 1.0
    """
    # Opacity rises faster than the value at first, so that the faint end is visible on both pages.
    steps = [0.0, 0.25, 0.5, 0.75, 1.0]
    return LinearSegmentedColormap.from_list(
        "ramp", [(s, (*to_rgb(color), s**0.75)) for s in steps], N=256
    )


# Text and the colour of frames; "auto" holds on both pages.
_INKS = {
    "auto": (COLORS["ink"], COLORS["muted"]),
    "light": ("#26292d", "#8a8f96"),
    "dark": ("#dfe2e6", "#7d838b"),
}


def _rc(name: str) -> dict[Any, Any]:
    """The settings of matplotlib for a page."""
    ink, frame = _INKS[one_of("theme", name, _INKS)]
    order = ["path", "target", "source", "heun", "midpoint", "dopri5"]
    return {
        # 7 inches at 100 dots: 700 CSS px wide, and 9 px type where a phone shows it at 360.
        "figure.figsize": (7.0, 4.4),
        "figure.dpi": 100,
        "savefig.dpi": 200,
        "figure.constrained_layout.use": True,
        "figure.facecolor": "none",
        "axes.facecolor": "none",
        "savefig.facecolor": "none",
        "font.family": "sans-serif",
        "font.sans-serif": ["DejaVu Sans"],  # matplotlib ships it: the same everywhere
        "font.size": 13,
        "axes.titlesize": 13,
        "axes.labelsize": 13,
        "xtick.labelsize": 12,
        "ytick.labelsize": 12,
        "legend.fontsize": 12,
        "legend.frameon": False,
        "legend.handlelength": 2.2,
        "text.color": ink,
        "axes.labelcolor": ink,
        "axes.titlecolor": ink,
        "xtick.labelcolor": ink,
        "ytick.labelcolor": ink,
        "xtick.color": frame,
        "ytick.color": frame,
        "axes.edgecolor": frame,
        "axes.linewidth": 0.8,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.titlepad": 8,
        "axes.prop_cycle": cycler(color=[COLORS[k] for k in order]),
        "xtick.major.width": 0.8,
        "ytick.major.width": 0.8,
        "xtick.minor.width": 0.5,
        "ytick.minor.width": 0.5,
        "lines.linewidth": 1.8,
        "lines.markersize": 5.5,
        "grid.color": frame,
        "grid.linewidth": 0.5,
    }


@contextmanager
def theme(name: str = "auto") -> Generator[None, None, None]:
    """A context in which figures are set for a page that is "light", "dark" or either ("auto").

    >>> with theme("light"):
    ...     mpl.rcParams["text.color"]
    '#26292d'
    """
    with mpl.rc_context(_rc(name)):
        yield


def use_theme(name: str = "auto") -> None:
    """Set the theme for the rest of the notebook, whose pictures get two pixels per CSS pixel."""
    mpl.rcParams.update(_rc(name))
    try:
        from IPython import get_ipython
        from matplotlib_inline.backend_inline import set_matplotlib_formats
    except ImportError:  # no notebook, nothing to set
        return
    if get_ipython() is not None:
        set_matplotlib_formats("retina")
