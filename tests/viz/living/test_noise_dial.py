"""The noise dial: the scripts' SDE against fmcore.stochastic, its marginals against p_t."""

import math

import numpy as np
import pytest
import torch
from scipy import stats
from test_figure_js import DATA, MIX, Cosine, close, data, points, split

from fmcore.fields import Empirical, GaussianMixture, MarginalField
from fmcore.paths import CosinePath, OTPath, VPPath
from fmcore.solvers import odeint
from fmcore.stochastic import same_marginals
from fmcore.viz import COLORS, FlowFigure
from fmcore.viz.living.marginals import density
from fmcore.viz.living.still import _Run

PATHS = {
    "OT": (OTPath(), 1.0),
    "OT, sigma_min": (OTPath(sigma_min=0.2), 1.0),
    "VP": (VPPath(), 0.98),
    "cosine": (CosinePath(), 1.0),
    "table": (Cosine(), 0.98),
}
NOISES = (0.0, 0.35, 1.0, 4.0)
TRIO = GaussianMixture([[-1.4, -0.9], [1.5, 0.2], [-0.2, 1.5]], [0.35, 0.3, 0.4], [0.4, 0.4, 0.2])
MARGINAL = MarginalField(TRIO, OTPath())


def sde(field, noise):
    """Drift and g as fmcore has them."""
    return same_marginals(field, field.path, noise=lambda t: noise * field.path.b(t))


# ---- the SDE


@pytest.mark.parametrize("target", [MIX, DATA], ids=["mixture", "data"])
@pytest.mark.parametrize("name", PATHS)
def test_drift_and_noise_are_those_of_same_marginals(js, name, target):
    """At every noise; at the end of the span, too, where b may be 0 and there is no score."""
    path, last = PATHS[name]
    field, x = MarginalField(target, path), points(1301)
    last = 0.98 if target is DATA and name in ("OT", "cosine") else last
    x[::50] *= 30  # far out, where every density but the likeliest vanishes
    times = [0.0, 0.13, 0.5, 0.77, last]
    spec = data(field, (0.0, last))
    assert (spec["path"]["kind"] == "table") == (name == "table")
    job = {"job": "noisy", "field": spec, "t": times, **split(x)}
    tolerance = 1e-8 if name == "table" else 1e-10
    for noise, found in zip(NOISES, js(*({**job, "noise": nu} for nu in NOISES)), strict=True):
        drift, g = sde(field, noise)
        for t, fast, plain, size in zip(
            times, *map(found.get, ("drift", "plain", "g")), strict=True
        ):
            close(fast, drift(x, t), tolerance)
            close(plain, drift(x, t), tolerance)
            assert size == pytest.approx(g(x, t).max().item(), abs=tolerance)
            assert size == pytest.approx(
                noise * path.b(torch.tensor(t, dtype=torch.float64)).item(), abs=tolerance
            )


def test_the_drift_leaves_the_velocity_alone(js):
    """Both are sums over one table, which each evaluation must find as it needs it."""
    x = points(9)
    job = {"job": "turns", "field": data(MARGINAL), "noise": 2.0, "t": 0.4, **split(x)}
    (found,) = js(job)
    close(found[1], sde(MARGINAL, 2.0)[0](x, 0.4))
    for velocity in (found[0], found[2]):
        close(velocity, MARGINAL(x, 0.4))


def cloud(field, noise, **options):
    """A job: a cloud from N(0, I) under the SDE, in one portion."""
    given = {
        "sign": 1,
        "n": 4000,
        "seed": 3,
        "steps": 200,
        "parts": 1,
        "span": [0.0, 1.0],
        "every": 1,
    }
    given |= options
    return {"job": "diffuse", "field": data(field), "noise": noise, "portion": given["n"], **given}


@pytest.mark.parametrize("span", [(0.0, 1.0), (0.1, 0.6)])
def test_steps_are_euler_maruyama_and_between_them_the_noise_goes_on(js, span):
    """With the random numbers of the script, every state."""
    noise, steps, parts, n = 1.7, 9, 3, 50
    options = {"n": n, "steps": steps, "parts": parts, "span": span}
    (found,) = js(cloud(MARGINAL, noise, **options))
    gusts = torch.tensor([found["dx"], found["dy"]], dtype=torch.float64)
    gusts = gusts.reshape(2, steps * parts, n).permute(1, 2, 0)  # (frame, particle, 2)
    drift, g = sde(MARGINAL, noise)
    h = (span[1] - span[0]) / steps
    x = torch.tensor(found["frames"][0], dtype=torch.float64).T
    for i in range(steps):
        t = span[0] + i * h
        w = (h / parts) ** 0.5 * gusts[i * parts : (i + 1) * parts].cumsum(0)
        for j in range(1, parts + 1):
            state = x + j / parts * h * drift(x, t) + g(x, t) * w[j - 1]
            close(found["frames"][i * parts + j], state)
        x = state
    assert found["nfe"] == steps and len(found["frames"]) == steps * parts + 1


