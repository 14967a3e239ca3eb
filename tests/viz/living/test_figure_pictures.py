"""What the living figure draws, read off its pixels: dots, paths, arrows, lines in their places."""

import base64
import io
import math

import numpy as np
import pytest
import torch
from PIL import Image
from scipy import ndimage

from fmcore.fields import Empirical, GaussianMixture, MarginalField, Rotation, Storm, Uniform
from fmcore.paths import OTPath
from fmcore.solvers import odeint
from fmcore.viz import COLORS, FlowFigure

GROUND, FIELD, FRONT = 0, 1, 2
POINT = GaussianMixture([[-1.0, 0.5]], 1e-6)


class Picture:
    """A figure of the square from -3 to 3, paused, and its layers as arrays."""

    def __init__(self, browser, tmp_path, figure):
        file = tmp_path / "figure.html"
        figure.save_html(file)
        self.page = browser.new_page(viewport={"width": 700, "height": 760}, color_scheme="light")
        self.page.set_default_timeout(60_000)
        self.page.goto(file.as_uri(), wait_until="commit")
        self.state()
        self.page.mouse.move(0, 0)

    def state(self, until="true"):
        self.page.wait_for_function(
            f"() => {{ const s = window.fmFigure?.state(); return s && !s.pending && ({until}); }}"
        )
        # Two frames: the picture that shows it is drawn.
        self.page.evaluate(
            "new Promise((r) => requestAnimationFrame(() => requestAnimationFrame(r)))"
        )
        return self.page.evaluate("window.fmFigure.state()")

    def set(self, **changes):
        self.page.evaluate("(changes) => window.fmFigure.set(changes)", changes)
        return self.state()

    def layer(self, i, panel=0):
        canvas = self.page.locator(".fm-panel").nth(panel).locator("canvas").nth(i)
        url = canvas.evaluate("c => c.toDataURL()")
        image = Image.open(io.BytesIO(base64.b64decode(url.split(",")[1])))
        return np.asarray(image.convert("RGBA")).astype(int)

    def plane(self, row, column, panel=0):
        """The points of the plane at pixels, (..., 2)."""
        node = self.page.locator(".fm-panel").nth(panel)
        width, height = node.evaluate("node => [node.clientWidth, node.clientHeight]")
        unit = min(width, height) / 6
        return np.stack([(column - width / 2) / unit, (height / 2 - row) / unit], -1)

    def points(self, mask):
        return self.plane(*np.nonzero(mask))

    def centre(self, mask, panel=0):
        assert mask.any()
        rows, columns = np.nonzero(mask)
        return self.plane(rows.mean() + 0.5, columns.mean() + 0.5, panel)


@pytest.fixture
def picture(browser, tmp_path):
    pages = []

    def show(field, **options):
        given = {"views": (), "t": 1.0, "particles": 30, "start": (2.9, -2.9), "target": None}
        pages.append(Picture(browser, tmp_path, FlowFigure(field, **{**given, **options})))
        return pages[-1]

    yield show
    for one in pages:
        one.page.close()


def like(layer, color, near=24):
    rgb = np.array([int(color[i : i + 2], 16) for i in (1, 3, 5)])
    return (np.abs(layer[..., :3] - rgb).max(-1) < near) & (layer[..., 3] > 220)


def parts(mask, least=8):
    labels, _ = ndimage.label(mask, np.ones((3, 3)))
    return [
        s for i, s in enumerate(ndimage.find_objects(labels)) if (labels[s] == i + 1).sum() >= least
    ]


def test_particles_are_where_they_should_be_in_the_colour_of_the_time(picture):
    shown = picture(Uniform((1.0, -0.6)), source=POINT, views=("particles",))
    for share, color in ((0.0, "source"), (0.5, "path"), (1.0, "target")):
        shown.set(share=share)
        found = shown.centre(like(shown.layer(FRONT), COLORS[color]))
        assert found == pytest.approx([-1 + share, 0.5 - 0.6 * share], abs=0.04), color


