"""How fast does the living figure answer? Redraw times, frame rate, weights, in headless Chromium.

    make html                              so that pages can be weighed
    python benchmarks/figure.py            a few minutes; writes benchmarks/results/figure.json
    python benchmarks/figure.py --quick    fewer rounds; writes nothing

A redraw follows a move of the slider "steps": 1,000 particles, 20 steps of RK4, on a stage 720
pixels wide. `script_ms` is the time from the start of the work to the last drawing command, by the
clock of the page; `cpu_ms` is what the renderer's main thread computed in that time, which a busy
machine distorts less. The frame rate is counted over seconds of play. The load of the machine is
noted beside the numbers: above the number of cores, the clock measures the neighbours.

A page's weight is what a first visit loads: the page, and with styles, scripts and fonts; raw, and
compressed by gzip as servers do it.
"""

from __future__ import annotations

import argparse
import functools
import gzip
import http.server
import itertools
import json
import math
import os
import platform
import shutil
import statistics
import tempfile
import threading
from pathlib import Path

import torch
from playwright.sync_api import sync_playwright

from fmcore.fields import GaussianMixture, MarginalField, Storm
from fmcore.networks import MLP
from fmcore.paths import OTPath
from fmcore.results import keep, origin, results_folder
from fmcore.viz import FlowFigure
from fmcore.viz.living.bundle import FOLDER, bundle
from fmcore.viz.living.page import styles

RESULTS = results_folder() / "figure.json"
SITE = Path(__file__).parent.parent / "_build" / "html"
FLAGS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
).split()

# Waits for two frames, so that the picture before is out of the way.
MOVE = """async (steps) => {
  const frame = () => new Promise((done) => requestAnimationFrame(done));
  fmFigure.set({ steps });
  await frame();
  const { milliseconds, ready } = fmFigure.state();
  await frame();
  return [milliseconds, ready];
}"""
WAIT = """async () => {
  const begun = performance.now();
  while (fmFigure.state().ready < fmFigure.state().particles)
    await new Promise((done) => requestAnimationFrame(done));
  return performance.now() - begun;
}"""
PLAY = """async (seconds) => {
  fmFigure.set({ playing: true, share: 0 });
  const times = [];
  const begun = performance.now();
  while (performance.now() - begun < 1000 * seconds)
    times.push(await new Promise((done) => requestAnimationFrame(done)));
  fmFigure.set({ playing: false });
  return times;
}"""


def eight() -> MarginalField:
    """N(0, I) to eight Gaussians on a circle."""
    angle = torch.arange(8) * math.pi / 4
    means = 2.2 * torch.stack([angle.cos(), angle.sin()], 1)
    return MarginalField(GaussianMixture(means, 0.22), OTPath())


