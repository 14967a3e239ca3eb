"""The marginal field against closed forms, Monte Carlo, autograd and the continuity equation."""

import math
from fractions import Fraction

import pytest
import torch

from fmcore.fields import Empirical, GaussianMixture, MarginalField, marginal
from fmcore.paths import OTPath, VPPath

F64 = torch.float64
PATHS = [OTPath(), OTPath(sigma_min=0.1), VPPath()]
each_path = pytest.mark.parametrize("path", PATHS, ids=str)

MEANS = torch.tensor([[-1.5, 0.5], [1.0, 1.0], [0.3, -1.2]], dtype=F64)
STDS = torch.tensor([[0.3, 0.8], [0.5, 0.2], [0.6, 0.4]], dtype=F64)
WEIGHTS = torch.tensor([0.2, 0.5, 0.3], dtype=F64)
MIX = GaussianMixture(MEANS, STDS, WEIGHTS)


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=F64)


POINTS = {
    "points in the plane": Empirical(normal(7, 2, seed=1)),
    "points in 20 dimensions": Empirical(normal(7, 20, seed=1)),
    "images": Empirical(normal(5, 1, 5, 5, seed=1)),
}
TARGETS = {"mixture": MIX, **POINTS}
each_target = pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS.keys())


def torch_mixture(means, stds, weights=WEIGHTS):
    """The same distribution, written by somebody else."""
    normals = torch.distributions.Normal(means, stds)
    return torch.distributions.MixtureSameFamily(
        torch.distributions.Categorical(weights), torch.distributions.Independent(normals, 1)
    )


def divergence(v, x):
    """Trace of the Jacobian of `v(x)`, row by row, `(B,)`."""
    flat = v.flatten(1)
    columns = (
        torch.autograd.grad(flat[:, i].sum(), x, retain_graph=True)[0].flatten(1)[:, i]
        for i in range(flat.shape[1])
    )
    return sum(columns)


def exact_square(x, t, m):
    """|x - t m|² without any rounding."""
    pairs = zip(x.tolist(), m.tolist(), strict=True)
    return sum((Fraction(one) - Fraction(t) * Fraction(other)) ** 2 for one, other in pairs)


# Closed forms


@pytest.mark.parametrize("t", [0.0, 0.2, 0.5, 0.9, 1.0])
def test_from_the_normal_to_the_normal(t):
    """The classical example whose exact map is the identity though the field is not zero."""
    u = MarginalField(GaussianMixture([[0.0, 0.0]], 1.0), OTPath())
    x = normal(6, 2)
    torch.testing.assert_close(u(x, t), x * (2 * t - 1) / ((1 - t) ** 2 + t**2))


@each_path
@pytest.mark.parametrize("t", [0.0, 0.3, 0.8, 0.999])
def test_one_gaussian_moves_along_the_velocity_of_its_flow(path, t):
    """The flow map is affine, x_t = a m + sqrt(a² s² + b²) z: autograd in t gives its velocity."""
    m, s, z = MEANS[0], STDS[0], normal(5, 2)
    clock = torch.full((5, 2), t, dtype=F64, requires_grad=True)  # one for each number
    a, b = path.a(clock), path.b(clock)
    x = a * m + (a**2 * s**2 + b**2).sqrt() * z
    (velocity,) = torch.autograd.grad(x.sum(), clock)
    u = MarginalField(GaussianMixture(m[None], s[None]), path)
    torch.testing.assert_close(u(x.detach(), t), velocity, rtol=1e-10, atol=1e-10)


@each_path
def test_two_points_pull_with_a_hyperbolic_tangent(path):
    """Data at ±m: E[x1 | x] = m tanh(a m·x / b²), and Bayes for the two by hand."""
    m, x, t = MEANS[0], normal(9, 2), torch.tensor(0.4, dtype=F64)
    u = MarginalField(Empirical(torch.stack([m, -m])), path)
    odds = path.a(t) * (x @ m) / path.b(t) ** 2
    torch.testing.assert_close(u.data(x, t), odds.tanh()[:, None] * m)
    torch.testing.assert_close(u.posterior(x, t)[:, 0], torch.sigmoid(2 * odds))


