"""The code cells of a twin: set up by themselves, folded where the site folds them, with pictures.

GitHub runs nothing. What it shows of a figure is the picture stored with the cell: of few colours,
so that a chapter stays small, and without the page that a living figure is. The first run puts the
living figure in its place.
"""

from __future__ import annotations

import ast
import base64
import functools
import html
import io
import json
import re
from collections.abc import Iterable

from PIL import Image

COLOURS, WIDEST = 48, 1100  # of a stored picture, pixels
FOLDED = {"hide-input", "hide-cell", "remove-input", "remove-cell"}
UNSEEN = {"hide-cell", "hide-output", "remove-output", "remove-cell"}

SETUP = """\
# @title Setup: run this first
try:
    import fmcore
except ImportError:
{otherwise}


def missing_name(shell, kind, error, traceback, tb_offset=None):
    shell.showtraceback((kind, error, traceback), tb_offset=tb_offset)
    print("A cell above, which makes this name, has not run. In Colab: Runtime, Run before.")


get_ipython().set_custom_exc((NameError,), missing_name)
"""
INSTALL = """\
    %pip install -q "fmcore[labs] @ git+{address}"
    try:
        import fmcore
    except ImportError:
        raise ImportError(
            "fmcore is not here and could not be installed: is there a network? It comes from "
            "{address}; a copy of it is installed by: pip install '.[labs]'"
        ) from None"""
NOTHING_TO_INSTALL = """\
    print("fmcore is not installed. In a copy of this repository, run:")
    print('    pip install ".[labs]"')
    raise"""
GPU = """

import torch

if not torch.cuda.is_available():
    print("There is no GPU here: what needs one is made smaller or left out, and the rest runs")
    print("on the CPU. In Colab: Runtime, Change runtime type, T4 GPU.")
"""

WIDGET = "application/vnd.jupyter.widget-view+json"
IFRAME = re.compile(r"(?s)<iframe.*?</iframe>")


def source(cell: dict) -> str:
    return "".join(cell["source"])


def tags(cell: dict) -> set[str]:
    return set(cell["metadata"].get("tags", []))


def is_setup(cell: dict) -> bool:
    """Whether a cell is the chapter's own first one, which `tools/stamp.py` writes into."""
    return cell["cell_type"] == "code" and source(cell).startswith("try:\n    import fmcore")


def uses_gpu(cells: list[dict]) -> bool:
    return any("torch.cuda" in source(cell) for cell in cells if cell["cell_type"] == "code")


def setup(cell: dict, address: str, gpu: bool) -> dict:
    """The first cell of a twin: it installs fmcore, and says what is missing."""
    otherwise = INSTALL.format(address=address) if address else NOTHING_TO_INSTALL
    text = SETUP.format(otherwise=otherwise) + GPU * gpu
    return code(cell["id"], text.rstrip(), folded="Setup")


def code(name: str, text: str, folded: str = "", outputs: list | None = None) -> dict:
    """A code cell; `folded` is the title of the form that Colab shows in the place of its text."""
    metadata: dict = {}
    if folded:
        metadata = {"cellView": "form", "jupyter": {"source_hidden": True}}
        text = text if text.startswith("# @title") else f"# @title {folded}\n{text}"
    return {
        "cell_type": "code",
        "execution_count": None,
        "id": name,
        "metadata": metadata,
        "outputs": outputs or [],
        "source": text.splitlines(keepends=True),
    }


def stored(cell: dict, executed: dict, lab: str | None) -> list[dict]:
    """The outputs of a cell as a reader without a kernel should see them."""
    if UNSEEN & tags(cell):
        return []
    alt = cell["metadata"].get("mystnb", {}).get("image", {}).get("alt")
    kept = []
    for output in executed["outputs"]:
        kept += [_output(output, alt, lab), _own_caption(output)]
    return [output for output in kept if output]


def _own_caption(output: dict) -> dict | None:
    """The caption that a living figure brings along; its first run shows it by itself."""
    text = "".join(output.get("data", {}).get("text/html", ""))
    found = re.search(r"(?s)<figcaption[^>]*>(.*?)</figcaption>", IFRAME.sub("", text))
    if not found:
        return None
    data = {"text/html": f"<p><em>{found[1]}</em></p>", "text/plain": html.unescape(found[1])}
    return {"output_type": "display_data", "data": data, "metadata": {}}


def _output(output: dict, alt: str | None, lab: str | None) -> dict | None:
    if output["output_type"] == "stream":
        return output if output["name"] == "stdout" else None
    data = output["data"]
    picture = data.get("image/png") or (lab if WIDGET in data else None)
    kept = {"text/plain": data.get("text/plain", "")}
    metadata = {}
    if picture:
        kept["image/png"], size = small("".join(picture))
        metadata["image/png"] = size | ({"alt": alt} if alt else {})
    elif "text/html" in data and WIDGET not in data:
        kept["text/html"] = data["text/html"]
    return {"output_type": "display_data", "data": kept, "metadata": metadata}


