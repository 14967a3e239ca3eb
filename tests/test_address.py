"""The address of the repository: in one place, and nothing is installed from a name nobody owns."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

ROOT = Path(__file__).resolve().parent.parent

from stamp import repository, stamp  # noqa: E402

ADDRESS, OTHER = "https://github.com/owner-1/a.book_2", "https://github.com/second/one"
# Other people's repositories, which the book cites or compares with, and what CI uses.
CITED = {
    "Stability-AI/sd3.5",
    "black-forest-labs/flux",
    "facebookresearch/flow_matching", "rtqichen/torchdiffeq", "atong01/conditional-flow-matching",
}  # fmt: skip
# What writes an address in, where there is one.
WITH_PLACEHOLDERS = ("tools/stamp.py", "tools/twin_cells.py", "tools/rehearse.py")
INSTALLS = re.compile(r"git\+|pip install[^\n]*(https?:|@ )|git clone")


def tracked():
    """All text files of the project, as they are now, also in a copy without its history."""
    for file in sorted(ROOT.rglob("*")):
        name = file.relative_to(ROOT).as_posix()
        made = re.search(
            r"(^|/)(\.venv|\.git|_build|node_modules|__pycache__|\.\w+_cache)(/|$)", name
        )
        text = file.suffix not in (".png", ".safetensors", ".gz", ".pt", ".woff2", ".pyc")
        if file.is_file() and text and not made:
            yield name, file.read_text(encoding="utf-8", errors="replace")


@pytest.fixture
def copy(tmp_path):
    """The files that are stamped, in a folder of their own."""
    (tmp_path / "book").mkdir()
    for file in (ROOT / "book").glob("*.ipynb"):
        shutil.copy(file, tmp_path / "book")
    for name in ("pyproject.toml", "README.md"):
        shutil.copy(ROOT / name, tmp_path)
    stamp("", tmp_path)
    return tmp_path


def contents(folder):
    return {file.name: file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def test_no_address_of_a_repository_stands_outside_its_place():
    ours = repository().removeprefix("https://github.com/")
    for name, text in tracked():
        if name.startswith(("tools/stamp.py", "tests/test_address.py")) or "package-lock" in name:
            continue
        found = {
            match[1].removesuffix(".git")
            for match in re.finditer(
                r"(?:github\.com|githubusercontent\.com)/([\w.-]+/[\w.-]+)", text
            )
        }
        assert found <= CITED | {ours, "owner/name"}, name
        colab = re.findall(r"colab\.research\.google\.com/github/([\w.-]+/[\w.-]+)", text)
        assert {*colab} <= {ours}, name


def test_without_an_address_nothing_is_installed_from_one():
    if repository():
        pytest.skip("this copy has an address")
    for name, text in tracked():
        if not name.startswith((*WITH_PLACEHOLDERS, "tests/", "tools/js/")):
            assert not INSTALLS.search(text), name


def test_an_address_reaches_every_place(copy):
    stamp(ADDRESS, copy)
    assert repository(copy) == ADDRESS
    install = f'"fmcore @ git+{ADDRESS}"'
    assert f"pip install {install}" in (copy / "README.md").read_text(encoding="utf-8")
    for file in (copy / "book").glob("*.ipynb"):
        cells = json.loads(file.read_text(encoding="utf-8"))["cells"]
        first = next("".join(c["source"]) for c in cells if c["cell_type"] == "code")
        assert f'    %pip install -q "fmcore[labs] @ git+{ADDRESS}"' in first.splitlines()
    page = "".join(
        "".join(c["source"])
        for c in json.loads((copy / "book/index.ipynb").read_text(encoding="utf-8"))["cells"]
    )
    assert f"git clone {ADDRESS} && cd a.book_2" in page and f"pip install {install}" in page
    assert (
        "https://colab.research.google.com/github/owner-1/a.book_2/blob/twins/01_wind.ipynb" in page
    )


def test_stamping_can_be_repeated_changed_and_undone(copy):
    bare = contents(copy)
    stamp(ADDRESS, copy)
    once = contents(copy)
    stamp(ADDRESS + ".git/", copy)
    assert contents(copy) == once != bare
    stamp(OTHER, copy)
    assert ADDRESS.encode() not in b"".join(contents(copy).values())
    stamp("", copy)
    assert contents(copy) == bare


@pytest.mark.parametrize(
    "address",
    [
        "owner/name", "http://github.com/owner/name", "https://github.com/owner",
        "https://example.com/owner/name", "https://github.com/owner/name/tree/main",
        'https://github.com/owner/name" --index-url "https://example.com', "git@github.com:a/b",
    ],
)  # fmt: skip
def test_what_is_no_address_is_refused_and_changes_nothing(copy, address):
    before = contents(copy)
    with pytest.raises(ValueError, match=r"REPO must be https://github.com/owner/name, got"):
        stamp(address, copy)
    assert contents(copy) == before


def test_a_place_that_is_gone_is_named(copy):
    readme = copy / "README.md"
    readme.write_text(readme.read_text(encoding="utf-8").replace("pip install .", "pip"))
    before = contents(copy)
    with pytest.raises(ValueError, match="README.md must say once: 'pip install"):
        stamp(ADDRESS, copy)
    assert contents(copy) == before


def test_the_first_cell_says_what_to_do_where_there_is_no_library(copy):
    """As Python runs it, in a folder without `fmcore`."""
    cells = json.loads((copy / "book/01_wind.ipynb").read_text(encoding="utf-8"))["cells"]
    first = next("".join(c["source"]) for c in cells if c["id"] == "setup")
    hidden = "import sys\nsys.modules['fmcore'] = None\n"
    ran = subprocess.run(
        [sys.executable, "-c", hidden + first], cwd=copy, capture_output=True, text=True
    )
    assert ran.returncode != 0 and "ModuleNotFoundError" in ran.stderr
    assert 'In a copy of this repository, run:\n    pip install ".[labs]"' in ran.stdout


@pytest.mark.parametrize("address", ["", ADDRESS])
def test_the_site_has_buttons_only_for_an_address(address, monkeypatch):
    module = pytest.importorskip("sphinx_fmbook")
    monkeypatch.setattr(module, "repository", lambda: address)
    config = SimpleNamespace(html_theme_options={"kept": True})
    module.show_repository(None, config)
    options = config.html_theme_options
    assert options.pop("kept") and bool(options) == bool(address)
    if address:
        assert options["repository_url"] == address and options["use_repository_button"]
        assert options["launch_buttons"]["colab_url"] == "https://colab.research.google.com"


def test_the_buttons_of_a_chapter_open_its_twin():
    module = pytest.importorskip("sphinx_fmbook")
    colab = "https://colab.research.google.com/github/owner-1/a.book_2/blob/"
    buttons = [{"url": f"{colab}main/book/01_wind.ipynb"}, {"url": f"{ADDRESS}/issues"}, {}]
    context = {"header_buttons": [{"type": "group", "buttons": buttons}, {"type": "link"}]}
    module.launch_twins(None, "book/01_wind", "page.html", context, None)
    assert buttons == [{"url": f"{colab}twins/01_wind.ipynb"}, {"url": f"{ADDRESS}/issues"}, {}]
