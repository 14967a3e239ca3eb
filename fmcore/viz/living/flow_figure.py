"""The living figure: a velocity field under the reader's hand, with or without a kernel.

The figure computes in the browser: it gets the field (`spec.py`) and the Butcher tableaux as data,
and integrates with the solver and number of steps that the reader picks. Its scripts are the
modules in `js/`; `flow_figure.js` has the shape `render({model, el})`.

To add a control, add a keyword to `FlowFigure` and an entry to its `start_state`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from numbers import Integral
from typing import Any

from matplotlib.figure import Figure

from fmcore.checks import flag, real, whole
from fmcore.fields import MarginalField
from fmcore.solvers import SOLVERS, ButcherTableau
from fmcore.solvers.tableaus import find_tableau

from ..checks import (
    MOST_SEED,
    Extent,
    Method,
    Span,
    box,
    by_name,
    moment,
    numbers,
    series,
    solver_name,
    text,
    time_span,
)
from ..stills.plane import Field
from ..theme import COLORS
from .base import LivingFigure
from .sources import Points, as_source, as_target, source_data, start_point
from .spec import field_data, solver_data
from .still import still

VIEWS = ("arrows", "streamlines", "particles")
OFFERED = ("euler", "midpoint", "heun", "rk4", "dopri5", "dopri5-adaptive")
MOST_PARTICLES = 5_000
MOST_STEPS = 200
MOST_NOISE = 4.0
_ADAPTIVE = "-adaptive"  # after the key of a method: its steps follow from a tolerance
_TOLERANCE = 1e-3


class FlowFigure(LivingFigure):
    """A figure of the plane: a velocity field, particles in it, and the path from one point.

    field       v(x, t) of the plane. A wind, a marginal field of a mixture or data set and an `MLP`
                (or a `FlowModel` of one) reach the browser exactly; any other callable as a lattice
                of `resolution` (nodes along the shorter side, times), whose error is measured
    source      where the particles start: "normal" (N(0, I)), "uniform" (over the extent), a
                `GaussianMixture`, an `Empirical`, or points (N, 2) to draw from
    target      shown as dots: as `source`, or None. By default that of a marginal field
    views       the layers shown at first, of "arrows", "streamlines", "particles"
    solvers     the methods on offer: keys of `SOLVERS`, or a `ButcherTableau`. "-adaptive" after
                the key of a method with an error estimate: its steps follow from a tolerance
    solver, steps  the method and its number of steps at first
    compare     None, a method, a number of steps, or both as (method, steps): a second run from
                the same start
    span        (t0, t1), times of source and target; t1 < t0 follows the field backward
    t           None plays from the source; a time in `span` waits there
    start       the point whose path is shown with its steps marked: each, or evenly chosen ones if
                there are more than twelve
    probe       a point at which the field is shown as long as the pointer is nowhere; or None
    noise       None, or where a dial from 0 to 4 begins: the particles then follow the SDE of
                `same_marginals` with g(t) = noise b(t), by Euler-Maruyama. Neither the second run
                nor the exact path has noise
    marginals   whether histograms of the particles' x and y stand along two edges, under the exact
                densities of the marginal field's p_t, which they have if the source does at t0
    conditionals  whether pointer and probe show the conditional paths through the point of a
                marginal field; the field is the mean of their velocities, weighted by the posterior
    height      of the whole figure in CSS pixels

    Raises TypeError or ValueError that says what does not fit: a field that is not of the plane or
    not finite, an unknown view or solver, a number out of range, noise or marginals of a field
    that is not a `MarginalField` in closed form, noise backward in time, more than 2 MB of data.

    >>> from fmcore.fields import Rotation
    >>> FlowFigure(Rotation(rate=1.0), solver="euler", steps=12)
    FlowFigure(Rotation(rate=1.0), form='winds', solver='euler', steps=12)
    """

    entry = "flow_figure.js"
    more_on_phone = 90

    def __init__(
        self,
        field: Field,
        source: Points = "normal",
        target: Points | None = "field",
        *,
        views: Sequence[str] = ("arrows", "particles"),
        solvers: Sequence[Method] = OFFERED,
        solver: Method = "heun",
        steps: int = 20,
        compare: Method | int | tuple[Method, int] | None = None,
        span: tuple[float, float] = (0.0, 1.0),
        t: float | None = None,
        extent: Extent = (-3.0, 3.0, -3.0, 3.0),
        particles: int = 600,
        start: Sequence[float] | None = None,
        probe: Sequence[float] | None = None,
        seed: int = 0,
        resolution: tuple[int, int] = (33, 17),
        noise: float | None = None,
        marginals: bool = False,
        conditionals: bool = True,
        caption: str = "",
        alt: str = "",
        height: int = 560,
    ) -> None:
        self.field, self.caption = field, text("caption", caption)
        marginals = flag("marginals", marginals)
        self.alt = text("alt", alt) or _alt(field, marginals)
        self.height = whole("height", height, 240)
        self.extent, self.span = box(extent), time_span(span)
        self.source = as_source("source", source, self.extent)
        self.target = as_target(target, field, self.extent)
        steps = whole("steps", steps, 1, MOST_STEPS)
        second = _second(compare, solver, steps)
        start_state = {  # what the controls show at first
            **_choice(solver, steps),
            "compare": second and _choice(*second),
            "views": _views(views),
            "share": _share(t, self.span),
            "playing": t is None,
            "seed": whole("seed", seed, 0, MOST_SEED),
            "noise": _noise(noise, self.span),
            "start": start_point(start, self.extent),
            "probe": None if probe is None else list(numbers("probe", probe, "x", "y")),
        }
        self.spec: dict[str, Any] = {
            "field": field_data(field, self.extent, self.span, _resolution(resolution)),
            "source": source_data(self.source),
            "target": self.target and source_data(self.target),
            "solvers": _menu([*series("solvers", solvers), solver, *(second or ())[:1]]),
            "reference": SOLVERS["dopri5"].as_dict(),
            "span": list(self.span),
            "extent": list(self.extent),
            "particles": whole("particles", particles, 1, MOST_PARTICLES),
            "most_steps": max(40, 2 * steps, 2 * (second[1] if second else 0)),
            "colors": {name: COLORS[name] for name in ("source", "path", "target", "field")},
            "noise": None if noise is None else {"most": MOST_NOISE, "rule": _maruyama()},
            "marginals": marginals,
            "conditionals": flag("conditionals", conditionals),
            "alt": self.alt,
            "compare_state": {"steps": steps, "tolerance": _TOLERANCE},
            "start_state": start_state,
        }
        for name, wanted in (("noise", noise is not None), ("marginals", marginals)):
            if wanted and self.form != "mixture":
                raise ValueError(
                    f"with {name}, field must be a MarginalField in closed form (with a path that "
                    f"is finite on the span), got {self._name()}"
                )
        self._check_size()

    @property
    def form(self) -> str:
        """The form in which the browser gets the field: "winds", "mixture", "mlp" or "lattice"."""
        return self.spec["field"]["kind"]

    def still(self, t: float | None = None) -> Figure:
        """The same picture as a matplotlib figure: for print, and where no script runs.

        At time `t`; left out, at the one where the figure waits, or at its end if it plays.

        >>> from fmcore.fields import Rotation
        >>> figure = FlowFigure(Rotation(rate=1.0), particles=9)
        >>> figure.still(t=0.25).axes[0].get_title()
        't = 0.25'
        """
        t = moment("t", t, self.span)
        return still(self.field, self.source, self.target, self.spec, t)

    def _name(self) -> str:
        text = getattr(self.field, "__name__", repr(self.field))
        return type(self.field).__name__ if len(text) > 80 or "\n" in text else text

    def __repr__(self) -> str:
        state = self.spec["start_state"]
        choice = f"solver={state['solver']!r}, steps={state['steps']}"
        return f"FlowFigure({self._name()}, form={self.form!r}, {choice})"


def _alt(field: Field, marginals: bool) -> str:
    """The default text alternative."""
    name = "a marginal velocity field" if isinstance(field, MarginalField) else "a field"
    strips = ", and histograms of the particles under the exact densities along two edges"
    return (
        f"Interactive figure of {name} of the plane: particles, arrows and streamlines, with "
        f"the path of one starting point{strips if marginals else ''}"
    )


def _base(method: Method) -> Method:
    """The method, without the suffix that makes it adaptive."""
    return method.removesuffix(_ADAPTIVE) if isinstance(method, str) else method


def _menu(methods: Iterable[Method]) -> list[dict[str, Any]]:
    """The methods as the script offers them, each once.

    Raises ValueError if one is unknown, or is to be adaptive and has no error estimate.
    """
    methods = list(methods)
    by_name(map(_base, methods))
    menu = {}
    for method in methods:
        base = _base(method)
        name, tableau, adaptive = solver_name(base), find_tableau(base), method != base
        if adaptive and tableau.error is None:
            able = ", ".join(n + _ADAPTIVE for n, tableau in SOLVERS.items() if tableau.error)
            raise ValueError(f"adaptive solvers must be some of {able}; got {method!r}")
        data = solver_data(base, adaptive=adaptive)
        if adaptive:
            data |= {"id": name + _ADAPTIVE, "label": f"{data['label']}, adaptive"}
        menu[data["id"]] = data
    return list(menu.values())


def _choice(solver: Method, steps: int) -> dict[str, Any]:
    """A solver with its steps and tolerance, as the controls hold them."""
    name = solver.name if isinstance(solver, ButcherTableau) else solver
    return {"solver": name, "steps": steps, "tolerance": _TOLERANCE}


def _maruyama() -> dict[str, Any]:
    """The rule where there is noise, as the solvers of the menu: Euler's, with noise."""
    return {**solver_data("euler"), "id": "euler_maruyama", "label": "Euler–Maruyama"}


