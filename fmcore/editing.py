"""Editing: what can be done to samples in the space of their noise."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from fmcore.checks import beside, floating, real
from fmcore.devices import double

__all__ = ["slerp"]


def slerp(x: Tensor, y: Tensor, s: float | Tensor) -> Tensor:
    """From x at s = 0 to y at s = 1 along an arc, row by row of `(B, *shape)`.

        (sin((1 - s) a) x + sin(s a) y) / sin(a),    a the angle between x and y

    (Shoemake 1985.) Noise of many dimensions lies near a sphere; the arc stays near it, and the
    chord cuts through the inside. `s` is a number, or `(B,)`. Where x and y point the same way it
    is the straight line. Raises `ValueError` if shapes differ, if a value is not finite, if a
    vector is zero, or if two vectors are opposite, since there are many arcs between them;
    `TypeError` if dtypes differ.

    >>> slerp(torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 1.0]]), 0.5)
    tensor([[0.7071, 0.7071]])
    """
    floating("x", x)
    floating("y", y)
    if x.shape != y.shape or x.ndim < 2:
        raise ValueError(
            f"x and y must both have shape (B, *shape), got {tuple(x.shape)} and {tuple(y.shape)}"
        )
    if x.dtype != y.dtype:
        raise TypeError(f"x and y must have one floating dtype, got {x.dtype} and {y.dtype}")
    if not bool(x.isfinite().all() and y.isfinite().all()):
        raise ValueError("x and y must be finite")
    s = torch.as_tensor(s if isinstance(s, Tensor) else real("s", s), dtype=x.dtype).to(x.device)
    if s.shape not in ((), x.shape[:1]):
        raise ValueError(f"s must be a number or have shape ({len(x)},), got {tuple(s.shape)}")
    if not bool(s.isfinite().all()):
        raise ValueError(f"s must be finite, got {s}")
    a, b = double(x.flatten(1)), double(y.flatten(1))
    lengths = a.norm(dim=1), b.norm(dim=1)
    if not bool((lengths[0] * lengths[1] > 0).all()):
        raise ValueError("a zero vector has no direction")
    a, b = a / lengths[0][:, None], b / lengths[1][:, None]
    # The arc cosine loses half of the digits near 0 and pi; this does not (Kahan 2006).
    angle = 2 * torch.atan2((a - b).norm(dim=1), (a + b).norm(dim=1))
    if bool((math.pi - angle < 1e-6).any()):
        raise ValueError("x and y point in opposite ways: there are many arcs between them")
    s = double(s).expand(len(x))
    straight = angle < 1e-6
    sine = angle.sin().where(~straight, 1.0)
    of_x = (((1 - s) * angle).sin() / sine).where(~straight, 1 - s)
    of_y = ((s * angle).sin() / sine).where(~straight, s)
    return beside(of_x.to(x), x) * x + beside(of_y.to(x), x) * y
