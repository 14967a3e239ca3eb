"""From MyST to the Markdown that Colab, GitHub and JupyterLab read: the text of one cell.

MyST's own parser finds what is to be written anew (directives, roles, targets, links within the
book); everything else stays as it was written. What it finds and this module does not know is an
`UnknownMarkup`.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from dataclasses import dataclass, field

from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from myst_parser.config.main import MdParserConfig
from myst_parser.parsers.mdit import create_md_parser
from twin_site import Site, UnknownMarkup

EXTENSIONS = ["amsmath", "attrs_block", "attrs_inline", "colon_fence", "deflist", "dollarmath"]
PARSER = create_md_parser(MdParserConfig(enable_extensions=set(EXTENSIONS)), RendererHTML)

# From left to right, so that what looks like a role within code or a formula is none.
SPAN = re.compile(
    r"\{(?P<role>[\w:.+-]+)\}(?P<ticks>`+)(?P<content>.+?)(?<!`)(?P=ticks)(?!`)"
    r"|(?P<code>`+).+?(?<!`)(?P=code)(?!`)"
    r"|\\[\\`$\[\]]"
    r"|(?P<math>\${1,2})(?!\s).+?(?<!\\)(?P=math)"
    r"|\]\((?P<link>[^)\s]+)\)",
    re.DOTALL,
)
# Blocks of MyST, or of Markdown's extensions, that are not in the book.
UNKNOWN = {"amsmath", "attrs_block", "dl_open", "field_list_open", "front_matter", "html_block"}
UNKNOWN |= {"footnote_reference_open", "substitution_block", "myst_line_comment"}
UNKNOWN |= {"colon_fence", "math_block_label"}
INFO = re.compile(r"\{(?P<name>[\w:.+-]+)\}\s*(?P<title>.*)")
OPTION = re.compile(r":(?P<key>[\w-]+):(?P<value>.*)")
FORMULA = re.compile(r"(?s)\$\$(.+?)\$\$")
CLOSED = "</details>"
ADMONITIONS = "attention caution danger error hint important note seealso tip warning".split()
PROOFS = "axiom conjecture corollary criterion definition example lemma observation".split()
PROOFS += "property proposition remark theorem algorithm assumption notation".split()


@dataclass(frozen=True)
class Directive:
    name: str
    title: str
    options: dict[str, str]
    body: str


@dataclass
class Writer:
    """Writes the cells of one page, in their order, since headings are counted."""

    site: Site
    page: str
    solutions: bool = True
    _heading: int = field(default=0, init=False)

    def text(self, source: str) -> str:
        """The Markdown of a cell, or of what is within a directive."""
        lines, written, done = source.split("\n"), [], 0
        for token in PARSER.parse(source):
            if not token.map or token.map[0] < done:
                continue  # within what is written already
            first, last = token.map
            block = "\n".join(lines[first:last])
            if (new := self._block(token, block)) is not None:
                written += [self._inline("\n".join(lines[done:first])), new]
                done = last
        written.append(self._inline("\n".join(lines[done:])))
        return re.sub(r"\n{3,}", "\n\n", "\n".join(written)).strip("\n")

    def caption(self, name: str, text: str) -> str:
        """The line under a figure."""
        return f"**{self.site.figure(self.page, name)}** {self.text(text)}"

    def _block(self, token: Token, block: str) -> str | None:
        """What is to be written for a block, None for one whose parts come."""
        if token.type == "heading_open":
            return self._numbered(block)
        comment = token.type == "html_block" and re.fullmatch(r"(?s)<!--.*-->", block.strip())
        if comment or token.type in ("myst_target", "myst_block_break"):
            return ""
        if token.type in ("fence", "colon_fence") and (info := INFO.fullmatch(token.info.strip())):
            margin = block[: len(block) - len(block.lstrip())]
            if not block.lstrip().startswith(token.markup):
                raise UnknownMarkup(f"a directive within a quotation: {block!r}")
            title = info["title"] or ""
            new = self._directive(Directive(info["name"], title, *_options(token.content)))
            return "\n".join(f"{margin}{line}".rstrip() for line in new.split("\n"))
        if token.type in UNKNOWN:
            raise UnknownMarkup(f"the block {token.type}: {block!r}")
        return block if token.type in ("fence", "code_block", "math_block") else None

    def _numbered(self, block: str) -> str:
        numbers = self.site.headings(self.page)
        if self._heading == len(numbers):
            raise UnknownMarkup(f"the heading {block!r}, which the site does not have")
        signs, title = block.split(maxsplit=1)
        self._heading += 1
        return f"{signs} {numbers[self._heading - 1]}{self._inline(title)}"

    def _inline(self, text: str) -> str:
        """Text with its roles and its links within the book written anew."""
        return SPAN.sub(self._span, text)

    def _span(self, found: re.Match) -> str:
        if found["role"]:
            target = " ".join(found["content"].split())
            return self.site.reference(self.page, found["role"], target)
        if found["link"] and not re.match(r"https?:|mailto:", found["link"]):
            return f"]({self.site.link(self.page, found['link'])})"
        return found[0]

    def _directive(self, it: Directive) -> str:
        if it.name == "math":
            return self._formula(it)
        if it.name == "admonition" or it.name in ADMONITIONS:
            return self._quote(self._inline(it.title) or it.name.capitalize(), it)
        if it.name == "prf:proof":
            return self._quote(
                "Proof." if not it.title else f"Proof ({self._inline(it.title)}).", it
            )
        if it.name.removeprefix("prf:") in PROOFS or it.name == "exercise":
            if "label" not in it.options:
                raise UnknownMarkup(f"the directive {{{it.name}}} without a label: {it.title!r}")
            return self._quote(self.site.title(self.page, it.options["label"]), it)
        if it.name == "dropdown":
            return _folded(html.escape(it.title, quote=False), self.text(it.body))
        if it.name == "solution":
            return self.solutions * _folded(self._solution(it.title), self.text(it.body))
        if it.name == "solution-start":
            return _opened(self._solution(it.title))
        if it.name == "solution-end":
            return CLOSED
        if it.name == "grid":
            return self.text(it.body)
        if it.name == "grid-item-card":
            return self._card(it)
        raise UnknownMarkup(f"the directive {{{it.name}}}")

    def _formula(self, it: Directive) -> str:
        """Display math, its number as a tag; what Sphinx aligns by itself is aligned here."""
        formula = it.body.strip()
        if re.search(r"\\\\|&", re.sub(r"(?s)\\begin\{(\w+)\}.*\\end\{\1\}", "", formula)):
            formula = f"\\begin{{aligned}}\n{formula}\n\\end{{aligned}}"
        if label := it.options.get("label"):
            formula += f"\n\\tag{{{self.site.equation(self.page, label)}}}"
        return f"$$\n{formula}\n$$"

    def _quote(self, title: str, it: Directive) -> str:
        """A quoted block with a bold title. A formula in it takes one line: some viewers would
        read the signs of the quotation as a part of it."""
        body = _off_fences(lambda text: FORMULA.sub(_one_line, text), self.text(it.body))
        lines = f"**{title}**\n\n{body}".rstrip().split("\n")
        return "\n".join(f"> {line}".rstrip() for line in lines) + "\n"

    def _solution(self, label: str) -> str:
        """The line that unfolds, which is HTML already."""
        exercise = html.escape(self.site.title(self.page, label), quote=False)
        return f'Solution to <a href="{self.site.page(f"{self.page}.html#{label}")}">{exercise}</a>'

    def _card(self, it: Directive) -> str:
        target, kind = it.options.get("link", ""), it.options.get("link-type", "url")
        if kind == "ref":
            where = self.site.anchor(self.page, target)
        elif kind == "doc":
            where = self.site.link(self.page, f"{target}.ipynb")
        else:
            where = target
        return f"- [**{self._inline(it.title)}**]({where}) " + " ".join(self.text(it.body).split())


def _options(content: str) -> tuple[dict[str, str], str]:
    """The options at the head of a directive, and what follows."""
    lines, options = content.split("\n"), {}
    while lines and (found := OPTION.fullmatch(lines[0].strip())):
        options[found["key"]] = found["value"].strip()
        del lines[0]
    if lines and lines[0].strip() == "---":
        raise UnknownMarkup("options of a directive between lines of ---: write :key: value")
    return options, "\n".join(lines).strip("\n")


def _off_fences(change: Callable[[str], str], text: str) -> str:
    """The text, changed except where it is code."""
    parts = re.split(r"(?ms)(^(`{3,}).*?^\2$)", text)
    return "".join(
        change(part) if i % 3 == 0 else part for i, part in enumerate(parts) if i % 3 < 2
    )


def _one_line(found: re.Match) -> str:
    return f"$$ {' '.join(found[1].split())} $$"


def _opened(summary: str) -> str:
    return f"<details>\n<summary>{summary}</summary>\n"


def _folded(summary: str, body: str) -> str:
    return f"{_opened(summary)}\n{body}\n\n{CLOSED}\n"
