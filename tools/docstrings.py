"""The parts of a docstring of `fmcore`: paragraphs, formulas, tables of arguments, lists, examples.

They are plain text. What is indented keeps its shape: it is a formula, or code. Lines whose words
begin in two columns, "name   what it is", are a table. What follows `>>>` is an example.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

ROW = re.compile(r"(\S(?:.*?\S)?)(?:  +)(\S.*)")
ITEM = re.compile(r"(?:-|\d+\.) (\S.*)")


@dataclass
class Block:
    """A part: its kind, and its lines; of a table and of a list, the rows."""

    kind: str  # paragraph, formula, table, list, example
    text: str = ""
    rows: list[tuple[str, str]] | None = None


def blocks(doc: str) -> list[Block]:
    """The parts of a docstring without its indentation, in their order."""
    found: list[Block] = []
    for chunk in re.split(r"\n\s*\n", doc.strip("\n")):
        if not (lines := chunk.splitlines()):
            continue
        indented = all(line.startswith(" ") for line in lines)
        text = "\n".join(lines)
        if lines[0].lstrip().startswith(">>>"):
            found.append(Block("example", _dedent(text)))
        elif indented:
            found.append(Block("formula", _dedent(text)))
        elif rows := table(lines):
            found.append(Block("table", rows=rows))
        elif ITEM.match(lines[0]) and (items := listed(lines)):
            found.append(Block("list", rows=[("", item) for item in items]))
        else:
            found.append(Block("paragraph", " ".join(line.strip() for line in lines)))
    return found


def _dedent(text: str) -> str:
    margin = min(len(line) - len(line.lstrip()) for line in text.splitlines() if line.strip())
    return "\n".join(line[margin:] for line in text.splitlines())


def table(lines: list[str]) -> list[tuple[str, str]] | None:
    """The rows of a table, None if it is none."""
    first = ROW.fullmatch(lines[0])
    if not first:
        return None
    column, rows = first.start(2), []
    for line in lines:
        left, right = line[:column], line[column:].strip()
        if not left.strip() and rows:
            rows[-1] = (rows[-1][0], f"{rows[-1][1]} {right}")
        elif left.endswith("  "):
            rows.append((left.strip(), right))
        elif match := ROW.fullmatch(line):  # a name that is longer than the column
            rows.append((match[1], match[2]))
        else:
            return None
    return rows


def listed(lines: list[str]) -> list[str] | None:
    items: list[str] = []
    for line in lines:
        if match := ITEM.match(line):
            items.append(match[1])
        elif line.startswith("  "):
            items[-1] += f" {line.strip()}"
        else:
            return None
    return items
