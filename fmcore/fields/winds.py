"""Winds: velocity fields of the plane that can be written down in one line.

A wind is called as `wind(x, t)` with positions `x` of shape `(B, 2)` and a time `t` in [0, 1]
(a number, 0-d or `(B,)`); it returns the velocities `(B, 2)`, in the dtype and on the device of
`x`. `wind.divergence(x, t)`, shape `(B,)`, is the closed form of dv1/dx1 + dv2/dx2. Winds blow
together with `+`. Every parameter is a plain number or a pair of numbers, so that `as_dict()` is
all that another program, the script of a figure say, needs to know.

>>> (Rotation(rate=1.0) + Uniform(velocity=(5.0, 0.0)))(torch.tensor([[1.0, 2.0]]), 0.0)
tensor([[3., 1.]])
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, cast

import torch
from torch import Tensor

from fmcore.checks import expand_time, floating, positive, real, real_numbers

__all__ = ["Rotation", "Saddle", "Shear", "Storm", "Sum", "Uniform", "Vortex", "Wind"]


class Wind:
    """What all winds share: checks, `+`, and a divergence of zero unless they say otherwise.

    A wind states `_velocity(x, t)` and, where it is not zero, `_divergence(x, t)`: `x` is `(B, 2)`
    and `t` is `(B, 1)`, both checked already.
    """

    def __call__(self, x: Tensor, t: float | Tensor) -> Tensor:
        """The velocity at positions `x` `(B, 2)` and time `t`, shape `(B, 2)`.

        `TypeError` if `x` is not a tensor of a floating dtype, `ValueError` if it is not `(B, 2)`
        or if `t` does not fit it or lies outside [0, 1].
        """
        return self._velocity(*_plane(x, t))

    def divergence(self, x: Tensor, t: float | Tensor) -> Tensor:
        """The divergence at positions `x` `(B, 2)` and time `t`, shape `(B,)`: > 0 spreads out."""
        return self._divergence(*_plane(x, t))

    def as_dict(self) -> dict[str, Any]:
        """The name of the wind under `"kind"` and its parameters: plain numbers, ready for JSON.

        >>> Vortex(center=(0.0, 1.0), strength=2.0, core=0.5).as_dict()
        {'kind': 'Vortex', 'center': (0.0, 1.0), 'strength': 2.0, 'core': 0.5}
        """
        return {"kind": type(self).__name__, **asdict(cast(Any, self))}

    def __add__(self, other: Wind) -> Sum:
        return Sum((self, other)) if isinstance(other, Wind) else NotImplemented

    def _plain(self, *, pairs: tuple[str, ...] = (), numbers: tuple[str, ...] = ()) -> None:
        """Lists become tuples, integers floats: a wind stays hashable and ready for JSON."""
        for name in pairs:
            object.__setattr__(self, name, _pair(name, getattr(self, name)))
        for name in numbers:
            object.__setattr__(self, name, real(name, getattr(self, name)))

    def _velocity(self, x: Tensor, t: Tensor) -> Tensor:
        raise NotImplementedError

    def _divergence(self, x: Tensor, t: Tensor) -> Tensor:
        return 0 * x[:, 0]


@dataclass(frozen=True)
class Uniform(Wind):
    """The same wind everywhere: v = velocity."""

    velocity: tuple[float, float]

    def __post_init__(self) -> None:
        self._plain(pairs=("velocity",))

    def _velocity(self, x: Tensor, t: Tensor) -> Tensor:
        # 0 * x keeps x in the graph: autograd then finds a divergence of 0 instead of an error.
        return 0 * x + x.new_tensor(self.velocity)


@dataclass(frozen=True)
class Rotation(Wind):
    """A rigid turn about the origin, counter-clockwise for rate > 0: v = rate (-x2, x1)."""

    rate: float

    def __post_init__(self) -> None:
        self._plain(numbers=("rate",))

    def _velocity(self, x: Tensor, t: Tensor) -> Tensor:
        return self.rate * _quarter_turn(x)


@dataclass(frozen=True)
class Shear(Wind):
    """Layers that slide over each other: v = rate (x2, 0)."""

    rate: float

    def __post_init__(self) -> None:
        self._plain(numbers=("rate",))

    def _velocity(self, x: Tensor, t: Tensor) -> Tensor:
        return torch.stack([self.rate * x[:, 1], 0 * x[:, 0]], dim=1)


@dataclass(frozen=True)
class Saddle(Wind):
    """Stretches along the first axis what it squeezes along the second: v = rate (x1, -x2)."""

    rate: float

    def __post_init__(self) -> None:
        self._plain(numbers=("rate",))

    def _velocity(self, x: Tensor, t: Tensor) -> Tensor:
        return self.rate * x * x.new_tensor((1.0, -1.0))


@dataclass(frozen=True)
class Vortex(Wind):
    """A vortex with a smooth core (Scully 1975, also named after Kaufmann).

        v = strength * 2 core / (core² + r²) * (-d2, d1),    d = x - center,  r = |d|

    A rigid turn at the centre, 1 / r far away, and fastest at r = core, where the speed is
    |strength|. Counter-clockwise for strength > 0. Not to be confused with the Lamb–Oseen vortex,
    whose core is a Gaussian. `ValueError` unless core > 0.

    >>> wind = Vortex(center=(0, 0), strength=3, core=0.5)
    >>> wind(torch.tensor([[0.0, 0.0], [0.5, 0.0], [0.0, 1.0]]), 0.0).norm(dim=1)
    tensor([0.0000, 3.0000, 2.4000])
    """

    center: tuple[float, float]
    strength: float
    core: float

    def __post_init__(self) -> None:
        self._plain(pairs=("center",), numbers=("strength", "core"))
        positive("core", self.core)

    def _velocity(self, x: Tensor, t: Tensor) -> Tensor:
        d = x - x.new_tensor(self.center)
        return self.strength * _core(d, self.core) * _quarter_turn(d)


@dataclass(frozen=True)
class Storm(Wind):
    """A storm: an eye that travels, air that turns about it and is drawn in, strength that fades.

        v = s(t) * 2 core / (core² + r²) * ((-d2, d1) - inflow * d),    d = x - eye(t),  r = |d|
        eye(t) = (1 - t) start + t end + 4 t (1 - t) bend,    s(t) = strength exp(-decay t)

    At a fixed time it is a `Vortex` that also pulls inwards: everywhere the air moves `inflow`
    times as fast towards the eye as around it, and

        div v = -4 inflow s(t) core³ / (core² + r²)²,

    so mass gathers in the eye. `start` and `end` are where the eye stands at t = 0 and t = 1,
    `bend` is how far the middle of its track is off the straight line, `strength` the greatest
    speed around the eye at t = 0, found at distance `core` from it; > 0 turns counter-clockwise.
    `ValueError` unless core > 0; `inflow` and `decay` may have either sign (outflow, growth).

    >>> storm = Storm()
    >>> storm.eye(torch.tensor([0.0, 1.0]))
    tensor([[-2.0000, -1.4000],
            [ 1.4000,  1.6000]])
    """

    start: tuple[float, float] = (-2.0, -1.4)
    end: tuple[float, float] = (1.4, 1.6)
    bend: tuple[float, float] = (0.5, -0.5)
    strength: float = 6.0
    core: float = 0.8
    inflow: float = 0.2
    decay: float = 1.0

    def __post_init__(self) -> None:
        self._plain(pairs=("start", "end", "bend"), numbers=("strength", "core", "inflow", "decay"))
        positive("core", self.core)

    def eye(self, t: float | Tensor) -> Tensor:
        """Where the eye is at time `t`: `t` of any shape `(...)` gives `(..., 2)`."""
        t = real_numbers("t", t)
        t = (t if t.is_floating_point() else t.to(torch.get_default_dtype()))[..., None]
        start, end, bend = (t.new_tensor(p) for p in (self.start, self.end, self.bend))
        return (1 - t) * start + t * end + 4 * t * (1 - t) * bend

    def _velocity(self, x: Tensor, t: Tensor) -> Tensor:
        d = x - self.eye(t[:, 0])
        return self._strength(t) * _core(d, self.core) * (_quarter_turn(d) - self.inflow * d)

    def _divergence(self, x: Tensor, t: Tensor) -> Tensor:
        core = _core(x - self.eye(t[:, 0]), self.core)
        return (-self.inflow * self._strength(t) * self.core * core.square())[:, 0]

    def _strength(self, t: Tensor) -> Tensor:
        return self.strength * torch.exp(-self.decay * t)


@dataclass(frozen=True)
class Sum(Wind):
    """Winds that blow together: v = v_1 + v_2 + ... Written `wind + wind`; sums are flattened."""

    winds: tuple[Wind, ...]

    def __post_init__(self) -> None:
        if not isinstance(self.winds, Iterable):
            raise TypeError(f"winds must be a sequence of winds, got {type(self.winds).__name__}")
        winds = tuple(self.winds)
        if not winds:
            raise ValueError("Sum needs at least one wind, got none")
        for wind in winds:
            if not isinstance(wind, Wind):
                raise TypeError(f"Sum adds winds, got {type(wind).__name__}")
        parts = (wind.winds if isinstance(wind, Sum) else (wind,) for wind in winds)
        object.__setattr__(self, "winds", sum(parts, start=()))

    def as_dict(self) -> dict[str, Any]:
        """`{"kind": "Sum", "winds": [...]}` with the `as_dict()` of each wind."""
        return {"kind": "Sum", "winds": [wind.as_dict() for wind in self.winds]}

    def _velocity(self, x: Tensor, t: Tensor) -> Tensor:
        return sum((wind._velocity(x, t) for wind in self.winds), start=torch.zeros_like(x))

    def _divergence(self, x: Tensor, t: Tensor) -> Tensor:
        return sum((wind._divergence(x, t) for wind in self.winds), start=torch.zeros_like(x[:, 0]))


def _quarter_turn(d: Tensor) -> Tensor:
    """`(B, 2)` turned by 90° counter-clockwise."""
    return torch.stack([-d[:, 1], d[:, 0]], dim=1)


def _core(d: Tensor, core: float) -> Tensor:
    """2 core / (core² + r²), `(B, 1)`: times r it is 1 at r = core and less everywhere else."""
    return 2 * core / (core**2 + d.square().sum(dim=1, keepdim=True))


def _plane(x: Tensor, t: float | Tensor) -> tuple[Tensor, Tensor]:
    """`x` `(B, 2)` and `t` `(B, 1)`, checked."""
    floating("x", x)
    if x.ndim != 2 or x.shape[1] != 2:
        raise ValueError(f"a wind blows in the plane: x must be (B, 2), got {tuple(x.shape)}")
    return x, expand_time(t, x)


def _pair(name: str, value: tuple[float, float]) -> tuple[float, float]:
    try:
        pair = tuple(value)
    except TypeError:
        raise TypeError(f"{name} must be a pair of numbers, got {value!r}") from None
    if len(pair) != 2:
        raise ValueError(f"{name} must be a pair of numbers, got {len(pair)} of them")
    return real(name, pair[0]), real(name, pair[1])
