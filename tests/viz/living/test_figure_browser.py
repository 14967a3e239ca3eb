"""The living figure under a hand: mouse, keyboard, touch, theme, motion, and a broken page."""

import functools
import http.server
import json
import math
import shutil
import threading

import numpy as np
import pytest
import torch
from opened import Opened

from fmcore.fields import GaussianMixture, MarginalField, Rotation
from fmcore.paths import OTPath, ProbabilityPath
from fmcore.solvers import odeint
from fmcore.viz import FlowFigure
from fmcore.viz.living.bundle import FOLDER
from fmcore.viz.living.page import document, styles

STANDARD = MarginalField(GaussianMixture([[0.0, 0.0]], 1.0), OTPath())
TWO = MarginalField(GaussianMixture([[-1.5, 0.0], [1.5, 0.0]], 0.3), OTPath())


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


def test_solver_and_steps_by_keyboard_and_mouse(opened):
    """N(0, I) to N(0, I): one Euler step ends at 0, two at half of where it began."""
    page = opened(FlowFigure(STANDARD, solver="euler", steps=3, particles=50, t=1.0))
    steps = page.get("Steps")
    steps.focus()
    page.page.keyboard.press("Home")
    state = page.state("s.steps === 1")
    assert state["farthest"] == 0 and state["nfe"] == 1 and state["mean"] == [0, 0]
    page.page.keyboard.press("ArrowRight")
    state = page.state("s.steps === 2 && s.nfe === 2")
    assert state["end"] == pytest.approx([0.5 * c for c in state["start"]])
    page.get("Solver").select_option("heun")
    assert page.state("s.solver === 'heun'")["nfe"] == 4
    box = steps.bounding_box()
    page.page.mouse.click(box["x"] + box["width"] - 3, box["y"] + box["height"] / 2)
    state = page.state("s.steps > 30")
    assert state["end"] == pytest.approx(state["start"], abs=2e-3)
    assert f"NFE\u00a0{state['nfe']}:" in page.page.locator(".fm-readout").inner_text()
    page.get("Solver").select_option("dopri5-adaptive")
    state = page.state("s.solver === 'dopri5-adaptive'")
    assert state["end"] == pytest.approx(state["start"], abs=2e-2)
    assert not steps.is_visible() and page.get("Tolerance").is_visible()


def test_time_plays_pauses_and_is_scrubbed(opened):
    page = opened(FlowFigure(STANDARD, particles=50))
    first = page.state("s.playing")["t"]
    assert page.state(f"s.t > {first}")["playing"]
    page.get("Pause").click()
    paused = page.state("!s.playing")["t"]
    time = page.get("Time")
    time.focus()
    page.page.keyboard.press("End")
    assert page.state("s.t === 1")["t"] > paused
    page.page.keyboard.press("ArrowLeft")
    page.state("Math.abs(s.t - 0.99) < 1e-9")
    page.get("Play").click()
    assert page.state("s.playing")


def test_the_starting_point_by_mouse_keys_and_tap(opened):
    page = opened(FlowFigure(Rotation(1.0), particles=10, t=0.5, start=(1.0, 0.0)))
    stage = page.page.locator(".fm-stage")
    box, handle = stage.bounding_box(), page.page.locator(".fm-handle")
    grip = handle.bounding_box()
    assert min(grip["width"], grip["height"]) >= 40
    page.page.mouse.move(grip["x"] + 22, grip["y"] + 22)
    page.page.mouse.down()
    page.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2, steps=4)
    page.page.mouse.up()
    assert page.state("s.start[0] < 0.1")["start"] == pytest.approx([0, 0], abs=0.02)
    handle.focus()
    page.page.keyboard.press("Shift+ArrowUp")
    state = page.state("s.start[1] > 0.3")
    assert state["start"] == pytest.approx([0, 0.5], abs=0.02)
    page.page.mouse.click(box["x"] + 0.7 * box["width"], box["y"] + 0.3 * box["height"])
    assert page.state("s.start[0] > 0.5")["start"][1] > 0.5


def test_hovering_shows_the_conditional_paths_and_their_mean(opened):
    page = opened(FlowFigure(TWO, particles=10, t=0.5))
    box = page.page.locator(".fm-stage").bounding_box()
    page.page.mouse.move(box["x"] + 0.55 * box["width"], box["y"] + 0.5 * box["height"])
    found = page.state("s.hover")["hover"]
    at = torch.tensor([found["at"]], dtype=torch.float64)
    assert found["v"] == pytest.approx(TWO(at, 0.5)[0].tolist(), abs=1e-9)
    weights = [one["weight"] for one in found["paths"]]
    assert weights == pytest.approx(sorted(TWO.posterior(at, 0.5)[0].tolist(), reverse=True))
    assert "mean over 2 conditional paths" in page.page.locator(".fm-note").inner_text()


