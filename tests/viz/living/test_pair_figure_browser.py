"""The figure of pairings under a hand: partners exchanged by mouse, keys and finger."""

import base64
import io

import numpy as np
import pytest
import torch
from opened import Opened
from PIL import Image

from fmcore.fields import PairField
from fmcore.metrics import straightness
from fmcore.solvers import odeint
from fmcore.viz import COLORS, PairFigure

F64 = torch.float64
PHONE = dict(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
X0 = torch.tensor([[-1.0, -1.0], [-1.0, 0.0], [-1.0, 1.0], [0.0, -0.6]], dtype=F64)
X1 = torch.tensor([[2.0, 1.0], [2.0, -1.0], [2.0, 0.0], [2.0, 2.0]], dtype=F64)


class OpenedPairs(Opened):
    ready = "Object.keys(s.costs).length > 2"
    height = 700

    def at(self, side, i):
        """The pixel of noise point i (side 0) or data point i (side 1) in the window."""
        box = self.page.locator(".fm-panel").bounding_box()
        x, y = self.state()["pixels"][side][i]
        return box["x"] + x, box["y"] + y

    def drag(self, start, end):
        mouse = self.page.mouse
        mouse.move(*start)
        mouse.down()
        mouse.move((start[0] + end[0]) / 2, (start[1] + end[1]) / 2, steps=3)
        mouse.move(*end, steps=3)
        mouse.up()

    def cells(self, label):
        """What the table says of a pairing."""
        row = self.page.locator("tr", has=self.get(label))
        return row.locator("td").all_inner_texts()

    def layer(self, i):
        url = self.page.locator(".fm-panel canvas").nth(i).evaluate("c => c.toDataURL()")
        image = Image.open(io.BytesIO(base64.b64decode(url.split(",")[1])))
        return np.asarray(image.convert("RGBA")).astype(int)


@pytest.fixture
def opened(opened):
    def show(options=None, **context):
        given = {"t": 0.5, "width": 0.3, "steps": 30, **(options or {})}
        return opened(PairFigure(X0, X1, **given), OpenedPairs, **context)

    return show


def numbers(partners, width=0.3):
    """What the library says of a pairing: the four columns, and the ends of the trajectories."""
    x1 = X1[list(partners)]
    u = PairField(X0, x1, width)
    end = odeint(u, X0, method="rk4", steps=30).x
    cost = (x1 - X0).square().sum(1).mean().item()
    s = straightness(u, X0, method="rk4", steps=30)
    return cost, s, (X0 + u(X0, 0.0) - end).norm(dim=1).mean().item(), end


def agree(page, label, state):
    """The table, the readout and the account say what the library does."""
    cost, s, euler, end = numbers(state["partners"])
    assert torch.allclose(torch.tensor(state["end"], dtype=F64), end, atol=1e-9)
    texts = page.cells(label)
    for text, value in zip((texts[0], texts[2], texts[3]), (cost, s, euler), strict=True):
        assert float(text) == pytest.approx(value, abs=0.0051)
    assert int(texts[1]) == state["crossings"]
    said = page.page.locator(".fm-readout").inner_text()
    assert said.startswith(f"{label}:") and all(text in said for text in texts)
    assert page.get(label).is_checked()


def test_a_pairing_is_chosen_by_mouse_and_keys(opened):
    page = opened()
    first = page.state()
    assert first["partners"] == [0, 1, 2, 3] and first["pairing"] == "independent"
    agree(page, "Independent", first)
    assert page.get("Your own").is_disabled() and page.cells("Your own") == ["–"] * 4
    page.get("Crossing").check()
    crossing = page.state("s.pairing === 'crossing'")
    agree(page, "Crossing", crossing)
    page.page.keyboard.press("ArrowUp")  # as any group of radio buttons
    best = page.state("s.pairing === 'ot'")
    agree(page, "Optimal transport", best)
    assert best["cost"] < first["cost"] < crossing["cost"]
    assert best["straightness"] < first["straightness"] < crossing["straightness"]


def test_partners_are_exchanged_by_dragging(opened):
    page = opened()
    page.drag(page.at(0, 0), page.at(1, 3))
    own = page.state("s.pairing === 'own'")
    assert own["partners"] == [3, 1, 2, 0]  # and noise 3, which had it, takes what is left
    agree(page, "Your own", own)
    page.drag(page.at(1, 1), page.at(0, 0))  # and the other way round
    assert page.state("s.partners[0] === 1")["partners"] == [1, 3, 2, 0]
    page.get("Optimal transport").check()
    page.state("s.pairing === 'ot'")
    page.get("Your own").check()  # is kept
    assert page.state("s.pairing === 'own'")["partners"] == [1, 3, 2, 0]


def test_a_drag_that_ends_nowhere_changes_nothing(opened):
    page = opened()
    x, y = page.at(1, 3)
    for end in ((x - 60, y + 60), page.at(0, 2), page.at(1, 0)):
        page.drag(page.at(0, 0), end)
        state = page.state("s.held.picked === null")
        assert state["pairing"] == "independent" and state["partners"] == [0, 1, 2, 3]
    page.page.mouse.move(*page.at(0, 0))
    page.page.mouse.down()
    page.page.mouse.move(x, y, steps=3)
    held = page.state("s.held.goal")["held"]
    assert held["picked"] == {"side": 0, "i": 0} and held["goal"] == {"side": 1, "i": 3}
    page.page.mouse.move(x - 60, y + 60, steps=3)
    assert page.state("s.held.hand")["held"]["goal"] is None
    page.page.mouse.up()
    assert page.state("!s.held.picked")["pairing"] == "independent"


def test_partners_are_exchanged_by_one_click_after_the_other(opened):
    page = opened()
    tip = page.page.locator(".fm-tip")
    assert "drag from a noise point to a data point" in tip.inner_text()
    page.page.mouse.click(*page.at(0, 1))
    page.state("s.held.picked?.i === 1")
    assert tip.inner_text() == "Now choose a data point for it."
    page.page.mouse.click(*page.at(0, 1))  # lets go
    page.state("!s.held.picked")
    page.page.mouse.click(*page.at(1, 2))
    page.state("s.held.picked?.side === 1")
    assert tip.inner_text() == "Now choose a noise point for it."
    page.page.mouse.click(*page.at(0, 0))
    assert page.state("s.pairing === 'own'")["partners"] == [2, 1, 0, 3]
    page.page.mouse.click(*page.at(0, 3))
    page.state("s.held.picked?.i === 3")
    x, y = page.at(0, 1)
    page.page.mouse.click(x, y - 40)  # on nothing
    assert page.state("!s.held.picked")["partners"] == [2, 1, 0, 3]


def test_a_point_that_is_looked_at_shows_its_pair_and_the_euler_step(opened):
    page = opened({"pairing": "crossing"})
    state, before = page.state(), page.layer(2)
    u = PairField(X0, X1[state["partners"]], 0.3)
    assert torch.allclose(torch.tensor(state["one"], dtype=F64), X0 + u(X0, 0.0), atol=1e-9)
    pictures = []
    for side, i in ((0, 1), (1, state["partners"][1])):  # either end of the pair
        page.page.mouse.move(*page.at(side, i))
        page.state(f"s.held.hover?.side === {side}")
        assert "Dashed: one Euler step" in page.page.locator(".fm-tip").inner_text()
        pictures.append(page.layer(2))
    assert (pictures[0] != before).any() and (pictures[0] == pictures[1]).all()
    page.page.mouse.move(0, 0)
    page.state("!s.held.hover")
    assert (page.layer(2) == before).all()


def test_partners_are_exchanged_by_keys(opened):
    page = opened()
    cursor = page.page.locator(".fm-cursor")
    cursor.focus()
    page.state("s.held.hover?.i === 0")
    says = lambda: cursor.get_attribute("aria-label")  # noqa: E731
    assert says().startswith("Noise point 1, joined to data point 1; arrow keys")
    page.page.keyboard.press("ArrowUp")
    page.state("s.held.hover?.i === 3")  # at a height of -0.6
    page.page.keyboard.press("ArrowLeft")
    page.state("s.held.hover?.i === 2")
    page.page.keyboard.press("ArrowRight")
    page.state("s.held.hover?.i === 3")
    page.page.keyboard.press("Enter")
    page.state("s.held.picked?.i === 3 && s.held.goal?.i === 3")  # its partner, to begin with
    assert says() == "Data point 4; Enter joins it to noise point 4"
    page.page.keyboard.press("ArrowDown")
    page.state("s.held.goal?.i === 0")
    page.page.keyboard.press("Enter")
    assert page.state("s.pairing === 'own'")["partners"] == [3, 1, 2, 0]
    page.page.keyboard.press("Enter")
    page.state("s.held.picked?.side === 1")
    page.page.keyboard.press("Escape")
    assert page.state("!s.held.picked")["partners"] == [3, 1, 2, 0]
    assert page.page.evaluate("document.activeElement.className") == "fm-cursor"


def swipe(page, *places):
    """A finger goes down at the first place, along the others, and up at the last."""
    session = page.context.new_cdp_session(page.page)
    for k, (x, y) in enumerate(places):
        event = {"type": "touchMove" if k else "touchStart", "touchPoints": [{"x": x, "y": y}]}
        session.send("Input.dispatchTouchEvent", event)
    session.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})


