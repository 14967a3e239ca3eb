"""Every public name, flat. `fmcore` reads this module when the first of them is used."""

import fmcore.metrics as metrics  # noqa: F401
from fmcore.couplings import COUPLINGS, FixedPairs, MinibatchOT, reflow_pairs
from fmcore.data import DataUnavailable, ImageData, load_images, toy
from fmcore.density import (
    bits_per_dim,
    continuity_residual,
    divergence,
    log_det,
    log_likelihood,
)
from fmcore.editing import edit, encode, inpaint, slerp
from fmcore.export import export_model
from fmcore.fields import (
    Empirical,
    FlowMap,
    GaussianMixture,
    MarginalField,
    winds,  # noqa: F401
)

# Modules of version 0.1 that have moved into a room: `fmcore.winds.Storm` still works.
from fmcore.fields import targets as distributions  # noqa: F401
from fmcore.flowmaps import RULES, flow_map_loss, jump
from fmcore.folders import load_folder
from fmcore.guidance import Guided
from fmcore.images import dequantize, from_unit, image_grid, save_grid, to_unit
from fmcore.losses import LOSSES, cfm_loss, prediction_loss, reference_loss
from fmcore.models import clamp_time
from fmcore.networks import MLP, NETWORKS, TwoTimes, UNet
from fmcore.paths import (
    PATHS,
    PREDICTIONS,
    CosinePath,
    OTPath,
    ProbabilityPath,
    VPPath,
    as_velocity,
    change_path,
)
from fmcore.results import measured
from fmcore.sampling import generate
from fmcore.solvers import (
    GRIDS,
    SDE_METHODS,
    SOLVERS,
    ButcherTableau,
    Solution,
    multistep,
    odeint,
    sdeint,
    tableaus,  # noqa: F401
)
from fmcore.stochastic import same_marginals
from fmcore.training import (  # noqa: F401
    RECIPES,
    CheckpointError,
    Checkpoints,
    Progress,
    Recipe,
    TrainConfig,
    checkpoints,
    fit,
    recipes,
    train,
)
from fmcore.training import processes as parallel  # noqa: F401
from fmcore.weights import FlowModel, load_pretrained, load_weights, save_weights

__all__ = [
    "COUPLINGS", "GRIDS", "LOSSES", "MLP", "NETWORKS", "PATHS", "PREDICTIONS", "RECIPES",
    "RULES", "SDE_METHODS", "SOLVERS", "ButcherTableau", "CheckpointError", "Checkpoints",
    "CosinePath", "DataUnavailable", "Empirical", "FixedPairs", "FlowMap", "FlowModel",
    "GaussianMixture", "Guided", "ImageData", "MarginalField", "MinibatchOT", "OTPath",
    "ProbabilityPath", "Progress", "Recipe", "Solution", "TrainConfig", "TwoTimes", "UNet",
    "VPPath", "as_velocity", "bits_per_dim", "cfm_loss", "change_path", "clamp_time",
    "continuity_residual", "dequantize", "divergence", "edit", "encode", "export_model", "fit",
    "flow_map_loss", "from_unit", "generate", "image_grid", "inpaint", "jump", "load_folder",
    "load_images", "load_pretrained", "load_weights", "log_det", "log_likelihood", "measured",
    "multistep", "odeint", "prediction_loss", "reference_loss", "reflow_pairs",
    "same_marginals", "save_grid", "save_weights", "sdeint", "slerp", "to_unit", "toy", "train",
]  # fmt: skip
