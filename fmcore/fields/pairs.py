r"""The velocity field of finitely many pairs in closed form: what the pairing makes of a flow.

Noise x0_i and data x1_i are joined in pairs, and each pair is carried along its straight line by a
small round cloud of standard deviation `width` (I-CFM: Tong et al. 2024, eq. 14 and 15),

    x_t | i  ~  N(m_i, width²),    m_i = (1 - t) x0_i + t x1_i,    velocity x1_i - x0_i.

With the pairs equally likely, the marginal density and velocity are

    p_t(x)  =  (1/n) sum_i N(x; m_i, width²)
    u(x, t) =  sum_i w_i (x1_i - x0_i),    w_i ∝ exp(-|x - m_i|² / 2 width²).

So u is the conditional expectation of x1 - x0 given x_t = x, the exact minimiser of the loss on
these pairs. `MarginalField` is another mean: there x0 is all of N(0, I), independent of the data.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from fmcore.checks import expand_time, finite, like, positive
from fmcore.fields.marginal import _CHUNK, _widest_dtype
from fmcore.fields.targets import log_normal, points_like


class PairField:
    """The exact marginal velocity `u(x, t)` of the pairs `(x0[i], x1[i])`, each a cloud of `width`.

    `x0` and `x1` are tensors `(n, d)` of a floating dtype; row i of one belongs to row i of the
    other. `u(x, t)` and `log_prob(x, t)` take `x` `(B, d)` and `t` in [0, 1] (a number, 0-d or
    `(B,)`), work in float64 where the device has it and answer in the dtype of `x`; gradients flow
    through `x` and `t`. The flow of u carries p_0, the clouds around x0, to p_1, those around x1.

    Raises `ValueError` if a shape does not fit, a point is not finite, `width` is not above 0, or t
    lies outside [0, 1]; `TypeError` for another dtype.

    >>> x0, x1 = torch.tensor([[0.0, -1.0], [0.0, 1.0]]), torch.tensor([[4.0, 1.0], [4.0, -1.0]])
    >>> u = PairField(x0, x1, width=0.1)
    >>> u(torch.tensor([[0.0, -1.0], [2.0, 0.0]]), torch.tensor([0.0, 0.5]))  # alone; both meet
    tensor([[4., 2.],
            [4., 0.]])
    """

    def __init__(self, x0: Tensor, x1: Tensor, width: float = 0.1) -> None:
        like("x0", x0, "x1", x1)
        if x0.ndim != 2 or x0.numel() == 0:
            raise ValueError(f"x0 and x1 must have shape (n, d), not empty, got {tuple(x0.shape)}")
        self.x0, self.x1 = finite("x0", x0.detach()), finite("x1", x1.detach())
        self.width = positive("width", width)

    def __call__(self, x: Tensor, t: float | Tensor) -> Tensor:
        """The marginal velocity sum_i w_i (x1_i - x0_i), shaped like `x`."""
        log_joint, x0, x1 = self._log_joint(x, t)
        return (log_joint.softmax(dim=1) @ (x1 - x0)).to(x.dtype)

    def log_prob(self, x: Tensor, t: float | Tensor) -> Tensor:
        """The logarithm of the marginal density p_t at `x`, `(B,)`."""
        return self._log_joint(x, t)[0].logsumexp(dim=1).to(x.dtype)

    def __repr__(self) -> str:
        n, d = self.x0.shape
        return f"PairField({n} pairs in {d} dimensions, width={self.width:g})"

    def _log_joint(self, x: Tensor, t: float | Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """log (1/n) N(x; m_i, width²), `(B, n)`, and the pairs; a few rows at a time."""
        points_like(x, self.x0.shape[1:])
        t, rows = expand_time(t, x), max(1, _CHUNK // self.x0.numel())
        wide = _widest_dtype(x.device)
        x, t, x0, x1 = (each.to(x.device, wide) for each in (x, t, self.x0, self.x1))
        var = x0.new_tensor(self.width**2)
        parts = [
            log_normal(y, (1 - s[..., None]) * x0 + s[..., None] * x1, var)
            for y, s in zip(x.split(rows), t.split(rows), strict=True)
        ]
        return torch.cat(parts) - math.log(len(x0)), x0, x1
