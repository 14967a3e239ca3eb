r"""Time as a vector: waves of many frequencies, from which a network can read t finely.

And what else a network may be told, its condition, as a vector to be added.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, cast

import torch
from torch import Tensor, nn

from fmcore.checks import (
    class_labels,
    condition_vectors,
    floating,
    labels_in_range,
    like_weights,
    positive,
    whole,
)


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


class ConditionEmbedding(nn.Module):
    """What conditions a network, a class or a vector, as a vector to be added to that of time.

        class y        w_y
        vector c       sum_i c_i w_i / sqrt(k)
        no condition   w_k

    with a learnt row w_i of `weight` for each of `num_classes` classes, or of the `condition_dim`
    numbers of a vector, k in all, and one more. But for the factor 1 / sqrt(k), a class is embedded
    as its one-hot vector is. No condition is `label=None`; or, in a row, the class k, or NaNs.
    A label for `n` rows -> `(n, dim)`.

    Raises `ValueError` unless it has one kind of condition, and if a label is out of range or of
    another length.

    >>> embed = ConditionEmbedding(4, condition_dim=2)
    >>> c = torch.tensor([[0.5, -1.0], [torch.nan, torch.nan]])
    >>> torch.equal(embed(c, 2)[1], embed(None, 2)[1])
    True
    """

    def __init__(
        self, dim: int, *, num_classes: int | None = None, condition_dim: int | None = None
    ):
        super().__init__()
        given = one_condition(num_classes, condition_dim)
        if (k := given["num_classes"] or given["condition_dim"]) is None:
            raise ValueError("give num_classes or condition_dim, got neither")
        dim, self.num_classes = whole("dim", dim), given["num_classes"]
        self.weight = nn.Parameter(nn.init.normal_(torch.empty(k + 1, dim)))

    def forward(self, label: Tensor | None, n: int) -> Tensor:
        if label is None:
            return self.weight[-1].expand(n, -1)
        if self.num_classes is not None:
            label = class_labels(label, n)
            # On a GPU, reading the values would stall the queue; the data set checks its labels.
            if label.device.type == "cpu":
                labels_in_range(label, self.num_classes)
            return nn.functional.embedding(label, self.weight)
        k = self.weight.shape[0] - 1
        c = condition_vectors(like_weights("label", label, self.weight), n, k)
        none = c.isnan().all(1, keepdim=True)  # (n, 1)
        told = torch.where(none, 0, c / math.sqrt(k))
        return torch.cat([told, none.to(c.dtype)], dim=1) @ self.weight


def one_condition(num_classes: int | None, condition_dim: int | None) -> dict[str, int | None]:
    """Both as whole numbers, by their names; `ValueError` if neither is None."""
    if num_classes is not None and condition_dim is not None:
        raise ValueError(
            "a network has classes or vectors as conditions, not both: got "
            f"num_classes={num_classes!r} and condition_dim={condition_dim!r}"
        )
    given = {"num_classes": num_classes, "condition_dim": condition_dim}
    return {name: None if k is None else whole(name, k) for name, k in given.items()}


def conditioned(
    embedding: Tensor,
    embed_label: ConditionEmbedding | None,
    label: Tensor | None,
    also: Tensor | None = None,
) -> Tensor:
    """The embedding of time `(B, dim)` plus that of the label, in a network that has conditions.

    And `also` that of another time, in one that has two.
    """
    if also is not None:
        embedding = embedding + also
    if embed_label is not None:
        return embedding + embed_label(label, embedding.shape[0])
    if label is not None:
        raise ValueError(
            "this network was built without a condition (num_classes=None, condition_dim=None), "
            "and a label was given"
        )
    return embedding
