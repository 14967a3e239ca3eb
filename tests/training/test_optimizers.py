"""An optimizer of one's own: whose learning rate it is, what the schedule does, how it goes on."""

from functools import partial

import pytest
import torch
from resumable import STEPS
from resumable import config as long_config
from resumable import train as train_in
from small import config, points, unet, weights
from torch.optim import SGD, AdamW

from fmcore.losses import cfm_loss
from fmcore.networks import MLP
from fmcore.paths import OTPath
from fmcore.training import RECIPES, Recipe, TrainConfig, fit, train

MOMENTUM = partial(SGD, lr=0.1, momentum=0.9)


def net():
    torch.manual_seed(0)
    return MLP(hidden=8, depth=1)


def run(make, model=None, **how):
    model = model or net()
    return list(fit(model, OTPath(), points(), config(**how), optimizer=make)), model


class Slope(torch.nn.Module):
    """v = rate x + offset, with a loss whose gradient is 1 in both, wherever they are."""

    def __init__(self):
        super().__init__()
        self.rate, self.offset = (torch.nn.Parameter(torch.zeros(())) for _ in "ab")

    def forward(self, x, t):
        return self.rate * x + self.offset


def ones(net, path, x1, *, x0, generator):
    return net.rate + net.offset + 0 * x1.sum()


def test_adamw_by_hand_is_what_stands_there_without():
    ours, theirs = run(None, lr=3e-3), run(partial(AdamW, lr=3e-3, weight_decay=0.01, fused=True))
    assert torch.equal(weights(ours[1]), weights(theirs[1]))
    assert ours[0][-1].lr == theirs[0][-1].lr == 3e-3


def test_the_schedule_takes_every_group_down_from_its_own_rate():
    """Plain gradient descent on a slope of 1: a weight is minus the sum of its learning rates."""

    def groups(parameters):
        rate, offset = parameters
        return SGD([{"params": [rate], "lr": 0.4}, {"params": [offset]}], lr=0.1)

    model, cfg = Slope(), config(steps=10, schedule="cosine", warmup=3, log_every=1)
    reports = list(fit(model, OTPath(), points(), cfg, loss=ones, optimizer=groups))
    rates = [TrainConfig(steps=1, lr=1.0, schedule="cosine", warmup=3).learning_rate(k, 10)
             for k in range(10)]  # fmt: skip
    assert model.rate.item() == pytest.approx(-0.4 * sum(rates))
    assert model.offset.item() == pytest.approx(-0.1 * sum(rates))
    assert [p.lr for p in reports] == pytest.approx([0.4 * r for r in rates])


def test_a_rate_of_zero_and_one_in_a_tensor():
    still, start = Slope(), config(steps=4)
    list(fit(still, OTPath(), points(), start, loss=ones, optimizer=partial(SGD, lr=0.0)))
    assert still.rate.item() == still.offset.item() == 0
    make = partial(AdamW, lr=torch.tensor(0.1), weight_decay=0.0)
    list(fit(still, OTPath(), points(), start, loss=ones, optimizer=make))
    assert still.rate.item() == pytest.approx(-0.4, rel=1e-4)  # Adam's step is the rate


def test_some_of_the_parameters_are_enough():
    model = Slope()
    make = lambda parameters: SGD(parameters[:1], lr=0.5)  # noqa: E731
    list(fit(model, OTPath(), points(), config(steps=2), loss=ones, optimizer=make))
    assert (model.rate.item(), model.offset.item()) == (-1.0, 0.0)


def test_it_goes_on_bit_for_bit_and_longer(tmp_path):
    cfg = long_config(lr=TrainConfig.lr, schedule="constant")
    how = {"optimizer": MOMENTUM}
    whole = train_in(cfg=cfg, how=how)
    train_in(tmp_path, stop=9, cfg=cfg, how=how)
    rest, model = train_in(tmp_path, resume=True, cfg=cfg, how=how)
    assert rest[-1].step == STEPS and torch.equal(weights(model), weights(whole[1]))
    other = partial(SGD, lr=0.1, momentum=0.8)
    for now, named in (
        (other, r"optimizer is 'SGD\(.*momentum=0.8\)', was 'SGD\(.*momentum=0.9\)'"),
        (None, "optimizer is None, was 'SGD"),
        (partial(SGD, lr=0.2, momentum=0.9), "optimizer is 'SGD.*lr=0.2.*', was 'SGD.*lr=0.1"),
    ):
        with pytest.raises(ValueError, match=f"is of another training: {named}"):
            train_in(tmp_path, resume=True, cfg=cfg, how={"optimizer": now})


def test_a_saved_model_says_what_it_was_trained_by():
    model = train(unet(), OTPath(), torch.zeros(8, 1, 8, 8), config(steps=1), optimizer=MOMENTUM)
    recipe = model.config["about"]["recipe"]
    assert recipe["optimizer"] == "SGD(lr=0.1, momentum=0.9)"
    assert "lr" not in recipe and "weight_decay" not in recipe
    said = Recipe(train=TrainConfig(steps=1, lr=0.1), optimizer=MOMENTUM).as_dict()
    assert said["lr"] == 0.1 and "weight_decay" not in said
    assert "optimizer" not in RECIPES["mnist"].as_dict()


@pytest.mark.parametrize(
    ("make", "how", "error", "message"),
    [
        ("sgd", {}, TypeError, "optimizer must be callable, .* or None, got str"),
        (SGD(net().parameters(), lr=0.1), {}, TypeError, "must be callable, .* got SGD"),
        (lambda parameters: 0.1, {}, TypeError, "optimizer must return an Optimizer, got float"),
        (lambda parameters: SGD(net().parameters()), {}, ValueError, "of the parameters that it"),
        (MOMENTUM, {"lr": 0.01}, ValueError, "has lr=0.01, the optimizer lr=0.1: leave it out"),
        (MOMENTUM, {"weight_decay": 0.1}, ValueError, "weight_decay=0.1, the optimizer .*=0:"),
    ],
)
def test_what_is_no_optimizer(make, how, error, message):
    with pytest.raises(error, match=message):
        run(make, **how)
    if "must be callable" in message:
        with pytest.raises(error, match=message):
            fit(net(), OTPath(), points(), config(), loss=cfm_loss, optimizer=make)


def test_the_same_rate_in_both_is_no_contradiction():
    reports, _ = run(MOMENTUM, lr=0.1, weight_decay=0.0)
    assert reports[-1].lr == 0.1
