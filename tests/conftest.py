"""A real browser for the tests that need one."""

import os
import shutil

import pytest

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), ""
)
FLAGS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
).split()


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