class Square(ProbabilityPath):
    """x_t = t² x1 + (1 - t²) x0: a path of a reader's own."""

    def a(self, t):
        return t**2

    def b(self, t):
        return 1 - t**2

    def da(self, t):
        return 2 * t

    def db(self, t):
        return -2 * t


def test_a_solver_and_a_path_of_ones_own_answer_like_any(opened, ralston):
    field = MarginalField(TWO.target, Square())
    page = opened(
        FlowFigure(field, solvers=["euler"], solver=ralston, steps=6, particles=10, t=0.5)
    )
    state = page.state()
    x0 = torch.tensor([state["start"]], dtype=torch.float64)
    end = odeint(field, x0, method=ralston, steps=6)
    assert state["nfe"] == end.nfe == 12
    assert state["end"] == pytest.approx(end.x[0].tolist(), abs=1e-6)
    box = page.page.locator(".fm-stage").bounding_box()
    page.page.mouse.move(box["x"] + 0.55 * box["width"], box["y"] + 0.5 * box["height"])
    found = page.state("s.hover")["hover"]
    at = torch.tensor([found["at"]], dtype=torch.float64)
    assert found["v"] == pytest.approx(field(at, 0.5)[0].tolist(), abs=1e-8)
    assert len(found["paths"]) == 2
    page.get("Solver").select_option("Euler")
    assert page.state("s.solver === 'euler'")["nfe"] == 6


def test_compare_views_and_a_new_draw(opened):
    page = opened(FlowFigure(Rotation(3.0), solver="euler", steps=10, particles=80, t=1.0))
    page.get("Compare").select_option("rk4")
    state = page.state("s.compare")
    assert state["compare"]["nfe"] == 40 and state["nfe"] == 10
    # Euler lengthens each radius by (1 + 0.3²)^(1/2) a step; RK4 keeps it.
    assert state["distance"] > 0.3
    apart = page.page.locator(".fm-readout").inner_text()
    assert f"{state['distance']:.3f}" in apart
    page.page.get_by_role("button", name="New particles").click()
    again = page.state("s.seed === 1 && s.compare")
    assert again["mean"] != state["mean"] and again["end"] == state["end"]
    for view in ("Arrows", "Particles"):
        before = page.page.locator(".fm-stage").screenshot()
        page.get(view).uncheck()
        page.state(f"!s.views.{view.lower()}")
        page.page.wait_for_timeout(100)
        assert page.page.locator(".fm-stage").screenshot() != before


def test_touch_on_a_phone_in_the_dark(opened):
    phone = dict(
        viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True, color_scheme="dark"
    )
    page = opened(FlowFigure(TWO, particles=50, t=0.5, compare="euler"), **phone)
    assert page.state()["theme"] == "dark"
    assert page.page.evaluate("document.documentElement.scrollWidth") <= 390
    for control in page.page.locator(".fm-control:visible, .fm-button, .fm-handle").all():
        box = control.bounding_box()
        assert box["height"] >= 40 and box["x"] >= 0 and box["x"] + box["width"] <= 390
    box = page.page.locator(".fm-stage").bounding_box()
    page.page.touchscreen.tap(box["x"] + 0.7 * box["width"], box["y"] + 0.4 * box["height"])
    state = page.state("s.start[0] > 0.5")
    assert state["hover"]["at"] == pytest.approx(state["start"])


def test_reduced_motion_starts_paused(opened):
    page = opened(FlowFigure(TWO, particles=20), reduced_motion="reduce")
    assert not page.state()["playing"]


