"""Finish the built pages: light on a first visit, closed to other hosts, described for who shares.

`tools/book.py` runs it once over the pages that Sphinx and `slides.py` wrote; each page is read and
written once. What a page carries within, since a notebook has no other place for it, becomes a file
of the site: the frame of a living figure, its still, its network. Pictures become WebP and load
when they are near. Then the page gets a Content-Security-Policy, and what `sharing.py` says of it.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import html
import io
import os
import re
from pathlib import Path

import sharing
from PIL import Image

_FRAME = re.compile(  # Beautiful Soup, which copies slides, quotes by what is inside
    """data-fm-frame=("[^"]*"|'[^']*') data-fm-host=("[^"]*"|'[^']*')"""
)
_NETWORK = re.compile(r'data-fm-network="base64,([A-Za-z0-9+/=]+)"')
_IMAGE = re.compile(r"<img\b[^>]*>")
_SOURCE = re.compile(r'src="(?:data:image/png;base64,([\w+/=]+)|[^"]*?(_images/[^"]+\.png))"')
_SOURCES = re.compile(r'(<a href="[^"]*_sources/[^"]+")(?! download)')
_DESCRIPTION = re.compile(r'<meta [^>]*name="description"[^>]*>\n?')
_WIDGETS = re.compile(r'(?s)<script type="application/vnd\.jupyter[^"]*">.*?</script>\n?')
_CHARSET = re.compile(r"<meta charset[^>]*>")  # of what follows, so it comes first
_SCRIPT = re.compile(r"(?s)<script\b([^>]*)>(.*?)</script>")
_ICON = re.compile(
    r'("[\w-]+"|[\w$]+):\[\d+,\d+,\[([^\]]*)\],"[0-9a-f]+",(?:"[^"]*"|\[[^\]]*\])\],?'
)
_ICONS = "_static/scripts/fontawesome.js"

# What runs are files of the site, and the scripts that a page names by their hashes. Styles cannot
# be named so: each formula has some in its attributes. The frame of a figure has its own policy.
_POLICY = (
    "default-src 'self'; script-src 'self'{hashes}; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'self'"
)
# Colours and borders depend on the theme, which "auto" is not: until the theme's script has run,
# code would lack its border, and lines would break elsewhere.
_AUTO = 'dataset.theme = localStorage.getItem("theme") || "auto"'
_THEME = (
    'dataset.theme = localStorage.getItem("theme") || '
    '(matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")'
)
_FONTS = ("Main-Regular", "Math-Italic")  # of nearly every formula: lines break by their width
_FORMULAS = 20  # on a page that has more, some are to be seen at once
HEAVY = 80_000  # bytes of a picture that nothing is lost of
_START = "\nfor (const still of document.querySelectorAll('img.fm-still')) fmShow(still);\n"

# What axe-core finds in the theme and its bibliography, and what it finds nothing in.
_BARRIERS = {
    '<div id="pst-primary-sidebar"': '<div role="complementary" aria-label="Contents and search" '
    'id="pst-primary-sidebar"',
    'role="doc-biblioentry"': 'role="listitem"',
}


class Files:
    """What the pages of a site share: each file once, under a name made of its content."""

    def __init__(self, site: Path):
        self.site, self.replaced = site, set()

    def keep(self, kind: str, content: bytes) -> Path:
        """A file of `_static/figures` with this content; `kind` is how its name ends."""
        digest = hashlib.sha256(content).hexdigest()[:16]
        file = self.site / "_static" / "figures" / f"{digest}.{kind}"
        if not file.exists():
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
        return file

    @functools.cache  # noqa: B019  (lives as long as the pass)
    def picture(self, png: bytes | Path) -> tuple[Path, bytes, tuple[int, int]]:
        """The file for a picture, given within a page or as a file; its PNG; its size in pixels."""
        content = png.read_bytes() if isinstance(png, Path) else png
        size, packed = Image.open(io.BytesIO(content)).size, webp(content)
        if len(packed) < len(content):
            if isinstance(png, Path):
                self.replaced.add(png)
            return self.keep("webp", packed), content, size
        return (png if isinstance(png, Path) else self.keep("png", png)), content, size


def webp(png: bytes) -> bytes:
    """A PNG as WebP: the same pixels, or nearly the same where that takes less than half the bytes.

    It does for clouds of translucent dots. Lines and letters are smaller when nothing is lost.
    """
    image, exact, near = Image.open(io.BytesIO(png)), io.BytesIO(), io.BytesIO()
    image.save(exact, "WEBP", lossless=True, quality=50, method=4)
    if exact.tell() > HEAVY:
        image.save(near, "WEBP", quality=90, alpha_quality=95, method=4)
    return (near if 0 < 2 * near.tell() < exact.tell() else exact).getvalue()


