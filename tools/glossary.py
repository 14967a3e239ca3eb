"""The terms of the glossary in book/notation.md, and by which words a chapter uses them.

A chapter links the first use of a term to its explanation; `links.py` does it. A term is used by
its own words, in the singular or with an s. `FORMS` has the terms that are used by others, and
those that no text should link, since their words mean other things as well.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx

ROOT = Path(__file__).resolve().parent.parent
GLOSSARY = "book/notation"

FORMS = {
    "Adjoint": "adjoint method|adjoint",
    "Attention (self-attention)": "self-attention|attention",
    "Bits per dimension": "bits per dim(?:ension)?",
    "Butcher tableau": "Butcher tableaus?|tableaus?",
    "Change of variables, instantaneous": "instantaneous change of variables",
    "Conditional flow matching (CFM)": "conditional flow matching",
    "Curl (vorticity)": "curl|vorticity",
    "Dequantisation": "dequantisation|dequantised",
    "DPM-Solver++(2M)": r"DPM-Solver\+\+(?:\(2M\))?",
    "EMA": "EMA|exponential moving average",
    "Embedding of time": "time embedding|embedding of the time",
    "FiLM": "(?-i:FiLM)",
    "Flow, flow map": "flow maps?",
    "Flux": "(?-i:flux)",  # and not the model FLUX
    "Hutchinson's estimate": "Hutchinson[’']s estimat(?:e|or)",
    "Marginal, conditional": "marginal (?:velocity )?fields?",
    "ODE, SDE": "ODEs?|SDEs?",
    "Order of a solver": "order of (?:a|the) (?:solver|method)",
    "Path line, streak line, streamline": "path lines?|streak lines?|streamlines?",
    "Precision, recall": "precision and recall",
    "Reflow, rectified flow": "reflow|rectified flows?",
    "Schedule": "",  # of a learning rate as well
    "Score": "",  # of samples as well
    "Source, target": "",  # of a cell, of a link
    "Stage": "",
    "Trajectory": "trajector(?:y|ies)",
}


@functools.cache
def terms(root: Path = ROOT) -> dict[str, str]:
    """The terms of the glossary, each with its anchor."""
    text = (root / f"{GLOSSARY}.md").read_text("utf-8")
    found = re.findall(r"(?m)^\*\*(.+)\*\*\n: ", text)
    return {term: anchor(term) for term in found}


def anchor(term: str) -> str:
    return f"term-{nodes.make_id(term)}"


class Terms:
    """The terms that a page has not used yet."""

    def __init__(self) -> None:
        self.left = {
            name: re.compile(rf"(?<![\w-])(?:{words})(?![\w-])", 0 if words.isupper() else re.I)
            for name in terms()
            if (words := FORMS.get(name, f"{re.escape(name)}s?"))
        }

    def first_uses(self, text: str) -> Iterator[tuple[str, str]]:
        """The pieces of a text: its words, and the anchor of the term that they use first."""
        start, found = 0, []
        for name, words in self.left.items():
            if match := words.search(text):
                found.append((match.start(), -match.end(), name))
        for begin, end, name in sorted(found):
            if begin >= start:  # else a part of a longer term
                if begin > start:
                    yield text[start:begin], ""
                yield text[begin:-end], terms()[name]
                start = -end
                del self.left[name]
        if start < len(text) or not text:
            yield text[start:], ""


def name_terms(app: Sphinx, doctree: nodes.document) -> None:
    """Each term of the glossary can be linked to."""
    if app.env.docname == GLOSSARY:
        for term in doctree.findall(nodes.term):
            name = term.astext().replace("’", "'")
            if name in terms():
                term["ids"].append(terms()[name])


def setup(app: Sphinx) -> None:
    app.connect("doctree-read", name_terms)
