"""Figures are tested by what they draw: positions, directions, order, polarity, colours."""

import numpy as np
import pytest
import torch
from matplotlib import pyplot as plt
from matplotlib.colors import to_rgb, to_rgba

from fmcore.fields import Rotation
from fmcore.viz import COLORS, plots, solver_style, theme

WIDE = (-2.0, 4.0, 1.0, 4.0)


rotation = Rotation(1.0)


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
        assert line.get_markevery() == (0, 1)
    assert ax.get_legend_handles_labels()[1] == ["RK4"]  # one entry, however many trajectories


@pytest.mark.parametrize(
    ("steps", "marked"),
    [(12, range(13)), (13, range(1, 14, 2)), (24, range(0, 25, 2)), (40, range(0, 41, 4))],
)
def test_a_path_of_many_steps_has_marks_far_enough_apart(steps, marked):
    line = plots.path(spiral(steps + 1, 1), method="rk4").lines[0]
    start, every = line.get_markevery()
    assert list(range(steps + 1))[start::every] == list(marked)


def test_a_path_of_a_solver_of_ones_own_is_ink_and_dots(own_solver):
    ax = plots.path(spiral(9, 1), method=own_solver)
    assert (ax.lines[0].get_color(), ax.lines[0].get_marker()) == (COLORS["ink"], "o")
    assert ax.get_legend_handles_labels()[1] == ["Own"]


def test_a_path_takes_the_label_colour_and_marker_it_is_given():
    ax = plots.path(spiral(9, 1), method="rk4", label="mine", color="#ff0000", marker="x")
    line = ax.lines[0]
    assert (line.get_label(), line.get_color(), line.get_marker()) == ("mine", "#ff0000", "x")


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
    error = ValueError if isinstance(extent, tuple) else TypeError
    with pytest.raises(error, match=r"extent .*\(?xmin, xmax, ymin, ymax"):
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