def test_portions_and_noise_do_not_change_the_random_numbers(js):
    whole, portions, stronger, other = js(
        cloud(MARGINAL, 1.0, n=100, steps=7, parts=2),
        cloud(MARGINAL, 1.0, n=100, steps=7, parts=2, portion=33),
        cloud(MARGINAL, 3.0, n=100, steps=7, parts=2),
        cloud(MARGINAL, 1.0, n=100, steps=7, parts=2, seed=4),
    )
    assert np.allclose(whole["end"], portions["end"], atol=1e-9, rtol=0)
    assert whole["dx"] == portions["dx"] == stronger["dx"] != other["dx"]
    assert whole["end"] != stronger["end"]


def test_gusts_are_standard_normal_and_independent(js):
    """Of each other and of where the particles start, whose seed is the same."""
    (found,) = js(cloud(MARGINAL, 1.0, n=400, steps=50, parts=1))
    gusts = np.array([found["dx"], found["dy"]]).reshape(2, 50, 400)
    assert stats.kstest(gusts.ravel(), "norm").pvalue > 0.01
    start = np.array(found["frames"][0])
    pairs = [
        (gusts[0], gusts[1]),
        (gusts[:, 1:], gusts[:, :-1]),
        (gusts[:, :, 1:], gusts[:, :, :-1]),
        (gusts[:, 0], start),
        (gusts[:, 1], start),
    ]
    for one, two in pairs:
        r = np.corrcoef(one.ravel(), two.ravel())[0, 1]
        assert abs(r) < 3.5 / math.sqrt(one.size)


# ---- its marginals


def marginal(field, axis):
    """The marginal field of one coordinate: its log_prob is that of p_t along the axis."""
    target = field.target
    if isinstance(target, Empirical):
        return MarginalField(Empirical(target.points[:, axis : axis + 1]), field.path)
    one = slice(axis, axis + 1)
    mixture = GaussianMixture(target.means[:, one], target.stds[:, one], target.weights)
    return MarginalField(mixture, field.path)


def distances(field, states, t):
    """The distance of Kolmogorov and Smirnov between states (2, N) and p_t, along x and y."""
    (a, b), found = (
        (f(torch.tensor(t, dtype=torch.float64)).item() for f in (field.path.a, field.path.b)),
        [],
    )
    target = field.target
    for axis in (0, 1):
        mean, std = (z[:, axis].numpy() for z in (target.means, target.stds))
        width, weights = np.sqrt(a**2 * std**2 + b**2), target.weights.numpy()

        def cdf(z, mean=a * mean, width=width, weights=weights):
            return stats.norm.cdf((z[:, None] - mean) / width) @ weights

        found.append(stats.kstest(np.array(states[axis]), cdf).statistic)
    return found


def off(field, found):
    """The same at five times."""
    times = np.linspace(0, 1, 5)
    pairs = zip(found["frames"], times, strict=True)
    return [max(distances(field, states, t)) for states, t in pairs]


CRITICAL = 1.95 / math.sqrt(4000)  # exceeded once in a thousand


@pytest.mark.parametrize("path", [OTPath(), CosinePath()], ids=["OT", "cosine"])
@pytest.mark.parametrize("noise", [0.0, 0.5, 1.0, 2.0, 4.0])
def test_the_particles_keep_the_marginals_whatever_the_noise(js, path, noise):
    """Along x and y at five times; and the moments of the end, within four standard errors."""
    field, n = MarginalField(TRIO, path), 4000
    (found,) = js(cloud(field, noise, steps=400, every=100))
    assert max(off(field, found)) < CRITICAL
    x = torch.tensor(found["end"], dtype=torch.float64).T
    g = torch.Generator().manual_seed(0)
    exact = TRIO.sample(400_000, generator=g).double()
    for power in (lambda z: z, lambda z: z.square(), lambda z: z[:, :1] * z[:, 1:]):
        error = power(exact).std(0) / math.sqrt(n)
        assert ((power(x).mean(0) - power(exact).mean(0)).abs() < 4 * error).all()


