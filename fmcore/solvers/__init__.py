"""Solvers: tableaux as data, ODEs on fixed and adaptive grids, SDEs, multistep along a path."""

from fmcore.solvers.field import VectorField
from fmcore.solvers.multistep import GRIDS, multistep
from fmcore.solvers.ode import Solution, odeint
from fmcore.solvers.sde import SDE_METHODS, sdeint
from fmcore.solvers.tableaus import SOLVERS, ButcherTableau

__all__ = [
    "GRIDS",
    "SDE_METHODS",
    "SOLVERS",
    "ButcherTableau",
    "Solution",
    "VectorField",
    "multistep",
    "odeint",
    "sdeint",
]
