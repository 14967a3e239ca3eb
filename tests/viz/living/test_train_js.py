"""Training in the scripts, under Node: gradients, steps, pairs, assignment, a whole training."""

import math

import pytest
import torch
from networks import KINDS
from scipy.optimize import linear_sum_assignment
from training_jobs import SIZES, TRAIN_RUNNER, batch, drawn, gradient_error, network, training

from fmcore import CosinePath, GaussianMixture, MarginalField, OTPath, TrainConfig, VPPath
from fmcore.couplings import best_pairing
from fmcore.metrics import wasserstein2
from fmcore.viz.living.spec import path_data

F64 = torch.float64
POINTS = [[2.0, 0.0], [-1.0, 1.5], [-1.0, -1.5]]
SHAPE = {"points": [z for point in POINTS for z in point], "width": 0.2}
SETTINGS = {
    "shape": SHAPE, "path": {"kind": "OTPath", "sigma_min": 0.0}, "pairing": "independent",
    "frequencies": network(32, 2).embed_time.constants, "hidden": 32, "depth": 2, "lr": 1e-2,
    "batch": 128, "average": 0.99, "steps": 400, "seed": 1,
}  # fmt: skip


@pytest.fixture(scope="session")
def answer(in_node):
    return in_node("train/worker.js", TRAIN_RUNNER)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("sizes", "n"), [*((s, 192) for s in SIZES), (SIZES[0], 100)])
def test_the_gradient_is_that_of_autograd(answer, kind, sizes, n):
    """Also where a batch does not fill its last block of rows."""
    found, loss, off = gradient_error(answer, sizes, [kind], n)
    assert found["kind"] == kind and off < 1e-5
    for name in ("loss", "before", "again"):
        assert found[name] == pytest.approx(loss, rel=1e-5), name
    expected = [p.detach().flatten() for p in network(*sizes).parameters()]
    assert all(
        torch.equal(torch.tensor(w), p) for w, p in zip(found["weights"], expected, strict=True)
    )


@pytest.mark.parametrize("kind", KINDS)
def test_fifty_steps_are_those_of_torch(answer, kind):
    """With warm-up, clipping, weight decay, and averages that remember more and more."""
    found, expected = training(answer, [kind])
    assert found["losses"] == pytest.approx(expected["losses"], rel=1e-4)
    for name in ("weights", "averages"):
        for mine, theirs in zip(found[name], expected[name], strict=True):
            assert mine == pytest.approx(theirs, abs=1e-3), name
    moved = [
        (torch.tensor(w) - p.detach().flatten()).abs().max()
        for w, p in zip(found["weights"], network().parameters(), strict=True)
    ]
    assert min(moved) > 0.02


def test_gradients_are_clipped_as_torch_clips_them(answer):
    """So short that the epsilon of Adam counts, and not at all."""
    for clip in (1e-7, 1e9):
        found, expected = training(answer, ["simd"], steps=8, clip=clip)
        assert found["weights"][0] == pytest.approx(expected["weights"][0], abs=1e-4)


@pytest.mark.parametrize("path", [OTPath(), OTPath(0.1), VPPath(), CosinePath()], ids=str)
def test_states_and_velocities_are_those_of_the_path(answer, path):
    x1, x0, t, _ = drawn(50)
    job = {"path": path_data(path, (0.0, 1.0)), "x0": x0.T.tolist(), "x1": x1.T.tolist()}
    found = torch.tensor(answer({"job": "path", **job, "t": t.tolist()}), dtype=F64)
    xt, ut = path.sample(x0.double(), x1.double(), t.double())
    assert torch.allclose(found, torch.cat([xt.T, ut.T]), atol=1e-9)


@pytest.mark.parametrize("path", [OTPath(), VPPath(), CosinePath()], ids=str)
def test_the_floor_is_the_loss_of_the_exact_field(answer, path):
    x1, x0, t, _ = drawn(40)
    job = batch(x1, x0, t, path)
    found = answer({
        "job": "floor", "shape": SHAPE, "path": path_data(path, (0.0, 1.0)), "batch": job,
    })  # fmt: skip
    xt, ut = path.sample(x0.double(), x1.double(), t.double())
    u = MarginalField(GaussianMixture(*(torch.tensor(z, dtype=F64) for z in (POINTS, 0.2))), path)
    assert found == pytest.approx((u(xt, t.double()) - ut).square().mean().item(), rel=1e-9)


@pytest.mark.parametrize("n", [1, 2, 7, 64, 256])
def test_the_assignment_is_that_of_scipy(answer, n):
    """Random costs, costs with many ties, negative ones, and distances of points."""
    g = torch.Generator().manual_seed(n)
    random = torch.rand(n, n, generator=g, dtype=F64)
    points = torch.randn(2, n, 2, generator=g, dtype=F64)
    for cost in (random, (4 * random).floor(), -random, torch.cdist(*points).square()):
        found = answer({"job": "assign", "cost": cost.flatten().tolist(), "n": n})
        assert sorted(found) == list(range(n))
        least = cost.numpy()[linear_sum_assignment(cost.numpy())].sum()
        assert cost[torch.arange(n), found].sum().item() == pytest.approx(least, abs=1e-9)
    found = answer({"job": "transport", "a": points[0].T.tolist(), "b": points[1].T.tolist()})
    assert found["distance"] == pytest.approx(wasserstein2(*points), rel=1e-9)
    assert found["partners"] == best_pairing(*points).tolist()


