"""The tables that the texts show, each a function over the results: `TABLES`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from lookup import COUNTS, SCORES, matching, mean, origin_of, plain, row, spread

from fmcore.results import measured, results_folder

SOLVERS = {"euler": "Euler", "midpoint": "midpoint", "heun": "Heun", "rk4": "RK4"}
LAST = {f"{key}, midpoint at the end": f"{name}, last step by midpoint"
        for key, name in SOLVERS.items() if key in ("heun", "rk4")}  # fmt: skip


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table; a column whose name ends in a colon holds numbers, set to the right."""
    lines = [
        [column.removesuffix(":") for column in columns],
        ["--:" if column.endswith(":") else "---" for column in columns],
        *rows,
    ]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def unbroken(text: str) -> str:
    """The same text, which no page breaks at its hyphens or spaces."""
    return text.replace("-", "\N{NON-BREAKING HYPHEN}").replace(" ", "\N{NO-BREAK SPACE}")


def number(value: float | None, digits: int = 2) -> str:
    return "" if value is None else f"{value:,.{digits}f}"


def digits_of(value: float) -> int:
    """Decimals that a score is given with."""
    return 3 if value < 1 else 2 if value < 10 else 1 if value < 100 else 0


def over_seeds(score: str, name: str = "mnist", **asked) -> str:
    """Mean and spread of a score over the seeds of these rows; empty if there is none."""
    rows = matching(name, **asked)
    if not rows:
        return ""
    middle = mean(name, score, **asked)
    digits = digits_of(middle)
    scatter = f" ± {spread(name, score, **asked):.{digits}f}" if len(rows) > 1 else ""
    return number(middle, digits) + unbroken(scatter)


# ---- what things cost


def by_field(rows: list[dict]) -> list[dict]:
    """The cheap field first."""
    return sorted(rows, key=lambda one: one["field"] != "spiral")


def solvers() -> str:
    rows = []
    for ours in by_field(matching("solvers", what="race", solver="fmcore", rival="loop")):
        same = {key: ours[key] for key in ("what", "field", "batch", "method")}
        theirs = row("solvers", **same, solver="torchdiffeq")
        rows.append([
            ours["field"], f"{ours['batch']:,}", ours["method"], number(ours["ratio"]),
            number(theirs["ratio"]), str(ours["nfe"]), unbroken(f"{ours['error']:.1e}"),
        ])  # fmt: skip
    columns = "field,batch:,method,fmcore / loop:,torchdiffeq / loop:,NFE:,error:"
    return table(columns.split(","), rows)


def adaptive() -> str:
    rows = []
    for ours in by_field(matching("solvers", what="race", solver="fmcore", method="dopri5")):
        same = {key: ours[key] for key in ("what", "field", "batch", "method")}
        errors = (ours["error"], row("solvers", **same, solver="torchdiffeq")["error"])
        rows.append([
            ours["field"], f"{ours['batch']:,}", ours["method"], number(ours["ratio"]),
            str(ours["nfe"]), *(unbroken(f"{error:.1e}") for error in errors),
        ])  # fmt: skip
    columns = "field,batch:,method,fmcore / torchdiffeq:,NFE:,error:,error of torchdiffeq:"
    return table(columns.split(","), rows)


def density() -> str:
    rows = []
    for bare in matching("density", solver="sample"):
        dimensions = 1
        for size in bare["shape"][1:]:
            dimensions *= size
        cells = [bare["field"], str(dimensions)]
        for who in ("fmcore", "torchdiffeq"):
            for how in ("exact", "hutchinson"):
                found = matching("density", field=bare["field"], solver=f"{who}, {how}")
                digits = 1 if found and found[0]["ratio"] < 100 else 0
                cells.append(number(found[0]["ratio"], digits) if found else "")
        rows.append(cells)
    columns = "field,dimensions:,exact:,by signs:,torchdiffeq exact:,torchdiffeq by signs:"
    return table(columns.split(","), rows)


