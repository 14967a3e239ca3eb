"""The public names of `fmcore`, read from its source: nothing is imported, so no torch is needed.

A name is public if `__all__` of a module lists it. It has one entry, under the name by which a
reader calls it: `fmcore.odeint` if `fmcore` itself has it, else with the shortest module that does.
"""

from __future__ import annotations

import ast
import functools
import re
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

FUNCTION = (ast.FunctionDef, ast.AsyncFunctionDef)
FLAT = "fmcore.flat"


class Module:
    """A module as its source has it: what it defines, imports and makes public."""

    def __init__(self, file: Path, root: Path):
        self.file = file.relative_to(root).as_posix()
        self.name = self.file.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        self.source = file.read_text("utf-8")
        self.lines = self.source.encode().splitlines()  # in which syntax trees count
        self.tree = ast.parse(self.source)
        self.doc = ast.get_docstring(self.tree) or ""
        self.public: list[str] = []
        self.defined: dict[str, ast.stmt] = {}
        self.said: dict[str, str] = {}  # what stands under or above a constant
        self.imported: dict[str, tuple[str, str]] = {}
        self._read(file.name == "__init__.py")

    def _read(self, package: bool) -> None:
        for node, after in zip(self.tree.body, [*self.tree.body[1:], None], strict=True):
            if isinstance(node, (*FUNCTION, ast.ClassDef)):
                self.defined[node.name] = node
            elif isinstance(node, (ast.Assign, ast.AnnAssign)):
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                for name in (target.id for target in targets if isinstance(target, ast.Name)):
                    self.defined[name] = node
                    self.said[name] = docstring_of(after) or self._comment(node.lineno)
                    if name == "__all__" and node.value:
                        self.public = ast.literal_eval(node.value)
            elif isinstance(node, (ast.ImportFrom, ast.Import)):
                self.imported |= bindings(node, self.name, package)

    def _comment(self, line: int) -> str:
        """The comment above a line."""
        lines, found = self.source.splitlines(), []
        while line > 1 and lines[line - 2].startswith("#"):
            line -= 1
            found.insert(0, lines[line - 1].lstrip("#: "))
        return "\n".join(found)


def docstring_of(node: ast.AST | None) -> str:
    """The text of an expression that is nothing but a string."""
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        text = node.value.value
        if isinstance(text, str):
            return "\n".join(line.strip() for line in text.strip().splitlines())
    return ""


def bindings(
    node: ast.ImportFrom | ast.Import, module: str = "", package: bool = False
) -> dict[str, tuple[str, str]]:
    """What an import makes known: {name: (module, name there)}, of `fmcore` alone."""
    if isinstance(node, ast.Import):
        found = {each.asname or each.name.partition(".")[0]: each for each in node.names}
        return {
            name: (each.name if each.asname else name, "")
            for name, each in found.items()
            if each.name.split(".")[0] == "fmcore"
        }
    source = node.module or ""
    if node.level:
        parts = module.split(".")
        parts = parts[: len(parts) - node.level + package]
        source = ".".join([*parts, *([source] if source else [])])
    if source.split(".")[0] != "fmcore":
        return {}
    return {each.asname or each.name: (source, each.name) for each in node.names}


@dataclass(frozen=True, eq=False)
class Entry:
    """A public name: what it is called, where it stands, what its source says."""

    name: str  # fmcore.OTPath.sample
    kind: str  # function, class, method, property, data
    module: Module
    node: ast.stmt
    doc: str
    owner: Entry | None = None
    members: list[Entry] = field(default_factory=list)

    @property
    def anchor(self) -> str:
        return self.name.replace(".", "-")

    @property
    def is_class(self) -> bool:
        return self.kind == "class"

    @property
    def short(self) -> str:
        return self.name.removeprefix("fmcore.")

    @property
    def lines(self) -> tuple[int, int]:
        first = min([self.node.lineno, *(d.lineno for d in decorators(self.node))])
        return first, self.node.end_lineno or first


def decorators(node: ast.stmt) -> list[ast.expr]:
    return node.decorator_list if isinstance(node, (*FUNCTION, ast.ClassDef)) else []


def decorated(node: ast.stmt, name: str) -> bool:
    return any(name in ast.unparse(each) for each in decorators(node))


Home = tuple[str, str]  # a module, and the name of what it defines


