"""A part of the build: the pages of the reference, written from the docstrings of `fmcore`.

A page of book/reference says `{fm-reference} fmcore.solvers`, and gets an entry for every public
name that is defined there: its signature, its text with tables and examples, the chapter where it
is used, its source. `{fm-names}` is a list of all of them. `links.py` makes the links.
"""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Iterator
from pathlib import Path

from api import ROOT, Entry, Module, library
from docstrings import blocks
from docutils import nodes
from docutils.parsers.rst import Directive
from signatures import fields, signature
from sphinx import addnodes
from sphinx.application import Sphinx
from stamp import repository

WIDEST = 76  # characters of preformatted text, at 1280 px


class explained(nodes.Element):
    """Where the book explains a name, which is known once all pages were read."""


@functools.cache
def places(root: Path = ROOT) -> dict[str, str]:
    """The page of each entry, by its name: {"fmcore.odeint": "book/reference/solvers"}."""
    found = {}
    for file in sorted((root / "book" / "reference").glob("*.md")):
        for line in re.findall(r"(?m)^```\{fm-reference\} (.+)$", file.read_text("utf-8")):
            for _, entries in chapters_of(line.split()):
                for entry in entries:
                    for each in (entry, *entry.members):
                        page = f"book/reference/{file.stem}"
                        if found.setdefault(each.name, page) != page:
                            raise ValueError(f"{each.name} is on {found[each.name]} and {page}")
    return found


def chapters_of(rooms: list[str]) -> Iterator[tuple[Module, list[Entry]]]:
    """The modules in these rooms that define public names, each with its entries as they stand.

    Raises ValueError for a room that is none.
    """
    seen = set()
    for room in rooms:
        if room not in library().modules:
            raise ValueError(f"fmcore has no module {room}")
        for name, module in library().modules.items():
            if name not in seen and f"{name}.".startswith(f"{room}."):
                seen.add(name)
                entries = [e for e in library().entries.values() if e.module is module]
                if entries:
                    yield module, sorted(entries, key=lambda entry: entry.lines)


# ---- from text to nodes


def words(text: str) -> list[nodes.Node]:
    """A sentence of a docstring: what stands between backticks is code."""
    return [
        nodes.literal(part, part) if i % 2 else nodes.Text(part)
        for i, part in enumerate(re.split(r"`([^`]+)`", text))
        if part
    ]


def paragraph(text: str, *classes: str) -> nodes.paragraph:
    # Quotation marks and dashes stay as they are: "--resume", x'.
    return nodes.paragraph("", "", *words(text), classes=[*classes], support_smartquotes=False)


def preformatted(text: str, language: str, name: str) -> nodes.literal_block:
    return nodes.literal_block(text, text, language=language, classes=[name])


def narrow(formula: str) -> str:
    """A formula whose lines are no longer than the page is wide, where they have gaps."""
    lines = formula.splitlines()
    return "\n".join(
        re.sub(r"(?<=\S) {3,}(?=\S)", "\n    ", line) if len(line) > WIDEST else line
        for line in lines
    )


def rows(pairs: list[tuple[str, str]]) -> nodes.definition_list:
    """A table of a docstring: what each argument, or each choice, means."""
    found = nodes.definition_list(classes=["fm-rows"])
    for names, text in pairs:
        term = nodes.term(support_smartquotes=False)
        for i, name in enumerate(names.split(", ")):
            term += [nodes.Text(", ")] if i else []
            term += nodes.literal(name, name)
        item = nodes.definition_list_item("", term, nodes.definition("", paragraph(text)))
        found += item
    return found


def text(doc: str) -> list[nodes.Node]:
    """The parts of a docstring."""
    found: list[nodes.Node] = []
    for block in blocks(doc):
        if block.kind == "example":
            found.append(preformatted(block.text, "pycon", "fm-example"))
        elif block.kind == "formula":
            found.append(preformatted(narrow(block.text), "none", "fm-formula"))
        elif block.kind == "table":
            found.append(rows(block.rows or []))
        elif block.kind == "list":
            items = [nodes.list_item("", paragraph(item)) for _, item in block.rows or []]
            found.append(nodes.bullet_list("", *items, bullet="-"))
        else:
            found.append(paragraph(block.text))
    return found


# ---- entries and pages


