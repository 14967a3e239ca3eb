"""The house: rooms on floors, the ground below all, no circles, no private doors."""

import ast
import graphlib
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / "fmcore"
GROUND = {"checks", "config", "devices", "files", "images", "results", "tables"}
TOP = {"viz", "cli", "flat", "__init__", "__main__"}  # what nobody below imports


def modules() -> dict[str, Path]:
    """Every module by its dotted name without "fmcore.", a package by that of its folder."""
    found = {}
    for file in PACKAGE.rglob("*.py"):
        parts = file.relative_to(PACKAGE).with_suffix("").parts
        package = len(parts) > 1 and parts[-1] == "__init__"
        found[".".join(parts[:-1] if package else parts)] = file
    return found


MODULES = modules()


def imported(name: str) -> set[str]:
    """The modules of fmcore that a module imports when it is itself imported.

    `from fmcore.solvers import odeint` counts for the package, whose `__init__` is on the way.
    """
    tree = ast.parse(MODULES[name].read_text(encoding="utf-8"))
    here = name.split(".") if MODULES[name].name == "__init__.py" else name.split(".")[:-1]
    used = set()
    for node in outside_functions(tree):
        if isinstance(node, ast.Import):
            used |= {alias.name for alias in node.names if alias.name.startswith("fmcore.")}
        elif isinstance(node, ast.ImportFrom):
            base = here[: len(here) - node.level + 1] if node.level else []
            module = ".".join(["fmcore", *base] if node.level else []) or ""
            module = ".".join(filter(None, [module, node.module]))
            if module.split(".")[0] == "fmcore":
                for alias in node.names:
                    whole = f"{module}.{alias.name}"
                    used.add(whole if whole.removeprefix("fmcore.") in MODULES else module)
    return {each.removeprefix("fmcore.") for each in used if each != "fmcore"}


def outside_functions(node: ast.AST):
    """All nodes that run on import: not those in functions, nor those for type checkers only."""
    for child in ast.iter_child_nodes(node):
        for_checkers = isinstance(child, ast.If) and "TYPE_CHECKING" in ast.dump(child.test)
        if not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef) and not for_checkers:
            yield child
            yield from outside_functions(child)


IMPORTS = {name: imported(name) for name in MODULES}


def room(name: str) -> str:
    return name.split(".")[0]


def rooms() -> dict[str, set[str]]:
    """The rooms that each room imports from."""
    found = {room(name): set() for name in MODULES}
    for name, used in IMPORTS.items():
        found[room(name)] |= {room(each) for each in used} - {room(name)}
    return found


def test_rooms_stand_on_floors():
    """No circle: there is an order in which every room imports only from those below it."""
    graphlib.TopologicalSorter(rooms()).prepare()


def test_modules_import_in_no_circle():
    """Nor is there one among the modules; a package runs before its modules, and is left out."""
    packages = {name for name, file in MODULES.items() if file.name == "__init__.py"}
    graph = {
        name: {each for each in used if each not in packages}
        for name, used in IMPORTS.items()
        if name not in packages
    }
    graphlib.TopologicalSorter(graph).prepare()


def test_a_module_does_not_import_its_own_package():
    """`from fmcore.solvers import ...` within `solvers/` would depend on the order of imports."""
    for name, used in IMPORTS.items():
        if "." in name:
            assert name.rpartition(".")[0] not in used, name


def test_the_ground_stands_on_nothing_else():
    for name in GROUND:
        assert rooms()[name] <= GROUND, name


def test_nobody_imports_from_the_top():
    for name, used in rooms().items():
        assert not used & (TOP - {"__init__"}) or name in TOP, f"{name} imports {used & TOP}"


def test_private_modules_are_used_within_their_room():
    for name, used in IMPORTS.items():
        for private in (each for each in used if each.rpartition(".")[2].startswith("_")):
            assert room(private) == room(name), f"{name} imports {private}"


def test_the_library_stays_small():
    """Docstrings included, without `viz`: what is added is a few lines on a mechanism."""
    files = [file for name, file in MODULES.items() if room(name) != "viz"]
    assert sum(len(file.read_text(encoding="utf-8").splitlines()) for file in files) < 10_450
    for file in MODULES.values():
        lines = len(file.read_text(encoding="utf-8").splitlines())
        assert lines <= 350, f"{file.name} has {lines} lines: is it one idea?"


def test_the_loop_can_be_seen_at_once():
    """Draw, forward, backward, step: the two functions that learn are at most 60 lines."""
    tree = ast.parse((PACKAGE / "training" / "loop.py").read_text(encoding="utf-8"))
    lines = {
        f.name: f.end_lineno - f.lineno + 1 for f in tree.body if isinstance(f, ast.FunctionDef)
    }
    assert sum(lines[name] for name in ("_loop", "training_step")) <= 60


@pytest.mark.parametrize(
    "name", sorted({room(n) for n in MODULES} - {"__init__", "__main__", "flat"})
)
def test_every_room_has_its_tests(name):
    """tests/ mirrors the rooms: a folder for a package, a file for a module."""
    tests = Path(__file__).parent
    assert (tests / f"test_{name}.py").is_file() or any((tests / name).rglob("test_*.py"))
