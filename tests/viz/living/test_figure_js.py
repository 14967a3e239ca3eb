"""The figure's scripts against fmcore: the same numbers from every field and every solver.

The very text that a frame carries runs under Node. Where both sides compute in double precision
they agree to 1e-9; networks run in single precision on the side of torch.
"""

import dataclasses

import pytest
import torch

from fmcore.fields import (
    Empirical,
    GaussianMixture,
    MarginalField,
    Rotation,
    Saddle,
    Shear,
    Storm,
    Uniform,
    Vortex,
)
from fmcore.networks import MLP
from fmcore.paths import CosinePath, OTPath, ProbabilityPath, VPPath
from fmcore.solvers import SOLVERS, odeint
from fmcore.viz import FlowFigure
from fmcore.viz.living.probe import conditional_paths
from fmcore.viz.living.spec import distribution_data, field_data, pack
from fmcore.weights import FlowModel

EXTENT, SPAN = (-3.0, 3.0, -3.0, 3.0), (0.0, 1.0)


def points(n=40, seed=0):
    g = torch.Generator().manual_seed(seed)
    return 1.5 * torch.randn(n, 2, generator=g, dtype=torch.float64)


def data(field, span=SPAN, resolution=(33, 17)):
    return field_data(field, EXTENT, span, resolution)


def split(x):
    return {"x": x[:, 0].tolist(), "y": x[:, 1].tolist()}


def close(found, expected, tolerance=1e-9):
    found = torch.tensor(found, dtype=torch.float64).T
    scale = expected.abs().max().clamp(min=1.0)
    assert torch.isfinite(found).all()
    assert float((found - expected).abs().max() / scale) < tolerance


MIX = GaussianMixture(
    torch.tensor([[-1.5, 0.3], [1.2, 1.0], [0.4, -1.7]], dtype=torch.float64),
    torch.tensor([[0.3, 0.6], [0.5, 0.5], [0.2, 0.9]], dtype=torch.float64),
    torch.tensor([1.0, 2.0, 0.5], dtype=torch.float64),
)
DATA = Empirical(points(30, seed=5))


class Cosine(ProbabilityPath):
    """x_t = sin(pi t / 2) x1 + cos(pi t / 2) x0: a reader's path, which travels as a table."""

    def a(self, t):
        return torch.sin(torch.pi / 2 * t)

    def b(self, t):
        return torch.cos(torch.pi / 2 * t)

    def da(self, t):
        return torch.pi / 2 * torch.cos(torch.pi / 2 * t)

    def db(self, t):
        return -torch.pi / 2 * torch.sin(torch.pi / 2 * t)


WINDS = {
    "uniform": Uniform((0.5, -1.0)),
    "rotation": Rotation(1.3),
    "shear": Shear(0.7),
    "saddle": Saddle(0.9),
    "vortex": Vortex((0.5, -0.2), -2.0, 0.6),
    "storm": Storm(),
    "sum": Storm() + Vortex((1.0, 1.0), 1.0, 0.4) + Uniform((0.2, 0.1)),
}
CLOSED = WINDS | {
    "mixture": MarginalField(MIX, OTPath()),
    "mixture, sigma_min": MarginalField(MIX, OTPath(sigma_min=0.2)),
    "mixture, VP": MarginalField(MIX, VPPath(0.2, 15.0)),
    "data": MarginalField(DATA, OTPath(sigma_min=0.1)),
    "mixture, cosine": MarginalField(MIX, CosinePath()),
    "data, VP": MarginalField(DATA, VPPath()),
}


