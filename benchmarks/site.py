"""How soon can a reader of the site begin, what does a visit load, and does the page stand still?

    make html                            so that there is a site
    python benchmarks/site.py            ten minutes; writes benchmarks/results/site.json
    python benchmarks/site.py --rounds 9 where the machine is not quiet
    python benchmarks/site.py --quick    one round, one page; writes nothing

Five pages are opened in headless Chromium, on a desktop and on a phone, over a line of 10 Mbit/s
with 40 ms of delay; for the phone the processor is slowed down four times. The site is served from
loopback and compressed as hosts do it. Each number is the median over the rounds, each with an
empty cache:

    first_paint_ms   until there is a text or a picture
    first_figure_ms  until the first living figure answers, for a reader who scrolls to it at once
    gzip_bytes       what was loaded before anyone scrolled, compressed
    shift            the sum of all layout shifts from the first paint to the foot of the page

The rows "page" weigh a first visit to each page with living figures. The load of the machine is
noted: above the number of cores, the clock measures the neighbours.
"""

from __future__ import annotations

import argparse
import gzip
import http.server
import json
import os
import platform
import statistics
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fmcore.results import keep, origin, results_folder

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tools"))
from browser import chromium  # noqa: E402

RESULTS = results_folder() / "site.json"
SITE = ROOT / "_build" / "html"
PAGES = ["index", "01_wind", "04_paths", "05_conditional_flow_matching", "10_sampling"]
VIEWS: dict[str, dict[str, Any]] = {
    "desktop": {"viewport": {"width": 1280, "height": 860}},
    "phone": {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True,
              "device_scale_factor": 2},
}  # fmt: skip
SLOWER = {"desktop": 1, "phone": 4}  # times
LINE = {"offline": False, "latency": 40, "downloadThroughput": 1.25e6, "uploadThroughput": 1.25e6}
WATCH = """window.shift = 0;
new PerformanceObserver((list) => {
  for (const { value } of list.getEntries()) window.shift += value;
}).observe({ type: "layout-shift", buffered: true });"""
PAINT = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime"
READY = """() => {
  const figure = document.querySelector("iframe.fm-frame")?.contentWindow?.fmFigure;
  return figure?.state().ready && performance.now();
}"""
TEXTS = {".html": "text/html; charset=utf-8", ".css": "text/css", ".js": "text/javascript",
         ".svg": "image/svg+xml"}  # fmt: skip


class Packed(http.server.SimpleHTTPRequestHandler):
    """Serves the site, texts compressed."""

    def do_GET(self) -> None:
        file = Path(self.translate_path(self.path))
        kind = TEXTS.get(file.suffix)
        if not kind or not file.is_file():
            return super().do_GET()
        content = gzip.compress(file.read_bytes())
        self.send_response(200)
        for name, value in (
            ("Content-Type", kind), ("Content-Encoding", "gzip"), ("Content-Length", len(content)),
        ):  # fmt: skip
            self.send_header(name, str(value))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def served() -> Iterator[str]:
    """The address of the folder with the chapters."""
    handler = lambda *given: Packed(*given, directory=str(SITE))  # noqa: E731
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/book"
        server.shutdown()


@contextmanager
def opened(browser: Any, address: str, view: str) -> Iterator[tuple[Any, dict[str, Any]]]:
    """A page in a browser that has never seen it, and the answers of the site, which grow."""
    context = browser.new_context(**VIEWS[view])
    context.add_init_script(WATCH)
    page, answers = context.new_page(), {}
    page.set_default_timeout(120_000)
    page.on("response", lambda answer: answers.update({answer.url: answer}))
    session = context.new_cdp_session(page)
    session.send("Network.enable")
    session.send("Network.emulateNetworkConditions", LINE)
    session.send("Emulation.setCPUThrottlingRate", {"rate": SLOWER[view]})
    page.goto(address, wait_until="commit")
    yield page, answers
    context.close()


def weight(answers: dict[str, Any]) -> dict[str, int]:
    """What was loaded, in bytes, as it is and compressed."""
    files = {url: answer.body() for url, answer in list(answers.items()) if answer.ok}
    (page,) = (body for url, body in files.items() if url.endswith(".html") and "/book/" in url)
    return {
        "html_bytes": len(page),
        "html_gzip_bytes": len(gzip.compress(page)),
        "all_bytes": sum(map(len, files.values())),
        "all_gzip_bytes": sum(len(gzip.compress(body)) for body in files.values()),
    }


def begin(browser: Any, address: str, view: str) -> float:
    """Milliseconds until the first living figure answers."""
    with opened(browser, address, view) as (page, _):
        still = page.locator("img.fm-still").first
        still.wait_for(state="attached")
        still.evaluate("node => node.scrollIntoView({ block: 'center' })")
        return page.wait_for_function(READY).json_value()


def visit(browser: Any, address: str, view: str) -> dict[str, float]:
    """One visit: it is looked at, then scrolled through."""
    with opened(browser, address, view) as (page, answers):
        page.wait_for_load_state("networkidle")
        page.wait_for_timeout(500)
        found = {"first_paint_ms": page.evaluate(PAINT)}
        found["gzip_bytes"] = weight(answers)["all_gzip_bytes"]
        for _ in range(page.evaluate("document.body.scrollHeight / innerHeight | 0")):
            page.mouse.wheel(0, 800)
            page.wait_for_timeout(100)
        page.wait_for_load_state("networkidle")
        found["shift"] = page.evaluate("window.shift")
    found["first_figure_ms"] = begin(browser, address, view)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="one round, one page, no file")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    quick, number = arguments.quick, 1 if arguments.quick else arguments.rounds
    about: dict = origin(seed=0)
    about["device"] = f"{platform.machine()}, {os.cpu_count()} cores, no graphics card"
    about["load_before"] = [round(load, 1) for load in os.getloadavg()]
    rows: list[dict] = []
    with chromium() as browser, served() as address:
        about["chromium"] = browser.version
        for view in VIEWS:
            for name in PAGES[: 1 if quick else None]:
                rounds = [visit(browser, f"{address}/{name}.html", view) for _ in range(number)]
                median = {
                    key: statistics.median(one[key] for one in rounds) for key in sorted(rounds[0])
                }
                row = {"what": "visit", "page": name, "view": view, "rounds": len(rounds)}
                row |= {k: round(v, 4) if k == "shift" else round(v) for k, v in median.items()}
                rows.append(row)
                print(row, flush=True)
        for file in sorted((SITE / "book").glob("*.html")) if not quick else []:
            figures = file.read_text("utf-8").count('<figure class="fm-figure"')
            if figures and file.stem != "slides":
                with opened(browser, f"{address}/{file.name}", "desktop") as (page, answers):
                    page.wait_for_load_state("networkidle")
                    rows.append(
                        {"what": "page", "page": file.stem, "figures": figures, **weight(answers)}
                    )
    about["load_after"] = [round(load, 1) for load in os.getloadavg()]
    print(json.dumps(rows[len(PAGES) * len(VIEWS) :], indent=1))
    if not quick:
        keep(RESULTS, about, rows)


if __name__ == "__main__":
    main()
