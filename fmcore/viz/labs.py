"""Labs for a live kernel: a dropdown for the solver and a slider for the steps re-run the model.

They need Python behind the page. On a page without a kernel their controls would be dead: there
a line says how to open the lab, and a `FlowFigure` or `DigitFigure` answers in its place. They
work with ipywidgets 7.7 (Colab) to 8 and use no front end of their own. The picture and the
readout are HTML widgets rather than an `Output`: they hold still while the next picture is drawn,
carry a text alternative, and can be read by a test.
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
from matplotlib.figure import Figure
from torch import Tensor, nn

from fmcore._checks import randn_like, require_generator
from fmcore.sampling import counted, generate
from fmcore.solvers import SOLVERS, odeint

from .stills import plots
from .stills.plane import Extent, Field, as_array
from .theme import solver_style, theme

if TYPE_CHECKING:
    from ipywidgets import VBox

FIXED = ("euler", "midpoint", "heun", "rk4")
WITHOUT_KERNEL = (
    "<p class='fm-lab'><strong>A lab.</strong> Here stand a dropdown and a slider that re-run the "
    "model in Python, and this page has none behind it. To open the lab, take the chapter to Colab "
    "(the rocket at the top of the page), or run <code>make lab</code> in the book’s folder and "
    "then the cells.</p>"
)
FEW = 16  # so many paths can be told apart


@dataclass(frozen=True)
class _Result:
    """One run: the figure, what it cost, and what else the readout says."""

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
    solvers: Sequence[str] = FIXED,
    steps: int = 10,
    max_steps: int = 40,
    extent: Extent | None = None,
) -> VBox:
    """A widget that solves x' = field(x, t) from `x0` `(B, 2)` with the solver and steps chosen.

    Up to 16 particles leave their paths with every step marked, on top of a fine solution (RK4, 200
    steps) in grey; more leave fading trails, on top of its end points. The readout gives the
    evaluations of the field (NFE), the milliseconds, and the mean distance of the end points from
    those of the fine solution.

    An error while it is built is raised; later ones are shown in the readout. `ValueError` for an
    unknown solver, steps outside [1, max_steps] or a wrong `x0`; `ImportError` without ipywidgets.
    """
    as_array("x0", x0, "(B, 2)")
    few = len(x0) <= FEW

    @torch.no_grad()
    def solve(method: str, steps: int):
        grid = torch.linspace(0, 1, steps + 1, dtype=torch.float64)
        times = [t_span[0] + float(s) * (t_span[1] - t_span[0]) for s in grid[:-1]] + [t_span[1]]
        return odeint(field, x0, t_span, method=method, steps=steps, t_eval=times)

    fine = solve("rk4", 200).xs.cpu()
    view = _frame(fine) if extent is None else extent

    def run(method: str, steps: int) -> _Result:
        start = time.perf_counter()
        solution = solve(method, steps)
        xs = solution.xs.cpu()  # waits for a GPU
        seconds = time.perf_counter() - start
        figure, ax = _figure(5.0, 5.0)
        if few:
            plots.path(fine, ax=ax, extent=view)
            plots.path(xs, method=method, ax=ax)
        else:
            plots.scatter(fine[-1], ax=ax, extent=view, color=rcParams["text.color"])
            plots.particles(xs, ax=ax, color=solver_style(method).color)
        distance = (xs[-1] - fine[-1]).norm(dim=1).mean().item()
        what = f"{len(x0)} {'path' if few else 'particle'}{'' if len(x0) == 1 else 's'}"
        alt = f"{what} computed by {_named(method)} in {_count(steps, 'step')}"
        note = f"mean distance from the fine solution {distance:.2g}"
        return _Result(figure, solution.nfe, seconds, alt, note)

    return _lab(run, solvers, steps, max_steps)


def digit_lab(
    model: nn.Module,
    *,
    n: int = 16,
    generator: torch.Generator,
    solvers: Sequence[str] = FIXED,
    steps: int = 10,
    max_steps: int = 40,
) -> VBox:
    """A widget that generates `n` digits with the solver and steps chosen, from one fixed noise.

    The noise x0 is drawn once from `generator`, so that all that changes is the solver. The readout
    gives the evaluations of the network (NFE), counted, and the milliseconds.

    An error while it is built is raised; later ones are shown in the readout. `ValueError` for an
    unknown solver or steps outside [1, max_steps]; `ImportError` without ipywidgets.
    """
    x0 = randn_like(torch.empty(n, 1, 28, 28), require_generator(generator))

    def run(method: str, steps: int) -> _Result:
        start = time.perf_counter()
        with counted(model) as rows:  # the solver as it is, to the end
            x = generate(model, n, method=method, steps=steps, x0=x0, avoid_end=False).cpu()
        seconds = time.perf_counter() - start
        columns = min(n, 8)
        figure, ax = _figure(0.8 * columns, 0.8 * -(-n // columns))
        plots.digits(x, columns=columns, ax=ax)
        alt = f"{_count(n, 'digit')} generated by {_named(method)} in {_count(steps, 'step')}"
        return _Result(figure, sum(rows) // n, seconds, alt)

    return _lab(run, solvers, steps, max_steps)


def _lab(
    run: Callable[[str, int], _Result], solvers: Sequence[str], steps: int, max_steps: int
) -> VBox:
    """The controls, the picture and the readout; a change of a control runs again."""
    widgets = _ipywidgets()
    solvers = list(solvers)
    if not solvers or any(s not in SOLVERS for s in solvers):
        raise ValueError(f"solvers must be some of {', '.join(SOLVERS)}; got {solvers}")
    if not 1 <= steps <= max_steps:
        raise ValueError(f"steps must lie in [1, max_steps = {max_steps}], got {steps}")
    solver = widgets.Dropdown(
        options=[(_named(s), s) for s in solvers],
        value="heun" if "heun" in solvers else solvers[0],
        description="Solver",
    )
    # Runs when the slider is let go: while it is dragged, runs would queue up in the kernel.
    slider = widgets.IntSlider(
        value=steps, min=1, max=max_steps, description="Steps", continuous_update=False
    )
    picture, readout = widgets.HTML(), widgets.HTML()

    def show() -> None:
        with theme():
            result = run(solver.value, slider.value)
            picture.value = _img(result.figure, result.alt)
        head = f"{_named(solver.value)}, {_count(slider.value, 'step')}"
        cost = f"NFE {result.nfe}, {1000 * result.seconds:.1f} ms"
        readout.value = html.escape("; ".join(filter(None, (f"{head}: {cost}", result.note))))

    def changed(_: Any) -> None:
        try:
            show()
        except Exception as error:  # whatever the reader's field raises belongs on the page
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
    needs = widgets.HTML("<small>This lab runs the model in Python and needs a kernel.</small>")
    controls = widgets.HBox([solver, slider], layout=widgets.Layout(flex_flow="row wrap"))
    return _box(widgets.VBox)([controls, picture, readout, needs])


def _box(base: type) -> type:
    class Lab(base):
        """A box of widgets that says, where there is no kernel, how to open the lab."""

        def _repr_mimebundle_(self, **kwargs: Any) -> dict[str, Any]:
            # ipywidgets 7 has none, and shows itself by other means.
            shown = getattr(super(), "_repr_mimebundle_", lambda **_: {})(**kwargs)
            return {**shown, "text/html": WITHOUT_KERNEL}

    return Lab


def _ipywidgets():
    try:
        import ipywidgets
    except ImportError as error:
        raise ImportError(
            "the labs need ipywidgets (7.7 or later): pip install ipywidgets"
        ) from error
    return ipywidgets


def _figure(width: float, height: float):
    """A figure that pyplot knows nothing of, so that no notebook shows it a second time."""
    figure = Figure(figsize=(width, height))
    return figure, figure.subplots()


def _img(figure: Figure, alt: str) -> str:
    """The figure as an `<img>` with its pixels inside, at two of them for one of the page's."""
    png = io.BytesIO()
    figure.savefig(png, format="png", dpi=200)
    return (
        f'<img alt="{html.escape(alt)}" width="{100 * figure.get_figwidth():.0f}" '
        f'style="max-width: 100%; height: auto" '
        f'src="data:image/png;base64,{base64.b64encode(png.getvalue()).decode()}">'
    )


def _frame(xs: Tensor) -> Extent:
    """A square around all states, with room for the few who leave the road."""
    low, high = xs.flatten(0, 1).amin(0), xs.flatten(0, 1).amax(0)
    half = max((0.8 if xs.shape[1] <= FEW else 0.55) * (high - low).max().item(), 0.5)
    x, y = ((low + high) / 2).tolist()
    return (x - half, x + half, y - half, y + half)


def _named(method: str) -> str:
    return solver_style(method).label


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
