"""Figures are tested by what they draw: positions, directions, order, polarity, colours."""

import matplotlib

matplotlib.use("Agg")

import numpy as np
import pytest
import torch
from matplotlib import pyplot as plt
from matplotlib.colors import to_rgb, to_rgba

from fmcore.solvers import SOLVERS
from fmcore.viz import COLORS, plots, ramp, solver_style, theme, use_theme

SOLVER_NAMES = ("euler", "midpoint", "heun", "rk4", "bosh3", "dopri5")
WIDE = (-2.0, 4.0, 1.0, 4.0)


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


def rotation(x, t):
    return torch.stack([-x[:, 1], x[:, 0]], 1)


# --- arrows


def test_arrows_have_the_field_at_their_place_and_x_comes_first():
    def field(x, t):
        return torch.stack([x[:, 0], 10 + 3 * x[:, 1]], 1)

    arrows = plots.quiver(field, extent=WIDE, n=12).collections[0]
    x, y = arrows.get_offsets().T
    assert len(x) == 12 * 6  # square cells: half as many rows on an extent half as high
    np.testing.assert_allclose(np.ravel(arrows.U), x, atol=1e-6)
    np.testing.assert_allclose(np.ravel(arrows.V), 10 + 3 * y, rtol=1e-6)
    assert x.min() == pytest.approx(-1.75) and x.max() == pytest.approx(3.75)
    assert y.min() == pytest.approx(1.25) and y.max() == pytest.approx(3.75)


def test_an_arrow_of_speed_scale_is_one_cell_long_whatever_the_time():
    def field(x, t):
        return torch.tensor([2.0, 0.0]) * (1 + t) + 0 * x

    for t in (0.0, 1.0):
        arrows = plots.quiver(field, t, extent=(0, 5, 0, 5), n=10, scale=2.0).collections[0]
        # `scale` of matplotlib: units of the field for one unit of the plane
        lengths = np.ravel(arrows.U) / arrows.scale
        np.testing.assert_allclose(lengths, 0.5 * (1 + t))
        assert arrows.angles == arrows.scale_units == "xy"


def test_default_scale_lets_most_arrows_stay_within_their_cell():
    arrows = plots.quiver(rotation, n=20).collections[0]
    lengths = np.hypot(np.ravel(arrows.U), np.ravel(arrows.V)) / arrows.scale
    assert 0.9 <= np.mean(lengths <= 0.3 * 1.0001) <= 0.97
    assert plots.quiver(lambda x, t: 0 * x).collections[0].scale > 0


def test_by_speed_colours_fast_arrows_opaque():
    arrows = plots.quiver(rotation, n=4, by_speed=True, scale=3.0).collections[0]
    np.testing.assert_allclose(
        np.ravel(arrows.get_array()), np.hypot(np.ravel(arrows.U), np.ravel(arrows.V))
    )
    assert arrows.get_clim() == (0, 3.0)
    np.testing.assert_allclose(arrows.to_rgba([3.0])[0], to_rgba(COLORS["field"]))