class Library:
    """All public names of `fmcore`, and who is meant by a name in a text."""

    def __init__(self, root: Path = ROOT):
        files = sorted((root / "fmcore").rglob("*.py"))
        self.modules = {m.name: m for m in (Module(file, root) for file in files)}
        self.names = self._names()
        self.entries = {home: self._entry(home) for home in self.names}
        self.by_name = {entry.name: entry for entry in self.entries.values()}
        self.anchors = self.by_name | {m.name: m for e in self.by_name.values() for m in e.members}

    def _names(self) -> dict[Home, str]:
        """How a reader calls what is public, by where it is defined."""
        listed = [
            (module.name, name, home)
            for module in self.modules.values()
            for name in module.public
            if (home := self.home(module.name, name))
        ]
        # Modules that are called by another name than that of their file.
        called = {home[0]: f"{module}.{name}" for module, name, home in listed if not home[1]}
        called[FLAT] = "fmcore"
        names: dict[Home, list[str]] = {}
        for module, name, home in listed:
            if home[1]:
                names.setdefault(home, []).append(f"{called.get(module, module)}.{name}")
        return {
            home: min(found, key=lambda name: (name.count("."), name))
            for home, found in names.items()
        }

    def home(self, module: str, name: str) -> Home | None:
        """Where a name of a module is defined; (module, "") if it is a module itself."""
        for _ in range(9):
            known = self.modules.get(module)
            if known and name in known.defined:
                return module, name
            if known and name in known.imported:
                module, name = known.imported[name]
                if not name:
                    return module, ""
            elif f"{module}.{name}" in self.modules:
                return f"{module}.{name}", ""
            elif module == "fmcore":
                module = FLAT
            else:
                return None
        return None

    def _entry(self, home: Home) -> Entry:
        module, name = self.modules[home[0]], home[1]
        node, called = module.defined[name], self.names[home]
        if isinstance(node, ast.ClassDef):
            entry = Entry(called, "class", module, node, ast.get_docstring(node) or "")
            entry.members.extend(self._members(entry, home))
            return entry
        if isinstance(node, FUNCTION):
            return Entry(called, "function", module, node, ast.get_docstring(node) or "")
        return Entry(called, "data", module, node, module.said[name])

    def bases(self, home: Home) -> list[Home]:
        """The classes of `fmcore` that a class is derived from, the nearest first."""
        module, node = home[0], self.modules[home[0]].defined[home[1]]
        assert isinstance(node, ast.ClassDef)
        named = [base.id for base in node.bases if isinstance(base, ast.Name)]
        found = [base for name in named if (base := self.home(module, name)) and base[1]]
        return [each for base in found for each in (base, *self.bases(base))]

    def methods(self, home: Home) -> dict[str, ast.FunctionDef]:
        """What a class itself defines that can be called from outside."""
        node = self.modules[home[0]].defined[home[1]]
        assert isinstance(node, ast.ClassDef)
        own = {each.name: each for each in node.body if isinstance(each, ast.FunctionDef)}
        return {name: own[name] for name in own if name[0] != "_" or name == "__call__"}

    def _members(self, owner: Entry, home: Home) -> list[Entry]:
        """The methods that have their entry with this class.

        Those it adds, those it says something new of, and those of a base that has no entry.
        """
        bases = self.bases(home)
        public = {name for base in bases if base in self.names for name in self.methods(base)}
        found: dict[str, Entry] = {}
        for each in (home, *(base for base in bases if base not in self.names)):
            for name, node in self.methods(each).items():
                doc = ast.get_docstring(node) or ""
                if name not in found and (doc or not (name in public or name == "__call__")):
                    kind = "property" if decorated(node, "property") else "method"
                    module = self.modules[each[0]]
                    full = f"{owner.name}.{name}"
                    found[name] = Entry(full, kind, module, node, doc, owner)
        return list(found.values())

    def member(self, home: Home, name: str) -> Entry:
        """The entry of an attribute: a method, inherited or not, else the class that has it."""
        for each in (home, *self.bases(home)):
            if found := self.anchors.get(f"{self.names.get(each)}.{name}"):
                return found
        return self.entries[home]

    def walk(self, dotted: str, start: Home = ("fmcore", "")) -> Entry | None:
        """The entry of a name, seen from `start`: "metrics.readable" from ("fmcore", "")."""
        module, name = start
        parts = dotted.split(".") if dotted else []
        while parts and not name:
            home = self.home(module, parts.pop(0))
            if home is None:
                return None
            module, name = home
        entry = self.entries.get((module, name))
        return (
            self.member((module, name), parts[0]) if entry and parts and entry.is_class else entry
        )

    @functools.cached_property
    def plain(self) -> dict[str, Entry]:
        """The names that are clear without a module: those of `fmcore`, and unusual ones.

        A word of everyday English, such as `digits` or `path`, may be anything in a text.
        """
        last: dict[str, list[Entry]] = {}
        for entry in self.by_name.values():
            last.setdefault(entry.name.rpartition(".")[2], []).append(entry)
        unusual = re.compile(r"[A-Z_0-9]")
        return {
            name: found[0]
            for name, found in last.items()
            if len(found) == 1 and (found[0].name == f"fmcore.{name}" or unusual.search(name))
        }


@functools.cache
def library() -> Library:
    return Library()
