"""Editing: what the field of a trained network does to given data.

A datum is put on the path, at a time that you choose and with the noise of that time, and the field
carries it on: back to its noise (`encode`), or to a datum again (`edit`, `inpaint`). Noises
are joined by an arc (`slerp`).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from fmcore.checks import beside, finite, floating, randn_like, real, whole
from fmcore.devices import double
from fmcore.guidance import Guided
from fmcore.models import evaluate, evaluating, home, label_for, layers
from fmcore.paths import ProbabilityPath
from fmcore.solvers import ButcherTableau, VectorField, odeint

__all__ = ["edit", "encode", "inpaint", "slerp"]

Model = nn.Module | VectorField


@torch.no_grad()
def encode(
    model: Model,
    x1: Tensor,
    *,
    t: float = 0.98,
    method: str | ButcherTableau = "midpoint",
    steps: int = 10,
    path: ProbabilityPath | None = None,
    label: Any = None,
    guidance: float = 1.0,
    generator: torch.Generator | None = None,
) -> Tensor:
    """The noise `(B, *shape)` from which the field `model` makes the data x1.

        xt = a(t) x1 + b(t) z,    z ~ N(0, I),    and from there back along the field to t = 0

    From t = 1 it would be exact. But data without noise, such as the blank paper of an image, come
    from a noise that is shorter than a draw: so x1 gets the little noise that it has on the path at
    t, just below 1. `path` is that of the model, and has to be given if the model has none itself;
    `label` and `guidance` are as in `generate`. The result has the device and dtype of the model.

    Raises `ValueError` or `TypeError` if the arguments do not fit, and as `odeint` does.

    >>> from fmcore.networks import MLP
    >>> from fmcore.paths import OTPath
    >>> g = torch.Generator().manual_seed(0)
    >>> encode(MLP(hidden=8), torch.ones(3, 2), path=OTPath(), generator=g).shape
    torch.Size([3, 2])
    """
    start = _Start(model, x1, path, label, guidance, generator)
    t = real("t", t)
    with evaluating(model):
        return odeint(start.v, start.on_path(t), (t, 0.0), method=method, steps=steps).x


@torch.no_grad()
def edit(
    model: Model,
    x1: Tensor,
    *,
    t: float,
    method: str | ButcherTableau = "midpoint",
    steps: int = 5,
    path: ProbabilityPath | None = None,
    label: Any = None,
    guidance: float = 1.0,
    generator: torch.Generator | None = None,
) -> Tensor:
    """The data x1 `(B, *shape)` drawn anew from time t of their path: what is coarse stays.

        xt = a(t) x1 + b(t) z,    z ~ N(0, I),    and from there along the field to t = 1

    (Meng et al. 2022, for an ODE.) Near t = 1 little changes; near t = 0 nothing of x1 is left. The
    other arguments are those of `encode`. Images `(C, H, W)` are clamped to [-1, 1].

    Raises `ValueError` or `TypeError` if the arguments do not fit, and as `odeint` does.

    >>> from fmcore.weights import load_pretrained
    >>> x1, g = -torch.ones(1, 1, 28, 28), torch.Generator().manual_seed(0)
    >>> edit(load_pretrained("mnist"), x1, t=0.5, steps=2, label=3, generator=g).shape
    torch.Size([1, 1, 28, 28])
    """
    start = _Start(model, x1, path, label, guidance, generator)
    t = real("t", t)
    with evaluating(model):
        x = odeint(start.v, start.on_path(t), (t, 1.0), method=method, steps=steps).x
    return start.shown(x)


@torch.no_grad()
def inpaint(
    model: Model,
    x1: Tensor,
    keep: Tensor,
    *,
    steps: int = 30,
    path: ProbabilityPath | None = None,
    label: Any = None,
    guidance: float = 1.0,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Data that are x1 `(B, *shape)` where `keep`, and what the field `model` makes of the rest.

    From a guess x of the whole, each of the `steps` times t = 0, 1 / steps, ... makes a better one:

        xt = a(t) x + b(t) z,    z ~ N(0, I) anew
        x  = E[x1 | xt] of the field,    and x1 again where `keep`

    The noise is new each time, as in PnP-Flow (Martin et al. 2025). With one noise for all times
    the rest would settle early, before it knows what is kept. `keep` has the shape of x1: True or
    False, or for each value the time in [0, 1] until which it is kept. It takes `steps`
    evaluations. The other arguments are those of `encode`; images `(C, H, W)` are clamped to
    [-1, 1].

    Raises `ValueError` or `TypeError` if the arguments do not fit.

    >>> from fmcore.weights import load_pretrained
    >>> x1, g = -torch.ones(1, 1, 28, 28), torch.Generator().manual_seed(0)
    >>> upper = torch.arange(28)[:, None].expand(1, 1, 28, 28) < 14
    >>> x = inpaint(load_pretrained("mnist"), x1, upper, steps=2, generator=g)
    >>> bool((x[upper] == -1).all())
    True
    """
    start = _Start(model, x1, path, label, guidance, generator)
    steps, x1 = whole("steps", steps), start.x1
    until = _until(keep, x1)
    x = torch.where(until > 0, x1, 0.0)
    with evaluating(model):
        for k in range(steps):
            t = torch.as_tensor(k / steps, dtype=x.dtype, device=x.device)
            xt = start.on_path(t, x)
            x = start.path.velocity_to_data(start.v(xt, t), xt, t)
            x = torch.where(until > t, x1, x)
    return start.shown(x)