@pytest.mark.parametrize("name", CLOSED)
def test_closed_forms_agree(js, name):
    field, x = CLOSED[name], points(1301)  # more than a kernel takes at once, and an odd number
    x[::50] *= 30  # far out, where every density but the likeliest vanishes
    last = 0.98 if "VP" in name else 1.0
    times = [0.0, 0.13, 0.5, 0.77, last]
    (found,) = js({"job": "field", "field": data(field, (0.0, last)), "t": times, **split(x)})
    for t, uv in zip(times, found, strict=True):
        close(uv, field(x, t))


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.float64, 1e-6)])
@pytest.mark.parametrize(("hidden", "depth"), [(48, 3), (33, 1)])
def test_networks_agree(js, dtype, tolerance, hidden, depth):
    torch.manual_seed(1)
    net = MLP(hidden=hidden, depth=depth, time_dim=16).to(dtype)
    x = points(333).to(dtype)  # more than one block of the script, and not a multiple of four
    times = [0.0, 0.3, 1.0]
    for model in (net, FlowModel(net, OTPath(), shape=(2,))):
        (found,) = js({"job": "field", "field": data(model), "t": times, **split(x)})
        for t, uv in zip(times, found, strict=True):
            with torch.no_grad():
                close(uv, net(x, t).double(), tolerance)


def random_field(seed):
    """A mixture, a data set or a network of any size."""
    g = torch.Generator().manual_seed(seed)
    count = int(torch.randint(1, 60, (1,), generator=g))
    means = 2 * torch.randn(count, 2, generator=g, dtype=torch.float64)
    stds = 0.1 + torch.rand(count, 2, generator=g, dtype=torch.float64)
    weights = 0.1 + torch.rand(count, generator=g, dtype=torch.float64)
    torch.manual_seed(seed)
    return (
        MarginalField(GaussianMixture(means, stds, weights), OTPath(sigma_min=0.1)),
        MarginalField(Empirical(means), VPPath(0.2, 15.0)),
        MLP(hidden=count, depth=1 + seed % 3, time_dim=2 * (2 + seed % 5)),
    )[seed % 3]


@pytest.mark.parametrize("seed", range(12))
def test_a_kernel_computes_what_it_stands_for(js, seed):
    """And where there is no WebAssembly, JavaScript computes the same."""
    field, x, times = random_field(seed), points(1301, seed), [0.0, 0.37, 0.9]
    x[::50] *= 30  # far out, where every density but the likeliest vanishes
    job = {"job": "kernel", "field": data(field, (0.0, 0.9)), "t": times, **split(x)}
    (found,) = js(job)
    assert found["has_kernel"] == [True, False]
    assert found["costs"][0] < found["costs"][1]  # so that portions stay short
    assert found["without"] == found["plain"]
    for fast, plain in zip(found["fast"], found["plain"], strict=True):
        plain = torch.tensor(plain, dtype=torch.float64).T
        # In double precision the ten terms of the kernel's exp are 7e-12 off; or single precision.
        close(fast, plain, 1e-5 if isinstance(field, MLP) else 1e-11)


def swirl(x, t):
    speed = torch.exp(-(x**2).sum(1, keepdim=True) / 4) * (1 + torch.sin(3 * t))
    return speed * torch.stack([-x[:, 1], x[:, 0]], 1)


def test_a_lattice_is_as_near_as_it_says(js):
    spec, x = data(swirl), points(300).clamp(-2.9, 2.9)
    error = spec["error"]
    assert error["rms"] < error["max"] < 1e-3
    times = [0.0, 0.21, 0.68, 1.0]
    (found,) = js({"job": "field", "field": spec, "t": times, **split(x)})
    speeds = torch.cat([swirl(x, torch.tensor(t)) for t in times]).norm(dim=1)
    unit = speeds.square().mean().sqrt()
    off = [
        (torch.tensor(uv, dtype=torch.float64).T - swirl(x, torch.tensor(t))).norm(dim=1)
        for t, uv in zip(times, found, strict=True)
    ]
    assert float(torch.cat(off).max() / unit) < 3 * error["max"] + 5e-5


