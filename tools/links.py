"""A part of the build: links that a chapter does not write itself.

The name of something in `fmcore` leads to its entry in the reference, an entry to the place of the
book where the name is used most, and the first use of a term to the glossary. The twins, which are
made from the chapters, have none of these.
"""

from __future__ import annotations

import ast
import functools
import html
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import exercises
import glossary
import reference
from api import FUNCTION, Entry, bindings, library
from docutils import nodes
from glossary import GLOSSARY, Terms
from reference import explained, places
from sphinx import addnodes
from sphinx.application import Sphinx

# What the letters of the conventions stand for in code: `path.sample`, `sol.nfe`.
LETTERS = {
    "path": "ProbabilityPath",
    "sol": "Solution",
    "u": "MarginalField",
    "wind": "fields.Wind",
    "progress": "Progress",
}
NAME = re.compile(r"(?:\w+ = )?([A-Za-z_][\w.]*)(?=$|[(\[])")
COMMAND = re.compile(r"fmcore (train|sample|evaluate|export)\b")
NO_LINKS = (nodes.title, nodes.reference, addnodes.pending_xref, nodes.FixedTextElement, nodes.term)

# A dotted name in highlighted code, not after a dot, and not the keyword of an argument.
HIGHLIGHT = r'<div class="highlight-i?python3? notranslate"><div class="highlight"><pre>'
CODE = re.compile(rf"(?s)({HIGHLIGHT})(.*?)(</pre>)")
TOKEN = r'<span class="(?:n|nn|nc)">(\w+)</span>'
DOTTED = re.compile(rf'(?<!<span class="o">\.</span>){TOKEN}(?:<span class="o">\.</span>{TOKEN})*')
PIECE = re.compile(TOKEN)


class Code:
    """What the code of a page knows of `fmcore`, and what it uses."""

    def __init__(self, cells: list[str]):
        self.bound: dict[str, tuple[str, str]] = {}
        self.made: set[str] = set()
        trees = [tree for cell in cells if (tree := parsed(cell))]
        for node in (node for tree in trees for node in ast.walk(tree)):
            if isinstance(node, (ast.ImportFrom, ast.Import)):
                self.bound |= bindings(node)
            elif isinstance(node, (*FUNCTION, ast.ClassDef)):
                self.made.add(node.name)
            elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                self.made.add(node.id)

    def entry(self, dotted: str) -> Entry | None:
        """Who is meant by a name in the code."""
        first, _, rest = dotted.partition(".")
        if first in self.made or first not in self.bound:
            return None
        module, name = self.bound[first]
        start = library().home(module, name) if name else (module, name)
        return library().walk(rest, start) if start else None

    def said(self, text: str) -> Entry | None:
        """Who is meant by a piece of code in a sentence."""
        if command := COMMAND.match(text):
            return library().by_name[f"fmcore.cli.{command[1].title()}"]
        match = NAME.match(text)
        if not match:
            return None
        dotted = match[1].rstrip(".")
        first, _, rest = dotted.partition(".")
        if first == "fmcore":
            return library().walk(rest)
        if first in LETTERS and rest:
            found = library().walk(f"{LETTERS[first]}.{rest.partition('.')[0]}")
            return found if found and found.owner else library().walk(LETTERS[first])
        if first in self.made:
            return None
        if found := self.entry(dotted) or library().walk(dotted if rest else ""):
            return found
        plain = library().plain.get(first)
        if plain and rest and plain.is_class:
            return library().walk(f"{plain.short}.{rest}")
        return plain


def parsed(cell: str) -> ast.Module | None:
    try:
        return ast.parse(re.sub(r"(?m)^( *)[%!].*$", r"\1pass", cell))
    except SyntaxError:
        return None


def cells(doctree: nodes.document) -> list[nodes.literal_block]:
    """The code of a chapter."""
    inputs = (box for box in doctree.findall(nodes.container) if "cell_input" in box["classes"])
    return [block for box in inputs for block in box.findall(nodes.literal_block)]


@functools.cache
def code_of(app: Sphinx, page: str) -> Code:
    return Code([cell.astext() for cell in cells(app.env.get_doctree(page))])


@functools.lru_cache(maxsize=1)
def uses(app: Sphinx) -> dict[str, list[tuple[int, str, str]]]:
    """For each name of the library, the chapters that use it: how much, which, in which section."""
    found: dict[str, list[tuple[int, str, str]]] = {}
    for page in chapters(app):
        doctree = app.env.get_doctree(page)
        code, count, where = code_of(app, page), Counter(), {}
        for node, entry, weight in used(doctree, code):
            count[entry.name] += weight
            where.setdefault((entry.name, weight), section(node))
        for name, much in count.items():
            place = where[name, 3 if (name, 3) in where else 1]  # a mention in the text first
            found.setdefault(name, []).append((much, page, place))
    return found


def used(doctree: nodes.document, code: Code) -> Iterator[tuple[nodes.Node, Entry, int]]:
    """What is used in a chapter: a mention in the text counts as three in code."""
    for node in doctree.findall(nodes.literal):
        if entry := code.said(node.astext()):
            yield node, entry, 3
    for block in cells(doctree):
        tree = parsed(block.astext())
        for node in ast.walk(tree) if tree else ():
            name = ast.unparse(node) if isinstance(node, (ast.Attribute, ast.Name)) else ""
            if entry := code.entry(name):
                yield block, entry, 1


def above(node: nodes.Node) -> Iterator[nodes.Element]:
    """What a node stands in, the nearest first."""
    while node.parent is not None:
        node = node.parent
        yield node


