"""fmcore: flow matching, small and exact.

Time runs from noise at t = 0 to data at t = 1. A velocity field is a callable `v(x, t)`.
"""

from fmcore.losses import cfm_loss
from fmcore.networks import MLP, UNet
from fmcore.paths import OTPath, Path, VPPath
from fmcore.training import TrainConfig, fit
from fmcore.weights import FlowModel, load_pretrained, load_weights, save_weights

__version__ = "0.1.0"
