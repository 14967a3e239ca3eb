"""The U-Net: counts, shapes, what time, label and levels change, and what is refused."""

import pytest
import torch
from small import noise, unet

from fmcore.networks import MLP, ResBlock, UNet


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


@pytest.mark.parametrize("shape", [(3, 1, 28, 28), (4, 1, 4, 4), (2, 1, 12, 20)])
def test_the_velocity_has_the_shape_of_the_image(shape):
    assert unet()(noise(*shape), 0.5).shape == shape


def test_colour_images():
    assert unet(in_channels=3)(noise(2, 3, 8, 8), 0.5).shape == (2, 3, 8, 8)


@pytest.mark.parametrize("levels", [2, 3, 4])
def test_every_parameter_learns(levels):
    model = unet(num_classes=10, levels=levels)
    model(noise(3, 1, 8, 8), 0.4, torch.tensor([0, 3, 10])).square().sum().backward()
    for name, p in model.named_parameters():
        assert p.grad is not None and p.grad.abs().sum() > 0, name


def test_each_row_sees_its_own_time_also_when_batch_and_width_are_equal():
    model, x = unet(), noise(1, 1, 4, 4).expand(4, 1, 4, 4)
    t = torch.tensor([0.0, 0.3, 0.6, 1.0])
    together = model(x, t)
    alone = torch.cat([model(x[:1], ti) for ti in t])
    torch.testing.assert_close(together, alone)
    assert (together[0] - together[1]).abs().max() > 1e-4


def test_a_number_a_scalar_and_a_vector_of_times_agree():
    model, x = unet(), noise(3, 1, 8, 8)
    assert torch.equal(model(x, 0.5), model(x, torch.tensor(0.5)))
    assert torch.equal(model(x, 0.5), model(x, torch.full((3,), 0.5)))


def test_labels_change_the_field_and_none_means_the_null_class():
    model, x = unet(num_classes=10), noise(3, 1, 8, 8)
    label = torch.tensor([1, 2, 3])
    assert not torch.allclose(model(x, 0.5, label), model(x, 0.5))
    assert torch.equal(model(x, 0.5), model(x, 0.5, torch.full((3,), 10)))


def test_skip_is_added():
    """With nothing coming up from below, the skip alone goes on."""
    model, x = unet(), noise(2, 1, 8, 8)
    with torch.no_grad():
        model.up.weight.zero_()
        model.up.bias.zero_()
        embedding = model.embed_time(torch.full((2,), 0.3))
        skip = model.block1(model.enter(x), embedding)
        expected = model.leave(model.block4(skip, embedding))
        torch.testing.assert_close(model(x, 0.3), expected)


def test_a_level_more_is_added_between_the_blocks_at_the_bottom():
    """What it adds is blocks at half the resolution, with the level below it added in turn."""
    model, x = unet(levels=4), noise(2, 1, 16, 16)
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
    two, three, x = unet(levels=2), unet(levels=3), noise(2, 1, 8, 8)
    with torch.no_grad():
        three.below.up.weight.zero_()
        three.below.up.bias.zero_()
    assert torch.equal(two(x, 0.3), three(x, 0.3))
    assert not torch.allclose(two(x, 0.3), unet(levels=3)(x, 0.3))


def test_parameters_of_a_third_level():
    """Two blocks of 2c channels, 2 (72 c^2 + 528 c), and two convolutions, 128 c^2 + 4 c."""
    size = {n: sum(p.numel() for p in UNet(base=32, levels=n).parameters()) for n in (2, 3, 4)}
    assert size[3] - size[2] == size[4] - size[3] == 272 * 32**2 + 1060 * 32


def test_class_embeddings_are_one_more_than_the_classes():
    assert unet(num_classes=10).embed_label.weight.shape == (11, 16)


def test_the_smallest_networks_work():
    tiny = UNet(base=1, time_dim=4, groups=1, num_classes=1)
    assert tiny(noise(2, 1, 4, 4), 0.5, torch.tensor([0, 1])).shape == (2, 1, 4, 4)
    assert MLP(dim=1, hidden=1, depth=1, time_dim=4)(noise(3, 1), 0.5).shape == (3, 1)


def test_what_networks_are_unless_told_otherwise():
    assert UNet().config == dict(
        base=64, time_dim=128, groups=8, in_channels=1, num_classes=None, time_scale=1000.0,
        levels=2, film_silu=True, condition_dim=None,
    )  # fmt: skip
    assert MLP().config == dict(
        dim=2, hidden=128, depth=3, time_dim=32, time_scale=20.0, num_classes=None,
        condition_dim=None,
    )  # fmt: skip


def test_every_block_of_every_level_knows_whether_it_has_the_silu():
    for silu in (True, False):
        blocks = [m for m in unet(levels=4, film_silu=silu).modules() if isinstance(m, ResBlock)]
        assert len(blocks) == 8 and all(block.film_silu is silu for block in blocks)


