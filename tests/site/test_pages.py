"""Every page of the built book on a desk: clean, whole, light, without barriers."""

import tomllib
from pathlib import Path

import pytest

import book

ROOT = Path(__file__).resolve().parent.parent.parent
PAGES = book.pages()
FIGURES = {
    "book/index": 2,
    "book/01_wind": 3,
    "book/02_following_the_wind": 2,
    "book/03_conservation": 1,
    "book/04_paths": 2,
    "book/05_conditional_flow_matching": 2,
    "book/06_scores": 2,
    "book/07_straighter": 1,
    "book/08_navigator": 1,
    "book/10_sampling": 2,
    "book/11_one_step": 1,
    "book/playground": 1,
}
LABS = [
    "book/01_wind",
    "book/02_following_the_wind",
    "book/05_conditional_flow_matching",
    "book/10_sampling",
]
HEAVIEST = 1_000_000  # bytes of a first visit


@pytest.mark.parametrize("path", PAGES)
def test_a_page_on_a_desk(visit, path):
    """`visit` notes requests to other hosts, failed ones, and what the console says."""
    visited = visit(path)
    page = visited.page
    assert visited.weight() <= HEAVIEST  # before anyone scrolls
    assert visited.see_all() == FIGURES.get(path, 0)
    assert page.title() and page.locator("article h1").count() == 1
    assert page.locator("main img:not([alt]), main img[alt='']").count() == 0
    # Controls that need Python would be dead here.
    assert page.locator(".jupyter-widgets, [data-mime-type*=widget]").count() == 0
    assert "VBox(" not in page.locator("main").inner_text()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert visited.barriers() == []


def test_buttons_that_leave_the_site_are_there_only_for_an_address(visit):
    """Whoever owned a name that is not ours would run code on the readers' machines."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    buttons = visit("book/01_wind").page.locator(".article-header-buttons a[href^='http']")
    assert bool(buttons.count()) == bool(project["tool"]["book"]["repository"])


@pytest.mark.parametrize(
    "path", ["book/index", "book/01_wind", "book/04_paths", "book/10_sampling"]
)
def test_nothing_moves_while_a_page_loads(visit, path):
    """Frames and pictures have their size before they load: no layout shift in the article."""
    visited = visit(path)
    visited.page.evaluate(
        """window.shift = 0;
        const inArticle = ({ node }) => node?.parentElement?.closest("article");
        new PerformanceObserver((list) => {
          for (const entry of list.getEntries())
            if (entry.sources.some(inArticle)) window.shift += entry.value;
        }).observe({ type: "layout-shift", buffered: true })"""
    )
    visited.see_all()
    visited.page.wait_for_timeout(300)
    assert visited.page.evaluate("window.shift") < 0.01


@pytest.mark.parametrize("path", LABS)
def test_labs_say_how_to_open_them(visit, path):
    text = visit(path).page.locator(".fm-lab").inner_text()
    assert "Colab" in text and "make lab" in text


def test_the_slides_hold_every_living_figure(visit):
    """All of them run, and each slide leads to the next and to its place in the book."""
    visited = visit("book/slides")
    assert visited.see_all() == sum(FIGURES.values())
    page = visited.page
    page.get_by_role("link", name="First figure").click()
    for _ in range(2):
        there = page.evaluate("location.hash")
        slide = page.locator(there)
        page.wait_for_function(
            "id => Math.abs(document.querySelector(id).getBoundingClientRect().top) < 2", arg=there
        )
        slide.get_by_role("link", name="Next").click()
    assert page.evaluate("location.hash") == "#slide-3"
    page.locator("#slide-3").get_by_role("link", name="In the book").click()
    page.wait_for_url("**/01_wind.html#*")
    assert page.locator(page.evaluate("location.hash")).count() == 1
    again = visit("book/slides")
    again.see_all()  # a frame that has not been loaded yet would never answer
    assert again.barriers() == []