def source_of(entry: Entry | Module) -> nodes.paragraph:
    """Where the source is: a link if the book has an address (`make stamp`)."""
    module = entry.module if isinstance(entry, Entry) else entry
    first, last = entry.lines if isinstance(entry, Entry) else (1, 0)
    address, said = repository(), module.file
    if address:
        lines = f"#L{first}-L{last}" if last else ""
        goes = f"{address}/blob/main/{module.file}{lines}"
        link = nodes.reference(said, "", nodes.literal(said, said), refuri=goes, internal=False)
    else:
        link = nodes.inline("", "", nodes.literal(said, said))
    parts = [nodes.Text("Source: "), link]
    if last:
        span = f"lines {first} to {last}" if last > first else f"line {first}"
        parts.append(nodes.Text(f", {span}"))
    return nodes.paragraph("", "", *parts, classes=["fm-source"])


def names_in(entry: Entry) -> list[str]:
    """The rows of a table such as `SOLVERS`."""
    value = getattr(entry.node, "value", None)
    if isinstance(value, ast.Call) and ast.unparse(value.func) == "Table":
        return [each.arg for each in value.keywords if each.arg]
    if isinstance(value, ast.Dict):
        return [each.value for each in value.keys if isinstance(each, ast.Constant)]  # ty: ignore
    return []


def body_of(entry: Entry) -> Iterator[nodes.Node]:
    yield from text(entry.doc)
    if entry.is_class and (said := [(w.partition(":")[0], s) for w, s in fields(entry) if s]):
        yield rows(said)
    if names := names_in(entry):
        yield paragraph("Names: " + ", ".join(f"`{name}`" for name in names))
    for member in entry.members:
        made = signature(member)
        made[0]["ids"] = [member.anchor]
        made += addnodes.desc_content("", *body_of(member))
        yield made


def section_of(entry: Entry) -> nodes.section:
    """The entry of a name: a section of the page."""
    short = entry.short.partition(".")[2] or entry.short  # the room is that of the page
    title = nodes.title("", "", nodes.literal(short, short))
    found = nodes.section("", title, ids=[entry.anchor], names=[], classes=["fm-entry"])
    made = signature(entry)
    made += addnodes.desc_content("", *body_of(entry))
    found += [made, explained(entry=entry.name), source_of(entry)]
    return found


def heading(module: Module) -> tuple[str, str]:
    """What a module is about, the beginning of its first sentence, and the rest of its text."""
    first, _, rest = module.doc.partition("\n\n")
    title, mark, more = re.fullmatch(r"(?s)(.+?)([:,.?;])(?:\s(.+))?", first).groups()
    if mark not in ":.":  # a sentence that goes on
        more = first
    elif more and re.match(r"[a-z]+ (?!=)", more):  # and no formula
        more = f"{more[0].upper()}{more[1:]}"
    return " ".join(title.replace("`", "").split()), f"{more or ''}\n\n{rest}"


class Reference(Directive):
    """`{fm-reference} fmcore.weights fmcore.export`: the entries of these rooms."""

    required_arguments = 1
    final_argument_whitespace = True

    def run(self) -> list[nodes.Node]:
        found: list[nodes.Node] = []
        chapters = list(chapters_of(self.arguments[0].split()))
        for module, entries in chapters:
            title, doc = heading(module)
            said = [*text(doc), *map(section_of, entries)]
            if len(chapters) > 1:
                anchor = f"module-{module.name.replace('.', '-')}"
                said = [nodes.section("", nodes.title(title, title), *said, ids=[anchor], names=[])]
            found += said
        return found


class Names(Directive):
    """`{fm-names} solvers`: the names on this page of the reference, each with its first line."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        page = f"book/reference/{self.arguments[0]}"
        listed = [e for e in library().by_name.values() if places()[e.name] == page]
        found = rows([(entry.short, summary(entry)) for entry in listed])
        for item, entry in zip(found.children, listed, strict=True):
            item[0][0]["entry"] = entry.name
        found["classes"].append("fm-names")
        return [found]


def summary(entry: Entry) -> str:
    """The first sentence of an entry."""
    first = " ".join(entry.doc.split("\n\n")[0].split())
    return re.split(r"(?<=\.) (?=[A-Z`])|:$", first, maxsplit=1)[0]


def setup(app: Sphinx) -> None:
    app.add_node(explained)
    app.add_directive("fm-reference", Reference)
    app.add_directive("fm-names", Names)
