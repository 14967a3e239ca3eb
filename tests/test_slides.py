"""The deck of slides: every living figure of some pages once, alive, with the way back."""

import pytest
import slides
from bs4 import BeautifulSoup

from fmcore.fields import Rotation
from fmcore.viz import FlowFigure

FIGURE = FlowFigure(Rotation(rate=1.0), particles=9, caption="It turns & turns.").to_html()
PAGE = """<article><section id="wind"><h1>1. Wind<a class="headerlink" href="#wind">#</a></h1>
{first}<section id="three-views"><h2>Three <i>views</i> of
<span class="katex-mathml">v v</span><b>v</b>
<a class="headerlink" href="#three-views">#</a></h2>{second}</section></section></article>"""


@pytest.fixture
def built(tmp_path):
    (tmp_path / "book").mkdir()
    (tmp_path / "book/01_wind.html").write_text(PAGE.format(first=FIGURE, second=FIGURE), "utf-8")
    plain = PAGE.format(first="", second="<figure>A still</figure>")
    (tmp_path / "book/02_flow.html").write_text(plain, "utf-8")
    return tmp_path


def deck(built):
    text = slides.write(["book/01_wind", "book/02_flow"], "A <book>", built).read_text("utf-8")
    return BeautifulSoup(text, "html.parser")


def test_each_living_figure_is_a_slide_and_no_other(built):
    soup = deck(built)
    assert len(soup.select("section")) == 1 + 2
    titles = [" ".join(heading.get_text(" ").split()) for heading in soup.select("h2")]
    assert titles == ["1. Wind", "1. Wind Three views of v"]
    assert soup.h1.text == soup.title.text.removesuffix(": slides") == "A <book>"


def test_a_figure_stays_whole(built):
    figures = deck(built).select("section figure.fm-figure")
    given = BeautifulSoup(FIGURE, "html.parser")
    for figure in figures:
        assert figure.select_one("[data-fm-frame]").attrs == given.select_one("i").attrs
        assert figure.img.attrs == given.img.attrs
        assert figure.figcaption.text == "It turns & turns."


def test_each_link_leads_somewhere(built):
    soup = deck(built)
    for link in soup.select("a"):
        page, _, name = link["href"].partition("#")
        target = soup
        if page:
            target = BeautifulSoup((built / "book" / page).read_text("utf-8"), "html.parser")
        assert target.find(id=name), link
    forward = [nav.select("a")[-1]["href"] for nav in soup.select("nav")]
    assert forward[:-1] == ["#slide-1", "#slide-2"]


def test_a_site_without_figures_is_refused(built):
    with pytest.raises(ValueError, match="no living figure"):
        slides.write(["book/02_flow"], "A book", built)
