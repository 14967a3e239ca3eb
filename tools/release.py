"""Is this ready to be released? What the tag says, what the wheel holds, and whether it works.

    python tools/release.py tag v0.2.0          version, changelog and CITATION.cff say the same
    python tools/release.py notes v0.2.0        what the changelog says of it
    python tools/release.py wheel dist/*.whl    it holds what it should, and nothing else
    python tools/release.py try                 run by the Python of an environment with the wheel

The last one needs nothing but what the wheel brings: it runs `fmcore sample` and every example of a
docstring. `.github/workflows/release.yml` asks all of them.
"""

from __future__ import annotations

import datetime
import doctest
import importlib
import pkgutil
import re
import subprocess
import sys
import tempfile
import tomllib
import zipfile
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent

# All that a wheel holds: code, scripts of the figures, weights, results, the embedded data.
HOLDS = re.compile(
    r"""fmcore/ (?: (?!assets/) [\w/]+ \.py | py\.typed | viz/style\.css | viz/js/ [\w/]+ \.js
            | assets/ (?: [\w/]+ \.(?: safetensors | md ) | mnist_\w+\.png | results/\w+\.json ) )
      | fmcore-[\w.]+\.dist-info/ (?: METADATA | WHEEL | RECORD | entry_points\.txt
                                    | licenses/LICENSE )""",
    re.VERBOSE,
)
NEEDED = ("fmcore/__init__.py", "fmcore/py.typed", "fmcore/assets/mnist.safetensors",
          "fmcore/assets/mnist_train.png", "fmcore/assets/results/training.json",
          "fmcore/viz/js/flow_figure.js", "fmcore/viz/style.css")  # fmt: skip
LARGEST = 10_000_000  # bytes


class Version(NamedTuple):
    name: str  # 0.2.0, or Unreleased
    day: str  # 2026-12-24; nothing as long as it is not released
    text: str  # Markdown


def versions(changelog: Path) -> list[Version]:
    """The versions of a changelog, the newest first, each under "## 0.2.0, 2026-12-24"."""
    parts = re.split(r"(?m)^## (.+)\n", changelog.read_text("utf-8"))[1:]
    found = []
    for heading, text in zip(parts[::2], parts[1::2], strict=True):
        name, _, day = heading.partition(", ")
        found.append(Version(name.strip(), day.strip(), text.strip()))
    return found


def notes(tag: str, root: Path = ROOT) -> tuple[str, str]:
    """The day of a version, and what the changelog says of it.

    Raises ValueError if it says nothing.
    """
    name = tag.removeprefix("v")
    for version, day, text in versions(root / "CHANGELOG.md"):
        if version == name and day and text:
            return day, text
    raise ValueError(f'CHANGELOG.md needs a heading "## {name}, 2026-12-24" and text below it')


def check_tag(tag: str, root: Path = ROOT) -> None:
    """Raises ValueError unless everything that names a version names that of the tag."""
    if not re.fullmatch(r"v\d+\.\d+\.\d+", tag):
        raise ValueError(f"a tag is v1.2.3, not {tag!r}")
    version = tag.removeprefix("v")
    project = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["project"]
    cited = dict(re.findall(r"(?m)^(\S+): (\S+)$", (root / "CITATION.cff").read_text("utf-8")))
    library = (root / "fmcore" / "__init__.py").read_text("utf-8")
    own = re.search(r'(?m)^__version__ = "(.+)"$', library)
    day, _ = notes(tag, root)
    datetime.date.fromisoformat(day)
    says = {
        "the version in pyproject.toml": (project["version"], version),
        "fmcore.__version__": (own and own[1], version),
        "the version in CITATION.cff": (cited.get("version"), version),
        "date-released in CITATION.cff": (cited.get("date-released"), day),
    }
    for what, (now, wanted) in says.items():
        if now != wanted:
            raise ValueError(f"{what} must be {wanted}, is {now}")
    if any(name == "Unreleased" and text for name, _, text in versions(root / "CHANGELOG.md")):
        raise ValueError(f"CHANGELOG.md still has unreleased changes: they belong to {version}")


def check_wheel(wheel: Path) -> list[str]:
    """The files in a wheel. Raises ValueError for one that does not belong there, or is missing."""
    names = zipfile.ZipFile(wheel).namelist()
    strange = [name for name in names if not HOLDS.fullmatch(name)]
    missing = [name for name in NEEDED if name not in names]
    if strange or missing:
        raise ValueError(f"{wheel.name} must not hold {strange}, must hold {missing}")
    if (size := wheel.stat().st_size) > LARGEST:
        raise ValueError(f"{wheel.name} has {size:,} bytes, more than {LARGEST:,}")
    return names


def examples() -> doctest.TestResults:
    """Run the examples of all docstrings of the installed fmcore.

    Those of a module that needs a package which `fmcore` alone does not bring are left out.
    """
    import fmcore

    failed = tried = 0
    for module in pkgutil.walk_packages(fmcore.__path__, "fmcore."):
        if module.name.endswith("__main__"):
            continue
        try:
            loaded = importlib.import_module(module.name)
        except ImportError as error:
            if (error.name or "fmcore").startswith("fmcore"):
                raise
            print(f"{module.name} needs {error.name}: left out")
            continue
        flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
        result = doctest.testmod(loaded, optionflags=flags)
        failed, tried = failed + result.failed, tried + result.attempted
    return doctest.TestResults(failed, tried)


def try_out() -> None:
    """Use the fmcore of this Python as someone would who has just installed it.

    Raises ValueError if it is that of the repository, or if an example fails.
    """
    import fmcore

    if Path(fmcore.__file__).resolve().parent.parent == ROOT:
        raise ValueError(
            "this is the fmcore of the repository: run it where the wheel is installed"
        )
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-I", "-m", "fmcore", "sample", "--n", "4", "--out", "four.png"]
        subprocess.run(command, cwd=folder, check=True)
        if not Path(folder, "four.png").stat().st_size:
            raise ValueError("fmcore sample wrote nothing")
    result = examples()
    if result.failed or result.attempted < 100:
        raise ValueError(f"of {result.attempted} examples {result.failed} failed")
    print(f"fmcore sample and {result.attempted} examples work")


def main() -> None:
    match sys.argv[1:]:
        case ["tag", tag]:
            check_tag(tag)
        case ["notes", tag]:
            print(notes(tag)[1])
        case ["wheel", wheel]:
            print(f"{len(check_wheel(Path(wheel)))} files, as they should be")
        case ["try"]:
            try_out()
        case _:
            raise ValueError("say what to check: tag v1.2.3, notes v1.2.3, wheel FILE, or try")


if __name__ == "__main__":
    try:
        main()
    except ValueError as problem:
        sys.exit(f"release: {problem}")