def test_posterior_knows_the_weights():
    """Equal spreads, so the log-odds are log(w1 / w2) + 2 a m·x / (a² s² + b²)."""
    m, x, t = MEANS[0], normal(9, 2), 0.4
    u = MarginalField(GaussianMixture(torch.stack([m, -m]), 0.5, [1, 4]), OTPath())
    log_odds = math.log(1 / 4) + 2 * t * (x @ m) / (t**2 * 0.25 + (1 - t) ** 2)
    torch.testing.assert_close(u.posterior(x, t)[:, 0], torch.sigmoid(log_odds))
    torch.testing.assert_close(u.posterior(x, t).sum(dim=1), torch.ones(9, dtype=F64))


@each_path
@pytest.mark.parametrize("t", [0.0, 0.3, 0.8, 1.0])
def test_marginal_density_is_the_mixture_moved_and_widened(path, t):
    a, b = (f(torch.tensor(t, dtype=F64)) for f in (path.a, path.b))
    reference = torch_mixture(a * MEANS, (a**2 * STDS**2 + b**2).sqrt())
    x = 2 * normal(30, 2)
    torch.testing.assert_close(MarginalField(MIX, path).log_prob(x, t), reference.log_prob(x))


@pytest.mark.parametrize("target", POINTS.values(), ids=POINTS.keys())
def test_density_of_points_is_a_mixture_of_balls_of_noise(target):
    points = target.points.flatten(1)
    x, t = normal(6, *target.shape), 0.7
    reference = torch_mixture(
        t * points, (1 - t) * torch.ones_like(points), torch.ones(len(points), dtype=F64)
    )
    log_prob = MarginalField(target, OTPath()).log_prob(x, t)
    torch.testing.assert_close(log_prob, reference.log_prob(x.flatten(1)))


def test_density_integrates_to_one_at_any_time():
    axis = torch.linspace(-7, 7, 281, dtype=F64)
    grid = torch.cartesian_prod(axis, axis)
    for target in (MIX, TARGETS["points in the plane"]):
        u = MarginalField(target, OTPath(sigma_min=0.1))
        for t in (0.0, 0.5, 1.0):
            mass = u.log_prob(grid, t).exp().sum() * (axis[1] - axis[0]) ** 2
            assert abs(mass - 1) < 1e-8


# The definition, and the laws that tie velocity, density and score together


@each_path
@pytest.mark.parametrize("t", [0.35, 0.8])
def test_velocity_is_the_posterior_mean_of_the_conditional_one(path, t):
    """Self-normalised importance sampling of E[a' x1 + b' x0 | x_t = x], with its own error."""
    x1 = MIX.sample(200_000, generator=torch.Generator().manual_seed(0))
    a, b, da, db = (f(torch.tensor(t, dtype=F64)) for f in (path.a, path.b, path.da, path.db))
    u = MarginalField(MIX, path)
    for x in a * torch.tensor([[-1.0, 0.4], [0.5, 0.0], [1.0, 1.2]], dtype=F64):
        x0 = (x - a * x1) / b
        weight = torch.distributions.Normal(0.0, 1.0).log_prob(x0).sum(dim=1).softmax(dim=0)
        velocity = da * x1 + db * x0
        spread = (velocity - u(x[None], t)).square()
        for sample, exact in (
            (velocity, u(x[None], t)),
            (x1, u.data(x[None], t)),
            (spread, u.variance(x[None], t)),
        ):
            mean = weight @ sample
            error = (weight**2 @ (sample - mean) ** 2).sqrt()
            assert (error < 0.05 * (1 + mean.abs())).all()
            assert ((exact[0] - mean).abs() < 4 * error).all()


