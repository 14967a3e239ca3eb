"""The playground in a browser: it trains, is drawn on, sent by its address, and leaves a file."""

import statistics

import axe
import pytest
import torch
from opened import TIMED, Opened

from fmcore import load_weights
from fmcore.metrics import straightness
from fmcore.viz import PlaygroundFigure
from fmcore.viz.living.bundle import bundle

PHONE = dict(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)


class Playground(Opened):
    """The figure; its worker's script is a blob of the page."""

    ready = "s.ready && s.report"
    height = 900

    def __init__(self, browser, file, **context):
        super().__init__(browser, file, **{"viewport": {"width": 1000, "height": 900}, **context})
        self.page.on("request", lambda r: r.url.startswith("blob:") and self.errors.pop())

    def button(self, name):
        return self.page.get_by_role("button", name=name, exact=True)

    def said(self):
        return self.page.locator(".fm-readout").inner_text()

    def trouble(self):
        return self.page.get_by_role("alert").inner_text()

    def train(self):
        """To the end."""
        self.button("Train").click()
        return self.state("s.report.done")["report"]

    def line(self, *points):
        """A line on the stage, through points of the plane."""
        ox, oy, scale = self.state("true")["pixels"]
        box, mouse = self.page.locator(".fm-panel").bounding_box(), self.page.mouse
        (first, *rest) = [(box["x"] + ox + x * scale, box["y"] + oy - y * scale) for x, y in points]
        mouse.move(*first)
        mouse.down()
        for at in rest:
            mouse.move(*at, steps=4)
        mouse.up()

    def hash(self):
        return self.page.evaluate("location.hash")


@pytest.fixture
def opened(opened):
    def show(shape="eight_gaussians", kind=Playground, context=None, **options):
        given = {"steps": 400, "t": 0.5, **options}
        return opened(PlaygroundFigure(shape, **given), kind, **(context or {}))

    return show


@pytest.mark.parametrize("shape", ["eight_gaussians", "two_moons"])
def test_a_training_reaches_its_goals(opened, shape):
    """With the settings of the start: as near to data as data, the loss near its floor."""
    page = opened(shape, steps=4000)
    first = page.state()["report"]
    assert first["step"] == 0 and first["test"] > 1.3 * first["floor"]
    assert not page.button("Download").is_enabled()
    last = page.train()
    assert last["step"] == 4000 and last["test"] < 1.015 * last["floor"]
    assert last["measured"]["distance"] < 1.5 * last["apart"] < first["measured"]["distance"]
    assert "Step 4,000 of 4,000, done in" in page.said() and "% above its floor" in page.said()
    assert page.button("Train").is_disabled() and page.button("Download").is_enabled()
    page.button("Start again").click()
    assert page.state("s.training && s.report.step > 0 && s.report.run > 1")


def test_it_pauses_and_goes_on(opened):
    page = opened(steps=50_000)
    page.button("Train").click()
    page.state("s.report.step > 50")
    page.button("Pause").click()
    page.page.wait_for_timeout(300)
    step = page.state("!s.training")["report"]["step"]
    page.page.wait_for_timeout(300)
    assert page.state()["report"]["step"] == step
    page.button("Train").click()
    page.state(f"s.report.step > {step}")


def test_a_change_of_the_training_begins_anew_and_goes_on(opened):
    page = opened(steps=50_000)
    page.button("Train").click()
    page.state("s.report.step > 50")
    for label, value in (("Width", "16"), ("Path", "VP"), ("Shape", "spiral"), ("Batch", "64")):
        run = page.state()["report"]["run"]
        page.get(label).select_option(value)
        page.state(f"s.report.run > {run} && s.report.step > 0 && s.training")
    steps = page.state()["report"]["step"]
    page.get("Solver").select_option("euler")  # which changes no training
    page.state(f"s.solver === 'euler' && s.report.step > {steps}")
    assert page.hash() == "#playground&shape=spiral&path=VP&hidden=16&batch=64&solver=euler"


def test_pairs_of_another_kind_have_no_floor_and_go_straighter(opened):
    page = opened("two_moons", steps=1000)
    plain = page.train()
    page.get("Pairing").select_option("ot")
    page.state("s.report.step === 0 && s.report.floor === null")
    best = page.train()
    assert best["measured"]["straightness"] < plain["measured"]["straightness"] / 2
    assert "whose floor is not known" in page.said()
    page.get("Pairing").select_option("reflow")
    page.state("s.report.step === 0")
    assert "At step 500 it makes its own pairs." in page.said()
    last = page.train()
    assert last["reflowed"] and "pairs of its own" in page.said()
    assert last["measured"]["straightness"] < plain["measured"]["straightness"] / 5


