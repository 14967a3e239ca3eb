"""A velocity field while it is being solved: counted, and held to the shape of the state."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from fmcore.checks import finite

VectorField = Callable[[Tensor, Tensor], Tensor]
"""What every solver takes: `v(x, t)`, with `t` a 0-d tensor, returns a tensor like `x`."""


class CountedField:
    """`v(x, t)` with its evaluations counted in `nfe`; each result must be like the state `x`.

    A solver computes in `wide`, float32 or better: in bfloat16 a state of 1 would not grow by
    1/300, and a thousand times between 0 and 1 would be 507. The field itself is evaluated in the
    dtype of `x`, with time in the wide one.
    With `broadcasts`, a result may also be a number, or 0-d, or have axes of length 1 where `x` has
    longer ones.
    """

    def __init__(
        self, v: VectorField, x: Tensor, name: str = "v", broadcasts: bool = False
    ) -> None:
        if not callable(v):
            raise TypeError(f"{name} must be callable as {name}(x, t), got {type(v).__name__}")
        self.v, self.name, self.broadcasts, self.nfe = v, name, broadcasts, 0
        self.shape, self.dtype, self.device = x.shape, x.dtype, x.device
        self.wide = torch.promote_types(x.dtype, torch.float32)

    def __call__(self, x: Tensor, t: Tensor) -> Tensor:
        self.nfe += 1
        k = self.v(x if self.wide is self.dtype else x.to(self.dtype), t)
        if self.broadcasts and isinstance(k, int | float) and not isinstance(k, bool):
            k = torch.tensor(k, dtype=self.dtype, device=self.device)
        if not (
            isinstance(k, Tensor)
            and (k.shape == self.shape or (self.broadcasts and self.fits(k)))
            and k.dtype is self.dtype
            and k.device == self.device
        ):
            raise self.misfit(k)
        return k if self.wide is self.dtype else k.to(self.wide)

    def fits(self, k: Tensor) -> bool:
        """Whether `k` is 0-d or has the axes of `x`, each as long as those of `x` or 1.

        A shape with fewer axes would broadcast over the wrong one of an image with B == W.
        """
        if k.ndim in (0, len(self.shape)):
            return all(a in (1, b) for a, b in zip(k.shape, self.shape, strict=False))
        return False

    def misfit(self, k: object) -> Exception:
        """The error for a result that is not like the state."""
        call = f"{self.name}(x, t) must return a tensor"
        if not isinstance(k, Tensor):
            number = " or a number" if self.broadcasts else ""
            return TypeError(f"{call}{number}, got {type(k).__name__}")
        if k.dtype is not self.dtype:
            return TypeError(
                f"{call} of x's dtype {self.dtype}, got {k.dtype}: under autocast, or with "
                "parameters of another dtype, cast the result with .to(x.dtype)"
            )
        if k.device != self.device:
            return ValueError(f"{call} on x's device {self.device}, got {k.device}")
        shape = f"{'that fits' if self.broadcasts else 'of'} x's shape {tuple(self.shape)}"
        return ValueError(f"{call} {shape}, got {tuple(k.shape)}")


def initial_state(x: Tensor, name: str = "x0") -> Tensor:
    """`x`, if it is a finite tensor of a floating dtype."""
    if not isinstance(x, Tensor):
        raise TypeError(f"{name} must be a torch.Tensor, got {type(x).__name__}")
    if not x.is_floating_point():
        raise TypeError(
            f"{name} must have a floating-point dtype, got {x.dtype}: use {name}.float()"
        )
    return finite(name, x)
