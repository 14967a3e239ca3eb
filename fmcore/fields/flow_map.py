r"""The flow map of a field, solved for: the oracle for every network that learns to jump."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from fmcore.checks import batch_time, beside, floating, whole
from fmcore.solvers import SOLVERS, odeint

__all__ = ["FlowMap"]


class FlowMap:
    r"""The mean velocity `u(x, s, t)` along the trajectories of `field`, a velocity field v(x, t).

    From x at time s, a trajectory reaches X(x, s, t) = x + (t - s) u(x, s, t). Let y(r) be r times
    the mean velocity on the part of it up to time s + (t - s) r. It grows from 0 to u(x, s, t) by

        y'(r) = v(x + (t - s) y, s + (t - s) r),    y(0) = 0,    0 <= r <= 1,

    which is solved in `steps` of `method`. On the diagonal, y' is v(x, t) all along. `s` and `t`
    are numbers, 0-d or `(B,)`; s > t goes backward. Gradients flow through x, s and t. Most methods
    evaluate the field at t; where it has no value at t = 1, as on the `VPPath`, stop before.

    >>> from fmcore.fields import GaussianMixture, MarginalField
    >>> from fmcore.paths import OTPath
    >>> x = torch.tensor([[2.0]])
    >>> u = FlowMap(MarginalField(GaussianMixture([[3.0]], stds=0.5), OTPath()))
    >>> x + u(x, 0.0, 1.0), u.end(x, 0.0, 1.0)  # 3 + 0.5 * 2
    (tensor([[4.]]), tensor([[4.]]))
    """

    def __init__(
        self, field: Callable[..., Tensor], *, method: str = "dopri5", steps: int = 48
    ) -> None:
        if not callable(field):
            raise TypeError(f"field must be callable as v(x, t), got {type(field).__name__}")
        self.field, self.method, self.steps = field, method, whole("steps", steps)
        SOLVERS.find("method", method)

    def __call__(self, x: Tensor, s: float | Tensor, t: float | Tensor) -> Tensor:
        """The mean velocity, shaped like `x`."""
        s, t, length = _journey(x, s, t)

        def velocity(y: Tensor, r: Tensor) -> Tensor:
            return self.field(x + length * y, torch.lerp(s, t, r.to(s.dtype)))

        start = torch.zeros_like(x)
        return odeint(velocity, start, method=self.method, steps=self.steps).x

    def end(self, x: Tensor, s: float | Tensor, t: float | Tensor) -> Tensor:
        """X(x, s, t), where the trajectory through `x` at time s is at time t."""
        s, t, length = _journey(x, s, t)
        return x + length * self(x, s, t)

    def __repr__(self) -> str:
        return f"FlowMap({self.field!r}, method={self.method!r}, steps={self.steps})"


def _journey(x: Tensor, s: float | Tensor, t: float | Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The times `(B,)` from which and to which, and t - s beside x."""
    s, t = (batch_time(time, floating("x", x)) for time in (s, t))
    return s, t, beside(t - s, x).to(x.dtype)
