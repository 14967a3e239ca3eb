"""The rooms of viz: what they offer, and that none is built on what is built on it."""

import ast
from graphlib import TopologicalSorter
from pathlib import Path

import fmcore.viz

FOLDER = Path(fmcore.viz.__file__).parent


def imported(file):
    """The modules of viz that a file imports when it is imported itself."""
    package = ("fmcore", "viz", *file.relative_to(FOLDER).parent.parts)
    for node in ast.parse(file.read_text("utf-8")).body:
        if isinstance(node, ast.ImportFrom):
            above = package[: len(package) + 1 - node.level] if node.level else ()
            module = ".".join((*above, *filter(None, [node.module])))
            yield from (f"{module}.{alias.name}" for alias in node.names)
            yield module


def test_no_module_imports_itself_through_others():
    files = {
        ".".join(("fmcore", "viz", *file.relative_to(FOLDER).with_suffix("").parts)): file
        for file in FOLDER.rglob("*.py")
        if file.name != "__init__.py"
    }
    graph = {name: set(imported(file)) & set(files) for name, file in files.items()}
    assert graph["fmcore.viz.living.still"] >= {"fmcore.viz.stills.plots", "fmcore.viz.theme"}
    TopologicalSorter(graph).prepare()  # raises CycleError


def test_viz_offers_these_names():
    assert set(fmcore.viz.__all__) == {
        "labs", "plots", "DigitFigure", "FlowFigure", "HandFigure", "JumpFigure", "PairFigure",
        "PlaygroundFigure", "WireFigure",
        "COLORS", "ramp", "solver_style", "theme", "use_theme",
    }  # fmt: skip
    assert all(hasattr(fmcore.viz, name) for name in fmcore.viz.__all__)
