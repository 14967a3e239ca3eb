"""How fast does the living figure answer? Redraw times and frame rate, in headless Chromium.

    python benchmarks/figure.py            a few minutes; writes benchmarks/results/figure.json
    python benchmarks/figure.py --quick    fewer rounds; writes nothing
    python benchmarks/figure.py --network  the network alone, in the place of its old rows
    python benchmarks/figure.py --live     what `live_figures.py` measures, in the same way

A redraw follows a move of the slider "steps": 1,000 particles, 20 steps of RK4, on a stage 720
pixels wide. `script_ms` is the time from the start of the work to the last drawing command, by the
clock of the page; `cpu_ms` is what the renderer's main thread computed in that time, which a busy
machine distorts less. The frame rate is counted over seconds of play. The load of the machine is
noted beside the numbers: above the number of cores, the clock measures the neighbours.

A forward of the network "mnist", one image, is timed in the page and by torch on one thread, in
turn: CPU time of the page's thread and of this process, and their ratio, as medians.
"""

from __future__ import annotations

import argparse
import base64
import gzip
import itertools
import json
import math
import os
import platform
import shutil
import statistics
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

import live_figures
import torch
from playwright.sync_api import sync_playwright

from fmcore.fields import GaussianMixture, MarginalField, Storm
from fmcore.networks import MLP
from fmcore.paths import OTPath
from fmcore.results import keep, origin, results_folder
from fmcore.viz import FlowFigure
from fmcore.viz.living.base import LivingFigure
from fmcore.viz.living.bundle import FOLDER, bundle
from fmcore.viz.living.page import styles
from fmcore.viz.web import web_network
from fmcore.weights import load_pretrained

RESULTS = results_folder() / "figure.json"
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

# All scripts of the book: what begins a figure, a page, a worker.
ENTRIES = (
    *(f"{name}_figure.js" for name in ("flow", "digit", "pair", "jump", "hand", "wire")),
    "playground.js", "host/host.js", "train/worker.js",
    "net/worker.js", "net/hand_worker.js", "net/wire_worker.js",
)  # fmt: skip


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


def script_ms(session) -> float:
    """What the page's thread has computed so far."""
    metrics = session.send("Performance.getMetrics")["metrics"]
    return 1000 * next(m["value"] for m in metrics if m["name"] == "ScriptDuration")


def redraws(page, session, rounds: int) -> dict[str, float]:
    """Moves the slider `rounds` times, after a warm-up."""
    script, cpu, ready = [], [], []
    for i in range(rounds + 5):
        before = script_ms(session)
        milliseconds, done = page.evaluate(MOVE, 20 if i % 2 else 19)
        spent = script_ms(session) - before
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


NETWORK = """(file) => {
  const { buffer } = Uint8Array.from(atob(file), (letter) => letter.charCodeAt(0));
  const x = Float32Array.from({ length: 784 }, Math.random);
  window.networks = Object.fromEntries(KINDS.map((kind) => {
    const { velocity } = buildNetwork(readNetwork(buffer), 28, 28, [kind]);
    // In a task of its own, which is what the browser's clock of scripts counts.
    const forward = (done) => (velocity(x, Math.random()), done());
    return [kind, () => new Promise((done) => setTimeout(() => forward(done)))];
  }));
}"""


