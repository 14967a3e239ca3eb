"""The repository keeps its own promises: locked versions, clean notebooks, a light import."""

import json
import re
import socket
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import book

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = sorted((ROOT / "book").glob("*.ipynb"))
CHAPTERS = [path for path in NOTEBOOKS if re.match(r"\d\d_", path.name)]

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def cells(notebook: Path, kind: str = "code") -> list[dict]:
    content = json.loads(notebook.read_text(encoding="utf-8"))
    return [cell for cell in content["cells"] if cell["cell_type"] == kind]


def tags(cell: dict) -> set[str]:
    return set(cell["metadata"].get("tags", []))


# ---- packages


def test_lock_names_no_host_index_or_path():
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    pin = re.compile(r"[a-z0-9._-]+==[\w.!+]+( ; .+)?")
    unexpected = [line for line in lines if not line.startswith("# ") and not pin.fullmatch(line)]
    assert not unexpected
    assert not [line for line in lines if "://" in line or re.search(r"(^|\s)[./~]", line)]


def test_lock_pins_every_direct_dependency():
    pinned = set(re.findall(r"^([a-z0-9._-]+)==", (ROOT / "requirements.txt").read_text(), re.M))
    extras = PROJECT["optional-dependencies"].values()
    asked = [*PROJECT["dependencies"], *(name for extra in extras for name in extra)]
    names = {re.match(r"[A-Za-z0-9._-]+", requirement)[0].lower() for requirement in asked}
    assert names - {"fmcore"} <= pinned


def test_the_tools_for_scripts_are_pinned_and_name_no_registry():
    asked = json.loads((ROOT / "tools/js/package.json").read_text())["devDependencies"]
    lock = json.loads((ROOT / "tools/js/package-lock.json").read_text())["packages"]
    assert all(lock[f"node_modules/{name}"]["version"] == asked[name] for name in asked)
    assert not [package for package in lock.values() if "resolved" in package]


@pytest.mark.parametrize(
    "requirement", PROJECT["dependencies"] + PROJECT["optional-dependencies"]["labs"]
)
def test_installing_fmcore_can_keep_what_is_installed(requirement):
    assert re.fullmatch(r"[A-Za-z0-9._-]+>=[\d.]+", requirement)


# What Colab offered when this was written; an update there only raises the versions.
COLAB = {"torch": "2.11", "numpy": "2.1", "matplotlib": "3.10", "ipywidgets": "7.7.1"}


@pytest.mark.parametrize("name", COLAB)
def test_colab_satisfies_the_lower_bounds(name):
    requirements = PROJECT["dependencies"] + PROJECT["optional-dependencies"]["labs"]
    (bound,) = [r.split(">=")[1] for r in requirements if r.split(">=")[0] == name]
    assert version(bound) <= version(COLAB[name])


def version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split("."))


# ---- the book


def test_table_of_contents_and_folder_agree():
    pages = NOTEBOOKS + sorted((ROOT / "book").rglob("*.md"))
    assert sorted(book.pages()) == sorted(str(p.relative_to(ROOT).with_suffix("")) for p in pages)


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_is_stored_clean(notebook):
    content = json.loads(notebook.read_text(encoding="utf-8"))
    assert content["nbformat"] == 4 and content["nbformat_minor"] >= 5
    ids = [cell.get("id") for cell in content["cells"]]
    assert all(ids) and len(set(ids)) == len(ids)
    for cell in cells(notebook):
        assert cell["outputs"] == [] and cell["execution_count"] is None
    assert content["metadata"]["kernelspec"]["name"] == "python3"


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_visible_code_cells_are_short(notebook):
    hidden = {"hide-input", "hide-cell", "remove-input", "remove-cell"}
    for cell in cells(notebook):
        if not tags(cell) & hidden:
            source = "".join(cell["source"])
            assert len(source.splitlines()) <= 15, f"{cell['id']}:\n{source}"


@pytest.mark.parametrize("notebook", CHAPTERS, ids=lambda path: path.stem)
def test_chapter_ends_in_checks(notebook):
    checks = [cell for cell in cells(notebook) if "checks" in tags(cell)]
    assert checks, "no cell is tagged 'checks'"
    assert any("assert" in "".join(cell["source"]) for cell in checks)


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_figures_have_a_text_alternative(notebook):
    for cell in cells(notebook):
        mystnb = cell["metadata"].get("mystnb", {})
        if "figure" in mystnb:
            assert mystnb["figure"].get("caption"), cell["id"]
            assert mystnb.get("image", {}).get("alt"), cell["id"]


def test_a_chapter_survives_a_kernel_whose_port_is_taken(monkeypatch):
    """Twice in a row; the third time there is an error that says what the kernel said."""
    kernel = pytest.importorskip("nbval.kernel")
    ports = pytest.importorskip("jupyter_client.connect").LocalPortCache
    taken, find = [], ports.find_available_port

    def find_a_port_that_is_taken_soon(cache, ip):
        port = find(cache, ip)
        if next(spoil):
            taken.append(socket.create_server((ip, port)))
        return port

    monkeypatch.setattr(ports, "find_available_port", find_a_port_that_is_taken_soon)
    fails = [True] + [False] * 4
    spoil = iter(fails * 2 + [False] * 5)
    running = kernel.RunningKernel(kernel.CURRENT_ENV_KERNEL_NAME)
    assert running.is_alive() and len(taken) == 2
    running.stop()
    spoil = iter(fails * 3)
    with pytest.raises(RuntimeError, match=r"(?s)Kernel died.* It said:.*in use.*tcp://127.0.0.1"):
        kernel.RunningKernel(kernel.CURRENT_ENV_KERNEL_NAME)
    for server in taken:
        server.close()


# ---- the library


@pytest.mark.parametrize(
    ("module", "heavy"),
    [
        ("fmcore", ["matplotlib", "ipywidgets", "IPython", "torchvision", "scipy", "tyro"]),
        ("fmcore.cli.export", ["matplotlib", "ipywidgets", "IPython"]),
    ],
)
def test_import_is_light(module, heavy):
    code = f"import sys, {module}; print([m for m in {heavy} if m in sys.modules])"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert loaded.returncode == 0, loaded.stderr
    assert loaded.stdout.strip() == "[]"
