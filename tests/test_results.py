"""What the book prints from benchmarks/results is what stands there."""

import ast
import json
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
MEASURED = json.loads((ROOT / "benchmarks" / "results" / "mnist.json").read_text())["rows"]


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
    for row in rows:
        nfe = round(row["nfe"])
        if row["solver"] in printed["FRECHET"] and "grid" not in row:
            said = printed["FRECHET"][row["solver"]].pop(nfe)
        elif row.get("grid") == "late":
            assert nfe == 10
            said = printed["LATE"].pop(row["solver"])
        else:
            continue
        assert said == pytest.approx(row["frechet"], abs=0.005), row
    assert not any(printed["FRECHET"].values()) and not printed["LATE"]


def test_the_table_of_the_readme_is_the_measured_one():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    table = readme.split("| evaluations |")[1].split("\n\n")[0].splitlines()
    header = [int(cell) for cell in table[0].strip(" |").split("|")]
    measured = {
        (row["solver"], round(row["nfe"])): f"{row['frechet']:.2f}"
        for row in MEASURED
        if row["model"] == "ours" and "grid" not in row
    }
    names = {"Heun, as `generate` does it": "heun, midpoint at the end"}
    for line in table[2:]:
        name, *cells = [cell.strip() for cell in line.split("|")[1:-1]]
        solver = names.get(name, name.lower())
        assert cells == [measured.get((solver, nfe), "") for nfe in header], name
    assert len(table) == 2 + 5


def test_every_result_says_where_it_is_from():
    for row in MEASURED:
        assert {"device", "date", "seed", "torch", "python", "n", "weights"} <= row.keys()
        assert not row["device"].startswith("cpu")  # but its name
