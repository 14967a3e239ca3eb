"""The pass over the built pages: what becomes a file, what a policy names, what a preview says."""

import base64
import hashlib
import io
import json
import re
from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pytest
from bs4 import BeautifulSoup
from PIL import Image

pytest.importorskip("myst_parser")
import finish
import sharing

from fmcore.fields import Rotation
from fmcore.viz import FlowFigure

FIGURE = FlowFigure(Rotation(rate=1.0), particles=9, caption="It turns.", alt="A > B").to_html()
FIRST = "It begins with a wind that turns, and ends with a wind that was made on purpose."
PAGE = """<!DOCTYPE html>
<html><head>
<meta charset="utf-8" />
<meta content="Of the whole book." lang="en" name="description" />
<script>let hint = 'x';</script>
<script src="{up}_static/documentation_options.js"></script>
<script src="{up}_static/a.js"></script>
<script type="application/vnd.jupyter.widget-state+json">{{}}</script>
</head><body><div id="pst-primary-sidebar"></div>
<article><h1>1. Wind &amp; &quot;rain&quot;<a class="headerlink" href="#w">#</a></h1><p>Short.</p>
<p>{first}</p>{figure}<img alt="plot" src="{up}_images/a.png" style="width: 30px" />
<i class="fa-solid fa-bars"></i><button onclick="window.print()">print</button>
<a href="{up}_sources/a.md" target="_blank">source</a></article></body></html>"""
SEARCH = """<html data-content_root="./"><head><meta charset="utf-8"><title>Search - x</title>
<link href="#" rel="search"></head><body><a href="#main">skip</a><a href="book/a.html">a</a>
<h1>Search</h1><form action="#"></form><div id="search-results"></div>
<img src="https://e.org/a.png" alt=""></body></html>"""
ICONS = (
    'x={monero:[496,512,[],"f3d0","M352"],bars:[448,512,["navicon"],"f0c9","M0"],'
    '"a-b":[1,2,[],"f","M"]}'
)
CHANGES = "# Changelog\n\n## Unreleased\n\n- a < b\n\n## 0.1.0, 2026-11-27\n\nThe first.\n"
HOME = "https://owner.github.io/name/"


def png(seed=0, size=(60, 40)):
    """A picture with lines, half of it transparent."""
    pixels = np.zeros((*size[::-1], 4), np.uint8)
    pixels[:: 2 + seed, :, 3] = 255
    pixels[:, 3::7] = (200, 20, 90, 255)
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG")
    return out.getvalue()


def noise(size=300):
    """A cloud: nothing repeats."""
    pixels = np.random.default_rng(0).normal(128, 25, (size, size, 1)).clip(0, 255).repeat(3, 2)
    out = io.BytesIO()
    Image.fromarray(pixels.astype(np.uint8)).save(out, "PNG")
    return out.getvalue()


@pytest.fixture
def book(tmp_path):
    (tmp_path / "CHANGELOG.md").write_text(CHANGES, "utf-8")
    (tmp_path / "whole.png").write_bytes(png(3))
    return sharing.Book(
        "A <book>", "Its authors", "Of the whole book.", ("book/index", "book/one", "book/two"),
        tmp_path / "CHANGELOG.md", tmp_path / "whole.png",
    )  # fmt: skip


@pytest.fixture
def site(tmp_path):
    """The site as Sphinx leaves it."""
    site = tmp_path / "html"
    for folder in ("book", "_images", "_static/scripts"):
        (site / folder).mkdir(parents=True)
    (site / "_images/a.png").write_bytes(png())
    (site / finish._ICONS).write_text(ICONS)
    (site / "_static/theme.html").write_text("<p>not a page")
    (site / "search.html").write_text(SEARCH)
    (site / "index.html").write_text(
        '<meta http-equiv="Refresh" content="0; url=book/index.html" />'
    )
    for name, figure, first in (("index", FIGURE, FIRST), ("one", FIGURE, FIRST), ("two", "", "-")):
        page = PAGE.format(up="../", figure=figure, first=first)
        if name == "two":
            page = re.sub("<img[^>]*>", "", page)
        (site / f"book/{name}.html").write_text(page, "utf-8")
    return site


def soup(site, page="book/one"):
    return BeautifulSoup((site / f"{page}.html").read_text("utf-8"), "html.parser")


def test_frames_stills_and_networks_become_files(site, book):
    live = FIGURE.replace("></i>", ' data-fm-network="base64,AAEC"></i>')
    page = site / "book/one.html"
    page.write_text(page.read_text("utf-8").replace(FIGURE, FIGURE + live), "utf-8")
    given = BeautifulSoup(FIGURE, "html.parser").i
    finish.finish(site, book)
    one, two = soup(site).select("i[data-fm-frame]")
    assert one["data-fm-frame"] == two["data-fm-frame"] and not one.get("data-fm-host")
    frame = (site / "book" / one["data-fm-frame"]).read_text("utf-8")
    assert frame == given["data-fm-frame"] and "Content-Security-Policy" in frame
    assert (site / "book" / two["data-fm-network"]).read_bytes() == bytes([0, 1, 2])
    still = soup(site).select_one("img.fm-still")
    assert still["alt"] == "A > B" and not still.get("onload") and still["style"]
    host = (site / "book" / soup(site).select("head script[src]")[-1]["src"]).read_text("utf-8")
    assert host.startswith(given["data-fm-host"]) and "fmShow(still)" in host
    assert not soup(site, "book/two").select("script[src*=figures]")


