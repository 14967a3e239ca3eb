"""A part of the build: note what every cross-reference of a page says, and where it leads.

A chapter refers to a formula, a theorem or a paper by its label, {eq}`eq-ivp`. That the site calls
it "(3)", and on which page it is, only Sphinx knows, once all pages were read. `twins.py` writes
chapters for readers who have the label alone, and reads it here.
"""

import json
import posixpath
from collections.abc import Iterator
from pathlib import Path

from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx

FILE = "crossrefs.json"  # beside the folder of the pages


def record(app: Sphinx, exception: Exception | None) -> None:
    """Write {page: {role as docutils spells it: [[text, address or None], ...]}}.

    An address is a path within the site, "book/02_following_the_wind.html#equation-eq-ivp".
    """
    if exception is None and app.builder.format == "html":
        pages = {name: dict(references(app, name)) for name in sorted(app.env.found_docs)}
        Path(app.outdir).with_name(FILE).write_text(json.dumps(pages, indent=1), "utf-8")


def references(app: Sphinx, page: str) -> Iterator[tuple[str, list[tuple[str, str | None]]]]:
    """The cross-references of a page, each with the pieces of text that the page shows for it."""
    doctree = app.env.get_doctree(page)
    if not (roles := list(doctree.findall(pending_xref))):
        return
    for role in roles:
        marked = nodes.inline(crossref=role.rawsource)
        role.replace_self(marked)
        marked += role
    app.env.apply_post_transforms(doctree, page)
    for marked in doctree.findall(lambda node: isinstance(node, nodes.Element)):
        if source := marked.get("crossref"):
            yield source, list(pieces(app, page, marked))


def pieces(app: Sphinx, page: str, node: nodes.Element) -> Iterator[tuple[str, str | None]]:
    for text in node.findall(nodes.Text):
        above, link = text.parent, None
        while link is None and above is not node:
            link = above if isinstance(above, nodes.reference) else None
            above = above.parent
        yield str(text), link and address(app, page, link)


def address(app: Sphinx, page: str, link: nodes.reference) -> str:
    here = app.builder.get_target_uri(page)
    if "refid" in link:
        return f"{here}#{link['refid']}"
    uri = link["refuri"]
    if "://" in uri:
        return uri
    return here + uri if uri[0] == "#" else posixpath.join(posixpath.dirname(here), uri)


def setup(app: Sphinx) -> None:
    app.connect("build-finished", record)
