"""The living figures on the built pages answer mouse, keyboard and touch, as mathematics says."""

import json
import math

import numpy as np
import pytest
import torch

from fmcore import load_pretrained
from fmcore.data import toy
from fmcore.fields import Empirical, MarginalField, Storm
from fmcore.paths import OTPath
from fmcore.solvers import odeint
from fmcore.viz import DigitFigure

GAUSS, ROAD = ("book/02_following_the_wind", 0), ("book/02_following_the_wind", 1)


def drag(living, slider, share):
    """Move a slider's thumb with the mouse to a share of its length, in small steps."""
    box = living.get(slider).bounding_box()
    y = box["y"] + box["height"] / 2
    inside = lambda s: box["x"] + 8 + s * (box["width"] - 16)  # noqa: E731
    value = living.get(slider).evaluate("i => (i.value - i.min) / (i.max - i.min)")
    mouse = living.page.mouse
    mouse.move(inside(value), y)
    mouse.down()
    mouse.move(inside((value + share) / 2), y, steps=4)
    mouse.move(inside(share), y, steps=4)
    mouse.up()


def press(living, label, *keys):
    living.get(label).focus()
    for key in keys:
        living.page.keyboard.press(key)


def particles(living):
    """How far the particles reach from the middle of the stage, in pixels."""
    pictures = []
    for until in ("s.views.particles", "!s.views.particles", "s.views.particles"):
        if pictures:
            living.get("Particles").click()
        living.state(until)
        living.page.wait_for_timeout(200)
        pictures.append(living.picture().astype(int))
    rows, columns = np.nonzero(np.abs(pictures[0] - pictures[1]).max(-1) > 20)
    assert len(rows) > 4 and (pictures[0] == pictures[2]).all()
    middle = np.array(pictures[0].shape[:2]) / 2
    return max(np.abs(rows - middle[0]).max(), np.abs(columns - middle[1]).max())


# ---- what the mathematics says


def test_one_euler_step_sends_every_particle_of_the_gaussian_to_0(visit):
    figure = visit(GAUSS[0]).figure(GAUSS[1])
    state = figure.state("s.steps === 1")
    assert state["farthest"] == 0 and state["nfe"] == 1 and state["solver"] == "euler"
    press(figure, "Time", "End")
    figure.state("s.t === 1 && !s.playing")
    # All dots lie on 0; their trails reach back to a quarter of the way, 0.24 of where they began.
    reach = particles(figure)
    scale = figure.picture().shape[0] / 6  # pixels a unit
    assert reach < 0.24 * 4 * scale
    press(figure, "Steps", "ArrowRight")  # two steps: half of where each began
    state = figure.state("s.steps === 2")
    assert state["end"] == pytest.approx([c / 2 for c in state["start"]])
    assert particles(figure) > 1.5 * reach
    assert "2 steps, NFE\u00a02" in figure.readout()


def test_four_steps_of_euler_keep_0_72(visit):
    figure = visit(GAUSS[0]).figure(GAUSS[1])
    press(figure, "Steps", "ArrowRight", "ArrowRight", "ArrowRight")
    state = figure.state("s.steps === 4")
    assert state["end"] == pytest.approx([0.72 * c for c in state["start"]], rel=1e-6)
    assert state["off"] == pytest.approx(0.28 * math.hypot(*state["start"]), rel=1e-4)


def test_euler_leaves_the_road_and_heun_stays_on_it(visit):
    figure = visit(ROAD[0]).figure(ROAD[1])
    state = figure.state("s.compare")
    assert (state["nfe"], state["compare"]["nfe"]) == (20, 40)
    assert state["off"] == pytest.approx(2.17, abs=0.01)
    assert state["compare"]["off"] == pytest.approx(0.123, abs=0.001)
    text = figure.readout()
    assert "2.173 off the exact path" in text and f"{state['distance']:.3f} apart" in text
    drag(figure, "Steps", 0.05)
    few = figure.state("s.steps <= 5")
    assert few["off"] != state["off"] and few["compare"]["steps"] == 20
    drag(figure, "Steps to compare", 0.22)
    half = figure.state("s.compare.steps < 12 && s.compare.steps > 6")
    assert half["compare"]["nfe"] == 2 * half["compare"]["steps"]


