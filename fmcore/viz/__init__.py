"""Velocity fields, particles and digits to look at: still figures, living ones, labs."""

from . import labs
from .living.digit_figure import DigitFigure
from .living.flow_figure import FlowFigure
from .living.hand_figure import HandFigure
from .living.jump_figure import JumpFigure
from .living.pair_figure import PairFigure
from .living.playground import PlaygroundFigure
from .living.wire_figure import WireFigure
from .stills import plots
from .theme import COLORS, ramp, solver_style, theme, use_theme

__all__ = [
    "COLORS",
    "DigitFigure",
    "FlowFigure",
    "HandFigure",
    "JumpFigure",
    "PairFigure",
    "PlaygroundFigure",
    "WireFigure",
    "labs",
    "plots",
    "ramp",
    "solver_style",
    "theme",
    "use_theme",
]