@pytest.mark.parametrize("sign", [-1, 0])
@pytest.mark.parametrize("noise", [1.0, 2.0, 4.0])
def test_a_wrong_sign_of_the_score_or_none_is_noticed(js, sign, noise):
    (found,) = js(cloud(MARGINAL, noise, sign=sign, steps=400, every=100))
    assert max(off(MARGINAL, found)) > 1.5 * CRITICAL


# ---- the densities


@pytest.mark.parametrize("target", [MIX, DATA], ids=["mixture", "data"])
@pytest.mark.parametrize("path", [OTPath(), CosinePath(), VPPath()])
def test_the_curves_are_the_densities_of_the_marginals(js, path, target):
    """In the script and in the still."""
    field, z = MarginalField(target, path), np.linspace(-4, 4, 101)
    for t in (0.0, 0.3, 0.9):
        for axis in (0, 1):
            job = {"job": "density", "field": data(field, (0.0, 0.95)), "t": t, "d": axis}
            (found,) = js({**job, "z": z.tolist(), "least": 0})
            exact = marginal(field, axis).log_prob(torch.tensor(z)[:, None], t).exp().numpy()
            assert np.allclose(found, exact, atol=1e-10)
            assert np.allclose(density(field, t, axis, z, 0.0), exact, atol=1e-10)


def test_data_points_have_no_spikes(js):
    """Where they have arrived, the curve of each is as high as the bar it stands in."""
    field, bar = MarginalField(Empirical([[0.5, 0.0], [0.5, 1.0]]), OTPath()), 0.25
    z, least = np.linspace(-1, 2, 301), bar / math.sqrt(2 * math.pi)
    job = {"job": "density", "field": data(field, (0.0, 0.9)), "t": 1.0, "z": z.tolist()}
    for axis, height in ((0, 1 / bar), (1, 0.5 / bar)):
        (found,) = js({**job, "d": axis, "least": least})
        assert max(found) == pytest.approx(height, rel=1e-3)
        assert np.allclose(found, density(field, 1.0, axis, z, least))
        assert sum(found) * 0.01 == pytest.approx(1, abs=0.03)


# ---- the figure


def dial(figure, *noises, **changes):
    state = figure.spec["start_state"] | changes
    return {"job": "dial", "spec": figure.spec, "state": state, "noises": noises}


def test_the_dial_changes_the_first_run_alone_and_smoothly(js):
    """0 is the solver's; a little more noise moves the same paths a little; one seed, one path."""
    figure = FlowFigure(MARGINAL, noise=1.0, steps=60, compare=("rk4", 7), particles=200)
    job = dial(figure, 0.0, 1.0, 1.01, 4.0, 1.0)
    found, again, fresh = js(job, job, dial(figure, 1.0, seed=1))
    nothing, one, more, storm, back = found
    assert again[1]["end"] == one["end"] == back["end"] and one["points"] == back["points"]
    assert fresh[0]["points"] != one["points"]
    assert nothing["report"]["nfe"] == 120 and one["report"]["nfe"] == 60
    x0 = torch.tensor([figure.spec["start_state"]["start"]], dtype=torch.float64)
    heun = odeint(MARGINAL, x0, method="heun", steps=60).x[0].tolist()
    assert nothing["report"]["end"] == pytest.approx(heun, abs=1e-6)
    assert nothing["report"]["off"] < 2e-3 and one["report"]["off"] is None
    assert [r["report"]["solver"] for r in (nothing, one)] == ["heun", "euler_maruyama"]
    seconds = [r["report"]["compare"] for r in found]
    assert all(second == seconds[0] for second in seconds) and seconds[0]["off"] is not None
    moved = [np.median(np.hypot(*np.subtract(r["middle"], one["middle"]))) for r in (more, storm)]
    assert 0 < moved[0] < 0.02 < 0.5 < moved[1]
    lengths = [np.hypot(*np.diff(r["points"], axis=0).T).sum() for r in (nothing, one, storm)]
    assert lengths[0] * 3 < lengths[1] and lengths[1] * 3 < lengths[2]
    assert len(one["points"]) == 61 and one["points"] == one["marks"]  # every step


def test_few_steps_have_noise_between_them(js):
    figure = FlowFigure(MARGINAL, noise=1.0, steps=5, particles=3)
    (found,) = js(dial(figure, 1.0))
    assert len(found[0]["points"]) == 51 and len(found[0]["marks"]) == 6


def test_every_particle_has_noise_of_its_own(js):
    """Also where they are taken through in portions, as so many are."""
    figure = FlowFigure(MARGINAL, [[0.0, 0.0]], noise=1.0, steps=100, particles=3000)
    (found,) = js(dial(figure, 1.0))
    assert len({tuple(end) for end in np.transpose(found[0]["end"])}) > 2990
    middle = np.transpose(found[0]["middle"])
    assert abs(np.corrcoef(middle[:-1].ravel(), middle[1:].ravel())[0, 1]) < 0.05


