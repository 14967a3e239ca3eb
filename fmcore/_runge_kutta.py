"""One explicit Runge-Kutta step, for every tableau, and the states that lie within it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import lru_cache

import torch
from torch import Tensor

from fmcore._solver_checks import requested_times
from fmcore.tableaus import ButcherTableau, Row


def step(
    f: Callable[[Tensor, Tensor], Tensor],
    tableau: ButcherTableau,
    x: Tensor,
    h: float,
    times: Sequence[Tensor],
    k1: Tensor | None,
) -> tuple[Tensor, list[Tensor]]:
    """x_new, and the slopes k_i at the given times t + c_i h; k1 if it is known already."""
    slopes = [f(x, times[0]) if k1 is None else k1]
    for row, t in zip(tableau.a[1:], times[1:], strict=False):
        slopes.append(f(advance(x, h, row, slopes), t))
    return advance(x, h, tableau.b, slopes), slopes


def advance(x: Tensor, h: float, weights: Row, slopes: Sequence[Tensor]) -> Tensor:
    """x + h sum_i w_i k_i; the sum is taken first, so that x is rounded once."""
    w, total = weighted_sum(weights, slopes)
    return torch.add(x, total, alpha=h * w)


def weighted_sum(weights: Row, slopes: Sequence[Tensor]) -> tuple[float, Tensor]:
    """A number and a tensor whose product is sum_i w_i k_i."""
    w, i, others = _factored(weights)
    total = slopes[i]
    for ratio, i in others:
        total = torch.add(total, slopes[i], alpha=ratio)
    return w, total


@lru_cache(maxsize=256)
def _factored(weights: Row) -> tuple[float, int, tuple[tuple[float, int], ...]]:
    """The largest weight, its index, and the other weights relative to it: one product less."""
    first = max(range(len(weights)), key=lambda i: abs(weights[i]))
    w = weights[first]
    return w, first, tuple((u / w, i) for i, u in enumerate(weights) if u and i != first)


def stage_times(tableau: ButcherTableau, grid: Sequence[float], x: Tensor) -> list:
    """For each step its stage times as 0-d tensors: t + c_i h in double, exact at both ends."""
    nodes = torch.tensor(grid, dtype=torch.float64)
    c = torch.tensor(tableau.c, dtype=torch.float64)[:, None]
    times = torch.lerp(nodes[:-1], nodes[1:], c).to(x.dtype).to(x.device)  # (stages, steps)
    return list(zip(*(row.unbind() for row in times), strict=True))


class Output:
    """The states at requested times, collected from the steps that pass them."""

    def __init__(
        self, tableau: ButcherTableau, x0: Tensor, t0: float, t1: float, t_eval: Sequence[float]
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
        """ts (T,) and xs (T, *x.shape)."""
        ts = torch.tensor(self.times, dtype=torch.float64).to(self.x0.dtype).to(self.x0.device)
        return ts, torch.stack(self.states) if self.states else self.x0.new_empty(0, *self.x0.shape)
