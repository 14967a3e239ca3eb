"""Solvers of chapter 2: Butcher tableaux as data, ODEs on fixed and adaptive grids, and SDEs."""

from fmcore.solvers.field import VectorField
from fmcore.solvers.ode import Solution, odeint
from fmcore.solvers.sde import SDE_METHODS, sdeint
from fmcore.solvers.tableaus import SOLVERS, ButcherTableau

__all__ = [
    "SDE_METHODS",
    "SOLVERS",
    "ButcherTableau",
    "Solution",
    "VectorField",
    "odeint",
    "sdeint",
]