def test_a_steady_lattice_holds_one_time_and_continues_outside(js):
    spec = data(lambda x, t: torch.stack([-x[:, 1], x[:, 0]], 1))
    assert spec["shape"][0] == 1
    inside = torch.tensor([[1.0, 0.5], [-2.0, 3.0]], dtype=torch.float64)
    edge = spec["domain"]
    outside = torch.tensor([[50.0, 0.5], [0.3, -50.0], [-50.0, -50.0]], dtype=torch.float64)
    nearest = [[edge[1], 0.5], [0.3, edge[2]], [edge[0], edge[2]]]
    nearest = torch.tensor(nearest, dtype=torch.float64)
    (found,) = js(
        {"job": "field", "field": spec, "t": [0.4], **split(torch.cat([inside, outside]))}
    )
    expected = torch.cat([inside, nearest]).flip(1) * torch.tensor([-1.0, 1.0])
    close(found[0], expected, 1e-4)


def test_a_field_that_does_not_change_says_so(js):
    """Its arrows are drawn once."""
    jobs = [{"job": "steady", "field": data(field)} for field in WINDS.values()]
    assert js(*jobs) == [name not in ("storm", "sum") for name in WINDS]
    lattices = [data(lambda x, t: -x), data(swirl)]
    assert js(*({"job": "steady", "field": spec} for spec in lattices)) == [True, False]


PERTURBED = dataclasses.replace(
    SOLVERS["rk4"],
    name="perturbed",
    order=1,
    a=((), (0.4,), (0.1, 0.5), (0.3, 0.2, 0.3)),
    b=(0.1, 0.4, 0.2, 0.3),
    c=(0.0, 0.4, 0.6, 0.8),
    dense=None,
)
ALMOST = dataclasses.replace(  # its last row is that of b, as far as it goes: not the last slope
    SOLVERS["heun"], name="almost", order=1, a=((), (0.5,)), b=(0.5, 0.5), c=(0.0, 0.5), dense=None
)
TABLEAUX = [*SOLVERS.values(), PERTURBED, ALMOST]


@pytest.mark.parametrize("span", [(0.0, 1.0), (1.0, 0.2)])
@pytest.mark.parametrize("tableau", TABLEAUX, ids=lambda tableau: tableau.name)
def test_fixed_steps_agree(js, tableau, span):
    x = points()
    for field in (WINDS["sum"], MarginalField(MIX, OTPath())):
        job = {"job": "fixed", "field": data(field), "tableau": tableau.as_dict(), "span": span}
        plain, dense = js(
            {**job, **split(x), "steps": 7, "parts": 1}, {**job, **split(x), "steps": 7, "parts": 3}
        )
        t_eval = torch.linspace(*span, 22, dtype=torch.float64)
        expected = odeint(field, x, span, method=tableau, steps=7)
        output = odeint(field, x, span, method=tableau, steps=7, t_eval=t_eval)
        for found in (plain, dense):
            close([found["x"], found["y"]], expected.x)
            assert found["nfe"] == expected.nfe
        for frame, state in zip(dense["frames"], output.xs, strict=True):
            close(frame, state)


# The embedded methods, and a pair that is not "first same as last".
EMBEDDED = {
    "bosh3": SOLVERS["bosh3"],
    "dopri5": SOLVERS["dopri5"],
    "heun12": dataclasses.replace(
        SOLVERS["heun"], name="heun12", b_embedded=(1.0, 0.0), embedded_order=1
    ),
}


def adaptive_agrees(js, field, tableau, span, tolerances, x):
    """End points, evaluations, accepted and rejected steps, for each tolerance."""
    job = {"job": "adaptive", "field": data(field), "tableau": tableau.as_dict(), "span": span}
    options = [{"rtol": tolerance, "atol": tolerance} for tolerance in tolerances]
    found = js(*({**job, **split(x), **option} for option in options))
    for one, option in zip(found, options, strict=True):
        expected = odeint(field, x, span, method=tableau, **option)
        counts = {key: getattr(expected, key) for key in ("nfe", "accepted", "rejected")}
        assert counts == {key: one[key] for key in counts}, option
        close([one["x"], one["y"]], expected.x)