@each_target
@each_path
def test_variance_is_the_spread_between_the_conditional_velocities(target, path):
    """Each draw of the data is a point of its own: Var of (D m_k + b' x) / b over the posterior."""
    t = torch.tensor(0.6, dtype=F64)
    points = target.points.flatten(1) if isinstance(target, Empirical) else normal(7, 2, seed=1)
    shape = target.shape if isinstance(target, Empirical) else (2,)
    u, x = MarginalField(Empirical(points.reshape(-1, *shape)), path), normal(5, *shape)
    a, b, da, db = (f(t) for f in (path.a, path.b, path.da, path.db))
    each = da * points + db * (x.flatten(1)[:, None] - a * points) / b  # (B, K, D)
    weight = u.posterior(x, t)[..., None]
    mean = (weight * each).sum(1, keepdim=True)
    variance = (weight * (each - mean).square()).sum(1).reshape(x.shape)
    torch.testing.assert_close(u.variance(x, t), variance)


def test_variance_is_never_negative():
    """Where a point stands seven times, nothing is left to chance, but for rounding."""
    points = 3 + normal(50, 3, seed=1)
    u = MarginalField(Empirical(points.repeat(7, 1)), OTPath())
    variance = u.variance(0.999 * points, 0.999)
    assert (variance >= 0).all() and variance.max() < 1e-6


@each_path
@pytest.mark.parametrize("t", [0.0, 0.3, 0.9, 1.0])
def test_variance_of_one_gaussian_is_that_of_a_regression(path, t):
    """(x_t, u_t) is Gaussian: Var(u | x) = Var(u) - Cov(u, x)^2 / Var(x), the same everywhere."""
    if isinstance(path, VPPath) and t == 1.0:
        with pytest.raises(ValueError, match="velocity is infinite"):
            MarginalField(MIX, path).variance(normal(4, 2), t)
        return
    s, x = STDS[0], normal(4, 2)
    a, b, da, db = (f(torch.tensor(t, dtype=F64)) for f in (path.a, path.b, path.da, path.db))
    rest = da**2 * s**2 + db**2 - (a * da * s**2 + b * db) ** 2 / (a**2 * s**2 + b**2)
    u = MarginalField(GaussianMixture(MEANS[:1], s[None]), path)
    torch.testing.assert_close(u.variance(x, t), rest.expand(4, 2), rtol=1e-9, atol=1e-9)


def test_floor_from_the_normal_to_the_normal_is_half_of_pi():
    """The integral of 1 / ((1 - t)^2 + t^2) over [0, 1]."""
    u = MarginalField(GaussianMixture([[0.0]], 1.0), OTPath())
    t = torch.linspace(0, 1, 10_001, dtype=F64)
    floor = torch.trapezoid(u.variance(normal(10_001, 1), t)[:, 0], t)
    assert abs(floor - math.pi / 2) < 1e-7


@each_target
@each_path
def test_mass_is_conserved(target, path):
    """d/dt log p + div u + u · grad log p = 0, every derivative by autograd."""
    t = torch.tensor([0.01, 0.2, 0.5, 0.7, 0.9, 0.97], dtype=F64, requires_grad=True)
    x = normal(6, *target.shape).requires_grad_()
    field = MarginalField(target, path)
    u, log_prob = field(x, t), field.log_prob(x, t)
    rate, gradient = torch.autograd.grad(log_prob.sum(), (t, x), retain_graph=True)
    transport = (u * gradient).flatten(1).sum(dim=1)
    terms = torch.stack([rate, divergence(u, x), transport])
    residual = terms.sum(dim=0).abs() / terms.abs().sum(dim=0)
    assert (residual < 1e-10).all()


