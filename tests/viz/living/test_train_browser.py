"""The same training in Chromium, and the worker in which it runs there."""

import pytest
import torch
from networks import KINDS
from opened import answering
from test_train_js import SETTINGS
from training_jobs import SIZES, TRAIN_RUNNER, gradient_error, training

from fmcore import GaussianMixture, MarginalField, OTPath
from fmcore.metrics import straightness, wasserstein2
from fmcore.networks import MLP
from fmcore.solvers import SOLVERS, odeint
from fmcore.viz.living.bundle import bundle

SCRIPT = bundle("train/worker.js")


@pytest.fixture(scope="module")
def page(browser):
    with answering(browser, SCRIPT + TRAIN_RUNNER) as page:
        yield page


@pytest.fixture(scope="module")
def answer(page):
    return lambda job: page.evaluate("(job) => answer(job)", job)


@pytest.mark.parametrize("kind", KINDS)
def test_gradient_and_steps_are_those_of_torch(answer, kind):
    found, loss, off = gradient_error(answer, SIZES[0], [kind], 192)
    assert found["kind"] == kind and off < 1e-5
    assert found["loss"] == pytest.approx(loss, rel=1e-5)
    found, expected = training(answer, [kind])
    for name in ("weights", "averages"):
        for mine, theirs in zip(found[name], expected[name], strict=True):
            assert mine == pytest.approx(theirs, abs=1e-3), name


# Tells the worker one thing after the other, each once a condition on its last report holds.
RUN = """async ({ script, told }) => {
  const worker = new Worker(URL.createObjectURL(new Blob([script])));
  const heard = [];
  for (const [message, until, pause] of told) {
    await new Promise((over) => setTimeout(over, pause));
    const enough = new Function("r", "heard", `return ${until}`);
    await new Promise((done) => {
      worker.onmessage = ({ data }) => {
        heard.push({ ...data, weights: data.weights?.map((w) => [...w]) });
        if (data.failed || enough(data, heard)) done();
      };
      worker.postMessage(message);
    });
  }
  worker.terminate();
  return heard;
}"""
LOOK = {"tableau": SOLVERS["heun"].as_dict(), "steps": 10}


def heard(page, *told):
    found = page.evaluate(RUN, {"script": f"{SCRIPT}serveTraining(self);", "told": told})
    assert not any("failed" in report for report in found)
    return found


def begin(until="true", run=1, **changes):
    settings = {**SETTINGS, "batch": 256, **changes}
    tableau = SOLVERS["midpoint"].as_dict()
    message = {"begin": {"run": run, "settings": settings, "tableau": tableau}, "look": LOOK}
    return message, until


def as_network(weights):
    net = MLP(dim=2, hidden=SETTINGS["hidden"], depth=SETTINGS["depth"], time_dim=16)
    with torch.no_grad():
        for p, w in zip(net.parameters(), weights, strict=True):
            p.copy_(torch.tensor(w).view(p.shape))
    return net.requires_grad_(False)


def test_a_training_reports_from_the_beginning_to_the_end(page):
    found = heard(page, begin(steps=1500), ({"go": True}, "r.done"))
    first, last = found[0], found[-1]
    assert (first["step"], first["loss"], first["seconds"]) == (0, None, 0)
    steps = [report["step"] for report in found]
    assert steps == sorted(set(steps)) and last["step"] == 1500 and last["done"]
    assert not first["done"] and {report["run"] for report in found} == {1}
    assert last["test"] < 1.03 * last["floor"] < first["test"]
    assert last["measured"]["distance"] < 1.7 * last["apart"] < first["measured"]["distance"]
    assert last["loss"] == pytest.approx(last["floor"], rel=0.15)
    # What the worker measures is what the library finds for the weights it sends.
    net, g = as_network(last["weights"]), torch.Generator().manual_seed(0)
    mixture = GaussianMixture(torch.tensor(SETTINGS["shape"]["points"]).view(-1, 2), 0.2)
    x0 = torch.randn(2000, 2, generator=g)
    found = straightness(net, x0, steps=16)
    assert last["measured"]["straightness"] == pytest.approx(found, rel=0.25)
    data = [mixture.sample(256, generator=g) for _ in range(7)]
    samples = odeint(net, x0[:256], method="heun", steps=10).x
    apart = [wasserstein2(data[0], other) for other in data[1:]]
    assert wasserstein2(data[0], samples) < 2 * max(apart)
    assert min(apart) / 2 < last["apart"] < 2 * max(apart)
    x1, t = mixture.sample(2000, generator=g), torch.rand(2000, generator=g)
    xt, ut = OTPath().sample(x0, x1, t)
    floor = (MarginalField(mixture, OTPath())(xt, t) - ut).square().mean().item()
    assert last["floor"] == pytest.approx(floor, rel=0.1)


def test_it_pauses_goes_on_and_begins_anew(page):
    found = heard(
        page,
        begin(steps=100_000),
        ({"go": True}, "heard.length > 4"),
        ({"go": False, "look": LOOK}, "true"),
        ({"look": LOOK}, "true", 300),
        ({"look": LOOK}, "r.step === heard.at(-2).step", 300),
        ({"go": True}, "r.step > heard.at(-2).step"),
        begin("r.run === 2", run=2, steps=100_000),
    )
    assert found[-1]["step"] == 0 and found[-1]["run"] == 2


def test_reflow_makes_the_particles_go_straight(page):
    found = heard(page, begin(pairing="reflow", steps=2000), ({"go": True}, "r.done"))
    before = [report for report in found if not report["reflowed"]][-1]
    after = found[-1]
    assert before["step"] == 1000 and before["floor"] > 0
    assert after["reflowed"] and after["floor"] is None
    assert after["measured"]["straightness"] < before["measured"]["straightness"] / 5
    assert after["test"] < before["test"] / 3


def test_a_training_that_diverges_says_so_and_goes_back(page):
    wild = {"lr": 30.0, "average": 0.0, "steps": 100_000}
    found = heard(
        page,
        begin(**wild),
        ({"go": True}, "r.diverged !== null"),
        ({"back": True, "go": False}, "r.diverged === null"),
    )
    lost, back = found[-2:]
    assert lost["diverged"] <= lost["step"] and lost["lr"] == 30 and not lost["done"]
    assert back["lr"] == 7.5 and back["test"] < 3 * found[0]["test"]


def test_the_worker_says_what_is_wrong(page):
    path = {"kind": "none"}
    message = begin(path=path)
    found = page.evaluate(RUN, {"script": f"{SCRIPT}serveTraining(self);", "told": [message]})
    assert found[-1]["failed"] == 'no path of the kind "none"'
