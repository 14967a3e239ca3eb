"""The living figure of flow maps: where a network jumps, and where the flow goes.

The browser gets the network's weights and the exact field in closed form. It follows the field by
RK4 and evaluates the network wherever the reader lets a jump begin and end.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import torch
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from torch import Tensor, nn

from fmcore.checks import whole
from fmcore.fields import MarginalField
from fmcore.networks import TwoTimes
from fmcore.paths.path import check_field
from fmcore.solvers import odeint

from ..checks import MOST_SEED, Extent, Span, box, instant, text, time_span
from ..stills import plots
from ..stills.plane import Field, as_input
from ..theme import COLORS, theme
from .base import LivingFigure
from .sources import Points, as_source, as_target, source_data, start_point
from .spec import as_flow_map, closed_form, flow_map_data, solver_data
from .still import MOST_TARGETS

MOST_NETWORKS, MOST_JUMPS = 6, 8
MOST_PARTICLES, MOST_STEPS = 1_000, 400
METHOD = "rk4"
_FRAMES, _STEPS = 100, 24  # of a still: exact states, and RK4 at most, 1e-4 off for two moons


class JumpFigure(LivingFigure):
    """Jumps of a network from time s to time t, beside the exact flow map of a field.

    net         a `TwoTimes("MLP")` of the plane, or a `FlowModel` of one; or a dictionary of one to
                six of them by their names, of which a menu chooses
    field       a `MarginalField` in closed form, whose flow the network has learnt
    source      where the particles are at the beginning of `span`: "normal" (N(0, I)), "uniform"
                (over the extent), a `GaussianMixture`, an `Empirical`, or points (N, 2)
    target      shown as dots: as `source`, or None. By default that of the field
    s, t        when a jump begins and ends; t None is the end of `span`
    jumps       equal ones from s to t, from 1 to 8
    span        from when to when the field is followed; it is finite there
    start       the point whose exact trajectory is shown, with the jumps and Euler steps from it
    steps       of RK4 along the span, for the exact flow
    height      of the whole figure in CSS pixels; on a phone it is higher

    The field carries particles from the source to time s. From there the network's jumps lead to
    filled points and the field to rings; a line between the two is the error. Euler's method gets
    the exact field and as many evaluations as there are jumps. The numbers below are root mean
    squares of the distances over all particles.

    Raises TypeError or ValueError that says what does not fit: a network with one time, with labels
    or of another path, a field that is no `MarginalField` in closed form or not finite on the span,
    times out of order, a number out of range, more than 2 MB of data.

    >>> from fmcore.fields import GaussianMixture
    >>> from fmcore.networks import TwoTimes
    >>> from fmcore.paths import OTPath
    >>> field = MarginalField(GaussianMixture([[-2.0, 0.0], [2.0, 0.0]], 0.5), OTPath())
    >>> JumpFigure({"untrained": TwoTimes("MLP", hidden=16)}, field, s=0.25, jumps=2)
    JumpFigure(['untrained'], s=0.25, t=1, jumps=2)
    """

    entry = "jump_figure.js"
    more_on_phone = 40

    def __init__(
        self,
        net: nn.Module | Mapping[str, nn.Module],
        field: MarginalField,
        source: Points = "normal",
        target: Points | None = "field",
        *,
        s: float = 0.0,
        t: float | None = None,
        jumps: int = 1,
        span: tuple[float, float] = (0.0, 1.0),
        extent: Extent = (-3.0, 3.0, -3.0, 3.0),
        particles: int = 200,
        start: Sequence[float] | None = None,
        seed: int = 0,
        steps: int = 100,
        caption: str = "",
        alt: str = "",
        height: int = 620,
    ) -> None:
        self.extent, (t0, t1) = box(extent), time_span(span)
        if t0 > t1:
            raise ValueError(f"span must go forward in time, got {span}")
        self.s = instant("s", s, (t0, t1))
        self.t = t1 if t is None else instant("t", t, (t0, t1))
        if self.s > self.t:
            raise ValueError(f"a jump goes forward, s <= t, got s = {self.s:g} and t = {self.t:g}")
        self.span = self.s, t1  # the ends that an animation shows
        exact = closed_form(field, self.extent, (t0, t1))
        self.field, self.nets = field, _networks(net, field)
        self.jumps = whole("jumps", jumps, 1, MOST_JUMPS)
        self.steps = whole("steps", steps, 1, MOST_STEPS)
        self.source = as_source("source", source, self.extent)
        self.target = as_target(target, field, self.extent)
        self.caption, self.height = text("caption", caption), whole("height", height, 240)
        particles = whole("particles", particles, 1, MOST_PARTICLES)
        self.alt = text("alt", alt) or _alt(particles, len(self.nets))
        self.spec: dict[str, Any] = {
            "field": exact,
            "networks": {name: flow_map_data(one) for name, one in self.nets.items()},
            "source": source_data(self.source),
            "target": self.target and source_data(self.target),
            "steps": self.steps,
            "solver": solver_data(METHOD),
            "euler": solver_data("euler"),
            "span": [t0, t1],
            "extent": list(self.extent),
            "particles": particles,
            "most_jumps": MOST_JUMPS,
            "colors": {k: COLORS[k] for k in ("source", "path", "target", "field")},
            "alt": self.alt,
            "start_state": {
                "network": next(iter(self.nets)),
                "s": self.s,
                "t": self.t,
                "jumps": self.jumps,
                "views": {"particles": True, "euler": True},
                "start": start_point(start, self.extent),
                "seed": whole("seed", seed, 0, MOST_SEED),
            },
        }
        self._check_size()

    def still(self, t: float | None = None) -> Figure:
        """A matplotlib figure of the jumps of all networks beside each other, from s to `t`.

        Below each: how far they end from the exact flow, as the root mean square.
        """
        t = self.t if t is None else instant("t", t, self.span)
        count, plural = len(self.nets), "s" * (self.jumps > 1)
        columns = count if count < 4 else (count + 1) // 2
        rows = -(-count // columns)
        size = (5.6, 6.2) if count == 1 else (7.0, rows * (7.0 / columns + 0.5) + 0.4)
        with theme(), torch.no_grad():
            figure, axes = plt.subplots(rows, columns, figsize=size, squeeze=False)
            figure.suptitle(
                f"{self.jumps} jump{plural} from s = {self.s:.2f} to t = {t:.2f}", fontsize=13
            )
            for ax in axes.flat[count:]:
                ax.set_axis_off()
            for ax, (name, net) in zip(axes.flat, self.nets.items(), strict=False):
                self._panel(ax, net, t)
                ax.set_title(name if count > 1 else "")
        return figure

    def _panel(self, ax: Axes, net: TwoTimes, t: float) -> None:
        """The particles' jumps with one network, and those from the starting point."""
        spec, extent = self.spec, self.extent
        if self.target is not None:
            g = torch.Generator().manual_seed(spec["start_state"]["seed"] + 1)
            points = self.target.sample(min(MOST_TARGETS, spec["particles"]), generator=g)
            ax.scatter(*points.T, s=4, color=COLORS["target"], alpha=0.35, linewidths=0)
        (before, begin), (after, goal) = self._at(self.s), self._at(t)
        trajectory = self._exact[:, 0]
        travelled = torch.cat([begin[:1], trajectory[before + 1 : after + 1], goal[:1]])
        jumps, euler = self._chains(net, begin, t)
        errors = torch.stack([jumps[-1], goal], dim=1)[1:].numpy()
        ax.add_collection(LineCollection(list(errors), colors=COLORS["muted"], linewidths=0.7))
        plots.scatter(begin[1:], color=COLORS["source"], size=2.0, extent=extent, ax=ax)
        rings: dict[str, Any] = {"facecolors": "none", "edgecolors": COLORS["ink"]}
        ax.scatter(*goal[1:].T, s=13, linewidths=0.8, zorder=3, **rings)
        plots.scatter(jumps[-1, 1:], color=COLORS["path"], size=3.0, extent=extent, ax=ax)
        ax.plot(*trajectory.T, color=COLORS["muted"], linewidth=4, zorder=4)
        ax.plot(*travelled.T, color=COLORS["ink"], linewidth=1.6, zorder=4)
        plots.path(euler[:, 0], method="euler", extent=extent, ax=ax)
        plots.path(jumps[:, 0], color=COLORS["path"], marker="D", extent=extent, ax=ax)
        ax.scatter(*goal[0], s=90, linewidths=1.6, zorder=5, **rings)
        ax.plot(*begin[0], "o", color=COLORS["ink"], zorder=5)
        ax.set(xticks=[], yticks=[], ylabel="")
        ax.spines[:].set_visible(False)
        off, others = (_apart(ends[-1, 1:], goal[1:]) for ends in (jumps, euler))
        ax.set_xlabel(f"jump: {off:.3f} off\nEuler: {others:.3f} off", fontsize=11)

    def _chains(self, net: TwoTimes, begin: Tensor, t: float) -> list[Tensor]:
        """Jumps, and Euler steps along the field, from `begin` at s to t: (K + 1, B, 2) each."""
        span, times = (self.s, t), torch.linspace(self.s, t, self.jumps + 1, dtype=torch.float64)

        def mean_velocity(x: Tensor, now: Tensor) -> Tensor:
            then = (now + (t - self.s) / self.jumps).clamp(max=1.0)
            return net(as_input(net, x), now, then).to(x)

        # A chain of jumps is Euler's method along the mean velocity.
        return [
            _states(v, begin, span, "euler", self.jumps, times) for v in (mean_velocity, self.field)
        ]

    @cached_property
    def _exact(self) -> Tensor:
        """The exact states (T, 1 + particles, 2) at even times, the starting point's first."""
        state, span = self.spec["start_state"], self.spec["span"]
        g = torch.Generator().manual_seed(state["seed"])
        start = torch.tensor([state["start"]], dtype=torch.float64)
        x0 = torch.cat([start, self.source.sample(self.spec["particles"], generator=g).double()])
        times = torch.linspace(*span, _FRAMES + 1, dtype=torch.float64)
        return _states(self.field, x0, span, METHOD, min(self.steps, _STEPS), times)

    def _at(self, t: float) -> tuple[int, Tensor]:
        """The last frame before time t, and the exact states (1 + particles, 2) at t."""
        t0, t1 = self.spec["span"]
        place = _FRAMES * (t - t0) / (t1 - t0)
        before = min(int(place), _FRAMES - 1)
        return before, torch.lerp(*self._exact[before : before + 2], place - before)

    def __repr__(self) -> str:
        return f"JumpFigure({[*self.nets]}, s={self.s:g}, t={self.t:g}, jumps={self.jumps})"


