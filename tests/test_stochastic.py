"""SDEs with the marginals of an ODE: in law, in closed form, and where the noise is gone."""

import itertools
import math

import pytest
import torch
from scipy.stats import ks_2samp
from small import Linear, gen, unet

from fmcore.fields import Empirical, GaussianMixture, MarginalField
from fmcore.paths import CosinePath, OTPath, VPPath
from fmcore.solvers import odeint, sdeint
from fmcore.stochastic import same_marginals

F64 = torch.float64
OT, COSINE, VP, HARBOUR = OTPath(), CosinePath(), VPPath(), OTPath(0.1)
LINE = GaussianMixture([[-1.0], [1.5]], stds=[[0.5], [0.3]], weights=[0.4, 0.6])
PLANE = GaussianMixture([[-1.0, 0.5], [1.5, 0.0], [0.0, -1.5]], stds=0.4)
STOPS = [0.0, 0.2, 0.4, 0.6, 0.8, 0.95]
N, STEPS = 3000, 200  # particles, and steps for a whole unit of time
ALIKE = 1e-4  # less likely than this, two clouds are not of one law


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=gen(seed), dtype=F64)


def walk(drift, g, x, stops, seed, method="euler_maruyama"):
    """The same particles at each of the stops."""
    generator = gen(seed)
    for start, stop in itertools.pairwise(stops):
        steps = round(STEPS * abs(stop - start))
        x = sdeint(drift, g, x, (start, stop), method=method, steps=steps, generator=generator).x
        yield x


def likeness(x, y):
    """The smallest p-value of Kolmogorov-Smirnov along a few directions, times their number."""
    if x.shape[1] > 1:
        angles = torch.arange(4, dtype=F64) * math.pi / 4
        across = torch.stack([angles.cos(), angles.sin()])
        x, y = x @ across, y @ across
    pairs = zip(x.T.numpy(), y.T.numpy(), strict=True)
    return x.shape[1] * min(ks_2samp(one, other).pvalue for one, other in pairs)


LEVELS = {
    "no noise": 0.0,
    "a little": 0.5,
    "falling": lambda t: 2 * (1 - t),
    "even": 1.0,
    "a storm": 2.5,
}


@pytest.mark.parametrize("noise", LEVELS.values(), ids=LEVELS)
@pytest.mark.parametrize("target", [LINE, PLANE], ids=["line", "plane"])
def test_at_every_level_of_noise_the_marginals_are_those_of_the_ode(target, noise):
    """Other particles at five times; and the drift with the wrong sign is found out at once."""
    v, dim = MarginalField(target, OT), target.shape[0]
    of_ode = odeint(v, normal(N, dim), (0.0, 0.95), method="rk4", steps=50, t_eval=STOPS[1:]).xs
    drift, g = same_marginals(v, OT, noise=noise)
    found = [*walk(drift, g, normal(N, dim, seed=1), STOPS, seed=2)]
    assert min(map(likeness, found, of_ode)) > ALIKE
    wrong, g = same_marginals(v, OT, noise=noise, backward=True)
    missed = [*walk(wrong, g, normal(N, dim, seed=1), STOPS, seed=2)]
    if noise == 0.0:
        assert all(map(torch.equal, missed, found))
    else:
        assert likeness(missed[-1], of_ode[-1]) < 1e-9
        assert noise == 0.5 or max(map(likeness, missed, of_ode)) < ALIKE


@pytest.mark.parametrize("path", [OT, COSINE, VP, HARBOUR], ids=str)
def test_on_every_path(path):
    v, stop = MarginalField(LINE, path), 0.95
    drift, g = same_marginals(v, path, noise=lambda t: 1.5 - t)
    (found,) = walk(drift, g, path.b(torch.tensor(0.0)) * normal(N, 1), [0.0, stop], seed=2)
    t, x1 = torch.tensor(stop, dtype=F64), LINE.sample(N, generator=gen(3)).to(F64)
    assert likeness(found, path.a(t) * x1 + path.b(t) * normal(N, 1, seed=4)) > ALIKE