def test_frames_follow_the_page_and_rest_out_of_sight(browser, tmp_path):
    one, two = (FlowFigure(TWO, particles=20, alt=alt) for alt in ("one", "two"))
    frames = [figure._repr_mimebundle_()["text/html"] for figure in (one, two)]
    html = (
        "<!doctype html><html data-theme=dark><title>t</title><body>"
        + frames[0]
        + "<div style='height:4000px'></div>"
        + frames[1]
    )
    (tmp_path / "figure.html").write_text(html)
    page = browser.new_page(viewport={"width": 800, "height": 800})
    page.goto((tmp_path / "figure.html").as_uri(), wait_until="commit")
    page.locator("iframe").nth(1).scroll_into_view_if_needed()
    for i in (0, 1):  # a frame that loads lazily gets its document late
        page.frame_locator("iframe").nth(i).locator(".fm-handle").wait_for(timeout=60_000)
    handles = [page.locator("iframe").nth(i).element_handle().content_frame() for i in (0, 1)]
    for frame in handles:
        frame.wait_for_function("() => window.fmFigure?.state().theme === 'dark'", timeout=60_000)
    page.evaluate("document.documentElement.dataset.theme = 'light'")
    for frame in handles:
        frame.wait_for_function("() => window.fmFigure.state().theme === 'light'", timeout=60_000)
    first, second = (frame.evaluate("window.fmFigure.state().t") for frame in handles)
    handles[1].wait_for_function(f"() => window.fmFigure.state().t !== {second}", timeout=60_000)
    assert handles[0].evaluate("window.fmFigure.state().t") == first  # out of sight, at rest
    handles[1].evaluate("window.fmFigure.set({ steps: 3 })")
    handles[1].wait_for_function("() => window.fmFigure.state().nfe === 6", timeout=60_000)
    assert handles[0].evaluate("window.fmFigure.state().steps") == 20
    page.close()


@pytest.mark.parametrize(
    ("page_html", "theme"),
    [
        ("<html data-theme=dark><body style='background:#fff'>", "dark"),  # this book
        ("<html theme=dark><body style='background:#fff'>", "dark"),  # Colab
        ("<html theme=light><body style='background:#000'>", "light"),
        ("<html><body data-jp-theme-light=false>", "dark"),  # JupyterLab
        ("<html><body data-jp-theme-light=true style='background:#000'>", "light"),
        ("<html><body data-vscode-theme-kind=vscode-dark>", "dark"),
        ("<html><body data-vscode-theme-kind=vscode-high-contrast>", "dark"),
        ("<html><body data-vscode-theme-kind=vscode-high-contrast-light>", "light"),
        ("<html><body data-vscode-theme-kind=vscode-light style='background:#000'>", "light"),
        ("<html><body style='background:#102030'>", "dark"),  # any other page
        ("<html style='background:#fed'><body style='background:rgba(0,0,0,0)'>", "light"),
        ("<html style='color-scheme: light dark'><body>", None),
    ],
)
def test_the_theme_is_read_off_the_page(browser, page_html, theme):
    page = browser.new_page()
    page.set_content(f"<!doctype html>{page_html}<p>text")
    script = (
        (FOLDER / "host" / "page_theme.js")
        .read_text("utf-8")
        .replace("export function", "function")
    )
    page.add_script_tag(content=script)
    assert page.evaluate("pageTheme()") == theme
    page.close()


@pytest.mark.parametrize("broken", [{}, {"field": {"kind": "storm"}}, None])
def test_broken_data_leave_a_message_and_no_blank(browser, tmp_path, broken):
    file = tmp_path / "figure.html"
    file.write_text(document("flow_figure.js", broken, "a figure", ""), "utf-8")
    page = Opened(browser, file)
    message = page.page.get_by_role("alert")
    assert "This figure cannot be shown" in message.inner_text(timeout=60_000)
    page.context.close()


def test_a_page_that_forbids_webassembly_has_the_same_figure(browser, tmp_path):
    """By its policy, as some hosts do: the fields are computed in JavaScript."""
    figure, states = FlowFigure(TWO, particles=50, t=0.5), []
    file = tmp_path / "saved.html"
    figure.save_html(file)
    html = file.read_text("utf-8")
    assert " 'wasm-unsafe-eval'" in html
    for text in (html, html.replace(" 'wasm-unsafe-eval'", "")):
        file.write_text(text, "utf-8")
        page = Opened(browser, file)
        states.append(page.state())
        page.context.close()
    for key in ("end", "mean"):
        assert states[0][key] == pytest.approx(states[1][key], abs=1e-6)


