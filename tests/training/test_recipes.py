"""The numbers of a training: what they are, and which are refused."""

import json
from functools import partial

import pytest
from small import config

from fmcore.checks import rand_time
from fmcore.losses import cfm_loss, reference_loss, stratified_times
from fmcore.training import RECIPES, Recipe, TrainConfig


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"steps": None}, "exactly one of epochs and steps, got epochs=None, steps=None"),
        ({"epochs": 1}, "exactly one of epochs and steps, got epochs=1, steps=6"),
        ({"steps": 0}, "steps must be a whole number of at least 1, got 0"),
        ({"batch_size": 2.5}, "batch_size must be a whole number"),
        ({"batch_size": 0}, "batch_size must be a whole number of at least 1, got 0"),
        ({"log_every": 0}, "log_every must be a whole number of at least 1, got 0"),
        ({"steps": None, "epochs": 0}, "epochs must be a whole number of at least 1, got 0"),
        ({"log_every": -1}, "log_every"),
        ({"lr": -1.0}, "lr must be a finite number >= 0"),
        ({"lr": float("nan")}, "lr must be a finite number >= 0"),
        ({"ema": 1.0}, r"ema must lie in \[0, 1\)"),
        ({"label_dropout": 1.0}, r"label_dropout must lie in \[0, 1\)"),
        ({"clip": 0.0}, "clip must be a finite number > 0"),
        ({"schedule": "linear"}, "schedule must be one of .*cosine.*got 'linear'"),
        ({"precision": "fp8"}, "precision must be one of .*bf16"),
        (
            {"seed": 1.5},
            "seed must be a whole number of .*, at most 9223372036854775807, got 1.5",
        ),
        ({"seed": -1}, "seed must be a whole number of at least 0, .*, got -1"),
        ({"seed": 2**63}, "seed must be a whole number of at least 0"),
        ({"warmup": 1.5}, "warmup must be a whole number of at least 0, got 1.5"),
        ({"warmup": -1}, "warmup must be a whole number of at least 0, got -1"),
        ({"steps": True}, "steps must be a whole number of at least 1, got True"),
        ({"seed": True}, "seed must be a whole number of at least 0, .*, got True"),
    ],
)
def test_bad_settings(kwargs, message):
    (value, *_) = kwargs.values() if None not in kwargs.values() else [0]
    no_whole_number = isinstance(value, bool) or value in (1.5, 2.5)
    with pytest.raises(TypeError if no_whole_number else ValueError, match=message):
        config(**kwargs)


def test_settings_unless_told_otherwise():
    """The reference recipe, but for the loss; labels are hidden one time in ten."""
    assert vars(TrainConfig(epochs=50)) == dict(
        epochs=50,
        steps=None,
        batch_size=256,
        lr=2e-4,
        weight_decay=0.01,
        schedule="constant",
        warmup=0,
        clip=None,
        ema=0.999,
        label_dropout=0.1,
        precision="fp32",
        compile=False,
        device="cpu",
        seed=0,
        log_every=50,
        progress=True,
    )


def test_a_misspelt_setting():
    with pytest.raises(TypeError, match="learning_rate"):
        TrainConfig(steps=1, learning_rate=1.0)


def test_a_recipe_as_plain_values():
    """What the library has a name for goes by it; the rest is described."""
    found = Recipe(train=TrainConfig(steps=3, lr=0.5, progress=False)).as_dict()
    assert (found["loss"], found["times"]) == ("cfm", "uniform")
    assert (found["steps"], found["epochs"], found["lr"]) == (3, None, 0.5)
    assert found.keys() == {"loss", "times"} | vars(TrainConfig(steps=1)).keys() - {"progress"}
    assert json.loads(json.dumps(found)) == found


def late(x, generator):
    return 0.5 + rand_time(x, generator) / 2


def mine(net, path, x1, *, x0, generator):
    return (x1 - x0).square().mean()


@pytest.mark.parametrize(
    ("loss", "names"),
    [
        (reference_loss, ("reference", "inner")),
        (partial(cfm_loss, times=stratified_times), ("cfm", "stratified")),
        (partial(reference_loss, times=late), ("reference", "late")),
        (mine, ("mine", "")),
        (partial(reference_loss, beta=1.0), ("reference_loss(beta=1.0)", "inner")),
        (partial(mine, x0=None), ("mine(x0=None)", "")),
    ],
)
def test_a_recipe_names_its_loss_and_its_times(loss, names):
    found = Recipe(loss=loss).as_dict()
    assert (found["loss"], found["times"]) == names


def test_a_recipe_with_a_coupling_says_so():
    def crossed(x0, x1, label, generator):
        raise NotImplementedError

    assert Recipe(couple=crossed).as_dict()["couple"] == "crossed"


def test_the_recipes_of_the_library_by_their_names():
    names = {name: tuple(r.as_dict()[k] for k in ("loss", "times")) for name, r in RECIPES.items()}
    assert names["reference"] == ("reference", "inner")
    assert names["mnist"] == names["shipped"] == ("cfm", "stratified")


def test_a_recipe_on_another_device():
    recipe = RECIPES["mnist"]
    other = recipe.on("cuda:1", seed=7)
    assert (other.train.device, other.train.seed, recipe.train.device) == ("cuda:1", 7, "cpu")
    assert (other.network, other.path, other.loss) == (recipe.network, recipe.path, recipe.loss)
    assert other.train.lr == recipe.train.lr
