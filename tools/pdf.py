"""Print the built book as one PDF: _build/book.pdf, for paper and for reading without a network.

    python tools/pdf.py            make pdf, which builds the site first

The pages of the site become one document, and Chromium prints it. Living figures are their stills,
solutions stand at the end, folded code (of plots and of checks) is left out, and links within the
book are links within the file. It is printed twice: the first print says on which page each line of
the contents ends up, which no style sheet of the browser can.
"""

from __future__ import annotations

import html
import sys
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

from browser import chromium
from bs4 import BeautifulSoup, Tag
from pypdf import PdfReader
from slides import text_of

import book

if TYPE_CHECKING:
    from playwright.sync_api import Browser

HTML = book.BUILD / "html"

# What belongs to the screen: scripts, buttons, folded code, labs, and what starts a living figure.
ON_SCREEN = (
    "script, noscript, button, a.headerlink, details.hide, .fm-lab, .katex-mathml, "
    "i[data-fm-frame], iframe"
)
STYLE = """
@page{size:A4;margin:22mm 20mm 20mm;@bottom-center{content:counter(page);font:9pt sans-serif}}
@page cover{@bottom-center{content:none}}
html{font-size:10pt;scroll-behavior:auto}
body{padding:0;background:#fff}
article,section.cover{break-before:page}
section.cover{page:cover;break-before:auto;padding-top:60mm;text-align:center}
.contents{break-before:page}
.contents ol{list-style:none;padding:0;margin:0 0 .35rem}
.contents ol ol{padding-left:1.5rem;font-size:.92em}
.contents a{display:flex;gap:.6rem;color:inherit;text-decoration:none}
.contents a::before{order:1;content:"";flex:1;border-bottom:1px dotted #999;margin-bottom:.3em}
.contents a i{order:2;font-style:normal;min-width:2em;text-align:right}
article h1,article h2,article h3{break-after:avoid}
pre{font-size:.8em;break-inside:avoid}
article img{max-height:150mm;width:auto!important;max-width:100%}
.fm-still{width:auto!important;height:auto!important;max-width:100%;max-height:110mm}
"""


def pages(root: Path = HTML) -> list[str]:
    """All pages of the table of contents that are built, in its order."""
    names = book.pages()
    missing = [name for name in names if not (root / f"{name}.html").is_file()]
    if missing:
        raise ValueError(f"{missing[0]} has not been built into {root}: run `make html` first")
    return names


def name_within(page: str, anchor: str = "") -> str:
    """The name that a place on a page has in the one document."""
    return f"{page.replace('/', '-')}--{anchor}" if anchor else page.replace("/", "-")


class Chapter:
    """A built page, made ready to stand in one document with all the others."""

    def __init__(self, page: str, names: list[str], root: Path):
        text = (root / f"{page}.html").read_text("utf-8")
        self.page, self.names, self.root = page, names, root
        self.soup = BeautifulSoup(text, "html.parser")
        self.article: Tag = self.soup.select_one("article")
        for part in self.article.select(ON_SCREEN):
            part.decompose()
        for image in self.article.select("img[src]:not([src^='data:'])"):
            image["src"] = (root / urljoin(f"{page}.html", image["src"])).resolve().as_uri()
        for image in self.article.select("img.fm-still"):
            del image["onload"], image["onerror"], image["style"]
        for node in self.article.select("[id]"):
            node["id"] = name_within(page, node["id"])
        for link in self.article.select("a[href]"):
            self._lead(link)
        self.name = self.article["id"] = name_within(page)
        self.title = text_of(self.article.h1)

    def _lead(self, link: Tag) -> None:
        """A link within the book leads to the place in the document; one to another file goes."""
        address = urlsplit(urljoin(f"{self.page}.html", link["href"]))
        page = address.path.removesuffix(".html")
        if address.scheme:
            return
        if page in self.names:
            link["href"] = "#" + name_within(page, address.fragment)
        else:
            del link["href"]

    def take_solutions(self) -> list[Tag]:
        """The solutions, taken out of the chapter and unfolded."""
        solutions = [node.extract() for node in self.article.select(".solution")]
        for node in solutions:
            node["class"] = [name for name in node["class"] if name != "dropdown"]
            for inner in node.select("[id$='--solution-content']"):
                del inner["id"]  # one of that name in each of them
        return solutions

    def sections(self) -> list[tuple[str, str]]:
        """The name and the title of each section of the first level."""
        found = self.article.select("section:has(> h1) > section[id]:has(> h2)")
        return [(section["id"], text_of(section.h2)) for section in found]


