"""Recipes: what they say of themselves, and what is refused."""

import json
from functools import partial

import pytest

from fmcore.checks import rand_time
from fmcore.losses import cfm_loss, reference_loss, stratified_times
from fmcore.training import RECIPES, Recipe, TrainConfig


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