@pytest.mark.parametrize("span", [(0.0, 1.0), (1.0, 0.2)])
@pytest.mark.parametrize("method", EMBEDDED)
def test_adaptive_steps_agree(js, method, span):
    for field in (WINDS["sum"], MarginalField(MIX, OTPath(sigma_min=0.05))):
        adaptive_agrees(js, field, EMBEDDED[method], span, (1e-2, 1e-5), points())


@pytest.mark.parametrize("method", EMBEDDED)
def test_rejected_steps_agree(js, method):
    """A whirl so small that a step across it is many times too long."""
    field = Uniform((6.0, 0.0)) + Vortex((0.0, 0.0), 1.0, 0.01)
    x = torch.tensor([[-3.0, 0.01]], dtype=torch.float64)
    adaptive_agrees(js, field, EMBEDDED[method], SPAN, (3e-3, 1e-3, 1e-4), x)


@pytest.mark.parametrize("method", ["bosh3", "dopri5"])
@pytest.mark.parametrize("wind", [name for name in WINDS if name != "uniform"])
def test_adaptive_steps_agree_at_a_hundred_tolerances(js, wind, method):
    """Now and then a step ends so near to the end of the span that a hair decides what follows."""
    tolerances = torch.logspace(-1, -5, 100, dtype=torch.float64).tolist()
    adaptive_agrees(js, WINDS[wind], EMBEDDED[method], SPAN, tolerances, points(20))


def test_a_wrong_tableau_is_noticed(js):
    """A changed entry moves the end points by far more than the tests above allow."""
    x, field = points(), WINDS["sum"]
    tableau = SOLVERS["rk4"].as_dict()
    tableau["a"][2] = [0.05, 0.45]
    job = {"job": "fixed", "field": data(field), "tableau": tableau, "span": SPAN}
    (found,) = js({**job, **split(x), "steps": 7, "parts": 1})
    with pytest.raises(AssertionError):
        close([found["x"], found["y"]], odeint(field, x, method="rk4", steps=7).x)


def run_job(field, method, span, x, times, **options):
    solver = {"tableau": SOLVERS[method].as_dict(), "adaptive": "tolerance" in options}
    job = {"job": "run", "field": data(field), "solver": solver, "span": span, "times": times}
    return {**job, "steps": None, "tolerance": None, **options, **split(x)}


@pytest.mark.parametrize("span", [(0.0, 1.0), (0.9, 0.1)])
@pytest.mark.parametrize("method", ["euler", "heun", "rk4", "dopri5"])
def test_a_run_knows_where_every_particle_is_at_any_time(js, method, span):
    """On the grid as odeint says; in between a straight line joins states 1/48 apart, or nearer."""
    x, field, steps = points(301), WINDS["sum"], 7
    times = torch.linspace(*span, 57, dtype=torch.float64)  # every eighth is on the grid
    (found,) = js(run_job(field, method, span, x, times.tolist(), steps=steps))
    expected = odeint(field, x, span, method=method, steps=steps, t_eval=times)
    for i, (state, there) in enumerate(zip(found["states"], expected.xs, strict=True)):
        close(state, there, 1e-6 if i % 8 == 0 else 5e-3)
    end = odeint(field, x, span, method=method, steps=steps)  # without output on the way
    close(found["end"], end.x, 1e-6)
    assert (found["nfe"], found["steps"]) == (end.nfe, steps)
    # The first particle's path goes through the same states, and has a mark at every step.
    path = torch.tensor(found["points"], dtype=torch.float64)
    marks = torch.tensor(found["marks"], dtype=torch.float64)
    assert len(path) == 7 * 7 + 1 and torch.equal(marks, path[::7])
    assert torch.allclose(marks, expected.xs[::8, 0], atol=1e-6)
    # Figures over the whole cloud, against the definition.
    end, other = (torch.tensor(found[key], dtype=torch.float64).T for key in ("end", "other"))
    assert found["distance"] == pytest.approx((end - other).norm(dim=1).mean().item())
    assert found["mean"] == pytest.approx(end.mean(0).tolist())