def test_a_figure_that_beautiful_soup_copied_is_found(site, book):
    page = site / "book/one.html"
    page.write_text(str(BeautifulSoup(page.read_text("utf-8"), "html.parser")), "utf-8")
    assert re.search("data-fm-(frame|host)='", page.read_text("utf-8"))
    finish.finish(site, book)
    assert soup(site).i["data-fm-frame"] == soup(site, "book/index").i["data-fm-frame"]


def test_pictures_are_webp_of_the_same_pixels_and_wait(site, book):
    finish.finish(site, book)
    still, plot = soup(site).select("article img")
    assert plot["loading"] == "lazy" and not still.get("loading")
    assert (plot["width"], plot["height"], plot["style"]) == ("60", "40", "width: 30px")
    within = base64.b64decode(re.search('data:image/png;base64,([^"]+)', FIGURE)[1])
    for image, before in ((plot, png()), (still, within)):
        file = site / "book" / image["src"]
        assert file.suffix == ".webp" and file.stat().st_size < len(before)
        now, old = (
            np.asarray(Image.open(f).convert("RGBA"), int) for f in (file, io.BytesIO(before))
        )
        seen = old[..., 3:] > 0
        assert (now[..., 3] == old[..., 3]).all() and ((now == old) | ~seen).all()
    assert not (site / "_images/a.png").exists()


def test_a_cloud_may_lose_what_nobody_sees():
    before = noise()
    after = finish.webp(before)
    assert len(after) < len(before) / 2
    now, old = (np.asarray(Image.open(io.BytesIO(f)), float) for f in (after, before))
    assert np.sqrt(((now - old) ** 2).mean()) < 8


def test_the_policy_names_each_script_of_the_page(site, book):
    finish.finish(site, book)
    for page in ("book/one", "search", "404", "index"):
        text = (site / f"{page}.html").read_text("utf-8")
        assert text.index("<meta charset") < text.index("Content-Security-Policy") < 400
        policy = soup(site, page).select_one("meta[http-equiv=Content-Security-Policy]")["content"]
        scripts = re.findall(r"(?s)<script>(.*?)</script>", text)
        named = re.findall(r"'sha256-(\S+)'", policy)
        assert {base64.b64decode(name) for name in named} == {
            hashlib.sha256(script.encode()).digest() for script in scripts
        }
        assert "'unsafe-inline'" not in policy.split("script-src")[1].split(";")[0]
    assert "Policy" not in (site / "_static/theme.html").read_text()
    assert soup(site).button.get("data-print") is not None and not soup(site).button.get("onclick")
    defers = {tag["src"]: tag.has_attr("defer") for tag in soup(site).select("script[src]")}
    assert list(defers.values()) == [False, True, True]
    assert not soup(site).select("script[type*=widget]")
    assert soup(site).select_one("a[target]").has_attr("download")


def test_icons_that_no_page_shows_are_left_out(site, book):
    assert finish.only_icons(ICONS, {"bars"}) == 'x={bars:[448,512,["navicon"],"f0c9","M0"],}'
    assert "bars:" in finish.only_icons(ICONS, {"navicon"})
    assert '"a-b":' in finish.only_icons(ICONS, {"a-b"})
    with pytest.raises(ValueError, match="has none of the icons .'none'"):
        finish.only_icons(ICONS, {"none"})
    finish.finish(site, book)
    assert "monero" not in (site / finish._ICONS).read_text()


# ---- what is said of a page


def said(page):
    tags = page.select("meta[property], meta[name]")
    return {tag.get("property") or tag["name"]: tag["content"] for tag in tags}


def test_a_page_says_its_title_its_lead_and_its_picture(site, book):
    finish.finish(site, book)
    one, two = said(soup(site)), said(soup(site, "book/two"))
    assert one["og:title"] == '1. Wind & "rain"'
    assert one["description"] == one["og:description"] == FIRST
    assert two["description"] == "Of the whole book."
    for about in (one, two):
        picture = Image.open(site / "book" / about["og:image"])
        assert picture.size == (1200, 630) and picture.format == "PNG"
    assert one["og:image"].endswith("share/one.png") and two["og:image"].endswith("share/book.png")
    assert said(soup(site, "search"))["robots"] == "noindex"


@pytest.mark.parametrize("home", ["", HOME])
def test_addresses_are_absolute_where_there_is_one(site, book, home):
    book = replace(book, home=home)
    finish.finish(site, book)
    one = soup(site)
    canonical, about = one.select_one("link[rel=canonical]"), said(one)
    assert (about.get("og:url"), canonical and canonical["href"]) == (
        (f"{HOME}book/one.html",) * 2 if home else (None, None)
    )
    assert about["og:image"].startswith(home or "../")
    assert (site / "sitemap.xml").exists() == bool(home)
    if home:
        rows = ElementTree.parse(site / "sitemap.xml").getroot()
        assert [row[0].text for row in rows] == [f"{HOME}{page}.html" for page in book.pages]
    else:
        assert "://owner" not in (site / "book/one.html").read_text("utf-8")