def figure() -> str:
    rows = []
    for one in matching("figure", what="redraw"):
        later = one["all_particles_ms"]
        times = (one[key] for key in ("script_ms_median", "script_ms_p95", "cpu_ms_p95"))
        rows.append([
            one["field"].replace("mlp", "MLP"), *(number(time, 1) for time in times),
            f"{one['particles_at_once']:,}", f"{later:.0f} ms later" if later else "at once",
        ])  # fmt: skip
    columns = "field,redraw:,95 %:,CPU 95 %:,particles in it:,all particles:"
    return table(columns.split(","), rows)


def training() -> str:
    rows = []
    for one in measured("training")["rows"]:
        work = "step" if one["work"] == "step" else "5 Heun steps"
        who = one["who"].replace("fmcore", "`fit`" if work == "step" else "`generate`")
        rows.append([
            work, who, number(one["ratio"]), number(one["images_per_second"], 0),
            f"{one['memory_mib']:.0f} MiB",
        ])  # fmt: skip
    return table("work,who,ratio:,images/s:,memory:".split(","), rows)


def gpu_training() -> str:
    script = row("gpu", what="the reference way")
    rows = [[
        "reference, by its own script", "0", number(script["images_per_second"], 0),
        f"{script['seconds_of_50_epochs']:.0f} s", *[""] * 4,
    ]]  # fmt: skip
    names = {"the reference recipe, our way": "reference, by `fit`"}
    names |= {f"our recipe, seed {k}": "our recipe, by `fit`" for k in range(3)}
    for what, who in names.items():
        run = row("gpu", what=what)
        rows.append([
            who, str(run["seed"]), number(run["images_per_second"], 0), f"{run['seconds']:.0f} s",
            f"{run['memory_mib']:.0f} MiB", *(number(run[score]) for score in SCORES[:3]),
        ])  # fmt: skip
    columns = "who,seed:,images/s:,50 epochs:,memory:,Fréchet distance:,precision:,recall:"
    return table(columns.split(","), rows)


# ---- how good the digits are


def quality() -> str:
    """Fréchet distance of the shipped network against evaluations: three seeds of sampling."""
    budgets = sorted({round(one["nfe"]) for one in matching("mnist", model="ours")
                      if one["solver"] in SOLVERS and round(one["nfe"]) in COUNTS})  # fmt: skip
    rows = []
    for solver, name in (SOLVERS | LAST).items():
        cells = [over_seeds("frechet", **plain(solver), nfe=float(nfe)) for nfe in budgets]
        if any(cells):
            rows.append([name, *cells])
    return table(["evaluations", *(f"{nfe}:" for nfe in budgets)], rows)


def scores() -> str:
    """All four scores of the rows at ten evaluations and near it, from ceiling to floor."""
    ten = {name: plain(solver) | {"nfe": 10.0} for solver, name in (SOLVERS | LAST).items()}
    asked = {name: how for name, how in ten.items() if matching("mnist", **how)}
    asked["RK4, last step by midpoint"] = plain("rk4, midpoint at the end")
    for grid in ("late", "early", "both ends"):
        for solver in ("euler", "heun"):
            how = dict(model="ours", solver=solver, grid=grid)
            asked[f"{SOLVERS[solver]}, small steps {PLACES[grid]}"] = how
    for one in matching("mnist", model="ours", solver="dopri5", seed=0):
        how = dict(model="ours", solver="dopri5", tolerance=one["tolerance"])
        asked[f"Dormand–Prince, tolerance {one['tolerance']:g}"] = how
    rows = [
        [name, number(mean("mnist", "nfe", **how), 0),
         *(over_seeds(score, **how) for score in SCORES)]
        for name, how in asked.items()
    ]  # fmt: skip
    some = matching("mnist", model="ours")[0]
    for name, bound in (("real images", "floor"), ("best control, no digits", "ceiling")):
        values = (some[f"{score}_{bound}"] for score in SCORES)
        rows.append([name, "", *(number(value, digits_of(value)) for value in values)])
    columns = "sampled by,NFE:,Fréchet distance:,precision:,recall:,readable:"
    return table(columns.split(","), rows)


