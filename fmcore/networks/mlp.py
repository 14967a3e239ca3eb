"""The velocity network for points."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from fmcore.checks import batch_time, like_weights, positive, whole
from fmcore.networks.embedding import ConditionEmbedding, TimeEmbedding, conditioned, one_condition


class MLP(nn.Module):
    """The velocity network for points: `net(x, t, label=None)`, `x` `(B, dim)` -> `(B, dim)`.

    `[x, embedding of t]` through `depth` hidden layers of `hidden` SiLU units. In two dimensions
    the field is smooth in t, so the embedding may turn slowly: `time_scale` is 20, in `UNet` 1000.
    With `condition_dim` or `num_classes` it has conditions, and `label` is a vector or a class, as
    in `UNet`.

    Raises `ValueError` if a point has another length, and as `ConditionEmbedding` does.

    >>> MLP(dim=2)(torch.zeros(3, 2), torch.tensor(0.5)).shape
    torch.Size([3, 2])
    >>> MLP(dim=2, condition_dim=5)(torch.zeros(3, 2), 0.5, torch.ones(3, 5)).shape
    torch.Size([3, 2])
    """

    # What a configuration means that was written before these arguments were there.
    BEFORE: ClassVar[dict[str, Any]] = {"num_classes": None, "condition_dim": None}

    def __init__(
        self,
        dim: int = 2,
        hidden: int = 128,
        depth: int = 3,
        time_dim: int = 32,
        time_scale: float = 20.0,
        num_classes: int | None = None,
        condition_dim: int | None = None,
    ):
        super().__init__()
        dim, hidden, depth = whole("dim", dim), whole("hidden", hidden), whole("depth", depth)
        time_dim, time_scale = whole("time_dim", time_dim, 4), positive("time_scale", time_scale)
        self.embed_time = TimeEmbedding(time_dim, time_scale)
        given = one_condition(num_classes, condition_dim)
        self.embed_label = ConditionEmbedding(time_dim, **given) if any(given.values()) else None
        self.config: dict[str, Any] = dict(
            dim=dim, hidden=hidden, depth=depth, time_dim=time_dim, time_scale=time_scale,
            **given,
        )  # fmt: skip
        self.layers = nn.Sequential(nn.Linear(dim + time_dim, hidden), nn.SiLU())
        for _ in range(depth - 1):
            self.layers.extend([nn.Linear(hidden, hidden), nn.SiLU()])
        self.layers.append(nn.Linear(hidden, dim))

    def forward(
        self,
        x: Tensor,
        t: float | Tensor,
        label: Tensor | None = None,
        also: Tensor | None = None,
    ) -> Tensor:
        dim, x = self.config["dim"], like_weights("x", x, next(self.parameters()))
        if x.ndim != 2 or x.shape[1] != dim:
            raise ValueError(f"x must have shape (B, {dim}), got {tuple(x.shape)}")
        waves = self.embed_time(batch_time(t, x)).to(x.dtype)
        embedding = conditioned(waves, self.embed_label, label, also)
        return self.layers(torch.cat([x, embedding], dim=-1))
