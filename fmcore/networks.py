r"""The navigator: networks v(x, t) that learn a velocity field.

`UNet` is small on purpose. With 64 channels it has 1,135,361 parameters:

    x (B, C, H, W)
      conv 3x3 -> 64, block ----------------------------+  skip (added)
        conv 4x4, stride 2 -> 128, block, block         |
        transposed conv 4x4, stride 2 -> 64  -----------+
      block, GroupNorm, SiLU, conv 3x3 -> C             = v (B, C, H, W)

and t enters every block through FiLM: a scale and a shift for each channel. `levels=3` puts one
more level between the two blocks at the bottom.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from fmcore._checks import batch_time, check_labels, class_labels


class TimeEmbedding(nn.Module):
    r"""Sinusoidal embedding of t in [0, 1]: `(B,)` -> `(B, dim)` (Vaswani et al. 2017, sec. 3.5).

        [cos(s w_k t), sin(s w_k t)],    w_k = 10000^(-k / (dim/2 - 1)),   k = 0 ... dim/2 - 1

    The scale s decides how far the waves turn while t goes from 0 to 1. With s = 2 pi the fastest
    turns once and most dimensions hardly move; with s = 1000, as in diffusion models whose time
    counts 1000 steps, more than half of them turn at least once, and most dimensions move.

    >>> TimeEmbedding(4)(torch.tensor([0.0])).tolist()
    [[1.0, 1.0, 0.0, 0.0]]
    """

    def __init__(self, dim: int, scale: float = 1000.0):
        super().__init__()
        if dim < 4 or dim % 2:
            raise ValueError(f"dim must be even and at least 4, got {dim}")
        if not 0 < scale < math.inf:
            raise ValueError(f"scale must be positive and finite, got {scale}")
        k = torch.arange(dim // 2, dtype=torch.float64)
        frequencies = scale * torch.exp(-math.log(10000) * k / (dim // 2 - 1))
        # A constant, not a parameter: it follows the module to its device, not into the weights.
        self.register_buffer("frequencies", frequencies.float(), persistent=False)

    def forward(self, t: Tensor) -> Tensor:
        # In float32, whatever t has: 1000 t in bfloat16 would be off by several radians.
        angles = t[:, None].to(self.frequencies.dtype) * self.frequencies  # (B, dim / 2)
        return torch.cat([angles.cos(), angles.sin()], dim=-1).to(t.dtype)


class GroupNorm(nn.GroupNorm):
    """`nn.GroupNorm`, in a form that a compiler can fuse where that matters: on a GPU.

    PyTorch's own wants its channels one after the other there, convolutions are fastest with the
    channels last, and the copies from one layout to the other are a fifth of a training step.
    """

    def forward(self, x: Tensor) -> Tensor:
        if x.is_cuda and torch.compiler.is_compiling():
            return self.by_moments(x)
        return super().forward(x)

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

    `x` is `(B, channels, H, W)`, `embedding` `(B, embedding_dim)`; returns the shape of `x`.
    """

    def __init__(self, channels: int, embedding_dim: int, groups: int):
        super().__init__()
        self.norm1 = GroupNorm(groups, channels)
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.film = nn.Linear(embedding_dim, 2 * channels)
        self.norm2 = GroupNorm(groups, channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor, embedding: Tensor) -> Tensor:
        silu = nn.functional.silu
        scale, shift = self.film(embedding)[:, :, None, None].chunk(2, dim=1)  # (B, C, 1, 1) each
        h = self.conv1(silu(self.norm1(x)))
        h = h * (1 + scale) + shift
        return x + self.conv2(silu(self.norm2(h)))


class Below(nn.Module):
    """What one more level adds to `x` `(B, channels, H, W)`: two blocks at half the resolution.

    h = block(down(x)),   h = h + below(h) if there are still more levels,   up(block(h))
    """

    def __init__(self, channels: int, embedding_dim: int, groups: int, levels: int):
        super().__init__()
        self.down = nn.Conv2d(channels, channels, 4, stride=2, padding=1)
        self.block1 = ResBlock(channels, embedding_dim, groups)
        self.block2 = ResBlock(channels, embedding_dim, groups)
        self.up = nn.ConvTranspose2d(channels, channels, 4, stride=2, padding=1)
        self.below = Below(channels, embedding_dim, groups, levels - 1) if levels > 1 else None

    def forward(self, x: Tensor, embedding: Tensor) -> Tensor:
        h = self.block1(self.down(x), embedding)
        if self.below is not None:
            h = h + self.below(h, embedding)
        return self.up(self.block2(h, embedding))


