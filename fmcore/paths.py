r"""Probability paths: how a point of noise and a point of data are joined in time.

A path is a schedule `(a, b)`,

    x_t = a(t) x1 + b(t) x0,        x0 ~ N(0, I),  x1 ~ data,  t = 0 noise, t = 1 data,

and everything else follows from it. Differentiating gives the conditional velocity

    u_t = a'(t) x1 + b'(t) x0,

the regression target of conditional flow matching (Lipman et al. 2023, theorem 3). The two lines
are a linear system for (x1, x0) with determinant D = a' b - a b', so that a velocity field, an
estimate of the data, an estimate of the noise and the score are four names for one thing:

    x1 = (b v - b' x) / D,      x0 = (a' x - a v) / D,      score = -x0 / b.

With v the marginal velocity these are the posterior means E[x1 | x_t = x] and E[x0 | x_t = x], and
the last one is the score of p_t (Tweedie).
"""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, is_dataclass
from functools import cache, lru_cache
from typing import Any

import torch
from torch import Tensor

from fmcore.checks import expand_time, like, real, shown
from fmcore.tables import Table


class ProbabilityPath(ABC):
    """A schedule of two functions, `a` and `b`; each maps a tensor of times to one of its shape.

    Their derivatives are worked out by automatic differentiation, unless a path states them in
    closed form. Make a path a frozen dataclass of plain numbers, and add it to `PATHS`: then models
    along it can be saved, and the command line knows it.

    >>> from dataclasses import dataclass
    >>> @dataclass(frozen=True)
    ... class Quadratic(ProbabilityPath):
    ...     def a(self, t):
    ...         return t**2
    ...     def b(self, t):
    ...         return 1 - t**2
    >>> Quadratic().da(torch.tensor([0.0, 0.5, 1.0]))
    tensor([0., 1., 2.])
    """

    @abstractmethod
    def a(self, t: Tensor) -> Tensor:
        """Weight of the data at time t."""

    @abstractmethod
    def b(self, t: Tensor) -> Tensor:
        """Weight of the noise at time t."""

    def da(self, t: Tensor) -> Tensor:
        """Time derivative of `a`."""
        return _derivative(self.a, t)

    def db(self, t: Tensor) -> Tensor:
        """Time derivative of `b`."""
        return _derivative(self.b, t)

    def check(self, device: str | torch.device = "cpu") -> None:
        """Raises unless a, b, a' and b' are tensors like t, finite, and a' and b' the derivatives.

        A derivative of the wrong sign would train without a word, and with a lower loss. They are
        compared with finite differences at a few times between 0 and 1. `sample` does this once for
        each path, and so does whatever else takes one.

        >>> class Wrong(OTPath):
        ...     def db(self, t):
        ...         return torch.ones_like(t)
        >>> Wrong().check()
        Traceback (most recent call last):
        ValueError: Wrong.db is not the derivative of b: at t = 0.137 it is 1, and b changes by -1
        """
        wide = torch.float32 if torch.device(device).type == "mps" else torch.float64
        t, h = torch.tensor(_PROBES, dtype=wide, device=device), 1e-3
        for name in ("a", "b"):
            before, after, slope = (
                self._value(f, at) for f, at in ((name, t - h), (name, t + h), (f"d{name}", t))
            )
            expected = (after - before) / (2 * h)
            wrong = (slope - expected).abs() > 0.01 * expected.abs().max().clamp_min(1)
            if wrong.any():
                i = int(wrong.nonzero()[0])
                raise ValueError(
                    f"{type(self).__name__}.d{name} is not the derivative of {name}: at t = "
                    f"{_PROBES[i]} it is {slope[i].item():.4g}, and {name} changes by "
                    f"{expected[i].item():.4g}"
                )

    def _value(self, name: str, t: Tensor) -> Tensor:
        """The schedule `name` at times t, if it is finite and has the shape of t, or none."""
        value = getattr(self, name)(t)
        call = f"{type(self).__name__}.{name}(t) must return a tensor like t"
        if not isinstance(value, Tensor):
            raise TypeError(f"{call}, such as torch.full_like(t, 1.0), got {value!r}")
        if value.shape not in (t.shape, ()):
            raise ValueError(f"{call} of shape {tuple(t.shape)}, got {tuple(value.shape)}")
        if not bool(value.isfinite().all()):
            raise ValueError(f"{call}, finite between 0 and 1, got {value.tolist()}")
        return value.detach().expand_as(t)

    def sample(self, x0: Tensor, x1: Tensor, t: float | Tensor) -> tuple[Tensor, Tensor]:
        """The point `xt` on the path from `x0` to `x1` and the velocity `ut` there.

            xt = a(t) x1 + b(t) x0,    ut = a'(t) x1 + b'(t) x0

        `x0` and `x1` have one shape `(B, *shape)` and one floating dtype; `t` is a number, 0-d or
        `(B,)`, in [0, 1]. Raises `ValueError` or `TypeError` otherwise.

        >>> x0, x1 = torch.zeros(2, 3), torch.ones(2, 3)
        >>> xt, ut = OTPath(sigma_min=0.0).sample(x0, x1, torch.tensor([0.0, 0.5]))
        >>> xt[:, 0], ut[:, 0]
        (tensor([0.0000, 0.5000]), tensor([1., 1.]))
        """
        like("x0", x0, "x1", x1)
        t = expand_time(t, x1)
        check_once(self, t.device)
        xt, ut = self.a(t) * x1 + self.b(t) * x0, self.da(t) * x1 + self.db(t) * x0
        return xt.to(x1.dtype), ut.to(x1.dtype)  # time is float32 beside half precision

    def velocity_to_data(self, v: Tensor, x: Tensor, t: float | Tensor) -> Tensor:
        """E[x1 | x_t = x] from the marginal velocity: (b v - b' x) / (a' b - a b')."""
        _, a, b, da, db = self._schedule(v, x, t, "v")
        return ((b * v - db * x) / (da * b - a * db)).to(x.dtype)

    def velocity_to_noise(self, v: Tensor, x: Tensor, t: float | Tensor) -> Tensor:
        """E[x0 | x_t = x] from the marginal velocity: (a' x - a v) / (a' b - a b')."""
        _, a, b, da, db = self._schedule(v, x, t, "v")
        return ((da * x - a * v) / (da * b - a * db)).to(x.dtype)

    def velocity_to_score(self, v: Tensor, x: Tensor, t: float | Tensor) -> Tensor:
        """The score, grad log p_t(x) = -E[x0 | x_t = x] / b.

        `ValueError` where b(t) = 0: the noise is gone there and v no longer holds the score.
        """
        t, _, b, _, _ = self._schedule(v, x, t, "v")
        self._refuse(b == 0, t, "the score cannot be told from the velocity where b(t) = 0")
        return (-self.velocity_to_noise(v, x, t.flatten()) / b).to(x.dtype)

    def data_to_velocity(self, x1: Tensor, x: Tensor, t: float | Tensor) -> Tensor:
        """The velocity a' x1 + b' x0 with x0 = (x - a x1) / b; `ValueError` where b(t) = 0."""
        t, a, b, da, db = self._schedule(x1, x, t, "x1")
        self._refuse(b == 0, t, "the velocity cannot be told from the data where b(t) = 0")
        return (da * x1 + db * (x - a * x1) / b).to(x.dtype)

    def noise_to_velocity(self, x0: Tensor, x: Tensor, t: float | Tensor) -> Tensor:
        """The velocity a' x1 + b' x0 with x1 = (x - b x0) / a; `ValueError` where a(t) = 0."""
        t, a, b, da, db = self._schedule(x0, x, t, "x0")
        self._refuse(a == 0, t, "the velocity cannot be told from the noise where a(t) = 0")
        return (da * (x - b * x0) / a + db * x0).to(x.dtype)

    def score_to_velocity(self, score: Tensor, x: Tensor, t: float | Tensor) -> Tensor:
        """The velocity from the score, through x0 = -b score; `ValueError` where a(t) = 0."""
        t, a, b, _, _ = self._schedule(score, x, t, "score")
        self._refuse(a == 0, t, "the velocity cannot be told from the score where a(t) = 0")
        return self.noise_to_velocity((-b * score).to(x.dtype), x, t.flatten())

    def _schedule(self, y: Tensor, x: Tensor, t: float | Tensor, name: str) -> tuple[Tensor, ...]:
        """`(t, a, b, a', b')`, shaped to broadcast over `x`; raises unless `y` and `x` match."""
        like(name, y, "x", x)
        t = expand_time(t, x)
        return t, self.a(t), self.b(t), self.da(t), self.db(t)

    def _refuse(self, bad: Tensor, t: Tensor, problem: str) -> None:
        if bad.any():
            raise ValueError(f"{problem}: t = {shown(t[bad].flatten()[0].item())} on {self}")


