"""What the texts say of a result is what stands there, and what stands there says where it is from.

`tools/tables.py` compares every table and every sentence that it knows; here it is shown that it
would notice a changed digit in any of them.
"""

import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from fmcore.results import ORIGIN, measured, results_folder
from fmcore.training import RECIPES
from fmcore.weights import load_pretrained

ROOT = Path(__file__).resolve().parent.parent

from said import SAID  # noqa: E402
from shown import TABLES  # noqa: E402
from tables import BLOCK, TEXTS, closed, lacking, opened, pattern, renewed  # noqa: E402

FILES = sorted({file.relative_to(ROOT).as_posix() for glob in TEXTS for file in ROOT.glob(glob)})
RESULTS = sorted(file.stem for file in results_folder().glob("*.json"))


def content(name):
    return (ROOT / name).read_text(encoding="utf-8")


def other(digits):
    """The same text with its last digit changed."""
    (place,) = re.finditer(r"\d(?=\D*$)", digits)
    return digits[: place.start()] + str((int(place[0]) + 1) % 10) + digits[place.end() :]


@cache
def known_errors(name):
    """What is wrong with the file as it is; one test says so, and the others go on."""
    return renewed(name, content(name))[2]


def changed(name, edit):
    """A file after `edit` has changed its texts, a list, in place."""
    whole, found, texts = opened(name, content(name))
    edit(texts)
    return closed(whole, found, texts)


def test_every_text_says_what_was_measured():
    command = [sys.executable, str(ROOT / "tools" / "tables.py"), "--check"]
    run = subprocess.run(command, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout + run.stderr


@pytest.mark.parametrize(("name", "template"), SAID, ids=[f"{n}-{t[:40]}" for n, t in SAID])
def test_a_changed_digit_in_a_sentence_is_caught_and_put_right(name, template):
    words = pattern(template)
    for hole in range(1, words.groups + 1):

        def edit(texts, hole=hole):
            ((k, match),) = ((k, m) for k, text in enumerate(texts) for m in words.finditer(text))
            start, end = match.span(hole)
            texts[k] = texts[k][:start] + other(match[hole]) + texts[k][end:]

        new, changes, errors, _ = renewed(name, changed(name, edit))
        assert new == content(name) and len(changes) == 1
        assert errors == known_errors(name)


BLOCKS = [
    (name, match[2])
    for name in FILES
    for text in opened(name, content(name))[2]
    for match in BLOCK.finditer(text)
]


@pytest.mark.parametrize(("name", "table"), BLOCKS)
def test_a_changed_digit_in_a_table_is_caught_and_put_right(name, table):
    def edit(texts):
        for k, text in enumerate(texts):
            for match in BLOCK.finditer(text):
                if match[2] == table:
                    texts[k] = text[: match.start(3)] + other(match[3]) + text[match.end(3) :]

    broken = changed(name, edit)
    assert broken != content(name)
    new, changes, errors, _ = renewed(name, broken)
    assert new == content(name) and changes == [f"the table {table} differs"]
    assert errors == known_errors(name)


def test_every_table_is_shown():
    assert {table for _, table in BLOCKS} == TABLES.keys()


def test_a_sentence_that_is_gone_or_stands_there_twice_is_an_error():
    name, template = next((name, t) for name, t in SAID if name == "README.md")
    ((start, end),) = (match.span() for match in pattern(template).finditer(content(name)))
    text = content(name)
    for edited, why in (
        (text[:start] + text[end:], "the sentence is gone"),
        (text + "\n" + text[start:end], "the sentence stands there 2 times"),
    ):
        new, _, errors, _ = renewed(name, edited)
        assert new == edited and any(error.startswith(why) for error in errors)


def test_a_table_without_a_name_or_an_end_is_an_error():
    assert "no such" in renewed("x.md", "<!-- table: no such -->\n<!-- end -->")[2][0]
    assert "no end" in renewed("x.md", "<!-- table: solvers -->\n\nand so on")[2][0]


@pytest.mark.parametrize("name", FILES)
def test_a_file_without_a_change_stays_as_it_is(name):
    """A notebook is written as it is stored: indented by one, its letters as they are."""
    whole, found, texts = opened(name, content(name))
    assert closed(whole, found, texts) == content(name)


# ---- where the results are from


@pytest.mark.parametrize("name", RESULTS)
def test_every_result_says_where_it_is_from(name):
    result = measured(name)
    assert result["rows"] and not lacking(result)
    for row in result["rows"]:
        assert not (result["about"] | row)["device"].startswith("cpu")  # but its name


@pytest.mark.parametrize("key", ORIGIN)
@pytest.mark.parametrize("name", RESULTS)
def test_a_result_that_lacks_a_part_of_its_origin_is_caught(name, key):
    result = measured(name)
    result["about"].pop(key, None)
    result["rows"][-1].pop(key, None)
    assert f"row {len(result['rows']) - 1} lacks {key}" in lacking(result)


def test_the_run_on_a_gpu_is_a_whole_one():
    result = measured("gpu")
    assert not result["about"]["rehearsal"] and not result["about"]["left_out"]
    runs = {row["what"]: row for row in result["rows"]}
    for name in ("the reference recipe, our way", *(f"our recipe, seed {k}" for k in range(3))):
        assert runs[name]["epochs"] == 50 and runs[name]["n"] == 10_000


def test_the_laptop_recipe_is_the_one_that_was_measured():
    about, recipe = measured("ladder")["about"], RECIPES["laptop"]
    assert (about["network"], about["recipe"]) == (recipe.network, recipe.as_dict())
    longest = [row for row in measured("ladder")["rows"] if row["what"] == "10 minutes"]
    assert {row["steps"] for row in longest} == {recipe.train.steps}
    assert {row["seed"] for row in longest} == {0, 1, 2}


def test_the_shipped_network_is_that_of_its_result():
    result, weights = measured("shipped"), load_pretrained("mnist").config
    run, recipe = result["about"], RECIPES["shipped"]
    # The file may have been built with arguments that were added since, at their default.
    network = {"condition_dim": None, **run["network"]}
    assert (weights["network"], weights["path"]) == (network, run["path"])
    assert all(run[key] == value for key, value in weights["about"].items())
    assert recipe.network.items() <= weights["network"].items()
    how = {"device": "cuda", "precision": "bf16", "compile": True, "log_every": 234}
    assert run["recipe"] == recipe.as_dict() | how
    assert [row["epoch"] for row in result["rows"]] == list(range(150))
