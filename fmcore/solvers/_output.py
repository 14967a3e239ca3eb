"""Output at requested times: states within the steps, which change neither the steps nor x."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from fmcore.checks import randn_like
from fmcore.solvers._arguments import requested_times
from fmcore.solvers._runge_kutta import advance
from fmcore.solvers.tableaus import ButcherTableau
from fmcore.solvers.times import moving, output_shifts


class Output:
    """The states at requested times, collected from the steps that pass them."""

    def __init__(self, x0: Tensor, t0: float, t1: float, t_eval: Sequence[float] | Tensor) -> None:
        self.x0, self.sign = x0, math.copysign(1.0, t1 - t0)
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
            self.states.append(self.between(theta, t_new - t, x, slopes, x_new))
        while self.at(t_new):
            self.states.append(x_new)

    def between(
        self, theta: float, h: float, x: Tensor, slopes: Sequence[Tensor], x_new: Tensor
    ) -> Tensor:
        """The state at t + theta h, within the step from x to x_new."""
        raise NotImplementedError

    def stacked(self) -> tuple[Tensor, Tensor]:
        """ts (T,) and xs (T, *x.shape), in the dtype of the computation."""
        ts = torch.tensor(self.times, dtype=torch.float64).to(self.x0.dtype).to(self.x0.device)
        return ts, torch.stack(self.states) if self.states else self.x0.new_empty(0, *self.x0.shape)


class DenseOutput(Output):
    """By a method's continuous extension, from the slopes of the step.

    With `ends`, or times, to be differentiated in, every state comes from it: those at the ends of
    steps, which have no other derivative in time.
    """

    def __init__(
        self,
        tableau: ButcherTableau,
        x0: Tensor,
        t0: float,
        t1: float,
        t_eval: Sequence[float] | Tensor,
        ends: Tensor | None,
    ) -> None:
        self.tableau, d = tableau, moving(t_eval)
        self.moves = d is not None or ends is not None
        super().__init__(x0, t0, t1, t_eval)
        if self.moves:
            self.shifts = output_shifts(self.times, t0, t1, d, ends).to(x0)

    def inside(self, t: float) -> bool:
        return super().inside(t) or (self.moves and self.at(t))

    def collect(
        self, t: float, x: Tensor, slopes: Sequence[Tensor], t_new: float, x_new: Tensor
    ) -> None:
        if slopes or not self.moves:  # those at t0 come from the first step as well
            super().collect(t, x, slopes, t_new, x_new)

    def between(
        self, theta: float, h: float, x: Tensor, slopes: Sequence[Tensor], x_new: Tensor
    ) -> Tensor:
        if not self.moves:
            return advance(x, h, self.tableau.dense_weights(theta), slopes)
        self.tableau.dense_weights(0.0)  # raises where there is no continuous extension
        at = theta + self.shifts[len(self.states)] / h
        weights = (sum(c * at**j for j, c in enumerate(row, 1)) for row in self.tableau.dense or ())
        return x + h * sum(w * k for w, k in zip(weights, slopes, strict=True))


class BridgedOutput(Output):
    """By a Brownian bridge: x + theta (x_new - x) + g B, where g, at the start of the step, is the
    only one of `slopes`, and B ~ N(0, theta (1 - theta) |h|), given those before it in the step.
    """

    def __init__(self, x0: Tensor, t0: float, t1: float, t_eval: Sequence[float] | Tensor) -> None:
        self.bridges: list[tuple[int, float, float, float, Sequence[Tensor]]] = []
        super().__init__(x0, t0, t1, t_eval)

    def between(
        self, theta: float, h: float, x: Tensor, slopes: Sequence[Tensor], x_new: Tensor
    ) -> Tensor:
        last = self.bridges[-1] if self.bridges else None
        start = last[1] if last and last[-1] is slopes else 0.0  # one list a step
        keep = (1 - theta) / (1 - start)
        spread = math.sqrt(abs(h) * (theta - start) * keep)
        self.bridges.append((len(self.states), theta, keep if start else 0.0, spread, slopes))
        return torch.lerp(x, x_new, theta)

    def draw(self, generator: torch.Generator) -> None:
        """Adds the bridges, all of them after the noise of the steps, which stays what it was."""
        bridge: Tensor | float = 0.0
        for i, _, keep, spread, (g,) in self.bridges:
            bridge = keep * bridge + spread * randn_like(self.x0, generator)
            self.states[i] = self.states[i] + g * bridge
