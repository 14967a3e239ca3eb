"""What the book prints from benchmarks/results is what stands there."""

import ast
import json
from pathlib import Path

import pytest

from fmcore.training import RECIPES
from fmcore.weights import load_pretrained

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
GPU = json.loads((ROOT / "benchmarks" / "results" / "gpu.json").read_text())
MEASURED = json.loads((ROOT / "benchmarks" / "results" / "mnist.json").read_text())["rows"]


def table(start):
    """The cells of the README's table that starts so, a list for each of its lines."""
    (_, rest) = README.split(start)
    header, _, *lines = (start + rest.split("\n\n")[0]).splitlines()
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in (header, *lines)]


def test_the_table_of_the_chapter_on_sampling_is_the_measured_one():
    book = json.loads((ROOT / "book" / "10_sampling.ipynb").read_text(encoding="utf-8"))
    (source,) = ["".join(cell["source"]) for cell in book["cells"] if cell["id"] == "table"]
    printed = {
        ast.unparse(line.targets[0]): ast.literal_eval(line.value)
        for line in ast.parse(source).body
    }
    n, floor = printed["(N, FLOOR)"]
    rows = [row for row in MEASURED if row["model"] == "ours" and row["n"] == n]
    assert all(row["frechet_floor"] == pytest.approx(floor, abs=5e-4) for row in rows)
    seen = set()
    for row in sorted(rows, key=lambda row: row["frechet"]):
        nfe = round(row["nfe"])
        if row["solver"] in printed["FRECHET"] and "grid" not in row:
            if (row["solver"], nfe) in seen:  # two tolerances, the same cost: the better one
                continue
            seen.add((row["solver"], nfe))
            said = printed["FRECHET"][row["solver"]].pop(nfe)
        elif row.get("grid") == "late":
            assert nfe == 10
            said = printed["LATE"].pop(row["solver"])
        else:
            continue
        assert said == pytest.approx(row["frechet"], abs=0.005), row
    assert not any(printed["FRECHET"].values()) and not printed["LATE"]


def test_the_table_of_the_readme_is_the_measured_one():
    (_, *header), *lines = table("| evaluations |")
    measured = {
        (row["solver"], round(row["nfe"])): f"{row['frechet']:.2f}"
        for row in MEASURED
        if row["model"] == "ours" and "grid" not in row
    }
    names = {"Heun, last step by midpoint": "heun, midpoint at the end"}
    for name, *cells in lines:
        solver = names.get(name, name.lower())
        assert cells == [measured.get((solver, int(nfe)), "") for nfe in header], name
    assert len(lines) == 5


def test_the_costs_in_the_readme_and_in_chapter_9_are_the_measured_ones():
    _, *lines = table("| work | who |")
    costs = json.loads((ROOT / "benchmarks" / "results" / "training.json").read_text())["rows"]
    for (work, who, ratio, rate, memory), row in zip(lines, costs, strict=True):
        assert (work == "step") == (row["work"] == "step")
        ours = "`fit`" if work == "step" else "`generate`"
        assert who == row["who"].replace("fmcore", ours)
        assert ratio == f"{row['ratio']:.2f}" and rate == f"{row['images_per_second']:.0f}"
        assert memory == f"{row['memory_mib']:.0f} MiB"
    ratios = {row["who"]: f"{row['ratio']:.2f}" for row in costs if row["work"] == "step"}
    chapter = (ROOT / "book" / "09_training_on_mnist.ipynb").read_text(encoding="utf-8")
    assert f"takes {ratios['fmcore, bf16']} of the time" in chapter
    assert f"compiled {ratios['fmcore, bf16, compiled']} (" in chapter


def test_the_gpu_in_the_readme_is_the_measured_one():
    script, ours = GPU["the reference way"], GPU["the reference recipe, our way"]
    assert not GPU["about"]["rehearsal"] and not GPU["left_out"]
    _, first, *lines = table("| who | seed |")
    rate, seconds = script["images_per_second"], script["seconds_of_50_epochs"]
    assert first[2:4] == [f"{rate:,.0f}", f"{seconds:.0f} s"]
    runs = [ours, *(GPU[f"our recipe, seed {k}"] for k in range(3))]
    for (_, seed, *said), run in zip(lines, runs, strict=True):
        assert int(seed) == run["seed"] and run["epochs"] == 50 and run["n"] == 10_000
        assert said == [
            f"{run['images_per_second']:,.0f}",
            f"{run['seconds']:.0f} s",
            f"{run['memory_mib']:.0f} MiB",
            f"{run['frechet']:.2f}",
        ]
    assert f"{ours['images_per_second'] / rate:.1f} times the rate of the script" in README
    share = ours["tflops"] / GPU["profile"]["matmul"]["tflops"]
    assert 1 / 6 < share < 0.18 and f"{ours['tflops']:.0f} TFLOP/s" in README
    _, *lines = table("| recipe, ten epochs |")
    short = {k.split(": ")[1]: v for k, v in GPU.items() if k.startswith("ten epochs: ")}
    assert lines == [[name, f"{one['frechet']:.2f}"] for name, one in short.items()]