def test_the_storm_carries_the_ring_where_fmcore_says(visit):
    figure = visit("book/01_wind").figure(0)
    start = figure.state()["start"]
    x0 = torch.tensor([start], dtype=torch.float64)
    for solver, steps in (("euler", 3), ("rk4", 7), ("dopri5", 2)):
        figure.get("Solver").select_option(solver)
        press(figure, "Steps", "Home", *["ArrowRight"] * (steps - 1))
        state = figure.state(f"s.solver === '{solver}' && s.steps === {steps}")
        solution = odeint(Storm(), x0, method=solver, steps=steps)
        assert state["end"] == pytest.approx(solution.x[0].tolist(), abs=1e-6)
        assert state["nfe"] == solution.nfe


# ---- every kind of control, by mouse and by keyboard


PICTURE = "[...document.querySelectorAll('.fm-stage canvas')].map((c) => c.toDataURL()).join()"
FRAMES = "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"


def paused(visit):
    """The figure of the landing page at rest, and its state."""
    figure = visit("book/index").figure()
    figure.button("Pause").click()
    state = figure.state("!s.playing")
    figure.frame.evaluate(FRAMES)
    return figure, state


# For each control what is done to it, and what is then true of the state `s`.
CONTROLS = {
    "Time, dragged": (lambda f: drag(f, "Time", 0.5), "Math.abs(s.t - 0.5) < 0.03"),
    "Time, by keys": (
        lambda f: press(f, "Time", "Home", *["ArrowRight"] * 7),
        "Math.abs(s.t - 0.07) < 1e-9",
    ),
    "Steps, dragged": (lambda f: drag(f, "Steps", 0.06), "s.steps < 6"),
    "Steps, by keys": (lambda f: press(f, "Steps", "Home", "ArrowRight"), "s.steps === 2"),
    "Solver, by keys": (lambda f: press(f, "Solver", "ArrowUp"), "s.solver === 'midpoint'"),
    "Solver, chosen": (
        lambda f: f.get("Solver").select_option("euler"),
        "s.solver === 'euler' && s.nfe === s.steps",
    ),
    "Streamlines, clicked": (lambda f: f.get("Streamlines").click(), "s.views.streamlines"),
    "Streamlines, by keys": (lambda f: press(f, "Streamlines", "Space"), "s.views.streamlines"),
    "Arrows, by keys": (lambda f: press(f, "Arrows", "Space"), "!s.views.arrows"),
    "Particles, clicked": (lambda f: f.get("Particles").click(), "!s.views.particles"),
    "New particles, clicked": (lambda f: f.button("New particles").click(), "s.seed === 1"),
    "New particles, by keys": (
        lambda f: f.button("New particles").press("Enter"),
        "s.seed === 1 && s.mean[0] !== before.mean[0]",
    ),
    "Compare, chosen": (
        lambda f: f.get("Compare").select_option("rk4"),
        "s.compare && s.compare.nfe === 4 * s.compare.steps",
    ),
    "Ring, by keys": (
        lambda f: f.frame.locator(".fm-handle").press("Shift+ArrowLeft"),
        "s.start[0] < before.start[0]",
    ),
}


@pytest.mark.parametrize("control", CONTROLS)
def test_every_control_changes_the_picture(visit, control):
    act, until = CONTROLS[control]
    figure, before = paused(visit)
    picture = figure.frame.evaluate(PICTURE)
    act(figure)
    figure.state(f"((before) => {until})({json.dumps(before)})")
    figure.frame.wait_for_function(f"(before) => {PICTURE} !== before", arg=picture)


def test_a_comparison_adds_a_panel_and_takes_it_away(visit):
    figure, _ = paused(visit)
    for solver, panels in (("rk4", 2), ("", 1)):
        figure.get("Compare").select_option(solver)
        figure.state("s.compare" if solver else "!s.compare")
        assert figure.frame.locator(".fm-panel").count() == panels


def test_the_ring_says_where_it_is(visit):
    figure, before = paused(visit)
    ring = figure.frame.locator(".fm-handle")
    ring.press("Shift+ArrowLeft")
    state = figure.state(f"s.start[0] < {before['start'][0]}")
    figure.frame.evaluate(FRAMES)
    assert f"{state['start'][0]:.2f}" in ring.get_attribute("aria-label").replace("−", "-")


def test_play_and_pause_by_the_keyboard(visit):
    figure = visit("book/index").figure()
    figure.button("Pause").press("Enter")
    figure.state("!s.playing")
    figure.button("Play").press("Enter")
    figure.state("s.playing")


