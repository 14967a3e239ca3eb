"""Write a twin of every chapter, which needs no MyST, into _build/twins.

    python tools/twins.py            make twins

A chapter says {eq}`eq-ivp`, and the site makes "(3)" of it. Colab, GitHub and JupyterLab do not:
they show the directives. A twin says with Markdown alone what the site says, with its numbers and
captions, and keeps the cells that run. _build/twins/without_solutions has the same for teachers.
"""

from __future__ import annotations

import json
import re
import shutil
import sys
from pathlib import Path

import nbformat
import twin_cells
from jupyter_cache import get_cache
from stamp import repository
from twin_cells import source, tags
from twin_site import Site, UnknownMarkup
from twin_text import CLOSED, Writer

import book

ROOT = Path(__file__).resolve().parent.parent
TWINS = book.BUILD / "twins"
WITHOUT = "without_solutions"


class Twin:
    """One chapter, written anew cell by cell."""

    def __init__(self, site: Site, page: str, solutions: bool = True):
        self.site, self.page, self.solutions = site, page, solutions
        self.cells: list[dict] = []
        self.answers: list[dict] = []  # code cells among the exercises: run with the checks
        self.folded: list[str] | None = None  # the parts of a solution that is still open
        self.missing: set[str] = set()  # what the checks of a twin without solutions do without
        self.section = ""

    def notebook(self, chapter: dict, executed: dict) -> dict:
        """The twin of a chapter; `executed` is the same with its outputs.

        Raises UnknownMarkup, which names the cell.
        """
        self.writer = Writer(self.site, self.page, self.solutions)
        self.lab = twin_cells.lab_picture(executed)
        self.gpu = twin_cells.uses_gpu(chapter["cells"])
        self.cells = [self._badges()]
        pairs = zip(chapter["cells"], executed["cells"], strict=True)
        for i, (cell, ran) in enumerate(pairs):
            try:
                self._markdown(cell) if cell["cell_type"] == "markdown" else self._code(cell, ran)
            except UnknownMarkup as problem:
                where = f"{self.page}.ipynb, cell {i} ({cell['id']})"
                raise UnknownMarkup(f"{where}: {problem}") from None
        if self.answers and self.section != "Checks":
            raise UnknownMarkup(f"{self.page}.ipynb has exercises and does not end in ## Checks")
        metadata = {
            "colab": {"provenance": []},
            "kernelspec": chapter["metadata"]["kernelspec"],
            "language_info": {"name": "python"},
        }
        if self.gpu:
            metadata |= {"accelerator": "GPU", "colab": {"gpuType": "T4", "provenance": []}}
        return {"cells": self.cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}

    def _badges(self) -> dict:
        name = Path(self.page).name
        ways = {
            "Read on the site": ("site", self.site.page(f"{self.page}.html")),
            "Open in Colab": ("colab", self.site.twin(f"{name}.ipynb")),
            "Source": ("source", self.site.source(f"{self.page}.ipynb")),
        }
        if not self.site.repository:
            del ways["Open in Colab"]  # which opens what has an address
            return self._text(
                "badges", " · ".join(f"[{says}]({w})" for says, (_, w) in ways.items())
            )
        row = [
            f"[![{says}]({self.site.page(f'_static/badge-{kind}.svg')})]({where})"
            for says, (kind, where) in ways.items()
        ]
        return self._text("badges", " ".join(row))

    def _text(self, name: str, text: str) -> dict:
        lines = text.splitlines(keepends=True)
        return {"cell_type": "markdown", "id": name, "metadata": {}, "source": lines}

    def _markdown(self, cell: dict) -> None:
        text = self.writer.text(source(cell))
        if "{solution-start}" in source(cell):
            self.folded = []
        if self.folded is not None:
            self.folded.append(text)
            if "{solution-end}" in source(cell):
                if not text.endswith(CLOSED):
                    raise UnknownMarkup("text after the end of a solution: give it its own cell")
                if self.solutions:
                    self.cells.append(self._text(cell["id"], "\n\n".join(self.folded)))
                self.folded = None
            return
        if text:
            self.cells.append(self._text(cell["id"], text))
        for title in re.findall(r"(?m)^## (.+)$", source(cell)):
            self.section = title.strip()
            if self.section == "Checks":
                self._answers(cell["id"])

    def _code(self, cell: dict, ran: dict) -> None:
        if self.section == "Exercises" or self.folded is not None:
            if self.folded is not None:
                self.folded.append(f"```python\n{source(cell)}\n```")
                if said := twin_cells.as_text(ran):
                    self.folded.append(f"```text\n{said}\n```")
            self.answers.append(cell)
            return
        figure = cell["metadata"].get("mystnb", {}).get("figure", {})
        if twin_cells.is_setup(cell):
            self.cells.append(twin_cells.setup(cell, self.site.repository, self.gpu))
            return
        if not self.solutions and self.section == "Checks" and not self._can_run(cell):
            return
        outputs = twin_cells.stored(cell, ran, self.lab)
        folded = self._title(cell, figure) if twin_cells.FOLDED & tags(cell) else ""
        self.cells.append(twin_cells.code(cell["id"], source(cell), folded, outputs))
        if figure:
            caption = self.writer.caption(figure["name"], figure["caption"])
            self.cells.append(self._text(f"{cell['id']}-caption", caption))

    def _title(self, cell: dict, figure: dict) -> str:
        if figure:
            return f"The code of {self.site.figure(self.page, figure['name'])}"
        return "Check" if {"checks", "hide-cell"} & tags(cell) else "Code"

    def _answers(self, after: str) -> None:
        """What the solutions compute, for the checks that look at it."""
        if not self.solutions:
            self.missing = {n for c in self.answers for n in twin_cells.names(source(c))[1]}
        elif self.answers:
            told = "First the code of the solutions, which is checked too."
            self.cells.append(self._text(f"{after}-answers", told))
            for cell in self.answers:
                self.cells.append(twin_cells.code(cell["id"], source(cell), "Code of a solution"))

    def _can_run(self, cell: dict) -> bool:
        """Whether a check does without the solutions."""
        reads, makes = twin_cells.names(source(cell))
        fine = not reads & self.missing
        self.missing = self.missing - makes if fine else self.missing | makes
        return fine