def test_the_peers_in_the_readme_are_the_measured_ones():
    _, *lines = table("| network | sampled by |")
    names = {
        "reference": "reference",
        "torchcfm's example, 3 epochs": "torchcfm",
        "ours, 3 epochs": "ours, as long as torchcfm",
        "shipped": "ours",
    }
    for name, how, nfe, said in lines:
        solver = how.split(", tolerances")[0].replace(", as its script does it", "").lower()
        (row,) = [
            row
            for row in MEASURED
            if (row["model"], row["solver"]) == (names[name], solver)
            and round(row["nfe"]) == int(nfe)
            and "grid" not in row
        ]
        assert said == f"{row['frechet']:.2f}" and row["n"] == 10_000
    best = {name: min(float(line[3]) for line in lines if line[0] == name) for name, *_ in lines}
    assert best["shipped"] <= best["reference"]  # at 10 evaluations against 600


def test_what_chapter_9_says_of_the_gpu_is_measured():
    book = json.loads((ROOT / "book" / "09_training_on_mnist.ipynb").read_text(encoding="utf-8"))
    text = " ".join(" ".join("".join(cell["source"]).split()) for cell in book["cells"])
    ours, full = GPU["the reference recipe, our way"], GPU["our recipe, seed 0"]
    short = {k: GPU[f"ten epochs: t {k}"]["frechet"] for k in ("logit-normal", "uniform")}
    for said in (
        f"matrices run at {GPU['profile']['matmul']['tflops']:.0f} TFLOP/s",
        f"which is {ours['tflops']:.0f} TFLOP/s",
        f"trains on {round(ours['images_per_second'], -2):,.0f} images/s",
        f"would take {GPU['the reference way']['seconds_of_50_epochs']:.0f} on the same card",
        f"on an H200 in {full['seconds']:.0f} seconds",
        f"({100 * full['sure']:.0f} % in",
        f"took {full['memory_mib'] / 1024:.1f} GB",
        f"distance of {short['logit-normal']:.2f}, and uniform ones {short['uniform']:.2f}",
    ):
        assert said in text, said


def test_what_chapter_8_says_of_the_third_level_is_measured():
    chapter = (ROOT / "book" / "08_navigator.ipynb").read_text(encoding="utf-8")
    two, three = (GPU[f"ten epochs: {k}"]["frechet"] for k in ("our recipe", "a third level"))
    assert f"distance of {two:.2f}, and three get {three:.2f}" in chapter


def test_the_log_in_chapter_9_is_that_of_the_shipped_network():
    book = json.loads((ROOT / "book" / "09_training_on_mnist.ipynb").read_text(encoding="utf-8"))
    (source,) = ["".join(cell["source"]) for cell in book["cells"] if cell["id"] == "log"]
    printed = ast.literal_eval(source.split("LOG = ")[1].split("  # fmt")[0])
    run = json.loads((ROOT / "benchmarks" / "results" / "shipped.json").read_text())
    logged = {row["step"]: row["loss"] for row in run["log"]}
    assert all(logged[step] == loss for step, loss in printed) and len(logged) == 150
    weights, recipe = load_pretrained("mnist").config, RECIPES["shipped"]
    assert (weights["network"], weights["path"]) == (run["network"], run["path"])
    assert all(run[key] == value for key, value in weights["about"].items())
    assert recipe.network.items() <= weights["network"].items()
    how = {"device": "cuda", "precision": "bf16", "compile": True, "log_every": 234}
    assert run["recipe"] == recipe.as_dict() | how


def test_every_result_says_where_it_is_from():
    for row in MEASURED:
        assert {"device", "date", "seed", "torch", "python", "n", "weights"} <= row.keys()
        assert not row["device"].startswith("cpu")  # but its name


def test_the_card_of_the_shipped_network_is_the_measured_one():
    card = (ROOT / "fmcore" / "assets" / "mnist.md").read_text(encoding="utf-8")
    runs = json.loads((ROOT / "benchmarks" / "results" / "evaluate.json").read_text())
    assert [(run["guidance"], run["n"], run["solver"], run["steps"]) for run in runs] == [
        (g, 10_000, "midpoint", 5) for g in (0.0, 1.0, 2.0)
    ]
    rows = {  # what the card calls it, and how many decimals it gives
        "Fréchet distance, features of `DigitClassifier`": ("frechet", 2),
        "precision": ("precision", 2),
        "recall": ("recall", 2),
        "read without doubt": ("sure", 2),
        "median distance to the nearest training image": ("nearest", 1),
    }
    for name, (score, digits) in rows.items():
        (line,) = [line for line in card.splitlines() if line.startswith(f"| {name} |")]
        values = [run[score] for run in runs] + [runs[0][f"{score}_floor"]]
        assert [c.strip() for c in line.split("|")[2:-1]] == [f"{v:.{digits}f}" for v in values]
    (line,) = [line for line in card.splitlines() if line.startswith("| read as what was asked")]
    said = [c.strip() for c in line.split("|")[3:-2]]
    assert said == [f"{run['accuracy']:.2f}" for run in runs[1:]]
    assert all(run["copies"] <= 0.0005 for run in runs)  # of real images 0.001
    (line,) = [line for line in card.splitlines() if line.startswith("| nearer to one than")]
    said = [c.strip() for c in line.split("|")[2:-1]]
    assert said == [*(f"{run['copies']:.4f}" for run in runs), "0.0010"]
    ours = [row for row in MEASURED if row["model"] == "ours" and "grid" not in row]
    plain = [row for row in ours if round(row["nfe"]) == 10]
    short = {row["solver"]: row["frechet"] for row in plain}
    for solver in ("heun", "heun, midpoint at the end"):
        assert f" {short[solver]:.2f}" in card.replace("\n", " ")
