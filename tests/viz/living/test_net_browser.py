"""The same networks in Chromium, and the worker that runs them there."""

import base64

import pytest
import torch
from networks import KINDS, NETWORKS, RUNNER
from opened import answering
from test_net_js import golden, told

from fmcore import load_pretrained
from fmcore.metrics.reader import load_reader
from fmcore.solvers import SOLVERS, odeint
from fmcore.viz.living.bundle import bundle
from fmcore.viz.web import web_network


@pytest.fixture(scope="module")
def page(browser):
    with answering(browser, bundle("net/worker.js") + RUNNER) as page:
        yield page


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_is_what_the_library_computes(page, name, kind):
    make, shape, label = NETWORKS[name]
    answer = lambda job: page.evaluate("(job) => answer(job)", job)  # noqa: E731
    assert golden(answer, make(), shape, label, [kind]) < 1e-4


RUN = """async ({ script, files, orders }) => {
  const buffers = files.map((file) => Uint8Array.from(atob(file), (c) => c.charCodeAt(0)).buffer);
  const worker = new Worker(URL.createObjectURL(new Blob([script])));
  const heard = [];
  const done = new Promise((end) => (worker.onmessage = ({ data }) => {
    heard.push({ ...data, x: data.x && [...data.x], v: data.v && [...data.v] });
    if (data.done || data.failed) end();
  }));
  worker.postMessage({ open: { files: buffers, channels: 1, height: 28, width: 28 } }, buffers);
  const typed = (noises) => noises.map((x) => Float32Array.from(x));
  for (const order of orders)
    worker.postMessage({ order: { ...order, noises: typed(order.noises) } });
  await done;
  worker.terminate();
  return heard;
}"""
SCRIPT = bundle("net/worker.js") + "serve(self);"


def heard(page, files, *orders, script=SCRIPT):
    texts = [base64.b64encode(file).decode() for file in files]
    return page.evaluate(RUN, {"script": script, "files": texts, "orders": orders})


def test_the_worker_answers_state_by_state_and_drops_what_is_overtaken(page):
    model, x = load_pretrained("mnist"), torch.randn(3, 1, 28, 28)
    order = {"noises": x.flatten(1).tolist(), "label": 4, "guidance": 1, "steps": 4}
    order["tableau"] = SOLVERS["midpoint"].as_dict()
    files = [web_network(model), web_network(load_reader())]
    answers = heard(page, files, {"run": 1, **order}, {"run": 2, **order})
    assert answers[0] == {"opened": "relaxed", "x": None, "v": None}
    assert sum(one["run"] == 1 for one in answers[1:-1]) < 3
    states = [one for one in answers[1:-1] if one["run"] == 2]
    assert [(one["image"], one["step"]) for one in states] == [
        (i, k) for i in range(3) for k in range(5)
    ]
    label = torch.full((3,), 4)
    end = odeint(lambda x, t: model(x, t, label), x, method="midpoint", steps=4)
    last = torch.tensor([one["x"] for one in states if one["v"] is None])
    assert (told(last) - told(end.x)).abs().max() < 2e-2
    assert [one["nfe"] for one in states[:5]] == [1, 3, 5, 7, 8]
    assert all(one["milliseconds"] > 0 for one in states)
    verdicts = [one["verdict"] for one in states if one["v"] is None]
    assert all(set(verdict) == {"digit", "readable"} for verdict in verdicts)
    with torch.no_grad():
        first = model(x[:1], 0.0, label[:1])
    assert (told(torch.tensor([states[0]["v"]])) - told(first)).abs().max() < 2e-2


CLOCK = "let ticks = 0; performance.now = () => ticks++;"


@pytest.mark.parametrize("guidance", [1, 2])
def test_the_cost_is_that_of_one_evaluation(page, guidance):
    """A clock that ticks once in each of them: where the network is asked twice it is half."""
    order = {"run": 1, "noises": [[0.0] * 784], "label": 4, "guidance": guidance, "steps": 2}
    order["tableau"] = SOLVERS["euler"].as_dict()
    answers = heard(page, [web_network(load_pretrained("mnist"))], order, script=CLOCK + SCRIPT)
    assert [one["milliseconds"] for one in answers[1:-1]] == [1 / guidance] * 3


def test_the_worker_says_what_is_wrong(page):
    answers = heard(page, [b"no network"])
    assert answers[-1]["failed"] == "the weights are damaged"