@pytest.mark.parametrize("wrapped", [False, True])
def test_the_modules_run_unbundled_in_any_host(browser, tmp_path, wrapped):
    """As anywidget and MyST call them: `default.render({ model, el })`, which returns its end."""
    shutil.copytree(FOLDER, tmp_path, dirs_exist_ok=True)
    (tmp_path / "page.html").write_text("<!doctype html><title>host</title><body>")
    handler = functools.partial(Quiet, directory=tmp_path)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        page = browser.new_page()
        page.goto(f"http://127.0.0.1:{server.server_address[1]}/page.html")
        spec = FlowFigure(STANDARD, solver="euler", steps=1, particles=20, t=1.0).spec
        page.evaluate(
            """async ([spec, styles]) => {
              const host = document.createElement("div");
              host.style.height = "500px";
              host.append(Object.assign(document.createElement("style"), { textContent: styles }));
              const el = document.createElement("div");
              el.style.height = "100%";
              host.append(el);
              document.body.append(host);
              const module = await import("./flow_figure.js");
              window.end = module.default.render({ model: { get: () => spec }, el });
              window.fmFigure = el.fmFigure;
            }""",
            [json.dumps(spec) if wrapped else spec, styles()],
        )
        page.wait_for_function("() => window.fmFigure.state().farthest === 0", timeout=60_000)
        page.evaluate("window.end()")
        assert page.locator(".fm").count() == 0
        page.close()
        server.shutdown()


# ---- the noise dial


def drag(page, slider, share):
    """Move a slider's thumb with the mouse to a share of its length, in small steps."""
    box, value = slider.bounding_box(), slider.evaluate("i => (i.value - i.min) / (i.max - i.min)")
    y = box["y"] + box["height"] / 2
    inside = lambda s: box["x"] + 8 + s * (box["width"] - 16)  # noqa: E731
    page.mouse.move(inside(value), y)
    page.mouse.down()
    page.mouse.move(inside((value + share) / 2), y, steps=4)
    page.mouse.move(inside(share), y, steps=4)
    page.mouse.up()


# What is done to the dial, which stands at 1, and the noise that follows.
DIALS = {
    "to a storm, dragged": (lambda p: drag(p.page, p.get("Noise"), 1.0), "s.noise === 4"),
    "to a breeze, dragged": (
        lambda p: drag(p.page, p.get("Noise"), 0.1),
        "s.noise > 0.3 && s.noise < 0.5",
    ),
    "to nothing, by a key": (lambda p: p.get("Noise").press("Home"), "s.noise === 0"),
    "on, by a key": (
        lambda p: p.get("Noise").press("ArrowRight"),
        "Math.abs(s.noise - 1.05) < 1e-9",
    ),
}
PLANE = "document.querySelector('.fm-panel canvas:nth-of-type(3)').toDataURL()"


@pytest.mark.parametrize("turn", DIALS)
def test_the_dial_changes_the_paths_and_keeps_the_marginals(opened, turn):
    """Half the area between bars and curves is 5 to 6 % for 1,000 draws of p_t itself."""
    act, until = DIALS[turn]
    figure = FlowFigure(TWO, noise=1.0, marginals=True, steps=60, particles=1000, t=0.6)
    page = opened(figure)
    before = page.state("s.noise === 1")
    assert max(before["marginals"][0]) < 0.1
    picture = page.page.evaluate(PLANE)
    act(page)
    after = page.state(until)
    page.page.wait_for_function(f"(before) => {PLANE} !== before", arg=picture)
    assert after["end"] != before["end"] and after["start"] == before["start"]
    assert after["t"] == 0.6 and max(after["marginals"][0]) < 0.1
    assert after["milliseconds"] < 500
    words = page.page.locator(".fm-readout").inner_text()
    assert ("Euler–Maruyama" in words and "the rule with noise" in words) == (after["noise"] > 0)
    noisy, calm = after["lengths"]
    assert (f"path is {noisy:.2f} long, without noise" in words) == (after["noise"] > 0)
    assert calm == pytest.approx(before["lengths"][1])
    assert noisy > 1.5 * calm if after["noise"] else noisy == pytest.approx(calm, rel=0.02)
    assert page.get("Noise").get_attribute("aria-valuetext") == f"g = {after['noise']:.2f} b(t)"


def test_other_particles_than_those_of_the_field_leave_the_curves(opened):
    """The bars are counted, not drawn after the curves."""
    page = opened(FlowFigure(TWO, [[0.0, 2.0]], noise=0.0, marginals=True, particles=500, t=0.2))
    assert max(page.state()["marginals"][0]) > 0.4


def test_with_noise_there_is_one_solver_and_without_it_the_chosen_one(opened):
    page = opened(FlowFigure(TWO, noise=0.0, steps=30, solver="rk4", particles=50, t=0.5))
    page.get("Solver").select_option("dopri5-adaptive")
    page.state("s.solver === 'dopri5-adaptive'")
    assert not page.get("Steps").is_visible() and page.get("Tolerance").is_visible()
    dial = page.get("Noise")
    dial.press("End")
    state = page.state("s.noise === 4")
    assert (state["solver"], state["steps"], state["nfe"]) == ("euler_maruyama", 30, 30)
    assert page.get("Solver").count() == 0 and page.get("Steps").is_visible()
    assert "Euler–Maruyama" in page.page.locator(".fm-held").inner_text()
    page.get("Steps").press("Home")
    assert page.state("s.nfe === 1")["off"] is None
    dial.press("Home")
    page.state("s.noise === 0 && s.solver === 'dopri5-adaptive'")
    assert page.get("Solver").input_value() == "dopri5-adaptive"
    assert page.get("Tolerance").is_visible() and page.page.locator(".fm-held").count() == 0


