"""The printed book: one document of all pages, whose links, numbers and solutions are in place."""

import re

import browser as machine
import pdf
import pytest
from bs4 import BeautifulSoup

PAGE = """<html><head><link rel="stylesheet" href="../_static/book.css?v=1"></head><body><article>
<section id="{id}"><h1>{title}<a class="headerlink" href="#{id}">#</a></h1>
<p>Before <a href="{other}.html#there">there</a>, <a href="{other}.html">all</a>,
<a href="#there">here</a>, <a href="slides.html">slides</a>, <a href="https://example.org/x">out</a></p>
<details class="hide above-input"><pre>plot()</pre></details><button>copy</button>
<img src="../_images/a.png" alt="A"><i data-fm-frame="x"></i>
<img class="fm-still" onload="go()" style="height:9px" src="data:image/png;base64,AA" alt="B">
<section id="there"><h2>A "quoted" \\ part</h2><p>{filler}</p>
<div class="solution dropdown admonition" id="sol-{id}"><section id="solution-content">42</section>
</div></section></section></article></body></html>"""
NAMES = ["book/one", "book/two"]


@pytest.fixture
def built(tmp_path):
    (tmp_path / "book").mkdir()
    for name, other in (("one", "two"), ("two", "one")):
        filler = "<p>A long text.</p>" * 150  # more than a page
        page = PAGE.format(id=name, title=f"{name} & all", other=other, filler=filler)
        (tmp_path / f"book/{name}.html").write_text(page, "utf-8")
    return tmp_path


@pytest.fixture
def document(built):
    return pdf.Document(NAMES, "The <book>", "Its authors", built)


@pytest.fixture
def soup(document):
    return BeautifulSoup(document.html({"book-two--there": 7}), "html.parser")


def test_every_link_within_leads_to_one_place(soup):
    ids = [node["id"] for node in soup.select("[id]")]
    assert len(ids) == len(set(ids))
    links = [link["href"] for link in soup.select("a[href]")]
    assert {link for link in links if link[0] != "#"} == {"https://example.org/x"}
    assert {link[1:] for link in links if link[0] == "#"} <= set(ids)
    words = {link.text: link.get("href") for link in soup.select("#book-one p a")}
    assert words["there"] == "#book-two--there" and words["all"] == "#book-two"
    assert words["here"] == "#book-one--there" and words["slides"] is None


def test_what_belongs_to_a_screen_is_gone(soup):
    assert not soup.select(
        "script, button, details, iframe, .headerlink, [onload], [data-fm-frame]"
    )
    assert len(soup.select("img.fm-still")) == 2 and not soup.select("img[style]")
    assert "plot()" not in soup.text


def test_pictures_and_styles_are_found(soup, built):
    assert soup.select_one("img[alt=A]")["src"] == (built / "_images/a.png").as_uri()
    assert soup.select_one("link")["href"] == (built / "_static/book.css").as_uri()


def test_solutions_stand_at_the_end_and_open(soup):
    assert not soup.select("#book-one .solution, #book-two .solution, .dropdown")
    end = soup.select_one("#solutions")
    assert [title.text for title in end.select("h2")] == ["one & all", "two & all"]
    assert [node["id"] for node in end.select(".solution")] == [
        "book-one--sol-one",
        "book-two--sol-two",
    ]
    assert end.find_next("article") is None


def test_contents_name_every_part_and_the_known_pages(soup):
    lines = {a["href"]: (a.span.text, a.i.text) for a in soup.select(".contents a")}
    part = 'A "quoted" \\ part'
    assert lines == {
        "#book-one": ("one & all", ""),
        "#book-one--there": (part, ""),
        "#book-two": ("two & all", ""),
        "#book-two--there": (part, "7"),
        "#solutions": ("Solutions", ""),
    }


def test_a_page_that_is_not_built_is_named(tmp_path):
    with pytest.raises(ValueError, match="book/index has not been built"):
        pdf.pages(tmp_path)


def test_without_a_browser_it_says_so(document, tmp_path, monkeypatch):
    monkeypatch.setattr(machine, "NAMES", ("no-such-browser",))
    with pytest.raises(RuntimeError, match="no-such-browser"):
        pdf.print_document(document, tmp_path / "book.pdf")


def test_the_printed_contents_have_the_pages_on_which_the_parts_stand(browser, document, tmp_path):
    from pypdf import PdfReader

    pdf.print_in(browser, document, tmp_path / "book.pdf")
    assert [file.name for file in tmp_path.iterdir() if file.is_file()] == ["book.pdf"]
    pages = [page.extract_text() for page in PdfReader(tmp_path / "book.pdf").pages]
    assert "The <book>" in pages[0] and "Contents" in pages[1]
    first, second = (
        int(re.search(rf"{name} & all\s+(\d+)", pages[1])[1]) for name in ("one", "two")
    )
    assert first == 3 and second > first + 1
    for number, name in ((first, "one"), (second, "two")):
        assert f"{name} & all" in pages[number - 1] and "Before" in pages[number - 1]
    # the running head of a chapter is on its second page too, and no other is
    assert "one & all" in pages[first] and "two & all" not in pages[first]
