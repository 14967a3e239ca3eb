"""The figure of flow maps: its networks and jumps against fmcore, its data, its page, its still."""

import json

import numpy as np
import pytest
import torch

from fmcore.fields import Empirical, FlowMap, GaussianMixture, MarginalField
from fmcore.networks import TwoTimes
from fmcore.paths import OTPath, VPPath
from fmcore.solvers import odeint
from fmcore.viz import COLORS, JumpFigure
from fmcore.viz.living.spec import flow_map_data
from fmcore.weights import FlowModel

F64 = torch.float64
MIX = GaussianMixture([[-1.5, 0.5], [1.5, -0.5]], 0.4)
FIELD = MarginalField(MIX, OTPath())
RUNNER = """
import { readFileSync } from "node:fs";
const list = (numbers) => Array.from(numbers);
const job = unpack(JSON.parse(readFileSync(0, "utf8")));
const { networks, h, t, x, y, spec, states } = job;
const { WebAssembly } = globalThis;
const velocities = (evaluate) => t.map((time) => {
  const [u, v] = [new Float64Array(x.length), new Float64Array(x.length)];
  evaluate(time, Float64Array.from(x), Float64Array.from(y), x.length, u, v);
  return [list(u), list(v)];
});
const found = (networks ?? []).map((data) => {
  const fast = flowMap(data);
  delete globalThis.WebAssembly;
  const slow = flowMap(data);
  globalThis.WebAssembly = WebAssembly;
  return {
    jump: h.map((one) => velocities(fast(one).evaluate)),
    again: h.map((one) => velocities(fast(one).plain)),
    without: h.map((one) => velocities(slow(one).evaluate)),
  };
});
const flow = spec && new JumpFlow(spec);
const reports = (states ?? []).map((state) => {
  flow.restart(state);
  while (!flow.done) flow.work(Infinity);
  return flow.report();
});
process.stdout.write(JSON.stringify({ found, reports }));
"""


def flow_map(seed=0, dtype=torch.float32, **options):
    """An untrained network whose second clock counts."""
    torch.manual_seed(seed)
    net = TwoTimes("MLP", **{"hidden": 24, "depth": 2, "time_dim": 8, **options}).to(dtype)
    with torch.no_grad():
        for p in net.embed_length.parameters():
            p.normal_(std=0.7)
    return net


def points(n, seed=0):
    return 1.5 * torch.randn(n, 2, generator=torch.Generator().manual_seed(seed), dtype=F64)


@pytest.fixture(scope="module")
def js(in_node):
    """Runs the figure's scripts on a job."""
    run = in_node("jump_figure.js", RUNNER)
    return lambda **job: run(job)


def cloud(found):
    """Two lists of coordinates as `(n, 2)`."""
    return torch.tensor(found, dtype=F64).T


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (F64, 1e-6)])
@pytest.mark.parametrize("sizes", [(48, 3, 16), (33, 1, 8), (20, 2, 6)])
def test_networks_agree(js, dtype, tolerance, sizes):
    """At any time and for any length of a jump, with the kernel and without."""
    sizes = dict(zip(("hidden", "depth", "time_dim"), sizes, strict=True))
    net, x, times, lengths = (
        flow_map(1, dtype, **sizes),
        points(333),
        [0.0, 0.3, 0.5],
        [0.0, 0.1, 0.5],
    )
    job = {"networks": [flow_map_data(net)], "h": lengths, "t": times}
    (found,) = js(**job, x=x[:, 0].tolist(), y=x[:, 1].tolist())["found"]
    with torch.no_grad():
        for k, h in enumerate(lengths):
            for i, t in enumerate(times):
                expected = net(x.to(dtype), t, t + h).double()
                close = tolerance * expected.abs().max().clamp(min=1.0).item()
                for name in ("jump", "again", "without"):
                    assert (cloud(found[name][k][i]) - expected).abs().max() < close, name
        apart = net(x.to(dtype), 0.3, 0.3) - net(x.to(dtype), 0.3, 0.8)
        assert apart.abs().max() > 0.01  # the length matters


