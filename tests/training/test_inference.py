"""Inference from simulations: a linear Gaussian model, whose posterior is known."""

from pathlib import Path

import pytest
import torch
from small import config, gen, noise, weights
from torch.distributions import MultivariateNormal
from torch.utils.data import DataLoader, TensorDataset

import fmcore
from fmcore import (
    MLP,
    Checkpoints,
    MinibatchOT,
    OTPath,
    UNet,
    cfm_loss,
    fit,
    generate,
    load_weights,
    log_likelihood,
    save_weights,
)

README = Path(__file__).parents[2] / "README.md"
A, SIGMA = torch.tensor([[1.0, 0.5], [-0.5, 1.0], [0.5, 1.0]]), 0.5  # those of the README
SEEN = torch.tensor([[1.0, -1.0, 0.5], [0.0, 0.0, 0.0], [-2.0, 1.0, -1.0]])
HOW = dict(method="rk4", steps=8)


def simulations(n):
    """theta ~ N(0, I), and what is observed of it: A theta + N(0, SIGMA^2 I)."""
    theta = noise(n, 2)
    return theta, theta @ A.T + SIGMA * noise(n, 3, seed=2)


def posterior(seen):
    """p(theta | seen), a normal distribution."""
    covariance = torch.linalg.inv(torch.eye(2) + A.T @ A / SIGMA**2)
    return MultivariateNormal(covariance @ A.T @ seen / SIGMA**2, covariance)


@pytest.fixture(scope="module")
def example():
    """The names in the README's example, once it has run."""
    blocks = README.read_text(encoding="utf-8").split("```python\n")
    (code,) = (c for c in (block.split("```")[0] for block in blocks) if "condition_dim" in c)
    names = dict(torch=torch, fmcore=fmcore, path=OTPath(), g=gen())
    torch.manual_seed(0)
    exec(code, names)
    return names


@pytest.fixture(scope="module")
def model(example):
    return example["posterior"]


def test_the_readme_draws_from_the_posterior_and_knows_its_density(example):
    exact, draws = posterior(example["observed"]), example["draws"]
    off = (draws.mean(0) - exact.mean).abs() / exact.stddev
    assert draws.shape == (1000, 2) and off.max() < 0.2
    gap = example["density"].log_prob - exact.log_prob(draws)
    assert gap.abs().median() < 0.15


@pytest.mark.parametrize("seen", SEEN, ids=str)
def test_samples_are_of_the_posterior(model, seen):
    exact, n = posterior(seen), 3000
    theta = generate(model, n, label=seen, generator=gen(), **HOW)
    spread = exact.stddev
    assert ((theta.mean(0) - exact.mean).abs() < 0.15 * spread).all()
    torch.testing.assert_close(theta.std(0), spread, rtol=0.08, atol=0)
    correlation = exact.covariance_matrix[0, 1] / spread.prod()
    assert abs(torch.corrcoef(theta.T)[0, 1] - correlation) < 0.08


@pytest.mark.parametrize("seen", SEEN, ids=str)
def test_its_density_is_that_of_the_posterior(model, seen):
    exact = posterior(seen)
    theta = exact.mean + exact.stddev * noise(100, 2)
    found = log_likelihood(lambda x, t: model(x, t, seen.expand(len(x), 3)), theta, **HOW).log_prob
    assert (found - exact.log_prob(theta)).abs().mean() < 0.15


def test_every_sample_has_its_own_observation(model):
    """A draw for each observation is a draw from the joint distribution, row by row."""
    theta, seen = simulations(3000)
    drawn = generate(model, 3000, label=seen, generator=gen(), **HOW)
    for moment in (drawn.T @ seen - theta.T @ seen, drawn.T @ drawn - theta.T @ theta):
        assert moment.abs().max() / 3000 < 0.12


def test_without_an_observation_it_draws_the_prior(model):
    theta = generate(model, 3000, generator=gen(), **HOW)
    assert theta.mean(0).abs().max() < 0.15
    torch.testing.assert_close(theta.std(0), torch.ones(2), rtol=0.1, atol=0)


def test_it_is_saved_with_its_conditions(model, tmp_path):
    save_weights(model, tmp_path / "w.safetensors")
    again = load_weights(tmp_path / "w.safetensors")
    draws = [generate(m, 5, label=SEEN[0], generator=gen(), guidance=1.5) for m in (model, again)]
    assert torch.equal(*draws) and again.config["network"]["condition_dim"] == 3


# ---- how the vectors travel


def net():
    torch.manual_seed(0)
    return MLP(dim=2, hidden=8, condition_dim=3)


def turned(x0, x1, label, generator):
    """A coupling that moves the data, and the vectors with them."""
    return x0, x1.flip(0), label.flip(0)


def seen_in(data, model=None, couple=MinibatchOT(5.0), **kwargs):  # noqa: B008
    """The data and the vectors that the loss is given."""
    seen = []

    def spy(net, path, x1, *, label, **given):
        seen.append((x1, label))
        return cfm_loss(net, path, x1, label=label, **given)

    list(fit(model or net(), OTPath(), data, config(**kwargs), loss=spy, couple=couple))
    return [torch.cat(each) for each in zip(*seen, strict=True)]


def test_vectors_stay_with_their_rows_and_some_are_hidden():
    data = TensorDataset(*simulations(48))
    for given in ((data,), (DataLoader(data, batch_size=8),), (data, net(), turned)):
        x1, label = seen_in(*given, label_dropout=0.4)
        hidden = label.isnan().all(1)
        assert 5 < hidden.sum() < 35 and not label[~hidden].isnan().any()
        row = (x1[:, None] == data.tensors[0]).all(2).long().argmax(1)
        assert sorted(row.tolist()) == [*range(48)]
        assert torch.equal(label[~hidden], data.tensors[1][row[~hidden]])


def test_a_network_that_says_nothing_is_told_all():
    class Own(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = torch.nn.Linear(5, 2)

        def forward(self, x, t, label):
            return self.inner(torch.cat([x, label], dim=1))

    assert not seen_in(TensorDataset(*simulations(48)), Own(), label_dropout=0.9)[1].isnan().any()


def test_a_training_with_vectors_goes_on(tmp_path):
    data, whole = TensorDataset(*simulations(32)), net()
    list(fit(whole, OTPath(), data, config()))
    for resume in (False, True):
        again = net()
        saved = Checkpoints(tmp_path, every=2, resume=resume)
        for p in fit(again, OTPath(), data, config(), checkpoints=saved):
            if not resume and p.step == 4:
                break
    assert torch.equal(weights(again), weights(whole))
    other = TensorDataset(data.tensors[0], -data.tensors[1])
    with pytest.raises(ValueError, match="is of another training: labels is '32 of .3,.*, was"):
        list(fit(net(), OTPath(), other, config(), checkpoints=Checkpoints(tmp_path, resume=True)))


def test_networks_from_before_there_were_conditions_go_on(tmp_path):
    """Their checkpoints do not name them, and the networks are the same."""
    points = dict(dim=2, hidden=8, depth=3, time_dim=32, time_scale=20.0)
    images = dict(base=8, time_dim=16, groups=4, in_channels=1, num_classes=None, time_scale=1000.0)
    images |= dict(levels=2, film_silu=True)
    for network, before, data in (
        (MLP, points, noise(32, 2)),
        (UNet, images, noise(32, 1, 8, 8)),
    ):
        saved = Checkpoints(tmp_path / network.__name__)
        list(fit(network(**before), OTPath(), data, config(steps=2), checkpoints=saved))
        what = torch.load(saved.latest(), weights_only=True)["what"]
        assert what["network"] == f"{network.__name__}({before})"