def test_a_turn_of_the_dial_is_immediate(js):
    """600 particles and 100 steps: 50 ms allowed, about 5 on a machine with nothing else to do."""
    figure = FlowFigure(MARGINAL, noise=1.0, steps=100)
    (found,) = js(dial(figure, *np.linspace(0.5, 4, 15).tolist()))
    assert np.median([one["milliseconds"] for one in found]) < 50


def test_what_the_dial_needs_reaches_the_figure():
    figure = FlowFigure(MARGINAL, noise=2, marginals=True, particles=5)
    assert figure.spec["start_state"]["noise"] == 2.0 and figure.spec["marginals"] is True
    rule = figure.spec["noise"]["rule"]
    assert (rule["label"], rule["adaptive"]) == ("Euler–Maruyama", False)
    assert "histograms" in figure.alt
    bare = FlowFigure(MARGINAL, particles=5)
    assert bare.spec["start_state"]["noise"] is None and bare.spec["noise"] is None
    assert bare.spec["marginals"] is False and "histograms" not in bare.alt
    assert FlowFigure(MARGINAL, noise=0, particles=5).spec["noise"]
    assert "euler_maruyama" not in [one["id"] for one in figure.spec["solvers"]]


@pytest.mark.parametrize("path", [OTPath(), CosinePath()])
def test_the_still_has_the_noise_and_the_marginals(path):
    field = MarginalField(TRIO, path)
    given = {"t": 0.6, "particles": 1500, "views": (), "steps": 60, "marginals": True}
    calm, storm = (FlowFigure(field, noise=nu, **given).still().axes[0] for nu in (0.0, 4.0))
    for ax in (calm, storm):
        above, beside = ax.child_axes
        assert above.get_xlim() == ax.get_xlim() and beside.get_ylim() == ax.get_ylim()
        for axis, strip in enumerate((above, beside)):
            edge, height = ("x", "height") if axis == 0 else ("y", "width")
            bars = strip.patches
            width = 6 / round(2.4 * 1500 ** (1 / 3))
            low = np.array([getattr(bar, f"get_{edge}")() for bar in bars]) + 0.465 * width
            heights = np.array([getattr(bar, f"get_{height}")() for bar in bars])
            assert heights.sum() * width == pytest.approx(1, abs=0.02)
            exact = marginal(field, axis).log_prob(torch.tensor(low)[:, None], 0.6).exp().numpy()
            assert np.abs(heights - exact).sum() * width / 2 < 0.08
            z, p = strip.lines[0].get_data() if axis == 0 else strip.lines[0].get_data()[::-1]
            shown = np.isfinite(p)
            z = torch.tensor(z[shown])[:, None]
            assert np.allclose(p[shown], marginal(field, axis).log_prob(z, 0.6).exp())
            assert shown.sum() > 20 and p[shown].max() < (strip.get_ylim, strip.get_xlim)[axis]()[1]
    lengths = [
        np.hypot(*np.diff(ax.lines[-1].get_xydata(), axis=0).T).sum() for ax in (calm, storm)
    ]
    assert lengths[1] > 5 * lengths[0]
    assert storm.lines[-1].get_color() == COLORS["euler"]


def test_the_noise_of_the_still_knows_nothing_of_the_start():
    """A step from N(0, I) against where it began: at t = 0 the drift is nearly a multiple of x0."""
    figure = FlowFigure(MarginalField(TRIO, OTPath()), noise=4.0, steps=60, particles=3000)
    run = _Run(figure.field, figure.spec, figure.spec["start_state"], 4.0)
    g = torch.Generator().manual_seed(figure.spec["start_state"]["seed"])
    x0 = figure.source.sample(3000, generator=g)
    x = run.states(x0, torch.tensor([1 / 60]))[0].double()
    gusts = x - x0 - sde(figure.field, 4.0)[0](x0.double(), 0.0) / 60
    assert gusts.std().item() == pytest.approx(4 / math.sqrt(60), rel=0.05)
    assert abs(torch.corrcoef(torch.stack([gusts.flatten(), x0.flatten()]))[0, 1]) < 0.05


def test_the_still_says_which_run_has_the_noise():
    figure = FlowFigure(MARGINAL, noise=1.0, steps=9, compare="heun", t=1.0, particles=9)
    titles = [ax.get_title() for ax in figure.still().axes]
    assert titles == ["Euler–Maruyama, 9 steps, t = 1.00", "Heun, 9 steps, t = 1.00"]
