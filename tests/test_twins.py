"""Twins of a small chapter: what Markdown says in the place of MyST, and what is refused."""

import base64
import io
import json
from pathlib import Path

import nbformat
import pytest
from PIL import Image

ROOT = Path(__file__).resolve().parent.parent

pytest.importorskip("myst_parser")
import twin_cells  # noqa: E402
import twins  # noqa: E402
from twin_site import Site, UnknownMarkup  # noqa: E402
from twin_text import Writer  # noqa: E402

PAGE = """\
<article class="bd-article"><section>
<h1><span class="section-number">2. </span>Following<a class="headerlink" href="#f">#</a></h1>
<section id="wind"><h2><span class="section-number">2.1. </span>Wind</h2></section>
<section><h2><span class="section-number">2.2. </span>Exercises</h2></section>
<section><h2><span class="section-number">2.3. </span>Checks</h2></section>
<div id="equation-eq-a"><span class="eqno">(7)<a class="headerlink" href="#e">#</a></span></div>
<div class="proof theorem admonition" id="thm-one"><p class="admonition-title">
<span class="caption-number">Theorem 3 </span> (Gauß)</p></div>
<div class="exercise admonition" id="ex-one"><p class="admonition-title">
<span class="caption-number">Exercise 9 </span> (How far?)</p></div>
<figure id="fig-one"><figcaption><span class="caption-number">Fig. 4 </span></figcaption></figure>
</section></article>"""
SAID = {
    ":eq:`eq-a`": [["(7)", "book/02.html#equation-eq-a"]],
    "wind": [["Wind", "book/02.html#wind"]],
    ":cite:p:`ada2020`": [["Ada ", "book/refs.html#id1"], ["2020", "book/refs.html#id1"]],
    ":cite:t:`ada2020`": [["Ada [", None], ["2020", "book/refs.html#id1"], ["]", None]],
}
ADDRESS = "https://github.com/owner/name"
COLAB = "https://colab.research.google.com/github/"
HOME = "https://owner.github.io/name/"
SOLUTION = f'Solution to <a href="{HOME}book/02.html#ex-one">Exercise 9 (How far?)</a>'


@pytest.fixture
def site(tmp_path):
    """A built site of one page, and its book."""
    for folder in ("_build/html/book", "_build/twins", "book"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "_build/html/book/02.html").write_text(PAGE, "utf-8")
    (tmp_path / "_build/crossrefs.json").write_text(json.dumps({"book/02": SAID}), "utf-8")
    for name in ("02.ipynb", "04_paths.ipynb", "notation.md"):
        (tmp_path / "book" / name).touch()
    return Site(tmp_path / "_build", tmp_path / "_build/twins", ADDRESS)


@pytest.fixture
def write(site):
    return lambda text, **options: Writer(site, "book/02", **options).text(text)