def test_the_book_and_its_chapters_in_the_words_of_schema_org(site, book):
    finish.finish(site, replace(book, home=HOME))
    whole, part = (
        json.loads(soup(site, page).select_one("script[type*=ld]").string)
        for page in ("book/index", "book/two")
    )
    assert whole["@type"] == "Book" and whole["name"] == "A <book>"
    assert [p["url"] for p in whole["hasPart"]] == [f"{HOME}book/{n}.html" for n in ("one", "two")]
    assert [p["name"] for p in whole["hasPart"]] == ['1. Wind & "rain"'] * 2
    assert (part["@type"], part["position"]) == ("Chapter", 2)
    assert part["isPartOf"]["name"] == "A <book>" and part["isPartOf"]["url"] == whole["url"]


def test_a_lead_ends_with_a_sentence_and_reads_formulas_once():
    formula = '<span class="katex"><math><annotation>t</annotation></math><b>t</b></span>'
    text = f"</h1><p>{'word ' * 30}at {formula} = 1. {'More ' * 40}.</p></article>"
    assert sharing.lead(text, "") == f"{'word ' * 30}at t = 1."
    endless = sharing.lead(f"</h1><p>{'word ' * 90}</p>", "")
    assert len(endless) <= sharing.LONGEST + 2 and endless.endswith("word …")
    assert sharing.lead(f"</h1></article><p>{FIRST}</p>", "none") == "none"


@pytest.mark.parametrize(("home", "root"), [("", "/"), (HOME, "/name/")])
def test_the_page_for_no_page_works_at_any_depth(site, book, home, root):
    finish.finish(site, replace(book, home=home))
    page = soup(site, "404")
    assert page.h1.text == "There is no such page" and "Not found" in page.title.text
    assert page.form["action"] == f"{root}search.html" and page.link["href"] == page.form["action"]
    assert page.html["data-content_root"] == root
    links = [a["href"] for a in page.select("a")]
    assert links == ["#main", f"{root}book/a.html", f"{root}book/index.html"]
    assert page.img["src"] == "https://e.org/a.png"


@pytest.mark.parametrize("home", ["", HOME])
def test_the_changelog_is_a_feed(site, book, home):
    finish.finish(site, replace(book, home=home))
    atom = "{http://www.w3.org/2005/Atom}"
    feed = ElementTree.parse(site / sharing.FEED).getroot()
    entries = feed.findall(f"{atom}entry")
    assert [entry.find(f"{atom}title").text for entry in entries] == ["Unreleased", "0.1.0"]
    assert entries[1].find(f"{atom}updated").text == "2026-11-27T00:00:00Z"
    assert "<li>a &lt; b</li>" in entries[0].find(f"{atom}content").text
    names = [node.text for node in feed.iter(f"{atom}id")]
    assert len({*names}) == 3 and all(name.startswith("urn:uuid:") for name in names)
    links = [node.attrib["href"] for node in feed.iter(f"{atom}link")]
    assert links[-1] == f"{home}book/index.html" and (f"{HOME}{sharing.FEED}" in links) == bool(
        home
    )


def test_a_theme_that_is_written_otherwise_is_refused(site, book):
    (site / "search.html").write_text("<title>Search</title><h1>Search</h1>")
    with pytest.raises(ValueError, match="page of the search is not written as it was"):
        finish.finish(site, book)


def test_the_theme_and_the_fonts_are_there_before_the_first_picture(tmp_path):
    """A page of many formulas asks for their fonts; "auto" is told what it means at once."""
    auto = 'dataset.theme = localStorage.getItem("theme") || "auto"'
    script = f"<script>document.documentElement.{auto};</script>"
    for count, asked in ((20, 0), (21, 2)):
        formulas = '<span class="katex">x</span>' * count
        file = tmp_path / "book" / "a.html"
        file.parent.mkdir(exist_ok=True)
        text = f"<html><head><meta charset='utf-8'><title>a</title>{script}</head><body>{formulas}"
        file.write_text(f"{text}</body></html>", "utf-8")
        page = finish.Page(file, finish.Files(tmp_path))
        page.finish()
        page.close("")
        soup = BeautifulSoup(file.read_text("utf-8"), "html.parser")
        fonts = [link["href"] for link in soup.select("link[rel=preload][as=font][crossorigin]")]
        assert len(fonts) == asked
        assert all(font.startswith("../_static/katex/fonts/KaTeX_") for font in fonts)
        inline = soup.script.string
        assert "prefers-color-scheme" in inline and '"auto"' not in inline
        digest = base64.b64encode(hashlib.sha256(inline.encode()).digest()).decode()
        assert digest in soup.select_one("meta[http-equiv]")["content"]
