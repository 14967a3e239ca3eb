"""A part of the build: the index of exercises, `{fm-exercises}`, read from the chapters."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

from docutils import nodes
from docutils.parsers.rst import Directive
from docutils.statemachine import StringList
from sphinx.application import Sphinx

import book

EXERCISE = re.compile(r"(?m)^:{3,}\{exercise(?:-start)?\} *(.*)\n:label: *(\S+)$")
TRACK = re.compile(r"(?ms)^\*\*(\w+): .*?(?=^\*\*|^#|\Z)")


def exercises(root: Path = book.ROOT) -> Iterator[tuple[str, str, list[tuple[str, str]]]]:
    """For each chapter that has any: its page, its title, its exercises as (label, title)."""
    for page in book.chapters(root):
        notebook = json.loads((root / f"{page}.ipynb").read_text("utf-8"))
        texts = ["".join(c["source"]) for c in notebook["cells"] if c["cell_type"] == "markdown"]
        text = "\n\n".join(texts)
        found = [(label, title) for title, label in EXERCISE.findall(text)]
        if found:
            title = re.search(r"(?m)^# (.+)$", text)
            yield page, title[1] if title else page, found


def tracks(root: Path = book.ROOT) -> dict[str, str]:
    """The track of each exercise that belongs to one, by its label."""
    text = (root / "book" / "teaching.md").read_text("utf-8").partition("## Three tracks")[2]
    return {
        label: track[1]
        for track in TRACK.finditer(text.partition("\n## ")[0])
        for label in re.findall(r"\{ref\}`(ex-[\w-]+)`", track[0])
    }


def written(root: Path = book.ROOT) -> str:
    """The index as MyST."""
    lines, of = [], tracks(root)
    for page, title, found in exercises(root):
        lines += [f"## [{title}]({Path(page).name}.ipynb)", ""]
        for label, words in found:
            track = f" *({of[label]})*" if label in of else ""
            lines.append(f"- {{ref}}`{label}`{': ' if words else ''}{words}{track}")
        lines.append("")
    return "\n".join(lines)


class Exercises(Directive):
    def run(self) -> list[nodes.Node]:
        found = nodes.Element()
        lines = StringList(written().splitlines(), source="exercises.py")
        self.state.nested_parse(lines, self.content_offset, found, match_titles=True)
        return found.children


def setup(app: Sphinx) -> None:
    app.add_directive("fm-exercises", Exercises)