@pytest.mark.parametrize("method", ["euler_maruyama", "stochastic_heun"])
def test_time_may_run_backward(method):
    """From the data to the noise, the score has the other sign."""
    v, t = MarginalField(LINE, OT), 0.95
    x = t * LINE.sample(N, generator=gen(3)).to(F64) + (1 - t) * normal(N, 1, seed=4)
    for backward in (True, False):
        drift, g = same_marginals(v, OT, noise=1.0, backward=backward)
        *_, end = walk(drift, g, x, STOPS[::-1], seed=2, method=method)
        like = likeness(end, normal(N, 1, seed=5))
        assert like > ALIKE if backward else like < 1e-9


def test_the_noise_of_the_diffusion_gives_its_reverse_equation():
    """dx = (beta x / 2 + beta score) dt + sqrt(beta) dW (Song et al. 2021, eq. 6, backwards)."""
    v, x = MarginalField(PLANE, VP), normal(5, 2)
    beta = lambda t: 0.1 + 19.9 * (1 - t)  # noqa: E731
    drift, g = same_marginals(v, VP, noise=lambda t: beta(t).sqrt())
    for t in (torch.tensor(0.3, dtype=F64), torch.tensor([0.0, 0.2, 0.5, 0.8, 0.9], dtype=F64)):
        rate = beta(t).reshape(-1, 1)
        torch.testing.assert_close(
            drift(x, t), rate * (x / 2 + v.score(x, t)), rtol=1e-9, atol=1e-9
        )
        torch.testing.assert_close(g(x, t).expand(5, 1), rate.sqrt().expand(5, 1))


@pytest.mark.parametrize("noise", [0.0, lambda t: 0.0, lambda t: 0 * t])
@pytest.mark.parametrize("path", [OT, COSINE, HARBOUR, VP], ids=str)
def test_without_noise_it_is_the_ode_to_the_last_bit(path, noise):
    net = unet()  # at the end of VP no field has a velocity, and a network answers nonetheless
    x = torch.randn(3, 1, 8, 8, generator=gen())
    drift, g = same_marginals(net, path, noise=noise)
    for t in (torch.tensor(0.0), torch.tensor(0.3), torch.tensor([0.0, 0.5, 1.0]), 1.0):
        assert torch.equal(drift(x, t), net(x, t)) and not g(x, t).any()
    sde = sdeint(drift, g, x, (0.0, 1.0), method="stochastic_heun", steps=3, generator=gen()).x
    torch.testing.assert_close(sde, odeint(net, x, method="heun", steps=3).x)


# ---- where b = 0


@pytest.mark.parametrize("path", [OT, COSINE], ids=str)
@pytest.mark.parametrize("power", [0.6, 1.0, 2.0])
def test_where_the_noise_is_gone_it_is_the_limit(path, power):
    """The score stays finite on a mixture, and g^2 score falls to 0."""
    v, x = MarginalField(PLANE, path), normal(4, 2)
    drift, g = same_marginals(v, path, noise=lambda t: (1 - t) ** power)
    assert torch.equal(drift(x, 1.0), v(x, 1.0)) and not g(x, 1.0).any()
    near, at = drift(x, 1 - 1e-7), drift(x, 1.0)
    torch.testing.assert_close(near, at, rtol=0, atol=1e-3)
    rows = torch.tensor([0.2, 1.0, 0.5, 1.0], dtype=F64)
    torch.testing.assert_close(drift(x, rows)[1::2], v(x, 1.0)[1::2])
    torch.testing.assert_close(drift(x, rows)[0], drift(x, 0.2)[0])
    sdeint(drift, g, x, (0.0, 1.0), method="stochastic_heun", steps=5, generator=gen())


