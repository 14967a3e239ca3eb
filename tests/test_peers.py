"""The comparison with torchcfm, as far as it can be tested without it."""

import sys

import numpy as np
import pytest
import torch
from small import gen, noise, pictures, unet, weights

from fmcore.paths import OTPath


@pytest.fixture
def peers(script):
    return script("peers")


@pytest.fixture
def example(script):
    return script("torchcfm_example")


class Matcher:
    """In place of torchcfm's: it draws from the same global streams."""

    ot_sampler = property(lambda self: self)

    def sample_plan(self, x0, x1):
        rows = np.random.choice(len(x0), len(x0))
        return x0[rows], x1[rows]

    def sample_location_and_conditional_flow(self, x0, x1):
        x0, x1 = self.sample_plan(x0, x1)
        t = torch.rand(len(x0))
        s = t[:, None, None, None]
        return t, s * x1 + (1 - s) * x0 + 0 * torch.randn_like(x0), x1 - x0


def test_what_is_missing_is_said(peers, monkeypatch):
    monkeypatch.setitem(sys.modules, "torchcfm", None)
    monkeypatch.setattr(sys, "argv", ["peers.py", "--quick"])
    with pytest.raises(SystemExit, match="Try: pip install torchcfm"):
        peers.main()


@pytest.mark.parametrize("steps", [3, 5, 7, 8])
def test_an_example_that_was_stopped_goes_on_with_the_same_numbers(
    steps, example, monkeypatch, tmp_path
):
    """In the middle of an epoch, at its end, and at the end of the training."""
    monkeypatch.setattr(example, "REPORT", 1)
    images = example.as_the_example_shows(pictures(32).pixels)

    def run(net, file, stop=8):
        reports = example.by_example(
            net, Matcher(), images, epochs=2, batch=8, device="cpu", arithmetic="fp32",
            compiled=False, file=file, every=2,
        )  # fmt: skip
        losses = {}
        for step, loss, _ in reports:
            losses[step] = loss
            if step == stop:
                break
        return losses

    def seeded(seed):
        net = unet(seed)
        np.random.seed(seed)
        return net

    whole = seeded(0)
    expected = run(whole, tmp_path / "whole.pt")
    assert list(expected) == [*range(1, 9)]
    run(seeded(0), tmp_path / "state.pt", steps)
    other = seeded(1)
    rest = run(other, tmp_path / "state.pt")
    assert rest == {k: v for k, v in expected.items() if k > steps // 2 * 2 - (steps == 8) * 2}
    assert torch.equal(weights(other), weights(whole))


def test_the_coupling_follows_from_the_generator_of_the_training(example):
    couple = example.as_coupling(Matcher())
    x0, x1 = noise(16, 3, seed=1), noise(16, 3, seed=2)
    first, again, other = (couple(x0, x1, None, generator=gen(seed)) for seed in (0, 0, 1))
    assert torch.equal(first[0], again[0]) and torch.equal(first[1], again[1])
    assert not torch.equal(first[0], other[0]) and first[2] is None


def test_one_step_to_the_mean_takes_the_noise_away(peers):
    """Of a single picture m: the path ends on m + 0.1 x0, and the mean there is m."""
    path, m = OTPath(sigma_min=0.1), 0.5

    def field(x, t):
        return m + path.db(t) * (x - path.a(t) * m) / path.b(t)

    x0 = noise(200, 1, 4, 4)
    how = dict(method="rk4", steps=2)
    x, nfe = peers.in_full(field, x0, None, **how)
    assert nfe == 8 and torch.allclose(x, m + 0.1 * x0, atol=1e-5)
    x, nfe = peers.to_the_mean(field, x0, None, path=path, **how)
    assert nfe == 9 and torch.allclose(x, torch.full_like(x, m), atol=1e-5)


def test_all_contestants_are_judged_at_the_same_evaluations(peers):
    args = type("Arguments", (), {"quick": False})
    rows = [what for what, _ in peers.ways(args)]
    assert rows[-1] == {"solver": "dopri5", "tolerance": 1e-4}
    assert [row["steps"] for row in rows[:-1]] == [1, 2, 5, 10, 2, 4, 10, 20]
    assert len({(who.network, who.recipe) for who in peers.CONTESTANTS}) == 4