def test_fields_see_a_zero_dimensional_time_no_gradients_and_their_own_dtype():
    seen = []

    class Net(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.w = torch.nn.Parameter(torch.ones(2, dtype=torch.float64))

        def forward(self, x, t):
            seen.append((x.dtype, t.dtype, t.shape, t.item(), torch.is_grad_enabled()))
            return x * self.w * t

    plots.quiver(Net(), 0.25)
    plots.quiver(lambda x, t: seen.append((x.dtype, t.dtype)) or x)
    assert seen[0] == (torch.float64, torch.float64, (), 0.25, False)
    assert seen[1] == (torch.float32, torch.float32)


# --- streamlines


def test_streamlines_run_along_the_field_and_fill_the_extent():
    def field(x, t):  # not symmetric under a swap of the axes
        return torch.stack([1 + 0 * x[:, 0], 0.5 * x[:, 0]], 1)

    ax = plots.streamlines(field, extent=(-2, 2, -1, 3))
    segments = np.array(ax.collections[0].get_segments())
    middle, step = segments.mean(1), segments[:, 1] - segments[:, 0]
    length = np.hypot(*step.T)
    step, middle = step[length > 1e-9], middle[length > 1e-9]
    along = np.stack([np.ones(len(middle)), 0.5 * middle[:, 0]], 1)
    cross = step[:, 0] * along[:, 1] - step[:, 1] * along[:, 0]
    sine = np.abs(cross) / np.hypot(*step.T) / np.hypot(*along.T)
    assert len(step) > 200 and sine.max() < 0.02
    assert (ax.get_xlim(), ax.get_ylim()) == ((-2, 2), (-1, 3))
    assert middle[:, 1].max() > 2.8 and middle[:, 0].min() < -1.8


def test_streamlines_are_thicker_where_the_field_is_faster():
    # the same direction everywhere, faster to the right
    ax = plots.streamlines(lambda x, t: torch.stack([x[:, 0] + 4, 0 * x[:, 0]], 1))
    lines = ax.collections[0]
    x = np.array(lines.get_segments()).mean(1)[:, 0]
    width = np.asarray(lines.get_linewidths())
    assert np.corrcoef(x, width)[0, 1] > 0.95


def test_streamlines_of_nothing():
    with pytest.raises(ValueError, match=r"zero on the whole extent at t = 0\.5"):
        plots.streamlines(lambda x, t: 0 * x, 0.5)


# --- particles and paths


def spiral(states, count):
    t = torch.linspace(0, 2, states)[:, None]
    phase = torch.linspace(0, 3, count)[None]
    return torch.stack([t * torch.cos(t + phase), 1 + t * torch.sin(t + phase)], -1)


@pytest.mark.parametrize("states", [2, 7, 60])
def test_trails_start_at_the_beginning_end_at_the_dots_and_fade_backwards(states):
    xs = spiral(states, 5)
    ax = plots.particles(xs)
    *trails, dots = ax.collections
    np.testing.assert_allclose(dots.get_offsets(), xs[-1], atol=1e-6)
    newest, oldest = trails[-1].get_segments(), trails[0].get_segments()
    for k in range(5):
        np.testing.assert_allclose(newest[k][-1], xs[-1, k], atol=1e-6)
        np.testing.assert_allclose(oldest[k][0], xs[0, k], atol=1e-6)
        joined = np.concatenate([[oldest[k][0]], *(tr.get_segments()[k][1:] for tr in trails)])
        np.testing.assert_allclose(joined, xs[:, k], atol=1e-6)  # every state, none twice
    alpha = [tr.get_colors()[0, 3] for tr in trails]
    width = [tr.get_linewidths()[0] for tr in trails]
    assert alpha == sorted(alpha) and width == sorted(width)
    assert len(trails) <= 24


def test_particles_without_trails_with_one_state_and_with_colours():
    assert len(plots.particles(spiral(9, 4), trails=False).collections) == 1
    assert len(plots.particles(spiral(1, 4)).collections) == 1
    colours = ["red", "blue", "red", "lime"]
    *trails, dots = plots.particles(spiral(3, 4), color=colours).collections
    np.testing.assert_allclose(dots.get_facecolors(), [to_rgba(c) for c in colours])
    np.testing.assert_allclose(trails[-1].get_colors()[:, :3], [to_rgb(c) for c in colours])
    with pytest.raises(ValueError, match="one colour or 4 of them, got 2"):
        plots.particles(spiral(3, 4), color=["red", "blue"])


def test_particles_keep_the_frame_of_what_is_below_and_show_all_otherwise():
    below = plots.quiver(rotation, extent=(-1, 1, -1, 1))
    plots.particles(spiral(9, 4), ax=below)
    assert (below.get_xlim(), below.get_ylim()) == ((-1, 1), (-1, 1))
    alone = plots.particles(spiral(9, 4))
    x, y = spiral(9, 4).reshape(-1, 2).T
    assert alone.get_xlim()[0] <= x.min() and alone.get_xlim()[1] >= x.max()
    assert alone.get_ylim()[0] <= y.min() and alone.get_ylim()[1] >= y.max()


def test_a_path_marks_every_step_in_the_style_of_its_solver():
    xs = spiral(9, 2).requires_grad_()
    ax = plots.path(xs, method="rk4")
    style = solver_style("rk4")
    assert len(ax.lines) == 2
    for k, line in enumerate(ax.lines):
        np.testing.assert_allclose(line.get_xydata(), xs[:, k].detach(), atol=1e-6)
        assert (line.get_color(), line.get_marker()) == (style.color, style.marker)
        assert line.get_markevery() is None
    assert ax.get_legend_handles_labels()[1] == ["RK4"]  # one entry, however many trajectories


def test_a_path_without_a_solver_is_a_plain_curve_in_ink():
    with theme("dark"):
        line = plots.path(spiral(9, 1)[:, 0], label="exact").lines[0]
        assert line.get_color() == plt.rcParams["text.color"]
    assert line.get_marker() in ("None", "") and line.get_label() == "exact"


# --- densities and samples


def gaussian(mean, std):
    mean = torch.tensor(mean)
    return lambda x: -(x - mean).square().sum(1) / 2 / std**2


def test_density_peaks_at_the_mean_with_y_upwards():
    ax = plots.density(gaussian([2.0, 1.5], 0.3), extent=WIDE, n=120)
    image = ax.images[0]
    p = np.asarray(image.get_array())
    row, column = np.unravel_index(p.argmax(), p.shape)
    assert p.shape == (60, 120) and image.origin == "lower"
    xmin, xmax, ymin, ymax = image.get_extent()
    assert xmin + (column + 0.5) / 120 * (xmax - xmin) == pytest.approx(2.0, abs=0.05)
    assert ymin + (row + 0.5) / 60 * (ymax - ymin) == pytest.approx(1.5, abs=0.05)
    contours = np.concatenate(
        [path.vertices for c in ax.collections for path in c.get_paths() if len(path.vertices)]
    )
    np.testing.assert_allclose(contours.mean(0), [2.0, 1.5], atol=0.05)


def test_density_is_drawn_where_the_mean_is():
    """The pixels themselves, so that no pair of errors in image and axes can cancel."""
    with theme("light"):
        ax = plots.density(gaussian([2.0, -1.0], 0.4), contours=False)
        figure = ax.figure
        figure.canvas.draw()
        opacity = np.asarray(figure.canvas.buffer_rgba())[..., 3].astype(float)
    box = ax.get_window_extent()
    inside = opacity[:, int(box.x0) + 3 : int(box.x1) - 3]
    inside = inside[len(inside) - int(box.y1) + 3 : len(inside) - int(box.y0) - 3]
    rows, columns = np.nonzero(inside > 200)
    x, y = columns.mean() / inside.shape[1], 1 - rows.mean() / inside.shape[0]
    assert (x, y) == (pytest.approx(5 / 6, abs=0.02), pytest.approx(2 / 6, abs=0.02))


def test_density_is_transparent_at_zero_and_comparable_with_one_vmax():
    def empty_left(x):
        return torch.where(x[:, 0] < 0, -torch.inf, torch.zeros(len(x)))

    image = plots.density(empty_left, contours=False).images[0]
    assert image.get_alpha() is None  # nothing on top of the ramp
    drawn = image.to_rgba(np.array([0.0, 1.0]))
    assert drawn[0, 3] == 0
    np.testing.assert_allclose(drawn[1], to_rgba(COLORS["target"]), atol=1e-6)
    for std in (1.0, 2.0):
        image = plots.density(gaussian([0.0, 0.0], std), vmax=2.0).images[0]
        assert image.get_clim() == (0, 2.0)


def test_density_errors():
    with pytest.raises(ValueError, match=r"must return \(40000,\).*got \(40000, 2\)"):
        plots.density(lambda x: x)
    with pytest.raises(ValueError, match="NaN or infinity"):
        plots.density(lambda x: x[:, 0] / 0)
    with pytest.raises(ValueError, match="0 on the whole extent"):
        plots.density(lambda x: x[:, 0] - 1e9)


def test_scatter_puts_samples_where_they_are():
    x = torch.tensor([[1.0, 2.0], [3.0, -1.0]], requires_grad=True)
    ax = plots.scatter(x, color=COLORS["source"], label="noise")
    dots = ax.collections[0]
    np.testing.assert_allclose(dots.get_offsets(), x.detach())
    np.testing.assert_allclose(dots.get_facecolors()[0, :3], to_rgb(COLORS["source"]))
    assert ax.get_legend_handles_labels()[1] == ["noise"]


# --- digits


def test_digits_stand_row_by_row_upright_with_the_page_between():
    images = torch.full((5, 1, 28, 28), -1.0)
    for k in range(5):
        images[k, 0, 0, 1 + k] = 1.0  # one pixel of ink in the first row tells which and which way
    ax = plots.digits(images, columns=3)
    grid = ax.images[0].get_array()
    assert grid.shape == (58, 88)
    ink = np.argwhere(grid.filled(0) == 1.0)
    assert ink.tolist() == [[0, 1], [0, 32], [0, 63], [30, 4], [30, 35]]
    assert grid.mask[28:30].all() and grid.mask[:, 28:30].all() and grid.mask[:, 58:60].all()
    assert grid.mask[30:, 60:].all()  # no sixth image
    assert ax.get_ylim()[0] > ax.get_ylim()[1]  # rows count downwards
    paper, ink, gap = ax.images[0].to_rgba(np.ma.masked_invalid([-1.0, 1.0, np.nan]))
    assert sum(paper[:3]) > 2.8 > 0.4 > sum(ink[:3]) and gap[3] == 0
    assert ax.images[0].get_interpolation() == "nearest"


def test_digits_without_a_channel_axis_on_the_given_axes_with_labels():
    _, ax = plt.subplots()
    out = plots.digits(
        torch.zeros(6, 28, 28).requires_grad_(),
        columns=3,
        ax=ax,
        row_labels=["a", "b"],
        column_labels=["1", "2", "3"],
    )
    assert out is ax
    assert [t.get_text() for t in ax.get_yticklabels()] == ["a", "b"]
    assert ax.get_yticks().tolist() == [13.5, 43.5] and len(ax.get_xticks()) == 3
    assert plots.digits(torch.zeros(64, 1, 28, 28)).images[0].get_array().shape == (238, 238)


@pytest.mark.parametrize(
    ("images", "options", "message"),
    [
        (torch.zeros(4, 3, 28, 28), {}, r"\(B, 1, H, W\) or \(B, H, W\), got \(4, 3, 28, 28\)"),
        (torch.zeros(28, 28), {}, r"got \(28, 28\)"),
        (torch.zeros(0, 1, 28, 28), {}, "images is empty"),
        (torch.full((1, 1, 28, 28), 255.0), {}, r"lie in \[-1, 1\], got \[255, 255\].*clamp"),
        (torch.full((1, 1, 28, 28), torch.nan), {}, r"lie in \[-1, 1\], got \[nan, nan\]"),
        (
            torch.zeros(4, 28, 28),
            {"columns": 0},
            "columns must be a whole number of at least 1, got 0",
        ),
        (torch.zeros(4, 28, 28), {"row_labels": ["a"]}, "row_labels must have one .* 2, got 1"),
    ],
)
def test_digits_errors(images, options, message):
    with pytest.raises(ValueError, match=message):
        plots.digits(images, **options)


# --- charts


def test_loss_curve_shows_every_value_and_an_unbiased_average():
    steps = torch.arange(0, 400, 2)
    ax = plots.loss_curve(steps, torch.full((200,), 3.0), smooth=0.9, floor=1.0, label="CFM")
    raw, average, floor = ax.lines
    np.testing.assert_allclose(raw.get_xydata().T, [steps, np.full(200, 3.0)])
    np.testing.assert_allclose(average.get_ydata(), 3.0)  # no pull towards 0 at the start
    assert set(floor.get_ydata()) == {1.0} and average.get_label() == "CFM"
    # after a jump from 0 to 1 it keeps 0.9 of its distance at each step
    jump = plots.loss_curve(range(400), [0.0] * 200 + [1.0] * 200, smooth=0.9).lines[1].get_ydata()
    np.testing.assert_allclose((1 - jump[210:240]) / (1 - jump[209:239]), 0.9, rtol=1e-6)


def test_loss_curve_errors():
    for args, message in [
        (([1, 2], [1.0]), "as long: got 2 and 1"),
        (([], []), "steps is empty"),
        (([1, 2], [1.0, float("nan")]), "losses holds 1 values that are NaN"),
    ]:
        with pytest.raises(ValueError, match=message):
            plots.loss_curve(*args)
    with pytest.raises(ValueError, match=r"smooth must lie in \[0, 1\), got 1"):
        plots.loss_curve([1], [1.0], smooth=1)
    with pytest.raises(ValueError, match="above 0, got -1"):
        plots.loss_curve([1, 2], [1.0, -1.0], log=True)


@pytest.mark.parametrize("against", ["h", "nfe"])
def test_convergence_states_the_order_and_draws_it(against):
    h = 0.5 ** torch.arange(2.0, 8.0, dtype=torch.float64)
    sizes = h if against == "h" else 1 / h
    ax = plots.convergence(sizes, 7 * h**3, method="bosh3", order=3, against=against)
    line, triangle = ax.lines
    assert line.get_label() == "Bogacki–Shampine, order 3.00"
    assert (ax.get_xscale(), ax.get_yscale()) == ("log", "log")
    np.testing.assert_allclose(line.get_xydata().T, [sizes, 7 * h**3])
    corners = np.log(triangle.get_xydata()[:3])
    edges = np.roll(corners, -1, 0) - corners
    flat = np.isclose(edges, 0)
    assert flat.any(1).sum() == 2  # one edge along each axis
    slope = (edges[~flat.any(1), 1] / edges[~flat.any(1), 0]).item()
    assert slope == pytest.approx(3 if against == "h" else -3)
    below = np.interp(corners[:, 0], *np.log(line.get_xydata()[:: 1 if against == "nfe" else -1].T))
    assert (corners[:, 1] < below + 1e-9).all()
    assert "step size" in ax.get_xlabel() if against == "h" else "NFE" in ax.get_xlabel()


def test_convergence_errors():
    for args, message in [
        (([0.1, 0.2], [0.0, 1.0]), "above 0"),
        (([0.1], [1.0]), "at least two different sizes"),
        (([0.1, 0.1], [1.0, 1.0]), "at least two different sizes"),
    ]:
        with pytest.raises(ValueError, match=message):
            plots.convergence(*args)
    with pytest.raises(ValueError, match='against must be "h" or "nfe"'):
        plots.convergence([1, 2], [1, 2], against="time")


# --- what all of them share


@pytest.mark.parametrize("draw", [plots.quiver, plots.streamlines])
@pytest.mark.parametrize(
    ("field", "message"),
    [
        (lambda x, t: x[:, :1], r"must return \(\d+, 2\).*got \(\d+, 1\)"),
        (
            lambda x, t: torch.where(x > 0, x / 0, x),
            r"NaN or infinite at \d+ of \d+ points at t = 0.5",
        ),
        (lambda x, t: torch.log(x), "first at x = "),
    ],
)
def test_fields_that_cannot_be_drawn(draw, field, message):
    with pytest.raises(ValueError, match=message):
        draw(field, 0.5)


@pytest.mark.parametrize("draw", [plots.quiver, plots.streamlines])
@pytest.mark.parametrize(
    "extent", [(1, -1, 0, 1), (0, 1, 2, 2), (0, 1, 0), (0, float("nan"), 0, 1), 3, "abcd"]
)
def test_extents_that_are_none(draw, extent):
    with pytest.raises(ValueError, match=r"extent .*\(?xmin, xmax, ymin, ymax"):
        draw(rotation, extent=extent)


@pytest.mark.parametrize("draw", [plots.particles, plots.path])
def test_states_that_cannot_be_drawn(draw):
    with pytest.raises(ValueError, match=r"xs must have shape \(T, B, 2\), got \(4, 3, 3\)"):
        draw(torch.zeros(4, 3, 3))
    with pytest.raises(ValueError, match="xs is empty"):
        draw(torch.zeros(0, 3, 2))
    with pytest.raises(ValueError, match="xs holds 12 values that are NaN or infinite"):
        draw(torch.full((2, 3, 2), torch.nan))


def test_other_arguments_that_cannot_be():
    with pytest.raises(ValueError, match="n must be a whole number of at least 2, got 1"):
        plots.quiver(rotation, n=1)
    with pytest.raises(ValueError, match="scale must be a finite number > 0"):
        plots.quiver(rotation, scale=0.0)
    with pytest.raises(ValueError, match="density must be a finite number > 0"):
        plots.streamlines(rotation, density=0)
    with pytest.raises(ValueError, match=r"x must have shape \(B, 2\), got \(3,\)"):
        plots.scatter(torch.zeros(3))
    with pytest.raises(ValueError, match="'euler', 'midpoint', 'heun'.*got 'eular'"):
        plots.path(torch.zeros(3, 2), method="eular")


def test_planes_are_equal_in_scale_labelled_and_drawn_where_asked():
    _, axes = plt.subplots(1, 6)
    drawn = [
        plots.quiver(rotation, ax=axes[0]),
        plots.streamlines(rotation, ax=axes[1]),
        plots.particles(spiral(3, 2), ax=axes[2]),
        plots.path(spiral(3, 2), ax=axes[3]),
        plots.density(gaussian([0.0, 0.0], 1.0), ax=axes[4]),
        plots.scatter(torch.zeros(3, 2), ax=axes[5]),
    ]
    assert all(a is b for a, b in zip(drawn, axes, strict=True))
    assert all(ax.get_aspect() == 1 for ax in axes)
    assert all((ax.get_xlabel(), ax.get_ylabel()) == ("$x$", "$y$") for ax in axes)
    assert len(plt.get_fignums()) == 1


def test_small_multiples_with_one_scale_write_it_once():
    _, axes = plt.subplots(2, 2, sharex=True, sharey=True)
    for ax in axes.flat:
        plots.quiver(rotation, n=4, ax=ax)
    assert [bool(ax.get_xlabel()) for ax in axes.flat] == [False, False, True, True]
    assert [bool(ax.get_ylabel()) for ax in axes.flat] == [True, False, True, False]


def test_nothing_draws_from_a_global_stream():
    before, numpy_before = torch.get_rng_state(), np.random.get_state()[1].copy()
    plots.streamlines(rotation)
    plots.particles(spiral(9, 4))
    plots.density(gaussian([0.0, 0.0], 1.0))
    assert torch.equal(before, torch.get_rng_state())
    assert (numpy_before == np.random.get_state()[1]).all()


# --- the visual language


def linear(color):
    c = np.array(to_rgb(color))
    return np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)