PLACES = {"late": "near the data", "early": "near the noise", "both ends": "at both ends"}


def noise() -> str:
    rows = []
    for level in sorted({one["noise"] for one in matching("mnist", model="real")}):
        cells = [over_seeds(score, model="real", noise=level) for score in SCORES]
        what = f"training images, noise {level:g}" if level else "training images"
        rows.append([f"{level:g}", *cells, f"{row('lenet', what=what)['distance']:.3f}"])
    columns = "noise:,Fréchet distance:,precision:,recall:,readable:,by LeNet-5:"
    return table(columns.split(","), rows)


def card() -> str:
    """The card of the shipped network: five midpoint steps, without a class, with it, guided."""
    asked = [plain("midpoint") | {"steps": 5}]
    asked += [dict(model="ours", guidance=weight) for weight in (1.0, 2.0)]
    some = matching("mnist", **asked[0])[0]
    names = {
        "frechet": "Fréchet distance, features of `DigitClassifier`",
        "precision": "precision",
        "recall": "recall",
        "readable": "readable",
        "accuracy": "read as what was asked for",
        "nearest": "median distance to the nearest training image",
    }
    rows = []
    for score, name in names.items():
        cells = [
            over_seeds(score, **how) if matching("mnist", **how)[0][score] is not None else ""
            for how in asked
        ]
        bounds = (some.get(f"{score}_{bound}") for bound in ("floor", "ceiling"))
        cells += ["" if value is None else number(value, digits_of(value)) for value in bounds]
        rows.append([name, *cells])
    copies = [number(mean("mnist", "copies", **how), 4) for how in asked]
    shares = [over_seeds("class_distance", **how) for how in asked]
    rows += [
        ["nearer to one than 999 of 1,000 test images are", *copies, "0.0010", ""],
        ["distance of the class shares from those of the test set", *shares, "", ""],
    ]
    columns = "score,no class (G = 0):,class (G = 1):,guided (G = 2):,real:,no digits:"
    return table(columns.split(","), rows)


def bits() -> str:
    """Bits a pixel before and after a training on dequantised images, with standard errors."""
    names = {"shipped": "as shipped, trained on bytes", "dequantised": "trained further"}
    rows = []
    for what, name in names.items():
        one = row("bits", what=what)
        error = unbroken(f" ± {one['error']:.3f}")
        cells = (number(one["bits"], 3) + error, number(one["blank"]), number(one["nfe"], 0))
        rows.append([name, f"{one['n']:,}", *cells])
    columns = "network,test images:,bits a pixel:,of blank paper:,NFE:"
    return table(columns.split(","), rows)


def gpu_quality() -> str:
    """10,000 samples of seed 0 on a GPU."""
    budgets = (2, 4, 8, 10, 20, 40, 100)
    rows = []
    for solver, name in (SOLVERS | LAST).items():
        found = {
            round(one["nfe"]): number(one["frechet"])
            for one in matching("mnist_gpu", **plain(solver))
        }
        if set(found) & set(budgets):
            rows.append([name, *(found.get(nfe, "") for nfe in budgets)])
    return table(["evaluations", *(f"{nfe}:" for nfe in budgets)], rows)


def peers() -> str:
    asked = {
        ("reference", "RK4, half a step late, as its script does it"): dict(
            model="reference", solver="rk4, half a step late"
        ),
        ("reference", "RK4"): dict(model="reference", solver="rk4", steps=25),
        ("reference", "midpoint"): dict(model="reference", solver="midpoint", steps=5),
        ("torchcfm's network, 3 epochs", "dopri5, tolerances 1e-4"): dict(model="torchcfm"),
        ("ours, 3 epochs", "midpoint"): dict(model="ours, as long as torchcfm"),
        ("shipped", "midpoint"): plain("midpoint") | {"steps": 5},
    }
    rows = []
    for (network, how), conditions in asked.items():
        one = row("mnist_gpu", **conditions)
        scores = (number(one[score], 3) for score in SCORES[:3])
        rows.append([network, how, f"{one['nfe']:.0f}", f"{one['n']:,}", *scores])
    noisy = dict(model="real", noise=0.1)
    cells = (number(mean("mnist", score, **noisy), 3) for score in SCORES[:3])
    n = f"{matching('mnist', **noisy)[0]['n']:,}" if matching("mnist", **noisy) else ""
    rows.append(["real images, noise of 0.1", "", "", n, *cells])
    columns = "network,sampled by,NFE:,images:,Fréchet distance:,precision:,recall:"
    return table(columns.split(","), rows)


