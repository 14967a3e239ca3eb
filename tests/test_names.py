"""What may be imported: every room says its public names, and what is flat is among them."""

import ast
import importlib
from pathlib import Path

import fmcore

PACKAGE = Path(fmcore.__file__).parent
GROUND = {"__init__", "__main__", "checks", "devices", "files", "flat"}
ROOMS = [f"fmcore.{file.stem}" for file in PACKAGE.glob("*.py") if file.stem not in GROUND]
ROOMS += [f"fmcore.{file.parent.name}" for file in PACKAGE.glob("*/__init__.py")]
INNER = "fields.targets fields.winds solvers.tableaus training.checkpoints training.processes "
INNER += "training.recipes viz.labs viz.stills.plots"  # which have a name of their own
FLAT = ast.parse((PACKAGE / "flat.py").read_text(encoding="utf-8"))


def test_every_room_says_its_names():
    for room in [*ROOMS, *(f"fmcore.{name}" for name in INNER.split())]:
        module = importlib.import_module(room)
        assert len({*module.__all__}) == len(module.__all__) > 0, room
        assert all(hasattr(module, name) for name in module.__all__), room


def test_what_is_flat_is_public_where_it_lives():
    places = {
        alias.name: node.module
        for node in FLAT.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    for name in fmcore.__all__:
        assert name in importlib.import_module(places[name]).__all__, name
    assert {"ImageData", "save_grid", "image_grid", "to_unit", "from_unit"} <= {*fmcore.__all__}


def test_annotations_are_for_users_too():
    """PEP 561: without this file a type checker looks at none of them. The wheel takes it along."""
    assert (PACKAGE / "py.typed").is_file()
