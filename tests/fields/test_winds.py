"""Winds against their flow maps, autograd and what one would measure with a vane."""

import json
import math

import pytest
import torch

from fmcore import fields, winds
from fmcore.fields import Rotation, Saddle, Shear, Storm, Sum, Uniform, Vortex

STORM = Storm(
    start=(-1.0, 0.5), end=(2.0, 1.0), bend=(0.3, -0.7), strength=4.0, core=0.6, inflow=0.3, decay=2
)
WINDS = [
    Uniform(velocity=(0.5, -2.0)),
    Rotation(rate=1.5),
    Shear(rate=-0.7),
    Saddle(rate=0.8),
    Vortex(center=(0.4, -0.3), strength=-2.0, core=0.5),
    Storm(),
    STORM,
    STORM + Vortex(center=(1, 1), strength=3, core=0.2) + Uniform(velocity=(1, 0)),
]
each_wind = pytest.mark.parametrize("wind", WINDS, ids=lambda w: type(w).__name__)


def positions(n, seed=0):
    g = torch.Generator().manual_seed(seed)
    return torch.randn(n, 2, generator=g, dtype=torch.float64)


def circle(center, radius, n=12):
    """`n` points around `center`, and the unit vectors outwards and counter-clockwise there."""
    angle = torch.linspace(0, 2 * math.pi, n + 1, dtype=torch.float64)[:-1]
    out = torch.stack([angle.cos(), angle.sin()], dim=1)
    around = torch.stack([-angle.sin(), angle.cos()], dim=1)
    return torch.as_tensor(center, dtype=torch.float64) + radius * out, out, around


def flow(wind, x, steps=100):
    """The flow map from t = 0 to t = 1, by the classical Runge-Kutta method."""
    h = 1 / steps
    for i in range(steps):
        t = i * h
        k1 = wind(x, t)
        k2 = wind(x + h / 2 * k1, t + h / 2)
        k3 = wind(x + h / 2 * k2, t + h / 2)
        k4 = wind(x + h * k3, min(t + h, 1.0))
        x = x + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
    return x


@pytest.mark.parametrize(
    ("wind", "matrix"),
    [
        (Rotation(rate=1.5), [[0, -1.5], [1.5, 0]]),
        (Shear(rate=-0.7), [[0, -0.7], [0, 0]]),
        (Saddle(rate=0.8), [[0.8, 0], [0, -0.8]]),
    ],
    ids=["Rotation", "Shear", "Saddle"],
)
def test_linear_winds_flow_along_the_matrix_exponential(wind, matrix):
    x = positions(7)
    expected = x @ torch.linalg.matrix_exp(torch.tensor(matrix, dtype=torch.float64)).T
    torch.testing.assert_close(flow(wind, x), expected, rtol=1e-8, atol=1e-8)


def test_uniform_wind_carries_everything_alike():
    x = positions(3)
    shift = torch.tensor([0.5, -2.0], dtype=torch.float64)
    torch.testing.assert_close(flow(WINDS[0], x), x + shift, rtol=0, atol=1e-12)


def test_rotation_turns_counter_clockwise():
    east = torch.tensor([[1.0, 0.0]], dtype=torch.float64)
    north = torch.tensor([[0.0, 1.0]], dtype=torch.float64)
    torch.testing.assert_close(flow(Rotation(rate=math.pi / 2), east), north, rtol=0, atol=1e-8)


@each_wind
def test_divergence_agrees_with_autograd(wind):
    x = positions(20).requires_grad_()
    t = torch.linspace(0, 1, 20, dtype=torch.float64)
    v = wind(x, t)
    expected = sum(
        torch.autograd.grad(v[:, i].sum(), x, retain_graph=True)[0][:, i] for i in (0, 1)
    )
    torch.testing.assert_close(wind.divergence(x, t), expected, rtol=1e-12, atol=1e-12)
    assert expected.shape == (20,)