def recipe_gpu() -> str:
    start = "ten epochs: "
    rows = [
        [one["what"].removeprefix(start), *(number(one[score]) for score in SCORES[:3])]
        for one in measured("gpu")["rows"]
        if one["what"].startswith(start)
    ]
    columns = "recipe; ten epochs on a GPU,Fréchet distance:,precision:,recall:"
    return table(columns.split(","), rows)


def recipe_cpu() -> str:
    scores = ("frechet", "precision", "recall", "readable")
    sizes = {one["recipe"]: one["parameters"] for one in measured("recipe")["rows"]}
    rows = [
        [name, f"{size:,}", *(over_seeds(score, "recipe", recipe=name) for score in scores)]
        for name, size in sizes.items()
    ]
    columns = "recipe,parameters:,Fréchet distance:,precision:,recall:,readable:"
    return table(columns.split(","), rows)


def ladder() -> str:
    """Trainings on two cores, by length: mean and spread over the seeds."""
    rows = []
    for what in dict.fromkeys(one["what"] for one in measured("ladder")["rows"]):
        for weight in (1.0, 2.0):
            asked = dict(what=what, guidance=weight)
            seconds = f"{mean('ladder', 'seconds', **asked):.0f}"
            scores = (over_seeds(score, "ladder", **asked) for score in (*SCORES, "accuracy"))
            rows.append([seconds, f"{weight:g}", *scores])
    columns = "seconds:,guidance:,Fréchet distance:,precision:,recall:,readable:,as asked:"
    return table(columns.split(","), rows)


# ---- the judge, and where all of it is from


def reader() -> str:
    """The shares of each kind of control, and what `benchmarks/controls.py` allows."""
    runs, rows = measured("reader")["rows"], []
    for kind, allowed in measured("reader")["about"]["allowed"].items():
        shares = (f"{run['read'][kind]:.3f}" for run in runs)
        least, most = allowed or (0.0, 1.0)
        limit = f"at least {least:g}" if least else f"at most {most:g}" if most < 1 else ""
        rows.append([kind, *shares, limit])
    seeds = (f"seed {run['seed']}:" for run in runs)
    return table(["images", *seeds, "may be read"], rows)


def lenet() -> str:
    rows = [
        [one["what"], f"{one['n']:,}", f"{one['distance']:.4f}"]
        for one in matching("lenet")
        if "distance" in one
    ]
    return table(["images", "n:", "distance:"], rows)


def origins() -> str:
    rows = []
    for file in sorted(results_folder().glob("*.json")):
        link = f"`{file.name}`"
        facts = [origin_of(file.stem, key) for key in ("device", "date", "seed", "python", "torch")]
        facts[1] = facts[1].replace("-", "\N{NON-BREAKING HYPHEN}")  # within a date, not between
        commands = "<br>".join(f"`{c}`" for c in origin_of(file.stem, "command").split("; "))
        rows.append([link, commands, *facts])
    return table("results,command,device,date,seed,Python,PyTorch".split(","), rows)


TABLES: dict[str, Callable[[], str]] = {
    "solvers": solvers,
    "adaptive": adaptive,
    "density": density,
    "figure": figure,
    "training": training,
    "training on a GPU": gpu_training,
    "quality": quality,
    "scores": scores,
    "noise": noise,
    "card": card,
    "bits": bits,
    "quality on a GPU": gpu_quality,
    "peers": peers,
    "recipe on a GPU": recipe_gpu,
    "recipe on a CPU": recipe_cpu,
    "ladder": ladder,
    "reader": reader,
    "lenet": lenet,
    "origin": origins,
}
