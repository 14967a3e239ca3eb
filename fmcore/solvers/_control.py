"""How an adaptive solve chooses its steps from the estimated error."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from fmcore.checks import is_finite, positive, real, values
from fmcore.solvers.field import VectorField
from fmcore.solvers.tableaus import SOLVERS, ButcherTableau, Row


@dataclass(frozen=True)
class ErrorControl:
    """Keeps err = rms( h sum_i w_i k_i / (atol + rtol |x|) ) at most 1 in every step.

    weights     w = b - b*, one a stage
    order       that of the error, q + 1, where q is the order of the embedded method
    """

    weights: Row
    order: int
    rtol: float
    atol: float

    @classmethod
    def of(cls, tableau: ButcherTableau, rtol: float | None, atol: float | None) -> ErrorControl:
        """The control for a method, if it can estimate its error and the tolerances bound it."""
        if tableau.error is None or tableau.embedded_order is None:
            pairs = ", ".join(repr(name) for name, s in SOLVERS.items() if s.error is not None)
            raise ValueError(
                f"rtol and atol need a method with an embedded error estimate ({pairs}), which "
                f"{tableau.name!r} does not have: give steps or step_size instead"
            )
        absolute, relative = positive("atol", atol), real("rtol", rtol, 0)
        return cls(tableau.error, tableau.embedded_order + 1, relative, absolute)

    @torch.no_grad()
    def norm(self, e: Tensor, x: Tensor) -> float:
        """Root mean square of e / (atol + rtol |x|), in single precision or better."""
        wide = torch.promote_types(x.dtype, torch.float32)
        ratio = e.to(wide) / (self.atol + self.rtol * x.abs().to(wide))
        read = values(ratio)  # under `vmap`, that of all rows: they take the same steps
        ratio = ratio if read is None else read
        return torch.linalg.vector_norm(ratio).item() / math.sqrt(max(1, ratio.numel()))

    def factor(self, err: float) -> float:
        """By how much the next step is longer, after one with the error `err`."""
        # err may be 0; where the trial left the finite numbers it is inf or NaN, and max gives 0.2.
        return min(10.0, max(0.2, 0.9 * max(err, 1e-99) ** (-1 / self.order)))

    @torch.no_grad()
    def first_step(self, f: VectorField, x: Tensor, k1: Tensor, t0: float, t1: float) -> float:
        """The size of the first step, from the sizes of x, x' and x'' (Hairer et al., II.4)."""
        if not is_finite(k1):
            raise ValueError(f"NaN or infinity in v(x0, t0) at t0={t0:g}, before the first step")
        d0, d1 = self.norm(x, x), self.norm(k1, x)
        h0 = 0.01 * d0 / d1 if min(d0, d1) >= 1e-5 and max(d0, d1) < math.inf else 1e-6
        h0 = min(h0, abs(t1 - t0))
        h = math.copysign(h0, t1 - t0)
        d2 = self.norm(f(x + h * k1, x.new_tensor(t0 + h)) - k1, x) / h0
        if not math.isfinite(d1 + d2):
            return h0
        slope = max(d1, d2)
        h1 = (0.01 / slope) ** (1 / self.order) if slope > 1e-15 else max(1e-6, 1e-3 * h0)
        return min(100 * h0, h1)