def _networks(
    net: nn.Module | Mapping[str, nn.Module], field: MarginalField
) -> dict[str, TwoTimes]:
    """The flow maps by their names, checked; one without a name is "network"."""
    named = dict(net) if isinstance(net, Mapping) else {"network": net}
    if not 1 <= len(named) <= MOST_NETWORKS:
        raise ValueError(f"net must be one to {MOST_NETWORKS} networks, got {len(named)}")
    maps = {}
    for name, one in named.items():
        if not (isinstance(name, str) and name):
            raise TypeError(f"the names of the networks must be strings, not empty, got {name!r}")
        maps[name] = as_flow_map(f"net[{name!r}]" if isinstance(net, Mapping) else "net", one)
        check_field(one, field.path)
    return maps


def _states(v: Field, x0: Tensor, span: Span, method: str, steps: int, times: Tensor) -> Tensor:
    xs = odeint(v, x0, span, method=method, steps=steps, t_eval=times).xs
    assert xs is not None  # t_eval says where
    return xs


def _apart(one: Tensor, other: Tensor) -> float:
    """The root mean square of the distances of points `(B, 2)`."""
    return (one - other).square().sum(1).mean().sqrt().item()


def _alt(particles: int, networks: int) -> str:
    """The default text alternative."""
    of = "a network, chosen from a menu," if networks > 1 else "a network"
    return (
        f"Interactive figure of the plane: {particles} particles where an exact flow has them at "
        f"time s; filled points where jumps of {of} take them, rings where the flow does at time "
        "t, and lines between the two; from one point the exact trajectory, a curve, the jumps "
        "along its secants and Euler steps along its tangents"
    )
