"""The built book, served on loopback, and visits that note whatever is not clean."""

import base64
import functools
import gzip
import http.server
import io
import subprocess
import sys
import threading
from pathlib import Path

import axe
import browser as machine
import numpy as np
import pytest
from filelock import FileLock
from PIL import Image

import book

ROOT = Path(__file__).resolve().parent.parent.parent


def build():
    """Bring the book up to date: in one process, while the others wait."""
    folder = ROOT / "_build"
    folder.mkdir(exist_ok=True)
    with FileLock(folder / ".test-lock", timeout=3600):
        for _ in range(3):
            done = subprocess.run(
                [sys.executable, ROOT / "tools" / "book.py", "build"],
                capture_output=True,
                text=True,
                timeout=3600,
            )
            if "Kernel died before replying" not in done.stdout + done.stderr:
                break  # else a port of the kernel's was taken (see `persistent`): again
    return done


def pytest_collection_finish(session):
    """The first of several workers begins to build at once: the others would wait for it idle."""
    first = getattr(session.config, "workerinput", {}).get("workerid") == "gw0"
    if (
        first
        and machine.program()
        and any("site" in getattr(item, "fixturenames", ()) for item in session.items)
    ):
        threading.Thread(target=build, daemon=True).start()


@pytest.fixture(scope="session")
def built():
    """The book, brought up to date."""
    done = build()
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]


@pytest.fixture(scope="session")
def published(built, tmp_path_factory):
    """The twins of all chapters as they would be published from a repository owner/name."""
    import twins

    folder = tmp_path_factory.mktemp("twins") / "twins"
    twins.write(folder, "https://github.com/owner/name")
    return folder


@pytest.fixture(scope="session")
def site(browser, built):
    """The address of the book, brought up to date first."""
    handler = functools.partial(book.Handler, directory=ROOT / "_build" / "html")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


class Visit:
    """A page of the book. Requests elsewhere are refused; `faults` lists what went wrong.

    `hash` is what follows its address; the script `first` runs before any other; `answers` are the
    responses of the site.
    """

    def __init__(self, browser, site, path, hash="", first="", **context):
        context = {"viewport": {"width": 1280, "height": 860}, **context}
        self.context, self.faults, self.answers = browser.new_context(**context), [], []
        self.context.route("**/*", self._answer)
        self.context.add_init_script(first)
        self.page = self.context.new_page()
        self.page.set_default_timeout(60_000)
        self._site = site
        self.page.on("console", self._console)
        self.page.on("pageerror", lambda error: self.faults.append(f"error: {error}"))
        self.page.on("requestfailed", self._failed)
        self.page.on(
            "response", lambda r: r.status < 400 or self.faults.append(f"{r.status}: {r.url}")
        )
        self.page.on("response", lambda answer: self.answers.append(answer))
        self.page.goto(f"{site}/{path}.html{hash}")

    def _answer(self, route):
        if route.request.url.startswith((self._site, "data:", "blob:")):
            return route.continue_()
        self.faults.append(f"asked another host: {route.request.url}")
        return route.abort()

    def _failed(self, request):
        if request.failure != "net::ERR_ABORTED":  # by the page itself, as when it is left
            self.faults.append(f"failed: {request.url} ({request.failure})")

    def _console(self, message):
        if message.type in ("error", "warning"):
            self.faults.append(f"console: {message.text}")

    def weight(self):
        """What has been loaded, in bytes, compressed as servers do it."""
        self.page.wait_for_load_state("networkidle")
        files = {answer.url: answer for answer in self.answers if answer.ok}
        assert len(files) > 3
        return sum(len(gzip.compress(answer.body())) for answer in files.values())

    def barriers(self):
        """What axe-core finds in the page and in the frames of its figures."""
        ground = self.page.evaluate("getComputedStyle(document.body).backgroundColor")
        for frame in self.page.frames:
            frame.evaluate(axe.SCRIPT)
            if frame.parent_frame:  # the page shows through: say so, for the contrast
                frame.evaluate("color => (document.body.style.background = color)", ground)
        result = self.page.evaluate("axe.run({ resultTypes: ['violations'], preload: false })")
        return [
            f"{rule['id']}: {node['html'][:160]} in {node['target']}"
            for rule in result["violations"]
            for node in rule["nodes"]
        ]

    def see_all(self):
        """Scroll through the page, so that whatever loads late is loaded."""
        frames = self.page.locator("iframe.fm-frame")
        for i in range(frames.count()):
            self.figure(i)
        self.page.evaluate("window.scrollTo(0, document.body.scrollHeight)")
        return frames.count()

    def figure(self, i=0):
        """Figure number i of the page, in sight and with its first picture done."""
        return Living(self.page, i)


class Living:
    """A living figure on a page, seen from outside: its controls, its picture, its own account."""

    def __init__(self, page, i):
        self.page, self.frame_node = page, page.locator("iframe.fm-frame").nth(i)
        self.frame_node.scroll_into_view_if_needed()
        self.frame_node.evaluate("node => node.scrollIntoView({ block: 'center' })")
        self.frame = self.frame_node.element_handle().content_frame()
        self.frame.locator(".fm").wait_for()
        self.state()

    def state(self, until="true"):
        """The figure's account of itself, once a condition on `s` holds."""
        self.frame.wait_for_function(
            f"() => {{ const s = window.fmFigure?.state(); "
            f"return s && !s.pending && s.ready && ({until}); }}",
            timeout=60_000,
        )
        return self.frame.evaluate("window.fmFigure.state()")

    def get(self, label):
        return self.frame.get_by_label(label, exact=True)

    def button(self, name):
        return self.frame.get_by_role("button", name=name, exact=True)

    def readout(self):
        return self.frame.locator(".fm-readout").inner_text()

    def picture(self, canvas=-1):
        """The pixels of a canvas, (rows, columns, 4), as numpy."""
        url = self.frame.locator("canvas").nth(canvas).evaluate("c => c.toDataURL()")
        return np.asarray(
            Image.open(io.BytesIO(base64.b64decode(url.split(",")[1]))).convert("RGBA")
        )


@pytest.fixture
def phone():
    """What makes a browser a phone."""
    return dict(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)


@pytest.fixture
def visit(browser, site):
    """visit(path, **context) opens a page; at the end of the test it must have been clean."""
    visits = []

    def open_page(path, **context):
        visits.append(Visit(browser, site, path, **context))
        return visits[-1]

    yield open_page
    for one in visits:
        one.context.close()
    assert [fault for one in visits for fault in one.faults] == []