_PROBES = (0.137, 0.291, 0.463, 0.618, 0.772, 0.891)


def check_once(path: ProbabilityPath, device: torch.device) -> None:
    """`path.check(device)`, unless an equal one has passed; one without a hash is checked again."""
    if not isinstance(path, ProbabilityPath):
        raise TypeError(f"path must be a ProbabilityPath, got {type(path).__name__}")
    try:
        hash(path)
    except TypeError:
        path.check(device)
    else:
        _checked(path, device)


@lru_cache(maxsize=64)
def _checked(path: ProbabilityPath, device: torch.device) -> None:
    path.check(device)


def _derivative(schedule: Callable[[Tensor], Tensor], t: Tensor) -> Tensor:
    """d schedule / dt at each of the times, in forward mode."""
    t = t.contiguous()  # a time that was expanded over a batch has no place for a tangent
    return _forward_mode()(schedule, (t,), (torch.ones_like(t),))[1]


@cache
def _forward_mode() -> Callable[..., Any]:
    """`torch.func.jvp` after its first use, in which torch warns of a part of its own."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "`torch.jit.script` is deprecated", FutureWarning)
        torch.func.jvp(torch.sin, (torch.zeros(1),), (torch.ones(1),))
    return torch.func.jvp


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
        self._refuse(b == 0, t, "the velocity is infinite where b(t) = 0")
        return -self.a(t) * self.da(t) / b


def _check_path(name: str, path: type[ProbabilityPath]) -> None:
    if not (isinstance(path, type) and issubclass(path, ProbabilityPath)):
        raise TypeError(f"path {name!r} must be a subclass of ProbabilityPath, got {path!r}")
    if path.__name__ != name:
        raise ValueError(f"path {path.__name__} must be called so in PATHS, not {name!r}")
    if missing := sorted(getattr(path, "__abstractmethods__", ())):
        raise TypeError(f"path {name!r} lacks {', '.join(missing)}")
    if not is_dataclass(path):
        raise TypeError(f"path {name!r} must be a dataclass, so that its numbers can be saved")


PATHS: Table[type[ProbabilityPath]] = Table("path", _check_path, OTPath=OTPath, VPPath=VPPath)
"""The paths by name. Weight files and the command line find a path here."""
