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
from functools import cache, lru_cache
from typing import Any

import torch
from torch import Tensor

from fmcore.checks import batch_time, expand_time, first, floating, like, shown
from fmcore.models import evaluate, layers


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

    def time_at(self, a: Tensor, b: Tensor) -> Tensor:
        """The time t at which a(t) : b(t) is `a` : `b`, two tensors of one shape, at least 0.

        Of a ratio that the path never has it is the nearest time, 0 or 1. The ratio has to grow
        with t. It is found by bisection, and no gradient flows, unless a path has a closed form.

        >>> from fmcore.paths import OTPath
        >>> OTPath().time_at(torch.tensor([0.0, 3.0, 1.0]), torch.tensor([1.0, 1.0, 0.0]))
        tensor([0.0000, 0.7500, 1.0000])
        """
        with torch.no_grad():
            low, high = torch.zeros_like(a), torch.ones_like(a)
            for _ in range(64):  # until low and high are neighbours in float64, or 0 and 2^-64
                t = (low + high) / 2
                later = self.a(t) * b < self.b(t) * a
                low, high = torch.where(later, t, low), torch.where(later, high, t)
            return low

    def check(self, device: str | torch.device = "cpu") -> None:
        """Raises unless a, b, a' and b' are tensors like t, finite, and a' and b' the derivatives.

        A derivative of the wrong sign would train without a word, and with a lower loss. They are
        compared with finite differences at a few times between 0 and 1. `sample` does this once for
        each path, and so does whatever else takes one.

        >>> from fmcore.paths import OTPath
        >>> class Wrong(OTPath):
        ...     def db(self, t):
        ...         return torch.ones_like(t)
        >>> Wrong().check()
        Traceback (most recent call last):
        ValueError: Wrong.db is not the derivative of b: at t = 0.137 it is 1, and should be -1
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
                    f"{_PROBES[i]} it is {slope[i].item():.4g}, and should be "
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

        >>> from fmcore.paths import OTPath
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
        t, a, b, da, db = self._schedule(v, x, t, "v")
        return ((b * v - db * x) / self._determinant(t, a, b, da, db)).to(x.dtype)

    def velocity_to_noise(self, v: Tensor, x: Tensor, t: float | Tensor) -> Tensor:
        """E[x0 | x_t = x] from the marginal velocity: (a' x - a v) / (a' b - a b')."""
        t, a, b, da, db = self._schedule(v, x, t, "v")
        return ((da * x - a * v) / self._determinant(t, a, b, da, db)).to(x.dtype)

    def velocity_to_score(self, v: Tensor, x: Tensor, t: float | Tensor) -> Tensor:
        """The score, grad log p_t(x) = -E[x0 | x_t = x] / b.

        `ValueError` where b(t) = 0: the noise is gone there and v no longer determines the score.
        """
        t, _, b, _, _ = self._schedule(v, x, t, "v")
        self.refuse(b == 0, t, "the score cannot be recovered from the velocity where b(t) = 0")
        return (-self.velocity_to_noise(v, x, t.flatten()) / b).to(x.dtype)

    def data_to_velocity(self, x1: Tensor, x: Tensor, t: float | Tensor) -> Tensor:
        """The velocity a' x1 + b' x0 with x0 = (x - a x1) / b; `ValueError` where b(t) = 0."""
        t, a, b, da, db = self._schedule(x1, x, t, "x1")
        self.refuse(b == 0, t, "the velocity cannot be recovered from the data where b(t) = 0")
        return (da * x1 + db * (x - a * x1) / b).to(x.dtype)

    def noise_to_velocity(self, x0: Tensor, x: Tensor, t: float | Tensor) -> Tensor:
        """The velocity a' x1 + b' x0 with x1 = (x - b x0) / a; `ValueError` where a(t) = 0."""
        t, a, b, da, db = self._schedule(x0, x, t, "x0")
        self.refuse(a == 0, t, "the velocity cannot be recovered from the noise where a(t) = 0")
        return (da * (x - b * x0) / a + db * x0).to(x.dtype)

    def score_to_velocity(self, score: Tensor, x: Tensor, t: float | Tensor) -> Tensor:
        """The velocity from the score, through x0 = -b score; `ValueError` where a(t) = 0."""
        t, a, b, _, _ = self._schedule(score, x, t, "score")
        self.refuse(a == 0, t, "the velocity cannot be recovered from the score where a(t) = 0")
        return self.noise_to_velocity((-b * score).to(x.dtype), x, t.flatten())

    def _schedule(self, y: Tensor, x: Tensor, t: float | Tensor, name: str) -> tuple[Tensor, ...]:
        """`(t, a, b, a', b')`, shaped to broadcast over `x`; raises unless `y` and `x` match."""
        like(name, y, "x", x)
        t = expand_time(t, x)
        return t, self.a(t), self.b(t), self.da(t), self.db(t)

    def _determinant(self, t: Tensor, a: Tensor, b: Tensor, da: Tensor, db: Tensor) -> Tensor:
        d = da * b - a * db
        self.refuse(d == 0, t, "the velocity does not determine the data where a' b - a b' = 0")
        return d

    def refuse(self, bad: Tensor, t: Tensor, problem: str) -> None:
        """Raises with the first of the times `t` that are `bad`."""
        time = first(t, bad)
        if time is not None:
            raise ValueError(f"{problem}: t = {shown(time)} on {self}")


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
    return forward_mode()(schedule, (t,), (torch.ones_like(t),))[1]


@cache
def forward_mode() -> Callable[..., Any]:
    """`torch.func.jvp` after its first use, in which torch warns of a part of its own."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "`torch.jit.script` is deprecated", FutureWarning)
        torch.func.jvp(torch.sin, (torch.zeros(1),), (torch.ones(1),))
    return torch.func.jvp


def time_tensor(t: float | Tensor, x: Tensor) -> Tensor:
    """`t` as a tensor of its own shape, () or (B,); checks and dtype are those of `batch_time`."""
    batch_time(t, x)
    return torch.as_tensor(t, dtype=torch.promote_types(x.dtype, torch.float32), device=x.device)


def check_field(v: Any, path: Any) -> None:
    """Raises unless `v` is callable, and `path` a path: that of `v`, if `v` says which it has."""
    if not callable(v):
        raise TypeError(f"v must be callable as v(x, t), got {type(v).__name__}")
    check_once(path, torch.device("cpu"))
    paths = (getattr(layer, "path", None) for layer in layers(v))
    own = next((own for own in paths if isinstance(own, ProbabilityPath)), path)
    if own != path:
        raise ValueError(f"v is a field along {own}, and path is {path}")


def answer(v: Callable[..., Tensor], x: Tensor, t: Tensor, label: Tensor | None) -> Tensor:
    """`v(x, t)` or `v(x, t, label)` in float32 or better, if it is a tensor of the shape of `x`."""
    y = floating("v(x, t)", evaluate(v, x, t, label)).to(x.dtype)  # autocast may have rounded it
    like("v(x, t)", y, "x", x)
    return y.to(torch.promote_types(x.dtype, torch.float32))
