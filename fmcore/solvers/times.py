r"""The times of a solve, which are numbers, and gradients with respect to them.

A solver steps through numbers. If the ends of its interval are tensors to be differentiated in,
time stretches with them: with s the solver's time and theta = (s - t0) / (t1 - t0),

    t(s) = s + (1 - theta) d0 + theta d1,    dx/ds = v(x, t(s)) (1 + (d1 - d0) / (t1 - t0)),

where d0 and d1 are the ends less their values: 0, with all of their derivatives. So the derivatives
are those of the steps taken, for every method, and t0 and t1 are where v is evaluated. A time t of
output, of which d is what d0 and d1 are of the ends, is at the solver's

    s(t) = t + (d (t1 - t0) - d0 (t1 - t) - d1 (t - t0)) / (t1 - t0 + d1 - d0).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd.forward_ad import unpack_dual

from fmcore.checks import as_number
from fmcore.solvers.field import CountedField


def interval(t_span: Sequence[float] | Tensor) -> tuple[float, float]:
    """`(t0, t1)` as two finite floats.

    >>> interval((0, 1))
    (0.0, 1.0)
    """
    try:
        t0, t1 = (as_number(t.detach() if isinstance(t, Tensor) else t) for t in t_span)
    except (TypeError, ValueError):
        t0 = t1 = None
    if t0 is None or t1 is None:
        raise TypeError(f"t_span must be two numbers (t0, t1), got {t_span!r}")
    if not (math.isfinite(t0) and math.isfinite(t1)):
        raise ValueError(f"t_span must be finite, got ({t0:g}, {t1:g})")
    return t0, t1


def stacked(times: Any) -> Any:
    """A list of times that holds tensors as one tensor, with their derivatives; others as is."""
    if isinstance(times, list | tuple) and any(isinstance(t, Tensor) for t in times):
        return torch.stack([torch.as_tensor(t, dtype=torch.float64, device="cpu") for t in times])
    return times


def moving(times: Any) -> Tensor | None:
    """`times` less their values, 0 with all of their derivatives; None if they have none.

    >>> moving((0.0, torch.tensor(0.5, requires_grad=True)))
    tensor([0., 0.], dtype=torch.float64, grad_fn=<SubBackward0>)
    """
    times = stacked(times)
    if not isinstance(times, Tensor) or not times.is_floating_point():
        return None
    d = times - torch.func.debug_unwrap(times.detach())
    inside = torch.func.debug_unwrap(d) is not d  # of torch.func.grad, jvp or jacrev
    return d if d.requires_grad or inside or unpack_dual(d).tangent is not None else None


def constant(name: str, times: Any) -> None:
    """Raises if `times` are to be differentiated in where no gradient flows to them."""
    if moving(times) is not None:
        raise ValueError(f"no gradient flows to {name}: give numbers, or {name}.detach()")


class Stretched:
    """A field on an interval that stretches with its ends, in the time of the solver."""

    def __init__(self, f: CountedField, t0: float, t1: float, ends: Tensor) -> None:
        if t0 == t1:
            raise ValueError(f"t_span has no gradient where it has no length, got ({t0:g}, {t1:g})")
        self.f, self.t0, self.length = f, t0, t1 - t0
        self.d0, self.d1 = ends.to(f.device, f.wide).unbind()

    def __call__(self, x: Tensor, t: Tensor) -> Tensor:
        theta = (t - self.t0) / self.length
        rate = 1 + (self.d1 - self.d0) / self.length
        return rate * self.f(x, t + (1 - theta) * self.d0 + theta * self.d1)


def output_shifts(
    times: list[float], t0: float, t1: float, d: Tensor | None, ends: Tensor | None
) -> Tensor:
    """s(t) - t of the times of output, in float64."""
    t = torch.tensor(times, dtype=torch.float64)
    d0, d1 = (t.new_zeros(2) if ends is None else ends.double().cpu()).unbind()
    d = torch.zeros_like(t) if d is None else d.double().cpu()
    return (d * (t1 - t0) - d0 * (t1 - t) - d1 * (t - t0)) / (t1 - t0 + d1 - d0)