def section(node: nodes.Node) -> str:
    """The anchor of the section in which something stands; of a title page, nothing."""
    for each in above(node):
        if isinstance(each, nodes.section) and isinstance(each.parent, nodes.section):
            return each["ids"][0]
    return ""


@functools.cache
def chapters(app: Sphinx) -> list[str]:
    """The pages that are notebooks, but for the first page of all, in the order of the contents."""
    order = app.env.toctree_includes.get(app.config.root_doc, [])
    return [page for page in order if Path(app.env.doc2path(page)).suffix == ".ipynb"]


# ---- in a page


def link(app: Sphinx, page: str, entry: Entry, *inner: nodes.Node) -> nodes.reference:
    goes = f"{app.builder.get_relative_uri(page, places()[entry.name])}#{entry.anchor}"
    return nodes.reference("", "", *inner, internal=True, refuri=goes, classes=["fm-name"])


def within(node: nodes.Node, kinds: tuple[type, ...]) -> bool:
    return any(isinstance(each, kinds) for each in above(node))


def link_names(app: Sphinx, doctree: nodes.document, page: str) -> None:
    """Code in a sentence that names something of the library leads to its entry."""
    code = code_of(app, page) if page in chapters(app) else Code([])
    for node in list(doctree.findall(nodes.literal)):
        listed = library().by_name.get(node.get("entry"))  # in the list of all names
        entry = listed or (None if within(node, NO_LINKS) else code.said(node.astext()))
        if entry and not _at_home(node, entry):
            node.replace_self(link(app, page, entry, node.deepcopy()))


def _at_home(node: nodes.Node, entry: Entry) -> bool:
    """Whether this stands in the entry itself."""
    return any(
        isinstance(each, nodes.section) and entry.anchor in each["ids"] for each in above(node)
    )


def explain(app: Sphinx, doctree: nodes.document, page: str) -> None:
    """An entry leads to the chapters that use the name, the one that does so most first."""
    for node in list(doctree.findall(explained)):
        found = sorted(uses(app).get(node["entry"], []), key=lambda use: -use[0])
        said = "In the book: " if found else "Its chapter: "
        parts: list[nodes.Node] = [nodes.Text(said)]
        for i, (_, chapter, anchor) in enumerate(found[:4] or of_the_room(app, page)):
            goes = app.builder.get_relative_uri(page, chapter) + (f"#{anchor}" if anchor else "")
            title = app.env.titles[chapter].astext()
            parts += [nodes.Text(", ")] if i else []
            parts.append(nodes.reference(title, title, internal=True, refuri=goes))
        node.replace_self(nodes.paragraph("", "", *parts, classes=["fm-explained"]))


def of_the_room(app: Sphinx, page: str) -> list[tuple[int, str, str]]:
    """The chapter that uses most of the names on a page of the reference."""
    much = Counter()
    for name, found in uses(app).items():
        if places()[name] == page:
            much.update({chapter: count for count, chapter, _ in found})
    return [(0, chapter, "") for chapter, _ in much.most_common(1)]


def link_terms(app: Sphinx, doctree: nodes.document, page: str) -> None:
    """The first use of a term of the glossary leads to what it means."""
    terms = Terms()
    for node in list(doctree.findall(nodes.Text)):
        if within(node, (*NO_LINKS, nodes.caption, nodes.literal, nodes.math, nodes.raw)):
            continue
        pieces: list[nodes.Node] = []
        for words, anchor in terms.first_uses(str(node)):
            piece = nodes.Text(words)
            if anchor:
                goes = f"{app.builder.get_relative_uri(page, GLOSSARY)}#{anchor}"
                piece = nodes.reference(
                    "", "", piece, internal=True, refuri=goes, classes=["fm-term"]
                )
            pieces.append(piece)
        if len(pieces) > 1 or isinstance(pieces[0], nodes.reference):
            node.parent.replace(node, pieces)


def link_page(app: Sphinx, doctree: nodes.document, page: str) -> None:
    if app.builder.format == "html":
        explain(app, doctree, page)
        link_names(app, doctree, page)
        if page in chapters(app):
            link_terms(app, doctree, page)


def link_code(app: Sphinx, page: str, template: str, context: dict[str, Any], tree: Any) -> None:
    """Names in the code of a chapter lead to their entries as well."""
    if "body" not in context or page not in app.env.found_docs or page not in chapters(app):
        return
    code = code_of(app, page)

    def linked(found: re.Match[str]) -> str:
        names = PIECE.findall(found[0])
        after = found.string[found.end() :].lstrip()
        if after.startswith('<span class="o">=</span>') and len(names) == 1:
            return found[0]
        found_at = [(n, code.entry(".".join(names[:n]))) for n in range(1, len(names) + 1)]
        ends = [(n, entry) for n, entry in found_at if entry]
        if not ends:
            return found[0]
        # The name itself, or a method of it that has an entry: `SOLVERS` of SOLVERS.items.
        end, entry = next((each for each in ends[1:] if each[1].owner), ends[0])
        goes = app.builder.get_relative_uri(page, places()[entry.name])
        tokens, dot = [match[0] for match in PIECE.finditer(found[0])], '<span class="o">.</span>'
        address = html.escape(f"{goes}#{entry.anchor}")
        start = f'<a class="fm-name" href="{address}">{dot.join(tokens[:end])}</a>'
        return dot.join([start, *tokens[end:]])

    context["body"] = CODE.sub(
        lambda block: block[1] + DOTTED.sub(linked, block[2]) + block[3], context["body"]
    )


def setup(app: Sphinx) -> None:
    """All of the reference, the glossary and the index of exercises."""
    for part in (reference, glossary, exercises):
        part.setup(app)
    app.connect("doctree-resolved", link_page)
    app.connect("html-page-context", link_code)