def forwards(browser, rounds: int) -> list[dict]:
    """The network in a page, by each kind of kernel, against torch on one thread."""
    model = load_pretrained("mnist")
    x = torch.randn(1, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    page = browser.new_page()
    page.goto("about:blank")
    page.add_script_tag(content=bundle("net/worker.js"))
    page.evaluate(NETWORK, base64.b64encode(web_network(model)).decode())
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable", {"timeDomain": "threadTicks"})

    def in_page(kind: str) -> float:
        before = script_ms(session)
        page.evaluate(f"networks.{kind}()")
        return script_ms(session) - before

    def by_torch() -> float:
        begun = time.process_time()
        model(x, 0.3)
        return 1000 * (time.process_time() - begun)

    threads, about = torch.get_num_threads(), origin(seed=0)
    about = {name: about[name] for name in ("date", "torch", "command")}
    torch.set_num_threads(1)
    rows = []
    with torch.no_grad():
        for kind in ("relaxed", "simd", "plain"):
            count = rounds if kind != "plain" else 5
            for _ in range(
                20 if kind != "plain" else 1
            ):  # until the compilers have done their best
                in_page(kind), by_torch()
            pairs = [(in_page(kind), by_torch()) for _ in range(count)]
            page_ms, torch_ms = (statistics.median(times) for times in zip(*pairs, strict=True))
            rows.append({
                "what": "forward", "kernels": kind, "rounds": count,
                "cpu_ms_median": round(page_ms, 1), "torch_cpu_ms_median": round(torch_ms, 1),
                "ratio_to_torch": round(page_ms / torch_ms, 2), **about,
            })  # fmt: skip
            print(rows[-1], flush=True)
    torch.set_num_threads(threads)
    page.close()
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer rounds, no file")
    parser.add_argument("--network", action="store_true", help="only the network in a page")
    parser.add_argument("--live", action="store_true", help="only what networks do in figures")
    args = parser.parse_args()
    quick = args.quick
    about: dict = origin(seed=0)
    about["device"] = f"{platform.machine()}, {os.cpu_count()} cores, no graphics card"
    about["load_before"] = [round(load, 1) for load in os.getloadavg()]
    modules = {line for entry in ENTRIES for line in bundle(entry).splitlines()}
    scripts = "\n".join(sorted(modules)).encode()
    sizes = {
        "all_scripts_bytes": len(scripts),  # of all figures and workers, each module once
        "all_scripts_gzip_bytes": len(gzip.compress(scripts)),
        "scripts_bytes": len(bundle("flow_figure.js").encode()),
        "scripts_gzip_bytes": len(gzip.compress(bundle("flow_figure.js").encode())),
        "digit_scripts_bytes": len(bundle("digit_figure.js").encode()),
        "network_scripts_bytes": len(bundle("net/worker.js").encode()),
        "network_scripts_gzip_bytes": len(gzip.compress(bundle("net/worker.js").encode())),
        "network_bytes": len(web_network(load_pretrained("mnist"))),
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

        def alive(figure: LivingFigure, script: str, **context):
            file = Path(folder) / "figure.html"
            figure.save_html(file)
            size = {"width": 1000, "height": 900}
            page = browser.new_context(**{"viewport": size, **context}).new_page()
            page.set_default_timeout(120_000)
            page.add_init_script(script)
            page.goto(file.as_uri(), wait_until="commit")
            page.wait_for_function("() => window.fmFigure?.state().ready")
            return page

        def said(found: Iterable[dict]) -> list[dict]:
            """Each row as soon as it is there, with the load of the machine."""
            kept = []
            for row in found:
                kept.append(row | {"load": round(os.getloadavg()[0], 1)})
                print(kept[-1], flush=True)
            return kept

        timed = said(live_figures.rows(alive, quick)) if not args.network else []
        timed += forwards(browser, 10 if quick else 50) if not args.live else []
        rows += timed
        if args.network or args.live:
            browser.close()
            old = json.loads(RESULTS.read_text("utf-8"))
            measured = {row["what"] for row in rows}
            others = [row for row in old["rows"] if row["what"] not in measured]
            if not quick:
                keep(RESULTS, old["about"], others + rows)
            return
        for name, figure in figures().items():
            page, session, size = opened(figure)
            drawn = redraws(page, session, 10 if quick else 60)
            rows.append({"what": "redraw", "field": name, **drawn, "page_bytes": size})
            page.close()
            print(rows[-1], flush=True)
        page, *_ = opened(FlowFigure(Storm(), "uniform", particles=2000, t=0.0))
        played = "storm, 2,000 particles with trails"
        rows.append({"what": "play", "field": played, **frame_rate(page, 2 if quick else 6)})
        browser.close()
    about["load_after"] = [round(load, 1) for load in os.getloadavg()]
    print(json.dumps(rows, indent=2))
    if not quick:
        keep(RESULTS, about, rows)


if __name__ == "__main__":
    main()
