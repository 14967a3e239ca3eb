"""Tables: one beside each thing of which there are several, read by everyone.

`SOLVERS`, `SDE_METHODS`, `GRIDS`, `PATHS`, `PREDICTIONS`, `COUPLINGS`, `NETWORKS`, `LOSSES`,
`TIMES`, `RULES` and `RECIPES` are tables. What a reader adds to one works everywhere: in functions,
figures and files, and on the command line.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, MutableMapping
from typing import TypeVar

from fmcore.checks import one_of

__all__ = ["Table"]

Row = TypeVar("Row")


def check_callable(kind: str) -> Callable[[str, object], None]:
    """The check of a table whose rows are functions."""

    def check(name: str, row: object) -> None:
        if not callable(row):
            raise TypeError(f"{kind} {name!r} must be callable, got {row!r}")

    return check


class Table(MutableMapping[str, Row]):
    """Rows by name. A name is taken once, and `check(name, row)` raises for a row it refuses.

    A class or function that is defined anew where the old one was, as by a cell of a notebook that
    runs again, takes its place.

    kind    what a row is, in error messages
    check   raises `ValueError` or `TypeError`, naming the row, for one that lacks something

    `table[name]` raises `KeyError`, with all names, if there is no such row.

    >>> squares = Table("square", two=4)
    >>> squares["three"] = 9
    >>> squares["three"] = 10
    Traceback (most recent call last):
    ValueError: there is a square 'three' already: 9. Choose another name, or delete that one first
    >>> squares.find("square", "five")
    Traceback (most recent call last):
    ValueError: square must be one of 'two', 'three', got 'five'
    """

    def __init__(
        self, kind: str, check: Callable[[str, Row], None] | None = None, /, **rows: Row
    ) -> None:
        self.kind, self.check = kind, check
        self.rows: dict[str, Row] = {}
        self.update(rows)

    def __setitem__(self, name: str, row: Row) -> None:
        if not isinstance(name, str) or not name:
            raise TypeError(f"the name of a {self.kind} must be a string, got {name!r}")
        old = self.rows.get(name, row)
        if not (_same(old, row) or old == row):
            raise ValueError(
                f"there is a {self.kind} {name!r} already: {old!r}. Choose another name, or delete "
                "that one first"
            )
        if self.check is not None:
            self.check(name, row)
        self.rows[name] = row

    def __getitem__(self, name: str) -> Row:
        if name not in self.rows:
            raise KeyError(f"no {self.kind} {name!r}, only {', '.join(map(repr, self.rows))}")
        return self.rows[name]

    def __delitem__(self, name: str) -> None:
        self[name]  # a `KeyError` if there is none
        del self.rows[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    def __repr__(self) -> str:
        return f"Table({self.kind!r}, {', '.join(self.rows)})"

    def register(self, row: Row) -> Row:
        """Adds a class or function under its own name, and returns it: for use as a decorator.

        >>> shapes = Table("shape")
        >>> @shapes.register
        ... def circle(): ...
        >>> shapes
        Table('shape', circle)
        """
        self[getattr(row, "__name__", None)] = row  # ty: ignore
        return row

    def find(self, argument: str, name: str) -> Row:
        """The row called `name`; `ValueError`, naming the `argument` and all rows, if none is."""
        return self.rows[one_of(argument, name, self.rows)]

    def name_of(self, row: object) -> str | None:
        """The name of a row, None if it is not in the table."""
        return next((name for name, known in self.rows.items() if _same(known, row)), None)


def _same(old: object, new: object) -> bool:
    """Whether two rows are one, or the definition of one class or function that ran again."""
    places = [
        (getattr(row, "__module__", None), getattr(row, "__qualname__", "<lambda>"))
        for row in (old, new)
    ]
    return old is new or (places[0] == places[1] and "<lambda>" not in places[0][1])