def test_an_adaptive_run_is_located_on_its_own_grid(js):
    x, field = points(33), WINDS["storm"]
    times = torch.linspace(0, 1, 31, dtype=torch.float64)
    options = {"rtol": 1e-4, "atol": 1e-4}
    (found,) = js(run_job(field, "dopri5", SPAN, x, times.tolist(), tolerance=1e-4))
    expected = odeint(field, x, SPAN, method="dopri5", t_eval=times, **options)
    assert (found["nfe"], found["steps"]) == (expected.nfe, expected.accepted)
    for state, there in zip(found["states"], expected.xs, strict=True):
        close(state, there, 5e-3)


def test_a_costly_field_is_worked_off_in_portions(js):
    torch.manual_seed(0)
    net, x = MLP(hidden=128, time_dim=16), points(300)
    (found,) = js(run_job(net, "rk4", SPAN, x, [0.5, 1.0], steps=12))
    assert len(found["portions"]) > 2 and found["portions"][-1] == 300
    assert all(a < b for a, b in zip(found["portions"], found["portions"][1:], strict=False))
    with torch.no_grad():
        expected = odeint(net, x.float(), method="rk4", steps=12, t_eval=[0.5, 1.0])
    for state, there in zip(found["states"], expected.xs, strict=True):
        close(state, there.double(), 1e-4)


@pytest.mark.parametrize(
    ("path", "tolerance"),
    [(OTPath(), 1e-9), (VPPath(), 1e-9), (Cosine(), 1e-8)],
    ids=["OT", "VP", "cosine"],
)
def test_conditional_paths_average_to_the_marginal_velocity(js, path, tolerance):
    """Weights are the posterior, and the mean of the conditional velocities is the field's."""
    field, x, t = MarginalField(MIX, path), torch.tensor([[0.3, -0.4]], dtype=torch.float64), 0.6
    spec = data(field, (0.0, 0.99))
    (found,) = js({"job": "conditionals", "field": spec, "t": t, "x": 0.3, "y": -0.4})
    weights = torch.tensor([one["weight"] for one in found], dtype=torch.float64)
    posterior = field.posterior(x, t)[0].sort(descending=True).values
    assert torch.allclose(weights, posterior, atol=1e-9)
    mean = [[sum(one["weight"] * one[k] for one in found)] for k in ("u", "v")]
    close(mean, field(x, t), tolerance)
    at = torch.tensor(t, dtype=torch.float64)
    still = conditional_paths(field, x[0].tolist(), t)
    for name, of_still in (("from", still.source), ("to", still.target)):
        ours = torch.tensor([one[name] for one in found], dtype=torch.float64)
        assert torch.allclose(ours, of_still, atol=tolerance)
    assert torch.allclose(weights, still.weight, atol=1e-9)
    assert torch.allclose(still.weight @ still.velocity, field(x, t)[0], atol=1e-9)
    for one in found:  # each path passes through the point
        through = path.a(at) * torch.tensor(one["to"]) + path.b(at) * torch.tensor(one["from"])
        assert torch.allclose(through.double(), x[0], atol=1e-6)


