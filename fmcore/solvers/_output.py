"""Output at requested times: states within the steps, by the method's continuous extension."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from fmcore.solvers._arguments import requested_times
from fmcore.solvers._runge_kutta import advance
from fmcore.solvers.tableaus import ButcherTableau


class Output:
    """The states at requested times, collected from the steps that pass them."""

    def __init__(
        self,
        tableau: ButcherTableau,
        x0: Tensor,
        t0: float,
        t1: float,
        t_eval: Sequence[float] | Tensor,
    ) -> None:
        self.tableau, self.x0, self.sign = tableau, x0, math.copysign(1.0, t1 - t0)
        self.times, self.slack = requested_times(t_eval, t0, t1)
        self.states: list[Tensor] = []
        self.collect(t0, x0, (), t0, x0)

    def inside(self, t: float) -> bool:
        """Whether the next requested time lies before t, by more than its rounding."""
        i = len(self.states)
        return i < len(self.times) and self.sign * (t - self.times[i]) > self.slack

    def at(self, t: float) -> bool:
        """Whether the next requested time is t, up to its rounding."""
        i = len(self.states)
        return i < len(self.times) and abs(t - self.times[i]) <= self.slack

    def collect(
        self, t: float, x: Tensor, slopes: Sequence[Tensor], t_new: float, x_new: Tensor
    ) -> None:
        """Take what is requested of the step that led from t, x to t_new, x_new."""
        while self.inside(t_new):
            theta = (self.times[len(self.states)] - t) / (t_new - t)
            weights = self.tableau.dense_weights(theta)
            self.states.append(advance(x, t_new - t, weights, slopes))
        while self.at(t_new):
            self.states.append(x_new)

    def stacked(self) -> tuple[Tensor, Tensor]:
        """ts (T,) and xs (T, *x.shape), in the dtype of the computation."""
        ts = torch.tensor(self.times, dtype=torch.float64).to(self.x0.dtype).to(self.x0.device)
        return ts, torch.stack(self.states) if self.states else self.x0.new_empty(0, *self.x0.shape)
