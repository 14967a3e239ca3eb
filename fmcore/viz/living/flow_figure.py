"""The living figure: a velocity field that answers the reader's hand, with or without a kernel.

The figure computes in the browser: it gets the field (`spec.py`) and the Butcher tableaux as data,
and integrates for whatever solver and step count the reader picks. Its scripts are the modules in
`js/`; `index.js` has the shape `render({model, el})`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from fmcore.distributions import Empirical, GaussianMixture
from fmcore.fields import MarginalField
from fmcore.tableaus import SOLVERS

from ..stills.plane import check_count, check_extent
from ..theme import COLORS, solver_style
from .base import LivingFigure
from .spec import distribution_data, field_data

VIEWS = ("arrows", "streamlines", "particles")
MOST_PARTICLES = 5_000
MOST_STEPS = 200
_ADAPTIVE = "-adaptive"  # follows the name of a method that is to choose its own steps
_TOLERANCE = 1e-3


class FlowFigure(LivingFigure):
    """A figure of the plane in which a field can be seen, followed and questioned.

    field       v(x, t) of the plane. A wind, a marginal field of a mixture or data set and an `MLP`
                (or a `FlowModel` of one) travel exactly; any other callable as a lattice of
                `resolution` (nodes along the shorter side, times), whose error is measured
    source      where the particles start: "normal" (N(0, I)), "uniform" (over the extent), a
                `GaussianMixture`, an `Empirical`, or points (N, 2) to draw from
    target      shown as dots: as `source`, or None. By default that of a marginal field
    views       the layers shown at first, of "arrows", "streamlines", "particles"
    solvers     the methods on offer, keys of `SOLVERS`; "bosh3-adaptive" and "dopri5-adaptive"
                choose their steps by a tolerance
    compare     None, a method, a number of steps, or both as (method, steps): a second run from
                the same start
    span        (t0, t1), times of source and target; t1 < t0 follows the field backward
    t           None plays from the source; a time in `span` waits there
    start       the point whose path is shown with every step marked
    conditionals  whether a pointer on a marginal field shows the conditional paths through the
                point, whose velocities, weighted by their posterior, it averages
    height      of the whole figure in CSS pixels

    `TypeError` or `ValueError` says what does not fit: a field that is not of the plane or not
    finite, an unknown view or solver, a number out of range, more than 2 MB of data.

    >>> from fmcore.fields import Rotation
    >>> FlowFigure(Rotation(rate=1.0), solver="euler", steps=12)
    FlowFigure(Rotation(rate=1.0), form='winds', solver='euler', steps=12)
    """

    entry = "index.js"
    more_on_phone = 90

    def __init__(
        self,
        field: Callable[[Tensor, Tensor], Tensor],
        source: str | GaussianMixture | Empirical | Tensor | Sequence = "normal",
        target: str | GaussianMixture | Empirical | Tensor | Sequence | None = "field",
        *,
        views: Sequence[str] = ("arrows", "particles"),
        solvers: Sequence[str] = ("euler", "midpoint", "heun", "rk4", "dopri5", "dopri5-adaptive"),
        solver: str = "heun",
        steps: int = 20,
        compare: str | int | tuple[str, int] | None = None,
        span: tuple[float, float] = (0.0, 1.0),
        t: float | None = None,
        extent: Sequence[float] = (-3.0, 3.0, -3.0, 3.0),
        particles: int = 600,
        start: Sequence[float] | None = None,
        seed: int = 0,
        resolution: tuple[int, int] = (33, 17),
        conditionals: bool = True,
        caption: str = "",
        alt: str = "",
        height: int = 560,
    ) -> None:
        self.field, self.caption, self.height = field, caption, height
        self.extent = check_extent(extent)
        self.span = _span(span)
        check_count("steps", steps, 1)
        check_count("particles", particles, 1)
        check_count("height", height, 240)
        if steps > MOST_STEPS or particles > MOST_PARTICLES:
            raise ValueError(
                f"a figure takes up to {MOST_STEPS} steps and {MOST_PARTICLES} particles, "
                f"got {steps} and {particles}"
            )
        self.solver, self.steps, self.particles, self.seed = solver, steps, particles, seed
        offered = [_solver(name) for name in dict.fromkeys([*solvers, solver])]
        second = _compare(compare, solver, steps)
        if second is not None and second["solver"] not in {one["id"] for one in offered}:
            offered.append(_solver(second["solver"]))
        unknown = set(views) - set(VIEWS)
        if isinstance(views, str) or unknown:
            raise ValueError(f"views must be some of {', '.join(VIEWS)}; got {views!r}")
        self.views = tuple(views)
        if isinstance(target, str) and target == "field":
            target = field.target if isinstance(field, MarginalField) else None
        self.source = _distribution("source", source)
        self.target = None if target is None else _distribution("target", target)
        if t is not None and not min(self.span) <= t <= max(self.span):
            raise ValueError(f"t must lie in span {self.span} or be None, got {t!r}")
        _resolution(resolution)
        self.alt = alt or self._alt(field)
        data = field_data(field, self.extent, self.span, resolution)
        self.t = t
        t0, t1 = self.span
        self.spec: dict[str, Any] = {
            "field": data,
            "source": self._drawn(self.source),
            "target": None if self.target is None else self._drawn(self.target),
            "solvers": offered,
            "reference": SOLVERS["dopri5"].as_dict(),
            "span": list(self.span),
            "extent": list(self.extent),
            "particles": particles,
            "most_steps": max(40, 2 * steps, 2 * (second or {}).get("steps", 0)),
            "colors": {name: COLORS[name] for name in ("source", "path", "target", "field")},
            "conditionals": conditionals,
            "alt": self.alt,
            "compare_state": {"steps": steps, "tolerance": _TOLERANCE},
            "start_state": {
                "solver": solver,
                "steps": steps,
                "tolerance": _TOLERANCE,
                "compare": second,
                "views": {view: view in views for view in VIEWS},
                "share": 0.0 if t is None else (t - t0) / (t1 - t0),
                "playing": t is None,
                "seed": seed,
                "start": list(_point(start, self.extent)),
            },
        }
        self._check_size()

    @property
    def form(self) -> str:
        """How the field travels: "winds", "mixture", "mlp" or "lattice"."""
        return self.spec["field"]["kind"]

    def still(self) -> Any:
        """The same picture as a matplotlib figure: for print, and where no script runs."""
        from .still import still

        return still(self)

    def __repr__(self) -> str:
        text = getattr(self.field, "__name__", repr(self.field))
        if len(text) > 80 or "\n" in text:
            text = type(self.field).__name__
        return f"FlowFigure({text}, form={self.form!r}, solver={self.solver!r}, steps={self.steps})"

    def _alt(self, field: Callable) -> str:
        what = "a marginal velocity field" if isinstance(field, MarginalField) else "a field"
        return (
            f"Interactive figure of {what} of the plane: particles, arrows and streamlines, with "
            "the path of one starting point"
        )

    def _drawn(self, source: str | GaussianMixture | Empirical) -> dict[str, Any]:
        if source == "uniform":
            return {"kind": "uniform", "extent": list(self.extent)}
        if source == "normal":
            source = GaussianMixture(torch.zeros(1, 2, dtype=torch.float64), 1.0)
        return {"kind": "mixture", **distribution_data(source)}


def _solver(name: str) -> dict[str, Any]:
    adaptive = isinstance(name, str) and name.endswith(_ADAPTIVE)
    method = name.removesuffix(_ADAPTIVE) if adaptive else name
    if method not in SOLVERS or adaptive and SOLVERS[method].error is None:
        names = [*SOLVERS, *(n + _ADAPTIVE for n, tableau in SOLVERS.items() if tableau.error)]
        raise ValueError(f"solvers must be some of {', '.join(names)}; got {name!r}")
    style = solver_style(method)
    return {
        "id": name,
        "label": style.label + (", adaptive" if adaptive else ""),
        "color": style.color,
        "marker": style.marker,
        "adaptive": adaptive,
        "tableau": SOLVERS[method].as_dict(),
    }


def _compare(compare: Any, solver: str, steps: int) -> dict[str, Any] | None:
    if compare is None:
        return None
    if isinstance(compare, str):
        compare = (compare, steps)
    elif isinstance(compare, int) and not isinstance(compare, bool):
        compare = (solver, compare)
    if not (isinstance(compare, Sequence) and len(compare) == 2):
        raise TypeError(f"compare must be a solver, a number of steps or both, got {compare!r}")
    check_count("the steps of compare", compare[1], 1)
    if compare[1] > MOST_STEPS:
        raise ValueError(f"compare takes up to {MOST_STEPS} steps, got {compare[1]}")
    return {"solver": compare[0], "steps": compare[1], "tolerance": _TOLERANCE}


def _span(span: Sequence[float]) -> tuple[float, float]:
    try:
        t0, t1 = (float(t) for t in span)
    except (TypeError, ValueError):
        raise ValueError(f"span must be two times (t0, t1), got {span!r}") from None
    if not (0 <= t0 <= 1 and 0 <= t1 <= 1 and t0 != t1):
        raise ValueError(f"span must be two different times in [0, 1], got {span!r}")
    return t0, t1


def _resolution(resolution: tuple[int, int]) -> None:
    try:
        nodes, times = resolution
    except (TypeError, ValueError):
        raise ValueError(f"resolution must be (nodes, times), got {resolution!r}") from None
    check_count("the nodes of resolution", nodes, 4)
    check_count("the times of resolution", times, 4)


def _point(start: Sequence[float] | None, extent: Sequence[float]) -> tuple[float, float]:
    xmin, xmax, ymin, ymax = extent
    if start is None:  # off the middle, in the cloud of the source
        return xmin + 0.34 * (xmax - xmin), ymin + 0.63 * (ymax - ymin)
    try:
        x, y = (float(c) for c in start)
    except (TypeError, ValueError):
        raise ValueError(f"start must be a point (x, y), got {start!r}") from None
    if not (math.isfinite(x) and math.isfinite(y)):
        raise ValueError(f"start must be finite, got {start!r}")
    return x, y


def _distribution(name: str, given: Any) -> str | GaussianMixture | Empirical:
    if isinstance(given, str):
        if given not in ("normal", "uniform"):
            raise ValueError(f"{name} must be 'normal', 'uniform' or points, got {given!r}")
        return given
    known = isinstance(given, GaussianMixture | Empirical)
    found = given if known else Empirical(torch.as_tensor(given))
    if tuple(found.shape) != (2,):
        raise ValueError(f"{name} must lie in the plane, got points of shape {tuple(found.shape)}")
    return found
