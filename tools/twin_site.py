"""What the built site says and where it is: numbers, titles, cross-references, addresses.

`tools/book.py build` comes first. The numbers are read from its pages, so that a twin can say no
other than the site; what a cross-reference says was noted by `crossrefs.py`.
"""

from __future__ import annotations

import functools
import itertools
import json
import os.path
import re
from dataclasses import dataclass
from pathlib import Path

import crossrefs
from bs4 import BeautifulSoup, Tag
from stamp import site

BRANCH = "twins"  # of the repository: nothing but the twins, as `make twins` writes them


SPANS = re.compile("<span|</span>")
HEADING = re.compile("h[1-6]")


class UnknownMarkup(ValueError):
    """Markup that a twin cannot say: its notebook and cell are put before the message."""


@dataclass(frozen=True)
class Site:
    """The site in `build`/html, with the twins in `folder`.

    Without an address of the repository (`make stamp`) links lead to the files that are here.
    """

    build: Path
    folder: Path
    repository: str = ""
    within: str = ""  # the folder, seen from where all twins are

    @property
    def home(self) -> str:
        """The address of the site with its slash, or the way to it from the twins."""
        return site(self.repository) or os.path.relpath(self.build / "html", self.folder) + "/"

    def page(self, path: str) -> str:
        """The address of a page of the site: book/04_paths.html."""
        return self.home + path

    def twin(self, name: str) -> str:
        """Where a twin opens: in Colab, or the file beside this one."""
        if not self.repository:
            return name
        path = self.repository.removeprefix("https://github.com/")
        within = f"{self.within}/" if self.within else ""
        return f"https://colab.research.google.com/github/{path}/blob/{BRANCH}/{within}{name}"

    def source(self, path: str) -> str:
        """The address of a file of the repository."""
        if not self.repository:
            return os.path.relpath(self.build.parent / path, self.folder)
        return f"{self.repository}/blob/main/{path}"

    @functools.cached_property
    def _references(self) -> dict[str, dict[str, list]]:
        return json.loads((self.build / crossrefs.FILE).read_text("utf-8"))

    def reference(self, page: str, role: str, target: str) -> str:
        """A cross-reference as Markdown, with the words and the target that the site has."""
        found = self._references[page].get(f":{role}:`{target}`")
        if found is None:
            raise UnknownMarkup(
                f"the role {{{role}}} of {target!r}: the site has no such cross-reference"
            )
        written = []
        for where, pieces in itertools.groupby(found, key=lambda piece: piece[1]):
            text = "".join(piece[0] for piece in pieces)
            written.append(f"[{_bare(text)}]({self._goes(where)})" if where else text)
        return "".join(written)

    def anchor(self, page: str, label: str) -> str:
        """The address of what a card of a page leads to by its label."""
        found = self._references[page].get(label)
        if found is None:
            raise UnknownMarkup(f"the label {label!r}: the site has nothing that is called so")
        return self._goes(found[0][1])

    def _goes(self, where: str) -> str:
        return where if "://" in where else self.page(where)

    def link(self, page: str, target: str) -> str:
        """Where a link within the book leads: to another twin, or to a page that has none."""
        path, mark, anchor = target.partition("#")
        name, kind = os.path.splitext(path)
        file = self.build.parent / Path(page).parent / path
        if kind == ".ipynb" and file.is_file():
            if anchor:
                return self.page(f"{Path(page).parent / name}.html#{anchor}")
            return self.twin(path)
        if kind == ".md" and file.is_file():
            return self.page(f"{Path(page).parent / name}.html{mark}{anchor}")
        if (label := target.removeprefix("#")) in _parts(self.build, page)[0]:
            return self.page(f"{page}.html#{label}")
        raise UnknownMarkup(f"a link to {target!r}, which is no page of the book")

    def equation(self, page: str, label: str) -> str:
        """The number of a formula, without its parentheses."""
        return self._at(page, f"equation-{label}", "eqno").strip("()")

    def figure(self, page: str, name: str) -> str:
        """What stands before a caption: Fig. 3."""
        return self._at(page, name, "caption-number")

    def title(self, page: str, label: str) -> str:
        """The title of a theorem or an exercise: Theorem 1 (Picard–Lindelöf)."""
        return self._at(page, label, "admonition-title")

    def headings(self, page: str) -> list[str]:
        """What stands before each heading of a page, from the first: "2.1. ", or nothing."""
        return _parts(self.build, page)[1]

    def _at(self, page: str, label: str, part: str) -> str:
        found = _parts(self.build, page)[0].get(label)
        if found is None or (part := found.find(class_=part)) is None:
            raise UnknownMarkup(f"the label {label!r}: the site has nothing that is called so")
        return said(part)


@functools.lru_cache(maxsize=1)
def _parts(build: Path, page: str) -> tuple[dict[str, Tag], list[str]]:
    """The parts of a page by their labels, and the numbers of its headings.

    Without its living figures, and with its formulas as they were written.
    """
    text = (build / "html" / f"{page}.html").read_text("utf-8")
    text = re.sub(r'(?s)<iframe.*?</iframe>|<a class="headerlink".*?</a>', "", text)
    text = re.sub(
        r'(?s)<span class="katex-mathml">.*?<annotation encoding="application/x-tex">(.*?)'
        r"</annotation>.*?</math></span>",
        r"$\1$",
        text,
    )
    soup = BeautifulSoup(without_drawn(text), "html.parser")
    numbers = [h.find(class_="section-number") for h in soup.article.find_all(HEADING)]
    labelled = {tag["id"]: tag for tag in soup.article.find_all(id=True)}
    return labelled, [f"{said(number)} " if number else "" for number in numbers]


def without_drawn(text: str) -> str:
    """A page without the drawn formulas: thousands of spans, which take seconds to parse."""
    start, kept = 0, []
    while (at := text.find('<span class="katex-html"', start)) >= 0:
        kept.append(text[start:at])
        depth = 0
        for tag in SPANS.finditer(text, at):
            depth += 1 if tag[0] == "<span" else -1
            if depth == 0:
                start = tag.end()
                break
    return "".join([*kept, text[start:]])


def said(tag: Tag) -> str:
    """The text of a part of a page."""
    return re.sub(r"\s+", " ", tag.get_text()).strip()


def _bare(text: str) -> str:
    """Text for within the brackets of a link."""
    return text.replace("[", r"\[").replace("]", r"\]")
