"""Labs for a live kernel: a dropdown for the solver and a slider for the steps re-run the model.

They need Python behind the page. On a page without a kernel their controls would do nothing, so a
line says there how to open the lab, and a `FlowFigure` or `DigitFigure` takes its place. They work
with ipywidgets 7.7 (Colab) to 8 and have no front end of their own. The picture and the readout
are HTML widgets rather than an `Output`: they do not flicker while the next picture is drawn, have
a text alternative, and can be read by a test.
"""

from __future__ import annotations

import base64
import html
import io
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from matplotlib import rcParams
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor, nn

from fmcore.checks import randn_like, require_generator, whole
from fmcore.sampling import DEFAULT_STEPS, counted, generate
from fmcore.solvers import odeint
from fmcore.solvers.times import interval

from .checks import Extent, Method, as_array, by_name
from .stills import plots
from .stills.plane import Field
from .theme import solver_style, theme

if TYPE_CHECKING:
    from ipywidgets import VBox

__all__ = ["digit_lab", "solver_lab"]

FIXED = ("euler", "midpoint", "heun", "rk4")
WITHOUT_KERNEL = (
    "<p class='fm-lab'><strong>This lab needs Python.</strong> Open the chapter in Colab (the "
    "rocket at the top of the page), or run <code>make lab</code> in the book’s folder.</p>"
)
FEW = 16  # up to so many paths can be told apart


@dataclass(frozen=True)
class _Result:
    """One run: its figure and cost, the text alternative, and a note for the readout."""

    figure: Figure
    nfe: int
    seconds: float
    alt: str
    note: str = ""


def solver_lab(
    field: Field,
    x0: Tensor,
    *,
    t_span: tuple[float, float] = (0.0, 1.0),
    solvers: Sequence[Method] = FIXED,
    steps: int = 10,
    max_steps: int = 40,
    extent: Extent | None = None,
) -> VBox | _WithoutWidgets:
    """A widget that solves x' = field(x, t) from `x0` `(B, 2)` with the solver and steps chosen.

    Up to 16 particles are shown with their paths and up to 12 steps marked, on top of a fine
    solution (RK4, 200 steps) in grey; more with fading trails, on top of its end points. `solvers`
    are keys of `SOLVERS`, or a `ButcherTableau`. The readout gives the evaluations of the field
    (NFE), the milliseconds, and the mean distance of the end points from those of the fine
    solution.

    Raises ValueError if a solver is unknown, steps are outside [1, max_steps] or `x0` does not fit,
    and what the field raises in the first run. Later errors are shown in the readout. Without
    ipywidgets there is a line that says so in its place.
    """
    as_array("x0", x0, ("B", 2))
    t0, t1 = interval(t_span)
    few = len(x0) <= FEW

    @torch.no_grad()
    def solve(method: Method, steps: int) -> tuple[Tensor, int]:
        """The states at every step, on the CPU, and the evaluations."""
        grid = torch.linspace(0, 1, steps + 1, dtype=torch.float64)
        times = [t0 + float(s) * (t1 - t0) for s in grid[:-1]] + [t1]
        solution = odeint(field, x0, (t0, t1), method=method, steps=steps, t_eval=times)
        assert solution.xs is not None  # t_eval says where
        return solution.xs.cpu(), solution.nfe  # .cpu() waits for a GPU

    fine, _ = solve("rk4", 200)
    view = _frame(fine) if extent is None else extent

    def run(method: Method, steps: int) -> _Result:
        start = time.perf_counter()
        xs, nfe = solve(method, steps)
        seconds = time.perf_counter() - start
        figure, ax = _figure(5.0, 5.0)
        if few:
            plots.path(fine, ax=ax, extent=view)
            plots.path(xs, method=method, ax=ax)
        else:
            plots.scatter(fine[-1], ax=ax, extent=view, color=rcParams["text.color"])
            plots.particles(xs, ax=ax, color=solver_style(method).color)
        distance = (xs[-1] - fine[-1]).norm(dim=1).mean().item()
        shown = _count(len(x0), "path" if few else "particle")
        alt = f"{shown} computed by {_label(method)} in {_count(steps, 'step')}"
        note = f"mean distance from the fine solution {distance:.2g}"
        return _Result(figure, nfe, seconds, alt, note)

    return _lab(run, solvers, "heun", steps, max_steps)


