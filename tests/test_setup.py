"""`make` and its environment: in a copy, under another name, with another Python, without rights.

A program in the place of `uv` makes environments without packages, and notes what it was asked.
"""

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
if os.name != "posix" or not shutil.which("make"):
    pytest.skip("needs make and a shell", allow_module_level=True)

UV = """#!/bin/sh
echo "$* ${UV_NO_CACHE:+without cache}" >>"$UV_LOG"
case "$*" in
cache*) echo "${HOME}/.cache/uv" ;;
venv*) exec "$4" -m venv --without-pip "$5" ;;
*"-e ."*) "$5" -c '
import os, sysconfig
with open(sysconfig.get_path("purelib") + "/fmcore.pth", "w") as file:
    file.write(os.getcwd())' ;;
*) [ ! -e offline ] ;;
esac
"""
# What `make tables` runs here: it says which fmcore it sees.
SHOW = "import fmcore; print(fmcore.__file__)"


class Checkout:
    """A folder with the Makefile, its setup, and a library of one empty file."""

    def __init__(self, folder):
        self.folder = folder

    def write(self, name, content=""):
        file = self.folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content)
        return file

    def make(self, target="tables", **environment):
        """What make printed; stdout alone if all went well."""
        plain = {k: v for k, v in os.environ.items() if not k.startswith(("MAKE", "MFLAGS", "UV_"))}
        log = self.folder.parent / "uv.log"
        done = subprocess.run(
            ["make", "--no-print-directory", target],
            cwd=self.folder,
            env=plain
            | {"PATH": f"{self.folder.parent}/bin:{plain['PATH']}", "PYTHON": sys.executable}
            | {"UV_LOG": str(log)}
            | environment,
            capture_output=True,
            text=True,
        )
        self.asked = log.read_text().splitlines() if log.exists() else []
        log.unlink(missing_ok=True)
        self.stderr = done.stderr
        return done.stdout if done.returncode == 0 else done.stdout + done.stderr

    def sees_itself(self):
        return self.make().splitlines()[-1] == str(self.folder / "fmcore/__init__.py")

    @property
    def created(self):
        """Whether the last `make` made an environment anew."""
        return any(line.startswith("venv") for line in self.asked)


@pytest.fixture
def checkout(tmp_path):
    tmp_path = tmp_path.resolve()
    checkout = Checkout(tmp_path / "first place")
    checkout.write("tools/tables.py", SHOW)
    for name in ("Makefile", "tools/setup.sh", "tools/ipython_kernel_config.py"):
        shutil.copy(ROOT / name, checkout.folder / name)
    for name in ("fmcore/__init__.py", "requirements.txt", "pyproject.toml"):
        checkout.write(name)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/uv").write_text(UV)
    (tmp_path / "bin/uv").chmod(0o755)
    return checkout


def test_an_environment_that_fits_is_kept(checkout):
    assert checkout.sees_itself() and checkout.created
    assert checkout.sees_itself() and not checkout.asked
    os.utime(checkout.write("requirements.txt", "new"), (2**32, 2**32))
    assert checkout.sees_itself() and checkout.asked and not checkout.created


def test_a_copy_tests_itself(checkout):
    assert checkout.sees_itself()
    copy = Checkout(checkout.folder.with_name("copy"))
    shutil.copytree(checkout.folder, copy.folder, symlinks=True)
    assert copy.sees_itself() and copy.created
    assert copy.sees_itself() and not copy.asked
    assert checkout.sees_itself() and not checkout.asked


def test_a_renamed_checkout_heals(checkout):
    assert checkout.sees_itself()
    checkout.folder = checkout.folder.rename(checkout.folder.with_name("renamed"))
    assert checkout.sees_itself() and checkout.created


@pytest.mark.parametrize("how", ["removed", "upgraded"])
def test_another_python_gets_another_environment(checkout, how):
    """Its link leads nowhere; or to a version that looks for packages in a folder of its own."""
    assert checkout.sees_itself()
    if how == "removed":
        for link in (checkout.folder / ".venv/bin").glob("python*"):
            link.unlink()
            link.symlink_to("/nowhere/python")
    else:
        (library,) = (checkout.folder / ".venv/lib").glob("python*")
        library.rename(library.with_name("python3.0"))
    assert checkout.sees_itself() and checkout.created


def test_an_interrupted_installation_is_completed(checkout):
    offline = checkout.write("offline")
    assert "Error 1" in checkout.make()
    assert checkout.created
    offline.unlink()
    assert checkout.sees_itself() and checkout.asked and not checkout.created


def test_a_home_that_cannot_be_written(checkout):
    """What runs is silent and writes into _build; the installation does without its cache."""
    assert checkout.make(HOME=os.devnull)
    assert [line for line in checkout.asked if "pip" in line and "without cache" not in line] == []
    packages = sysconfig.get_path("purelib")
    (library,) = (checkout.folder / ".venv/lib").glob("python*")
    (library / "site-packages/all.pth").write_text(packages)
    checkout.write(
        "tools/tables.py",
        """
import json, os, matplotlib, IPython.paths, jupyter_core.paths as jupyter
folders = [matplotlib.get_cachedir(), matplotlib.get_configdir(), IPython.paths.get_ipython_dir()]
folders += [jupyter.jupyter_config_dir(), jupyter.jupyter_data_dir(), jupyter.jupyter_runtime_dir()]
print(json.dumps(folders + [os.environ[name] for name in ("TORCH_HOME", "HF_HOME")]))
""",
    )
    folders = json.loads(checkout.make(HOME=os.devnull))
    assert checkout.stderr == ""
    assert [f for f in folders if not f.startswith(str(checkout.folder / "_build"))] == []


@pytest.mark.parametrize("target", ["book", "test"])
def test_a_checkout_that_cannot_be_written_is_one_line(checkout, target):
    root = os.geteuid() == 0  # whom no bits bind, so another does it
    with tempfile.TemporaryDirectory() as public:
        os.chmod(public, 0o755)
        folder = Path(public, "book")
        shutil.copytree(checkout.folder, folder)
        folder.chmod(0o755 if root else 0o555)
        done = subprocess.run(
            ["make", "--no-print-directory", target],
            cwd=folder,
            capture_output=True,
            text=True,
            **(dict(user=65534, group=65534, extra_groups=[]) if root else {}),
        )
        folder.chmod(0o755)
    assert done.returncode == 2 and done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert (
        f"Nothing can be written into {folder.resolve()}. Copy it to a folder of your own" in line
    )
