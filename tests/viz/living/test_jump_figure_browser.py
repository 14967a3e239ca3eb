"""The figure of flow maps under a hand: times, jumps, networks, the ring, by mouse, keys, touch."""

import base64
import io
import re

import numpy as np
import pytest
import torch
from opened import Opened
from PIL import Image

from fmcore.fields import FlowMap, GaussianMixture, MarginalField
from fmcore.networks import TwoTimes
from fmcore.paths import OTPath
from fmcore.solvers import odeint
from fmcore.viz import COLORS, JumpFigure

F64 = torch.float64
PHONE = dict(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
FIELD = MarginalField(GaussianMixture([[-1.6, 0.0], [1.6, 0.0]], 0.3), OTPath())
EXACT = FlowMap(FIELD, steps=100)


def flow_map(seed):
    torch.manual_seed(seed)
    net = TwoTimes("MLP", hidden=16, depth=2, time_dim=8).double()
    with torch.no_grad():
        for p in net.embed_length.parameters():
            p.normal_(std=0.7)
        net.net.layers[-1].weight.mul_(6.0)  # jumps that can be seen
    return net


NETS = {"mean flow": flow_map(1), "shortcut": flow_map(2)}


class OpenedJumps(Opened):
    ready = "s.all"

    def readout(self):
        return self.page.locator(".fm-readout").inner_text().splitlines()

    def pixels(self):
        """The front layer, and the place of a point of the plane on it."""
        canvas = self.page.locator(".fm-panel canvas").nth(1)
        image = Image.open(io.BytesIO(base64.b64decode(canvas.evaluate("c => c.toDataURL()")[22:])))
        return np.asarray(image.convert("RGBA")).astype(int)

    def at(self, point, xmax=3.0):
        """The pixel of a point of the plane, in the panel."""
        box = self.page.locator(".fm-panel").bounding_box()
        scale = min(box["width"], box["height"]) / (2 * xmax)
        return box["width"] / 2 + scale * point[0], box["height"] / 2 - scale * point[1]

    def keys(self, label, *keys):
        self.get(label).focus()
        for key in keys:
            self.page.keyboard.press(key)


@pytest.fixture
def opened(opened):
    def show(nets=None, **options):
        context = {k: options.pop(k) for k in [*options] if k not in ("s", "t", "jumps", "start")}
        given = {"particles": 50, "start": (0.4, 1.2), **options}
        return opened(JumpFigure(nets or NETS, FIELD, **given), OpenedJumps, **context)

    return show


def agree(page, state):
    """The readout says what torch computes for the particles that the figure shows."""
    s, t, jumps = state["s"], state["t"], state["jumps"]
    net, said = NETS[state["network"]], page.readout()
    assert said[0].startswith(f"{state['network']}, {jumps} jump{'s' * (jumps > 1)}: ")
    assert f"at t = {t:.2f}" in said[-1] and "over 50 particles" in said[-1]
    for name, place in (("all", 0), ("one", 1)):
        begin = torch.tensor(state[name]["from"], dtype=F64).T
        goal = EXACT.end(begin, s, t)
        x, h = begin, (t - s) / jumps
        with torch.no_grad():
            for k in range(jumps):
                x = x + h * net(x, s + k * h, min(s + (k + 1) * h, 1.0))
        euler = odeint(FIELD, begin, (s, t), method="euler", steps=jumps).x
        for line, end in zip(said, (x, euler), strict=False):
            rms = (end - goal).square().sum(1).mean().sqrt().item()
            numbers = re.findall(r"\d\.\d{3}", line.replace("less than 0.001", "0.000"))
            assert float(numbers[place]) == pytest.approx(rms, abs=6e-4), (line, name)


def test_times_jumps_and_networks_by_keyboard_and_mouse(opened):
    page = opened()
    first = page.state()
    assert (first["s"], first["t"], first["jumps"], first["network"]) == (0, 1, 1, "mean flow")
    agree(page, first)
    page.keys("To", *["ArrowLeft"] * 30)
    shorter = page.state("Math.abs(s.t - 0.7) < 1e-9")
    agree(page, shorter)
    assert shorter["all"]["to"] != first["all"]["to"]
    assert shorter["all"]["off"]["euler"] < first["all"]["off"]["euler"]
    assert page.get("To").get_attribute("aria-valuetext") == "t = 0.70"
    page.keys("Jumps", "ArrowRight", "ArrowRight")
    agree(page, page.state("s.jumps === 3"))
    page.get("Network").select_option("shortcut")
    other = page.state("s.network === 'shortcut'")
    agree(page, other)
    assert other["all"]["to"] == shorter["all"]["to"]  # the flow is the same
    box = page.get("From").bounding_box()
    page.page.mouse.click(box["x"] + 0.4 * box["width"], box["y"] + box["height"] / 2)
    later = page.state("s.s > 0.3")
    assert later["s"] == pytest.approx(0.4, abs=0.03) and later["t"] == pytest.approx(0.7)
    agree(page, later)
    assert later["all"]["from"] != other["all"]["from"]


def test_one_time_pushes_the_other(opened):
    page = opened(s=0.2, t=0.5)
    page.keys("From", "End")
    both = page.state("s.s === 1")
    assert both["t"] == 1 and page.get("To").input_value() == "1"
    assert both["all"]["off"] == both["one"]["off"] == {"jumps": 0, "euler": 0}
    agree(page, both)
    page.keys("To", "Home")
    assert page.state("s.t === 0")["s"] == 0 and page.get("From").input_value() == "0"


def test_a_lone_network_has_no_menu(opened):
    page = opened(NETS["shortcut"])
    assert page.get("Network").count() == 0
    assert page.readout()[0].startswith("network, 1 jump: ")


def test_the_ring_by_mouse_and_keys(opened):
    page = opened(s=0.3)
    before = page.state()
    handle, box = page.page.locator(".fm-handle"), page.page.locator(".fm-panel").bounding_box()
    assert handle.inner_text() == "drag me"
    grip, to = handle.bounding_box(), page.at((-1.0, 0.5))
    page.page.mouse.move(grip["x"] + 22, grip["y"] + 22)
    page.page.mouse.down()
    page.page.mouse.move(box["x"] + to[0], box["y"] + to[1], steps=4)
    page.page.mouse.up()
    state = page.state("s.start[0] < -0.9")
    assert state["start"] == pytest.approx([-1.0, 0.5], abs=0.03) and not handle.inner_text()
    assert state["all"] == before["all"]  # the particles stay
    agree(page, state)
    start = torch.tensor([state["start"]], dtype=F64)
    found = torch.tensor(state["one"]["from"], dtype=F64).T
    assert torch.allclose(found, EXACT.end(start, 0.0, 0.3), atol=1e-4)
    handle.focus()
    page.page.keyboard.press("Shift+ArrowUp")
    assert page.state("s.start[1] > 0.9")["start"][1] == pytest.approx(1.0, abs=0.03)
    assert handle.get_attribute("aria-label").startswith("Starting point −1.00, 1.00")
    x, y = page.at((1.0, -1.0))
    page.page.mouse.click(box["x"] + x, box["y"] + y)
    assert page.state("s.start[0] > 0.9")["start"] == pytest.approx([1.0, -1.0], abs=0.03)


def test_new_particles(opened):
    page = opened(s=0.5)
    before = page.state()
    page.page.get_by_role("button", name="New particles").click()
    after = page.state("s.seed === 1")
    assert after["all"]["from"] != before["all"]["from"] and after["one"] == before["one"]
    agree(page, after)


def test_the_picture_shows_curve_secants_and_tangents(opened):
    """Their colours are where torch says; what is switched off is gone."""
    page = opened(s=0.2, t=0.9, jumps=2, color_scheme="light")
    page.get("Particles").uncheck()
    state = page.state("!s.views.particles")
    net, begin = NETS["mean flow"], torch.tensor(state["one"]["from"], dtype=F64).T
    with torch.no_grad():
        corner = begin + 0.35 * net(begin, 0.2, 0.55)
    tangent = begin + 0.35 * FIELD(begin, 0.2)
    curve = EXACT.end(begin, 0.2, 0.8)
    places = {
        "path": begin + 0.7 * (corner - begin),
        "euler": begin + 0.7 * (tangent - begin),
        "curve": curve,
    }
    colors = {"path": COLORS["path"], "euler": COLORS["euler"], "curve": "#26292d"}

    def shown(name):
        image = page.pixels()
        ratio = image.shape[1] / page.page.locator(".fm-panel").bounding_box()["width"]
        x, y = (round(ratio * c) for c in page.at(places[name][0].tolist()))
        near = image[y - 1 : y + 2, x - 1 : x + 2].reshape(-1, 4)
        wanted = np.array([int(colors[name][i : i + 2], 16) for i in (1, 3, 5)])
        return bool((np.abs(near[:, :3] - wanted).max(1) < 30).any() and near[:, 3].max() > 200)

    assert [name for name in places if not shown(name)] == []
    assert "Euler" in page.page.locator(".fm-label").inner_text() and len(page.readout()) == 3
    page.get("Euler").uncheck()
    page.state("!s.views.euler")
    assert shown("path") and shown("curve") and not shown("euler")
    assert "Euler" not in page.page.locator(".fm-label").inner_text() and len(page.readout()) == 2
    without = page.pixels()
    page.get("Particles").check()
    page.state("s.views.particles")
    assert (page.pixels() != without).any(2).sum() > 500


def test_a_phone_in_the_dark(opened):
    page = opened(color_scheme="dark", reduced_motion="reduce", **PHONE)
    assert page.state()["theme"] == "dark"
    assert page.page.evaluate("document.documentElement.scrollWidth") <= 390
    for control in page.page.locator(".fm-control:visible, .fm-button").all():
        box = control.bounding_box()
        assert box["height"] >= 40 and box["x"] >= 0 and box["x"] + box["width"] <= 390
    tracks = [page.get(name).bounding_box() for name in ("From", "To")]
    assert tracks[0]["x"] == tracks[1]["x"] and tracks[0]["width"] == tracks[1]["width"]
    box = page.page.locator(".fm-panel").bounding_box()
    x, y = page.at((-1.2, 0.8))
    page.page.touchscreen.tap(box["x"] + x, box["y"] + y)
    agree(page, page.state("s.start[0] < -1"))


def test_a_screen_reader_is_told_once_things_are_at_rest(opened):
    page = opened()
    live = page.page.locator(".fm-live")
    page.keys("Jumps", "ArrowRight")
    page.page.wait_for_function(
        "() => document.querySelector('.fm-live').textContent.includes('2 jumps')"
    )
    assert live.inner_text().split() == " ".join(page.readout()).split()
    panel = page.page.locator(".fm-panel")
    assert "filled points" in panel.get_attribute("aria-label")