def test_storm_with_inflow_gathers_mass_and_with_outflow_spreads_it():
    x = positions(20)
    assert (STORM.divergence(x, 0.3) < 0).all()
    assert (Storm(inflow=-0.2).divergence(x, 0.3) > 0).all()
    assert (Storm(inflow=0.0).divergence(x, 0.3) == 0).all()


@pytest.mark.parametrize("t", [0.0, 0.4, 1.0])
def test_storm_at_its_core_radius(t):
    """Around the eye the air moves at s(t), counter-clockwise, and `inflow` times that inwards."""
    x, out, around = circle(STORM.eye(torch.tensor(t, dtype=torch.float64)), radius=0.6)
    v = STORM(x, t)
    speed = torch.full((12,), 4.0 * math.exp(-2 * t), dtype=torch.float64)
    torch.testing.assert_close((v * around).sum(dim=1), speed)
    torch.testing.assert_close((v * out).sum(dim=1), -0.3 * speed)


@pytest.mark.parametrize(("wind", "core"), [(WINDS[4], 0.5), (STORM, 0.6)], ids=["Vortex", "Storm"])
def test_speed_is_greatest_at_the_core_radius(wind, core):
    center = wind.center if isinstance(wind, Vortex) else wind.start
    radii = torch.linspace(0.01, 3.0, 300, dtype=torch.float64)
    x = torch.stack([center[0] + radii, torch.full_like(radii, center[1])], dim=1)
    fastest = radii[wind(x, 0.0).norm(dim=1).argmax()]
    assert abs(fastest - core) < 0.011


def test_the_eye_travels_along_its_track_and_is_calm():
    t = torch.tensor([0.0, 0.5, 1.0], dtype=torch.float64)
    expected = torch.tensor([[-1.0, 0.5], [0.8, 0.05], [2.0, 1.0]], dtype=torch.float64)
    torch.testing.assert_close(STORM.eye(t), expected)
    torch.testing.assert_close(STORM(STORM.eye(t), t), torch.zeros(3, 2, dtype=torch.float64))
    assert (STORM(STORM.eye(t), 0.25).norm(dim=1) > 0.1).all()
    assert STORM.eye(0.5).shape == STORM.eye(1).shape == (2,)
    assert STORM.eye(torch.zeros(4, 3)).shape == (4, 3, 2)


def test_vortex_is_a_rigid_turn_inside_and_falls_like_one_over_r_outside():
    vortex = Vortex(center=(0.4, -0.3), strength=2.0, core=0.5)
    for radius, speed in ((1e-5, 2 * 2.0 / 0.5 * 1e-5), (1e4, 2 * 2.0 * 0.5 / 1e4), (0.5, 2.0)):
        x, out, around = circle(vortex.center, radius)
        v = vortex(x, 0.0)
        expected = torch.full((12,), speed, dtype=torch.float64)
        torch.testing.assert_close((v * around).sum(dim=1), expected, rtol=1e-7, atol=0)
        assert ((v * out).sum(dim=1).abs() < 1e-7 * speed).all()


def test_vortex_and_its_gradient_are_finite_at_the_centre():
    x = torch.tensor([[0.4, -0.3]], dtype=torch.float64, requires_grad=True)
    v = WINDS[4](x, 0.0)
    (gradient,) = torch.autograd.grad(v[0, 1], x)
    torch.testing.assert_close(v, torch.zeros_like(v))
    torch.testing.assert_close(gradient[0, 0].item(), 2 * -2.0 / 0.5)  # twice the rate of a rim


def test_a_storm_that_stands_still_is_a_vortex():
    still = Storm(
        start=(0.4, -0.3), end=(0.4, -0.3), bend=(0, 0), strength=-2, core=0.5, inflow=0, decay=0
    )
    torch.testing.assert_close(still(positions(9), 0.7), WINDS[4](positions(9), 0.0))


