r"""The velocity network for images.

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

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from fmcore.checks import batch_time, like_weights, positive, whole
from fmcore.networks.blocks import GroupNorm, Level, ResBlock
from fmcore.networks.embedding import ConditionEmbedding, TimeNetwork, conditioned, one_condition


class UNet(nn.Module):
    """The velocity network for images: `net(x, t, label=None)` -> `(B, in_channels, H, W)`.

    `base` channels at full resolution and twice as many on each of the `levels - 1` below it, which
    halve the resolution one after the other; `H` and `W` must be multiples of 2^(levels - 1). A
    third level adds a fifth to the operations of the first two, and with it every pixel of a 28x28
    image sees every other.
    With `num_classes`, `label` is a `(B,)` integer tensor with values in [0, num_classes); the
    value `num_classes` and `label=None` both mean "no class", which classifier-free guidance needs.
    With `condition_dim`, it is a `(B, condition_dim)` tensor of numbers whose size is about 1, and
    a row of NaN and `label=None` mean "no condition" (see `ConditionEmbedding`).
    `time_scale` is the scale of the `TimeEmbedding` (the reference network has 2 pi), and
    `film_silu=False` leaves out the SiLU between the embedding and FiLM, as version 0.1 did.

    Raises `ValueError` if widths and levels do not fit, if an image has other channels or sides,
    and as `ConditionEmbedding` does.

    >>> sum(p.numel() for p in UNet().parameters())
    1135361
    >>> UNet(base=32)(torch.zeros(5, 1, 28, 28), 0.5).shape
    torch.Size([5, 1, 28, 28])
    """

    # What a configuration means that was written before these arguments were there.
    BEFORE: ClassVar[dict[str, Any]] = {"film_silu": False, "condition_dim": None}

    def __init__(
        self,
        base: int = 64,
        time_dim: int = 128,
        groups: int = 8,
        in_channels: int = 1,
        num_classes: int | None = None,
        time_scale: float = 1000.0,
        levels: int = 2,
        film_silu: bool = True,
        condition_dim: int | None = None,
    ):
        super().__init__()
        base, groups = whole("base", base), whole("groups", groups)
        if base % groups:
            raise ValueError(f"base must be a multiple of groups={groups}, got {base}")
        levels = whole("levels", levels, least=2)
        in_channels = whole("in_channels", in_channels)
        time_dim, time_scale = whole("time_dim", time_dim, 4), positive("time_scale", time_scale)
        self.embed_time = TimeNetwork(time_dim, time_scale)
        given = one_condition(num_classes, condition_dim)
        self.embed_label = ConditionEmbedding(time_dim, **given) if any(given.values()) else None
        # In the order of version 0.1: checkpoints tell a network by this text.
        self.config: dict[str, Any] = dict(
            base=base, time_dim=time_dim, groups=groups, in_channels=in_channels,
            num_classes=given["num_classes"], time_scale=time_scale, levels=levels,
            film_silu=film_silu, condition_dim=given["condition_dim"],
        )  # fmt: skip
        film = time_dim, groups, film_silu
        self.enter = nn.Conv2d(in_channels, base, 3, padding=1)
        self.block1 = ResBlock(base, *film)
        self.down = nn.Conv2d(base, 2 * base, 4, stride=2, padding=1)
        self.block2 = ResBlock(2 * base, *film)
        self.block3 = ResBlock(2 * base, *film)
        self.up = nn.ConvTranspose2d(2 * base, base, 4, stride=2, padding=1)
        self.block4 = ResBlock(base, *film)
        self.leave = nn.Sequential(
            GroupNorm(groups, base), nn.SiLU(), nn.Conv2d(base, in_channels, 3, padding=1)
        )
        self.below = Level(2 * base, *film, levels - 2) if levels > 2 else None
        # The layout that convolutions are fastest in. It is set here, once, because another layout
        # rounds differently: a network that is saved and loaded must give the same bits.
        self.to(memory_format=torch.channels_last)

    def forward(
        self,
        x: Tensor,
        t: float | Tensor,
        label: Tensor | None = None,
        also: Tensor | None = None,
    ) -> Tensor:
        x = like_weights("x", x, self.enter.weight)
        channels, unit = self.config["in_channels"], 2 ** (self.config["levels"] - 1)
        if x.ndim != 4 or x.shape[1] != channels or x.shape[2] % unit or x.shape[3] % unit:
            raise ValueError(
                f"x must have shape (B, {channels}, H, W) with H and W multiples of {unit}, "
                f"got {tuple(x.shape)}"
            )
        waves = self.embed_time(batch_time(t, x))
        embedding = conditioned(waves, self.embed_label, label, also)
        h1 = self.block1(self.enter(x), embedding)  # (B, base, H, W)
        h2 = self.block2(self.down(h1), embedding)  # (B, 2 base, H/2, W/2)
        if self.below is not None:
            h2 = h2 + self.below(h2, embedding)
        h2 = self.block3(h2, embedding)
        h = self.block4(self.up(h2) + h1, embedding)  # (B, base, H, W)
        return self.leave(h)

    def load_partial(self, state: Mapping[str, Tensor]) -> None:
        """Takes the weights of a smaller network: one without conditions, or with fewer levels.

        What is new adds 0 until it is trained: the label's embedding, and the last layer of a new
        level. `RuntimeError` if other weights are missing or do not fit.
        """
        tensors = dict(state)
        for name, new in self.state_dict().items():
            # The embedding, or the level that a name belongs to: "below.below.up.bias".
            part = name[: name.rfind("below.") + len("below.")] if "below." in name else name
            added = part.startswith(("embed_label.", "below."))
            if added and not any(known.startswith(part) for known in state):
                adds = name.startswith("embed_label.") or ".up." in name
                tensors[name] = torch.zeros_like(new) if adds else new
        self.load_state_dict(tensors)