def with_outputs(file: Path) -> dict:
    """A chapter with what its cells gave when the book was built."""
    notebook = nbformat.read(file, as_version=4)
    return get_cache(book.BUILD / ".jupyter_cache").merge_match_into_notebook(notebook)[1]


def write(folder: Path = TWINS, address: str | None = None) -> list[Path]:
    """Write both kinds of twins of every chapter into an empty folder; return the files.

    The book was built. `address` is that of the repository, else what `make stamp` wrote.
    """
    written = []
    shutil.rmtree(folder, ignore_errors=True)
    address = repository() if address is None else address
    (folder / WITHOUT).mkdir(parents=True)
    for page in book.chapters():
        chapter = json.loads((ROOT / f"{page}.ipynb").read_text("utf-8"))
        executed = with_outputs(ROOT / f"{page}.ipynb")
        for within, solutions in (("", True), (WITHOUT, False)):
            site = Site(book.BUILD, folder / within, address, within)
            twin = Twin(site, page, solutions).notebook(chapter, executed)
            file = folder / within / f"{Path(page).name}.ipynb"
            file.write_text(json.dumps(twin, indent=1, ensure_ascii=False) + "\n", "utf-8")
            written.append(file)
    return written


def main() -> None:
    book.build()
    try:
        files = write()
    except UnknownMarkup as problem:
        sys.exit(f"twins: {problem}")
    size = sum(file.stat().st_size for file in files) / 1e6
    print(f"{len(files)} twins are in _build/twins, {size:.1f} MB")


if __name__ == "__main__":
    main()