def test_default_storm_is_weather_on_the_map():
    """Leaves anywhere on (-3, 3)² travel visibly, none is torn off, and it dies down."""
    grid = torch.cartesian_prod(*2 * [torch.linspace(-3, 3, 25)])
    mean = [Storm()(grid, t).norm(dim=1).mean() for t in (0.0, 0.5, 1.0)]
    assert 1 < mean[2] < mean[1] < mean[0] < 6
    assert Storm()(grid, 0.0).norm(dim=1).max() < 6.5
    assert (Storm().eye(torch.linspace(0, 1, 11)).abs() < 2.5).all()


def test_winds_add_up_and_sums_are_flat():
    x, t = positions(5), 0.3
    total = WINDS[0] + WINDS[3] + STORM
    assert total.winds == (WINDS[0], WINDS[3], STORM) == (WINDS[0] + (WINDS[3] + STORM)).winds
    torch.testing.assert_close(total(x, t), WINDS[0](x, t) + WINDS[3](x, t) + STORM(x, t))
    torch.testing.assert_close(total.divergence(x, t), STORM.divergence(x, t))


@each_wind
def test_parameters_survive_json(wind):
    def build(spec):
        kind = getattr(winds, spec.pop("kind"))
        return kind(tuple(map(build, spec["winds"]))) if kind is Sum else kind(**spec)

    again = build(json.loads(json.dumps(wind.as_dict())))
    assert again == wind and hash(again) == hash(wind)


@each_wind
def test_every_row_may_have_its_own_time(wind):
    x, t = positions(2), torch.tensor([0.2, 0.9], dtype=torch.float64)
    rows = torch.cat([wind(x[i : i + 1], t[i]) for i in (0, 1)])
    torch.testing.assert_close(wind(x, t), rows)
    assert wind(x.float(), t).dtype == wind.divergence(x.float(), t).dtype == torch.float32


def test_fields_offers_every_wind():
    for wind in WINDS:
        assert getattr(fields, type(wind).__name__) is type(wind)


@each_wind
@pytest.mark.parametrize(
    ("x", "t", "error", "message"),
    [
        (torch.zeros(3, 1), 0.0, ValueError, r"\(B, 2\), got \(3, 1\)"),
        (torch.zeros(2), 0.0, ValueError, r"\(B, 2\), got \(2,\)"),
        (torch.zeros(2, 2, dtype=torch.int64), 0.0, TypeError, "floating dtype, got torch.int64"),
        ([[0.0, 0.0]], 0.0, TypeError, "floating dtype, got list"),
        (torch.zeros(3, 2), 1.5, ValueError, r"t must lie in \[0, 1\]"),
        (torch.zeros(3, 2), torch.zeros(3, 1), ValueError, "t must be a number or have shape"),
    ],
)
def test_bad_input_is_refused(wind, x, t, error, message):
    for method in (wind, wind.divergence):
        with pytest.raises(error, match=message):
            method(x, t)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (
            lambda: Vortex((0, 0), 1.0, 0.0),
            ValueError,
            r"core must be a finite .* > 0, got 0\.0",
        ),
        (lambda: Storm(core=-1.0), ValueError, "core must be a finite number > 0"),
        (lambda: Rotation(math.nan), ValueError, "rate must be a finite number, got nan"),
        (lambda: Saddle("fast"), TypeError, "rate must be a finite number, got 'fast'"),
        (lambda: Uniform((1, 2, 3)), ValueError, "velocity must be a pair of numbers, got 3"),
        (lambda: Uniform(1.0), TypeError, "velocity must be a pair of numbers, got 1.0"),
        (lambda: Storm(bend=(math.inf, 0)), ValueError, "bend must be a finite number"),
        (lambda: Sum(()), ValueError, "at least one wind"),
        (lambda: Sum((torch.sin,)), TypeError, "Sum adds winds, got builtin_function"),
        (lambda: Rotation(1.0) + 1.0, TypeError, "unsupported operand"),
    ],
)
def test_bad_parameters_are_refused(make, error, message):
    with pytest.raises(error, match=message):
        make()