@each_target
@each_path
def test_score_is_the_gradient_of_the_log_density(target, path):
    t = torch.tensor([0.0, 0.2, 0.5, 0.7, 0.9, 0.97], dtype=F64)
    x = normal(6, *target.shape).requires_grad_()
    u = MarginalField(target, path)
    (expected,) = torch.autograd.grad(u.log_prob(x, t).sum(), x)
    torch.testing.assert_close(u.score(x, t), expected, rtol=1e-9, atol=1e-9)


@each_target
@each_path
def test_score_and_data_follow_from_the_velocity(target, path):
    """Through the conversions of the path, which know nothing of the target."""
    t = torch.tensor([0.1, 0.3, 0.6, 0.9], dtype=F64)
    x = normal(4, *target.shape)
    u = MarginalField(target, path)
    torch.testing.assert_close(u.score(x, t), path.velocity_to_score(u(x, t), x, t))
    torch.testing.assert_close(u.data(x, t), path.velocity_to_data(u(x, t), x, t))


def test_velocity_carries_noise_to_the_mixture():
    n, steps = 4000, 100
    u, x = MarginalField(MIX, OTPath()), normal(n, 2)
    h = 1 / steps
    for i in range(steps):
        t = i * h
        k1 = u(x, t)
        k2 = u(x + h / 2 * k1, t + h / 2)
        k3 = u(x + h / 2 * k2, t + h / 2)
        k4 = u(x + h * k3, min(t + h, 1.0))
        x = x + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
    mean = WEIGHTS @ MEANS
    second = torch.diag(WEIGHTS @ STDS**2) + torch.einsum("k,ki,kj->ij", WEIGHTS, MEANS, MEANS)
    products = x[:, :, None] * x[:, None, :]
    assert ((x.mean(dim=0) - mean).abs() < 4 * x.std(dim=0) / n**0.5).all()
    assert ((products.mean(dim=0) - second).abs() < 4 * products.std(dim=0) / n**0.5).all()
    share = u.posterior(x, 1.0).mean(dim=0)
    assert ((share - WEIGHTS).abs() < 4 * (WEIGHTS * (1 - WEIGHTS) / n).sqrt()).all()


# The ends of time, precision, size


@pytest.mark.parametrize("dtype", [torch.float32, F64])
def test_the_ends_are_exact(dtype):
    u, x = MarginalField(MIX, OTPath()), normal(8, 2).to(dtype)
    mean = (WEIGHTS @ MEANS).to(dtype)
    torch.testing.assert_close(u(x, 0.0), mean - x)
    torch.testing.assert_close(u.data(x, 0.0), mean.expand(8, 2))
    standard = torch.distributions.Normal(0.0, 1.0).log_prob(x).sum(dim=1)
    torch.testing.assert_close(u.log_prob(x, 0.0), standard)
    torch.testing.assert_close(u.score(x, 0.0), -x)
    torch.testing.assert_close(u.posterior(x, 0.0), WEIGHTS.to(dtype).expand(8, 3))
    torch.testing.assert_close(u(x, 1.0), x)  # a' x1 + b' E[x0 | x] with E[x0 | x] = 0
    torch.testing.assert_close(u.data(x, 1.0), x)
    torch.testing.assert_close(u.log_prob(x, 1.0), MIX.log_prob(x))