def test_the_ring_is_dragged_and_the_pointer_asks_for_the_wind(visit):
    figure = visit("book/01_wind").figure(0)
    figure.button("Pause").click()
    before = figure.state("!s.playing")
    box = figure.frame.locator(".fm-handle").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    mouse = figure.page.mouse
    mouse.move(x, y)
    mouse.down()
    mouse.move(x - 60, y + 40, steps=5)
    mouse.up()
    after = figure.state(f"s.start[0] < {before['start'][0] - 0.2}")
    assert after["start"][1] < before["start"][1] and after["end"] != before["end"]
    assert figure.frame.locator(".fm-hint").count() == 0  # understood
    mouse.move(x + 120, y + 60)
    hover = figure.state("s.hover")["hover"]
    field = Storm()(torch.tensor([hover["at"]], dtype=torch.float64), hover["t"])[0]
    assert hover["v"] == pytest.approx(field.tolist(), abs=1e-9)
    assert figure.frame.locator(".fm-note").inner_text().startswith("v(")


def test_touch_on_a_phone(visit, phone):
    figure = visit("book/index", **phone).figure()
    box = figure.frame.locator(".fm-panel").bounding_box()
    before = figure.state()["start"]
    figure.page.touchscreen.tap(box["x"] + 0.3 * box["width"], box["y"] + 0.6 * box["height"])
    after = figure.state(f"s.start[0] < {before[0] - 0.5}")
    assert after["end"] != before
    steps = figure.get("Steps").bounding_box()
    figure.page.touchscreen.tap(steps["x"] + 12, steps["y"] + steps["height"] / 2)
    figure.state("s.steps < 10")
    figure.frame.get_by_text("Streamlines").tap()
    figure.state("s.views.streamlines")
    figure.button("Pause").tap()
    figure.state("!s.playing")


# ---- several figures, motion, theme, the first screen


def test_figures_on_a_page_do_not_disturb_one_another(visit):
    page = visit("book/01_wind")
    first, last = page.figure(0), page.figure(2)
    kept = first.frame.evaluate("window.fmFigure.state()")
    press(last, "Steps", "Home")
    last.get("Solver").select_option("euler")
    assert last.state("s.steps === 1 && s.solver === 'euler'")["nfe"] == 1
    again = first.frame.evaluate("window.fmFigure.state()")
    same = ("steps", "solver", "start", "seed", "views", "t")  # t: out of sight, it stands still
    assert [again[key] for key in same] == [kept[key] for key in same]


def test_a_figure_out_of_sight_rests_and_plays_on(visit):
    page = visit("book/index")
    figure = page.figure()
    t = figure.state("s.playing")["t"]
    figure.state(f"s.t !== {t}")
    page.page.evaluate("window.scrollTo(0, document.body.scrollHeight)")
    page.page.wait_for_timeout(400)
    rest = figure.frame.evaluate("window.fmFigure.state().t")
    page.page.wait_for_timeout(500)
    assert figure.frame.evaluate("window.fmFigure.state().t") == rest
    page.page.evaluate("window.scrollTo(0, 0)")
    figure.state(f"s.t !== {rest}")


def test_reduced_motion_starts_paused(visit):
    figure = visit("book/index", reduced_motion="reduce").figure()
    assert not figure.state()["playing"]
    figure.button("Play").click()
    figure.state("s.playing && s.t > 0")


def test_the_theme_button_of_the_page_turns_the_figures_too(visit):
    page = visit("book/index")
    figure = page.figure()
    figure.state("s.theme === 'light'")
    for _ in range(3):  # auto, light, dark in some order
        page.page.locator(".theme-switch-button:visible").first.click()
        if page.page.evaluate("document.documentElement.dataset.theme") == "dark":
            break
    assert page.page.evaluate("document.documentElement.dataset.theme") == "dark"
    figure.state("s.theme === 'dark'")


@pytest.mark.parametrize("handheld", [False, True])
def test_the_first_screen_shows_the_figure_at_work(visit, phone, handheld):
    """Stage, play button and time are in sight before anything is scrolled, and it moves."""
    page = visit("book/index", **(phone if handheld else {}))
    frame = page.page.locator("iframe.fm-frame").first.element_handle().content_frame()
    frame.wait_for_function("() => window.fmFigure?.state().t > 0")
    height = page.page.viewport_size["height"]
    for part in (".fm-stage", ".fm-handle", ".fm-play", ".fm-time input"):
        box = frame.locator(part).first.bounding_box()
        assert box["y"] >= 0 and box["y"] + box["height"] <= height, part


