"""The figure of pairings: its field and numbers against fmcore, its page, its still, its errors."""

import json
from itertools import permutations

import numpy as np
import pytest
import torch

from fmcore.couplings import best_pairing
from fmcore.fields import PairField
from fmcore.metrics import straightness
from fmcore.solvers import odeint
from fmcore.viz import PairFigure

F64 = torch.float64
RUNNER = """
import { readFileSync } from "node:fs";
const list = (numbers) => Array.from(numbers);
const { spec, partners, t, x, y, width } = unpack(JSON.parse(readFileSync(0, "utf8")));
const fields = [pairs(spec.x0, spec.x1, partners, width),
                pairs(spec.x0, spec.x1, partners, width, 3 * width)];
const [all, near] = fields.map((field) => t.map((time) => {
  const [u, v] = [new Float64Array(x.length), new Float64Array(x.length)];
  field.evaluate(time, Float64Array.from(x), Float64Array.from(y), x.length, u, v);
  return [list(u), list(v)];
}));
const { states, one, ...numbers } = pairFlow(spec, partners);
process.stdout.write(JSON.stringify({ all, near, numbers,
  states: states.map(({ x, y }) => [list(x), list(y)]),
  orders: [0, 1, 2, 3].map((seed) => shuffled(partners.length, seed)),
  joined: joined(partners, 2, partners[4]),
}));
"""


def points(n, seed, scale=1.0):
    return scale * torch.randn(n, 2, generator=torch.Generator().manual_seed(seed), dtype=F64)


def figure(n=9, **options):
    return PairFigure(points(n, 1), points(n, 2, 2.0), **{"steps": 40, **options})


@pytest.fixture(scope="module")
def js(in_node):
    """Runs the figure's scripts for one pairing, at some times and points."""
    run = in_node("pair_figure.js", RUNNER)

    def one(shown, partners, t=(0.0,), x=((0.0, 0.0),)):
        x, y = zip(*x, strict=True)
        job = {"spec": shown.spec, "partners": list(partners), "t": t, "x": x, "y": y}
        return run(job | {"width": shown.width})

    return one


@pytest.mark.parametrize("pairing", ["independent", "ot", "crossing"])
def test_the_field_of_the_browser_is_that_of_the_library(js, pairing):
    shown, times, x = figure(width=0.25), [0.0, 0.37, 1.0], points(50, 3, 2.0)
    x[::10] *= 40  # far out, where every density vanishes
    order = shown.partners(pairing)
    found = js(shown, order.tolist(), times, x.tolist())
    u = PairField(shown.x0, shown.x1[order], 0.25)
    for t, all_of_it, near in zip(times, found["all"], found["near"], strict=True):
        expected = u(x, t)
        assert torch.allclose(torch.tensor(all_of_it, dtype=F64).T, expected, atol=1e-11)
        middle = (1 - t) * shown.x0 + t * shown.x1[order]
        seen = torch.cdist(x, middle).amin(1, keepdim=True) <= 0.75
        assert 0 < seen.sum() < len(x)
        assert torch.allclose(torch.tensor(near, dtype=F64).T, expected * seen, atol=1e-11)


@pytest.mark.parametrize("pairing", ["independent", "ot", "crossing"])
def test_trajectories_and_numbers_are_those_of_the_library(js, pairing):
    shown = figure(width=0.3)
    order = shown.partners(pairing)
    found = js(shown, order.tolist())
    x0, x1 = shown.x0, shown.x1[order]
    u, times = PairField(x0, x1, 0.3), torch.linspace(0, 1, 41, dtype=F64)
    xs = odeint(u, x0, method="rk4", steps=40, t_eval=times).xs
    states = torch.tensor(found["states"], dtype=F64).transpose(1, 2)
    assert torch.allclose(states, xs, atol=1e-9)
    numbers = found["numbers"]
    assert numbers["cost"] == pytest.approx((x1 - x0).square().sum(1).mean().item())
    s = straightness(u, x0, method="rk4", steps=40)
    assert numbers["straightness"] == pytest.approx(s, rel=1e-6, abs=1e-9)
    off = (x0 + u(x0, 0.0) - xs[-1]).norm(dim=1).mean().item()
    assert numbers["euler"] == pytest.approx(off, abs=1e-9)
    assert numbers["crossings"] == sum(
        cross(x0[i], x1[i], x0[k], x1[k]) for i in range(9) for k in range(i)
    )