@each_target
@pytest.mark.parametrize("distance", [1e-2, 1e-4])
def test_single_precision_is_exact_close_to_the_data(target, distance):
    """Two near destinations and little noise: the answer for x in float32 is the one in float64."""
    t = 1 - distance
    if isinstance(target, GaussianMixture):
        x = MEANS.float()
    else:
        points = torch.cat([target.points, target.points + distance / 2])
        target, x = Empirical(points), points.float()
    u = MarginalField(target, OTPath())
    for method in (u, u.data, u.score, u.log_prob, u.posterior, u.variance):
        single, double = method(x, t), method(x.double(), t)
        assert single.dtype == torch.float32
        torch.testing.assert_close(single, double.float(), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("dim", "noise", "tolerance"), [(2, 1e-6, 1e-8), (784, 1e-2, 1e-8), (784, 1e-4, 1e-4)]
)
def test_close_calls_between_points_are_decided_exactly(dim, noise, tolerance):
    """Two points about `noise` apart; the log-odds of Bayes in exact rational arithmetic."""
    t = 1 - noise
    first = normal(dim).tanh()
    points = torch.stack([first, first + noise * normal(dim, seed=1) / dim**0.5])
    x = t * points[:1] + noise * normal(1, dim, seed=2)
    left, right = (exact_square(x[0], t, point) for point in points)
    log_odds = float((right - left) / (2 * (1 - Fraction(t)) ** 2))
    assert 0.01 < abs(log_odds) < 5
    posterior = MarginalField(Empirical(points), OTPath()).posterior(x, t)
    assert abs(posterior[0].logit()[0] - log_odds) < tolerance


@pytest.mark.parametrize("dim", [2, 40])
def test_points_are_the_limit_of_narrow_gaussians(dim):
    points, x = normal(6, dim, seed=1), normal(5, dim)
    exact = MarginalField(Empirical(points), OTPath())
    limit = MarginalField(GaussianMixture(points, 1e-7), OTPath())
    for t in (0.0, 0.5, 0.9, 0.99):
        for method in ("__call__", "data", "score", "log_prob", "posterior", "variance"):
            one, other = (getattr(u, method)(x, t) for u in (exact, limit))
            torch.testing.assert_close(one, other, rtol=1e-6, atol=1e-9)


def test_images_keep_their_shape_and_every_one_its_own_time():
    """B == W, where a time that broadcasts over the wrong axis goes unnoticed."""
    u, x = MarginalField(TARGETS["images"], OTPath()), normal(5, 1, 5, 5)
    t = torch.linspace(0, 0.9, 5, dtype=F64)
    flat = MarginalField(Empirical(TARGETS["images"].points.flatten(1)), OTPath())
    for method in ("__call__", "data", "score", "variance"):
        whole = getattr(u, method)(x, t)
        rows = torch.cat([getattr(u, method)(x[i : i + 1], t[i]) for i in range(5)])
        torch.testing.assert_close(whole, rows)
        torch.testing.assert_close(whole.flatten(1), getattr(flat, method)(x.flatten(1), t))
    assert u.log_prob(x, t).shape == (5,) and u.posterior(x, t).shape == (5, 5)


@each_target
@pytest.mark.parametrize("chunk", [1, 15])
def test_rows_are_worked_out_a_few_at_a_time(target, chunk, monkeypatch):
    """The same answers, and never a `(rows, K)` block of more than `chunk` numbers."""
    sizes = []

    class Watched(OTPath):
        def a(self, t):
            sizes.append(len(t))
            return super().a(t)

    u, x = MarginalField(target, Watched()), normal(6, *target.shape)
    t = torch.linspace(0, 0.9, 6, dtype=F64)
    methods = (u, u.data, u.score, u.log_prob, u.posterior, u.variance)
    at_once = [method(x, t) for method in methods]
    sizes.clear()
    monkeypatch.setattr(marginal, "_CHUNK", chunk)
    for whole, method in zip(at_once, methods, strict=True):
        torch.testing.assert_close(method(x, t), whole)
    components = u.posterior(x, t).shape[1]
    assert max(sizes) * components <= max(chunk, components)
    assert u(x[:0], 0.5).shape == (0, *target.shape)


def test_thousands_of_images_recall_the_one_that_was_noised():
    points = normal(3000, 1, 28, 28).tanh().float()
    u, t = MarginalField(Empirical(points), OTPath()), 0.9
    x = t * points[:32] + (1 - t) * normal(32, 1, 28, 28, seed=1).float()
    torch.testing.assert_close(u.data(x, t), points[:32], rtol=1e-4, atol=1e-4)
    assert (u.posterior(x, t).argmax(dim=1) == torch.arange(32)).all()


