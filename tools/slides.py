"""The living figures of the book as a deck of slides, one HTML page without a script of its own.

    python tools/slides.py            after `make html`, which runs it too

A slide shows one figure of the built pages, alive, with its caption and the way back to its place.
The browser turns the pages: Space and Page Down go on, and each slide has links for keys and
fingers, since what is typed in a figure belongs to the figure.
"""

from __future__ import annotations

import html
import re
from pathlib import Path
from typing import NamedTuple

from bs4 import BeautifulSoup, Tag

HTML = Path(__file__).resolve().parent.parent / "_build" / "html"
DECK, ICON = "book/slides.html", "../_static/favicon.svg"

STYLE = """
html{scroll-snap-type:y mandatory;color-scheme:light dark;font:1rem/1.5 system-ui,sans-serif}
body{margin:0}
section{box-sizing:border-box;min-height:100vh;padding:1.2rem clamp(1rem,6vw,6rem) 3.6rem;
scroll-snap-align:start;position:relative;break-after:page}
h1{font-size:clamp(1.6rem,5vw,3rem);margin:20vh 0 1rem}
h2{font-size:clamp(1.1rem,2.6vw,1.7rem);margin:0 0 .6rem;line-height:1.25}
h2 small{display:block;font-weight:400;font-size:1rem}
.fm-figure{max-width:min(100%,64rem);margin:0 auto!important}
figcaption{font-size:1.05rem;margin-top:.5rem;max-width:48rem}
nav{position:absolute;left:0;right:0;bottom:.9rem;display:flex;gap:1.6rem;justify-content:center}
a{color:light-dark(#0b57a4,#8ab8f0)}
@media print{nav{display:none}section{min-height:0}}
"""


class Slide(NamedTuple):
    """A figure of the book: where it stands, and its HTML."""

    chapter: str
    section: str
    place: str  # the address within the folder of the deck
    figure: str


def text_of(heading: Tag) -> str:
    """The words of a heading, without the theme's link to itself and with one form of a formula."""
    copy = BeautifulSoup(str(heading), "html.parser")
    for extra in copy.select("a.headerlink, .katex-mathml"):
        extra.decompose()
    return " ".join(copy.get_text("").split())


def slides_of(page: Path) -> list[Slide]:
    """The living figures of a built page, in its order.

    A caption that stands outside the figure, as that of a numbered one does, comes along as text.
    """
    soup = BeautifulSoup(page.read_text("utf-8"), "html.parser")
    chapter = soup.select_one("article h1")
    found = []
    for figure in soup.select("article figure.fm-figure"):
        section = figure.find_parent("section")
        heading = section.find(re.compile("^h[1-6]$")) if section else None
        place = f"{page.name}#{section['id']}" if section and section.get("id") else page.name
        title = text_of(heading) if heading and heading.name != "h1" else ""
        found.append(Slide(text_of(chapter), title, place, str(figure)))
    return found


def deck(slides: list[Slide], title: str) -> str:
    """All slides as one HTML document."""
    parts = [
        f'<section id="slide-0"><h1>{html.escape(title)}</h1><p>The living figures of the book, '
        f"{len(slides)} of them. Drag what can be dragged. Space turns the page.</p>"
        f'<nav aria-label="Slides"><a href="#slide-1">First figure</a></nav></section>'
    ]
    for number, slide in enumerate(slides, 1):
        links = [f'<a href="#slide-{number - 1}">Back</a>']
        links.append(f'<a href="{html.escape(slide.place)}">In the book</a>')
        if number < len(slides):
            links.append(f'<a href="#slide-{number + 1}">Next</a>')
        heading = html.escape(slide.section or slide.chapter)
        above = f"<small>{html.escape(slide.chapter)}</small>" if slide.section else ""
        parts.append(
            f'<section id="slide-{number}"><h2>{above}{heading}</h2>{slide.figure}'
            f'<nav aria-label="Slide {number}">{" ".join(links)}</nav></section>'
        )
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<title>{html.escape(title)}: slides</title>\n<link rel="icon" href="{ICON}">\n'
        f"<style>{STYLE}</style>\n</head>\n<body>\n"
        "<main>\n" + "\n".join(parts) + "\n</main>\n</body>\n</html>\n"
    )


def write(pages: list[str], title: str, root: Path = HTML) -> Path:
    """Write the deck of the figures on `pages` (book/01_wind, ...) into the built site.

    Raises ValueError if none of them holds a living figure: the site is not built, or not by us.
    """
    slides = [slide for page in pages for slide in slides_of(root / f"{page}.html")]
    if not slides:
        raise ValueError(f"no living figure on the pages in {root}: is the book built?")
    file = root / DECK
    file.write_text(deck(slides, title), "utf-8")
    return file
