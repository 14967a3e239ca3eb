"""The networks: counts, shapes, what time and label change, and what is refused."""

import math

import pytest
import torch

from fmcore.networks import MLP, ResBlock, TimeEmbedding, UNet
from fmcore.networks.blocks import GroupNorm


def net(**kwargs):
    torch.manual_seed(0)
    return UNet(**{"base": 8, "time_dim": 16, "groups": 4, **kwargs})


def noise(*shape, seed=1):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(("base", "parameters"), [(64, 1_135_361), (32, 334_337)])
def test_parameter_count_is_that_of_the_reference(base, parameters):
    assert sum(p.numel() for p in UNet(base=base).parameters()) == parameters


def test_parameters_layer_by_layer():
    counts = {
        name: sum(p.numel() for p in module.parameters())
        for name, module in UNet().named_children()
    }
    assert counts == {
        "embed_time": 2 * (128 * 128 + 128),
        "enter": 9 * 64 + 64,
        "block1": 2 * 128 + 2 * (9 * 64 * 64 + 64) + 128 * 128 + 128,
        "down": 16 * 64 * 128 + 128,
        "block2": 2 * 256 + 2 * (9 * 128 * 128 + 128) + 128 * 256 + 256,
        "block3": 2 * 256 + 2 * (9 * 128 * 128 + 128) + 128 * 256 + 256,
        "up": 16 * 128 * 64 + 64,
        "block4": 2 * 128 + 2 * (9 * 64 * 64 + 64) + 128 * 128 + 128,
        "leave": 128 + 9 * 64 + 1,
    }


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


@pytest.mark.parametrize("groups, shape", [(4, (3, 8, 6, 5)), (8, (2, 8, 1, 3)), (1, (2, 3, 4, 4))])
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


@pytest.mark.parametrize("shape", [(3, 1, 28, 28), (4, 1, 4, 4), (2, 1, 12, 20)])
def test_the_velocity_has_the_shape_of_the_image(shape):
    assert net()(noise(*shape), 0.5).shape == shape


def test_colour_images():
    assert net(in_channels=3)(noise(2, 3, 8, 8), 0.5).shape == (2, 3, 8, 8)


@pytest.mark.parametrize("levels", [2, 3, 4])
def test_every_parameter_learns(levels):
    model = net(num_classes=10, levels=levels)
    model(noise(3, 1, 8, 8), 0.4, torch.tensor([0, 3, 10])).square().sum().backward()
    for name, p in model.named_parameters():
        assert p.grad is not None and p.grad.abs().sum() > 0, name


def test_each_row_sees_its_own_time_also_when_batch_and_width_are_equal():
    model, x = net(), noise(1, 1, 4, 4).expand(4, 1, 4, 4)
    t = torch.tensor([0.0, 0.3, 0.6, 1.0])
    together = model(x, t)
    alone = torch.cat([model(x[:1], ti) for ti in t])
    torch.testing.assert_close(together, alone)
    assert (together[0] - together[1]).abs().max() > 1e-4


def test_a_number_a_scalar_and_a_vector_of_times_agree():
    model, x = net(), noise(3, 1, 8, 8)
    assert torch.equal(model(x, 0.5), model(x, torch.tensor(0.5)))
    assert torch.equal(model(x, 0.5), model(x, torch.full((3,), 0.5)))


def test_labels_change_the_field_and_none_means_the_null_class():
    model, x = net(num_classes=10), noise(3, 1, 8, 8)
    label = torch.tensor([1, 2, 3])
    assert not torch.allclose(model(x, 0.5, label), model(x, 0.5))
    assert torch.equal(model(x, 0.5), model(x, 0.5, torch.full((3,), 10)))


def test_skip_is_added():
    """With nothing coming up from below, the skip alone goes on."""
    model, x = net(), noise(2, 1, 8, 8)
    with torch.no_grad():
        model.up.weight.zero_()
        model.up.bias.zero_()
        embedding = model.embed_time(torch.full((2,), 0.3))
        skip = model.block1(model.enter(x), embedding)
        expected = model.leave(model.block4(skip, embedding))
        torch.testing.assert_close(model(x, 0.3), expected)


def test_a_level_more_is_added_between_the_blocks_at_the_bottom():
    """What it adds is blocks at half the resolution, with the level below it added in turn."""
    model, x = net(levels=4), noise(2, 1, 16, 16)
    with torch.no_grad():
        e = model.embed_time(torch.full((2,), 0.3))
        h1 = model.block1(model.enter(x), e)
        h2 = model.block2(model.down(h1), e)
        third, fourth = model.below, model.below.below
        h3 = third.block1(third.down(h2), e)
        h4 = fourth.block2(fourth.block1(fourth.down(h3), e), e)
        h2 = h2 + third.up(third.block2(h3 + fourth.up(h4), e))
        expected = model.leave(model.block4(model.up(model.block3(h2, e)) + h1, e))
        torch.testing.assert_close(model(x, 0.3), expected)
    assert h3.shape == (2, 16, 4, 4) and h4.shape == (2, 16, 2, 2) and fourth.below is None


def test_two_levels_are_the_first_two_of_three():
    """With nothing added by the third, and from the same seed."""
    two, three, x = net(levels=2), net(levels=3), noise(2, 1, 8, 8)
    with torch.no_grad():
        three.below.up.weight.zero_()
        three.below.up.bias.zero_()
    assert torch.equal(two(x, 0.3), three(x, 0.3))
    assert not torch.allclose(two(x, 0.3), net(levels=3)(x, 0.3))


