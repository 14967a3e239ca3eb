"""Write the address of the book's repository wherever a reader needs it.

    python tools/stamp.py https://github.com/owner/name     make stamp REPO=...
    python tools/stamp.py ""                                 back to no address

The address itself stands in pyproject.toml, `tool.book.repository`. While it is empty nothing is
installed from anywhere, since whoever owned the name would run code on the readers' machines: the
first cell of a chapter says what to do instead, and the site shows no launch buttons. The build
reads it there (`sphinx_fmbook.py`); notebooks, README and the first page need it in their text.
"""

from __future__ import annotations

import json
import re
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ADDRESS = re.compile(r"https://github\.com/[A-Za-z0-9][A-Za-z0-9-]*/[A-Za-z0-9._-]+")

FIRST_CELL = (
    '    print("fmcore is not installed. In a copy of this repository, run:")\n'
    "    print('    pip install \".[labs]\"')\n"
    "    raise",
    '    %pip install -q "fmcore[labs] @ git+{address}"',
)
# For each file: what it says without an address, and with one.
PLACES: dict[str, list[tuple[str, str]]] = {
    "README.md": [
        ("pip install .  # in a copy of this repository", 'pip install "fmcore @ git+{address}"')
    ],
    "book/index.ipynb": [
        FIRST_CELL,
        (
            ":::{grid-item-card} Run the notebooks\n:link: run-it\n:link-type: ref",
            ":::{{grid-item-card}} Run in Colab\n"
            ":link: https://colab.research.google.com/github/{path}/blob/twins/01_wind.ipynb",
        ),
        ("# in a copy of the repository of this book", "git clone {address} && cd {name}"),
        (
            "pip install .  # in a copy of the repository of this book",
            'pip install "fmcore @ git+{address}"',
        ),
    ],
    "book/[0-9m]*.ipynb": [FIRST_CELL],
    "book/inside_a_solver.ipynb": [FIRST_CELL],
    "book/playground.ipynb": [FIRST_CELL],
}


def repository(root: Path = ROOT) -> str:
    """The address in pyproject.toml; empty if there is none."""
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    return project["tool"]["book"]["repository"]


def site(address: str) -> str:
    """Where GitHub serves the site of a repository, with its slash; empty without an address."""
    if not address:
        return ""
    owner, name = address.removeprefix("https://github.com/").split("/")
    return f"https://{owner.lower()}.github.io/{name}/"


def stamp(address: str, root: Path = ROOT) -> None:
    """Write `address` into every place; an empty one takes it out again.

    Raises `ValueError` unless it is empty or https://github.com/owner/name, or if a place is gone.
    """
    address = address.removesuffix("/").removesuffix(".git")
    if address and not ADDRESS.fullmatch(address):
        raise ValueError(f"REPO must be https://github.com/owner/name, got {address!r}")
    project = root / "pyproject.toml"
    text, count = re.subn(
        r'(?m)^repository = ".*"$', f'repository = "{address}"', project.read_text(encoding="utf-8")
    )
    if count != 1:
        raise ValueError("pyproject.toml must hold one line: repository = ...")
    written = {project: text}
    for pattern, pairs in PLACES.items():
        for file in sorted(root.glob(pattern)):
            content = written.get(file) or file.read_text(encoding="utf-8")
            written[file] = _stamped(file, content, pairs, address)
    for file, content in written.items():
        file.write_text(content, encoding="utf-8")


def _stamped(file: Path, content: str, pairs: list[tuple[str, str]], address: str) -> str:
    """The content of a file with each of the `pairs` in the form that fits the address."""
    notebook = json.loads(content) if file.suffix == ".ipynb" else None
    texts = ["".join(cell["source"]) for cell in notebook["cells"]] if notebook else [content]
    for without, template in pairs:
        now, either, count = _filled(template, address) or without, _either(without, template), 0
        for i, text in enumerate(texts):
            texts[i], n = either.subn(lambda match, now=now: now, text)
            count += n
        if count != 1:
            raise ValueError(f"{file} must say once: {without!r}; it says so {count} times")
    if not notebook:
        return texts[0]
    for cell, text in zip(notebook["cells"], texts, strict=True):
        cell["source"] = text.splitlines(keepends=True)
    return json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"


def _filled(template: str, address: str) -> str:
    path = address.removeprefix("https://github.com/")
    return address and template.format(address=address, path=path, name=path.rpartition("/")[2])


def _either(without: str, template: str) -> re.Pattern:
    """Whole lines that are one form or the other, with whichever address."""
    stamped = re.escape(template.format(address="ADDRESS", path="PATH", name="NAME"))
    for word, pattern in (
        ("ADDRESS", ADDRESS.pattern),
        ("PATH", r"[\w.-]+/[\w.-]+"),
        ("NAME", r"[\w.-]+"),
    ):
        stamped = stamped.replace(word, pattern)
    return re.compile(f"(?m)^(?:{re.escape(without)}|{stamped})$")


if __name__ == "__main__":
    try:
        stamp(*sys.argv[1:])
    except (ValueError, TypeError) as error:
        sys.exit(f"stamp: {error}")