def test_frames_come_while_it_trains(opened):
    """The page's own thread draws: particles, field and the map of errors, and trains nothing."""
    page = opened("two_moons", steps=100_000, t=None)
    page.get("Error |v − u|").check()
    page.button("Train").click()
    page.page.evaluate(TIMED)
    page.page.wait_for_timeout(1500)
    frames = page.page.evaluate("window.frames")
    assert len(frames) > 8 and statistics.median(frames) < 40  # ms; 4 to 10 on a core of its own
    assert page.page.evaluate("fmFigure.state().report.step") > 0
    assert "class Learner" in bundle("train/worker.js")
    assert "class Learner" not in bundle("playground.js")


def shades(page, layer):
    """The opacity of a layer of the stage."""
    script = """(index) => {
      const canvas = document.querySelectorAll(".fm-panel canvas")[index];
      const copy = new OffscreenCanvas(canvas.width, canvas.height);
      const look = copy.getContext("2d", { willReadFrequently: true });
      look.drawImage(canvas, 0, 0);
      const { data } = look.getImageData(0, 0, canvas.width, canvas.height);
      return data.filter((_, i) => i % 4 === 3).reduce((sum, a) => sum + a / 255, 0);
    }"""
    return page.page.evaluate(script, layer)


def test_the_map_shows_less_and_less_error(opened):
    page = opened()
    assert shades(page, 1) == 0
    page.get("Error |v − u|").check()
    before = (page.state("s.views.error"), shades(page, 1))[1]
    page.train()
    assert 0 < shades(page, 1) < 0.8 * before
    for name, layer in (("Field", 2), ("Particles", 3)):
        before = shades(page, layer)
        page.get(name).uncheck()
        page.state(f"!s.views.{name.lower()}")
        assert shades(page, layer) < 0.7 * before, name
    page.get("Pairing").select_option("ot")  # for which no field is known
    page.state("s.report.floor === null")
    assert shades(page, 1) == 0


def test_a_shape_is_drawn_and_learnt(opened):
    page = opened(steps=1000)
    page.button("Draw a shape").click()
    page.state("s.drawing === 0")
    page.line((-2, -1), (2, -1))
    page.line((-1, 1), (-1, 1))
    drawn = page.state("s.drawing > 20")["drawing"]
    assert 25 < drawn < 40
    page.button("Done").click()
    state = page.state("s.shape === 'drawn' && s.report.step === 0")
    points = torch.tensor(state["points"]).view(-1, 2)
    assert len(points) == drawn
    line, dot = points[:-1], points[-1]
    assert line[:, 1].sub(-1).abs().max() < 0.03 and dot.tolist() == pytest.approx(
        [-1, 1], abs=0.03
    )
    gaps = line[1:, 0] - line[:-1, 0]
    assert gaps.min() > 0.1 and gaps.max() < 0.16
    last = page.train()
    assert last["test"] < 1.1 * last["floor"]
    assert page.hash().startswith("#playground&shape=drawn&points=")
    page.get("Shape").select_option("spiral")
    page.state("s.shape === 'spiral'")
    page.get("Shape").select_option("drawn")  # is kept
    assert page.state("s.shape === 'drawn' && s.report.step === 0")["points"] == state["points"]


def test_a_drawing_has_at_most_160_points_within_the_extent(opened):
    """So that it fits into the address."""
    page = opened()
    page.button("Draw a shape").click()
    for height in (-2.5, -1, 1, 2.5):
        page.line((-3.6, height), (3.6, height))  # the stage is wider
    assert page.state("s.drawing > 150")["drawing"] == 160
    page.button("Done").click()
    points = torch.tensor(page.state("s.shape === 'drawn' && s.report.step === 0")["points"])
    assert len(points) == 2 * 160 and 3.1 < points.abs().max() <= 3.2
    assert len(page.hash()) > 4 * 160


def test_too_few_points_are_no_shape(opened):
    page = opened()
    page.button("Draw a shape").click()
    page.line((0, 0), (0.05, 0))
    assert page.state("s.drawing !== null")["drawing"] == 1
    page.button("Train").click()  # ends the drawing, and trains what was there
    assert "3 points at least" in page.trouble()
    assert page.state("s.drawing === null && s.report.step > 0")["shape"] == "eight_gaussians"
    page.get("Shape").select_option("spiral")
    page.state("s.shape === 'spiral'")
    assert page.page.get_by_role("alert").count() == 0


def test_a_rate_that_diverges_is_said_and_the_last_good_state_offered(opened):
    page = opened(lr=0.3, steps=3000)
    page.button("Train").click()
    state = page.state("s.report.diverged !== null && !s.training")
    assert "The training has diverged after step" in page.said()
    assert "a learning rate of 0.3 is too high" in page.said()
    assert page.button("Train").is_disabled()
    good = state["report"]["diverged"]
    page.page.get_by_role("button", name=f"Back to step {good}").click()
    last = page.state("s.report.diverged === null && s.report.lr === 0.075")["report"]
    assert last["step"] >= state["report"]["step"]
    assert "The learning rate is down to 0.075" in page.said()


