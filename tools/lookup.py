"""How tables and sentences look up their numbers in the results."""

from __future__ import annotations

import statistics
from functools import cache
from pathlib import Path

from fmcore.metrics.classifier import network_card  # noqa: F401 (sentences use it)
from fmcore.results import measured

ROOT = Path(__file__).resolve().parent.parent
SCORES = ("frechet", "precision", "recall", "readable")
REFERENCE = (("rk4, half a step late", 150), ("rk4", 25), ("midpoint", 5))
COUNTS = (2, 4, 8, 10, 20)  # evaluations of which there are rows on a CPU


@cache
def rows(name: str) -> list[dict]:
    return measured(name)["rows"]


def matching(name: str, **asked) -> list[dict]:
    """The rows of a result with these values; None asks for rows without that key."""
    return [one for one in rows(name) if all(one.get(key) == asked[key] for key in asked)]


def row(name: str, **asked) -> dict:
    """The only row of a result with these values."""
    found = matching(name, **asked)
    if len(found) != 1:
        raise ValueError(f"{len(found)} rows of {name} have {asked}")
    return found[0]


def gpu(what: str) -> dict:
    return row("gpu", what=what)


def script(key: str) -> float:
    """What the reference script takes on a GPU, by its own way."""
    return gpu("the reference way")[key]


def by_fit(key: str) -> float:
    """What `fit` takes for the same network and recipe."""
    return gpu("the reference recipe, our way")[key]


def short(recipe: str) -> dict:
    """A training of ten epochs on a GPU."""
    return gpu(f"ten epochs: {recipe}")


WIDE = "as many parameters, two levels"


def small(score: str, recipe: str) -> float:
    """The mean over the seeds of small trainings on a CPU."""
    return mean("recipe", score, recipe=recipe)


def climbed(what: str, score: str, guidance: float = 1.0) -> float:
    """The mean over the seeds of trainings of one length on two CPU cores."""
    return mean("ladder", score, what=what, guidance=guidance)


def plain(solver: str) -> dict:
    """What a row of the shipped network has: even steps of this solver, no class asked for."""
    return dict(model="ours", solver=solver, grid=None, guidance=None)


def mean(name: str, score: str, **asked) -> float:
    """Mean of a score over the rows with these values, the seeds of sampling mostly."""
    found = [one[score] for one in matching(name, **asked)]
    if not found:
        raise ValueError(f"no row of {name} has {asked}")
    return statistics.fmean(found)


def spread(name: str, score: str, **asked) -> float:
    """Standard deviation of a score over the rows with these values."""
    return statistics.stdev(one[score] for one in matching(name, **asked))


def ten(score: str, solver: str = "midpoint") -> float:
    """Mean over the seeds of sampling of what the shipped network gets at ten evaluations."""
    return mean("mnist", score, **plain(solver), nfe=10.0)


def real(score: str, noise: float = 0.0) -> float:
    """What real images get, with noise of this standard deviation."""
    return mean("mnist", score, model="real", noise=noise)


def bound(score: str, kind: str) -> float:
    """The floor or the ceiling of a score."""
    return matching("mnist", model="ours")[0][f"{score}_{kind}"]


def peer(model: str, score: str) -> list[float]:
    """What another network got on a GPU in all rows that the table of peers shows."""
    shown = [one for one in matching("mnist_gpu", model=model)
             if model != "reference" or (one["solver"], one["steps"]) in REFERENCE]  # fmt: skip
    return [one[score] for one in shown]


def by(score: str, solver: str, nfe: float, grid: str | None = None) -> float:
    """The same for another solver, number of evaluations and grid of times."""
    return mean("mnist", score, **plain(solver) | {"nfe": float(nfe), "grid": grid})


def on_gpu(solver: str, steps: int) -> dict:
    """What the shipped network got on a GPU, from 10,000 samples, with even steps."""
    return row("mnist_gpu", **plain(solver), steps=steps)


def late_reference() -> dict:
    """The reference network, sampled as its script does it."""
    return row("mnist_gpu", model="reference", solver="rk4, half a step late")


def change(moment: str) -> list[float]:
    """Small trainings under a weight: by how many per cent their loss there is another."""
    runs = matching("small_runs", what="weight")
    plain = {(r["seed"], r["steps"]): r[moment] for r in runs if r["times"] == "uniform"}
    others = [run for run in runs if run["times"] != "uniform"]
    return [100 * (run[moment] / plain[run["seed"], run["steps"]] - 1) for run in others]


def read(kind: str) -> list[float]:
    """The shares of a control that the readers of three seeds call a digit."""
    return [run["read"][kind] for run in rows("reader")]


def glued() -> list[float]:
    """The same of all digits that were glued from halves of two."""
    kinds = [kind for kind in rows("reader")[0]["read"] if kind.startswith("glued")]
    return [share for kind in kinds for share in read(kind)]


def adaptive(who: str, score: str) -> list[float]:
    """Errors, or evaluations, of dopri5 over five problems and six tolerances."""
    return [one[who][score] for one in matching("solvers", what="dopri5")]


def count(of: str, than: str, score: str) -> int:
    """In how many of these solves the score of one is larger than that of the other."""
    pairs = zip(adaptive(of, score), adaptive(than, score), strict=True)
    return sum(a > b for a, b in pairs)


def ratios(who: str, rival: str) -> list[float]:
    """Times of solves, in that of the rival."""
    return [one["ratio"] for one in matching("solvers", solver=who, rival=rival)]


def cost(field: str, solver: str) -> float:
    return row("density", field=field, solver=solver)["ratio"]


def step(who: str, work: str = "step") -> dict:
    return row("training", work=work, who=who)


def redraw(field: str) -> dict:
    return row("figure", what="redraw", field=field)


def pages(key: str = "all_gzip_bytes") -> list[float]:
    """Megabytes of a first visit, of each chapter with a living figure."""
    return [one[key] / 1e6 for one in matching("site", what="page") if one["page"] != "index"]


def size(file: str) -> int:
    return (ROOT / file).stat().st_size


def loss(epoch: int) -> float:
    """Of the training of the shipped network."""
    return row("shipped", epoch=epoch)["loss"]


def origin_of(name: str, key: str) -> str:
    """What the rows of a result say of their origin, each value once."""
    about = measured(name)["about"]
    values = [str((about | one)[key]) for one in rows(name)]
    return ("; " if key == "command" else ", ").join(dict.fromkeys(values))


def value(expression: str, form: str) -> str:
    """A number as a sentence says it."""
    return format(eval(expression, globals()), form)
