"""Our fields in other people's solvers, their paths in our loss: with the real packages.

They come with the extra `test`, and so with `make test`. Elsewhere a package that is missing is
skipped; with CI or NEEDS_PEERS set it has to be there.
"""

import importlib
import math
import os

import numpy as np
import pytest
import torch
from small import gen, noise

import fmcore
from fmcore.fields import GaussianMixture, MarginalField
from fmcore.losses import cfm_loss
from fmcore.networks import MLP
from fmcore.paths import CosinePath, OTPath, ProbabilityPath, VPPath
from fmcore.solvers import GRIDS, ButcherTableau, multistep, odeint


def peer(name):
    if os.environ.get("CI") or os.environ.get("NEEDS_PEERS"):
        return importlib.import_module(name)
    return pytest.importorskip(name)


@pytest.fixture
def torchdiffeq():
    return peer("torchdiffeq")


@pytest.fixture
def their():
    """The parts of facebookresearch/flow_matching that are compared."""
    for part in ("solver", "path", "path.scheduler", "utils.manifolds"):
        peer(f"flow_matching.{part}")
    return importlib.import_module("flow_matching")


@pytest.fixture
def scheduler():
    return peer("diffusers").FlowMatchEulerDiscreteScheduler


MIX = GaussianMixture([[-1.5, 0.0], [1.0, 1.0], [0.5, -1.5]], stds=0.3, weights=[1, 2, 1])
X0 = noise(64, 2).double()
THREE_EIGHTHS = ButcherTableau(
    "three_eighths", order=4,
    a=((), (1 / 3,), (-1 / 3, 1), (1, -1, 1)),
    b=(1 / 8, 3 / 8, 3 / 8, 1 / 8), c=(0, 1 / 3, 2 / 3, 1),
)  # fmt: skip
"""What torchdiffeq means by "rk4"."""


def small_network(seed=0):
    torch.manual_seed(seed)
    return MLP(dim=2, hidden=16, depth=2, time_dim=8).double().requires_grad_(False)


def gap(x, y):
    assert x.shape == y.shape and x.dtype == y.dtype
    return (x - y).abs().max().item()


@pytest.fixture(params=["exact field", "network"])
def field(request):
    return MarginalField(MIX, OTPath()) if request.param == "exact field" else small_network()


# ---- solvers


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [("euler", "euler"), ("midpoint", "midpoint"), ("heun", "heun2"), (THREE_EIGHTHS, "rk4")],
    ids=["euler", "midpoint", "heun", "three eighths"],
)
def test_a_fixed_grid_of_torchdiffeq_is_ours(torchdiffeq, field, ours, theirs):
    grid = torch.linspace(0, 1, 9, dtype=torch.float64)
    x = torchdiffeq.odeint(lambda t, x: field(x, t), X0, grid, method=theirs)[-1]
    assert gap(x, odeint(field, X0, method=ours, steps=8).x) < 1e-12


def test_the_rk4_of_torchdiffeq_is_another_one(torchdiffeq):
    """The same order, and on a coarse grid another result: the names alone promise nothing."""
    v, grid = small_network(), torch.linspace(0, 1, 3, dtype=torch.float64)
    x = torchdiffeq.odeint(lambda t, x: v(x, t), X0, grid, method="rk4")[-1]
    assert gap(x, odeint(v, X0, method="rk4", steps=2).x) > 1e-9
    assert gap(x, odeint(v, X0, method=THREE_EIGHTHS, steps=2).x) < 1e-12


def test_adaptive_steps_find_the_same_end(torchdiffeq):
    """Each controls its error in its own way, so that they agree to the tolerance alone.

    Theirs steps past the end and interpolates back: `clamp_time` keeps the field's clock within.
    """
    v, ends = MarginalField(MIX, OTPath()), torch.tensor([0.0, 1.0], dtype=torch.float64)
    tolerance = dict(rtol=1e-9, atol=1e-9)
    with pytest.raises(ValueError, match="may step past the end: give it fmcore.clamp_time"):
        torchdiffeq.odeint(lambda t, x: v(x, t), X0, ends, method="dopri5", **tolerance)
    held = fmcore.clamp_time(v)
    x = torchdiffeq.odeint(lambda t, x: held(x, t), X0, ends, method="dopri5", **tolerance)[-1]
    assert gap(x, odeint(v, X0, method="dopri5", **tolerance).x) < 1e-6


@pytest.mark.parametrize("method", ["euler", "midpoint"])
def test_ode_solver_of_flow_matching_takes_a_field_as_it_is(their, field, method):
    solver = their.solver.ODESolver(field)
    grid = torch.linspace(0, 1, 9, dtype=torch.float64)
    x = solver.sample(x_init=X0, step_size=None, method=method, time_grid=grid)
    assert gap(x, odeint(field, X0, method=method, steps=8).x) < 1e-12


