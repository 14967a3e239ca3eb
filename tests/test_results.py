"""What the book prints from benchmarks/results is what stands there."""

import ast
import json
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
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
    names = {"Heun, as `generate` does it": "heun, midpoint at the end"}
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


def test_the_recipes_in_the_readme_are_the_measured_ones():
    _, *lines = table("| recipe | seed |")
    rows = json.loads((ROOT / "benchmarks" / "results" / "recipe.json").read_text())["rows"]
    for said, row in zip(lines, rows, strict=True):
        measured = f"{row['frechet']:.2f}", f"{row['seconds']:.0f} s"
        assert said == [row["recipe"], str(row["seed"]), *measured]
        assert (row["base"], row["epochs"], row["batch_size"], row["n"]) == (16, 2, 128, 2000)


def test_every_result_says_where_it_is_from():
    for row in MEASURED:
        assert {"device", "date", "seed", "torch", "python", "n", "weights"} <= row.keys()
        assert not row["device"].startswith("cpu")  # but its name


def test_the_card_of_the_shipped_network_is_the_measured_one():
    card = (ROOT / "fmcore" / "pretrained" / "mnist.md").read_text(encoding="utf-8")
    runs = json.loads((ROOT / "benchmarks" / "results" / "evaluate.json").read_text())
    assert [(run["guidance"], run["n"], run["solver"], run["steps"]) for run in runs] == [
        (g, 2000, "midpoint", 5) for g in (0.0, 1.0, 2.0)
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
    plain = [row for row in MEASURED if "grid" not in row and round(row["nfe"]) == 10]
    short = {row["solver"]: row["frechet"] for row in plain}
    for solver in ("heun", "heun, midpoint at the end"):
        assert f" {short[solver]:.2f}" in card.replace("\n", " ")
