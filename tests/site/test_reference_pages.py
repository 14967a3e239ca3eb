"""The reference as it is built: entries, the links to and from chapters, terms, exercises."""

import functools
import gzip
import html
import re
from collections import Counter
from pathlib import Path
from urllib.parse import unquote, urljoin, urlsplit

import pytest
from bs4 import BeautifulSoup

import book

pytest.importorskip("sphinx")
import api
import exercises
import reference
from glossary import GLOSSARY
from twin_site import without_drawn

HTML = book.BUILD / "html"
CHAPTERS = [page for page in book.chapters() if page != "book/index"]
ROOMS = sorted(set(reference.places().values()))
ENTRIES = api.library().anchors
ANCHORS = {entry.anchor for entry in ENTRIES.values()}


@functools.cache
def text(page):
    """A page without its living figures, which have names of their own."""
    return re.sub(r"(?s)<iframe.*?</iframe>", "", (HTML / f"{page}.html").read_text("utf-8"))


@functools.cache
def names(page):
    return Counter(map(html.unescape, re.findall(r'\bid="([^"]+)"', text(page))))


@functools.cache
def article(page):
    return BeautifulSoup(without_drawn(text(page)), "html.parser").article


pytestmark = pytest.mark.usefixtures("built")


@pytest.mark.parametrize("page", [*book.pages(), "genindex", "search"])
def test_every_link_within_the_site_leads_somewhere(page):
    for link in re.findall(r'\b(?:href|src)="([^"]+)"', text(page)):
        address = urlsplit(urljoin(f"/{page}.html", html.unescape(link)))
        if address.scheme or address.netloc:
            continue
        file = HTML / unquote(address.path).lstrip("/")
        assert file.is_file() or (file / "index.html").is_file(), link
        if address.fragment and file.suffix == ".html":
            where = unquote(address.path).strip("/").removesuffix(".html")
            assert names(where)[unquote(address.fragment)], link


@pytest.mark.parametrize("page", ROOMS)
def test_a_page_has_its_entries_once_and_whole(page):
    mine = [entry for entry in ENTRIES.values() if reference.places()[entry.name] == page]
    assert {entry.anchor for entry in mine} == ANCHORS & names(page).keys()
    soup = article(page)
    for entry in mine:
        assert names(page)[entry.anchor] == 1
        part = soup.find(id=entry.anchor)
        told = re.sub(r"\s", "", part.get_text())
        assert entry.name.rpartition(".")[2].replace("__call__", "self") in told
        if entry.owner is None:
            assert part.select_one(".fm-explained a"), entry.name
            file, first = entry.module.file, entry.lines[0]
            assert f"Source:{file},line" in told and str(first) in told
    examples = sum(entry.doc.count(">>> ") > 0 for entry in mine)
    assert len(soup.select(".fm-example.highlight-pycon .gp")) >= examples


@pytest.mark.parametrize("page", ROOMS)
def test_a_page_of_the_reference_is_small(page):
    assert len(gzip.compress((HTML / f"{page}.html").read_bytes())) < 40_000


def test_the_list_of_names_leads_to_every_entry():
    listed = [link["href"] for link in article("book/reference").select("dl.fm-names dt a")]
    expected = [
        f"{reference.places()[entry.name].removeprefix('book/')}.html#{entry.anchor}"
        for entry in api.library().by_name.values()
    ]
    assert sorted(listed) == sorted(expected)


@pytest.mark.parametrize(
    ("page", "said", "anchor"),
    [
        ("book/02_following_the_wind", "odeint", "fmcore-odeint"),
        ("book/04_paths", "MarginalField(mix, path)", "fmcore-MarginalField"),
        ("book/05_conditional_flow_matching", "path.sample", "fmcore-ProbabilityPath-sample"),
        ("book/notation", "networks.TimeEmbedding", "fmcore-networks-TimeEmbedding"),
        ("book/reference/solvers", "SOLVERS", "fmcore-SOLVERS"),
    ],
)
def test_a_name_in_a_sentence_leads_to_its_entry(page, said, anchor):
    code = [code for code in article(page).select("p code") if code.get_text() == said]
    linked = [code.find_parent("a", class_="fm-name") for code in code]
    assert linked and all(link and link["href"].endswith(f"#{anchor}") for link in linked)


def test_names_in_code_lead_to_their_entries():
    cells = article("book/02_following_the_wind").select(".cell_input")
    found = {
        link.get_text(): link["href"] for cell in cells for link in cell.select("a.fm-name[href]")
    }
    assert found["odeint"] == "reference/solvers.html#fmcore-odeint"
    assert found["SOLVERS"] == "reference/solvers.html#fmcore-SOLVERS"
    assert found["plots.convergence"] == "reference/viz.html#fmcore-viz-plots-convergence"


@pytest.mark.parametrize("page", CHAPTERS)
def test_a_term_is_linked_once_and_only_in_text(page):
    links = article(page).select("a.fm-term")
    assert links
    assert max(Counter(link["href"] for link in links).values()) == 1
    for link in links:
        assert link["href"].startswith(f"{Path(GLOSSARY).name}.html#term-")
        outside = link.find_parents(["a", "h1", "h2", "h3", "figcaption", "code", "pre", "summary"])
        assert not outside and not link.find_parents(class_=["admonition-title", "math"])


def test_the_first_use_is_the_one_that_is_linked():
    """In a chapter with many: nothing that is linked stands in the text before."""
    soup = article("book/03_conservation")
    linked = soup.select_one("a.fm-term[href$=term-flux]")
    before = "".join(
        piece
        for piece in linked.find_all_previous(string=True)
        if not piece.find_parents(["h1", "h2", "h3", "figcaption", "code", "pre", "a", "nav"])
        and soup in piece.parents
    )
    assert not re.search(r"\bflux(?:s|\b)", before)


def test_an_entry_leads_to_the_chapter_that_uses_it_most():
    part = article("book/reference/couplings").find(id="fmcore-MinibatchOT")
    first = part.select_one(".fm-explained a")
    assert first.get_text() == "Straighter" and "07_straighter.html#" in first["href"]


def test_the_index_has_the_numbers_of_the_exercises():
    told = {}
    for link in article("book/exercises").select("li a"):
        told[link["href"].rpartition("#")[2]] = link.get_text()
    titles = {}
    for page in CHAPTERS:
        for box in article(page).select("div.exercise[id]"):
            titles[box["id"]] = " ".join(box.p.find(class_="caption-number").get_text().split())
    assert told == titles
    assert len(told) == sum(len(found) for _, _, found in exercises.exercises())


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("page", ["book/reference/solvers", "book/reference/viz"])
def test_nothing_of_an_entry_is_cut_off(visit, page, width):
    page = visit(page, viewport={"width": width, "height": 900}).page
    cut = page.evaluate(
        """[...document.querySelectorAll("article pre, article dt, article dd, article code")]
        .filter((node) => node.scrollWidth > node.clientWidth + 1 && node.clientWidth)
        .map((node) => node.textContent.slice(0, 60))"""
    )
    assert cut == []


def test_a_name_looks_like_code_until_it_is_pointed_at(visit):
    page = visit("book/02_following_the_wind").page
    link = page.locator("p a.fm-name").first

    def line():
        return link.evaluate("node => getComputedStyle(node).textDecorationLine")

    assert line() == "none"
    link.hover()
    assert line() == "underline"
    link.click()
    page.wait_for_url("**/reference/solvers.html#fmcore-odeint")
    assert page.locator("#fmcore-odeint").bounding_box()["y"] < 200
