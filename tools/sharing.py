"""What lets a page be found and shared: its description, its picture, its place in the book.

A preview of a link is read from Open Graph, a search engine reads schema.org and the sitemap, and a
reader's program the feed. All of them want absolute addresses. While the book has no address (see
`stamp.py`), what needs one is left out: the canonical address, the sitemap, the addresses of
pictures, which are relative then.
"""

from __future__ import annotations

import datetime
import html
import io
import json
import re
import subprocess
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit
from xml.sax.saxutils import escape

from bs4 import BeautifulSoup
from markdown_it import MarkdownIt
from PIL import Image
from release import versions

WIDE, HIGH = 1200, 630  # of a picture in a preview, as Open Graph's readers want it
LONGEST = 240  # characters of a description
SHARED = "_static/share"
FEED = "changes.xml"


@dataclass(frozen=True)
class Book:
    """What the pages say of the whole."""

    title: str
    author: str
    description: str
    pages: tuple[str, ...]  # book/index, book/01_wind, ...
    changelog: Path
    picture: Path  # for a page that has none
    home: str = ""  # the address of the site with its slash
    titles: dict[str, str] = field(default_factory=dict)  # of the pages that have been described


def words(markup: str) -> str:
    """The text of a part of a page, with each formula as it was written."""
    soup = BeautifulSoup(markup, "html.parser")
    for formula in soup.select(".katex"):
        formula.replace_with(formula.select_one("annotation").get_text())
    for link in soup.select("a.headerlink"):
        link.decompose()
    return " ".join(soup.get_text().split())


def lead(text: str, otherwise: str) -> str:
    """The first paragraph of a page, as far as a preview shows it."""
    _, _, article = text.partition("</h1>")
    article, _, _ = article.partition("</article>")
    for paragraph in re.findall(r"(?s)<p>(.*?)</p>", article):
        said = words(paragraph)
        if len(said) >= 60:
            break
    else:
        return otherwise
    if len(said) > LONGEST:
        whole = re.match(rf"(?s).{{60,{LONGEST}}}[.?!](?= )", said)
        said = whole[0] if whole else said[: said.rindex(" ", 0, LONGEST)] + " …"
    return said


