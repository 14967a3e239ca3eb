"""Guidance: the field of a network with classes, pushed towards one of them."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from fmcore.checks import real
from fmcore.models import evaluate, takes_label


class Guided(nn.Module):
    """The field of `model`, pushed towards a class: classifier-free guidance.

        v(x, t) + scale (v(x, t | y) - v(x, t))

    (Ho & Salimans 2021, eq. 6, whose w is scale - 1, for velocities.) At scale 0 the class has no
    effect, at 1 this is the field of the class; beyond 1 samples are more typical of it and less
    varied, and the field is the marginal field of no data, though it generates a path of its own.
    It costs two evaluations of `model`, or one at 0 and 1. Without a label it is `model` itself.

    Raises `ValueError` if the scale is not finite, `TypeError` if the network has no classes.

    >>> from fmcore.networks import UNet
    >>> from fmcore.sampling import generate
    >>> guided, g = Guided(UNet(base=8, num_classes=10), 2.0), torch.Generator().manual_seed(0)
    >>> generate(guided, 2, steps=1, label=torch.tensor([3, 8]), generator=g).shape
    torch.Size([2, 1, 28, 28])
    """

    def __init__(self, model: nn.Module, scale: float):
        super().__init__()
        self.scale = real("scale", scale)
        if not callable(model) or not takes_label(model):
            raise TypeError(
                "guidance needs a network with classes, model(x, t, label), and "
                f"{type(model).__name__} takes no label"
            )
        self.model = model

    def forward(self, x: Tensor, t: float | Tensor, label: Tensor | None = None) -> Tensor:
        if label is None or self.scale == 0:
            return self.model(x, t)
        conditional = evaluate(self.model, x, t, label)
        if self.scale == 1:
            return conditional
        return torch.lerp(self.model(x, t), conditional, self.scale)