def test_a_browser_without_webassembly_computes_the_same(visit):
    """A network's field, as in Lockdown Mode of iOS (a mixture's: where a policy forbids it)."""
    path = "book/05_conditional_flow_matching"
    fast = visit(path).figure().state()
    slow = visit(path, first="delete globalThis.WebAssembly").figure()
    assert slow.frame.evaluate("typeof WebAssembly") == "undefined"
    for key in ("end", "mean"):
        assert slow.state()[key] == pytest.approx(fast[key], abs=1e-5)


# ---- digits


def test_digits_follow_solver_steps_and_time(visit):
    figure = visit("book/10_sampling").figure()
    sprite = DigitFigure(load_pretrained("mnist")).sprite
    figure.button("Pause").click()
    seen = set()
    for solver, stages in (("euler", 1), ("heun", 2), ("rk4", 4)):
        figure.get("Solver").select_option(solver)
        press(figure, "Steps", "Home")
        for steps in (1, 2, 3):
            state = figure.state(f"s.solver === '{solver}' && s.steps === {steps}")
            assert state["nfe"] == stages * steps
            title = figure.frame.locator(".fm-side-title").nth(1).inner_text()
            assert f"NFE\u00a0{stages * steps}" in title
            picture = figure.picture(1)
            assert darkness(picture, sprite) == pytest.approx(
                ink(sprite, sprite.row(solver, steps)), abs=0.02
            )
            seen.add(picture.tobytes())
            figure.page.keyboard.press("ArrowRight")
    assert len(seen) == 9
    press(figure, "Time", "Home")
    figure.state("s.share === 0")
    first = len(sprite.about["nfe"])
    assert darkness(figure.picture(0), sprite) == pytest.approx(ink(sprite, first), abs=0.02)
    press(figure, "Time", "End")
    figure.state("s.share === 1")
    end = darkness(figure.picture(0), sprite)
    assert end == pytest.approx(ink(sprite, len(sprite.shades) - 1), abs=0.02)


def ink(sprite, row):
    """The shade of every digit of a row, from 0 to 1."""
    return (sprite.shades[row] / 15).mean((1, 2)).tolist()