@pytest.mark.parametrize(
    ("path", "noise"),
    [
        (OT, 1.0),
        (COSINE, 0.1),
        (VP, 1.0),
        (OT, lambda t: (1 - t).sqrt()),  # noise^2 / b stays 1
        (OT, lambda t: (1 - t) ** 0.3),
        (COSINE, lambda t: COSINE.b(t).sqrt()),
        (OT, lambda t: (t < 1).to(t.dtype)),  # 0 there, and 1 at every time before
        (OT, lambda t: (t == 1).to(t.dtype)),  # the other way round
    ],
)
def test_where_there_is_no_limit_the_error_says_when(path, noise):
    drift, g = same_marginals(lambda x, t: x, path, noise=noise)
    x = normal(3, 2)
    with pytest.raises(ValueError, match=r"noise has to fall to 0 where b\(t\) = 0.*t = 1 on"):
        drift(x, 1.0)
    with pytest.raises(ValueError, match=r"noise has to fall to 0 where b\(t\) = 0.*t = 1 on"):
        drift(x, torch.tensor([0.1, 1.0, 0.2]))
    assert drift(x, 0.99).isfinite().all()
    sdeint(drift, g, x, (0.0, 0.99), method="euler_maruyama", steps=5, generator=gen())


def test_with_a_harbour_any_noise_goes_to_the_end():
    v, x = MarginalField(Empirical([[0.0, 1.0], [2.0, 0.0]]), HARBOUR), normal(3, 2)
    drift, _ = same_marginals(v, HARBOUR, noise=1.0)
    torch.testing.assert_close(drift(x, 1.0), v(x, 1.0) + v.score(x, 1.0) / 2)


# ---- what it is given


@pytest.mark.parametrize("bad", [-0.1, math.nan, math.inf])
def test_negative_or_infinite_noise_is_refused(bad):
    with pytest.raises(ValueError, match="noise must be a finite number >= 0, got"):
        same_marginals(lambda x, t: x, OT, noise=bad)
    for noise in (lambda t: bad, lambda t: torch.full_like(t, bad)):
        drift, g = same_marginals(lambda x, t: x, OT, noise=noise)
        for call in (drift, g):
            with pytest.raises(
                ValueError, match=f"noise must be finite and >= 0, got {bad:g} at t ="
            ):
                call(normal(3, 2), 0.5)
    falls = same_marginals(lambda x, t: x, OT, noise=lambda t: t - 0.5)[1]
    with pytest.raises(ValueError, match=r"got -0.25 at t = 0.25"):
        falls(normal(3, 2), torch.tensor([0.75, 0.25, 0.5]))


@pytest.mark.parametrize("bad", [None, "1", torch.zeros(2), [1.0, 2.0, 3.0, 4.0]])
def test_noise_that_is_no_number_is_refused(bad):
    drift, _ = same_marginals(lambda x, t: x, OT, noise=lambda t: bad)
    with pytest.raises(TypeError, match=r"noise\(t\) must be a number or a tensor like t, got"):
        drift(normal(3, 2), torch.tensor([0.1, 0.2, 0.3]))


def test_labels_dtypes_and_times():
    net, label = Linear(0.5), torch.tensor([1, 2, 3])
    x = torch.randn(3, 1, 4, 4, generator=gen())
    drift, g = same_marginals(net, COSINE, noise=lambda t: 1 - t)
    score = COSINE.velocity_to_score(net(x, 0.5, label), x, 0.5)
    torch.testing.assert_close(drift(x, 0.5, label), net(x, 0.5, label) + score / 8)
    seen = []
    same_marginals(net, COSINE, noise=lambda t: seen.append(t.shape) or 1.0)[0](x, 0.5)
    same_marginals(net, COSINE, noise=lambda t: seen.append(t.shape) or 1.0)[1](x, torch.ones(3))
    assert seen == [(), (3,)]
    v = lambda x, t: -x  # noqa: E731
    drift, g = same_marginals(v, COSINE, noise=lambda t: 1 - t)
    for dtype in (torch.bfloat16, torch.float16, torch.float32, F64):
        small = x.to(dtype)
        assert drift(small, 0.3).dtype == g(small, 0.3).dtype == dtype
        at_end = drift(small.double(), 0.3)
        close = 8 * torch.finfo(dtype).eps
        torch.testing.assert_close(drift(small, 0.3).double(), at_end, rtol=close, atol=close)
        sdeint(drift, g, small, (0.0, 1.0), method="stochastic_heun", steps=2, generator=gen())
    with pytest.raises(ValueError, match="v is a field along VPPath"):
        same_marginals(MarginalField(PLANE, VP), OT, noise=1.0)
    with pytest.raises(TypeError, match="backward must be True or False, got 'yes'"):
        same_marginals(net, OT, noise=1.0, backward="yes")
