"""Which training a checkpoint belongs to: what differs is named."""

import dataclasses
from collections.abc import Callable
from functools import partial

import pytest
import torch
from resumable import STEPS, config, train
from small import pictures, unet, weights

from fmcore.data import ImageData
from fmcore.losses import cfm_loss, reference_loss, stratified_times
from fmcore.paths import OTPath, ProbabilityPath, VPPath
from fmcore.training.identity import identity


def relabelled():
    data = pictures(40)
    return ImageData(data.pixels, data.labels.flip(0), data.name, data.source)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (dict(cfg=config(lr=2e-3)), r"lr is 0.002, was 0.001$"),
        (dict(cfg=config(seed=1, clip=None)), r"clip is None, was 1.0; seed is 1, was 0$"),
        (dict(path=VPPath()), r"path is 'VPPath.*', was 'OTPath\(sigma_min=0.0\)'$"),
        (dict(data=relabelled()), r"labels is '40 of \(\), int64, crc32"),
        (dict(data=pictures(40, seed=6)), r"data is '40 of \(1, 8, 8\), uint8, crc32"),
        (dict(model=unet(num_classes=11)), r"network is .UNet.*11.*was .UNet.*10"),
    ],
)
def test_resuming_with_another_configuration(change, named, tmp_path):
    train(tmp_path, stop=9)
    with pytest.raises(ValueError, match=f"is of another training: {named}"):
        train(tmp_path, resume=True, **change)


def swapped(x0, x1, label=None, *, generator):
    return x0.flip(0), x1, label


@pytest.mark.parametrize(
    ("before", "now", "named"),
    [
        ({}, {"loss": reference_loss}, "loss is 'reference_loss', was 'cfm_loss'"),
        (
            {},
            {"loss": partial(cfm_loss, times=stratified_times)},
            r"loss is 'cfm_loss\(times=stratified_times\)', was 'cfm_loss'",
        ),
        (
            {"loss": partial(reference_loss, beta=0.2)},
            {"loss": partial(reference_loss, beta=0.3)},
            r"loss is 'reference_loss\(beta=0.3\)', was 'reference_loss\(beta=0.2\)'",
        ),
        ({}, {"couple": swapped}, "couple is 'swapped', was ''"),
        ({"couple": swapped}, {}, "couple is '', was 'swapped'"),
        (
            {"couple": swapped},
            {"loss": reference_loss},
            "loss is 'reference_loss', was 'cfm_loss'; couple is '', was 'swapped'",
        ),
    ],
)
def test_resuming_with_another_loss_or_coupling(before, now, named, tmp_path):
    train(tmp_path, stop=3, how=before)
    with pytest.raises(ValueError, match=f"is of another training: {named}$"):
        train(tmp_path, resume=True, how=now)


def test_a_training_with_its_own_loss_and_coupling_goes_on_bit_for_bit(tmp_path):
    def paired(x0, x1, label=None, *, generator):
        return x0[torch.randperm(len(x0), generator=generator)], x1, label

    how = {"loss": partial(reference_loss, times=stratified_times), "couple": paired}
    whole = train(how=how)
    train(tmp_path, stop=9, how=how)
    rest, model = train(tmp_path, resume=True, how=how)
    assert torch.equal(weights(model), weights(whole[1])) and rest[-1].loss == whole[0][-1].loss


def test_a_path_of_ones_own_can_be_resumed(tmp_path):
    class Straight(ProbabilityPath):
        def a(self, t):
            return t

        def b(self, t):
            return 1 - t

        def da(self, t):
            return torch.ones_like(t)

        def db(self, t):
            return -torch.ones_like(t)

        def __init__(self, speed=1.0):
            self.speed = lambda: speed  # an attribute that is another object in every process
            self.table = torch.arange(5000.0)

    train(tmp_path, stop=9, path=Straight())
    rest, _ = train(tmp_path, resume=True, path=Straight())
    assert rest[-1].step == STEPS


def test_a_path_of_ones_own_is_known_by_its_schedule(tmp_path):
    @dataclasses.dataclass(frozen=True)
    class Bent(OTPath):
        power: Callable = lambda t: t

        def a(self, t):
            return self.power(t)

        def da(self, t):
            return ProbabilityPath.da(self, t)

    train(tmp_path, stop=9, path=Bent())
    train(tmp_path, stop=12, resume=True, path=Bent(power=lambda t: t + 0))
    with pytest.raises(ValueError, match="path is 'Bent, schedule 4 of .*', was 'Bent, schedule 4"):
        train(tmp_path, resume=True, path=Bent(power=lambda t: t**2))


def test_a_network_of_ones_own_that_is_another(tmp_path):
    """It has no `config`: its tensors tell. The network is left as it was."""

    class Own(torch.nn.Module):
        def __init__(self, width):
            super().__init__()
            self.layers = torch.nn.Sequential(torch.nn.Conv2d(1, width, 1), torch.nn.ReLU())
            self.last = torch.nn.Conv2d(width, 1, 1)

        def forward(self, x, t):
            return self.last(self.layers(x))

    train(tmp_path, stop=9, model=Own(4))
    other = Own(5)
    before = weights(other).clone()
    message = r"step-.*pt is of another network: last.weight should be \(1, 5, 1, 1\) and is \(1, 4"
    with pytest.raises(ValueError, match=message):
        train(tmp_path, resume=True, model=other)
    assert torch.equal(weights(other), before)


def test_a_network_from_before_the_silu_is_what_it_was():
    """Its checkpoints name no `film_silu`; they go on with the network that has none."""
    before = identity(unet(film_silu=False), *rest())["network"]
    assert "film_silu" not in before and "'levels': 2" in before
    assert identity(unet(), *rest())["network"] != before


def rest():
    return OTPath(), {"data": "", "labels": ""}, config(), cfm_loss, None