def test_jumps_and_flow_are_those_of_the_library(js):
    """The flow by another method; the chain of jumps step by step; Euler by `odeint`."""
    nets = {"one": flow_map(3, F64), "two": flow_map(4, F64)}
    spec = JumpFigure(nets, FIELD, particles=40, start=(0.2, 1.4), steps=200).spec
    given = spec["start_state"]
    changes = (
        {}, {"t": 0.5}, {"s": 0.25, "t": 0.75, "jumps": 3}, {"network": "two", "s": 0.5, "t": 0.5},
        {"network": "two", "jumps": 8, "start": [1.0, -1.0]}, {"seed": 5},
    )  # fmt: skip
    states = [{**given, **change} for change in changes]
    reports = js(spec=spec, states=states)["reports"]
    exact = FlowMap(FIELD, method="dopri5", steps=100)
    starts = {}
    for state, report in zip(states, reports, strict=True):
        s, t, jumps = state["s"], state["t"], state["jumps"]
        net, h = nets[state["network"]], (t - s) / jumps
        starts.setdefault(state["seed"], cloud(reports[0]["all"]["from"]))  # s = 0 at first
        for name in ("all", "one"):
            found = report[name]
            begin = cloud(found["from"])
            if name == "one":
                x0 = torch.tensor([state["start"]], dtype=F64)
                assert torch.allclose(begin, exact.end(x0, 0.0, s), atol=1e-5)
            elif state["seed"] == given["seed"]:
                assert torch.allclose(begin, exact.end(starts[0], 0.0, s), atol=1e-5)
            goal = exact.end(begin, s, t)
            assert torch.allclose(cloud(found["to"]), goal, atol=1e-5)
            x = begin
            with torch.no_grad():
                for k in range(jumps):
                    now = s + k * h
                    x = x + h * net(x, now, min(now + h, 1.0))
            assert torch.allclose(cloud(found["jumps"]), x, atol=1e-5)
            euler = odeint(FIELD, begin, (s, t), method="euler", steps=jumps).x
            assert torch.allclose(cloud(found["euler"]), euler, atol=1e-5)
            for end, method in ((x, "jumps"), (euler, "euler")):
                rms = (end - goal).square().sum(1).mean().sqrt().item()
                assert found["off"][method] == pytest.approx(rms, abs=2e-5)
            assert found["nfe"] == [jumps, jumps]
    drawn = [cloud(reports[k]["all"]["from"]) for k in (0, 5)]
    assert (drawn[0] - drawn[1]).abs().max() > 0.1  # other particles


def test_the_data_say_what_the_browser_needs():
    nets = {"b": flow_map(), "a": FlowModel(flow_map(1), OTPath(), shape=(2,))}
    figure = JumpFigure(
        nets, FIELD, s=0.25, t=0.5, jumps=3, seed=7, start=(1, 2), particles=9, alt="jumps"
    )
    spec = json.loads(json.dumps(figure.spec))
    assert spec["start_state"] == {
        "network": "b", "s": 0.25, "t": 0.5, "jumps": 3, "seed": 7, "start": [1, 2],
        "views": {"particles": True, "euler": True},
    }  # fmt: skip
    assert [*spec["networks"]] == ["b", "a"] and spec["alt"] == "jumps"
    assert spec["networks"]["a"] == flow_map_data(flow_map(1))
    assert spec["field"]["kind"] == "mixture" and spec["span"] == [0, 1] and spec["steps"] == 100
    assert (spec["solver"]["id"], spec["euler"]["color"]) == ("rk4", COLORS["euler"])
    assert repr(figure) == "JumpFigure(['b', 'a'], s=0.25, t=0.5, jumps=3)"
    alone = JumpFigure(flow_map(), FIELD)
    assert [*alone.spec["networks"]] == ["network"] and (alone.s, alone.t) == (0, 1)
    assert "menu" in JumpFigure(nets, FIELD).alt and "menu" not in alone.alt
    assert JumpFigure(flow_map(), FIELD, target=None).spec["target"] is None


def test_a_field_without_an_end_is_followed_as_far_as_it_is_finite():
    for field in (MarginalField(MIX, VPPath()), MarginalField(Empirical(points(9)), OTPath())):
        with pytest.raises(ValueError, match="t = 1"):
            JumpFigure(flow_map(), field)
        figure = JumpFigure(flow_map(), field, span=(0, 0.99))
        assert figure.t == 0.99 and figure.spec["span"] == [0, 0.99]
        figure.still()


def test_the_page_and_the_still(tmp_path):
    nets = {"first": flow_map(3), "second": flow_map(4)}
    figure = JumpFigure(nets, FIELD, particles=30, jumps=2, s=0.25, caption="a caption")
    figure.save_html(tmp_path / "jumps.html")
    page = (tmp_path / "jumps.html").read_text("utf-8")
    assert "a caption" in page and "default-src 'none'" in page and len(page) < 300_000
    assert set(figure._repr_mimebundle_()) == {"text/html", "image/png", "text/plain"}
    still = figure.still(t=0.75)
    assert still.get_suptitle() == "2 jumps from s = 0.25 to t = 0.75"
    assert [ax.get_title() for ax in still.axes] == ["first", "second"]
    for net, ax in zip(nets.values(), still.axes, strict=True):
        errors = torch.from_numpy(np.array(ax.collections[1].get_segments()))
        assert errors.shape == (30, 2, 2)
        begin = torch.from_numpy(ax.collections[2].get_offsets().data)
        goal = FlowMap(FIELD).end(begin, 0.25, 0.75)
        assert torch.allclose(errors[:, 1], goal, atol=1e-3)
        x = begin
        with torch.no_grad():
            for s in (0.25, 0.5):
                x = x + 0.25 * net(x.float(), s, s + 0.25)
        assert torch.allclose(errors[:, 0], x, atol=1e-5)
        off, euler = (float(line.split()[1]) for line in ax.get_xlabel().splitlines())
        assert off == pytest.approx((x - goal).square().sum(1).mean().sqrt().item(), abs=2e-3)
        one = odeint(FIELD, begin, (0.25, 0.75), method="euler", steps=2).x
        assert euler == pytest.approx((one - goal).square().sum(1).mean().sqrt().item(), abs=2e-3)
    assert len(figure.still(t=0.25).axes) == 2  # a jump of no length
    assert len(JumpFigure({str(k): flow_map(k) for k in range(5)}, FIELD).still().axes) == 6
