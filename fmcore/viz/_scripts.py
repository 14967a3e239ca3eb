"""The figure's scripts as one text: its modules in order, so that a frame needs no second file."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parent / "js"

_IMPORT = re.compile(r'^import\s*\{[^}]*\}\s*from\s*"\./([\w-]+\.js)";\n', re.MULTILINE)
_EXPORT = re.compile(r"^export (?=const|class|function)", re.MULTILINE)
# Comments that fill whole lines, and indentation: every figure carries the scripts.
_MARGIN = re.compile(r"^\s*(//.*\n|/\*\*[\s\S]*?\*/\n|\n)?[ ]*", re.MULTILINE)


@cache
def bundle(entry: str = "index.js") -> str:
    """Module `entry` and all it imports, each once and after what it needs, as a single module.

    The modules keep their top-level names apart, so joining is all that it takes: `import` and
    `export`, comments and indentation are left out, and nothing else changes.
    """
    texts: dict[str, str] = {}

    def visit(name: str) -> None:
        if name in texts:
            return
        text = (FOLDER / name).read_text("utf-8")
        for needed in _IMPORT.findall(text):
            visit(needed)
        texts[name] = _MARGIN.sub("", _EXPORT.sub("", _IMPORT.sub("", text)))

    visit(entry)
    return "".join(texts.values())
