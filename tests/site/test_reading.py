"""What readers do with a page beyond reading it: print, search, follow a link, copy, download."""

import pytest

A4 = {"viewport": {"width": 720, "height": 1000}}  # what paper has room for, in CSS pixels
HYPERBOLA = "book/01_wind-solution-6"  # the only solution with this word

# Of every piece of code: is it cut off, and is it too pale for white paper (1 is white)?
CODE = """() => [...document.querySelectorAll("article pre")].map((pre) => {
  const bright = (color) => {
    const [r, g, b] = color.match(/[\\d.]+/g).map((c) => c / 255);
    return 0.3 * r + 0.6 * g + 0.1 * b;
  };
  const colors = [pre, ...pre.querySelectorAll("span")].map((s) => getComputedStyle(s).color);
  const end = Math.max(...[...pre.querySelectorAll("span")].map((s) =>
    Math.max(...[...s.getClientRects()].map((box) => box.right))), 0);
  return {
    seen: pre.getClientRects().length > 0 && pre.checkVisibility({ opacityProperty: true }),
    cut: Math.max(end, pre.getBoundingClientRect().right) - innerWidth,
    over: pre.scrollWidth - pre.clientWidth,
    pale: Math.max(...colors.map(bright)),
  };
})"""
FOLDED = "document.querySelectorAll('.toggle-hidden, details:not([open])').length"
THEME = "document.documentElement.dataset.theme"


@pytest.mark.parametrize("path", ["book/01_wind", "book/inside_a_solver", "book/measured"])
def test_paper_is_light_whole_and_unfolded(visit, path):
    """From the dark, as `window.print` announces it; afterwards all is as it was."""
    page = visit(path, color_scheme="dark", **A4).page
    before = page.evaluate(FOLDED)
    page.emulate_media(media="print", color_scheme="dark")
    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    assert page.evaluate(THEME) == "light" and page.evaluate(FOLDED) == 0
    for code in page.evaluate(CODE):
        assert code["seen"] and code["cut"] <= 0 and code["over"] <= 1 and code["pale"] < 0.6, code
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.evaluate("window.dispatchEvent(new Event('afterprint'))")
    assert page.evaluate(THEME) == "dark" and page.evaluate(FOLDED) == before


def test_chromium_prints_it_so(visit):
    seen = f"addEventListener('afterprint', () => (window.seen = [{THEME}, {FOLDED}]))"
    page = visit("book/inside_a_solver", color_scheme="dark", first=seen).page
    page.pdf(format="A4")
    assert page.evaluate("window.seen") == ["light", 0]


# ---- folded solutions


def is_open(page, name=HYPERBOLA):
    return page.locator(f"[id='{name}']:not(.toggle-hidden)").count() == 1


def test_a_link_into_a_folded_solution_opens_it(visit):
    page = visit("book/01_wind").page
    assert not is_open(page)
    target = page.locator(f"[id='{HYPERBOLA}'] p:not(.admonition-title)").first
    name = target.evaluate("node => (node.id ||= 'here')")
    page.evaluate("name => (location.hash = name)", name)
    page.locator(f"[id='{HYPERBOLA}']:not(.toggle-hidden)").wait_for()
    assert page.locator(".solution.toggle-hidden").count() == 8
    target.wait_for()
    box = target.bounding_box()
    assert 0 <= box["y"] <= 860


def test_a_page_opens_at_a_folded_solution(visit):
    page = visit("book/01_wind", hash=f"#{HYPERBOLA}").page
    page.wait_for_function("name => scrollY > 0 && document.getElementById(name)", arg=HYPERBOLA)
    assert is_open(page) and page.locator(".solution.toggle-hidden").count() == 8


def test_a_hit_of_the_search_in_a_folded_solution_opens_it(visit):
    page = visit("search", hash="?q=hyperbola").page
    page.locator("#search-results a[href*='01_wind']").first.click()
    page.locator(f"[id='{HYPERBOLA}'] .highlighted").first.wait_for()
    assert is_open(page) and page.locator(".solution.toggle-hidden").count() == 8


def test_the_browser_finds_what_is_folded(visit):
    """A text fragment finds as Ctrl-F does; and what is folded takes no room."""
    page = visit("book/01_wind", hash="#:~:text=is%20a%20hyperbola").page
    page.locator(f"[id='{HYPERBOLA}']:not(.toggle-hidden)").wait_for()
    assert page.locator(".solution.toggle-hidden").count() == 8
    folded = page.locator(".solution.toggle-hidden").first
    title = folded.locator("> .admonition-title")
    assert folded.bounding_box()["height"] < title.bounding_box()["height"] + 40
    title.click()
    assert folded.locator("[hidden]").count() < page.locator("[hidden='until-found']").count()


# ---- formulas once, sources as files


def test_copied_formulas_are_tex_and_stand_once(visit):
    visited = visit("book/01_wind")
    visited.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page = visited.page
    definition = page.locator(".definition").first
    definition.evaluate("node => getSelection().selectAllChildren(node)")
    page.keyboard.press("ControlOrMeta+c")
    text = page.evaluate("navigator.clipboard.readText()")
    assert "A velocity field on $\\mathbb{R}^d$ is a function" in text
    assert text.count("\\mathbb{R}^d") == 3 and "ℝ" not in text and "\n" in text
    page.locator("article h1").evaluate("node => getSelection().selectAllChildren(node)")
    page.keyboard.press("ControlOrMeta+c")  # without a formula, as ever
    assert "Wind" in page.evaluate("navigator.clipboard.readText()")


def test_the_search_quotes_a_formula_once(visit, site):
    page = visit("search", hash="?q=passengers").page
    page.locator(".search .context").first.wait_for()
    text = page.evaluate(
        "async (url) => Search.htmlToText(await (await fetch(url)).text())",
        f"{site}/book/01_wind.html",
    )
    assert "on $\\mathbb{R}^d$ is a function" in text and "ℝ" not in text


def test_a_source_is_downloaded_whatever_its_type(visit):
    page = visit("book/01_wind").page
    page.context.route(
        "**/*.ipynb", lambda r: r.fulfill(body="{}", content_type="application/json")
    )
    page.locator(".dropdown-download-buttons > button").click()
    with page.expect_download() as download:
        page.locator(".btn-download-source-button").click()
    assert download.value.suggested_filename == "01_wind.ipynb"
    assert len(page.context.pages) == 1