class UNet(nn.Module):
    """The velocity network for images: `net(x, t, label=None)` -> `(B, in_channels, H, W)`.

    `base` channels at full resolution and twice as many on each of the `levels - 1` below it, which
    halve the resolution one after the other; `H` and `W` must be multiples of 2^(levels - 1). A
    third level adds a fifth to the operations of the first two, and with it every pixel of a 28x28
    image sees every other.
    With `num_classes`, `label` is a `(B,)` integer tensor with values in [0, num_classes); the
    value `num_classes` and `label=None` both mean "no class", which classifier-free guidance needs.
    `time_scale` is the scale of the `TimeEmbedding` (the reference network has 2 pi).

    Raises `ValueError` for impossible widths and levels, for an image with other channels or sides,
    for a label out of range or a label given to a network without classes.

    >>> sum(p.numel() for p in UNet().parameters())
    1135361
    >>> UNet(base=32)(torch.zeros(5, 1, 28, 28), 0.5).shape
    torch.Size([5, 1, 28, 28])
    """

    def __init__(
        self,
        base: int = 64,
        time_dim: int = 128,
        groups: int = 8,
        in_channels: int = 1,
        num_classes: int | None = None,
        time_scale: float = 1000.0,
        levels: int = 2,
    ):
        super().__init__()
        if not isinstance(levels, int) or levels < 2:
            raise ValueError(f"levels must be a whole number of at least 2, got {levels}")
        if groups < 1 or base < 1 or base % groups:
            raise ValueError(f"base must be a positive multiple of groups={groups}, got {base}")
        if in_channels < 1 or (num_classes is not None and num_classes < 1):
            raise ValueError(
                "in_channels and num_classes must be at least 1, "
                f"got in_channels={in_channels}, num_classes={num_classes}"
            )
        self.config = dict(
            base=base,
            time_dim=time_dim,
            groups=groups,
            in_channels=in_channels,
            num_classes=num_classes,
            time_scale=time_scale,
            levels=levels,
        )
        self.embed_time = nn.Sequential(
            TimeEmbedding(time_dim, time_scale),
            nn.Linear(time_dim, time_dim),
            nn.SiLU(),
            nn.Linear(time_dim, time_dim),
        )
        if num_classes is not None:
            self.embed_label = nn.Embedding(num_classes + 1, time_dim)  # the last is "no class"
        self.enter = nn.Conv2d(in_channels, base, 3, padding=1)
        self.block1 = ResBlock(base, time_dim, groups)
        self.down = nn.Conv2d(base, 2 * base, 4, stride=2, padding=1)
        self.block2 = ResBlock(2 * base, time_dim, groups)
        self.block3 = ResBlock(2 * base, time_dim, groups)
        self.up = nn.ConvTranspose2d(2 * base, base, 4, stride=2, padding=1)
        self.block4 = ResBlock(base, time_dim, groups)
        self.leave = nn.Sequential(
            GroupNorm(groups, base), nn.SiLU(), nn.Conv2d(base, in_channels, 3, padding=1)
        )
        self.below = Below(2 * base, time_dim, groups, levels - 2) if levels > 2 else None
        # The layout that convolutions are fastest in. It is set here, once, because another layout
        # rounds differently: a network that is saved and loaded must give the same bits.
        self.to(memory_format=torch.channels_last)

    def forward(self, x: Tensor, t: float | Tensor, label: Tensor | None = None) -> Tensor:
        channels, unit = self.config["in_channels"], 2 ** (self.config["levels"] - 1)
        if x.ndim != 4 or x.shape[1] != channels or x.shape[2] % unit or x.shape[3] % unit:
            raise ValueError(
                f"x must have shape (B, {channels}, H, W) with H and W multiples of {unit}, "
                f"got {tuple(x.shape)}"
            )
        embedding = self.embed_time(batch_time(t, x))
        if self.config["num_classes"] is not None:
            embedding = embedding + self.embed_label(self._labels(label, x))
        elif label is not None:
            raise ValueError("this network was built without classes (num_classes=None)")
        h1 = self.block1(self.enter(x), embedding)  # (B, base, H, W)
        h2 = self.block2(self.down(h1), embedding)  # (B, 2 base, H/2, W/2)
        if self.below is not None:
            h2 = h2 + self.below(h2, embedding)
        h2 = self.block3(h2, embedding)
        h = self.block4(self.up(h2) + h1, embedding)  # (B, base, H, W)
        return self.leave(h)

    def _labels(self, label: Tensor | None, x: Tensor) -> Tensor:
        none = self.config["num_classes"]
        if label is None:
            return torch.full(x.shape[:1], none, device=x.device)
        label = class_labels(label, len(x))
        # On a GPU a look at the values would stall the queue; the data set checks its labels.
        if label.device.type == "cpu":
            check_labels(label, none)
        return label


class MLP(nn.Module):
    """The velocity network for points: `net(x, t)` with `x` `(B, dim)` -> `(B, dim)`.

    `[x, embedding of t]` through `depth` hidden layers of `hidden` SiLU units. In two dimensions
    the field is smooth in t, so the embedding turns slowly (`time_scale` of 2 pi is enough).

    >>> MLP(dim=2)(torch.zeros(3, 2), torch.tensor(0.5)).shape
    torch.Size([3, 2])
    """

    def __init__(
        self,
        dim: int = 2,
        hidden: int = 128,
        depth: int = 3,
        time_dim: int = 32,
        time_scale: float = 20.0,
    ):
        super().__init__()
        if dim < 1 or hidden < 1 or depth < 1:
            raise ValueError(
                f"dim, hidden and depth must be at least 1, got {dim}, {hidden}, {depth}"
            )
        self.config = dict(
            dim=dim, hidden=hidden, depth=depth, time_dim=time_dim, time_scale=time_scale
        )
        self.embed_time = TimeEmbedding(time_dim, time_scale)
        self.layers = nn.Sequential(nn.Linear(dim + time_dim, hidden), nn.SiLU())
        for _ in range(depth - 1):
            self.layers.extend([nn.Linear(hidden, hidden), nn.SiLU()])
        self.layers.append(nn.Linear(hidden, dim))

    def forward(self, x: Tensor, t: float | Tensor) -> Tensor:
        dim = self.config["dim"]
        if x.ndim != 2 or x.shape[1] != dim:
            raise ValueError(f"x must have shape (B, {dim}), got {tuple(x.shape)}")
        return self.layers(torch.cat([x, self.embed_time(batch_time(t, x))], dim=-1))
