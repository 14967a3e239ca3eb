"""How fast do networks answer, and learn, in a page? What `figure.py --live` measures.

A press is what the figure's controls do, and the answer is there when the page has drawn it. The
first picture is the first state of a trajectory. A long task is one above 50 ms on the page's own
thread, as Chromium's PerformanceObserver counts them: what a reader feels as a halt. The network
runs in a worker; "slowed" slows the page's thread down by a factor of four, as DevTools do for a
phone, and the worker is not slowed, so that four times the evaluations stand beside it.

A training is watched by what the figure itself says of it: the loss on fixed pairs over its floor,
and the Wasserstein-2 distance of samples to data over that of data to data.
"""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Callable, Iterator
from typing import Any

import torch

from fmcore.results import origin
from fmcore.viz import DigitFigure, HandFigure, PlaygroundFigure
from fmcore.weights import load_pretrained

Row = dict[str, Any]
SLOWER = 4  # a phone

# Runs before the page does: notes when a worker speaks, and what takes the page's thread long.
WATCH = """
window.heard = [];
window.Worker = class extends Worker {
  constructor(...given) {
    super(...given);
    this.addEventListener("message", () => window.heard.push(performance.now()));
  }
};
window.long = [];
new PerformanceObserver((list) => window.long.push(...list.getEntries().map((e) => e.duration)))
  .observe({ type: "longtask" });
"""
# From a press to the answer, and to the picture after the worker's first word; in milliseconds.
PRESS = """async (changes) => {
  const frame = () => new Promise((done) => requestAnimationFrame(done));
  await frame();
  window.heard = [];
  const begun = performance.now();
  fmFigure.set(changes);
  let first = null;
  for (;;) {
    await frame();
    const now = performance.now();
    if (first === null && window.heard.length) first = now - begun;
    const { waiting, pending } = fmFigure.state();
    if (!waiting && !pending && window.heard.length) return [first, now - begun];
  }
}"""
# Reports of a training: [seconds since the press, loss / floor, distance / that of data].
TRAIN = """async (seconds) => {
  const found = [], times = [];
  const begun = performance.now();
  [...document.querySelectorAll("button")].find((b) => b.textContent === "Train").click();
  let last = null;
  for (;;) {
    times.push(await new Promise((done) => requestAnimationFrame(done)));
    const now = (performance.now() - begun) / 1000;
    const { report } = fmFigure.state();
    if (report && report.step !== last && report.step > 0) {
      last = report.step;
      const { test, floor, measured, apart } = report;
      found.push([now, test / floor, measured ? measured.distance / apart : null, last]);
    }
    if (now > seconds || report?.done) return { found, times };
  }
}"""


def spread(values: list[float]) -> Row:
    ordered = sorted(values)
    last = ordered[min(len(values) - 1, int(0.95 * len(values)))]
    return {"median": round(statistics.median(values), 1), "p95": round(last, 1)}


def presses(page: Any, changes: Iterator[Row], rounds: int) -> Row:
    """After two for the compilers."""
    for _ in range(2):
        page.evaluate(PRESS, next(changes))
    page.evaluate("window.long = []")
    both = [page.evaluate(PRESS, next(changes)) for _ in range(rounds)]
    first, whole = ([pair[k] for pair in both] for k in (0, 1))
    tasks = page.evaluate("window.long")
    return {
        "rounds": rounds, "first_picture_ms": spread(first), "answer_ms": spread(whole),
        "long_tasks": len(tasks), "longest_task_ms": round(max(tasks, default=0.0), 1),
        "evaluation_ms": round(page.evaluate("fmFigure.state().milliseconds"), 1),
    }  # fmt: skip


def run_network(page: Any) -> None:
    page.get_by_role("button", name="Run the network here").click()
    page.wait_for_function(
        "() => { const s = fmFigure.state(); return s.live && s.nfe && !s.waiting; }"
    )


