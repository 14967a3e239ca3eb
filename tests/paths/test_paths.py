"""Paths against closed forms, autograd in time and the exact Gaussian marginal."""

import math
from dataclasses import dataclass

import numpy as np
import pytest
import torch

from fmcore import paths
from fmcore.fields import GaussianMixture, MarginalField
from fmcore.networks import MLP
from fmcore.paths import CosinePath, OTPath, ProbabilityPath, VPPath, change_path
from fmcore.sampling import generate
from fmcore.training import TrainConfig, train
from fmcore.viz import FlowFigure
from fmcore.weights import load_weights, save_weights

PATHS = [
    *(path() for path in paths.PATHS.values()),
    OTPath(sigma_min=0.1),
    VPPath(beta_min=0.5, beta_max=3.0),
]
IDS = [str(p) for p in PATHS]


def images(seed, dtype=torch.float64):
    """B == W, where a time that broadcasts over the wrong axis goes unnoticed."""
    return torch.randn(4, 3, 4, 4, dtype=dtype, generator=torch.Generator().manual_seed(seed))


def times(dtype=torch.float64):
    return torch.tensor([0.05, 0.3, 0.62, 0.9], dtype=dtype)


def test_ot_path_is_the_equation_of_the_design():
    x0, x1, sigma = images(0), images(1), 0.1
    xt, ut = OTPath(sigma_min=sigma).sample(x0, x1, times())
    for i, t in enumerate(times().tolist()):
        torch.testing.assert_close(xt[i], t * x1[i] + (1 - (1 - sigma) * t) * x0[i])
        torch.testing.assert_close(ut[i], x1[i] - (1 - sigma) * x0[i])


@pytest.mark.parametrize("sigma", [0.0, 0.1])
def test_ot_path_begins_at_the_noise_and_ends_at_the_data(sigma):
    x0, x1 = images(0, torch.float32), images(1, torch.float32)
    path = OTPath(sigma_min=sigma)
    assert torch.equal(path.sample(x0, x1, 0.0)[0], x0)
    assert torch.equal(path.sample(x0, x1, 1.0)[0], x1 + sigma * x0)


@pytest.mark.parametrize("path", PATHS, ids=IDS)
def test_velocity_is_the_time_derivative_of_the_path(path):
    x0, x1 = images(0), images(1)
    _, ut = path.sample(x0, x1, times())
    _, derivative = torch.func.jvp(
        lambda t: path.sample(x0, x1, t)[0], (times(),), (torch.ones(4, dtype=torch.float64),)
    )
    torch.testing.assert_close(ut, derivative)


def test_vp_path_keeps_the_variance_and_solves_its_diffusion():
    path, t = VPPath(), torch.linspace(0, 0.999, 50, dtype=torch.float64)
    torch.testing.assert_close(path.a(t) ** 2 + path.b(t) ** 2, torch.ones_like(t))
    # d log a / ds = -beta(s) / 2 in diffusion time s = 1 - t (Song et al. 2021): integrate beta.
    s = torch.linspace(0, 1, 100_001, dtype=torch.float64)
    integral = torch.trapezoid(0.1 + 19.9 * s, s)
    torch.testing.assert_close(
        path.a(torch.zeros(1, dtype=torch.float64)), torch.exp(-integral / 2)[None]
    )
    assert path.a(torch.ones(1)).item() == 1


@pytest.mark.parametrize("path", PATHS, ids=IDS)
def test_data_and_noise_are_recovered_from_the_conditional_velocity(path):
    x0, x1 = images(0), images(1)
    xt, ut = path.sample(x0, x1, times())
    torch.testing.assert_close(path.velocity_to_data(ut, xt, times()), x1)
    torch.testing.assert_close(path.velocity_to_noise(ut, xt, times()), x0)
    torch.testing.assert_close(path.data_to_velocity(x1, xt, times()), ut)
    torch.testing.assert_close(path.noise_to_velocity(x0, xt, times()), ut)


@pytest.mark.parametrize("path", PATHS, ids=IDS)
@pytest.mark.parametrize("name", ["data", "noise", "score"])
def test_conversions_round_trip(path, name):
    v, x = images(2), images(3)
    there = getattr(path, f"velocity_to_{name}")(v, x, times())
    back = getattr(path, f"{name}_to_velocity")(there, x, times())
    torch.testing.assert_close(back, v)


