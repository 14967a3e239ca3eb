"""The blocks of the U-Net: normalisation written out, and what time does to channels."""

import pytest
import torch
from small import noise

from fmcore.networks import ResBlock
from fmcore.networks.blocks import GroupNorm


@pytest.mark.parametrize(
    ("groups", "shape"), [(4, (3, 8, 6, 5)), (8, (2, 8, 1, 3)), (1, (2, 3, 4, 4))]
)
def test_group_norm_by_moments_is_group_norm(groups, shape):
    """Values and gradients, away from mean 0; and the channels stay where they are."""
    torch.manual_seed(0)
    norm = GroupNorm(groups, shape[1], eps=1e-3)
    torch.nn.init.normal_(norm.weight)
    torch.nn.init.normal_(norm.bias)
    x = (2 + 3 * noise(*shape)).to(memory_format=torch.channels_last).requires_grad_()
    plain = torch.nn.functional.group_norm(x, groups, norm.weight, norm.bias, 1e-3)
    ours, slope = norm.by_moments(x), noise(*shape, seed=2)
    torch.testing.assert_close(ours, plain, rtol=1e-4, atol=1e-4)
    assert ours.is_contiguous(memory_format=torch.channels_last)
    wanted = [x, norm.weight, norm.bias]
    for a, b in zip(
        torch.autograd.grad(ours, wanted, slope),
        torch.autograd.grad(plain, wanted, slope),
        strict=True,
    ):
        torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-3)
    half = norm.by_moments(x.detach().half())  # computed finely, whatever comes in
    assert half.dtype == torch.float32
    torch.testing.assert_close(half, plain, rtol=1e-2, atol=1e-2)


def test_group_norm_of_equal_pixels_is_finite():
    """E x^2 - (E x)^2 may round to less than 0."""
    norm = GroupNorm(2, 4)
    for value in torch.linspace(100, 1000, 50):
        assert norm.by_moments(value.expand(1, 4, 7, 7)).abs().max() < 1


@pytest.mark.parametrize("on_a_gpu", [False, True])
@pytest.mark.parametrize("compiling", [False, True])
def test_group_norm_is_written_out_for_a_compiler_on_a_gpu_only(on_a_gpu, compiling, monkeypatch):
    asked = []
    monkeypatch.setattr(GroupNorm, "by_moments", lambda self, x: asked.append(x))
    monkeypatch.setattr(torch.compiler, "is_compiling", lambda: compiling)
    x = noise(1, 4, 2, 2).as_subclass(type("Elsewhere", (torch.Tensor,), {"is_cuda": on_a_gpu}))
    GroupNorm(2, 4)(x)
    assert bool(asked) == (on_a_gpu and compiling)


def reference_block(block, x, embedding):
    """The source's block, from `torch.nn` alone: scale and shift are Linear(SiLU(embedding))."""
    nn = torch.nn
    norm1, norm2 = (nn.GroupNorm(2, 8) for _ in range(2))  # as they begin: weight 1, bias 0
    to_film = nn.Sequential(nn.SiLU(), nn.Linear(4, 16))
    to_film[1].load_state_dict(block.film.state_dict())
    scale, shift = to_film(embedding).reshape(len(x), 2, 8, 1, 1).unbind(1)
    h = block.conv1(nn.SiLU()(norm1(x))) * (1 + scale) + shift
    return x + block.conv2(nn.SiLU()(norm2(h)))


def test_film_takes_the_silu_of_the_embedding_unless_told_not_to():
    torch.manual_seed(0)
    block, x, embedding = ResBlock(8, 4, groups=2), noise(2, 8, 6, 6), 3 * noise(2, 4, seed=2)
    torch.testing.assert_close(block(x, embedding), reference_block(block, x, embedding))
    plain = ResBlock(8, 4, groups=2, film_silu=False)
    plain.load_state_dict(block.state_dict())
    silu = torch.nn.functional.silu(embedding)
    torch.testing.assert_close(plain(x, silu), block(x, embedding))
    assert not torch.allclose(plain(x, embedding), block(x, embedding), atol=1e-2)


def test_film_scales_and_shifts_the_channels():
    torch.manual_seed(0)
    block, x = ResBlock(8, 4, groups=2), noise(2, 8, 6, 6)
    with torch.no_grad():
        block.film.weight.zero_()
        block.film.bias.zero_()
        plain = block(x, torch.zeros(2, 4))
        # norm2 undoes a common scale and shift of a group; within a group it must show.
        block.film.bias[:8] = torch.arange(8.0)
        scaled = block(x, torch.zeros(2, 4))
        h = block.conv1(torch.nn.functional.silu(block.norm1(x)))
        h = h * (1 + torch.arange(8.0))[None, :, None, None]
        expected = x + block.conv2(torch.nn.functional.silu(block.norm2(h)))
        block.film.bias[:8] = 0
        block.film.bias[8:] = torch.arange(8.0)
        shifted = block(x, torch.zeros(2, 4))
        # A shift is what a bias of the convolution before it would do.
        block.film.bias.zero_()
        block.conv1.bias += torch.arange(8.0)
        biased = block(x, torch.zeros(2, 4))
    torch.testing.assert_close(scaled, expected)
    torch.testing.assert_close(shifted, biased)
    assert not torch.allclose(plain, scaled) and not torch.allclose(plain, shifted)