def cells(x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
    """A field that is no closed form to the figure: it travels as a lattice."""
    return torch.stack([torch.sin(2 * x[:, 1] + 3 * t), torch.cos(1.5 * x[:, 0])], 1)


def figures() -> dict[str, FlowFigure]:
    """What is measured: every form a field can have."""
    torch.manual_seed(0)
    options = dict(solver="rk4", steps=20, particles=1000, t=0.6)
    return {
        "mixture of eight": FlowFigure(eight(), **options),
        "wind (storm)": FlowFigure(Storm(), "uniform", **options),
        "lattice": FlowFigure(cells, **options),
        "mlp, 3 x 64": FlowFigure(MLP(hidden=64), **options),
        "mlp, 3 x 128": FlowFigure(MLP(hidden=128), **options),
    }


def percentile(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def redraws(page, session, rounds: int) -> dict[str, float]:
    """Moves the slider `rounds` times, after a warm-up."""

    def computed() -> float:
        metrics = session.send("Performance.getMetrics")["metrics"]
        return 1000 * next(m["value"] for m in metrics if m["name"] == "ScriptDuration")

    script, cpu, ready = [], [], []
    for i in range(rounds + 5):
        before = computed()
        milliseconds, done = page.evaluate(MOVE, 20 if i % 2 else 19)
        spent = computed() - before
        if i >= 5:
            script.append(milliseconds)
            cpu.append(spent)
            ready.append(done)
    rest = page.evaluate(WAIT)
    return {
        "script_ms_median": round(statistics.median(script), 1),
        "script_ms_p95": round(percentile(script, 0.95), 1),
        "cpu_ms_median": round(statistics.median(cpu), 1),
        "cpu_ms_p95": round(percentile(cpu, 0.95), 1),
        "particles_at_once": int(statistics.median(ready)),
        "all_particles_ms": round(rest),
    }


def frame_rate(page, seconds: float) -> dict[str, float]:
    times = page.evaluate(PLAY, seconds)
    gaps = [b - a for a, b in itertools.pairwise(times)]
    return {
        "frames_per_second": round(1000 * len(gaps) / (times[-1] - times[0]), 1),
        "frame_ms_p95": round(percentile(gaps, 0.95), 1),
    }


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


def weights(browser) -> dict[str, dict[str, int]]:
    """What a first visit to each page with living figures loads, in bytes."""
    handler = functools.partial(Quiet, directory=SITE)
    result = {}
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        for file in sorted((SITE / "book").glob("*.html")):
            figures = file.read_text("utf-8").count('<figure class="fm-figure"')
            if not figures:
                continue
            page, bodies = browser.new_page(), {}
            page.on("response", lambda r, to=bodies: to.update({r.url: r}))
            address = f"http://127.0.0.1:{server.server_address[1]}/book/{file.name}"
            page.goto(address, wait_until="networkidle")
            page.wait_for_timeout(500)  # what a script asked for last
            content = {url: r.body() for url, r in list(bodies.items()) if r.ok}
            html = next(body for url, body in content.items() if url == address)
            packed = sum(len(gzip.compress(body)) for body in content.values())
            result[file.stem] = {
                "figures": figures,
                "html_bytes": len(html),
                "html_gzip_bytes": len(gzip.compress(html)),
                "all_bytes": sum(map(len, content.values())),
                "all_gzip_bytes": packed,
            }
            page.close()
        server.shutdown()
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer rounds, no file")
    quick = parser.parse_args().quick
    about: dict = origin(seed=0)
    about["device"] = f"{platform.machine()}, {os.cpu_count()} cores, no graphics card"
    about["load_before"] = [round(load, 1) for load in os.getloadavg()]
    sizes = {
        "scripts_bytes": len(bundle("flow_figure.js").encode()),
        "scripts_gzip_bytes": len(gzip.compress(bundle("flow_figure.js").encode())),
        "digit_scripts_bytes": len(bundle("digit_figure.js").encode()),
        "style_bytes": len(styles().encode()),
        "modules_with_comments_bytes": sum(file.stat().st_size for file in FOLDER.rglob("*.js")),
    }
    rows: list[dict] = [{"what": "sizes", **sizes}]
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as folder:
        chromium = shutil.which("chromium") or shutil.which("chromium-browser")
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        about["chromium"] = browser.version

        def opened(figure: FlowFigure):
            file = Path(folder) / "figure.html"
            figure.save_html(file)
            page = browser.new_page(viewport={"width": 752, "height": 800})
            page.set_default_timeout(120_000)
            page.goto(file.as_uri(), wait_until="commit")
            page.wait_for_function("() => window.fmFigure?.state().mean")
            session = page.context.new_cdp_session(page)
            session.send("Performance.enable", {"timeDomain": "threadTicks"})
            return page, session, file.stat().st_size

        for name, figure in figures().items():
            page, session, size = opened(figure)
            drawn = redraws(page, session, 10 if quick else 60)
            rows.append({"what": "redraw", "field": name, **drawn, "page_bytes": size})
            page.close()
            print(rows[-1], flush=True)
        page, *_ = opened(FlowFigure(Storm(), "uniform", particles=2000, t=0.0))
        played = "storm, 2,000 particles with trails"
        rows.append({"what": "play", "field": played, **frame_rate(page, 2 if quick else 6)})
        if SITE.is_dir():
            rows += [{"what": "page", "page": k, **page} for k, page in weights(browser).items()]
        browser.close()
    about["load_after"] = [round(load, 1) for load in os.getloadavg()]
    print(json.dumps(rows, indent=2))
    if not quick:
        keep(RESULTS, about, rows)


if __name__ == "__main__":
    main()