@pytest.mark.parametrize("silu", [True, False])
def test_config_rebuilds_the_network(silu):
    model = unet(num_classes=3, time_scale=7.0, levels=3, film_silu=silu)
    torch.manual_seed(0)
    again = UNet(**model.config)
    x = noise(2, 1, 8, 8)
    assert torch.equal(model(x, 0.2), again(x, 0.2))
    mlp = MLP(dim=3, hidden=16, depth=2)
    assert sum(p.numel() for p in MLP(**mlp.config).parameters()) == sum(
        p.numel() for p in mlp.parameters()
    )


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
        unet(levels=levels)(torch.zeros(shape), 0.5)


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
        unet(num_classes=10)(torch.zeros(2, 1, 8, 8), 0.5, label)


def test_a_label_for_a_network_without_classes_is_refused():
    with pytest.raises(ValueError, match="without a condition"):
        unet()(torch.zeros(2, 1, 8, 8), 0.5, torch.tensor([0, 1]))


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
    with pytest.raises(TypeError, match="film_silu must be .*got 1"):
        UNet(film_silu=1)


# ---- weights of a smaller network


def copied(model):
    return {name: w.clone() for name, w in model.state_dict().items()}


@pytest.mark.parametrize("added", [{"num_classes": 10}, {"levels": 3}, {"levels": 4}, {
    "num_classes": 10, "levels": 3}], ids=str)  # fmt: skip
def test_weights_of_a_smaller_network_change_nothing_at_first(added):
    small, large = unet(), unet(seed=1, **added)
    before = copied(large)
    large.load_partial(small.state_dict())
    x = noise(3, 1, 8, 8)
    for label in (None, torch.tensor([0, 7, 10])) if "num_classes" in added else (None,):
        found = large(x, 0.3) if label is None else large(x, 0.3, label)
        torch.testing.assert_close(found, small(x, 0.3))
    zeros = []
    for name, w in large.state_dict().items():
        if name in small.state_dict():
            assert torch.equal(w, small.state_dict()[name]), name
        elif not torch.equal(w, before[name]):
            assert not w.any(), name  # what is new adds nothing, or stays as it was drawn
            zeros.append(name)
    below = [n for n in before if ".up." in n]
    assert sorted(zeros) == sorted(below + ["embed_label.weight"] * ("num_classes" in added))


def test_what_is_new_learns_after_that():
    large = unet(num_classes=3, levels=3)
    large.load_partial(unet(seed=1).state_dict())
    large(noise(3, 1, 8, 8), 0.4, torch.tensor([0, 1, 2])).square().sum().backward()
    for name in ("embed_label.weight", "below.up.weight"):
        assert large.get_parameter(name).grad.abs().sum() > 0, name


def test_weights_of_a_network_of_the_same_size_are_all_taken():
    one, other = unet(num_classes=3, levels=3), unet(seed=1, num_classes=3, levels=3)
    other.load_partial(one.state_dict())
    assert all(torch.equal(w, other.state_dict()[name]) for name, w in one.state_dict().items())


def test_weights_that_are_not_of_a_smaller_network():
    for larger in (unet(num_classes=3), unet(levels=3)):
        with pytest.raises(RuntimeError, match="Unexpected key"):
            unet().load_partial(larger.state_dict())
    for name in ("enter.weight", "up.weight", "block3.film.bias"):  # no network is without them
        state = unet().state_dict()
        del state[name]
        with pytest.raises(RuntimeError, match=f"Missing key.*{name}"):
            unet(num_classes=3, levels=3).load_partial(state)
    deep = unet(levels=3).state_dict()
    del deep["below.up.weight"]  # a level is there whole, or not at all
    with pytest.raises(RuntimeError, match="Missing key.*below.up.weight"):
        unet(levels=3).load_partial(deep)
    unet(levels=4).load_partial(unet(levels=3).state_dict())
    with pytest.raises(RuntimeError, match="size mismatch for enter.weight"):
        unet(base=16).load_partial(unet().state_dict())


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("make", [lambda: UNet(base=8), lambda: MLP(hidden=16)])
def test_a_coarse_network_reads_a_fine_time(make, dtype):
    """Times 1/2048 apart are one number in bfloat16; at 1000 radians they are half a turn."""
    torch.manual_seed(0)
    net = make().to(dtype)
    shape = (2, 1, 8, 8) if isinstance(net, UNet) else (2, 2)
    x = torch.randn(shape, generator=torch.Generator().manual_seed(0)).to(dtype)
    early, late = (net(x, torch.tensor(t)) for t in (0.75, 0.75 + 2**-11))
    assert early.dtype == dtype and not torch.equal(early, late)
    fine = make().float()
    fine.load_state_dict(net.state_dict())
    torch.testing.assert_close(early.float(), fine(x.float(), 0.75), rtol=0.05, atol=0.05)


@pytest.mark.parametrize(
    "arguments",
    [
        dict(base=8.0), dict(base=True), dict(levels="2"), dict(groups=None), dict(in_channels=1.5),
        dict(num_classes=2.5), dict(time_dim=16.0), dict(time_scale="fast"),
    ],
)  # fmt: skip
def test_numbers_of_the_wrong_kind_are_refused(arguments):
    (name,) = arguments
    with pytest.raises(TypeError, match=f"{name} must be .* got"):
        UNet(**{"groups": 4, **arguments})