def test_draws_have_the_distribution_they_should(answer):
    n = 12_000
    found = answer({"job": "draws", "shape": SHAPE, "n": n, "seed": 3})
    x0, x1, t = (torch.tensor(found[name], dtype=F64) for name in ("x0", "x1", "t"))
    assert x0.mean(1).abs().max() < 0.04 and (x0.std(1) - 1).abs().max() < 0.03
    means = torch.tensor(POINTS, dtype=F64)
    apart = torch.cdist(x1.T, means)
    for k in range(3):
        near = x1.T[apart.argmin(1) == k]
        assert abs(len(near) / n - 1 / 3) < 0.02
        assert (near.mean(0) - means[k]).abs().max() < 0.015
        assert (near.std(0) - 0.2).abs().max() < 0.01
    slices = torch.arange(n) / n
    assert ((t >= slices) & (t < slices + 1 / n)).all() and t.max() < 1
    again = answer({"job": "draws", "shape": SHAPE, "n": n, "seed": 3})
    assert again == found
    assert answer({"job": "draws", "shape": SHAPE, "n": n, "seed": 4})["x0"] != found["x0"]


def test_the_learning_rate_is_that_of_the_library(answer):
    config = TrainConfig(steps=300, lr=0.02, schedule="cosine", warmup=50)
    steps = [0, 1, 49, 50, 51, 170, 299]
    found = answer({"job": "rates", "lr": 0.02, "steps": steps, "total": 300})
    assert found == pytest.approx([config.learning_rate(k, 300) for k in steps])


def trained(answer, look=(400,), **changes):
    return answer({"job": "train", "settings": {**SETTINGS, **changes}, "look": list(look)})


def test_a_training_comes_down_to_its_floor_and_a_seed_repeats_it(answer):
    found = trained(answer, look=(1, 100, 400))
    above = [loss / found["floor"] - 1 for loss in found["seen"]]
    assert above[0] > 0.3 and above[2] < above[1] / 2 and above[2] < 0.08
    assert trained(answer)["averages"] == found["averages"]
    assert trained(answer, seed=2)["start"] != found["start"]
    for k, tensor in enumerate(found["start"]):  # as nn.Linear begins
        inputs = (18, 32, 32)[k // 2]
        w = torch.tensor(tensor) * math.sqrt(inputs)
        assert w.abs().max() <= 1
        assert len(w) < 500 or (abs(w.std() - 1 / math.sqrt(3)) < 0.03 and abs(w.mean()) < 0.06)
    test = found["test"]
    assert len(test["t"]) == 2048 and torch.tensor(test["t"]).histc(8, 0, 1).tolist() == [256.0] * 8


@pytest.mark.parametrize("path", [VPPath(), CosinePath()], ids=str)
def test_other_paths_are_trained_too(answer, path):
    found = trained(answer, path=path_data(path, (0.0, 1.0)))
    assert found["seen"][0] / found["floor"] < 1.15


def test_a_training_that_diverges_stops_and_goes_on_from_good_weights(answer):
    job = {"settings": {**SETTINGS, "lr": 1e6}, "look": [], "restore": True}
    found = answer({"job": "train", **job})
    assert found["diverged"] and 0 < found["step"] < 50
    lr, diverged, loss, step = found["after"]
    assert lr == 2.5e5 and not diverged and loss < 2 * found["losses"][0]
    assert step == found["step"] + 1


@pytest.mark.parametrize(
    ("losses", "step"),
    [
        ([1.0, 0.5, 0.6], 3),
        ([1.0, 0.5, 0.9, 1.1, 7.0], 3),  # twice the best loss is too much
        ([1.0, 0.5, 1.2, 0.8], 4),
        ([1.0, 0.4, 0.9, 0.7], 4),
    ],
)
def test_the_last_good_state_is_that_before_the_loss_rose(answer, losses, step):
    assert answer({"job": "good", "settings": SETTINGS, "losses": losses}) == [step, False]


def pairs(answer, ends=None, **changes):
    found = answer({"job": "pairs", "ends": ends, "settings": {**SETTINGS, **changes}})
    x0, x1 = (torch.tensor(found[name], dtype=F64).T for name in ("x0", "x1"))
    return found, x0, x1


def test_pairs_of_optimal_transport_are_the_best_of_their_batch(answer):
    found, x0, x1 = pairs(answer, pairing="ot")
    assert torch.equal(best_pairing(x1, x0), torch.arange(128)) and found["floor"] is None
    free, y0, y1 = pairs(answer)
    assert not torch.equal(best_pairing(y1, y0), torch.arange(128)) and free["floor"] > 0
    assert (x0.mean(0).abs() < 0.3).all() and (x0.std(0) - 1).abs().max() < 0.2


def test_reflowed_pairs_stay_together_and_begin_a_training_anew(answer):
    x0 = torch.arange(20.0).view(10, 2)
    ends = {"x0": x0.T.tolist(), "x1": (x0 + 100).T.tolist()}
    found, y0, y1 = pairs(answer, ends, pairing="reflow")
    assert (y1 - y0 == 100).all() and set(y0[:, 0].tolist()) == set(x0[:, 0].tolist())
    assert found["floor"] is None and (found["begun"], found["steps"]) == (0, 0)
    assert pairs(answer, pairing="reflow")[0]["end"] == 200
    assert pairs(answer)[0]["end"] == 400


def test_a_field_takes_over_weights_that_have_changed(answer):
    """Also at the time at which it was asked before."""
    networks = []
    for seed in (0, 1):
        net = network(16, 2, seed=seed)
        values = [p.detach().flatten().tolist() for p in net.parameters()]
        layers = [{"weight": w, "bias": b} for w, b in zip(values[::2], values[1::2], strict=True)]
        networks.append({"frequencies": net.embed_time.constants, "layers": layers})
    job = {"job": "refresh", "networks": networks, "t": 0.4, "at": [0.3, -1.0]}
    first, second, *after = answer(job)
    assert first != pytest.approx(second, abs=1e-3)
    assert after == [pytest.approx(second, abs=1e-6)] * 2