@pytest.mark.parametrize("path", PATHS, ids=IDS)
def test_score_is_the_gradient_of_the_exact_density(path):
    # x1 ~ N(m, s^2), x0 ~ N(0, 1): x_t ~ N(a m, a^2 s^2 + b^2), whose flow moves the standardised
    # coordinate along unchanged: v = a' m + (d log std / dt) (x - a m).
    m, s = 1.7, 0.4
    x, t = images(4), times()
    at = t.reshape(-1, 1, 1, 1)

    def std(t):
        return torch.sqrt(path.a(t) ** 2 * s**2 + path.b(t) ** 2)

    growth = torch.func.jvp(lambda t: std(t).log(), (at,), (torch.ones_like(at),))[1]
    drift = torch.func.jvp(path.a, (at,), (torch.ones_like(at),))[1] * m
    v = drift + growth * (x - path.a(at) * m)
    score = -(x - path.a(at) * m) / std(at) ** 2
    torch.testing.assert_close(path.velocity_to_score(v, x, t), score)
    torch.testing.assert_close(path.score_to_velocity(score, x, t), v)


@pytest.mark.parametrize("sigma", [0.0, 0.1])
@pytest.mark.parametrize("t", [0.0, 1.0])
def test_ot_data_and_noise_are_finite_at_both_ends(sigma, t):
    path, x0, x1 = OTPath(sigma_min=sigma), images(0), images(1)
    xt, ut = path.sample(x0, x1, t)
    torch.testing.assert_close(path.velocity_to_data(ut, xt, t), x1)
    torch.testing.assert_close(path.velocity_to_noise(ut, xt, t), x0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_cosine_path_begins_and_ends_on_the_number(dtype):
    """cos(pi / 2) is 6e-17, and in float32 -4e-8: a score at t = 1 would be finite nonsense."""
    path, t = CosinePath(), torch.tensor([0.0, 0.25, 1.0], dtype=dtype)
    for weight, middle in ((path.a, math.sin(math.pi / 8)), (path.b, math.cos(math.pi / 8))):
        values = weight(t)
        assert values[::2].tolist() == ([0, 1] if weight == path.a else [1, 0])
        assert values[1].item() == pytest.approx(middle, rel=2 * torch.finfo(dtype).eps)
    assert path.b(1 - t[1:2] * 1e-4).item() == pytest.approx(math.pi / 8 * 1e-4, rel=1e-2)
    x0, x1 = images(0, dtype), images(1, dtype)
    assert torch.equal(path.sample(x0, x1, 0.0)[0], x0)
    assert torch.equal(path.sample(x0, x1, 1.0)[0], x1)


def test_the_cosine_path_is_a_quarter_of_a_circle_at_constant_speed():
    path, t = CosinePath(), torch.linspace(0, 1, 50, dtype=torch.float64)
    one = torch.ones_like(t)
    torch.testing.assert_close(path.a(t) ** 2 + path.b(t) ** 2, one)
    torch.testing.assert_close(torch.atan2(path.a(t), path.b(t)), math.pi / 2 * t)
    d = path.da(t) * path.b(t) - path.a(t) * path.db(t)
    torch.testing.assert_close(d, math.pi / 2 * one)
    for at in (0.0, 1.0):  # so that data and noise follow from v at both ends
        x0, x1 = images(0), images(1)
        xt, ut = path.sample(x0, x1, at)
        torch.testing.assert_close(path.velocity_to_data(ut, xt, at), x1)
        torch.testing.assert_close(path.velocity_to_noise(ut, xt, at), x0)


def test_the_cosine_path_is_trained_saved_loaded_and_drawn(tmp_path):
    config = TrainConfig(steps=3, batch_size=8, progress=False)
    model = train(
        MLP(hidden=8),
        paths.PATHS["CosinePath"](),
        torch.randn(32, 2, generator=torch.Generator()),
        config,
    )
    save_weights(model, tmp_path / "w.safetensors")
    again = load_weights(tmp_path / "w.safetensors")
    assert again.path == CosinePath() and again.config["path"] == {"name": "CosinePath"}
    x0 = torch.randn(4, 2, generator=torch.Generator())
    assert torch.equal(generate(again, 4, x0=x0), generate(model, 4, x0=x0))
    field = MarginalField(GaussianMixture([[0.0, 1.0]], stds=0.5), CosinePath())
    assert FlowFigure(field, particles=5).spec["field"]["path"]["kind"] == "CosinePath"
    same = change_path(field, CosinePath(), OTPath())
    assert FlowFigure(same, particles=5).form == "lattice"


def test_score_at_the_start_is_that_of_the_noise():
    v, x = images(2), images(3)
    torch.testing.assert_close(OTPath().velocity_to_score(v, x, 0.0), -x)


def test_with_a_harbour_the_score_exists_at_the_end():
    path, x0, x1 = OTPath(sigma_min=0.1), images(0), images(1)
    xt, ut = path.sample(x0, x1, 1.0)
    torch.testing.assert_close(path.velocity_to_score(ut, xt, 1.0), -(xt - x1) / 0.1**2)


@pytest.mark.parametrize(
    ("path", "method", "t", "what"),
    [
        (OTPath(), "velocity_to_score", 1.0, "the score cannot be recovered from the velocity"),
        (CosinePath(), "velocity_to_score", 1.0, "the score cannot be recovered from the velocity"),
        (CosinePath(), "data_to_velocity", 1.0, "the velocity cannot be recovered from the data"),
        (CosinePath(), "noise_to_velocity", 0.0, "the velocity cannot be recovered from the noise"),
        (OTPath(), "data_to_velocity", 1.0, "the velocity cannot be recovered from the data"),
        (OTPath(), "noise_to_velocity", 0.0, "the velocity cannot be recovered from the noise"),
        (OTPath(), "score_to_velocity", 0.0, "the velocity cannot be recovered from the score"),
        (VPPath(), "velocity_to_data", 1.0, "the velocity is infinite"),
    ],
)
def test_where_a_conversion_is_undefined_the_error_says_when(path, method, t, what):
    x = images(0)
    with pytest.raises(ValueError, match=rf"{what} .*t = {t:g} on {type(path).__name__}"):
        getattr(path, method)(x, x, torch.tensor([0.5, 0.5, t, 0.5]))


def test_the_velocity_of_the_diffusion_path_is_refused_where_it_is_infinite():
    x = images(0)
    with pytest.raises(ValueError, match="infinite where b.*t = 1"):
        VPPath().sample(x, x, 1.0)


def test_paths_are_values():
    assert OTPath() == OTPath(sigma_min=0.0) != OTPath(sigma_min=0.1)
    assert VPPath() == VPPath(beta_min=0.1, beta_max=20.0)
    assert VPPath(1.0, 1.0).a(torch.zeros(1)).item() == pytest.approx(math.exp(-0.5))
    for path, name in ((OTPath(), "sigma_min"), (VPPath(), "beta_min")):
        with pytest.raises(AttributeError, match="cannot assign"):
            setattr(path, name, 0.5)


@pytest.mark.parametrize("sigma", [-0.1, 1.0, 2.0, float("nan")])
def test_sigma_min_outside_its_range_is_refused(sigma):
    with pytest.raises(ValueError, match=r"sigma_min must lie in \[0, 1\), got"):
        OTPath(sigma_min=sigma)


@pytest.mark.parametrize("betas", [(0.0, 1.0), (2.0, 1.0), (0.1, float("inf"))])
def test_impossible_diffusion_rates_are_refused(betas):
    with pytest.raises(ValueError, match="beta_min .* got|beta_max .* got"):
        VPPath(*betas)


def test_shapes_and_dtypes_must_match():
    x = images(0)
    with pytest.raises(ValueError, match=r"x0 and x1 must have the same shape.*\(1, 3, 4, 4\)"):
        OTPath().sample(x[:1], x, 0.5)
    with pytest.raises(TypeError, match="same dtype.*float32.*float64"):
        OTPath().sample(x.float(), x, 0.5)
    with pytest.raises(TypeError, match="floating dtype, got torch.int64"):
        OTPath().sample(x.long(), x.long(), 0.5)
    with pytest.raises(TypeError, match="x1 must be a tensor.*got list"):
        OTPath().sample(x, [1.0], 0.5)
    with pytest.raises(ValueError, match="v and x must have the same shape"):
        OTPath().velocity_to_score(x[..., :1], x, 0.5)
    with pytest.raises(ValueError, match="score and x must have the same shape"):
        OTPath().score_to_velocity(x[..., :1], x, 0.5)


def test_times_are_checked():
    x = images(0)
    with pytest.raises(ValueError, match=r"shape \(\) or \(4,\)"):
        OTPath().sample(x, x, torch.zeros(4, 1))
    with pytest.raises(ValueError, match=r"t must lie in \[0, 1\]"):
        OTPath().velocity_to_data(x, x, 1.5)


# ---- a path of two functions: its derivatives follow


@dataclass(frozen=True)
class Straight(ProbabilityPath):
    """OTPath, with nothing said of its derivatives."""

    sigma_min: float | torch.Tensor = 0.1

    def a(self, t):
        return t

    def b(self, t):
        return 1 - (1 - self.sigma_min) * t


@dataclass(frozen=True)
class Diffusion(ProbabilityPath):
    """VPPath, likewise."""

    beta_min: float = 0.1
    beta_max: float | torch.Tensor = 20.0

    def a(self, t):
        s = 1 - t
        return torch.exp(-(self.beta_min * s + (self.beta_max - self.beta_min) * s**2 / 2) / 2)

    def b(self, t):
        return torch.sqrt(1 - self.a(t) ** 2)


TWINS = [(Straight(), OTPath(0.1)), (Straight(0.0), OTPath()), (Diffusion(), VPPath()),
         (Diffusion(0.5, 3.0), VPPath(0.5, 3.0))]  # fmt: skip
each_twin = pytest.mark.parametrize(("plain", "closed"), TWINS, ids=[str(p) for p, _ in TWINS])


@each_twin
@pytest.mark.parametrize("shape", [(), (50,), (50, 1, 1, 1), (5, 10)])
def test_derivatives_of_a_and_b_are_worked_out(plain, closed, shape):
    t = torch.linspace(0.0, 0.95, math.prod(shape), dtype=torch.float64).reshape(shape)
    for name in ("a", "b", "da", "db"):
        found, expected = getattr(plain, name)(t), getattr(closed, name)(t)
        assert found.shape == shape and found.dtype == torch.float64
        torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)


