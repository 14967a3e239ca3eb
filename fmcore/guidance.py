"""Guidance: the field of a conditional network, pushed towards a class or another condition."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from fmcore.checks import beside, finite, floating, real
from fmcore.models import evaluate, mean_velocity, no_label, takes_label

__all__ = ["Guided"]


class Guided(nn.Module):
    """The field of `model`, pushed towards a condition y: classifier-free guidance.

        v(x, t) + scale (v(x, t | y) - v(x, t))

    (Ho & Salimans 2021, eq. 6, whose w is scale - 1, for velocities.) y is a class or a vector. At
    scale 0 it has no effect, at 1 this is the field given y; beyond 1 samples are more typical of
    it and less varied, and the field is the marginal field of no data, though it generates a path
    of its own. `scale` is a number, or a tensor `(B,)` with one for each sample of a batch. It
    costs two evaluations of `model`, or one if it is the number 0 or 1. Without a label it is
    `model` itself.

    Raises `ValueError` if a scale is not finite, `TypeError` if the network takes no label; when it
    is called, `ValueError` if the batch is not of as many samples as there are scales.

    >>> from fmcore.networks import UNet
    >>> from fmcore.sampling import generate
    >>> guided, g = Guided(UNet(base=8, num_classes=10), 2.0), torch.Generator().manual_seed(0)
    >>> generate(guided, 2, steps=1, label=torch.tensor([3, 8]), generator=g).shape
    torch.Size([2, 1, 28, 28])
    """

    def __init__(self, model: Any, scale: float | Tensor):
        super().__init__()
        self.scale = per_sample("scale", scale)
        if not callable(model) or not takes_label(model):
            raise TypeError(
                "guidance needs a network with classes or other conditions, model(x, t, label), "
                f"and {type(model).__name__} takes no label"
            )
        self.model = model

    def forward(self, x: Tensor, t: float | Tensor, label: Tensor | None = None) -> Tensor:
        scale = self.scale
        if label is None or (isinstance(scale, float) and scale == 0):
            return self.model(x, t)
        conditional = evaluate(self.model, x, t, label)
        if isinstance(scale, Tensor):
            if len(scale) != len(x):
                raise ValueError(f"there are {len(scale)} scales for {len(x)} samples")
            scale = beside(scale.to(conditional), x)
        elif scale == 1:
            return conditional
        return torch.lerp(self.model(x, t), conditional, scale)


def per_sample(name: str, value: Any) -> float | Tensor:
    """A finite number, or a tensor of them `(B,)`, one for each sample."""
    if not isinstance(value, Tensor) or value.ndim == 0:
        return real(name, value)
    if value.ndim > 1:
        raise ValueError(f"{name} must be a number or have shape (B,), got {tuple(value.shape)}")
    return finite(name, floating(name, value))


def guided_towards(
    v: Tensor,
    net: Callable[..., Tensor],
    x: Tensor,
    t: Tensor,
    label: Tensor | None,
    scale: float,
) -> Tensor:
    """What a flow map learns so that its jumps are guided: scale v + (1 - scale) u(x, t, t).

    v is the velocity of the class, and `net(x, t, t)` asks for none (Geng et al. 2025).
    Rows that have no class keep their v.
    """
    if scale == 1 or label is None:
        return v
    guided = torch.lerp(mean_velocity(net, x, t, t, None), v, scale)
    none = no_label(net)
    if none is None:
        return guided
    without = label.isnan().all(1) if label.is_floating_point() else label == none
    return torch.where(beside(without, x), v, guided)