def test_a_comparison_with_noise_is_with_the_ode(opened):
    page = opened(FlowFigure(TWO, noise=2.0, marginals=True, steps=40, particles=500, t=0.5))
    page.get("Compare").select_option("heun")
    state = page.state("s.compare")
    x0 = torch.tensor([state["start"]], dtype=torch.float64)
    end = odeint(TWO, x0, method="heun", steps=40).x[0]
    assert state["compare"]["end"] == pytest.approx(end.tolist(), abs=1e-6)
    assert state["distance"] > 0.3 and len(state["marginals"]) == 2
    assert max(max(off) for off in state["marginals"]) < 0.12
    labels = [page.page.locator(".fm-label").nth(i).inner_text() for i in (0, 1)]
    assert labels == ["Euler–Maruyama, 40 steps", "Heun, 40 steps"]
    page.get("Compare").select_option("")
    page.state("!s.compare")
    assert page.page.locator(".fm-plot").count() == 1 == page.page.locator(".fm-panel").count()


def test_the_dial_on_a_phone(opened):
    phone = dict(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    page = opened(FlowFigure(TWO, noise=0.0, marginals=True, particles=200, t=0.5), **phone)
    assert page.page.evaluate("document.documentElement.scrollWidth") <= 390
    stage = page.page.locator(".fm-panel").bounding_box()
    for control in page.page.locator(
        ".fm-control:visible, .fm-button, .fm-above, .fm-beside"
    ).all():
        box = control.bounding_box()
        assert min(box["width"], box["height"]) >= 40
        assert box["x"] >= 0 and box["x"] + box["width"] <= 390
    dial = page.get("Noise").bounding_box()
    page.page.touchscreen.tap(dial["x"] + dial["width"] - 4, dial["y"] + dial["height"] / 2)
    assert max(page.state("s.noise === 4")["marginals"][0]) < 0.2
    assert page.page.locator(".fm-panel").bounding_box() == stage  # nothing moves under the finger


def test_bars_and_curves_stand_where_the_plane_has_them(opened):
    """Of N(0, I) at rest: p_0 is N(0, I), and the narrowest p_t, at t = 1/2, has variance 1/2."""
    figure = FlowFigure(STANDARD, [[-1.0, 0.6]], marginals=True, particles=512, t=0.0, views=())
    page = opened(figure)
    page.page.wait_for_timeout(100)
    for i, position in enumerate((-1.0, 0.6)):
        pixels, unit = page.page.evaluate(
            """(i) => {
              const canvas = document.querySelectorAll(".fm-above canvas, .fm-beside canvas")[i];
              const { width, height } = canvas;
              const { data } = canvas.getContext("2d").getImageData(0, 0, width, height);
              const panel = document.querySelector(".fm-panel");
              const unit = Math.min(panel.clientWidth, panel.clientHeight) / 6;
              return [{ data: Array.from(data), width, height }, unit];
            }""",
            i,
        )
        rgba = np.array(pixels["data"]).reshape(pixels["height"], pixels["width"], 4)
        if i:
            rgba = rgba.transpose(1, 0, 2)[::-1, ::-1]  # as above: base below, up is right
        base, length = rgba.shape[:2]
        bars = (rgba[..., 3] > 100) & (rgba[..., 3] < 180)
        ink = (rgba[..., :3].max(-1) < 70) & (rgba[..., 3] > 200)
        column = lambda z: length / 2 + z * unit  # noqa: B023, E731
        bar = 6 / round(2.4 * 8)
        low = math.floor(position / bar) * bar
        full = np.flatnonzero(bars.sum(0) > 0.8 * base)  # all particles are in one bar
        assert full.min() == pytest.approx(column(low), abs=1.5)
        assert full.max() == pytest.approx(column(low + bar), abs=2.5)
        for z in (0.0, 1.5):
            rows = np.flatnonzero(ink[:, round(column(z))])
            height = 0.8 * base * math.exp(-(z**2) / 2) * math.sqrt(0.5)
            assert base - rows.mean() - 0.5 == pytest.approx(height, abs=1.2)
