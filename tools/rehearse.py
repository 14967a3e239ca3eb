"""Run twins as Colab would: another environment, an empty folder, and no fmcore until it installs.

    python tools/rehearse.py             three of them, others every day    make rehearse
    python tools/rehearse.py 01_wind     these
    python tools/rehearse.py --all       every one, with a log in benchmarks/results/twins.json

The first cell of a twin installs fmcore from the repository; here from a bare copy of what lies in
this folder, over loopback. What the environment had before must be there afterwards, and the same.
A fresh environment is a copy of one in _build/rehearsal, made of hard links, so it costs nothing.
"""

from __future__ import annotations

import argparse
import functools
import hashlib
import http.server
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import twins
from twin_kernel import CellFailed, Kernel, kernel, play

from book import BUILD, ROOT, chapters

ADDRESS = "https://github.com/owner/name"  # stamped into the twins that are rehearsed
# Colab's versions of what talks to the page; the rest as locked, so that it is downloaded once.
COLAB = ["ipython==7.34.0", "ipywidgets==7.7.1", "ipykernel"]
HAS = ["torch", "torchvision", "numpy", "matplotlib"]
LOCKED = re.compile(rf"(?m)^(?:{'|'.join(HAS)}|triton|nvidia-[\w-]+)==.*$")
RESULT = ROOT / "benchmarks" / "results" / "twins.json"
A_RUN = 3


@functools.cache
def python() -> str:
    """The interpreter to rehearse with: REHEARSE_PYTHON, or one as Colab has, or else this one."""
    asked = os.environ.get("REHEARSE_PYTHON")
    kept = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    found = [asked] if asked else ["python3.13", "python3.12"]
    if not asked and kept.is_dir():  # pyenv's own commands refuse what was not chosen
        found += sorted(map(str, kept.glob("3.1[23].*/bin/python")), reverse=True)
    for path in filter(None, map(shutil.which, found)):
        if subprocess.run([path, "-c", ""], capture_output=True).returncode == 0:
            return path
    if asked:
        raise ValueError(f"REHEARSE_PYTHON must name an interpreter, got {asked!r}")
    return sys.executable


def environment(build: Path = BUILD) -> Path:
    """An environment without fmcore, made once for each interpreter and lock."""
    pins = "\n".join(LOCKED.findall((ROOT / "requirements.txt").read_text("utf-8")))
    version = subprocess.check_output([python(), "-VV"], text=True)
    key = hashlib.sha256("\n".join([version, pins, *COLAB, *HAS]).encode()).hexdigest()[:12]
    folder = build / "rehearsal" / f"environment-{key}"
    if (folder / ".made").exists():
        return folder
    shutil.rmtree(build / "rehearsal", ignore_errors=True)  # an older one
    folder.mkdir(parents=True)
    (build / "rehearsal" / "pins.txt").write_text(pins, "utf-8")
    uv = shutil.which("uv") or Path(sys.executable).with_name("uv")
    subprocess.run(
        [uv, "venv", "-q", "--clear", "--seed", "--python", python(), folder], check=True
    )
    pinned = ["-c", build / "rehearsal" / "pins.txt", *COLAB, *HAS]
    install = [uv, "pip", "install", "-q", "--python", folder / "bin" / "python", *pinned]
    subprocess.run(install, check=True)
    (folder / ".made").touch()
    return folder


LIST = """
import importlib.metadata, json
print(json.dumps({d.metadata["Name"]: d.version for d in importlib.metadata.distributions()}))
"""


def packages(folder: Path) -> dict[str, str]:
    """What is installed in an environment, with its versions."""
    command = [folder / "bin" / "python", "-I", "-c", LIST]
    return dict(sorted(json.loads(subprocess.check_output(command)).items()))


@contextmanager
def served() -> Iterator[str]:
    """The address, on loopback, of a bare repository with what lies in this folder."""
    with tempfile.TemporaryDirectory() as scratch:
        work, bare = Path(scratch, "work"), Path(scratch, "name.git")
        _copy(work)
        me = ["-c", "user.name=rehearsal", "-c", "user.email=rehearsal@localhost"]
        for command in (
            ["-C", work, "init", "-q"],
            ["-C", work, "add", "-A"],
            ["-C", work, *me, "commit", "-q", "--no-gpg-sign", "-m", "what lies here"],
            ["clone", "-q", "--bare", work, bare],
            ["-C", bare, "repack", "-q", "-a", "-d"],
            ["-C", bare, "update-server-info"],
        ):
            subprocess.run(["git", *command], check=True)
        handler = functools.partial(_Quiet, directory=scratch)
        with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            yield f"http://127.0.0.1:{server.server_address[1]}/name.git"
            server.shutdown()


