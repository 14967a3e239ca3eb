"""A real browser for the tests that need one, and kernels that start."""

import functools
import importlib
import os
import tempfile
from pathlib import Path

import pytest
from chromium import CHROMIUM, FLAGS

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
    if not CHROMIUM and os.environ.get("NEEDS_BROWSER"):
        pytest.fail("NEEDS_BROWSER is set, and no Chromium is on the PATH")
    if not CHROMIUM:
        pytest.skip("no Chromium on the PATH")
    sync_api = pytest.importorskip("playwright.sync_api")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


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


def pytest_configure():
    if nbval:
        nbval.kernel.start_new_kernel = persistent(nbval.kernel.start_new_kernel)