def test_an_address_brings_its_settings(opened, browser, tmp_path):
    page = opened()
    page.get("Learning rate").select_option("0.03")
    page.get("Steps").focus()
    page.page.keyboard.press("Home")
    page.state("s.steps === 1 && s.lr === 0.03")
    assert page.hash() == "#playground&lr=0.03&steps=1"
    again = browser.new_page()
    again.goto((tmp_path / "saved.html").as_uri() + page.hash())
    again.wait_for_function("() => window.fmFigure?.state().ready")
    state = again.evaluate("window.fmFigure.state()")
    assert (state["lr"], state["steps"], state["report"]["run"]) == (0.03, 1, 1)
    assert again.get_by_label("Learning rate").input_value() == "0.03"
    # Another address in the same tab: what it does not say is as the figure has it.
    again.evaluate("location.hash = '#playground&hidden=32'")
    again.wait_for_function(
        "() => { const s = fmFigure.state(); return s.ready && s.hidden === 32; }"
    )
    state = again.evaluate("window.fmFigure.state()")
    assert (state["lr"], state["steps"]) == (0.01, 10)
    # And one that nobody wrote.
    again.evaluate("location.hash = '#playground&hidden=33&shape=cat&lr=0.003'")
    again.wait_for_function("() => fmFigure.state().lr === 0.003")
    alert = again.get_by_role("alert").inner_text()
    assert "cannot be read here: hidden, shape" in alert
    state = again.evaluate("window.fmFigure.state()")
    assert (state["hidden"], state["shape"]) == (64, "eight_gaussians")
    again.close()


def frame_of(page, i=0):
    node = page.locator("iframe.fm-frame").nth(i)
    node.scroll_into_view_if_needed()
    frame = node.element_handle().content_frame()
    frame.wait_for_function("() => window.fmFigure?.state().ready", timeout=30_000)
    return frame


@pytest.mark.parametrize("figures", [1, 2])
def test_in_a_frame_the_address_is_that_of_the_page(browser, tmp_path, figures):
    """Alone on a page it writes there; beside others it offers the link, and writes nothing."""
    html = PlaygroundFigure("spiral", t=0.5).to_html() * figures
    (tmp_path / "page.html").write_text(f"<!doctype html><title>t</title>{html}", "utf-8")
    page = browser.new_page(viewport={"width": 900, "height": 900})
    page.goto((tmp_path / "page.html").as_uri() + "#playground&hidden=16")
    frame = frame_of(page)
    assert frame.evaluate("fmFigure.state().hidden") == 16
    frame.get_by_label("Width").select_option("32")
    link = frame.get_by_label("Link to these settings")
    if figures == 1:
        page.wait_for_function("() => location.hash === '#playground&hidden=32'")
        assert not link.is_visible()
        # Nothing else: not the place of a section, nor what only begins like it.
        for other in ("#section", "#playgrounds", "?a#playground"):
            frame.evaluate(
                """(hash) => new Promise((done) => {
                  window.parent.postMessage({ fmFigure: "address", hash }, "*");
                  window.parent.postMessage({ fmFigure: "theme?" }, "*"); // which is answered
                  window.addEventListener("message", done, { once: true });
                })""",
                other,
            )
            assert page.url.endswith("page.html#playground&hidden=32"), other
    else:
        assert link.input_value() == f"{(tmp_path / 'page.html').as_uri()}#playground&hidden=32"
        link.focus()
        assert link.evaluate("node => node.selectionEnd - node.selectionStart") > 30
        assert page.evaluate("location.hash") == "#playground&hidden=16"
    page.close()


def test_a_notebook_is_no_page_to_be_sent(browser, tmp_path):
    html = PlaygroundFigure(t=0.5).to_html()
    text = f"<!doctype html><title>t</title><body data-jp-theme-light=true>{html}"
    (tmp_path / "page.html").write_text(text, "utf-8")
    page = browser.new_page(viewport={"width": 900, "height": 900})
    page.goto((tmp_path / "page.html").as_uri() + "#cell-3")
    frame = frame_of(page)
    frame.get_by_label("Width").select_option("32")
    frame.wait_for_function("() => fmFigure.state().hidden === 32")
    assert page.evaluate("location.hash") == "#cell-3"
    assert not frame.get_by_label("Link to these settings").is_visible()
    page.close()


