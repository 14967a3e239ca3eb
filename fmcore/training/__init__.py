"""Training of chapter 9: `fit` is the loop; recipes, checkpoints and processes are around it."""

from fmcore.config import TrainConfig
from fmcore.training.checkpoints import CheckpointError, Checkpoints
from fmcore.training.loop import about_training, fit, train
from fmcore.training.processes import Team, joined, team
from fmcore.training.recipes import RECIPES, Recipe
from fmcore.training.state import Progress

__all__ = [
    "RECIPES",
    "CheckpointError",
    "Checkpoints",
    "Progress",
    "Recipe",
    "Team",
    "TrainConfig",
    "about_training",
    "fit",
    "joined",
    "team",
    "train",
]
