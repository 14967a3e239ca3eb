"""What is released: the tag fits, the wheel holds what it should, and what it installs works."""

import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest
import release

ROOT = Path(__file__).resolve().parent.parent
CHANGES = "# Changelog\n\n## Unreleased\n\n## 1.2.0, 2026-12-24\n\n- New.\n\n## 1.1.0\n\n- Old.\n"


@pytest.fixture
def root(tmp_path):
    """A repository that is ready for the tag v1.2.0."""
    (tmp_path / "CHANGELOG.md").write_text(CHANGES)
    (tmp_path / "pyproject.toml").write_text('[project]\nversion = "1.2.0"\n')
    (tmp_path / "fmcore").mkdir()
    (tmp_path / "fmcore/__init__.py").write_text('__version__ = "1.2.0"\n')
    (tmp_path / "CITATION.cff").write_text(
        "cff-version: 1.2.0\nversion: 1.2.0\ndate-released: 2026-12-24\n"
    )
    return tmp_path


def test_a_tag_that_fits(root):
    release.check_tag("v1.2.0", root)
    assert release.notes("v1.2.0", root) == ("2026-12-24", "- New.")


@pytest.mark.parametrize(
    ("tag", "file", "old", "new", "message"),
    [
        ("1.2.0", "CHANGELOG.md", "", "", "a tag is v1.2.3, not '1.2.0'"),
        ("v1.3.0", "CHANGELOG.md", "", "", 'needs a heading "## 1.3.0, 2026-12-24"'),
        ("v1.1.0", "CHANGELOG.md", "", "", 'needs a heading "## 1.1.0, 2026-12-24"'),
        ("v1.2.0", "CHANGELOG.md", "- New.", "", "and text below it"),
        ("v1.2.0", "CHANGELOG.md", "-24", "-42", "day is out of range"),
        ("v1.2.0", "CHANGELOG.md", "Unreleased\n", "Unreleased\n\n- More.\n", "belong to 1.2.0"),
        ("v1.2.0", "pyproject.toml", "1.2.0", "1.1.0", "in pyproject.toml must be 1.2.0, is 1.1.0"),
        ("v1.2.0", "fmcore/__init__.py", "1.2.0", "1.1.0", "__version__ must be 1.2.0, is 1.1.0"),
        (
            "v1.2.0",
            "CITATION.cff",
            "\nversion: 1.2",
            "\nversion: 1.1",
            "CITATION.cff must be 1.2.0",
        ),
        (
            "v1.2.0",
            "CITATION.cff",
            "-24",
            "-23",
            "date-released in CITATION.cff must be 2026-12-24",
        ),
    ],
)
def test_a_tag_that_does_not_fit(root, tag, file, old, new, message):
    text = (root / file).read_text()
    (root / file).write_text(text.replace(old, new))
    with pytest.raises(ValueError, match=message):
        release.check_tag(tag, root)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel of this tree, made without the registry."""
    pytest.importorskip("hatchling")
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (file,) = folder.glob("*.whl")
    return file


def test_a_wheel_holds_code_scripts_weights_results_data_and_nothing_else(wheel):
    held = set(release.check_wheel(wheel))
    files = [file for file in (ROOT / "fmcore").rglob("*") if file.is_file()]
    ours = {f.relative_to(ROOT).as_posix() for f in files if "__pycache__" not in f.parts}
    results = {f"fmcore/assets/results/{f.name}" for f in ROOT.glob("benchmarks/results/*.json")}
    assert {name for name in held if name.startswith("fmcore/")} == ours | results


@pytest.mark.parametrize(
    ("add", "leave_out"),
    [
        ("tests/test_a.py", ""), ("fmcore/book.ipynb", ""), ("fmcore/assets/.cache", ""),
        ("fmcore/viz/js/node_modules/a.ts", ""), ("", "fmcore/assets/mnist.safetensors"),
    ],
)  # fmt: skip
def test_a_wheel_that_holds_other_things_is_refused(wheel, tmp_path, add, leave_out):
    other = tmp_path / wheel.name
    with zipfile.ZipFile(wheel) as given, zipfile.ZipFile(other, "w") as made:
        for name in given.namelist():
            if name != leave_out:
                made.writestr(name, "")
        if add:
            made.writestr(add, "")
    with pytest.raises(ValueError, match=f"must not hold .*{add}.*must hold .*{leave_out}"):
        release.check_wheel(other)


def test_what_the_wheel_installs_works(wheel, tmp_path):
    """In an environment with its dependencies alone, where no repository is near."""
    venv.create(tmp_path / "venv", symlinks=True)
    python = tmp_path / "venv" / "bin" / "python"
    (packages,) = (tmp_path / "venv" / "lib").glob("python*/site-packages")
    zipfile.ZipFile(wheel).extractall(packages)
    # The folder alone: the .pth files in it, one of which leads to this tree, are not read.
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib"))
    script = shutil.copy(ROOT / "tools" / "release.py", tmp_path)
    done = subprocess.run(
        [python, "-I", script, "try"], capture_output=True, text=True, cwd=tmp_path
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert "examples work" in done.stdout