def _until(keep: Tensor, x1: Tensor) -> Tensor:
    """The time until which each value is kept, beside x1."""
    if not isinstance(keep, Tensor) or not (keep.dtype == torch.bool or keep.is_floating_point()):
        got = keep.dtype if isinstance(keep, Tensor) else type(keep).__name__
        raise TypeError(f"keep must be a tensor of torch.bool, or of times, got {got}")
    if keep.shape != x1.shape:
        raise ValueError(
            f"keep must have the shape of x1, {tuple(x1.shape)}, got {tuple(keep.shape)}"
        )
    until = keep.to(x1.device, x1.dtype)
    if not bool(((until >= 0) & (until <= 1)).all()):  # which NaN is not, either
        raise ValueError(f"keep must hold times in [0, 1], got {until.min():g} to {until.max():g}")
    return until


class _Start:
    """What all have to know: the data and the field, on one device, and the path between them."""

    def __init__(
        self,
        model: Model,
        x1: Tensor,
        path: ProbabilityPath | None,
        label: Any,
        guidance: float,
        generator: torch.Generator | None,
    ) -> None:
        if not callable(model):
            raise TypeError(f"model must be callable as model(x, t), got {type(model).__name__}")
        if floating("x1", x1).ndim < 2 or len(x1) == 0:
            raise ValueError(f"x1 must have shape (B, *shape), not empty, got {tuple(x1.shape)}")
        finite("x1", x1)
        if path is None:
            path = next(filter(None, (getattr(one, "path", None) for one in layers(model))), None)
        if not isinstance(path, ProbabilityPath):
            raise TypeError(f"{type(model).__name__} has no path: pass path=, got {path!r}")
        if label is None and real("guidance", guidance) != 1:
            raise ValueError(f"guidance={guidance} pushes towards a label, and none is given")
        device, dtype = home(model) or (x1.device, x1.dtype)
        self.x1, self.path = x1.to(device, dtype), path
        self.generator = generator
        label = None if label is None else label_for(model, label, len(x1)).to(device)
        field: Callable[..., Tensor] = model if label is None else Guided(model, guidance)
        self.v: VectorField = lambda x, t: evaluate(field, x, t, label)

    def on_path(self, t: float | Tensor, x: Tensor | None = None) -> Tensor:
        """The data, or `x`, at time t of the path from a new noise."""
        x = self.x1 if x is None else x
        return self.path.sample(randn_like(x, self.generator), x, t)[0]

    def shown(self, x: Tensor) -> Tensor:
        return x.clamp(-1, 1) if x.ndim == 4 else x


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
        raise ValueError("x and y must have no zero rows: a zero vector has no direction")
    a, b = a / lengths[0][:, None], b / lengths[1][:, None]
    # The arc cosine loses half of the digits near 0 and pi; this does not (Kahan 2006).
    angle = 2 * torch.atan2((a - b).norm(dim=1), (a + b).norm(dim=1))
    if bool((math.pi - angle < 1e-6).any()):
        raise ValueError("a row of x is opposite to that of y: many arcs join the two")
    s = double(s).expand(len(x))
    straight = angle < 1e-6
    sine = angle.sin().where(~straight, 1.0)
    of_x = (((1 - s) * angle).sin() / sine).where(~straight, 1 - s)
    of_y = ((s * angle).sin() / sine).where(~straight, s)
    return beside(of_x.to(x), x) * x + beside(of_y.to(x), x) * y