def test_single_precision_target_is_taken_at_its_word():
    """A float64 query of a float32 target gives float64 answers, not float32 ones."""
    u = MarginalField(GaussianMixture(MEANS.float(), 0.5), OTPath())
    exact = MarginalField(GaussianMixture(MEANS.float().double(), 0.5), OTPath())
    x = normal(4, 2)
    assert u(x, 0.5).dtype == F64
    torch.testing.assert_close(u(x, 0.5), exact(x, 0.5), rtol=1e-7, atol=1e-7)


# What is refused


@pytest.mark.parametrize(
    "method", ["__call__", "data", "score", "posterior", "log_prob", "variance"]
)
def test_points_that_have_arrived(method):
    for target in POINTS.values():
        call, x = getattr(MarginalField(target, OTPath()), method), normal(3, *target.shape)
        for t in (1.0, torch.tensor([0.5, 1.0, 0.2])):
            with pytest.raises(ValueError, match=r"t = 1 the particles have arrived.*sigma_min"):
                call(x, t)
        with pytest.raises(ValueError, match="have arrived"):
            getattr(MarginalField(target, VPPath()), method)(x, 1.0)
        still_noisy = MarginalField(target, OTPath(sigma_min=0.1))
        assert getattr(still_noisy, method)(x, 1.0).isfinite().all()


def test_a_spread_too_small_for_float64_counts_as_none():
    narrow = torch.tensor([[1e-200, 1.0]], dtype=F64)
    u = MarginalField(GaussianMixture(MEANS[:1], narrow), OTPath())
    assert u(normal(3, 2), 0.99).isfinite().all()
    with pytest.raises(ValueError, match="have arrived"):
        u(normal(3, 2), 1.0)


@pytest.mark.parametrize(
    ("x", "t", "error", "message"),
    [
        (torch.zeros(3, 3), 0.5, ValueError, r"x has shape \(3, 3\).*\(B, 2\)"),
        (torch.zeros(2), 0.5, ValueError, r"x has shape \(2,\).*\(B, 2\)"),
        (torch.zeros(3, 1, 2), 0.5, ValueError, r"x has shape \(3, 1, 2\).*\(B, 2\)"),
        (torch.zeros(3, 2).int(), 0.5, TypeError, "floating dtype, got torch.int32"),
        ([[0.0, 0.0]], 0.5, TypeError, "floating dtype, got list"),
        (torch.zeros(3, 2), -0.1, ValueError, r"t must lie in \[0, 1\].*got -0\.1"),
        (torch.zeros(3, 2), math.nan, ValueError, r"t must lie in \[0, 1\].*got nan"),
        (torch.zeros(3, 2), torch.zeros(3, 1), ValueError, r"t must .* got shape \(3, 1\)"),
        (torch.zeros(3, 2), torch.zeros(2), ValueError, r"t must .* got shape \(2,\)"),
    ],
)
def test_bad_input_is_refused(x, t, error, message):
    u = MarginalField(MIX, OTPath())
    for method in (u, u.data, u.score, u.posterior, u.log_prob, u.variance):
        with pytest.raises(error, match=message):
            method(x, t)


def test_other_targets_are_refused():
    with pytest.raises(TypeError, match="GaussianMixture or an Empirical, got Tensor"):
        MarginalField(torch.zeros(3, 2), OTPath())
    assert repr(MarginalField(MIX, OTPath())) == (
        "MarginalField(GaussianMixture(3 components in 2 dimensions), OTPath(sigma_min=0.0))"
    )


def test_the_time_of_arrival_has_all_its_digits():
    class Early(OTPath):
        """The noise is gone a little before the end."""

        def b(self, t):
            return (0.9999999 - t).clamp_min(0)

    with pytest.raises(ValueError, match=r"at t = 0\.9999999 the particles have arrived"):
        MarginalField(Empirical([[0.0]]), Early())(torch.zeros(2, 1), 0.9999999)