def test_partners_are_exchanged_by_a_finger_on_a_phone(opened):
    page = opened(color_scheme="dark", **PHONE)
    assert page.state()["theme"] == "dark"
    assert page.page.evaluate("document.documentElement.scrollWidth") <= 390
    for control in page.page.locator(".fm-control:visible, .fm-button").all():
        box = control.bounding_box()
        assert box["height"] >= 40 and box["x"] >= 0 and box["x"] + box["width"] <= 390
    page.page.evaluate("document.body.style.paddingBottom = '2000px'")  # there is room to scroll
    x, y = page.at(0, 0)
    swipe(page, (x, y), *((x, y - 20 * k) for k in range(1, 6)), page.at(1, 3))
    assert page.state("s.pairing === 'own'")["partners"] == [3, 1, 2, 0]
    assert page.page.evaluate("window.scrollY") == 0
    page.page.touchscreen.tap(*page.at(0, 1))
    page.state("s.held.picked?.i === 1")
    page.page.touchscreen.tap(*page.at(1, 2))
    assert page.state("s.partners[1] === 2")["partners"] == [3, 2, 1, 0]
    x, y = page.at(1, 3)
    free = [(x - 60, y + 60 - 20 * k) for k in range(7)]  # a finger on no point scrolls
    swipe(page, *free)
    page.page.wait_for_function("() => window.scrollY > 40")
    assert page.state()["partners"] == [3, 2, 1, 0]


