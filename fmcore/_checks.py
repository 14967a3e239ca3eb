"""Checks and draws that modules share: time that broadcasts, labels, reproducible noise."""

from __future__ import annotations

import torch
from torch import Tensor


def batch_time(t: float | Tensor, x: Tensor) -> Tensor:
    """Time as a `(B,)` tensor with the dtype and device of `x`, which has shape `(B, *shape)`.

    `t` is a number, a 0-d tensor or a `(B,)` tensor with values in [0, 1]. Anything else raises
    `ValueError`: a `(B, 1)` tensor, say, would broadcast over the wrong axis of an image with
    `B == W` and nobody would notice.

    >>> batch_time(0.25, torch.zeros(3, 2))
    tensor([0.2500, 0.2500, 0.2500])
    """
    if x.ndim == 0:
        raise ValueError("x needs a batch axis: shape (B, *shape), got a 0-d tensor")
    t = torch.as_tensor(t, dtype=x.dtype, device=x.device)
    if t.shape not in ((), x.shape[:1]):
        raise ValueError(
            f"t must be a number or have shape () or ({x.shape[0]},) for x of shape "
            f"{tuple(x.shape)}, got shape {tuple(t.shape)}"
        )
    # Written so that NaN fails as well; on a GPU this one look would stall the queue of kernels.
    if t.device.type == "cpu" and not bool(((t >= 0) & (t <= 1)).all()):
        outside = t[~((t >= 0) & (t <= 1))].flatten()[0].item()
        raise ValueError(f"t must lie in [0, 1] (0 is noise, 1 is data), got {outside:g}")
    return t.expand(x.shape[0])


def expand_time(t: float | Tensor, x: Tensor) -> Tensor:
    """Time shaped `(B, 1, ..., 1)`, so that it broadcasts over `x` of shape `(B, *shape)`.

    The same checks as `batch_time`.

    >>> expand_time(torch.tensor([0.0, 1.0]), torch.zeros(2, 1, 28, 28)).shape
    torch.Size([2, 1, 1, 1])
    """
    return batch_time(t, x).reshape(-1, *(1,) * (x.ndim - 1))


def require_label(label: Tensor, n: int) -> Tensor:
    """The label itself, if it is a tensor `(n,)`; `TypeError` or `ValueError` if not."""
    if not isinstance(label, Tensor):
        raise TypeError(f"label must be a tensor ({n},), got {type(label).__name__}")
    if label.shape != (n,):
        raise ValueError(f"label must have shape ({n},), got {tuple(label.shape)}")
    return label


def class_labels(label: Tensor, n: int) -> Tensor:
    """Classes `(n,)` as int64; `TypeError` or `ValueError` unless they are a tensor of integers."""
    label = require_label(label, n)
    if label.is_floating_point() or label.is_complex() or label.dtype == torch.bool:
        raise ValueError(f"label must hold integers, got {label.dtype}")
    return label.long()


def check_labels(label: Tensor, classes: int) -> None:
    """`ValueError` for labels outside [0, classes], where `classes` itself means no class.

    It looks at the values, for which a GPU has to come to a halt.
    """
    if not bool(((label >= 0) & (label <= classes)).all()):
        raise ValueError(
            f"labels must lie in [0, {classes - 1}] ({classes} means no class), "
            f"got {label.min().item()} to {label.max().item()}"
        )


def require_generator(generator: torch.Generator | None) -> torch.Generator:
    """The generator itself; `TypeError` if there is none, for nothing here draws globally."""
    if not isinstance(generator, torch.Generator):
        raise TypeError(
            "generator must be a torch.Generator, e.g. torch.Generator().manual_seed(0); "
            f"got {type(generator).__name__}"
        )
    return generator


def randn_like(x: Tensor, generator: torch.Generator) -> Tensor:
    """Noise N(0, I) with the shape, dtype and device of `x`.

    It is drawn on the generator's own device and then moved: a CPU generator gives the same
    numbers on every machine.
    """
    g = require_generator(generator)
    return torch.randn(x.shape, generator=g, dtype=x.dtype, device=g.device).to(x.device)


def rand_time(x: Tensor, generator: torch.Generator) -> Tensor:
    """Times `(B,)` uniform in [0, 1), one for each row of `x`."""
    g = require_generator(generator)
    return torch.rand(x.shape[0], generator=g, dtype=x.dtype, device=g.device).to(x.device)