def cross(a, b, c, d):
    """Whether segments ab and cd meet, by solving for where."""
    lines = torch.stack([b - a, c - d], dim=1)
    share = torch.linalg.solve(lines, c - a)
    return bool(((share > 0) & (share < 1)).all())


def test_orders_are_permutations_and_partners_are_exchanged(js):
    found = js(figure(), [3, 1, 4, 0, 5, 8, 2, 6, 7])
    assert all(sorted(order) == list(range(9)) for order in found["orders"])
    assert len({tuple(order) for order in found["orders"]}) == 4
    assert found["joined"] == [3, 1, 5, 0, 4, 8, 2, 6, 7]


def test_the_pairings_are_the_cheapest_and_the_dearest_of_all():
    """Every one of 6! pairings costs between the two."""
    shown = figure(6)
    cost = torch.cdist(shown.x0, shown.x1).square()
    every = [cost[torch.arange(6), list(p)].sum().item() for p in permutations(range(6))]
    found = {
        name: cost[torch.arange(6), shown.partners(name)].sum().item()
        for name in ("independent", "ot", "crossing")
    }
    assert found["ot"] == pytest.approx(min(every))
    assert found["crossing"] == pytest.approx(max(every))
    assert found["independent"] == pytest.approx(cost.trace().item())
    assert torch.equal(shown.partners("ot"), best_pairing(shown.x0, shown.x1))


def test_pairs_of_optimal_transport_never_meet_though_their_lines_may_cross(js):
    """Of any two, the vectors between their noise and their data are at most at a right angle."""
    shown = figure(30)
    order = shown.partners("ot")
    between = [z[:, None] - z for z in (shown.x0, shown.x1[order])]
    assert (between[0] * between[1]).sum(-1).min() > -1e-12
    assert js(shown, order.tolist())["numbers"]["crossings"] > 0


def test_the_data_say_what_the_browser_needs():
    shown = figure(pairing="crossing", seed=7, t=0.25, alt="two clouds", extent=(-2, 2, -3, 3))
    spec = json.loads(json.dumps(shown.spec))
    assert spec["start_state"] == {
        "pairing": "crossing", "seed": 7, "share": 0.25, "playing": False,
    }  # fmt: skip
    assert [one["id"] for one in spec["pairings"]] == ["independent", "ot", "crossing"]
    assert spec["extent"] == [-2, 2, -3, 3] and spec["alt"] == "two clouds"
    assert spec["tableau"]["name"] == "rk4" and (spec["steps"], spec["width"]) == (40, 0.2)
    assert figure().spec["start_state"]["playing"]
    x = torch.cat([shown.x0, shown.x1])
    xmin, xmax, ymin, ymax = figure().extent
    assert xmin < x[:, 0].min() and x[:, 0].max() < xmax
    assert ymin < x[:, 1].min() and x[:, 1].max() < ymax
    assert repr(shown) == "PairFigure(9 pairs, pairing='crossing', width=0.2)"


def test_lists_and_other_dtypes_will_do():
    shown = PairFigure(points(3, 1).float(), points(3, 2).tolist(), steps=5)
    assert shown.x0.dtype == shown.x1.dtype == F64
    assert torch.equal(shown.x1, points(3, 2))


def test_the_page_and_the_still(tmp_path):
    shown = figure(caption="a caption", t=0.5)
    shown.save_html(tmp_path / "pairs.html")
    page = (tmp_path / "pairs.html").read_text("utf-8")
    assert "a caption" in page and "default-src 'none'" in page and len(page) < 300_000
    made = shown._repr_mimebundle_()
    assert set(made) == {"text/html", "image/png", "text/plain"}
    still = shown.still()
    assert [ax.get_title() for ax in still.axes] == [
        "Independent", "Optimal transport", "Crossing",
    ]  # fmt: skip
    for name, ax in zip(("independent", "ot", "crossing"), still.axes, strict=True):
        order = shown.partners(name)
        pairs = torch.from_numpy(np.array(ax.collections[0].get_segments()))
        assert torch.allclose(pairs, torch.stack([shown.x0, shown.x1[order]], 1))
        s = straightness(PairField(shown.x0, shown.x1[order], 0.2), shown.x0, steps=60)
        said = float(ax.get_xlabel().split()[1])
        assert said == pytest.approx(s, rel=0.02, abs=2e-3)
