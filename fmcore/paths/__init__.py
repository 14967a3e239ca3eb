"""Paths of chapters 4 and 6: schedules, what a network may predict along them, a change of path."""

from fmcore.paths.change import change_path
from fmcore.paths.path import ProbabilityPath, check_once
from fmcore.paths.predictions import PREDICTIONS, as_velocity, error_weight, prediction_target
from fmcore.paths.schedules import PATHS, CosinePath, OTPath, VPPath

__all__ = [
    "PATHS",
    "PREDICTIONS",
    "CosinePath",
    "OTPath",
    "ProbabilityPath",
    "VPPath",
    "as_velocity",
    "change_path",
    "check_once",
    "error_weight",
    "prediction_target",
]
