"""The page for teachers: its reading times and its exercises are those of the chapters."""

import json
import re
from pathlib import Path

import pytest

BOOK = Path(__file__).resolve().parent.parent / "book"
PAGE = (BOOK / "teaching.md").read_text("utf-8")
WORDS_A_MINUTE = 100


def words(chapter):
    """The words of a chapter's text, up to its exercises."""
    text = []
    for cell in json.loads((BOOK / chapter).read_text("utf-8"))["cells"]:
        source = "".join(cell["source"])
        if source.startswith("## Exercises"):
            return len(" ".join(text).split())
        if cell["cell_type"] == "markdown":
            text.append(source)
    raise AssertionError(f"{chapter} has no exercises")


SESSIONS = [line.split("|")[1:-1] for line in PAGE.splitlines() if re.match(r"\| \d+\. ", line)]


def test_every_chapter_has_its_session():
    read = re.findall(r"\((\d\d_\w+\.ipynb)\)", PAGE)
    assert list(dict.fromkeys(read)) == sorted(path.name for path in BOOK.glob("[01]*.ipynb"))
    assert len(SESSIONS) == 10


@pytest.mark.parametrize("session", SESSIONS, ids=lambda row: row[0].split(".")[0].strip())
def test_reading_times(session):
    chapters = re.findall(r"\((\w+\.ipynb)\)", session[1])
    minutes = [int(number) for number in re.findall(r"\d+", session[2])]
    assert len(minutes) == len(chapters)
    for chapter, minute in zip(chapters, minutes, strict=True):
        assert abs(words(chapter) / WORDS_A_MINUTE - minute) < 4


@pytest.mark.parametrize("session", SESSIONS, ids=lambda row: row[0].split(".")[0].strip())
def test_exercises_belong_to_the_chapters_of_the_session(session):
    chapters = re.findall(r"\((\w+\.ipynb)\)", session[1])
    text = "".join((BOOK / name).read_text("utf-8") for name in chapters)
    given = re.findall(r"\{ref\}`(ex-[\w-]+)`", session[4] + session[5])
    assert len(given) == len(set(given)) == 3
    for label in given:
        assert f":label: {label}" in text