@each_twin
def test_all_that_follows_from_a_and_b_is_the_same(plain, closed):
    x0, x1, t = images(0), images(1), times()
    for got, want in zip(plain.sample(x0, x1, t), closed.sample(x0, x1, t), strict=True):
        torch.testing.assert_close(got, want, rtol=1e-12, atol=1e-12)
    for name in ("velocity_to_data", "velocity_to_score", "noise_to_velocity"):
        got, want = (getattr(path, name)(x1, x0, t) for path in (plain, closed))
        torch.testing.assert_close(got, want, rtol=1e-11, atol=1e-11)


@each_twin
@pytest.mark.parametrize("t", [0.4, torch.tensor(0.4, dtype=torch.float64).expand(4)])
def test_one_time_for_a_whole_batch(plain, closed, t):
    """It is expanded over the batch, without memory of its own, and still has a derivative."""
    for got, want in zip(plain.sample(images(0), images(1), t),
                         closed.sample(images(0), images(1), t), strict=True):  # fmt: skip
        torch.testing.assert_close(got, want, rtol=1e-12, atol=1e-12)


@each_twin
def test_derivatives_need_no_gradients_and_leave_none(plain, closed):
    t = times().reshape(4, 1, 1, 1)
    with torch.no_grad():
        for name in ("da", "db"):
            found = getattr(plain, name)(t)
            torch.testing.assert_close(found, getattr(closed, name)(t), rtol=1e-12, atol=1e-12)
            assert not found.requires_grad
    with torch.inference_mode():
        torch.testing.assert_close(plain.db(t), closed.db(t), rtol=1e-12, atol=1e-12)