def darkness(picture, sprite):
    """The same, read off a canvas: the middle of every pixel of every digit."""
    n, height, width = sprite.shades.shape[1:]
    columns = math.ceil(math.sqrt(n))
    scale = picture.shape[1] / (columns * (width + 1) - 1)
    found = []
    for i in range(n):
        y = (np.arange(height) + (i // columns) * (height + 1) + 0.5) * scale
        x = (np.arange(width) + (i % columns) * (width + 1) + 0.5) * scale
        grey = picture[y.astype(int)][:, x.astype(int), 0].astype(float)
        found.append(float(((0xF6 - grey) / (0xF6 - 0x17)).mean()))
    return found


# ---- the reader's hand


HALF_A_THREE = ((9.5, 7), (12, 5.2), (15, 5.2), (17.3, 7), (17.5, 10), (16, 12.4), (13, 13))
DEEDS = {"Finish it": 120, "Tidy it up": 40, "To noise and back": 48, "Morph it": 176}


def at_hand(visit, **context):
    """The figure of the hand with its network, which is a file of the site."""
    figure = visit("book/10_sampling", **context).figure(1)
    figure.frame.get_by_role("button", name="Run the network here").click()
    figure.state("s.live && s.nfe === 120 && !s.waiting")
    return figure


def answers(figure, press):
    """What the right side shows after each deed, which is chosen by `press`."""
    pictures = []
    for deed, nfe in DEEDS.items():
        press(figure.button(deed))
        figure.state(f"s.nfe === {nfe} && !s.waiting")
        pictures.append(figure.frame.locator("canvas").nth(1).evaluate("c => c.toDataURL()"))
    return pictures


def test_a_drawing_by_the_mouse_is_finished_tidied_sent_back_and_morphed(visit):
    figure = at_hand(visit)
    before = figure.frame.locator("canvas").nth(1).evaluate("c => c.toDataURL()")
    figure.button("Clear").click()
    figure.state("s.empty && s.nfe === 0")
    box, mouse = figure.frame.locator(".fm-sheet").bounding_box(), figure.page.mouse
    fit = min(box["width"], box["height"]) / 28
    places = [(box["x"] + x * fit, box["y"] + y * fit) for x, y in HALF_A_THREE]
    mouse.move(*places[0])
    mouse.down()
    for place in places[1:]:
        mouse.move(*place, steps=3)
    mouse.up()
    state = figure.state("s.nfe === 120 && !s.waiting")
    assert sum(one["readable"] > 0.5 for one in state["verdicts"]) >= 3
    pictures = [before, *answers(figure, lambda button: button.click())]
    assert len(set(pictures)) == 5


def test_a_test_digit_by_the_keyboard_is_too(visit):
    figure = at_hand(visit)
    press(figure, "Test digit", "8")
    figure.state("s.high > 15 && s.nfe === 120 && !s.waiting")
    figure.button("Upper half").press("Enter")
    figure.state("s.high < 14 && s.nfe === 120 && !s.waiting")
    assert len(set(answers(figure, lambda button: button.press("Enter")))) == 4


def test_a_hand_on_a_phone(visit, phone):
    """The network comes, and the button of each deed is in reach of a finger."""
    figure = at_hand(visit, **phone)
    figure.button("Tidy it up").tap()
    figure.state("s.nfe === 40 && !s.waiting")
    assert "The judge reads" in figure.readout()


# ---- the figures of single chapters


def test_a_wind_of_one_line_drives_the_cloud_into_corners(visit):
    """The flow of x' = x - x³/4 is known; it travels as a lattice."""
    figure = visit("book/03_conservation").figure(0)
    state = figure.state()
    end = [math.e * x / math.sqrt(1 + x**2 * (math.e**2 - 1) / 4) for x in state["start"]]
    assert state["end"] == pytest.approx(end, abs=0.002)


def test_pointing_at_a_data_set_tells_who_is_averaged(visit):
    """A thousand data points; the weights are their posterior, the likeliest first."""
    figure = visit("book/04_paths").figure(1)
    box = figure.frame.locator(".fm-stage").bounding_box()
    figure.page.mouse.move(box["x"] + 0.4 * box["width"], box["y"] + 0.4 * box["height"])
    hover = figure.state("s.hover")["hover"]
    torch.set_default_dtype(torch.float64)  # as in the chapter, whose draws these are
    try:
        moons = toy("two_moons", 1000, generator=torch.Generator().manual_seed(4))
    finally:
        torch.set_default_dtype(torch.float32)
    exact = MarginalField(Empirical(moons), OTPath())
    at, t = torch.tensor([hover["at"]], dtype=torch.float64), hover["t"]
    assert hover["v"] == pytest.approx(exact(at, t)[0].tolist(), abs=1e-4)
    likeliest = exact.posterior(at, t)[0].sort(descending=True).values[:60]
    weights = [one["weight"] for one in hover["paths"]]
    assert weights == pytest.approx(likeliest.tolist(), abs=1e-6)
    note = figure.frame.locator(".fm-note").inner_text()
    assert "mean over 1000 conditional paths" in note


def test_the_network_that_the_chapter_trained_answers_the_hand(visit):
    """Twice as many Euler steps, half the error; two steps of Heun cost what four of Euler do."""
    figure = visit("book/05_conditional_flow_matching").figure(0)
    four = figure.state("s.steps === 4 && s.solver === 'euler'")
    press(figure, "Steps", *["ArrowRight"] * 4)
    eight = figure.state("s.steps === 8")
    assert (four["nfe"], eight["nfe"]) == (4, 8) and eight["off"] < 0.75 * four["off"]
    figure.get("Solver").select_option("heun")
    press(figure, "Steps", *["ArrowLeft"] * 6)
    assert figure.state("s.solver === 'heun' && s.steps === 2")["nfe"] == 4


def test_the_noise_dial_makes_the_paths_wild_and_keeps_the_marginals(visit):
    """Bars and curves are as far apart as for as many draws of p_t: about 7 % of 400 particles."""
    figure = visit("book/06_scores").figure(0)
    lengths = []
    for share, until in ((0.0, "s.noise === 0"), (0.25, "s.noise > 0.8"), (1.0, "s.noise === 4")):
        drag(figure, "Noise", share)
        state = figure.state(until)
        assert max(state["marginals"][0]) < 0.14
        lengths.append(state["lengths"][0])
        assert ("Euler–Maruyama" in figure.readout()) == (share > 0)
    assert 3 * lengths[0] < 2 * lengths[1] < lengths[2]