def contents(chapters: list[Chapter], solutions: bool, numbers: dict[str, int]) -> str:
    """The table of contents; `numbers` has the page of each name, as far as it is known."""

    def line(name: str, title: str, inner: str = "") -> str:
        page = numbers.get(name, "")
        words = html.escape(title)
        return f'<li><a href="#{name}"><span>{words}</span><i>{page}</i></a>{inner}</li>'

    rows = []
    for chapter in chapters:
        inner = "".join(line(name, title) for name, title in chapter.sections())
        rows.append(line(chapter.name, chapter.title, inner and f"<ol>{inner}</ol>"))
    if solutions:
        rows.append(line("solutions", "Solutions"))
    return f'<div class="contents"><h1>Contents</h1><ol>{"".join(rows)}</ol></div>'


def running_heads(titles: dict[str, str]) -> str:
    """The style that puts a title above each page of an element with a name."""
    rules = []
    for number, (name, title) in enumerate(titles.items()):
        words = title.replace("\\", "\\\\").replace('"', '\\"').replace("<", "\\3c ")
        head = f'@top-right{{content:"{words}";font:9pt sans-serif;color:#555}}'
        rules.append(f"#{name}{{page:part{number}}}@page part{number}{{{head}}}")
    return "".join(rules)


def style_sheets(chapter: Chapter) -> str:
    """The links to the style sheets of the site that a page has."""
    links = []
    for link in chapter.soup.select("link[rel=stylesheet]"):
        address = urlsplit(urljoin(f"{chapter.page}.html", link["href"]))
        if not address.scheme:
            file = (chapter.root / address.path).resolve()
            links.append(f'<link rel="stylesheet" href="{file.as_uri()}">')
    return "".join(links)


class Document:
    """The whole book as one HTML document, for a title and an author."""

    def __init__(self, names: list[str], title: str, author: str, root: Path = HTML):
        self.chapters = [Chapter(name, names, root) for name in names]
        self.title, self.author = html.escape(title), html.escape(author)
        self.heads = {chapter.name: chapter.title for chapter in self.chapters}
        solutions = [(chapter, chapter.take_solutions()) for chapter in self.chapters]
        self.solutions = "".join(
            f"<h2>{html.escape(chapter.title)}</h2>" + "".join(map(str, found))
            for chapter, found in solutions
            if found
        )
        if self.solutions:
            self.heads["solutions"] = "Solutions"

    def html(self, numbers: dict[str, int]) -> str:
        """The document; `numbers` are the pages for its contents."""
        body = contents(self.chapters, bool(self.solutions), numbers)
        body += "".join(str(chapter.article) for chapter in self.chapters)
        if self.solutions:
            body += '<article class="bd-article" id="solutions"><h1>Solutions</h1>'
            body += f"{self.solutions}</article>"
        return (
            '<!doctype html>\n<html lang="en" data-theme="light" data-mode="light">\n<head>\n'
            f'<meta charset="utf-8">\n<title>{self.title}</title>\n'
            f"{style_sheets(self.chapters[0])}\n<style>{STYLE}{running_heads(self.heads)}</style>\n"
            f'</head>\n<body>\n<section class="cover"><h1>{self.title}</h1><p>{self.author}</p>'
            f'</section><div class="bd-content">{body}</div>\n</body>\n</html>\n'
        )


def page_numbers(file: Path) -> dict[str, int]:
    """The page, from 1, of each place of a PDF that a link in it leads to."""
    reader = PdfReader(file)
    places = reader.named_destinations.items()
    # the browser writes them as names, /like-this
    return {
        name.removeprefix("/"): reader.get_destination_page_number(place) + 1
        for name, place in places
    }


def print_document(document: Document, to: Path) -> None:
    """Print a document into the file `to`, by the machine's own browser.

    Raises RuntimeError where there is none.
    """
    with chromium() as browser:
        print_in(browser, document, to)


def print_in(browser: Browser, document: Document, to: Path) -> None:
    """Print a document into the file `to`, by way of HTML beside it.

    Twice: the first printing says on which pages the parts stand.
    """
    whole, numbers = to.with_suffix(".html"), {}
    page = browser.new_page(java_script_enabled=False)
    page.set_default_timeout(600_000)
    for _ in range(2):
        whole.write_text(document.html(numbers), "utf-8")
        page.goto(whole.as_uri())
        page.pdf(path=to, prefer_css_page_size=True, print_background=True, outline=True)
        numbers = page_numbers(to)
    page.close()
    whole.unlink()


def main() -> None:
    config, file = book.config(), book.BUILD / "book.pdf"
    try:
        print_document(Document(pages(), config["title"], config["author"]), file)
    except (ValueError, RuntimeError) as error:
        sys.exit(str(error))
    print(f"The book is in {file.relative_to(book.ROOT)}")


if __name__ == "__main__":
    main()