def test_gradients_flow_through_the_derivatives():
    """In time, against the second derivative in closed form, and in a number of the path."""
    t = times().requires_grad_()
    path = Diffusion()
    (bend,) = torch.autograd.grad(path.da(t).sum(), t)
    beta = 0.1 + 19.9 * (1 - t)
    torch.testing.assert_close(bend, (beta**2 / 4 - 19.9 / 2) * path.a(t), rtol=1e-12, atol=1e-12)
    sigma = torch.tensor(0.1, dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(Straight(sigma).db(times()).sum(), sigma)
    assert slope == 4  # b' = sigma - 1 at each of four times
    x0, x1 = images(0).requires_grad_(), images(1)
    ut = Straight(sigma).sample(x0, x1, times())[1]
    slope, by_noise = torch.autograd.grad(ut.sum(), (sigma, x0))
    torch.testing.assert_close(slope, x0.sum().detach())
    torch.testing.assert_close(by_noise, torch.full_like(by_noise, 0.1 - 1))


def test_a_path_needs_both_of_its_functions():
    class Half(ProbabilityPath):
        def a(self, t):
            return t

    with pytest.raises(TypeError, match="abstract"):
        Half()


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("path", PATHS, ids=IDS)
def test_half_precision_in_half_precision_out(path, dtype):
    """Each answer is the exact one of the same rounded numbers, rounded once."""
    x0, x1 = images(0, torch.float32).to(dtype), images(1, torch.float32).to(dtype)
    t = times(torch.float32)
    exact = path.sample(x0.double(), x1.double(), t.double())
    (xt, ut), scale = path.sample(x0, x1, t), 4 * torch.finfo(dtype).eps
    for found, expected in zip((xt, ut), exact, strict=True):
        assert found.dtype == dtype
        torch.testing.assert_close(found.double(), expected, rtol=scale, atol=scale)
    for name in CONVERSIONS:
        found = getattr(path, name)(ut, xt, t)
        expected = getattr(path, name)(ut.double(), xt.double(), t.double())
        assert found.dtype == dtype
        torch.testing.assert_close(found.double(), expected, rtol=4 * scale, atol=4 * scale)


CONVERSIONS = [
    "velocity_to_data", "velocity_to_noise", "velocity_to_score",
    "data_to_velocity", "noise_to_velocity", "score_to_velocity",
]  # fmt: skip


def test_a_path_holds_plain_numbers():
    path = OTPath(sigma_min=torch.tensor(0.25))
    assert type(path.sigma_min) is float and path == OTPath(0.25)
    assert {type(v) for v in vars(VPPath(np.float32(1), np.int64(2))).values()} == {float}
