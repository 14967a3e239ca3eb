"""Every twin beside its page: nothing of MyST is left, and nothing of the site is lost."""

import builtins
import functools
import json
import re
from pathlib import Path
from urllib.parse import urljoin

import nbformat
import pytest
from bs4 import BeautifulSoup
from markdown_it import MarkdownIt
from mdit_py_plugins.dollarmath import dollarmath_plugin

ROOT = Path(__file__).resolve().parent.parent.parent

import twins  # noqa: E402
from twin_cells import names  # noqa: E402
from twin_text import UnknownMarkup  # noqa: E402

import book  # noqa: E402

HOME = "https://owner.github.io/name/"
ADDRESS = "https://github.com/owner/name"
PAGES = book.chapters()
# Looked for in the text outside code and formulas, and at the start of its lines.
MYST = {
    "directive or fence": r"^[ >]*(`{3,}|~{3,}|:{3,})\s*\{",
    "fence of colons": r"^[ >]*:::",
    "role": r"\{[\w:.+-]+\}`",
    "target": r"^[ >]*\([\w:.-]+\)=\s*$",
    "option": r"^[ >]*:[\w-]+:(\s|$)",
    "comment or break": r"^[ >]*(%|\+\+\+)",
    "attribute": r"\{[.#][\w-]+",
    "label": r"\b(eq|fig|thm|def|ex|sec|tab)-[a-z]+-[a-z]+(?![\w-]*[\"/.)])",
}  # fmt: skip


@pytest.fixture
def folder(published):
    return published


@pytest.fixture(params=PAGES, ids=lambda page: Path(page).name)
def page(request):
    return request.param


def texts(folder, page):
    notebook = nbformat.read(folder / f"{Path(page).name}.ipynb", as_version=4)
    nbformat.validate(notebook)
    return [cell.source for cell in notebook.cells if cell.cell_type == "markdown"]


def shown(folder, page):
    """The captions that living figures bring along: stored with their pictures."""
    notebook = nbformat.read(folder / f"{Path(page).name}.ipynb", as_version=4)
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    return [output["data"].get("text/html", "") for output in outputs if "data" in output]


def without_code(text):
    """Markdown without its code and its formulas."""
    text = re.sub(r"(?ms)^([ >]*)(`{3,})(?![ `{]).*?^[ >]*\2\s*$", "", text)
    text = re.sub(r"(?s)(?<!`)(?<!\})(`{1,2})(?!`).+?(?<!`)\1(?!`)", "", text)
    return re.sub(r"(?s)\$\$.+?\$\$|\$[^$]+\$", "", text)


@pytest.mark.parametrize("kind", ["", twins.WITHOUT])
def test_nothing_of_myst_is_left(folder, page, kind):
    for text in texts(folder / kind, page):
        bare = re.sub(r"\]\([^)]*\)", "]()", without_code(text))
        for what, pattern in MYST.items():
            found = re.search(pattern, bare, re.M)
            assert not found, f"{what}: {found and found[0]!r} in\n{text}"


@pytest.mark.parametrize(
    "text",
    [
        "```{math}\nx\n```", "- a\n  :::{note}\n  b\n  :::", "by {eq}`eq-a`", "(sec-a)=\n# A",
        ":::\n", "> :class: note", "% no", "+++", "![](a.png){.wide}", "see eq-ivp-here",
    ],
)  # fmt: skip
def test_what_is_left_would_be_found(text):
    assert any(re.search(pattern, without_code(text), re.M) for pattern in MYST.values())


# ---- the site


class Page:
    """What a reader of a page sees of its text: without code, living figures and formulas."""

    def __init__(self, page):
        text = (ROOT / f"_build/html/{page}.html").read_text("utf-8")
        text = re.sub(r'(?s)<iframe.*?</iframe>|<a class="headerlink".*?</a>', "", text)
        found = BeautifulSoup(text, "html.parser").select_one("article.bd-article")
        self.numbers = [tag.get_text().strip() for tag in found.find_all(class_="eqno")]
        self.solutions = len(found.select("div.solution"))
        for extra in found.select(".cell_input, .cell > details > summary, .math, .eqno"):
            extra.decompose()
        self.captions = [words(tag.get_text()) for tag in found.find_all("figcaption")]
        for output in found.find_all(class_="cell_output"):
            output.decompose()
        self.paragraphs = [words(tag.get_text()) for tag in found.find_all(["p", "td", "summary"])]
        self.headings = [words(tag.get_text()) for tag in found.find_all(re.compile("^h[1-6]$"))]
        # Without those that the build makes of names and terms.
        links = found.select("a[href]:not(.fm-name, .fm-term)")
        self.links = {urljoin(f"{HOME}{page}.html", link["href"]) for link in links}


@pytest.fixture(scope="module")
def read(built):
    return functools.cache(Page)


def words(text):
    """Letters and digits alone: quotation marks and spaces differ."""
    return re.sub(r"[\W_]+", "", text)


