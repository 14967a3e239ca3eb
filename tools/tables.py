"""Bring what was measured into the texts.

    python tools/tables.py            writes what has changed
    python tools/tables.py --check    writes nothing; ends with status 1 if a text differs

There are two ways into a text. Whatever stands between `<!-- table: NAME -->` and `<!-- end -->` is
the table NAME of `shown.py`. And a piece of a sentence that `said.py` knows by its words gets its
numbers put right; it must stand in its file exactly once, with any white space between the words.
In a notebook the texts are the markdown cells, the captions and the alternative texts.

A result that does not say where it comes from (`fmcore.results.ORIGIN`) is an error as well.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from lookup import value
from said import SAID
from shown import TABLES

from fmcore.results import ORIGIN, measured, results_folder

ROOT = Path(__file__).resolve().parent.parent
TEXTS = ("README.md", "benchmarks/**/*.md", "fmcore/assets/**/*.md", "book/*.md", "book/*.ipynb")
HOLE = re.compile(r"\{([^{}]+):([^{}:]+)\}")  # {expression:format}
NUMBER = r"([-−]?\d(?:[\d.,]*\d)?)"
BLOCK = re.compile(r"(<!-- table: ([^\n]+?) -->\n)(.*?)(<!-- end -->)", re.DOTALL)


# ---- where a file keeps its words


def places(notebook: dict) -> Iterator[tuple[dict, str]]:
    """Each text of a notebook, as the dictionary that holds it and its key."""
    for cell in notebook["cells"]:
        if cell["cell_type"] == "markdown":
            yield cell, "source"
        about = cell["metadata"].get("mystnb", {})
        for part, key in (("figure", "caption"), ("image", "alt")):
            if key in about.get(part, {}):
                yield about[part], key


def opened(name: str, content: str) -> tuple[dict, list[tuple[dict, str]], list[str]]:
    """The whole of a file, the places of its texts in it, and the texts."""
    if not name.endswith(".ipynb"):
        return {"text": content}, [], [content]
    whole = json.loads(content)
    found = list(places(whole))
    return whole, found, ["".join(holder[key]) for holder, key in found]


def closed(whole: dict, found: list[tuple[dict, str]], texts: list[str]) -> str:
    """The content of the file with these texts."""
    if not found:
        return texts[0]
    for (holder, key), text in zip(found, texts, strict=True):
        if text != "".join(holder[key]):
            as_lines = isinstance(holder[key], list)
            holder[key] = text.splitlines(keepends=True) if as_lines else text
    return json.dumps(whole, indent=1, ensure_ascii=False) + "\n"


# ---- sentences and blocks


def pattern(template: str) -> re.Pattern:
    """The words of a template with any white space between them, and a number in each hole."""
    pieces = HOLE.split(template)[::3]
    words = [r"\s+".join(re.escape(word) for word in re.split(r"\s+", piece)) for piece in pieces]
    return re.compile(rf"(?<!\d){NUMBER.join(words)}(?!\d)")


def sentence(texts: list[str], template: str) -> list[str]:
    """Put the numbers of one sentence right, within `texts`; returns what was changed.

    Raises `ValueError` unless the sentence is there once, or if its result is not there.
    """
    words = pattern(template)
    found = [(k, match) for k, text in enumerate(texts) for match in words.finditer(text)]
    if len(found) != 1:
        state = f"stands there {len(found)} times" if found else "is gone"
        raise ValueError(f"the sentence {state}: {template}")
    ((place, match),) = found
    changes = []
    for group, hole in reversed(list(enumerate(HOLE.finditer(template), start=1))):
        right = value(*hole.groups())
        if match[group] != right:
            changes.append(f"{match[group]} must be {right} in: {match[0]}")
            start, end = match.span(group)
            texts[place] = texts[place][:start] + right + texts[place][end:]
    return changes


def blocks(texts: list[str]) -> tuple[list[str], list[str], set[str]]:
    """Fill the blocks within `texts`; returns what was changed, what is wrong, and their names."""
    changes, errors, names = [], [], set()

    def filled(match: re.Match) -> str:
        start, name, old, end = match.groups()
        names.add(name)
        try:
            new = f"\n{TABLES[name]()}\n\n"
        except (LookupError, ValueError) as error:
            errors.append(f"table {name}: {error!r}")
            return match[0]
        if new != old:
            changes.append(f"the table {name} differs")
        return start + new + end

    for k, text in enumerate(texts):
        if text.count("<!-- table:") != len(BLOCK.findall(text)):
            errors.append("a table has no end, or its first line is not alone")
        texts[k] = BLOCK.sub(filled, text)
    return changes, errors, names


def renewed(name: str, content: str) -> tuple[str, list[str], list[str], set[str]]:
    """A file with all its numbers put right.

    Returns its content, what was changed in it, what is wrong and cannot be put right, and the
    tables that it shows.
    """
    whole, found, texts = opened(name, content)
    changes, errors, names = blocks(texts)
    for file, template in SAID:
        if file == name:
            try:
                changes += sentence(texts, template)
            except (LookupError, ValueError) as error:
                errors.append(str(error))
    content = closed(whole, found, texts) if changes else content
    return content, changes, errors, names


# ---- the results themselves


def lacking(result: dict) -> list[str]:
    """What the rows of a result do not say of their origin, neither themselves nor in "about"."""
    gaps = []
    for k, row in enumerate(result["rows"]):
        known = result["about"] | row
        if missing := [key for key in ORIGIN if known.get(key) is None]:
            gaps.append(f"row {k} lacks {', '.join(missing)}")
    return gaps


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="only say what differs")
    check = parser.parse_args().check
    errors = [
        f"{file.name}: {gap}"
        for file in sorted(results_folder().glob("*.json"))
        for gap in lacking(measured(file.stem))
    ]
    said, shown, changed = {file for file, _ in SAID}, set(), False
    files = sorted({file for glob in TEXTS for file in ROOT.glob(glob)})
    for file in files:
        name = file.relative_to(ROOT).as_posix()
        content = file.read_text(encoding="utf-8")
        new, changes, wrong, names = renewed(name, content)
        for change in changes:
            print(f"{name}: {change}")
        errors += [f"{name}: {each}" for each in wrong]
        said, shown, changed = said - {name}, shown | names, changed or bool(changes)
        if new != content and not check:
            file.write_text(new, encoding="utf-8")
    errors += [f"{name}: there is no such file" for name in sorted(said)]
    errors += [f"no text shows the table {name}" for name in sorted(TABLES.keys() - shown)]
    for error in dict.fromkeys(errors):
        print(error, file=sys.stderr)
    raise SystemExit(bool(errors) or (check and changed))


if __name__ == "__main__":
    main()