@pytest.mark.parametrize(
    ("myst", "markdown"),
    [
        ("# Following", "# 2. Following"),
        ("plain *text*, `x[0](y)`, $a[0](b)$", "plain *text*, `x[0](y)`, $a[0](b)$"),
        ("by {eq}`eq-a` we", f"by [(7)]({HOME}book/02.html#equation-eq-a) we"),
        ("{cite:t}`ada2020` says", f"Ada [[2020]({HOME}book/refs.html#id1)] says"),
        ("{cite:p}`ada2020`", f"[Ada 2020]({HOME}book/refs.html#id1)"),
        ("`{eq}` is code, so is ``{eq}`eq-a` ``", "`{eq}` is code, so is ``{eq}`eq-a` ``"),
        ("```\n{eq}`eq-a`\n```", "```\n{eq}`eq-a`\n```"),
        ("(here)=\nText", "Text"),
        ("<!-- table: a -->\n\n| a |\n|---|\n\n<!-- end -->", "| a |\n|---|"),
        ("see [Paths\nof all](04_paths.ipynb)", "see [Paths\nof all]"
         f"({COLAB}owner/name/blob/twins/04_paths.ipynb)"),
        ("[symbols](notation.md)", f"[symbols]({HOME}book/notation.html)"),
        ("[this](04_paths.ipynb#last)", f"[this]({HOME}book/04_paths.html#last)"),
        ("[here](wind), [here](#wind)",
         f"[here]({HOME}book/02.html#wind), [here]({HOME}book/02.html#wind)"),
        ("[out](https://example.org/a.md)", "[out](https://example.org/a.md)"),
        ("$$\na < b\n$$", "$$\na < b\n$$"),
        ("```{math}\n:label: eq-a\nx = 1\n```", "$$\nx = 1\n\\tag{7}\n$$"),
        ("```{math}\na \\\\ b\n```", "$$\n\\begin{aligned}\na \\\\ b\n\\end{aligned}\n$$"),
        ("```{math}\n\\begin{aligned}a \\\\ b\\end{aligned}\n```",
         "$$\n\\begin{aligned}a \\\\ b\\end{aligned}\n$$"),
        ("- one\n\n  ```{math}\n  :label: eq-a\n  x\n  ```\n- two",
         "- one\n\n  $$\n  x\n  \\tag{7}\n  $$\n- two"),
        (":::{admonition} Take *care*\n:class: note\nText\nmore\n:::",
         "> **Take *care***\n>\n> Text\n> more"),
        (":::{note}\nText\n:::\nAfter", "> **Note**\n>\n> Text\n\nAfter"),
        (":::{prf:theorem} Gauß\n:label: thm-one\nLet\n\n$$\na &= b \\\\\n&= c\n$$\n:::",
         "> **Theorem 3 (Gauß)**\n>\n> Let\n>\n> $$ a &= b \\\\ &= c $$"),
        (":::{prf:proof}\nBy {eq}`eq-a`.\n:::",
         f"> **Proof.**\n>\n> By [(7)]({HOME}book/02.html#equation-eq-a)."),
        (":::{exercise} How far?\n:label: ex-one\n```python\n$$ = 1\n```\n:::",
         "> **Exercise 9 (How far?)**\n>\n> ```python\n> $$ = 1\n> ```"),
        (":::{solution} ex-one\n:class: dropdown\nFar.\n:::",
         f"<details>\n<summary>{SOLUTION}</summary>\n\nFar.\n\n</details>"),
        (":::{dropdown} Proof, a < b\nFar.\n:::",
         "<details>\n<summary>Proof, a &lt; b</summary>\n\nFar.\n\n</details>"),
        ("::::{grid} 1 2\n:gutter: 3\n:::{grid-item-card} Run\n:link: wind\n:link-type: ref\n"
         "It\nruns\n:::\n::::", f"- [**Run**]({HOME}book/02.html#wind) It runs"),
    ],
)  # fmt: skip
def test_markdown_says_what_myst_said(write, myst, markdown):
    assert write(myst) == markdown


def test_without_solutions(write):
    text = ":::{exercise} How far?\n:label: ex-one\nGo.\n:::\n\n:::{solution} ex-one\nFar.\n:::"
    assert write(text, solutions=False) == "> **Exercise 9 (How far?)**\n>\n> Go."


@pytest.mark.parametrize(
    ("myst", "complaint"),
    [
        ("```{figure} a.png\n```", r"the directive \{figure\}"),
        ("- a\n\n  :::{tabs}\n  :::", r"the directive \{tabs\}"),
        (":::{note}\n{kbd}`q`\n:::", r"the role \{kbd\} of 'q'"),
        ("{eq}`eq-b`", r"the role \{eq\} of 'eq-b'"),
        ("```{math}\n:label: eq-b\nx\n```", "the label 'equation-eq-b'"),
        (":::{prf:theorem} One\nText\n:::", r"\{prf:theorem\} without a label: 'One'"),
        (":::{note}\n---\nclass: x\n---\n:::", "write :key: value"),
        ("> ```{math}\n> x\n> ```", "a directive within a quotation"),
        ("[gone](gone.ipynb)", "a link to 'gone.ipynb'"),
        ("Term\n: what it means", "the block dl_open"),
        ("[^1]\n\n[^1]: a foot", "the block footnote_reference_open"),
        ("::::{grid} 1\n:::{grid-item-card} Run\n:link: gone\n:link-type: ref\nIt\n:::\n::::",
         "the label 'gone'"),
        ("<div>\n", "the block html_block"),
        ("% nobody reads this", "the block myst_line_comment"),
        ("$$x$$ (eq-a)", "the block math_block_label"),
        ("# One\n\n## Two\n\n## Three\n\n## Four\n\n## Five", "the heading '## Five'"),
    ],
)  # fmt: skip
def test_what_is_not_known_is_named(write, myst, complaint):
    with pytest.raises(UnknownMarkup, match=complaint):
        write(myst)


# ---- a whole chapter


def png(width=40, height=30):
    out = io.BytesIO()
    Image.effect_noise((width, height), 60).convert("RGBA").save(out, "PNG", dpi=(144, 144))
    return base64.b64encode(out.getvalue()).decode()