def test_the_file_has_the_weights_that_are_shown(opened, tmp_path):
    page = opened("two_moons", hidden=32)
    last = page.train()
    with page.page.expect_download() as download:
        page.button("Download").click()
    assert download.value.suggested_filename == "playground.safetensors"
    download.value.save_as(tmp_path / "net.safetensors")
    model = load_weights(tmp_path / "net.safetensors")
    assert model.config["about"]["step"] == 400
    x0 = torch.randn(4000, 2, generator=torch.Generator().manual_seed(0))
    found = straightness(model, x0, steps=16)
    assert found == pytest.approx(last["measured"]["straightness"], rel=0.3)
    page.page.get_by_text("The same in Python").click()
    lines = page.page.get_by_role("region", name="Python").inner_text()
    assert "hidden=32" in lines and "train(net, path, data, config)" in lines


def test_what_nobody_sees_is_not_trained(opened):
    """Scrolled away, or in a tab that sleeps: nothing is counted, and it goes on afterwards."""
    page = opened(steps=100_000)
    page.button("Train").click()
    page.state("s.report.step > 20")
    script = """hidden => {
      Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
      document.dispatchEvent(new Event("visibilitychange"));
    }"""
    page.page.evaluate(script, True)
    page.page.wait_for_timeout(200)
    before = page.page.evaluate("fmFigure.state().report")
    page.page.wait_for_timeout(600)
    asleep = page.page.evaluate("fmFigure.state()")
    assert asleep["report"]["step"] == before["step"] and asleep["training"]
    page.page.evaluate(script, False)
    after = page.state(f"s.report.step > {before['step']}")["report"]
    assert after["seconds"] - before["seconds"] < 0.6
    page.page.evaluate("document.body.style.paddingBottom = '4000px'; scrollTo(0, 4000)")
    page.page.wait_for_timeout(400)
    before = page.page.evaluate("fmFigure.state().report.step")
    page.page.wait_for_timeout(400)
    assert page.page.evaluate("fmFigure.state().report.step") == before
    page.page.evaluate("scrollTo(0, 0)")
    page.state(f"s.report.step > {before}")


def test_all_of_it_by_the_keyboard(opened):
    page = opened()
    keys, stops = page.page.keyboard, []
    for _ in range(24):
        keys.press("Tab")
        stops.append(page.page.evaluate(
            "document.activeElement.ariaLabel || document.activeElement.textContent"
        ))  # fmt: skip
    for name in (
        "Play", "Time", "Draw a shape", "Solver", "Steps", "Train", "Start again", "Shape", "Path",
        "Pairing", "Width", "Batch", "Averaging", "Learning rate", "New seed", "The same in Python",
    ):  # fmt: skip
        assert name in stops, name
    page.button("Train").press("Enter")
    page.state("s.report.done")
    page.get("Shape").focus()
    keys.press("ArrowDown")
    page.state("s.shape === 'two_moons' && s.report.step === 0")
    page.button("Train").press("Space")
    page.state("s.report.step > 0")


def test_no_barriers(opened):
    page = opened()

    def violations():
        page.page.evaluate(axe.SCRIPT)
        found = page.page.evaluate("axe.run('.fm', { resultTypes: ['violations'] })")
        return [(one["id"], one["nodes"][0]["html"]) for one in found["violations"]]

    assert violations() == []
    page.page.get_by_text("The same in Python").click()
    page.train()
    assert violations() == []
    page.button("Draw a shape").click()
    page.button("Done").click()  # a shape without a point
    assert page.trouble() and violations() == []


def test_reduced_motion_plays_nothing_by_itself(opened):
    page = opened(t=None, context={"reduced_motion": "reduce"})
    assert not page.state()["playing"]
    page.train()
    assert page.state()["share"] == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_on_a_phone(opened, scheme):
    page = opened(context={**PHONE, "color_scheme": scheme})
    assert page.state()["theme"] == scheme
    assert page.page.evaluate("document.documentElement.scrollWidth") <= 390
    for control in page.page.locator(".fm-control:visible, .fm-button:visible").all():
        box = control.bounding_box()
        assert box["height"] >= 40 and box["x"] >= 0 and box["x"] + box["width"] <= 390
    page.button("Draw a shape").tap()
    page.state("s.drawing === 0")
    panel = page.page.locator(".fm-panel")
    panel.scroll_into_view_if_needed()
    assert panel.evaluate("node => getComputedStyle(node).touchAction") == "none"
    box = panel.bounding_box()
    session = page.context.new_cdp_session(page.page)
    for k in range(12):
        at = [{"x": box["x"] + 80 + 15 * k, "y": box["y"] + 100 + 6 * k}]
        kind = "touchMove" if k else "touchStart"
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": at})
    session.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    assert page.state("s.drawing > 10")
    page.button("Done").click()
    page.state("s.shape === 'drawn'")
    assert panel.evaluate("node => getComputedStyle(node).touchAction") == "pan-y"
    page.button("Train").click()
    page.state("s.report.done")