def test_a_trail_lies_behind_and_fades(picture):
    shown = picture(Uniform((4.0, 0.0)), source=GaussianMixture([[-2.0, 0.0]], 1e-6),
                    views=("particles",))  # fmt: skip
    shown.set(share=0.8)  # at (1.2, 0), with a trail back to x = 1.2 - 0.24 * 4
    x, y = shown.points(shown.layer(FRONT)[..., 3] > 12).T
    x = x[np.abs(y) < 0.05]
    assert x.max() == pytest.approx(1.2, abs=0.06) and 0.2 < x.min() < 0.45
    height, width = shown.layer(FRONT).shape[:2]
    unit = min(height, width) / 6
    alpha = shown.layer(FRONT)[height // 2 - 2 : height // 2 + 2, :, 3].max(0)
    at = [alpha[int(width / 2 + x * unit)] for x in (0.45, 0.7, 0.95)]
    assert 0 < at[0] < at[1] < at[2]


@pytest.mark.parametrize(("solver", "thick"), [("euler", 4), ("heun", 3), ("rk4", 4)])
def test_the_path_of_the_ring_ends_where_the_solver_does(picture, solver, thick):
    shown = picture(Rotation(2.0), solver=solver, steps=4, start=(1.5, 0.5))
    state = shown.state()
    ring = shown.page.locator(".fm-handle").bounding_box()
    panel = shown.page.locator(".fm-panel").bounding_box()
    at = shown.plane(
        ring["y"] + ring["height"] / 2 - panel["y"], ring["x"] + ring["width"] / 2 - panel["x"]
    )
    assert at == pytest.approx([1.5, 0.5], abs=0.02)
    label = shown.page.locator(".fm-handle").get_attribute("aria-label")
    assert label == "Starting point 1.50, 0.50; arrow keys move it"
    mask = like(shown.layer(FRONT), COLORS[solver])
    # The largest mark is the particle now, at t = 1: at the end of the path.
    biggest = ndimage.binary_erosion(mask, iterations=thick)
    assert shown.centre(biggest) == pytest.approx(state["end"], abs=0.06)
    shown.set(share=0.0)  # and at the beginning, under the ring, at t = 0
    biggest = ndimage.binary_erosion(like(shown.layer(FRONT), COLORS[solver]), iterations=thick)
    assert shown.centre(biggest) == pytest.approx([1.5, 0.5], abs=0.06)


def test_the_exact_path_is_the_broad_grey_line(picture):
    shown = picture(Rotation(3.0), solver="euler", steps=2, start=(2.0, 0.0), t=0.0)
    layer = shown.layer(FRONT)
    ink = np.abs(layer[..., :3] - [0x26, 0x29, 0x2D]).max(-1) < 16
    points = shown.points(ink & (layer[..., 3] > 30) & (layer[..., 3] < 80))
    radius = np.linalg.norm(points, axis=1)
    assert len(points) > 300 and np.percentile(np.abs(radius - 2), 90) < 0.06
    angle = np.degrees(np.arctan2(points[:, 1], points[:, 0]))
    assert angle.max() > 160 and np.percentile(angle, 1) > -6  # counter-clockwise, 172 degrees


@pytest.mark.parametrize(
    "velocity", [(1.0, 0.0), (-1.0, 0.0), (0.0, 1.0), (0.0, -1.0), (0.7, -0.7)]
)
def test_arrows_point_along_the_wind(picture, velocity):
    """An arrow is heavier at its head than at its tail."""
    shown = picture(Uniform(velocity), views=("arrows",))
    alpha = shown.layer(FIELD)[..., 3]
    inner = np.zeros_like(alpha)
    inner[60:-60, 60:-60] = alpha[60:-60, 60:-60]  # without the scales
    seen = 0
    for part in parts(inner > 40, least=25):
        mask = alpha[part]
        rows, columns = np.nonzero(mask > 40)
        along = (columns - columns.mean()) * velocity[0] - (rows - rows.mean()) * velocity[1]
        length = np.ptp(along)
        if length < 12:
            continue
        low, high = along.min(), along.max()
        head = (along > high - length / 3).sum()
        tail = (along < low + length / 3).sum()
        seen += head > 1.3 * tail
    assert seen > 20


def test_streamlines_run_along_the_wind_and_grow_towards_their_heads(picture):
    shown = picture(Uniform((1.0, 0.0)), views=("streamlines",))
    alpha = shown.layer(FIELD)[60:-60, 60:-60, 3]
    across, along = np.abs(np.diff(alpha, axis=0)).sum(), np.abs(np.diff(alpha, axis=1)).sum()
    assert across > 4 * along
    turned = picture(Rotation(1.0), views=("streamlines",))
    alpha = turned.layer(FIELD)[..., 3]
    height, width = alpha.shape
    # At the right of the middle the wind blows upwards: there lines are vertical.
    box = alpha[height // 2 - 40 : height // 2 + 40, width // 2 + 100 : width // 2 + 240]
    assert np.abs(np.diff(box, axis=1)).sum() > 2 * np.abs(np.diff(box, axis=0)).sum()


def test_arrows_follow_the_time_where_the_wind_does(picture):
    """And are drawn anew for other times only."""
    shown = picture(Storm(), views=("arrows",), t=0.2)
    early = shown.layer(FIELD)
    shown.set(share=0.8)
    assert (shown.layer(FIELD) != early).mean() > 0.01
    shown.set(share=0.2)
    assert (shown.layer(FIELD) == early).all()


def test_the_target_is_under_everything_in_its_colour(picture):
    shown = picture(Uniform((1.0, 0.0)), target=GaussianMixture([[1.0, -1.5]], 0.02))
    assert (shown.layer(GROUND)[..., 3] > 0).any()
    layer = shown.layer(GROUND)
    rows, columns = np.nonzero(layer[..., 3] > 60)
    centre = shown.plane(rows.mean(), columns.mean())
    assert centre == pytest.approx([1.0, -1.5], abs=0.05)
    rgb = layer[rows, columns, :3].mean(0)
    wanted = [int(COLORS["target"][i : i + 2], 16) for i in (1, 3, 5)]
    assert np.abs(rgb - wanted).max() < 12


def test_the_pointer_shows_the_vector_and_the_conditional_paths(picture):
    """Half way between two data points both paths are equally likely."""
    two = MarginalField(GaussianMixture([[-2.0, 0.0], [2.0, 0.0]], 0.05), OTPath())
    shown = picture(two, t=0.5, start=(2.9, -2.9))
    empty = shown.layer(FRONT)
    found = shown.set(hover=[0.0, 0.6])["hover"]
    assert [one["weight"] for one in found["paths"]] == pytest.approx([0.5, 0.5])
    assert found["v"][0] == pytest.approx(0, abs=1e-12)
    changed = np.abs(shown.layer(FRONT) - empty).max(-1) > 60
    marks = like(shown.layer(FRONT), COLORS["target"]) & changed
    points = shown.points(marks)
    left, right = points[points[:, 0] < -1.5], points[points[:, 0] > 1.5]
    assert len(left) > 6 and len(right) > 6  # where the two paths end
    assert left.mean(0) == pytest.approx([-2, 0], abs=0.2)
    assert right.mean(0) == pytest.approx([2, 0], abs=0.2)
    assert "mean over 2 conditional paths" in shown.page.locator(".fm-note").inner_text()
    # Both go straight through the point: at x = 1 one is at y = 0.3, the other at y = 0.9.
    x, y = shown.points(changed).T
    near = y[(np.abs(x - 1.0) < 0.03) & (y > 0)]
    assert np.minimum(np.abs(near - 0.3), np.abs(near - 0.9)).max() < 0.08
    assert near.min() < 0.4 and near.max() > 0.8


def test_the_pointer_shows_the_likeliest_of_many_conditional_paths(picture):
    """Of a thousand destinations none is likely by itself; the likeliest ones are shown anyhow."""
    angle = torch.linspace(0, 2 * math.pi, 1001)[:-1]
    ring = 2 * torch.stack([angle.cos(), angle.sin()], dim=1)
    shown = picture(MarginalField(Empirical(ring), OTPath(0.1)), t=0.4, start=(2.9, -2.9))
    empty = shown.layer(FRONT)
    found = shown.set(hover=[1.2, 0.0])["hover"]
    assert len(found["paths"]) == 60 and found["paths"][0]["weight"] < 0.004
    changed = np.abs(shown.layer(FRONT) - empty).max(-1) > 60
    points = shown.points(changed)
    ends = points[np.hypot(*points.T) > 1.8]
    assert len(ends) > 60 and ends[:, 0].min() > 1.5  # the sixty nearest to (2, 0)


def test_a_probe_is_shown_as_long_as_the_pointer_is_nowhere(picture):
    two = MarginalField(GaussianMixture([[-2.0, 0.0], [2.0, 0.0]], 0.05), OTPath())
    shown = picture(two, t=0.5, probe=(0.0, 0.6))
    at_rest = shown.layer(FRONT)
    assert shown.state()["hover"]["at"] == [0.0, 0.6]
    assert "mean over 2 conditional paths" in shown.page.locator(".fm-note").inner_text()
    ends = shown.points(like(at_rest, COLORS["target"]))
    assert (ends[:, 0] < -1.5).sum() > 6 and (ends[:, 0] > 1.5).sum() > 6
    assert shown.set(hover=[1.0, 0.0])["hover"]["at"] == [1.0, 0.0]
    assert (shown.layer(FRONT) != at_rest).any()
    assert shown.set(hover=None)["hover"]["at"] == [0.0, 0.6]
    assert (shown.layer(FRONT) == at_rest).all()


@pytest.mark.parametrize(("steps", "marked"), [(5, 5), (12, 12), (13, 7), (40, 10)])
def test_a_path_of_many_steps_has_at_most_twelve_marks(picture, steps, marked):
    """Straight ahead in even steps; the largest mark is the particle, at the end of the path."""
    shown = picture(Uniform((5.0, 0.0)), start=(-2.5, 0.0), solver="euler", steps=steps)
    mask = like(shown.layer(FRONT), COLORS["euler"])
    discs = ndimage.binary_opening(mask, np.ones((5, 5)))  # without the line
    middles = [[(s.start + s.stop - 1) / 2 for s in part] for part in parts(discs)]
    found = sorted(shown.plane(*middle)[0] for middle in middles)
    every = math.ceil(steps / 12)
    wanted = [-2.5 + 5 * k / steps for k in range(1, steps + 1) if (steps - k) % every == 0]
    assert len(wanted) == marked and found == pytest.approx(wanted, abs=0.05)
    words = shown.page.locator(".fm-readout").inner_text()
    assert (f"One mark for {every} steps" in words) == (every > 1)


def test_the_vector_at_the_pointer_points_along_the_wind(picture):
    shown = picture(Uniform((0.0, -1.0)))
    empty = shown.layer(FRONT)
    shown.set(hover=[0.5, 0.5])
    points = shown.points(np.abs(shown.layer(FRONT) - empty).max(-1) > 60)
    assert points[:, 1].min() < 0.5 - 0.6 and points[:, 1].max() < 0.6
    assert np.abs(points[:, 0] - 0.5).max() < 0.2


def test_two_runs_are_compared_from_the_same_start(picture):
    options = dict(solver="euler", steps=5, compare=("rk4", 9), views=("particles",))
    shown = picture(Rotation(3.0), source=GaussianMixture([[1.0, 0.0]], 1e-9), **options)
    state = shown.state("s.compare")
    x0 = torch.tensor([[1.0, 0.0]], dtype=torch.float64)
    runs = (("euler", 5), ("rk4", 9))
    ends = [odeint(Rotation(3.0), x0, method=m, steps=n).x[0].numpy() for m, n in runs]
    assert state["distance"] == pytest.approx(np.linalg.norm(ends[0] - ends[1]), abs=1e-5)
    assert (state["nfe"], state["compare"]["nfe"]) == (5, 36)
    for panel, end in enumerate(ends):
        dots = like(shown.layer(FRONT, panel), COLORS["target"], near=10)
        assert shown.centre(dots, panel) == pytest.approx(end, abs=0.12)
    words = [shown.page.locator(".fm-label").nth(i).inner_text() for i in (0, 1)]
    assert words == ["Euler, 5 steps", "RK4, 9 steps"]


@pytest.mark.parametrize(
    ("key", "by"),
    [("ArrowLeft", (-0.1, 0)), ("ArrowRight", (0.1, 0)), ("ArrowUp", (0, 0.1)),
     ("ArrowDown", (0, -0.1)), ("Shift+ArrowUp", (0, 0.5))],
)  # fmt: skip
def test_keys_move_the_ring_by_a_sixtieth_of_the_width(picture, key, by):
    shown = picture(Rotation(1.0), start=(0.5, 0.5))
    shown.page.locator(".fm-handle").focus()
    shown.page.keyboard.press(key)
    start = shown.state("s.start[0] !== 0.5 || s.start[1] !== 0.5")["start"]
    assert start == pytest.approx([0.5 + by[0], 0.5 + by[1]])


def test_play_at_the_end_begins_anew_and_pause_keeps_the_place(picture):
    shown = picture(Rotation(1.0))
    shown.page.get_by_role("button", name="Play").click()
    assert shown.state("s.playing")["t"] < 0.5
    shown.page.get_by_role("button", name="Pause").click()
    t = shown.state("!s.playing")["t"]
    assert 0 < t < 0.9
    shown.page.get_by_role("button", name="Play").click()
    assert shown.state("s.playing")["t"] >= t


def test_the_view_stays_in_the_stage(picture):
    """The extent is in full view at one scale, whatever the shape of the window."""
    shown = picture(Uniform((0.0, 0.0)), source=GaussianMixture([[2.9, 2.9]], 1e-6),
                    views=("particles",))  # fmt: skip
    for width, height in ((700, 760), (400, 800), (1200, 600)):
        shown.page.set_viewport_size({"width": width, "height": height})
        shown.page.wait_for_timeout(150)
        found = shown.centre(like(shown.layer(FRONT), COLORS["target"]))
        assert found == pytest.approx([2.9, 2.9], abs=0.06)


def test_torch_and_the_browser_agree_on_the_ring_to_the_pixel(picture):
    """The end of the ring's path, by fmcore and as the figure reports it."""
    shown = picture(Rotation(2.0), solver="midpoint", steps=6, start=(0.7, -1.1))
    x0 = torch.tensor([[0.7, -1.1]], dtype=torch.float64)
    end = odeint(Rotation(2.0), x0, method="midpoint", steps=6).x[0]
    assert shown.state()["end"] == pytest.approx(end.tolist(), abs=1e-6)
