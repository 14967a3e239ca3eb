"""Velocity fields of chapters 1 and 4: winds, targets, and the marginal field between them."""

from fmcore.fields.marginal import MarginalField
from fmcore.fields.targets import Empirical, GaussianMixture
from fmcore.fields.winds import Rotation, Saddle, Shear, Storm, Sum, Uniform, Vortex, Wind

__all__ = [
    "Empirical",
    "GaussianMixture",
    "MarginalField",
    "Rotation",
    "Saddle",
    "Shear",
    "Storm",
    "Sum",
    "Uniform",
    "Vortex",
    "Wind",
]
