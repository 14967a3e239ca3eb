"""Multistep solvers: published algorithms, closed forms, observed order, times of evaluation."""

import math

import pytest
import torch
from known import F64, NAN
from small import noise

from fmcore.fields import GaussianMixture, MarginalField
from fmcore.paths import CosinePath, OTPath, VPPath
from fmcore.solvers import GRIDS, multistep, odeint

PATHS = [OTPath(), OTPath(sigma_min=0.05), VPPath(), CosinePath()]
MIX = GaussianMixture(
    torch.tensor([[-1.5, 0.0], [1.0, 1.0], [0.5, -1.5]], dtype=F64), stds=0.5
)  # fmt: skip
X0 = noise(16, 2).double()
CENTRE = torch.tensor([0.7, -1.2], dtype=F64)


def at_point(path):
    """The field of data that is a single point, from its definition."""

    def v(x, t):
        return path.da(t) * CENTRE + path.db(t) * (x - path.a(t) * CENTRE) / path.b(t)

    return v


@pytest.mark.parametrize(("order", "predict"), [(1, "data"), (2, "data"), (2, "noise")])
def test_observed_order(order, predict):
    path = OTPath(sigma_min=0.05)
    v = MarginalField(MIX, path)
    exact = odeint(v, X0, method="dopri5", rtol=1e-11, atol=1e-11).x

    def error(n):
        x = multistep(v, path, X0, order=order, steps=n, predict=predict).x
        return (x - exact).square().mean().sqrt().item()

    assert math.log2(error(80) / error(320)) / 2 == pytest.approx(order, abs=0.2)


@pytest.mark.parametrize("path", [OTPath(), VPPath(), CosinePath()], ids=str)
def test_order_two_in_log_snr_where_the_noise_ends(path):
    grid = torch.linspace(0.02, 0.98, 3, dtype=F64)
    v, span = MarginalField(MIX, path), (grid[0].item(), grid[-1].item())
    exact = odeint(v, X0, span, method="dopri5", rtol=1e-11, atol=1e-11).x

    def error(n):
        clock = torch.log(path.a(grid) / path.b(grid))
        clock = torch.lerp(clock[0], clock[-1], torch.linspace(0, 1, n + 1, dtype=F64))
        times = path.time_at(torch.sigmoid(clock), torch.sigmoid(-clock))
        sol = multistep(v, path, X0, steps=n, grid=times)
        assert sol.t == pytest.approx(span[1], abs=1e-12)
        return (sol.x - exact).abs().max().item()

    assert math.log2(error(80) / error(160)) == pytest.approx(2, abs=0.2)