def _noise(noise: float | None, span: Span) -> float | None:
    """The noise. Raises ValueError unless it lies in [0, 4] and time goes forward."""
    if noise is None:
        return None
    noise = real("noise", noise, 0)
    if noise > MOST_NOISE:
        raise ValueError(f"noise must lie in [0, {MOST_NOISE:g}] or be None, got {noise:g}")
    if span[0] > span[1]:
        raise ValueError(f"noise needs a span that goes forward in time, got {span}")
    return noise


def _second(
    compare: Method | int | tuple[Method, int] | None, solver: Method, steps: int
) -> tuple[Method, int] | None:
    """The solver and steps to compare with; by default those of the first run."""
    if compare is None:
        return None
    if isinstance(compare, str | ButcherTableau):
        return compare, steps
    if isinstance(compare, Integral) and not isinstance(compare, bool):
        compare = (solver, int(compare))
    if not (isinstance(compare, Sequence) and len(compare) == 2):
        raise TypeError(f"compare must be a solver, a number of steps or both, got {compare!r}")
    return compare[0], whole("the steps of compare", compare[1], 1, MOST_STEPS)


def _views(views: Sequence[str]) -> dict[str, bool]:
    """Every view, and whether it is shown."""
    views = series("views", views)
    if not all(view in VIEWS for view in views):
        raise ValueError(f"views must be some of {', '.join(VIEWS)}; got {views!r}")
    return {view: view in views for view in VIEWS}


def _share(t: float | None, span: Span) -> float:
    """The share of the span before t, 0 if t is None. Raises ValueError if t is outside."""
    (t0, t1), t = span, moment("t", t, span)
    return 0.0 if t is None else (t - t0) / (t1 - t0)


def _resolution(resolution: tuple[int, int]) -> tuple[int, int]:
    """The resolution. Raises ValueError or TypeError unless it is two whole numbers from 4."""
    numbers("resolution", resolution, "nodes", "times")
    nodes, times = resolution
    return whole("the nodes of resolution", nodes, 4), whole("the times of resolution", times, 4)
