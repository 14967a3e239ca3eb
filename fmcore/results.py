"""What was measured: the results that the book reads, and what each of them says of its origin.

They are written by the scripts in `benchmarks/` and travel with the library, so that a chapter that
runs in Colab finds them. No number of the book is typed in by hand.
"""

from __future__ import annotations

import json
import platform
import shlex
import sys
import time
from pathlib import Path

import torch

from fmcore.checks import one_of
from fmcore.devices import device_name
from fmcore.files import ASSETS, replacing

__all__ = ["keep", "measured", "origin", "results_folder"]

ORIGIN = ("device", "seed", "date", "python", "torch", "command")


def measured(name: str) -> dict:
    """The results called `name`: `"about"`, where all of it is from, and `"rows"`.

    What a row says of its origin (`ORIGIN`: device, seed, date, versions, command) holds for the
    row; what it does not say stands in `"about"`. Raises `ValueError` for a name that is not there.

    >>> measured("training")["about"]["command"]
    'python benchmarks/training.py'
    """
    folder = results_folder()
    one_of("name", name, sorted(file.stem for file in folder.glob("*.json")))
    return json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))


def results_folder() -> Path:
    """`assets/results` of an installed library, in the repository `benchmarks/results`."""
    installed = ASSETS / "results"
    return installed if installed.is_dir() else ASSETS.parent.parent / "benchmarks" / "results"


def origin(*, device: str = "cpu", seed: int | None = None) -> dict:
    """What every result says of itself: device, seed, date, versions, and the command that ran.

    >>> sorted(origin(seed=0)) == sorted(ORIGIN)
    True
    """
    return {
        "device": device_name(device),
        "seed": seed,
        "date": time.strftime("%Y-%m-%d"),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "command": _command(),
    }


def _command() -> str:
    """What ran, as one would type it in the repository and not where it lies on this machine."""
    file, arguments = Path(sys.argv[0]), sys.argv[1:]
    script = ["python", str(Path(*file.parts[-2:]))]
    return shlex.join([*(script if file.suffix == ".py" else [file.name]), *arguments])


def keep(file: Path, about: dict, rows: list[dict]) -> None:
    """Write results so that a process that is killed leaves the old file whole."""
    with replacing(file) as stream:
        stream.write((json.dumps({"about": about, "rows": rows}, indent=1) + "\n").encode())
