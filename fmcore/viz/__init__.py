"""Velocity fields, particles and digits to look at: still figures, living ones, labs."""

from . import labs, plots
from .digit_figure import DigitFigure
from .figure import FlowFigure
from .theme import COLORS, ramp, solver_style, theme, use_theme

__all__ = [
    "COLORS",
    "DigitFigure",
    "FlowFigure",
    "labs",
    "plots",
    "ramp",
    "solver_style",
    "theme",
    "use_theme",
]