def test_parameters_of_a_third_level():
    """Two blocks of 2c channels, 2 (72 c^2 + 528 c), and two convolutions, 128 c^2 + 4 c."""
    size = {n: sum(p.numel() for p in UNet(base=32, levels=n).parameters()) for n in (2, 3, 4)}
    assert size[3] - size[2] == size[4] - size[3] == 272 * 32**2 + 1060 * 32


def test_class_embeddings_are_one_more_than_the_classes():
    assert net(num_classes=10).embed_label.weight.shape == (11, 16)


def test_the_smallest_networks_work():
    tiny = UNet(base=1, time_dim=4, groups=1, num_classes=1)
    assert tiny(noise(2, 1, 4, 4), 0.5, torch.tensor([0, 1])).shape == (2, 1, 4, 4)
    assert MLP(dim=1, hidden=1, depth=1, time_dim=4)(noise(3, 1), 0.5).shape == (3, 1)


def test_what_networks_are_unless_told_otherwise():
    assert UNet().config == dict(
        base=64, time_dim=128, groups=8, in_channels=1, num_classes=None, time_scale=1000.0,
        levels=2,
    )  # fmt: skip
    assert MLP().config == dict(dim=2, hidden=128, depth=3, time_dim=32, time_scale=20.0)


def test_config_rebuilds_the_network():
    model = net(num_classes=3, time_scale=7.0, levels=3)
    torch.manual_seed(0)
    again = UNet(**model.config)
    x = noise(2, 1, 8, 8)
    assert torch.equal(model(x, 0.2), again(x, 0.2))
    mlp = MLP(dim=3, hidden=16, depth=2)
    assert sum(p.numel() for p in MLP(**mlp.config).parameters()) == sum(
        p.numel() for p in mlp.parameters()
    )


def test_mlp_depends_on_point_and_time():
    torch.manual_seed(0)
    model, x = MLP(dim=2), noise(5, 2)
    v = model(x, 0.5)
    assert v.shape == (5, 2)
    assert not torch.allclose(v, model(x, 0.6)) and not torch.allclose(v, model(x + 0.1, 0.5))
    each = torch.cat([model(x[i : i + 1], t) for i, t in enumerate((0.1, 0.2, 0.3, 0.4, 0.5))])
    torch.testing.assert_close(model(x, torch.tensor([0.1, 0.2, 0.3, 0.4, 0.5])), each)


@pytest.mark.parametrize(
    ("levels", "shape"),
    [
        (2, (2, 3, 8, 8)),
        (2, (2, 8, 8)),
        (2, (2, 1, 7, 8)),
        (2, (2, 1, 8, 7)),
        (3, (2, 1, 6, 8)),
        (4, (2, 1, 8, 28)),
    ],
)
def test_an_image_that_does_not_fit_is_refused(levels, shape):
    unit = 2 ** (levels - 1)
    with pytest.raises(ValueError, match=rf"\(B, 1, H, W\) with H and W multiples of {unit}, got"):
        net(levels=levels)(torch.zeros(shape), 0.5)


def test_a_point_that_does_not_fit_is_refused():
    with pytest.raises(ValueError, match=r"\(B, 2\), got \(4, 3\)"):
        MLP(dim=2)(torch.zeros(4, 3), 0.5)


@pytest.mark.parametrize(
    ("label", "message"),
    [
        (torch.tensor([0, 11]), r"labels must lie in \[0, 9\]"),
        (torch.tensor([-1, 0]), r"labels must lie in \[0, 9\]"),
        (torch.tensor([0.0, 1.0]), "integers"),
        (torch.tensor([1]), r"label must have shape \(2,\), got \(1,\)"),
    ],
)
def test_labels_that_do_not_fit_are_refused(label, message):
    with pytest.raises(ValueError, match=message):
        net(num_classes=10)(torch.zeros(2, 1, 8, 8), 0.5, label)


def test_a_label_for_a_network_without_classes_is_refused():
    with pytest.raises(ValueError, match="without classes"):
        net()(torch.zeros(2, 1, 8, 8), 0.5, torch.tensor([0, 1]))


@pytest.mark.parametrize(
    "kwargs",
    [
        {"base": 12, "groups": 8},
        {"base": 0},
        {"base": 8, "groups": 0},
        {"in_channels": 0},
        {"num_classes": 0},
        {"levels": 1},
    ],
)
def test_impossible_networks_are_refused(kwargs):
    with pytest.raises(ValueError, match="got"):
        UNet(**kwargs)
    with pytest.raises(TypeError, match="levels must be a whole number of at least 2, got 2.5"):
        UNet(levels=2.5)


@pytest.mark.parametrize(("dim", "scale"), [(7, 1.0), (2, 1.0), (8, 0.0), (8, float("inf"))])
def test_impossible_embeddings_are_refused(dim, scale):
    with pytest.raises(ValueError, match="got"):
        TimeEmbedding(dim, scale)


@pytest.mark.parametrize("name", ["dim", "hidden", "depth"])
def test_an_impossible_mlp_is_refused(name):
    with pytest.raises(ValueError, match="dim, hidden and depth must be at least 1, got .*0"):
        MLP(**{name: 0})
