"""Seeing velocity fields, particles and digits: still figures, and labs for a live kernel."""

from . import labs, plots
from .figure import FlowFigure
from .theme import COLORS, ramp, solver_style, theme, use_theme

__all__ = ["COLORS", "FlowFigure", "labs", "plots", "ramp", "solver_style", "theme", "use_theme"]