def words_of_twin(text):
    """What a reader of Markdown sees, without formulas."""
    html = MarkdownIt("commonmark", {"html": True}).enable("table").use(dollarmath_plugin)
    soup = BeautifulSoup(html.render(text), "html.parser")
    for formula in soup.select(".math, eqn, eq, section"):
        formula.decompose()
    return words(re.sub(r"\$[^$]+\$", "", soup.get_text()))


@pytest.mark.parametrize("part", ["captions", "headings", "paragraphs"])
def test_every_text_of_the_site_is_in_the_twin(folder, page, read, part):
    """With the numbers of its figures, sections, theorems and exercises."""
    said = "".join(words_of_twin(text) for text in [*texts(folder, page), *shown(folder, page)])
    for text in getattr(read(page), part):
        assert text in said


def test_every_number_of_a_formula_is_in_the_twin(folder, page, read):
    tags = re.findall(r"\\tag\{(.+?)\}", "\n".join(texts(folder, page)))
    assert sorted(f"({tag})" for tag in tags) == sorted(read(page).numbers)


def test_every_link_of_the_site_is_in_the_twin(folder, page, read):
    """Those to chapters lead to their twins, all others to the same place."""
    colab = ADDRESS.replace("github.com", "colab.research.google.com/github")
    twin = {f"{HOME}{p}.html": f"{colab}/blob/twins/{Path(p).name}.ipynb" for p in PAGES}
    text = "\n".join(texts(folder, page))
    said = set(re.findall(r"\]\((\S+?)\)|href=\"(.+?)\"", text))
    assert {twin.get(link, link) for link in read(page).links} <= {a or b for a, b in said}


def test_teachers_have_the_exercises_and_no_solution(folder, page, read):
    with_them, without = "\n".join(texts(folder, page)), "\n".join(
        texts(folder / twins.WITHOUT, page)
    )  # fmt: skip
    assert "Solution to" not in without
    titles = re.findall(r"(?m)^> \*\*Exercise .*$", with_them)
    assert titles == re.findall(r"(?m)^> \*\*Exercise .*$", without)
    solved = with_them.count("<summary>Solution to ")
    assert solved == read(page).solutions


def test_every_cell_of_the_chapter_runs_in_the_twin(folder, page):
    made = nbformat.read(folder / f"{Path(page).name}.ipynb", as_version=4)
    said = {cell.id: cell.source for cell in made.cells if cell.cell_type == "code"}
    _, *rest = (c for c in nbformat.read(ROOT / f"{page}.ipynb", 4).cells if c.cell_type == "code")
    for cell in rest:
        assert re.sub(r"^# @title .*\n", "", said[cell.id]) == cell.source


@pytest.mark.parametrize("kind", ["", twins.WITHOUT])
def test_no_cell_needs_a_name_that_none_makes(folder, page, kind):
    """Also where solutions were left out."""
    notebook = nbformat.read(folder / kind / f"{Path(page).name}.ipynb", as_version=4)
    code = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    found = [names(re.sub(r"(?m)^( *)%.*$", r"\1pass", source)) for source in code]
    reads, makes = (set().union(*sets) for sets in zip(*found, strict=True))
    assert reads <= makes | {*dir(builtins), "get_ipython"}


def test_every_figure_has_a_picture_for_those_who_run_nothing(folder, page):
    made = nbformat.read(folder / f"{Path(page).name}.ipynb", as_version=4)
    cells = {cell.id: cell for cell in made.cells}
    chapter = json.loads((ROOT / f"{page}.ipynb").read_text("utf-8"))
    for cell in chapter["cells"]:
        source = "".join(cell["source"])
        figure = "figure" in cell["metadata"].get("mystnb", {})
        lab = "lab" in cell["metadata"].get("tags", [])
        if figure or lab or re.search(r"(?m)^(FlowFigure|\w+Figure)\(", source):
            outputs = cells[cell["id"]].outputs
            assert any("image/png" in output.get("data", {}) for output in outputs), source
            assert "<iframe" not in json.dumps(outputs), source
        if figure:
            caption = made.cells[made.cells.index(cells[cell["id"]]) + 1]
            assert re.match(r"\*\*Fig\. \d+", caption.source)


def test_twins_are_small(folder):
    for file in folder.rglob("*.ipynb"):
        assert file.stat().st_size < 1.5e6, file.name


def test_a_directive_that_is_not_known_is_named_with_its_cell(folder):
    chapter = json.loads((ROOT / "book/02_following_the_wind.ipynb").read_text("utf-8"))
    chapter["cells"][3]["source"] = ["```{mermaid}\nA --> B\n```"]
    site = twins.Site(twins.book.BUILD, folder, ADDRESS)
    twin = twins.Twin(site, "book/02_following_the_wind")
    with pytest.raises(UnknownMarkup, match=r"02_following_the_wind.ipynb, cell 3 \(.*mermaid"):
        twin.notebook(chapter, chapter)