def answers(opened: Callable[..., Any], rounds: int) -> Iterator[Row]:
    """One digit, guided and not, on a desk and a phone; sixteen digits; a drawing finished."""
    model, g = load_pretrained("mnist"), torch.Generator().manual_seed(0)
    one = DigitFigure(model, x0=torch.randn(1, 1, 28, 28, generator=g), step=5)
    seeds = itertools.count(1)
    plain = ({"seed": next(seeds)} for _ in itertools.count())
    phone = dict(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    common = {"solver": "midpoint", "steps": 5}

    page = opened(one, WATCH)
    run_network(page)
    yield {"what": "digit", **common, **presses(page, plain, rounds)}
    page.evaluate("fmFigure.set({ label: 3, guidance: 2 })")
    page.wait_for_function("() => !fmFigure.state().waiting")
    yield {"what": "digit, guided", **common, **presses(page, plain, rounds)}
    page.context.close()

    page = opened(one, WATCH, **phone)
    run_network(page)
    page.context.new_cdp_session(page).send("Emulation.setCPUThrottlingRate", {"rate": SLOWER})
    row = {"what": "digit, phone, slowed", **common, **presses(page, plain, rounds)}
    yield row | {"answer_if_the_worker_were_slowed_ms": round(
        row["answer_ms"]["p95"] + (SLOWER - 1) * 10 * row["evaluation_ms"]
    )}  # fmt: skip
    page.context.close()

    page = opened(DigitFigure(model), WATCH)
    run_network(page)
    yield {"what": "sixteen digits", **common, **presses(page, plain, max(3, rounds // 5))}
    page.context.close()

    page = opened(HandFigure(model), WATCH)
    run_network(page)
    yield {
        "what": "hand, finished four times",
        "nfe": 120,
        **presses(page, plain, max(3, rounds // 5)),
    }
    page.context.close()


def trainings(opened: Callable[..., Any], seconds: float) -> Iterator[Row]:
    """Two shapes learnt: when loss and samples are good enough, and the frames meanwhile."""
    for shape in ("eight_gaussians", "two_moons"):
        page = opened(PlaygroundFigure(shape, steps=50_000), WATCH)
        page.evaluate("window.long = []")
        said = page.evaluate(TRAIN, seconds)
        found, times = said["found"], said["times"]
        gaps = [b - a for a, b in itertools.pairwise(times)]
        tasks = page.evaluate("window.long")

        def since(holds: Callable[[list], bool], found=found) -> float | None:
            """From when on it holds, for good."""
            missed = [k for k, one in enumerate(found) if not holds(one)]
            first = missed[-1] + 1 if missed else 0
            return round(found[first][0], 2) if first < len(found) else None

        measured = [one for one in found if one[2] is not None]
        near = next((one[0] for one in measured if one[2] < 1.5), None)
        yield {
            "what": "training", "shape": shape, "seconds": seconds, "steps": found[-1][3],
            "loss_within_6_percent_s": since(lambda one: one[1] < 1.06),
            "loss_within_3_percent_s": since(lambda one: one[1] < 1.03),
            "loss_over_floor_at_the_end": round(found[-1][1], 4),
            "w2_within_1.5_s": near and round(near, 2),
            "w2_over_that_of_data_at_the_end": round(measured[-1][2], 2),
            "frames_per_second": round(1000 * len(gaps) / (times[-1] - times[0]), 1),
            "frame_ms": spread(gaps),
            "long_tasks": len(tasks), "longest_task_ms": round(max(tasks, default=0.0), 1),
        }  # fmt: skip
        page.context.close()


def rows(opened: Callable[..., Any], quick: bool) -> Iterator[Row]:
    """All of it; `opened(figure, script, **context)` is a page with the figure."""
    about = origin(seed=0)
    about = {name: about[name] for name in ("date", "torch", "command")}
    for row in itertools.chain(
        answers(opened, 3 if quick else 40), trainings(opened, 3 if quick else 22)
    ):
        yield row | about
