"""Every page of the built book in a real browser: clean, whole, legible, without barriers."""

import tomllib
from importlib.util import find_spec
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent.parent
AXE = Path(find_spec("axe_playwright_python").origin).parent / "axe.min.js"


def toc(node):
    if isinstance(node, list):
        return [name for item in node for name in toc(item)]
    names = [node[key] for key in ("root", "file") if key in node]
    return names + [n for v in node.values() if isinstance(v, list) for n in toc(v)]


PAGES = toc(yaml.safe_load((ROOT / "_toc.yml").read_text("utf-8")))
FIGURES = {
    "book/index": 1,
    "book/01_wind": 3,
    "book/02_following_the_wind": 2,
    "book/03_conservation": 1,
    "book/04_paths": 2,
    "book/05_conditional_flow_matching": 1,
    "book/06_scores": 2,
    "book/07_straighter": 1,
    "book/10_sampling": 1,
}
LABS = [
    "book/01_wind",
    "book/02_following_the_wind",
    "book/05_conditional_flow_matching",
    "book/10_sampling",
]
# What belongs to the theme and to its bibliography: the rule, and part of the element it finds.
THEIRS = {
    "region": "logo",
    "aria-allowed-role": 'class="citation"',
    "aria-deprecated-role": 'class="citation"',
    "aria-required-children": "citation-list",
}


def barriers(page):
    """What axe-core finds in the page and in the frames of its figures."""
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    for frame in page.frames:
        frame.evaluate(AXE.read_text("utf-8"))
        if frame.parent_frame:  # the page shows through: say so, for the contrast
            frame.evaluate("color => (document.body.style.background = color)", ground)
    result = page.evaluate("axe.run({ resultTypes: ['violations'], preload: false })")
    return [
        f"{rule['id']}: {node['html'][:160]} in {node['target']}"
        for rule in result["violations"]
        for node in rule["nodes"]
        if not (rule["id"] in THEIRS and THEIRS[rule["id"]] in node["html"])
    ]


@pytest.mark.parametrize("path", PAGES)
def test_a_page_on_a_desk(visit, path):
    """`visit` notes requests to other hosts, failed ones, and what the console says."""
    visited = visit(path)
    page = visited.page
    assert visited.see_all() == FIGURES.get(path, 0)
    assert page.title() and page.locator("article h1").count() == 1
    assert page.locator("main img:not([alt]), main img[alt='']").count() == 0
    # Controls that need Python would be dead here.
    assert page.locator(".jupyter-widgets, [data-mime-type*=widget]").count() == 0
    assert "VBox(" not in page.locator("main").inner_text()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert barriers(page) == []


def test_buttons_that_leave_the_site_are_there_only_for_an_address(visit):
    """Whoever owned a name that is not ours would run code on the readers' machines."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    buttons = visit("book/01_wind").page.locator(".article-header-buttons a[href^='http']")
    assert bool(buttons.count()) == bool(project["tool"]["book"]["repository"])


@pytest.mark.parametrize("path", PAGES)
def test_a_page_on_a_phone_in_the_dark(visit, phone, path):
    visited = visit(path, color_scheme="dark", **phone)
    visited.see_all()
    page = visited.page
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    for frame in page.frames[1:]:
        assert frame.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert frame.evaluate("document.querySelector('.fm').scrollHeight <= innerHeight")
        assert frame.evaluate("document.querySelector('.fm').dataset.theme") == "dark"
    assert barriers(page) == []


@pytest.mark.parametrize("path", ["book/index", "book/01_wind"])
def test_nothing_moves_while_a_page_loads(visit, path):
    """Frames have their size before they load: no layout shift in the article."""
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