def test_independent_pairs_are_drawn_again(opened):
    page = opened({"seed": 4})
    page.get("Crossing").check()
    page.state("s.pairing === 'crossing'")
    orders = set()
    for seed in (5, 6, 7):
        page.page.get_by_role("button", name="Draw again").click()
        state = page.state(f"s.seed === {seed} && s.pairing === 'independent'")
        agree(page, "Independent", state)
        orders.add(tuple(state["partners"]))
    assert len(orders) > 1 and all(sorted(order) == [0, 1, 2, 3] for order in orders)
    page.page.evaluate("window.fmFigure.set({ seed: 5 })")
    assert tuple(page.state("s.seed === 5")["partners"]) in orders
    page.page.evaluate("window.fmFigure.set({ seed: 4 })")
    assert page.state("s.seed === 4")["partners"] == [0, 1, 2, 3]  # as they were given


def test_time_and_the_legend(opened):
    page = opened({"t": None})
    assert page.state("s.playing && s.t > 0")["t"] < 1
    page.get("Pause").click()
    page.state("!s.playing")
    page.get("Time").focus()
    page.page.keyboard.press("End")
    page.state("s.t === 1")
    for name, layer in (("Pairs", 1), ("Field", 0), ("Trajectories", 1)):
        before = page.layer(layer)
        page.get(name).uncheck()
        page.state(f"!s.views.{name.lower()}")
        assert (page.layer(layer) != before).any()
    assert (page.layer(1) == 0).all()


def test_the_picture_shows_the_trajectories_and_the_pairs(opened):
    """In the colours of time, from the noise points to where the flow ends; thin lines beside."""
    page = opened({"pairing": "crossing"}, color_scheme="light")
    state = page.state()
    panel = page.page.locator(".fm-panel")
    ratio = page.layer(1).shape[1] / panel.evaluate("node => node.clientWidth")
    camera = lambda x: [  # noqa: E731  the pixel of a point, from two that are known
        (a + (x[k] - X0[0, k]) * (b - a) / (X1[3, k] - X0[0, k])).item()
        for k, (a, b) in enumerate(zip(state["pixels"][0][0], state["pixels"][1][3], strict=True))
    ]
    lines = page.layer(1)

    def color(point):
        x, y = (round(ratio * c) for c in camera(point))
        return lines[y - 1 : y + 2, x - 1 : x + 2].reshape(-1, 4)

    u = PairField(X0, X1[state["partners"]], 0.3)
    times = torch.tensor([0.04, 0.96], dtype=F64)
    xs = odeint(u, X0, method="rk4", steps=100, t_eval=times).xs
    for states, name in zip(xs, ("source", "target"), strict=True):
        wanted = np.array([int(COLORS[name][i : i + 2], 16) for i in (1, 3, 5)])
        for point in states:
            assert (np.abs(color(point)[:, :3] - wanted).max(1) < 40).any(), (name, point)
    page.get("Trajectories").uncheck()
    page.state("!s.views.trajectories")
    lines = page.layer(1)
    for i, j in enumerate(state["partners"]):
        assert (color((X0[i] + X1[j]) / 2)[:, 3] > 60).any()
    assert (color(torch.tensor([-0.9, 2.0]))[:, 3] == 0).all()


def test_reduced_motion_starts_paused_and_turns_at_once(opened):
    page = opened({"t": None}, reduced_motion="reduce")
    assert not page.state()["playing"]
    turns = page.page.evaluate(
        """async () => {
          const frame = () => new Promise(requestAnimationFrame);
          window.fmFigure.set({ pairing: "crossing" });
          await frame();
          await frame();
          return window.fmFigure.state().pending;
        }"""
    )
    assert turns is False


def test_the_picture_turns_from_one_pairing_to_the_next(opened):
    page = opened(color_scheme="light")
    before = page.layer(1)
    page.page.evaluate("window.fmFigure.set({ pairing: 'crossing' })")
    page.page.wait_for_timeout(150)
    between = page.layer(1)
    page.state("s.pairing === 'crossing'")
    after = page.layer(1)
    assert (between != before).any() and (between != after).any() and (after != before).any()