def test_draws_have_the_moments_of_the_source(js):
    mixture = {"kind": "mixture", **distribution_data(MIX)}
    box = {"kind": "uniform", "extent": [-1, 3, 0, 2]}
    one = {"source": mixture, "n": 20_000, "seed": 1}
    first, again, other, even = js(
        {"job": "draw", **one},
        {"job": "draw", **one},
        {"job": "draw", **one | {"seed": 2}},
        {"job": "draw", **one | {"source": box}},
    )
    assert first == again != other
    x = torch.tensor(first, dtype=torch.float64).T
    mean = MIX.weights @ MIX.means
    second = MIX.weights @ (MIX.means**2 + MIX.stds**2)
    assert torch.allclose(x.mean(0), mean, atol=0.03)
    assert torch.allclose(x.square().mean(0), second, atol=0.06)
    product = MIX.weights @ MIX.means.prod(1)  # x and y of one component know nothing of each other
    assert x.prod(1).mean() == pytest.approx(product.item(), abs=0.06)
    x = torch.tensor(even, dtype=torch.float64).T
    assert torch.allclose(x.mean(0), torch.tensor([1.0, 1.0], dtype=torch.float64), atol=0.03)
    assert x.min() >= -1 and x.max() <= 3


def computation(figure, **changes):
    state = figure.spec["start_state"] | {"start": [0.7, -1.1]} | changes
    return {"job": "computation", "spec": figure.spec, "state": state}


def test_a_computation_reports_what_its_runs_found(js):
    """The ring's path against the exact one, and the particle that is farthest from the origin."""
    figure = FlowFigure(Rotation(3.0), solver="euler", steps=5, compare=("rk4", 6), particles=40)
    (found,) = js(computation(figure))
    x0 = torch.tensor([[0.7, -1.1]], dtype=torch.float64)
    angle = torch.tensor(3.0, dtype=torch.float64)
    turn = torch.stack([angle.cos(), -angle.sin(), angle.sin(), angle.cos()]).reshape(2, 2)
    for one, method, steps in ((found, "euler", 5), (found["compare"], "rk4", 6)):
        end = odeint(Rotation(3.0), x0, method=method, steps=steps).x
        assert one["end"] == pytest.approx(end[0].tolist(), abs=1e-6)
        assert one["off"] == pytest.approx((end - x0 @ turn.T).norm().item(), abs=1e-5)
    draws = {"source": figure.spec["source"], "n": 40, "seed": 0}
    (start,) = js({"job": "draw", **draws})
    radius = torch.tensor(start, dtype=torch.float64).norm(dim=0).max().item()
    assert found["farthest"] == pytest.approx(
        radius * (1 + 0.6**2) ** (5 / 2)
    )  # Euler's circles grow


def test_a_computation_that_cannot_be_says_why(js):
    """Data points alone have no velocity at t = 1, where an adaptive solver never arrives."""
    figure = FlowFigure(MarginalField(DATA, OTPath()), span=(0.0, 0.9), particles=5)
    figure.spec["span"] = [0.0, 1.0]
    found, fixed = js(
        computation(figure, solver="dopri5-adaptive"), computation(figure, solver="euler")
    )
    assert "tolerance cannot be met" in found["problem"] and "nfe" not in found
    assert fixed["problem"] is None and fixed["nfe"] == 20 and fixed["off"] is None


def test_packed_numbers_arrive_as_they_were(js):
    field = {"kind": "winds", "wind": {"kind": "Uniform", "velocity": pack(points(1)[0], "f8")}}
    (found,) = js({"job": "field", "field": field, "t": [0.0], "x": [0.0], "y": [0.0]})
    assert [u[0] for u in found[0]] == points(1)[0].tolist()


@pytest.mark.parametrize("span", [(0.0, 0.95), (0.95, 0.05)])
@pytest.mark.parametrize("target", [MIX, DATA], ids=["mixture", "data"])
def test_a_path_that_travels_as_a_table_agrees(js, target, span):
    field, x = MarginalField(target, Cosine()), points(301)
    spec = data(field, span)
    assert (spec["kind"], spec["path"]["kind"]) == ("mixture", "table")
    times = [*span, 0.2, 0.5 + 1 / 512, 0.7123]  # at both ends, between two nodes, anywhere
    (found,) = js({"job": "field", "field": spec, "t": times, **split(x)})
    for t, uv in zip(times, found, strict=True):
        close(uv, field(x, t), 1e-8)