@pytest.mark.parametrize("predict", ["data", "noise"])
@pytest.mark.parametrize("path", [VPPath(), OTPath(sigma_min=0.05)], ids=str)
def test_order_two_is_the_published_algorithm(path, predict):
    """Lu et al. 2022, algorithm 2, in their symbols; the same in the noise (DPM-Solver-2M)."""
    mean, std = 1.5, 0.5
    v = MarginalField(GaussianMixture(torch.tensor([[mean]], dtype=F64), stds=std), path)
    t = torch.tensor([0.05, 0.2, 0.3, 0.55, 0.6, 0.9], dtype=F64)
    alpha, sigma = path.a(t), path.b(t)
    lam = torch.log(alpha) - torch.log(sigma)

    def denoised(x, i):
        gain = alpha[i] * std**2 / (alpha[i] ** 2 * std**2 + sigma[i] ** 2)
        return mean + gain * (x - alpha[i] * mean)

    x, old = X0[:, :1], None
    for i in range(1, len(t)):
        new = denoised(x, i - 1)
        if predict == "noise":
            new = (x - alpha[i - 1] * new) / sigma[i - 1]
        h = lam[i] - lam[i - 1]
        d = new
        if old is not None:
            r = (lam[i - 1] - lam[i - 2]) / h
            d = (1 + 1 / (2 * r)) * new - 1 / (2 * r) * old
        if predict == "data":
            x = sigma[i] / sigma[i - 1] * x - alpha[i] * (torch.exp(-h) - 1) * d
        else:
            x = alpha[i] / alpha[i - 1] * x - sigma[i] * (torch.exp(h) - 1) * d
        old = new
    sol = multistep(v, path, X0[:, :1], steps=5, predict=predict, grid=t)
    torch.testing.assert_close(sol.x, x, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("predict", ["data", "noise"])
@pytest.mark.parametrize("steps", [1, 2, 7])
@pytest.mark.parametrize("path", PATHS, ids=str)
def test_exact_for_a_point_of_data(path, steps, predict):
    """Neither the data nor the noise moves along the path, so that any step is exact."""
    order, ends = min(steps, 2), torch.tensor([0.0, 1.0], dtype=F64)
    (a0, a1), (b0, b1) = path.a(ends), path.b(ends)
    sol = multistep(at_point(path), path, X0, order=order, steps=steps, predict=predict)
    torch.testing.assert_close(sol.x, a1 * CENTRE + b1 * (X0 - a0 * CENTRE) / b0)
    assert (sol.nfe, sol.accepted, sol.rejected, sol.t) == (steps, steps, 0, 1.0)


@pytest.mark.parametrize("predict", ["data", "noise"])
def test_order_one_on_the_straight_path_is_euler(predict):
    v = MarginalField(MIX, OTPath())
    euler = odeint(v, X0, method="euler", steps=9).x
    sol = multistep(v, OTPath(), X0, order=1, steps=9, predict=predict)
    torch.testing.assert_close(sol.x, euler, rtol=1e-12, atol=1e-12)
    other = CosinePath()
    v = MarginalField(MIX, other)
    euler = odeint(v, X0, method="euler", steps=9).x
    assert (multistep(v, other, X0, order=1, steps=9).x - euler).abs().max() > 0.01


@pytest.mark.parametrize("predict", ["data", "noise"])
def test_where_the_clock_is_infinite_a_step_has_order_one(predict):
    def differ(path, grid):
        v = MarginalField(MIX, path)
        one, two = (
            multistep(v, path, X0, order=k, steps=len(grid) - 1, predict=predict, grid=grid).x
            for k in (1, 2)
        )
        return not torch.equal(one, two)

    assert not differ(OTPath(), [0.2, 0.6, 1.0])  # the last
    assert not differ(OTPath(), [0.0, 0.4, 0.8])  # the second after a = 0
    assert not differ(OTPath(sigma_min=0.05), [0.0, 0.5, 1.0])
    assert differ(OTPath(sigma_min=0.05), [0.2, 0.6, 1.0])  # the last, with noise left
    assert differ(VPPath(), [0.0, 0.4, 0.8])  # a little data at the start
    assert differ(OTPath(), [0.0, 0.3, 0.6, 0.8])


@pytest.mark.parametrize("path", PATHS, ids=str)
@pytest.mark.parametrize("grid", [None, *GRIDS])
def test_the_field_is_asked_at_the_left_ends_alone(grid, path):
    seen, v = [], MarginalField(MIX, path)

    def spied(x, t):
        assert t.ndim == 0 and t.dtype == F64
        seen.append(t.item())
        return v(x, t)

    sol = multistep(spied, path, X0, steps=6, grid=grid)
    times = GRIDS[grid or "uniform"](path, 6)
    assert times.dtype == F64 and (times[0], times[-1]) == (0, 1)
    assert seen == times[:-1].tolist() and sol.nfe == 6


def test_grids():
    third = GRIDS["shifted"](OTPath(), 8, shift=3.0)
    again = third / (third + 3 * (1 - third))
    torch.testing.assert_close(again, GRIDS["shifted"](OTPath(), 8, shift=9.0))
    torch.testing.assert_close(GRIDS["shifted"](OTPath(), 8), third)
    noisy = 1 - GRIDS["uniform"](OTPath(), 8)  # as Stable Diffusion 3 writes it
    torch.testing.assert_close(1 - third, 3 * noisy / (1 + 2 * noisy))
    for path in (OTPath(), VPPath(), CosinePath()):
        t = GRIDS["log_snr"](path, 10, margin=0.01)[1:-1]
        clock = torch.log(path.a(t) / path.b(t)).diff()
        torch.testing.assert_close(clock, clock[:1].expand_as(clock))
        low, high = (math.log(path.a(s) / path.b(s)) for s in torch.tensor([0.01, 0.99]))
        assert clock[0].item() == pytest.approx((high - low) / 10, rel=1e-4)


def test_a_grid_of_ones_own():
    GRIDS["squares"] = lambda path, steps: torch.linspace(0, 1, steps + 1) ** 2
    try:
        v = MarginalField(MIX, OTPath())
        named = multistep(v, OTPath(), X0, steps=4, grid="squares").x
        assert torch.equal(
            named, multistep(v, OTPath(), X0, steps=4, grid=[0, 1 / 16, 1 / 4, 9 / 16, 1]).x
        )
    finally:
        del GRIDS["squares"]


def test_images_and_numbers_of_the_grid_in_double():
    path, images = VPPath(), noise(4, 1, 4, 4).double()

    def v(x, t):
        return at_point(path)(x.reshape(-1, 2), t).reshape(x.shape)

    grid = [0.1, 0.3, 0.7]
    sol = multistep(v, path, images, steps=2, grid=grid)
    flat = multistep(at_point(path), path, images.reshape(-1, 2), steps=2, grid=grid)
    assert torch.equal(sol.x, flat.x.reshape(images.shape))
    assert sol.t == 0.7


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_is_computed_in_float32(dtype):
    path = OTPath(sigma_min=0.05)
    x0 = X0.to(dtype)

    def v(x, t):
        assert x.dtype == dtype and t.dtype == torch.float32
        return at_point(path)(x.double(), t.double()).to(dtype)

    def rounds(x, t):
        return v(x.to(dtype), t).float()

    sol = multistep(v, path, x0, steps=300)
    assert sol.x.dtype == dtype
    wide = multistep(rounds, path, x0.float(), steps=300).x
    assert torch.equal(sol.x, wide.to(dtype))
    assert (wide - CENTRE).abs().max() < 0.3


def test_gradients_flow():
    path, x0 = OTPath(), X0[:2].clone().requires_grad_()
    v = MarginalField(MIX, path)
    assert torch.autograd.gradcheck(lambda x: multistep(v, path, x, steps=4).x, x0)


@pytest.mark.parametrize(("arguments", "error", "message"), [
    ({"order": 3}, ValueError, "order must be a whole number of at least 1, at most 2, got 3"),
    ({"steps": 1}, ValueError, "order=2 needs at least 2 steps, got steps=1"),
    ({"path": VPPath()}, ValueError, "v is a field along OTPath"),
    ({"grid": [0, 0.5, 0.5, 1]}, ValueError, "grid must increase, got 0.5 after 0.5"),
    ({"grid": [0, NAN, 0.5, 1]}, ValueError, r"grid must lie in \[0, 1\], got nan"),
    ({"v": lambda x, t: x / (t - t)}, ValueError, "after step 1 of 3, at t=0.333333"),
])  # fmt: skip
def test_refusals(arguments, error, message):
    good = {"v": MarginalField(MIX, OTPath()), "path": OTPath(), "x0": X0, "steps": 3}
    with pytest.raises(error, match=message):
        multistep(**{**good, **arguments})