def chapter(*cells):
    """A chapter of (source, metadata, outputs) or texts; and as it was executed."""
    clean, ran = nbformat.v4.new_notebook(), nbformat.v4.new_notebook()
    for i, cell in enumerate(cells):
        if isinstance(cell, str):
            made = nbformat.v4.new_markdown_cell(cell, id=f"c{i}")
            clean.cells.append(made)
            ran.cells.append(made)
            continue
        source, metadata, outputs = [*cell, {}, []][:3] if len(cell) != 2 else [*cell, []]
        for notebook, shown in ((clean, []), (ran, outputs)):
            notebook.cells.append(
                nbformat.v4.new_code_cell(source, id=f"c{i}", metadata=metadata, outputs=shown)
            )
    clean.metadata.kernelspec = {"name": "python3", "display_name": "Python 3"}
    return json.loads(nbformat.writes(clean)), json.loads(nbformat.writes(ran))


FIGURE = {
    "tags": ["hide-input"],
    "mystnb": {
        "figure": {"name": "fig-one", "caption": "A *storm*, {eq}`eq-a`."},
        "image": {"alt": "arrows"},
    },
}
FRAME = "<iframe srcdoc='<figcaption>'></iframe><figcaption>a &lt; b</figcaption>"
LIVING = nbformat.v4.new_output(
    "execute_result",
    {
        "text/html": "<iframe srcdoc='<figcaption>'></iframe><figcaption>a &lt; b</figcaption>",
        "image/png": png(),
        "text/plain": "FlowFigure",
    },
    execution_count=1,
)
PRINTED = nbformat.v4.new_output("stream", name="stdout", text="3.14\n")
NOISE = nbformat.v4.new_output("stream", name="stderr", text="a warning\n")
BOOK = (
    "# Following",
    ("try:\n    import fmcore\nexcept ImportError:\n    raise",),
    "## Wind",
    ("draw()", FIGURE, [LIVING, NOISE]),
    ("assert far == 3", {"tags": ["hide-cell"]}, [PRINTED]),
    "## Exercises",
    ":::{exercise} How far?\n:label: ex-one\nGo.\n:::",
    "```{solution-start} ex-one\n:class: dropdown\n```\n\nWalk.",
    ("far = 3\nprint(far)", {}, [PRINTED]),
    "```{solution-end}\n```",
    "(checks)=\n## Checks",
    ("assert far == 3", {"tags": ["checks", "hide-cell"]}),
    ("far = wide = 4", {"tags": ["checks", "hide-cell"]}),
    ("assert wide == far == 4", {"tags": ["checks", "hide-cell"]}),
)


def twin(site, *cells, solutions=True):
    made = twins.Twin(site, "book/02", solutions).notebook(*chapter(*cells))
    nbformat.validate(nbformat.from_dict(made))
    return made


def texts(made, kind="code"):
    return ["".join(c["source"]) for c in made["cells"] if c["cell_type"] == kind]


def test_the_head_has_badges(site):
    badges = texts(twin(site, *BOOK), "markdown")[0]
    assert badges.count("[![") == 3 and "\n" not in badges
    for goes in (
        f"{HOME}book/02.html",
        f"{COLAB}owner/name/blob/twins/02.ipynb",
        f"{ADDRESS}/blob/main/book/02.ipynb",
    ):
        assert f"]({goes})" in badges


def test_without_an_address_links_lead_to_files(site, tmp_path):
    here = Site(site.build, site.folder)
    text = "[Paths](04_paths.ipynb), [symbols](notation.md)"
    first, links = texts(twin(here, "# Following", text), "markdown")[::2]
    assert links == "[Paths](04_paths.ipynb), [symbols](../html/book/notation.html)"
    assert first == "[Read on the site](../html/book/02.html) · [Source](../../book/02.ipynb)"


def test_a_figure_is_a_form_with_a_small_picture_and_its_caption(site):
    cells = twin(site, *BOOK)["cells"]
    at = next(i for i, cell in enumerate(cells) if "draw()" in "".join(cell["source"]))
    figure, caption = cells[at], cells[at + 1]
    assert "".join(figure["source"]) == "# @title The code of Fig. 4\ndraw()"
    assert figure["metadata"] == {"cellView": "form", "jupyter": {"source_hidden": True}}
    output, own = figure["outputs"]  # without the warning
    assert own["data"] == {"text/html": "<p><em>a &lt; b</em></p>", "text/plain": "a < b"}
    assert "text/html" not in output["data"]
    assert output["metadata"]["image/png"] == {"width": 20, "height": 15, "alt": "arrows"}
    picture = Image.open(io.BytesIO(base64.b64decode(output["data"]["image/png"])))
    assert picture.mode == "P" and len(picture.getcolors()) <= twin_cells.COLOURS
    link = f"[(7)]({HOME}book/02.html#equation-eq-a)"
    assert "".join(caption["source"]) == f"**Fig. 4** A *storm*, {link}."


