"""The still of a living figure: field, particles with trails and one path, drawn by matplotlib."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from matplotlib import pyplot as plt
from torch import Tensor

from fmcore.distributions import Empirical, GaussianMixture
from fmcore.solvers import odeint

from ..stills import plots
from ..stills.plane import grid
from ..theme import COLORS, theme

if TYPE_CHECKING:
    from .flow_figure import FlowFigure

FRAMES = 25  # states of each particle, for its trail


def still(figure: FlowFigure) -> Any:
    """A matplotlib figure of what the living one shows at its time `t` (the end, if it plays)."""
    t = figure.span[1] if figure.t is None else figure.t
    state = figure.spec["start_state"]
    choices = [state] if state["compare"] is None else [state, state["compare"]]
    labels = {one["id"]: one["label"] for one in figure.spec["solvers"]}
    with theme(), torch.no_grad():
        size = (5.6, 5.6) if len(choices) == 1 else (7.0, 3.9)
        picture, axes = plt.subplots(1, len(choices), figsize=size, squeeze=False)
        for ax, choice in zip(axes[0], choices, strict=True):
            _panel(figure, choice, t, ax)
            ax.set_title(
                f"{_named(labels, choice)}, t = {t:.2f}" if choices[1:] else f"t = {t:.2f}"
            )
    return picture


def _named(labels: dict[str, str], choice: dict[str, Any]) -> str:
    label, steps = labels[choice["solver"]], choice["steps"]
    return label if "adaptive" in label else f"{label}, {steps} step{'s' * (steps > 1)}"


def _panel(figure: FlowFigure, choice: dict[str, Any], t: float, ax: plt.Axes) -> None:
    """Field and target at time t, the particles and the path of one solver."""
    t0, t1 = figure.span
    g = torch.Generator().manual_seed(figure.seed)
    like = grid(*torch.zeros(2, 1).numpy(), figure.field)
    x0 = _sample(figure.source, figure.particles, figure.extent, g).to(like)
    start = torch.tensor([figure.spec["start_state"]["start"]]).to(like)
    shown = dict(extent=figure.extent, ax=ax)
    if figure.target is not None:
        points = _sample(figure.target, min(600, figure.particles), figure.extent, g)
        plots.scatter(points, color=COLORS["target"], **shown)
    if "streamlines" in figure.views:
        plots.streamlines(figure.field, t, **shown)
    if "arrows" in figure.views:
        plots.quiver(figure.field, t, **shown)
    if "particles" in figure.views:
        early = t0 + 0.78 * (t - t0)
        xs = _follow(figure, choice, x0, torch.linspace(early, t, FRAMES))
        plots.particles(xs, **shown)
    way = _follow(figure, choice, start, torch.linspace(t0, t1, choice["steps"] + 1))
    plots.path(way[:, 0], method=choice["solver"].removesuffix("-adaptive"), **shown)


def _follow(figure: FlowFigure, choice: dict[str, Any], x0: Tensor, times: Tensor) -> Tensor:
    """The states (T, B, 2) at `times`, in the direction of the figure's span."""
    method = choice["solver"].removesuffix("-adaptive")
    adaptive, tolerance = method != choice["solver"], choice["tolerance"]
    how = {"rtol": tolerance, "atol": tolerance} if adaptive else {"steps": choice["steps"]}
    times = times.double().clamp(min(figure.span), max(figure.span))
    return odeint(figure.field, x0, figure.span, method=method, t_eval=times, **how).xs


def _sample(
    source: str | GaussianMixture | Empirical, n: int, extent: tuple, g: torch.Generator
) -> Tensor:
    if source == "normal":
        return torch.randn(n, 2, generator=g)
    if source == "uniform":
        low, high = torch.tensor(extent[::2]), torch.tensor(extent[1::2])
        return low + (high - low) * torch.rand(n, 2, generator=g)
    return source.sample(n, generator=g).float()