def test_the_shipped_network_in_all_three(torchdiffeq, their, scheduler):
    """Digits, in float32: what differs is rounding, collected over ten steps."""
    model, x0 = fmcore.load_pretrained("mnist"), noise(2, 1, 28, 28)
    grid = torch.linspace(0, 1, 11)
    for method in ("euler", "midpoint"):
        ours = odeint(model, x0, method=method, steps=10).x
        x = torchdiffeq.odeint(lambda t, x: model(x, t), x0, grid, method=method)[-1]
        assert gap(x, ours) < 1e-3
        x = their.solver.ODESolver(model).sample(x_init=x0, step_size=0.1, method=method)
        assert gap(x, ours) < 1e-3
    x = driven(scheduler(), model, x0, sigmas=(1 - grid[:-1]).tolist())
    assert gap(x, odeint(model, x0, method="euler", steps=10).x) < 1e-3


def driven(scheduler, v, x, **grid):
    """The field v, whose time runs from noise to data, in the loop of a pipeline of diffusers."""
    scheduler.set_timesteps(**grid)
    for clock in scheduler.timesteps:
        t = 1 - (clock / scheduler.config.num_train_timesteps).to(x.dtype)
        x = scheduler.step(-v(x, t), clock, x, return_dict=False)[0]
    return x


def test_the_scheduler_of_diffusers_is_euler_on_its_grid(scheduler, field):
    x0 = X0.float()
    v = field if isinstance(field, MarginalField) else small_network().float()
    x = driven(scheduler(), v, x0, sigmas=np.linspace(1, 0, 21)[:-1].tolist())
    assert gap(x, odeint(v, x0, method="euler", steps=20).x) < 1e-4


def test_the_shift_of_diffusers_is_ours(scheduler):
    """Also through `multistep`, whose first order on an OTPath is Euler."""
    v, path, x0 = MarginalField(MIX, OTPath()), OTPath(), X0.float()
    grid = GRIDS["shifted"](path, 20, shift=3.0)
    x = driven(scheduler(shift=3.0), v, x0, sigmas=np.linspace(1, 0, 21)[:-1].tolist())
    assert gap(x, multistep(v, path, x0, order=1, steps=20, grid=grid).x) < 1e-4
    uniform = multistep(v, path, x0, order=1, steps=20).x
    assert gap(x, uniform) > 1e-2


def test_a_grid_that_is_shifted_before_is_shifted_again(scheduler):
    once = 1 - GRIDS["shifted"](OTPath(), 10, shift=3.0)
    theirs = scheduler(shift=3.0)
    theirs.set_timesteps(sigmas=once[:-1].tolist())
    nine = 1 - GRIDS["shifted"](OTPath(), 10, shift=9.0)
    assert gap(theirs.sigmas.double(), nine) < 1e-6


def test_ten_steps_without_a_grid_are_nine_and_a_crumb(scheduler):
    theirs = scheduler()
    theirs.set_timesteps(10)
    steps = -theirs.sigmas.double().diff()
    assert steps.tolist() == pytest.approx([0.111] * 9 + [0.001], abs=1e-6)


# ---- paths


class Theirs(ProbabilityPath):
    """A scheduler of flow_matching; the derivatives are worked out from its code."""

    def __init__(self, scheduler):
        self.scheduler = scheduler

    def a(self, t):
        return self.scheduler(t).alpha_t

    def b(self, t):
        return self.scheduler(t).sigma_t


@pytest.mark.parametrize(
    ("name", "ours"),
    [("CondOTScheduler", OTPath()), ("CosineScheduler", CosinePath()), ("VPScheduler", VPPath())],
)
def test_a_path_of_flow_matching_is_ours(their, name, ours):
    """Samples, targets, the loss of one network, and the exact field of a mixture."""
    schedule = getattr(their.path.scheduler, name)()
    x0, x1 = X0, MIX.sample(64, generator=gen(1)).double()
    t = 0.99 * torch.rand(64, generator=gen(2), dtype=torch.float64)
    sample = their.path.AffineProbPath(schedule).sample(x_0=x0, x_1=x1, t=t)
    xt, ut = ours.sample(x0, x1, t)
    assert gap(sample.x_t, xt) < 1e-12 and gap(sample.dx_t, ut) < 1e-11
    net = small_network()
    losses = [cfm_loss(net, path, x1, x0=x0, t=t).item() for path in (Theirs(schedule), ours)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-11)
    other = VPPath() if name == "CosineScheduler" else CosinePath()
    assert losses[0] != pytest.approx(cfm_loss(net, other, x1, x0=x0, t=t).item(), rel=1e-3)
    fields = [MarginalField(MIX, path)(xt, 0.6) for path in (Theirs(schedule), ours)]
    assert gap(*fields) < 1e-11