def lab_picture(executed: dict) -> str | None:
    """What the chapter's lab showed, a PNG in base64, from the state of its widgets."""
    states = json.dumps(executed["metadata"].get("widgets", {}))
    found = re.search(r"data:image/png;base64,([A-Za-z0-9+/=]+)", states)
    return found and found[1]


@functools.lru_cache(maxsize=64)  # both kinds of a chapter have the same pictures
def small(png: str) -> tuple[str, dict[str, int]]:
    """A PNG in base64 with few colours, and the size at which it is shown, in CSS pixels."""
    image = Image.open(io.BytesIO(base64.b64decode(png)))
    dense = image.info.get("dpi", (0, 0))[0] > 110 or image.width > WIDEST
    size = {"width": image.width // 2, "height": image.height // 2} if dense else {}
    image.thumbnail((WIDEST, WIDEST * 4))
    if image.mode == "P":
        image = image.convert("RGBA")
    if image.mode == "RGBA":  # on white, also where the page is dark: ink is dark
        paper = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(paper, image)
    out = io.BytesIO()
    image.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE).save(out, "PNG", optimize=True)
    return base64.b64encode(out.getvalue()).decode(), size


def as_text(executed: dict) -> str:
    """What a cell printed or showed, for a text."""
    said = []
    for output in executed["outputs"]:
        said.append(
            "".join(output["text"])
            if output["output_type"] == "stream"
            else "".join(output["data"].get("text/plain", ""))
        )
    return "\n".join(text.rstrip("\n") for text in said if text.strip())


def names(text: str) -> tuple[set[str], set[str]]:
    """The names that a cell reads from cells before it, and those that it makes for later ones."""
    visitor = _Names()
    visitor.visit(ast.parse(text))
    return visitor.reads, visitor.makes


class _Names(ast.NodeVisitor):
    """Follows a cell as it runs: what is made before it is read comes from no other cell."""

    def __init__(self) -> None:
        self.reads: set[str] = set()
        self.makes: set[str] = set()
        self.local: list[set[str]] = []  # of the functions and comprehensions around

    def visit_Name(self, node: ast.Name) -> None:
        if not isinstance(node.ctx, ast.Load):
            self._made(node.id)
        elif not any(node.id in names for names in self.local):
            self.reads |= {node.id} - self.makes

    def _made(self, name: str) -> None:
        if not any(name in names for names in self.local):
            self.makes.add(name)

    def visit_Assign(self, node: ast.Assign) -> None:
        for part in (node.value, *node.targets):
            self.visit(part)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        if isinstance(node.target, ast.Name):
            self.visit(ast.Name(node.target.id, ast.Load()))
        self.generic_visit(node)

    def visit_For(self, node: ast.For) -> None:
        for part in (node.iter, node.target, *node.body, *node.orelse):
            self.visit(part)

    def visit_Import(self, node: ast.Import | ast.ImportFrom) -> None:
        for alias in node.names:
            self._made((alias.asname or alias.name).split(".")[0])

    visit_ImportFrom = visit_Import

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        for part in (
            *node.decorator_list,
            *node.args.defaults,
            *filter(None, node.args.kw_defaults),
        ):
            self.visit(part)
        self._made(node.name)
        self._within(_bound(node), node.body)

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        for part in (*node.decorator_list, *node.bases, *node.keywords):
            self.visit(part)
        self._made(node.name)
        self._within(_bound(node), node.body)

    def visit_Lambda(self, node: ast.Lambda) -> None:
        for default in node.args.defaults:
            self.visit(default)
        self._within(_bound(node), [node.body])

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> None:
        self._within({node.name or ""}, [*filter(None, [node.type]), *node.body])

    def visit_ListComp(self, node: ast.ListComp | ast.DictComp) -> None:
        targets = [name for each in node.generators for name in ast.walk(each.target)]
        self._within({n.id for n in targets if isinstance(n, ast.Name)}, ast.iter_child_nodes(node))

    visit_SetComp = visit_GeneratorExp = visit_DictComp = visit_ListComp

    def _within(self, local: set[str], parts: Iterable[ast.AST]) -> None:
        self.local.append(local)
        for part in parts:
            self.visit(part)
        self.local.pop()


def _bound(scope: ast.AST) -> set[str]:
    """What a function or a class, with all within it, keeps to itself."""
    bound = set()
    for node in ast.walk(scope):
        match node:
            case ast.arg(arg=name) | ast.Name(id=name, ctx=ast.Store()):
                bound.add(name)
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name) if node is not scope:
                bound.add(name)
            case ast.alias():
                bound.add((node.asname or node.name).split(".")[0])
    return bound