def preview(png: bytes) -> bytes:
    """A picture of a page on a white card of the size for previews, with few colours."""
    image = Image.open(io.BytesIO(png)).convert("RGBA")
    scale = min((WIDE - 80) / image.width, (HIGH - 60) / image.height)
    image = image.resize((round(image.width * scale), round(image.height * scale)))
    card = Image.new("RGBA", (WIDE, HIGH), "white")
    card.alpha_composite(image, ((WIDE - image.width) // 2, (HIGH - image.height) // 2))
    out = io.BytesIO()
    card.convert("RGB").quantize(128).save(out, "PNG", optimize=True)
    return out.getvalue()


def head(text: str, path: str, shown: bytes | None, site: Path, book: Book) -> str:
    """What belongs into the head of the page `path`, whose first picture is `shown`."""
    page, above = path.removesuffix(".html"), "../" * path.count("/")
    if page not in (*book.pages, "book/slides"):
        return '<meta name="robots" content="noindex">\n'
    title = book.titles[page] = words(re.search(r"(?s)<h1.*?</h1>", text)[0])
    about = lead(text, book.description)
    name = f"{Path(page).name if shown else 'book'}.png"
    file = site / SHARED / name
    if shown or not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(preview(shown or book.picture.read_bytes()))
    picture = f"{book.home or above}{SHARED}/{name}"
    said = {
        "og:type": "article" if page != book.pages[0] else "website",
        "og:site_name": book.title, "og:title": title, "og:description": about,
        "og:image": picture, "og:image:width": WIDE, "og:image:height": HIGH,
    }  # fmt: skip
    if book.home:
        said["og:url"] = book.home + path
    lines = [f'<meta property="{k}" content="{html.escape(str(v))}">' for k, v in said.items()]
    lines.append('<meta name="twitter:card" content="summary_large_image">')
    lines.append(f'<meta name="description" content="{html.escape(about)}">')
    if book.home:
        lines.append(f'<link rel="canonical" href="{book.home}{path}">')
    lines.append(
        f'<link rel="alternate" type="application/atom+xml" href="{above}{FEED}" title="Changes">'
    )
    # A "</script>" inside the data would end it.
    data = json.dumps(schema(page, title, about, picture, book), ensure_ascii=False)
    data = data.replace("<", "\\u003c")
    return "\n".join([*lines, f'<script type="application/ld+json">{data}</script>', ""])


def schema(page: str, title: str, about: str, picture: str, book: Book) -> dict:
    """A page in the words of schema.org: the book on its first page, elsewhere a part of it."""

    def url(name: str) -> dict:
        return {"url": f"{book.home}{name}.html"} if book.home else {}

    whole = {
        "@type": "Book", "name": book.title, "inLanguage": "en", "isAccessibleForFree": True,
        "author": {"@type": "Organization", "name": book.author},
        "license": "https://creativecommons.org/licenses/by/4.0/",
        **url(book.pages[0]),
    }  # fmt: skip
    if page == book.pages[0]:
        parts = [
            {"@type": "Chapter", "position": i, "name": book.titles[name], **url(name)}
            for i, name in enumerate(book.pages[1:], 1)
        ]
        more = {"description": book.description, "image": picture, "hasPart": parts}
        return {"@context": "https://schema.org"} | whole | more
    place = {"position": book.pages.index(page)} if page in book.pages else {}
    return {
        "@context": "https://schema.org", "@type": "Chapter" if place else "LearningResource",
        "name": title, "description": about, "image": picture, "inLanguage": "en",
        **place, **url(page), "isPartOf": whole,
    }  # fmt: skip


def missing(search: str, book: Book) -> str:
    """The page for an address where there is none: the page of the search, with other words.

    Hosts show it at any depth, so its addresses begin at the root of the host.
    """
    root = urlsplit(book.home).path or "/"
    first = f'<a href="{book.pages[0]}.html">the first page</a>'
    text = re.sub("(?s)<title>.*?</title>", f"<title>Not found - {book.title}</title>", search)
    said = f"<h1>There is no such page</h1>\n<p>Search the book, or begin on {first}.</p>"
    result = '<div id="search-results"></div>'
    if result not in text:
        raise ValueError("the theme's page of the search is not written as it was")
    text = re.sub("<h1>.*?</h1>", said, text.replace(result, ""))
    text = re.sub(r'(?s)<noscript>\s*<div class="admonition.*?</noscript>', "", text)
    text = re.sub(r'\b(href|action)="#"', r'\1="search.html"', text)  # the search, from itself
    return re.sub(
        r'\b(href|src|action|data-content_root)="(?:\./)?(?![#/]|\w+:)', rf'\1="{root}', text
    )


def write(site: Path, book: Book) -> None:
    """Write the feed of the changelog and, where the book has an address, the sitemap."""
    (site / FEED).write_text(feed(book), "utf-8")
    if book.home:
        rows = "".join(f"<url><loc>{book.home}{page}.html</loc></url>\n" for page in book.pages)
        (site / "sitemap.xml").write_text(
            '<?xml version="1.0" encoding="utf-8"?>\n'
            f'<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">\n{rows}</urlset>\n',
            "utf-8",
        )
        (site / "robots.txt").write_text(f"Sitemap: {book.home}sitemap.xml\n", "utf-8")


def last_commit(file: Path) -> str:
    """The day of the last commit to a file; today where there is no history."""
    asked = ["git", "log", "-1", "--format=%cs", "--", file.name]
    try:
        done = subprocess.run(asked, cwd=file.parent, capture_output=True, text=True)
        day = done.stdout.strip()
    except OSError:
        day = ""
    return day or datetime.date.today().isoformat()


def feed(book: Book) -> str:
    """The changelog as an Atom feed, an entry for each version; what is not released has the day of
    the last commit.
    """
    entries, days = [], []
    first = f"{book.home}{book.pages[0]}.html"
    for name, released, text in versions(book.changelog):
        day = released or last_commit(book.changelog)
        days.append(day)
        content = escape(MarkdownIt("commonmark").render(text))
        entries.append(
            f"<entry><title>{escape(name)}</title><id>{_urn(book, name)}</id>"
            f'<updated>{day}T00:00:00Z</updated><link href="{first}"/>'
            f'<content type="html">{content}</content></entry>\n'
        )
    own = f'<link rel="self" href="{book.home}{FEED}"/>\n' if book.home else ""
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n<feed xmlns="http://www.w3.org/2005/Atom">\n'
        f"<title>{escape(book.title)}: changes</title>\n<id>{_urn(book, '')}</id>\n{own}"
        f"<updated>{max(days)}T00:00:00Z</updated>\n"
        f"<author><name>{escape(book.author)}</name></author>\n{''.join(entries)}</feed>\n"
    )


def _urn(book: Book, name: str) -> str:
    """A name for an entry that stays, whatever the address of the site."""
    return uuid.uuid5(uuid.NAMESPACE_OID, f"{book.title}\n{name}").urn