def test_what_the_site_folds_with_its_output_has_none(site):
    cell = next(c for c in twin(site, *BOOK)["cells"] if c["id"] == "c4")
    assert cell["metadata"]["cellView"] == "form" and cell["outputs"] == []


def test_a_solution_is_folded_with_its_code_which_runs_with_the_checks(site):
    made = twin(site, *BOOK)
    (folded,) = [text for text in texts(made, "markdown") if "<details>" in text]
    assert folded == (
        f"<details>\n<summary>{SOLUTION}</summary>\n\nWalk.\n\n"
        "```python\nfar = 3\nprint(far)\n```\n\n```text\n3.14\n```\n\n</details>"
    )
    ids = [cell["id"] for cell in made["cells"]]
    assert ids.index("c8") == ids.index("c11") - 1 > ids.index("c10")


def test_teachers_have_no_solution_and_no_check_that_needs_one(site):
    made = twin(site, *BOOK, solutions=False)
    assert not [t for t in texts(made, "markdown") if "details" in t or "Walk" in t]
    assert "Go." in "".join(texts(made, "markdown"))
    assert [c["id"] for c in made["cells"][-2:]] == ["c12", "c13"]  # `far` is their own


@pytest.mark.parametrize(
    ("code", "reads", "makes"),
    [
        ("y = [x + a for x in z]", {"a", "z"}, {"y"}),
        ("def f(a, *, b=c):\n    e = 1\n    return a + d + e", {"c", "d"}, {"f"}),
        ("for i in i:\n    j = i", {"i"}, {"i", "j"}),
        ("x = 1\nprint(x)", {"print"}, {"x"}),
        ("x = x + 1", {"x"}, {"x"}),
        ("import a.b, c as d", set(), {"a", "d"}),
        ("g = lambda a: a + h", {"h"}, {"g"}),
        ("x += 1", {"x"}, {"x"}),
        ("def f():\n    x = 0\n    x += 1\n    return x", set(), {"f"}),
        ("class A(B):\n    c = d\n    def e(self):\n        return c", {"B", "d"}, {"A"}),
        ("def f():\n    def g():\n        return h\n    import j\n    return g, j", {"h"}, {"f"}),
        ("try:\n    a()\nexcept B as c:\n    d = str(c)", {"a", "B", "str"}, {"d"}),
    ],
)
def test_names_a_cell_reads_and_makes(code, reads, makes):
    assert twin_cells.names(code) == (reads, makes)


def test_the_first_cell_installs_from_the_repository(site):
    first = texts(twin(site, *BOOK))[0]
    assert f'    %pip install -q "fmcore[labs] @ git+{ADDRESS}"\n' in first
    assert "cuda" not in first
    again = texts(twin(site, *BOOK[:2], ("import fmcore",)))
    assert again[1:] == ["import fmcore"]
    bare = texts(twin(Site(site.build, site.folder), *BOOK))[0]
    assert "%pip" not in bare and "In a copy of this repository" in bare


def test_a_chapter_with_a_gpu_asks_for_one(site):
    made = twin(site, *BOOK[:2], ("torch.cuda.is_available()",))
    assert made["metadata"]["accelerator"] == "GPU"
    assert "There is no GPU here" in texts(made)[0]
    assert "accelerator" not in twin(site, *BOOK)["metadata"]


@pytest.mark.parametrize(
    ("cells", "complaint"),
    [
        (["# Following", "```{figure} a.png\n```"], r"book/02.ipynb, cell 1 \(c1\): .*\{figure\}"),
        (["{term}`wind`"], r"book/02.ipynb, cell 0 \(c0\): the role \{term\}"),
        (BOOK[:10], "book/02.ipynb has exercises and does not end in ## Checks"),
        ([*BOOK[:9], "```{solution-end}\n```\nMore"], "text after the end of a solution"),
    ],
)
def test_a_chapter_that_cannot_be_written_anew_is_named(site, cells, complaint):
    with pytest.raises(UnknownMarkup, match=complaint):
        twin(site, *cells)
