"""Blocks of the U-Net: residual, modulated by an embedding, and a level at half the resolution."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from fmcore.checks import flag, whole


class GroupNorm(nn.GroupNorm):
    """`nn.GroupNorm`, in a form that a compiler can fuse where that matters: on a GPU.

    PyTorch's own needs the layout with channels first there, convolutions are fastest with channels
    last, and the copies from one layout to the other take a fifth of a training step.
    """

    def forward(self, input: Tensor) -> Tensor:
        if input.is_cuda and torch.compiler.is_compiling():
            return self.by_moments(input)
        return super().forward(input)

    def by_moments(self, x: Tensor) -> Tensor:
        """The same function of `x` `(B, C, H, W)`, written as one sum over pixels and one product.

        In float32; the variance is E x^2 - (E x)^2, good while the mean is below a hundred times
        the spread.
        """
        x = x.float()
        groups = (self.num_groups, -1)
        first, second = (  # (B, groups, 1)
            moment.mean((2, 3)).unflatten(1, groups).mean(2, keepdim=True)
            for moment in (x, x.square())
        )
        variance = (second - first.square()).clamp_min(0)
        scale = (variance + self.eps).rsqrt() * self.weight.view(groups)  # (B, groups, C / groups)
        shift = self.bias.view(groups) - first * scale
        return x * scale.flatten(1)[:, :, None, None] + shift.flatten(1)[:, :, None, None]


class ResBlock(nn.Module):
    """Residual block whose middle is modulated by an embedding (FiLM; Perez et al. 2018).

        h = conv(silu(norm(x))),   h = h (1 + scale) + shift,   out = x + conv(silu(norm(h)))

    with (scale, shift) = Linear(silu(embedding)), or without that SiLU if `film_silu` is False.
    `x` is `(B, channels, H, W)`, `embedding` `(B, embedding_dim)`; returns the shape of `x`.
    """

    def __init__(self, channels: int, embedding_dim: int, groups: int, film_silu: bool = True):
        super().__init__()
        self.film_silu = flag("film_silu", film_silu)
        channels, groups = whole("channels", channels), whole("groups", groups)
        embedding_dim = whole("embedding_dim", embedding_dim)
        if channels % groups:
            raise ValueError(f"channels must be a multiple of groups={groups}, got {channels}")
        self.norm1 = GroupNorm(groups, channels)
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.film = nn.Linear(embedding_dim, 2 * channels)
        self.norm2 = GroupNorm(groups, channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor, embedding: Tensor) -> Tensor:
        channels, dim = self.conv1.in_channels, self.film.in_features
        if x.ndim != 4 or x.shape[1] != channels or embedding.shape != (x.shape[0], dim):
            raise ValueError(
                f"x must have shape (B, {channels}, H, W) and embedding (B, {dim}), "
                f"got {tuple(x.shape)} and {tuple(embedding.shape)}"
            )
        silu = nn.functional.silu
        embedding = silu(embedding) if self.film_silu else embedding
        scale, shift = self.film(embedding)[:, :, None, None].chunk(2, dim=1)  # (B, C, 1, 1) each
        h = self.conv1(silu(self.norm1(x)))
        h = h * (1 + scale) + shift
        return x + self.conv2(silu(self.norm2(h)))


class Level(nn.Module):
    """One more level below `x` `(B, channels, H, W)`: two blocks at half the resolution.

    h = block(down(x)),   h = h + below(h) if there are more levels,   out = up(block(h))
    """

    def __init__(
        self, channels: int, embedding_dim: int, groups: int, film_silu: bool, levels: int
    ):
        super().__init__()
        block = channels, embedding_dim, groups, film_silu
        self.down = nn.Conv2d(channels, channels, 4, stride=2, padding=1)
        self.block1, self.block2 = (ResBlock(*block) for _ in range(2))
        self.up = nn.ConvTranspose2d(channels, channels, 4, stride=2, padding=1)
        self.below = Level(*block, levels - 1) if levels > 1 else None

    def forward(self, x: Tensor, embedding: Tensor) -> Tensor:
        h = self.block1(self.down(x), embedding)
        if self.below is not None:
            h = h + self.below(h, embedding)
        return self.up(self.block2(h, embedding))
