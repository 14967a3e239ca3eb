"""Time must broadcast over the batch axis and over no other."""

import pytest
import torch

from fmcore.checks import batch_time, expand_time, rand_time, randn_like, require_generator


@pytest.mark.parametrize("t", [0.25, torch.tensor(0.25), torch.full((4,), 0.25)])
def test_every_form_of_time_becomes_one_number_a_row(t):
    x = torch.zeros(4, 1, 4, 4, dtype=torch.float64)
    assert torch.equal(batch_time(t, x), torch.full((4,), 0.25, dtype=torch.float64))
    assert expand_time(t, x).shape == (4, 1, 1, 1)


def test_time_runs_along_the_batch_when_batch_and_width_are_equal():
    x = torch.zeros(4, 1, 4, 4)
    t = torch.tensor([0.0, 0.1, 0.2, 0.3])
    product = torch.ones_like(x) * expand_time(t, x)
    assert torch.equal(product[:, 0, 0, 0], t)
    assert torch.equal(product[2], torch.full((1, 4, 4), 0.2))


@pytest.mark.parametrize("shape", [(4, 1), (1,), (3,), (4, 1, 1, 1), (1, 4)])
def test_a_time_of_another_shape_is_refused(shape):
    with pytest.raises(ValueError, match=r"shape \(\) or \(4,\).*got shape"):
        expand_time(torch.zeros(shape), torch.zeros(4, 1, 4, 4))


@pytest.mark.parametrize("t", [-1e-3, 1.001, float("nan"), float("inf")])
def test_a_time_outside_the_unit_interval_is_refused(t):
    with pytest.raises(ValueError, match=rf"t must lie in \[0, 1\].*got {t:g}"):
        expand_time(torch.tensor([0.0, 1.0, 0.5, t]), torch.zeros(4, 3))
    with pytest.raises(ValueError, match=r"t must lie in \[0, 1\]"):
        batch_time(t, torch.zeros(2, 3))


def test_a_state_needs_a_batch_axis():
    with pytest.raises(ValueError, match="batch axis"):
        batch_time(0.5, torch.tensor(1.0))


def test_draws_repeat_with_the_seed_and_leave_the_global_stream_alone():
    x = torch.zeros(5, 2)
    before = torch.random.get_rng_state()
    draws = [
        (randn_like(x, g), rand_time(x, g))
        for g in (torch.Generator().manual_seed(s) for s in (1, 1, 2))
    ]
    assert torch.equal(torch.random.get_rng_state(), before)
    assert all(torch.equal(a, b) for a, b in zip(draws[0], draws[1], strict=True))
    assert not torch.equal(draws[0][0], draws[2][0])
    assert draws[0][1].shape == (5,) and (draws[0][1] >= 0).all() and (draws[0][1] < 1).all()


def test_a_missing_generator_is_named():
    with pytest.raises(TypeError, match="torch.Generator.*got NoneType"):
        require_generator(None)
