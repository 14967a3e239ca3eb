"""Velocity fields of chapters 1, 4, 7 and 11: winds, targets, marginal fields, exact flow maps."""

from fmcore.fields.flow_map import FlowMap
from fmcore.fields.marginal import MarginalField
from fmcore.fields.pairs import PairField
from fmcore.fields.targets import Empirical, GaussianMixture
from fmcore.fields.winds import Rotation, Saddle, Shear, Storm, Sum, Uniform, Vortex, Wind

__all__ = [
    "Empirical",
    "FlowMap",
    "GaussianMixture",
    "MarginalField",
    "PairField",
    "Rotation",
    "Saddle",
    "Shear",
    "Storm",
    "Sum",
    "Uniform",
    "Vortex",
    "Wind",
]
