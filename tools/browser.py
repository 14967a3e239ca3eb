"""The machine's own browser: what prints the book, measures its figures and opens its pages."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Browser

NAMES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
).split()


def program() -> str:
    """Where the browser is; an empty string where there is none."""
    return next(filter(None, map(shutil.which, NAMES)), "")


@contextmanager
def chromium() -> Iterator[Browser]:
    """The browser, headless. One at a time in a process.

    Raises RuntimeError where there is none.
    """
    if not program():
        raise RuntimeError(f"this needs a browser, and there is none of {', '.join(NAMES)}")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=program(), args=FLAGS)
        yield browser
        browser.close()
