"""The benchmark of one-step generation, as far as it takes no training."""

from argparse import Namespace

import pytest
import torch
from small import gen, noise

from fmcore.fields import FlowMap, GaussianMixture, MarginalField
from fmcore.flowmaps import RULES
from fmcore.paths import OTPath


@pytest.fixture
def onestep(script):
    return script("onestep")


@pytest.fixture
def prices(script):
    return script("onestep_cost")


@pytest.mark.parametrize("steps", [1, 3])
def test_back_into_noise_and_to_the_end_again_keeps_the_data(onestep, steps):
    """With the true flow map every stop is a sample, with the mean and spread of the data."""
    field = MarginalField(GaussianMixture([[1.0]], 0.5), OTPath())
    u = FlowMap(field, method="rk4", steps=8)
    x0 = noise(4000, 1).double()
    x, nfe = onestep.renoised(u, x0, None, steps=steps, generator=gen(1))
    assert nfe == steps and abs(x.mean() - 1) < 0.03 and abs(x.std() - 0.5) < 0.02
    assert (steps == 1) == torch.allclose(x, 1 + 0.5 * x0, atol=1e-4)


@pytest.mark.parametrize("rule", ["flow matching", "consistency", "shortcut"])
def test_every_sampler_takes_the_evaluations_it_names(onestep, rule):
    seen = []

    def net(x, s, t=None, label=None):
        seen.append(len(x))
        return 0 * x

    one = (lambda x, t: net(x, t)) if rule == "flow matching" else (lambda x, s, t: net(x, s, t))
    for _, _, sampler in onestep.samplers(rule):
        seen.clear()
        _, nfe = sampler(one, noise(2, 1), None, generator=gen())
        assert len(seen) == nfe and nfe in onestep.NFES
    assert {steps for _, steps, _ in onestep.samplers(rule)} == set(onestep.NFES)


def test_pairs_keep_their_labels(onestep):
    x = torch.arange(6.0)[:, None]
    draw = onestep.LabelledPairs(x, 10 * x, x[:, 0].long())
    x0, x1, label = draw(torch.zeros(50, 1), torch.zeros(50, 1), None, gen())
    assert torch.equal(10 * x0, x1) and torch.equal(x0[:, 0].long(), label)
    assert len(label.unique()) == 6


@pytest.mark.parametrize(
    ("rule", "taught", "expected"),
    [
        ("flow matching", False, (1, 0, 1, 0)),
        ("mean_flow", False, (1, 1, 1, 0)),
        ("improved_mean_flow", False, (2, 1, 1, 0)),
        ("shortcut", False, (3, 0, 1, 0)),
        ("shortcut", True, (3, 0, 1, 1)),
        ("mean_flow", True, (1, 1, 1, 1)),
        ("lagrangian", False, (2, 1, 1, 0)),
        ("lagrangian", True, (1, 1, 1, 2)),
    ],
)
def test_the_passes_of_a_step(prices, rule, taught, expected):
    step = prices.Step(prices.WORKS["MLP"], rule, taught)
    assert tuple(prices.passes(step).values()) == expected


def test_every_rule_has_its_contestant(onestep):
    rules = {who.rule for who in onestep.CONTESTANTS}
    assert rules == {*RULES, "flow matching", "reflow"}
    assert {who.rule for who in onestep.CONTESTANTS if who.distilled} == {*onestep.DISTILLED}


def test_nothing_is_begun_after_its_time(onestep, tmp_path):
    args = Namespace(
        seconds=-1.0, n=2, device="cpu", gpu=False, seeds=[0], only=None, quick=False,
        weights=tmp_path / "weights",
    )  # fmt: skip
    onestep.digits(None, args)  # no table is asked for anything
    assert args.weights.is_dir()