def contrast(a, b):
    y = sorted(np.array([linear(a), linear(b)]) @ [0.2126, 0.7152, 0.0722])
    return (y[1] + 0.05) / (y[0] + 0.05)


@pytest.mark.parametrize("page", ["#ffffff", "#121212"])
def test_colours_hold_on_both_pages(page):
    for name, color in COLORS.items():
        if name != "muted":
            assert contrast(color, page) >= (4.3 if name == "ink" else 3.0), name


# Machado, Oliveira & Fernandes 2009, severity 1.0, on linear RGB
EYES = {
    "full": np.eye(3),
    "protan": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deutan": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
}


def oklab(rgb):  # Ottosson 2020
    lms = np.cbrt(
        np.clip(rgb, 0, 1)
        @ np.array(
            [
                [0.4122214708, 0.2119034982, 0.0883024619],
                [0.5363325363, 0.6806995451, 0.2817188376],
                [0.0514459929, 0.1073969566, 0.6299787005],
            ]
        )
    )
    return lms @ np.array(
        [
            [0.2104542553, 1.9779984951, 0.0259040371],
            [0.7936177850, -2.4285922050, 0.7827717662],
            [-0.0040720468, 0.4505937099, -0.8086757660],
        ]
    )


@pytest.mark.parametrize("eyes", EYES)
@pytest.mark.parametrize("group", [("source", "target", "path", "field"), SOLVER_NAMES])
def test_colours_differ_for_all_eyes(eyes, group):
    seen = oklab(np.array([linear(COLORS[name]) for name in group]) @ np.array(EYES[eyes]).T)
    gap = np.linalg.norm(seen[:, None] - seen[None], axis=-1) + np.eye(len(group))
    assert gap.min() > 0.09  # about five times what one can just tell apart