def _copy(work: Path) -> None:
    """The parts of this folder that fmcore is built from."""
    ignore = shutil.ignore_patterns("__pycache__", "*.pyc")
    for name in ("fmcore", "benchmarks/results"):
        shutil.copytree(ROOT / name, work / name, ignore=ignore)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, work)


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def fresh() -> Iterator[tuple[Kernel, Path]]:
    """A kernel as Colab starts one, in an empty folder, and the environment that it runs in."""
    base = environment()
    with tempfile.TemporaryDirectory(dir=base.parent) as scratch:
        copy, empty, home = (Path(scratch, part) for part in ("environment", "folder", "home"))
        shutil.copytree(base, copy, symlinks=True, copy_function=os.link)
        empty.mkdir()
        home.mkdir()
        with kernel(copy / "bin" / "python", empty, _surroundings(copy, home)) as running:
            yield running, copy


def read(name: str, folder: Path, repository: str) -> dict:
    """A twin that installs fmcore from `repository`."""
    text = (folder / f"{name}.ipynb").read_text("utf-8")
    return json.loads(text.replace(f"git+{ADDRESS}", f"git+{repository}"))


def rehearse(name: str, folder: Path, repository: str, times: int = 1) -> dict:
    """Run a twin in a fresh environment; return times, versions and what was installed.

    Raises CellFailed, and AssertionError if a package that was there is another one now.
    """
    notebook = read(name, folder, repository)
    with fresh() as (running, copy):
        before = packages(copy)
        start = time.monotonic()
        _, error = running.run(first(notebook))
        installed = time.monotonic() - start
        if error:
            raise CellFailed(f"{name}: the first cell said {error}")
        start = time.monotonic()
        for _ in range(times):
            seen = play(running, notebook)
        ran = time.monotonic() - start
        version = running.run("import platform; print(platform.python_version())")[0].strip()
        after = packages(copy)
    replaced = {p: [v, after.get(p)] for p, v in before.items() if after.get(p) != v}
    assert not replaced, f"{name}: installing fmcore replaced {replaced}"
    return {
        "twin": name,
        "python": version,
        "seconds_install": round(installed, 1),
        "seconds_run": round(ran, 1),
        "runs_in_one_kernel": times,
        "cells": seen["cells"],
        "sliders_moved": seen["sliders"],
        "installed": {p: v for p, v in after.items() if p not in before},
        "before": before,
    }


def first(notebook: dict) -> str:
    """The first code cell, which installs fmcore."""
    return next("".join(c["source"]) for c in notebook["cells"] if c["cell_type"] == "code")


def _surroundings(fresh: Path, home: Path) -> dict[str, str]:
    """The variables of the kernel: nothing of this project, no data, a home that is empty."""
    ours = re.compile(r"PYTHON|VIRTUAL_ENV|JUPYTER|IPYTHON|FMCORE|MPL|XDG|TORCH_HOME|HF_HOME")
    kept = {key: value for key, value in os.environ.items() if not ours.match(key)}
    path = f"{fresh / 'bin'}{os.pathsep}{os.environ['PATH']}"
    downloads = str(fresh.parent.parent / "downloads")  # pip's, kept from one twin to the next
    return kept | {"HOME": str(home), "PATH": path, "PIP_CACHE_DIR": downloads}


def write_twins() -> Path:
    """The twins to rehearse, as they will be published: with an address."""
    folder = BUILD / "rehearsed"
    twins.write(folder, ADDRESS)
    return folder


def turn(names: list[str], day: int | None = None) -> list[str]:
    """The twins of a day: three, so that all had their turn after a few days."""
    start = A_RUN * (date.today().toordinal() if day is None else day)
    return [names[(start + i) % len(names)] for i in range(min(A_RUN, len(names)))]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help="twins, such as 01_wind; three in turn if none")
    parser.add_argument("--all", action="store_true", help="every twin, with a log")
    parser.add_argument("--twice", action="store_true", help="each twice in one kernel")
    arguments = parser.parse_args()
    known = [Path(page).name for page in chapters()]
    if strangers := sorted({*arguments.names} - {*known}):
        sys.exit(f"There is no twin {', '.join(strangers)}: choose from {', '.join(known)}")
    names = known if arguments.all else arguments.names or turn(known)
    folder, rows = write_twins(), []
    with served() as repository:
        for name in names:
            rows.append(rehearse(name, folder, repository, 1 + arguments.twice))
            row = rows[-1]
            (BUILD / "rehearsal" / "rows.json").write_text(json.dumps(rows), "utf-8")
            print(
                f"{name}: fmcore in {row['seconds_install']} s, {row['cells']} cells in "
                f"{row['seconds_run']} s, {row['sliders_moved']} sliders moved, "
                f"{len(row['installed'])} packages added, none replaced",
                flush=True,
            )
    if arguments.all:  # the log of a whole run
        from fmcore.results import keep, origin  # with torch

        before = rows[0]["before"]
        assert all(row.pop("before") == before for row in rows)
        keep(RESULT, origin(seed=0) | {"packages_before": before}, rows)


if __name__ == "__main__":
    main()
