"""The time embedding: sines worked out by hand, and a scale at which they move."""

import math

import pytest
import torch

from fmcore.networks import TimeEmbedding


def test_embedding_against_sines_worked_out_by_hand():
    t, dim, scale = 0.3, 8, 1000.0  # the scale that it has unless told otherwise
    found = TimeEmbedding(dim)(torch.tensor([t], dtype=torch.float32))[0]
    w = [10000 ** (-k / 3) for k in range(4)]
    expected = [math.cos(scale * t * f) for f in w] + [math.sin(scale * t * f) for f in w]
    torch.testing.assert_close(found, torch.tensor(expected), rtol=3e-5, atol=0)


def test_frequencies_are_no_weights():
    embedding = TimeEmbedding(4)
    assert not embedding.state_dict() and not list(embedding.parameters())
    assert embedding(torch.zeros(1)).tolist() == [[1.0, 1.0, 0.0, 0.0]]


def test_scaled_embedding_moves_and_the_unscaled_one_hardly_does():
    t = torch.linspace(0, 1, 1001)
    moved = {
        scale: (TimeEmbedding(128, scale)(t).std(0) > 0.05).float().mean().item()
        for scale in (1.0, 2 * math.pi, 1000.0)
    }
    assert moved[1.0] < 0.4 < 0.75 < moved[1000.0]
    assert moved[1.0] < moved[2 * math.pi] < moved[1000.0]


def test_embedding_of_a_coarse_time_is_computed_finely():
    """bfloat16 keeps 8 bits: 1000 t, rounded to them, would be off by up to 2 radians."""
    t = torch.tensor([0.71875], dtype=torch.bfloat16)  # has an exact binary form
    fine = TimeEmbedding(32)(t.float())
    assert torch.equal(TimeEmbedding(32)(t), fine.bfloat16())


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_frequencies_stay_fine_when_the_network_is_coarse(dtype):
    """Rounded to bfloat16, 1000 turns of the fastest wave are off by up to four."""
    t = torch.linspace(0, 1, 101)
    embedding = TimeEmbedding(32)
    expected = embedding(t)
    assert torch.equal(embedding.to(dtype)(t), expected)
    assert torch.equal(embedding.double()(t), expected)
    assert embedding.to("meta").frequencies.device.type == "meta"
    assert torch.equal(embedding.to_empty(device="cpu")(t), expected)  # from nothing
    fine = TimeEmbedding(32).double()(t.double())
    torch.testing.assert_close(fine.float(), expected, rtol=0, atol=2e-4)


@pytest.mark.parametrize(("dim", "scale"), [(7, 1.0), (2, 1.0), (8, 0.0), (8, float("inf"))])
def test_impossible_embeddings_are_refused(dim, scale):
    with pytest.raises(ValueError, match="got"):
        TimeEmbedding(dim, scale)
