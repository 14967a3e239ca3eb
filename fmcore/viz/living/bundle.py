"""The figures' scripts as one text: a module and all it imports, so that a frame needs no file."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parent.parent / "js"

_IMPORT = re.compile(r'^import\s*\{[^}]*\}\s*from\s*"\./([\w-]+\.js)";\n', re.MULTILINE)
_DEFAULT = re.compile(r"^export default .*\n", re.MULTILINE)
_EXPORT = re.compile(r"^export (?=(?:const|class|function) (\w+))", re.MULTILINE)
# Comments and indentation: every figure carries the scripts.
_MARGIN = re.compile(
    r"""^\s*(?:(?://.*\n|/\*\*[\s\S]*?\*/\n)\s*)*|[ ]//[ ][^"'`\n]*$""", re.MULTILINE
)


@cache
def bundle(entry: str = "index.js") -> str:
    """Module `entry` and all it imports, each once and after what it needs, as a single script.

    Each module becomes a function that is called at once and returns what it exports. Comments and
    indentation are left out, and nothing else changes.
    """
    texts: dict[str, str] = {}

    def visit(name: str) -> None:
        if name in texts:
            return
        text = (FOLDER / name).read_text("utf-8")
        for needed in _IMPORT.findall(text):
            visit(needed)
        names = ", ".join(_EXPORT.findall(text))
        for unwanted in (_IMPORT, _DEFAULT, _EXPORT, _MARGIN):
            text = unwanted.sub("", text)
        texts[name] = f"const {{ {names} }} = (() => {{\n{text}return {{ {names} }};\n}})();\n"

    visit(entry)
    return "".join(texts.values())