def test_every_solver_has_a_style_of_its_own():
    assert set(SOLVER_NAMES) == set(SOLVERS)
    styles = [solver_style(name) for name in SOLVERS]
    assert len({s.color for s in styles}) == len({s.marker for s in styles}) == len(SOLVERS)


def test_theme_is_a_context_with_a_transparent_page():
    before = dict(plt.rcParams)
    with theme():
        assert plt.rcParams["text.color"] == COLORS["ink"]
        figure = plots.quiver(rotation).figure
        figure.canvas.draw()
        assert np.asarray(figure.canvas.buffer_rgba())[0, 0, 3] == 0
    assert dict(plt.rcParams) == before
    for name, page in (("light", "#ffffff"), ("dark", "#121212")):
        with theme(name):
            assert contrast(plt.rcParams["text.color"], page) > 10
    with pytest.raises(ValueError, match="auto, light, dark; got 'sepia'"), theme("sepia"):
        pass


def test_use_theme_stays_and_needs_no_notebook():
    with matplotlib.rc_context():
        use_theme("light")
        assert plt.rcParams["figure.facecolor"] == "none"


def test_the_ramp_goes_from_nothing_to_its_colour_and_never_back():
    colors = ramp("#c8622b")(np.linspace(0, 1, 50))
    np.testing.assert_allclose(colors[:, :3], np.tile(to_rgb("#c8622b"), (50, 1)), atol=1e-6)
    assert colors[0, 3] == 0 and colors[-1, 3] == 1 and (np.diff(colors[:, 3]) > 0).all()
