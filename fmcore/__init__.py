"""fmcore: flow matching, small and exact.

Time runs from noise at t = 0 to data at t = 1. A velocity field is a callable `v(x, t)`.

>>> import torch, fmcore
>>> model = fmcore.load_pretrained("mnist")
>>> fmcore.generate(model, 4, steps=2, generator=torch.Generator().manual_seed(0)).shape
torch.Size([4, 1, 28, 28])
"""

from fmcore.checkpoints import CheckpointError, Checkpoints
from fmcore.data import DataUnavailable, dequantize, load_images, toy
from fmcore.density import (
    bits_per_dim,
    continuity_residual,
    divergence,
    log_det,
    log_likelihood,
)
from fmcore.fields import Empirical, GaussianMixture, MarginalField
from fmcore.losses import cfm_loss, reference_loss
from fmcore.networks import MLP, UNet
from fmcore.paths import OTPath, Path, VPPath
from fmcore.recipes import RECIPES, Recipe, TrainConfig
from fmcore.sampling import Guided, generate, slerp
from fmcore.solvers import SOLVERS, ButcherTableau, Solution, odeint, sdeint
from fmcore.training import Metrics, fit
from fmcore.weights import FlowModel, load_pretrained, load_weights, save_weights

__version__ = "0.1.0"

__all__ = [
    "MLP",
    "RECIPES",
    "SOLVERS",
    "ButcherTableau",
    "CheckpointError",
    "Checkpoints",
    "DataUnavailable",
    "Empirical",
    "FlowModel",
    "GaussianMixture",
    "Guided",
    "MarginalField",
    "Metrics",
    "OTPath",
    "Path",
    "Recipe",
    "Solution",
    "TrainConfig",
    "UNet",
    "VPPath",
    "bits_per_dim",
    "cfm_loss",
    "continuity_residual",
    "dequantize",
    "divergence",
    "fit",
    "generate",
    "load_images",
    "load_pretrained",
    "load_weights",
    "log_det",
    "log_likelihood",
    "odeint",
    "reference_loss",
    "save_weights",
    "sdeint",
    "slerp",
    "toy",
]