def test_their_conversion_of_velocities_is_ours(their):
    path, x = CosinePath(), X0
    theirs = their.path.AffineProbPath(their.path.scheduler.CosineScheduler())
    t = torch.full((64,), 0.4, dtype=torch.float64)
    v = MarginalField(MIX, path)(x, 0.4)
    data = theirs.velocity_to_target(velocity=v, x_t=x, t=t[:, None])
    assert gap(data, path.velocity_to_data(v, x, 0.4)) < 1e-11
    epsilon = theirs.velocity_to_epsilon(velocity=v, x_t=x, t=t[:, None])
    assert gap(epsilon, path.velocity_to_noise(v, x, 0.4)) < 1e-11


# ---- the spaces of chapter 12


def chapter(*names):
    """Functions of the chapter, from its own cells."""
    import json
    from pathlib import Path

    file = Path(__file__).resolve().parents[1] / "book" / "12_beyond.ipynb"
    cells = json.loads(file.read_text(encoding="utf-8"))["cells"]
    space = {"torch": torch, "math": math, "fmcore": fmcore}
    for cell in cells:
        if cell["id"] in names:
            exec("".join(cell["source"]), space)
    return space


def test_the_great_circle_of_the_chapter_is_theirs(their):
    here = chapter("sphere", "sphere-path")
    p, q = (x / x.norm(dim=1, keepdim=True) for x in noise(2, 50, 3).double())
    t = torch.rand(50, generator=gen(3), dtype=torch.float64)
    sphere = their.utils.manifolds.Sphere()
    path = their.path.GeodesicProbPath(their.path.scheduler.CondOTScheduler(), sphere)
    theirs = path.sample(x_0=p, x_1=q, t=t)
    xt, ut = here["great_circle"](p, q, t[:, None])
    assert gap(theirs.x_t, xt) < 1e-6 and gap(theirs.dx_t, ut) < 1e-6
    assert gap(sphere.expmap(p, 0.1 * ut), here["exp_map"](p, 0.1 * ut)) < 1e-6


def test_the_jumps_of_the_chapter_and_theirs_have_one_law(their):
    """Total variation of 20,000 words from the data, by both, beside that of fresh words."""
    here = chapter("chart", "table", "jump")
    V, posterior = here["V"], here["posterior"]

    def probabilities(x, t):
        """The table as their solver wants it: no letter is the mask, and known ones stay."""
        p = posterior[x[:, 0], x[:, 1]]
        p = torch.cat([p, torch.zeros(len(x), 2, 1)], dim=2)
        known = torch.nn.functional.one_hot(x, V + 1).float()
        return torch.where((x == V)[..., None], p, known)

    torch.manual_seed(0)  # their solver draws from the global stream
    path = their.path.MixtureDiscreteProbPath(their.path.scheduler.PolynomialConvexScheduler(1.0))
    solver = their.solver.MixtureDiscreteEulerSolver(probabilities, path, vocabulary_size=V + 1)
    theirs = solver.sample(x_init=torch.full((20_000, 2), V), step_size=1 / 32)
    ours = here["jump"](20_000, 32, gen(4))

    def share(x):
        return torch.bincount(V * x[:, 0] + x[:, 1], minlength=V * V) / len(x)

    data = share(here["words"](1_000_000, gen(5)))
    apart = [0.5 * (share(x) - data).abs().sum().item() for x in (theirs, ours)]
    fresh = 0.5 * (share(here["words"](20_000, gen(6))) - data).abs().sum().item()
    assert theirs.max() < V and ours.max() < V
    assert all(fresh < far < fresh + 0.04 for far in apart)


@pytest.mark.parametrize("steps", [1, 2, 4])
def test_the_jumps_of_the_chapter_leave_one_stray_in_so_many_steps(steps):
    """Words that the data do not have: a share 1 / steps of those of independent letters."""
    here = chapter("chart", "table", "jump")
    V, n = here["V"], 20_000
    data = here["words"](1_000_000, gen(7))
    q = torch.bincount(V * data[:, 0] + data[:, 1], minlength=V * V).reshape(V, V) / len(data)
    strays = (q.sum(1)[:, None] * q.sum(0))[q == 0].sum().item() / steps
    x = here["jump"](n, steps, gen(8))
    found = (q[x[:, 0], x[:, 1]] == 0).float().mean().item()
    assert abs(found - strays) < 4.5 * math.sqrt(strays / n) + 0.002
    assert strays * steps > 0.3