class Page:
    """A page on its way from Sphinx to the reader."""

    def __init__(self, file: Path, files: Files):
        self.file, self.files = file, files
        self.text = file.read_text("utf-8")
        self.shown: bytes | None = None  # its first picture

    def _to(self, file: Path) -> str:
        """The address of a file, relative, so that the site may lie anywhere."""
        return os.path.relpath(file, self.file.parent).replace(os.sep, "/")

    def finish(self) -> None:
        for theirs, ours in _BARRIERS.items():
            self.text = self.text.replace(theirs, ours)
        self.text = _DESCRIPTION.sub("", self.text)  # that of the book: each page has its own
        self.text = _WIDGETS.sub("", self.text)  # the state of labs, which nothing here shows
        # A source is downloaded, also where its host sends a type that a browser opens in a tab.
        self.text = _SOURCES.sub(r"\1 download", self.text)
        # A policy forbids scripts in attributes; book.js listens instead.
        self.text = self.text.replace('onclick="window.print()"', "data-print")
        self.text = self.text.replace(_AUTO, _THEME)
        self._fonts()
        self._figures()
        self.text = _IMAGE.sub(self._image, self.text)
        self.text = _SCRIPT.sub(_later, self.text)

    def _fonts(self) -> None:
        """The fonts of formulas come with the styles, before the page is first painted."""
        for name in _FONTS if self.text.count('class="katex"') > _FORMULAS else ():
            font = self._to(self.files.site / f"_static/katex/fonts/KaTeX_{name}.woff2")
            link = f'<link rel="preload" href="{font}" as="font" type="font/woff2" crossorigin>'
            self.text = self.text.replace("</title>", f"</title>\n{link}", 1)

    def _figures(self) -> None:
        """The frame of a figure becomes a file, and so does what starts all of them."""
        hosts: list[str] = []

        def framed(found: re.Match[str]) -> str:
            frame, host = (html.unescape(quoted[1:-1]) for quoted in found.groups())
            hosts.append(host)
            return f'data-fm-frame="{self._to(self.files.keep("html", frame.encode()))}"'

        def moved(found: re.Match[str]) -> str:
            file = self.files.keep("bin", base64.b64decode(found[1]))
            return f'data-fm-network="{self._to(file)}"'

        self.text = _NETWORK.sub(moved, _FRAME.sub(framed, self.text))
        if hosts:
            script = self.files.keep("js", (hosts[0] + _START).encode())
            tag = f'<script src="{self._to(script)}"></script>\n</head>'
            self.text = self.text.replace("</head>", tag, 1)

    def _image(self, found: re.Match[str]) -> str:
        """A picture as a file that loads when it is near, and has its place before."""
        tag = found[0]
        source = _SOURCE.search(tag)
        if not source:
            return tag
        inside, file = source.groups()
        place, png, size = self.files.picture(
            base64.b64decode(inside) if inside else self.files.site / file
        )
        new = f'src="{self._to(place)}" decoding="async"'
        if self.shown is not None:
            new += ' loading="lazy"'
        if not re.search(r'\b(width|height)="', tag):
            new += ' width="{}" height="{}"'.format(*size)
        self.shown = self.shown or png
        tag = re.sub(r' on(load|error)="[^"]*"', "", tag)
        return tag.replace(source[0], new)

    def close(self, head: str) -> None:
        """Write `head` and the policy into the page, and the page into its file."""
        inline = [
            script for attributes, script in _SCRIPT.findall(self.text)
            if "src=" not in attributes and "json" not in attributes
        ]  # fmt: skip
        digests = {hashlib.sha256(script.encode()).digest() for script in inline}
        named = sorted(f" 'sha256-{base64.b64encode(digest).decode()}'" for digest in digests)
        policy = _POLICY.format(hashes="".join(named))
        policy = f'\n<meta http-equiv="Content-Security-Policy" content="{policy}">'
        if "<head>" not in self.text:  # the page that leads to the first one is a line
            self.text = (
                '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
                f"<title>To the first page</title>\n{self.text}</head>\n</html>\n"
            )
        self.text = _CHARSET.sub(lambda found: found[0] + policy, self.text, count=1)
        self.text = self.text.replace("</head>", f"{head}</head>", 1)
        self.file.write_text(self.text, "utf-8")


def _later(found: re.Match[str]) -> str:
    """A script that is a file waits for the page; only the first says what others read."""
    tag = found[0]
    waits = "src=" in found[1] and "documentation_options" not in tag and " defer" not in tag
    return tag.replace("<script", "<script defer", 1) if waits else tag


def only_icons(script: str, wanted: set[str]) -> str:
    """Font Awesome, 1.5 MB with all its icons, with those that are wanted.

    Raises ValueError if it has none of them: then it is written in another way than it was.
    """
    seen = 0

    def kept(found: re.Match[str]) -> str:
        nonlocal seen
        names = {name.strip('"') for name in (found[1], *found[2].split(","))}
        seen += bool(names & wanted)
        return found[0] if names & wanted else ""

    script = re.sub(r"\n//# sourceMappingURL=\S+", "", _ICON.sub(kept, script))
    if wanted and not seen:
        raise ValueError(f"{_ICONS} has none of the icons {sorted(wanted)}")
    return script


def finish(site: Path, book: sharing.Book) -> None:
    """Finish all pages of the book that was built into `site`.

    Raises ValueError if the theme is not written as it was.
    """
    files, icons = Files(site), set()
    missing = sharing.missing((site / "search.html").read_text("utf-8"), book)
    (site / "404.html").write_text(missing, "utf-8")
    pages = [file for file in site.rglob("*.html") if file.relative_to(site).parts[0] != "_static"]
    first = site / f"{book.pages[0]}.html"
    for file in sorted(pages, key=lambda file: (file == first, file)):  # it names all others
        page = Page(file, files)
        icons |= set(re.findall(r"\bfa-([\w-]+)", page.text))
        page.finish()
        page.close(
            sharing.head(page.text, file.relative_to(site).as_posix(), page.shown, site, book)
        )
    for png in files.replaced:
        png.unlink()
    scripts = site / "_static" / "scripts"
    for script in scripts.glob("*theme.js"):
        icons |= set(re.findall(r"\bfa-([\w-]+)", script.read_text("utf-8")))
    if (site / _ICONS).is_file():
        script = only_icons((site / _ICONS).read_text("utf-8"), icons)
        (site / _ICONS).write_text(script, "utf-8")
    sharing.write(site, book)
