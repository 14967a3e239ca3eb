"""A real browser for the tests that need one, and kernels that start."""

import functools
import importlib
import os
import tempfile
from pathlib import Path

import browser as machine
import pytest

try:
    import nbval.kernel
except ImportError:  # then no chapters are tested
    nbval = None


@pytest.fixture
def script(monkeypatch):
    """script(name): the module `name` of benchmarks/."""
    monkeypatch.syspath_prepend(str(Path(__file__).resolve().parents[1] / "benchmarks"))
    return importlib.import_module


@pytest.fixture(scope="session")
def browser():
    """Headless Chromium. Where there is none its tests are skipped, unless NEEDS_BROWSER is set."""
    if not machine.program() and os.environ.get("NEEDS_BROWSER"):
        pytest.fail("NEEDS_BROWSER is set, and no Chromium is on the PATH")
    if not machine.program():
        pytest.skip("no Chromium on the PATH")
    pytest.importorskip("playwright.sync_api")
    with machine.chromium() as opened:
        yield opened


def persistent(start, attempts=3):
    """nbval's way to start a kernel, again when the kernel dies at once; it says what that said.

    jupyter_client chooses five free ports, and the kernel binds them a second or two later. What
    else runs on the machine (in these tests kernels, browsers, torchrun) may take one in between.
    Then the kernel ends with "Kernel died before replying to kernel_info", and so does its chapter.
    """

    @functools.wraps(start)
    def start_new_kernel(*args, stderr, **kwargs):
        stderr.close()  # nbval's, which goes nowhere
        for attempt in range(attempts):
            with tempfile.TemporaryFile("w+") as said:
                try:
                    return start(*args, stderr=said, **kwargs)
                except RuntimeError as error:
                    said.seek(0)
                    if attempt == attempts - 1:
                        raise RuntimeError(f"{error}. It said:\n{said.read()[-2000:]}") from None

    return start_new_kernel


def pytest_collection_modifyitems(items):
    """What takes longest first, and the site's tests late: they wait until the site is built.

    With several workers the other tests are run meanwhile. The short doctests of the library come
    last, so that no worker is left with a long file while the others have nothing to do.
    """
    tests = Path(__file__).resolve().parent

    def place(item):
        if item.path.suffix == ".ipynb":
            return 0
        if item.path == tests / "test_chapters.py":
            return 1
        if not item.path.is_relative_to(tests):
            return 4
        return 3 if item.path.is_relative_to(tests / "site") else 2

    items.sort(key=place)


def pytest_configure():
    if nbval:
        nbval.kernel.start_new_kernel = persistent(nbval.kernel.start_new_kernel)
