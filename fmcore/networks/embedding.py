r"""Time as a vector: waves of many frequencies, from which a network can read t finely."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from fmcore.checks import positive, whole


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
        if whole("dim", dim) < 4 or dim % 2:
            raise ValueError(f"dim must be even and at least 4, got {dim}")
        positive("scale", scale)
        k = torch.arange(dim // 2, dtype=torch.float64)
        frequencies = scale * torch.exp(-math.log(10000) * k / (dim // 2 - 1))
        # A constant, not a parameter: it follows the module to its device, not into the weights.
        self.register_buffer("frequencies", frequencies.float(), persistent=False)

    def forward(self, t: Tensor) -> Tensor:
        # In float32, whatever t has: 1000 t in bfloat16 would be off by several radians.
        angles = t[:, None].to(self.frequencies.dtype) * self.frequencies  # (B, dim / 2)
        return torch.cat([angles.cos(), angles.sin()], dim=-1).to(t.dtype)
