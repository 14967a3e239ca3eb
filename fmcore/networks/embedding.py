r"""Time as a vector: waves of many frequencies, from which a network can read t finely."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, cast

import torch
from torch import Tensor, nn

from fmcore.checks import floating, positive, whole


class TimeEmbedding(nn.Module):
    r"""Sinusoidal embedding of t in [0, 1]: `(B,)` -> `(B, dim)` (Vaswani et al. 2017, sec. 3.5).

        [cos(s w_k t), sin(s w_k t)],    w_k = 10000^(-k / (dim/2 - 1)),   k = 0 ... dim/2 - 1

    The scale s decides how far the waves turn while t goes from 0 to 1. With s = 2 pi the fastest
    turns once and most dimensions hardly move; with s = 1000, as in diffusion models whose time
    counts 1000 steps, more than half of them turn at least once, and most dimensions move.

    >>> TimeEmbedding(4)(torch.tensor([0.0])).tolist()
    [[1.0, 1.0, 0.0, 0.0]]
    """

    frequencies: Tensor  # s w_k, (dim / 2,)

    def __init__(self, dim: int, scale: float = 1000.0):
        super().__init__()
        dim, scale = whole("dim", dim, least=4), positive("scale", scale)
        if dim % 2:
            raise ValueError(f"dim must be even, got {dim}")
        k = torch.arange(dim // 2, dtype=torch.float64)
        frequencies = scale * torch.exp(-math.log(10000) * k / (dim // 2 - 1))
        self.constants = frequencies.tolist()
        # A constant, not a parameter: it follows the module to its device, not into the weights.
        self.register_buffer("frequencies", frequencies.float(), persistent=False)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Any:
        """Moves with the network, but stays in float32: 1000 t in bfloat16 is off by radians."""
        super()._apply(fn, recurse)
        # Anew, since a network may have been built on "meta", where tensors have no content.
        device = self.frequencies.device
        self.frequencies = torch.tensor(self.constants, dtype=torch.float32, device=device)
        return self

    def forward(self, t: Tensor) -> Tensor:
        if floating("t", t).ndim != 1:
            raise ValueError(f"t must have shape (B,), got {tuple(t.shape)}")
        angles = t[:, None] * self.frequencies  # (B, dim / 2), in float32 or better
        return torch.cat([angles.cos(), angles.sin()], dim=-1).to(t.dtype)


class TimeNetwork(nn.Sequential):
    """A `TimeEmbedding` and two layers behind it: `(B,)` -> `(B, dim)`.

    The waves are computed in float32, and the layers in their own precision.
    """

    def __init__(self, dim: int, scale: float = 1000.0):
        embedding = TimeEmbedding(dim, scale)
        super().__init__(embedding, nn.Linear(dim, dim), nn.SiLU(), nn.Linear(dim, dim))

    def forward(self, input: Tensor) -> Tensor:
        waves, enter, silu, leave = self
        return leave(silu(enter(waves(input).to(cast(nn.Linear, enter).weight.dtype))))