def digit_lab(
    model: nn.Module,
    *,
    n: int = 16,
    generator: torch.Generator,
    solvers: Sequence[Method] = FIXED,
    steps: int = DEFAULT_STEPS,
    max_steps: int = 40,
) -> VBox | _WithoutWidgets:
    """A widget that generates `n` digits with the solver and steps chosen, from one fixed noise.

    The noise x0 is drawn once from `generator`, so that only the solver changes. `solvers` are keys
    of `SOLVERS`, or a `ButcherTableau`. The readout gives the evaluations of the network (NFE),
    counted, and the milliseconds.

    Raises ValueError if a solver is unknown or steps are outside [1, max_steps], and what the
    network raises in the first run. Later errors are shown in the readout. Without ipywidgets there
    is a line that says so in its place.
    """
    if not isinstance(model, nn.Module):
        raise TypeError(f"model must be a torch module, got {type(model).__name__}")
    x0 = randn_like(torch.empty(whole("n", n), 1, 28, 28), require_generator(generator))

    def run(method: Method, steps: int) -> _Result:
        start = time.perf_counter()
        with counted(model) as rows:
            x = generate(model, n, method=method, steps=steps, x0=x0).cpu()
        seconds = time.perf_counter() - start
        columns = min(n, 8)
        figure, ax = _figure(0.8 * columns, 0.8 * -(-n // columns))
        plots.digits(x, columns=columns, ax=ax)
        alt = f"{_count(n, 'digit')} generated by {_label(method)} in {_count(steps, 'step')}"
        return _Result(figure, sum(rows) // n, seconds, alt)

    return _lab(run, solvers, "midpoint", steps, max_steps)


def _lab(
    run: Callable[[Method, int], _Result],
    solvers: Sequence[Method],
    first: str,
    steps: int,
    max_steps: int,
) -> VBox | _WithoutWidgets:
    """The controls, the picture and the readout; a change of a control runs again.

    It begins with the solver `first`, if that is one of the `solvers`.
    """
    methods = by_name(solvers)
    max_steps = whole("max_steps", max_steps)
    steps = whole("steps", steps, 1, max_steps)
    try:
        import ipywidgets as widgets  # a library for notebooks: the rest of fmcore does without
    except ImportError:
        return _WithoutWidgets()
    solver = widgets.Dropdown(
        options=[(_label(method), name) for name, method in methods.items()],
        value=first if first in methods else next(iter(methods)),
        description="Solver",
    )
    # Runs when the slider is let go: while it is dragged, runs would queue up in the kernel.
    slider = widgets.IntSlider(
        value=steps, min=1, max=max_steps, description="Steps", continuous_update=False
    )
    picture, readout = widgets.HTML(), widgets.HTML()

    def show() -> None:
        method = methods[solver.value]
        with theme():
            result = run(method, slider.value)
            picture.value = _img(result.figure, result.alt)
        head = f"{_label(method)}, {_count(slider.value, 'step')}"
        cost = f"NFE {result.nfe}, {1000 * result.seconds:.1f} ms"
        readout.value = html.escape("; ".join(filter(None, (f"{head}: {cost}", result.note))))

    def changed(_: Any) -> None:
        try:
            show()
        except Exception as error:  # the reader's field may raise anything: show it on the page
            picture.value = ""  # the old picture would belong to other settings
            summary = "".join(traceback.format_exception_only(error)).strip()
            trace = "".join(traceback.format_exception(error))
            readout.value = (
                f'<pre role="alert">{html.escape(summary)}</pre>'
                f"<details><summary>Traceback</summary><pre>{html.escape(trace)}</pre></details>"
            )

    show()
    solver.observe(changed, names="value")
    slider.observe(changed, names="value")
    hint = widgets.HTML("<small>This lab runs the model in Python and needs a kernel.</small>")
    controls = widgets.HBox([solver, slider], layout=widgets.Layout(flex_flow="row wrap"))
    return _box(widgets.VBox)([controls, picture, readout, hint])


def _box(base: Any) -> Any:
    """A subclass of a box of widgets: ipywidgets is imported only when a lab is built."""

    class Lab(base):
        """A box of widgets that says, where there is no kernel, how to open the lab."""

        def _repr_mimebundle_(self, **kwargs: Any) -> dict[str, Any]:
            # ipywidgets 7 has no such method and shows itself by `_ipython_display_`.
            inherited = getattr(super(), "_repr_mimebundle_", lambda **_: {})
            return {**inherited(**kwargs), "text/html": WITHOUT_KERNEL}

    return Lab


class _WithoutWidgets:
    """Stands where a lab would be, so that a notebook goes on: what is missing, in a sentence."""

    def __repr__(self) -> str:
        return "This lab needs ipywidgets 7.7 or later: pip install ipywidgets"

    def _repr_html_(self) -> str:
        return f"<p class='fm-lab'>{self!r}</p>"


def _figure(width: float, height: float) -> tuple[Figure, Axes]:
    """A figure that pyplot does not know of, so that no notebook shows it a second time."""
    figure = Figure(figsize=(width, height))
    return figure, figure.subplots()


def _img(figure: Figure, alt: str) -> str:
    """The figure as an `<img>` that holds its pixels: two for each CSS pixel."""
    png = io.BytesIO()
    figure.savefig(png, format="png", dpi=200)
    return (
        f'<img alt="{html.escape(alt)}" width="{100 * figure.get_figwidth():.0f}" '
        f'style="max-width: 100%; height: auto" '
        f'src="data:image/png;base64,{base64.b64encode(png.getvalue()).decode()}">'
    )


def _frame(xs: Tensor) -> Extent:
    """A square around all states, with a margin for solvers that leave the path."""
    low, high = xs.flatten(0, 1).amin(0), xs.flatten(0, 1).amax(0)
    half = max((0.8 if xs.shape[1] <= FEW else 0.55) * (high - low).max().item(), 0.5)
    x, y = ((low + high) / 2).tolist()
    return (x - half, x + half, y - half, y + half)


def _label(method: Method) -> str:
    return solver_style(method).label


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
