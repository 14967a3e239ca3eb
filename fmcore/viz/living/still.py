"""The still of a flow figure: field, particles with trails, one path, a probe, by matplotlib."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import torch
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.colors import to_hex, to_rgba
from matplotlib.figure import Figure
from torch import Tensor

from fmcore.fields import MarginalField
from fmcore.solvers import ButcherTableau, odeint, sdeint
from fmcore.stochastic import same_marginals

from ..stills import plots
from ..stills.plane import Field, as_input
from ..theme import COLORS, theme
from .marginals import STRIP, draw_marginals
from .probe import draw_probe
from .sources import Source

FRAMES = 25  # states of each particle, for its trail
TRAIL = 0.22  # share of the time so far that a trail reaches back
MOST_TARGETS = 600  # dots of the target
RECEDED = 0.3  # opacity of the particles where conditional paths are shown


def still(
    field: Field,
    source: Source,
    target: Source | None,
    spec: dict[str, Any],
    t: float | None = None,
) -> Figure:
    """A matplotlib figure of what the browser shows at time t.

    Left out, t is the time where it begins, or its end if it plays.

    `spec` is the data of the `FlowFigure`, to whose names `field`, `source` and `target` belong.
    """
    state, (t0, t1) = spec["start_state"], spec["span"]
    if t is None:
        t = t1 if state["playing"] else t0 + state["share"] * (t1 - t0)
    runs = [_Run(field, spec, state, state["noise"] or 0.0)]
    if state["compare"]:
        runs.append(_Run(field, spec, state["compare"]))
    with theme(), torch.no_grad():
        size = (5.6, 5.6) if len(runs) == 1 else (7.0, 3.9)
        figure, axes = plt.subplots(1, len(runs), figsize=size, squeeze=False)
        for ax, run in zip(axes[0], runs, strict=True):
            _panel(ax, run, source, target, t)
            title = f"{run.title}, t = {t:.2f}" if runs[1:] else f"t = {t:.2f}"
            ax.set_title(title, y=1.02 + STRIP if spec["marginals"] else None)
    return figure


@dataclass(frozen=True)
class _Run:
    """The figure's field under one choice of solver and steps, and with so much noise."""

    field: Field
    spec: dict[str, Any]
    choice: dict[str, Any]
    noise: float = 0.0

    @property
    def solver(self) -> dict[str, Any]:
        """The chosen one of the solvers on offer; where there is noise, the only one."""
        if self.noise:
            return self.spec["noise"]["rule"]
        return next(s for s in self.spec["solvers"] if s["id"] == self.choice["solver"])

    @property
    def title(self) -> str:
        """The solver with its steps, or without if it chooses them."""
        label, steps = self.solver["label"], self.choice["steps"]
        return label if self.solver["adaptive"] else f"{label}, {steps} step{'s' * (steps > 1)}"

    @property
    def tableau(self) -> ButcherTableau:
        """The method, with straight lines between its steps if it has no continuous extension."""
        tableau = ButcherTableau(**self.solver["tableau"])
        lines = tuple((weight,) for weight in tableau.b)
        return replace(tableau, dense=lines) if tableau.dense is None else tableau

    def states(self, x0: Tensor, times: Tensor) -> Tensor:
        """The states (T, B, 2) at `times`, in the direction of the figure's span."""
        t0, t1 = self.spec["span"]
        times = times.double().clamp(min(t0, t1), max(t0, t1))
        if isinstance(self.field, MarginalField) and self.noise:
            path = self.field.path
            xs = sdeint(
                *same_marginals(self.field, path, noise=lambda t: self.noise * path.b(t)),
                x0,
                (t0, t1),
                method="euler_maruyama",
                steps=self.choice["steps"],
                generator=torch.Generator().manual_seed(self.spec["start_state"]["seed"] + 1),
                t_eval=times,
            ).xs
            assert xs is not None
            return xs
        adaptive, tolerance = self.solver["adaptive"], self.choice["tolerance"]
        xs = odeint(
            self.field,
            as_input(self.field, x0),
            (t0, t1),
            method=self.tableau,
            steps=None if adaptive else self.choice["steps"],
            rtol=tolerance if adaptive else None,
            atol=tolerance if adaptive else None,
            t_eval=times,
        ).xs
        assert xs is not None  # t_eval says where
        return xs


def _panel(ax: Axes, run: _Run, source: Source, target: Source | None, t: float) -> None:
    """Field and target at time t, the particles and the path of one solver."""
    spec, state = run.spec, run.spec["start_state"]
    (t0, t1), extent, views = spec["span"], spec["extent"], state["views"]
    g = torch.Generator().manual_seed(state["seed"])
    x0 = source.sample(spec["particles"], generator=g)
    if target is not None:
        points = target.sample(min(MOST_TARGETS, spec["particles"]), generator=g)
        plots.scatter(points, color=COLORS["target"], extent=extent, ax=ax)
    if views["streamlines"]:
        plots.streamlines(run.field, t, extent=extent, ax=ax)
    if views["arrows"]:
        plots.quiver(run.field, t, extent=extent, ax=ax)
    if views["particles"] or spec["marginals"]:
        trail = TRAIL / (1 + run.noise)  # with noise it is longer in the same time
        states = run.states(x0, torch.linspace(t - trail * (t - t0), t, FRAMES))
    if views["particles"]:
        paths = state["probe"] and spec["conditionals"] and isinstance(run.field, MarginalField)
        color = to_hex(to_rgba(COLORS["path"], RECEDED if paths else 1.0), keep_alpha=True)
        plots.particles(states, extent=extent, ax=ax, color=color)
    times = torch.linspace(t0, t1, run.choice["steps"] + 1)
    path = run.states(torch.tensor([state["start"]]), times)[:, 0]
    style: dict[str, Any] = {"color": run.solver["color"], "extent": extent, "ax": ax}
    if run.noise:  # all corners: no marks
        plots.path(path, **style)
    else:
        plots.path(path, method=run.tableau, marker=run.solver["marker"], **style)
    if spec["marginals"] and isinstance(run.field, MarginalField):
        draw_marginals(ax, run.field, states[-1].numpy(), t, span=(t0, t1), extent=extent)
    if state["probe"]:
        given = {"span": (t0, t1), "extent": extent, "conditionals": spec["conditionals"]}
        draw_probe(ax, run.field, state["probe"], t, **given)
