"""The paths by name: optimal transport, variance-preserving diffusion, a quarter of a circle."""

from __future__ import annotations

import math
from dataclasses import dataclass, is_dataclass

import torch
from torch import Tensor

from fmcore.checks import real
from fmcore.paths.path import ProbabilityPath
from fmcore.tables import Table


@dataclass(frozen=True)
class OTPath(ProbabilityPath):
    """The optimal-transport path: straight lines at constant speed (Lipman et al. 2023, eq. 22).

        xt = t x1 + (1 - (1 - sigma_min) t) x0,        ut = x1 - (1 - sigma_min) x0

    `sigma_min` in [0, 1) is the noise that is left at t = 1. With 0 the
    path ends on the data itself. The straight line is the *conditional* path; the marginal flow is
    curved in general. Here D = a' b - a b' = 1: data and noise follow from v at every t.

    >>> OTPath(sigma_min=0.1).b(torch.tensor([0.0, 1.0]))
    tensor([1.0000, 0.1000])
    """

    sigma_min: float = 0.0

    def __post_init__(self) -> None:
        # As a plain number, whatever it was: NumPy's could not be saved.
        object.__setattr__(self, "sigma_min", real("sigma_min", self.sigma_min, 0, 1))

    def a(self, t: Tensor) -> Tensor:
        return t

    def b(self, t: Tensor) -> Tensor:
        # Not 1 - (1 - sigma_min) t, which in floating point misses sigma_min at t = 1.
        return (1 - t) + self.sigma_min * t

    def da(self, t: Tensor) -> Tensor:
        return torch.ones_like(t)

    def db(self, t: Tensor) -> Tensor:
        return torch.full_like(t, self.sigma_min - 1)

    def time_at(self, a: Tensor, b: Tensor) -> Tensor:
        return (a / (b + (1 - self.sigma_min) * a)).clamp_max(1)  # sigma_min keeps some noise


@dataclass(frozen=True)
class VPPath(ProbabilityPath):
    r"""The variance-preserving diffusion path, run from noise to data (Song et al. 2021, eq. 33).

        a(t) = exp(-T(1 - t) / 2),   b(t) = sqrt(1 - a(t)^2),
        T(s) = beta_min s + (beta_max - beta_min) s^2 / 2

    At t = 0 a little of the data is left: a(0) = exp(-T(1) / 2), 0.0066 with
    the usual constants. At t = 1 the velocity is infinite, since b falls to 0 like a square root:
    asking for it there is a `ValueError`.

    >>> VPPath().a(torch.tensor([0.0, 1.0]))
    tensor([0.0066, 1.0000])
    """

    beta_min: float = 0.1
    beta_max: float = 20.0

    def __post_init__(self) -> None:
        for name in ("beta_min", "beta_max"):
            object.__setattr__(self, name, real(name, getattr(self, name)))
        if not 0 < self.beta_min <= self.beta_max:
            raise ValueError(
                "beta_min and beta_max must satisfy 0 < beta_min <= beta_max, "
                f"got {self.beta_min!r} and {self.beta_max!r}"
            )

    def _beta(self, t: Tensor) -> Tensor:
        return self.beta_min + (self.beta_max - self.beta_min) * (1 - t)

    def _integral(self, t: Tensor) -> Tensor:
        s = 1 - t
        return self.beta_min * s + (self.beta_max - self.beta_min) * s**2 / 2

    def a(self, t: Tensor) -> Tensor:
        return torch.exp(-self._integral(t) / 2)

    def b(self, t: Tensor) -> Tensor:
        return torch.sqrt(-torch.expm1(-self._integral(t)))  # exact near t = 1, where a is near 1

    def da(self, t: Tensor) -> Tensor:
        return self._beta(t) * self.a(t) / 2

    def db(self, t: Tensor) -> Tensor:
        b = self.b(t)
        self.refuse(b == 0, t, "the velocity is infinite where b(t) = 0")
        return -self.a(t) * self.da(t) / b

    def time_at(self, a: Tensor, b: Tensor) -> Tensor:
        # T(s) = -2 log a(t) = log(1 + b^2 / a^2), a quadratic equation for s = 1 - t.
        most = self._integral(torch.zeros_like(a))
        integral = torch.log1p((b / a).square()).minimum(most)  # infinite where a = 0
        rise = 2 * (self.beta_max - self.beta_min) * integral
        s = 2 * integral / (self.beta_min + torch.sqrt(self.beta_min**2 + rise))
        return (1 - s).clamp_min(0)


@dataclass(frozen=True)
class CosinePath(ProbabilityPath):
    """The cosine path, a quarter of a circle at constant speed: a^2 + b^2 = 1.

        xt = sin(pi t / 2) x1 + cos(pi t / 2) x0

    The trigonometric interpolant of Albergo & Vanden-Eijnden 2023, and the cosine schedule of
    Nichol & Dhariwal 2021 (eq. 17) without its offset, so that it begins at the noise and ends at
    the data. Here D = a' b - a b' = pi / 2: data and noise follow from v at every t.

    >>> CosinePath().b(torch.tensor([0.0, 0.5, 1.0]))
    tensor([1.0000, 0.7071, 0.0000])
    """

    def a(self, t: Tensor) -> Tensor:
        return torch.sin(math.pi / 2 * t)

    def b(self, t: Tensor) -> Tensor:
        # Not cos(pi t / 2), which in floating point misses 0 at t = 1, where scores are refused.
        return torch.sin(math.pi / 2 * (1 - t))

    def da(self, t: Tensor) -> Tensor:
        return math.pi / 2 * self.b(t)

    def db(self, t: Tensor) -> Tensor:
        return -math.pi / 2 * self.a(t)

    def time_at(self, a: Tensor, b: Tensor) -> Tensor:
        return (torch.atan2(a, b) / (math.pi / 2)).clamp_max(1)


def _check_path(name: str, path: type[ProbabilityPath]) -> None:
    if not (isinstance(path, type) and issubclass(path, ProbabilityPath)):
        raise TypeError(f"path {name!r} must be a subclass of ProbabilityPath, got {path!r}")
    if path.__name__ != name:
        raise ValueError(f"path {path.__name__} must be called that in PATHS, not {name!r}")
    if missing := sorted(getattr(path, "__abstractmethods__", ())):
        raise TypeError(f"path {name!r} lacks {', '.join(missing)}")
    if not is_dataclass(path):
        raise TypeError(f"path {name!r} must be a dataclass, so that its numbers can be saved")


PATHS: Table[type[ProbabilityPath]] = Table(
    "path", _check_path, OTPath=OTPath, VPPath=VPPath, CosinePath=CosinePath
)
"""The paths by name. Weight files and the command line find a path here."""
