"""`fmcore train`: a U-Net on images."""

from __future__ import annotations

import argparse
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import torch
import tyro

from fmcore.couplings import COUPLINGS, MinibatchOT
from fmcore.data import load_images
from fmcore.files import writable
from fmcore.losses import LOSSES, TIMES, describe, predicted
from fmcore.networks import UNet
from fmcore.paths import PATHS, OTPath, ProbabilityPath
from fmcore.training import (
    RECIPES,
    Checkpoints,
    Recipe,
    TrainConfig,
    about_training,
    fit,
    joined,
    team,
)
from fmcore.weights import FlowModel, load_model, save_weights

if TYPE_CHECKING:  # the names are those of the tables, when the program starts
    RecipeName = LossName = TimesName = PathName = CoupleName = str
else:
    RecipeName, LossName = Literal[("", *RECIPES)], Literal[("", *LOSSES)]
    TimesName, PathName = Literal[("", *TIMES)], Literal[("", *PATHS)]
    CoupleName = Literal[("", *COUPLINGS)]


@dataclass(frozen=True)
class Train:
    """Train a U-Net on images by conditional flow matching and write its averaged weights."""

    out: Path
    """Where the weights go (safetensors)."""
    config: Annotated[TrainConfig, tyro.conf.arg(name="")]
    """How to train; give --epochs or --steps."""
    recipe: RecipeName = ""
    """A recipe by name: it sets all that follows and all of how to train, before other options."""
    loss: LossName = ""
    """The loss; left out, that of the recipe, or cfm."""
    times: TimesName = ""
    """How t is drawn; left out, as the loss does. stratified is uniform, one t in each of
    batch_size equal slices."""
    data: Literal["mnist", "fashion_mnist", "kmnist"] = "mnist"
    """The data set."""
    root: Path | None = None
    """The folder of the data; otherwise FMCORE_DATA or the cache folder. "embedded" is the part of
    MNIST that comes with the library."""
    base: int = 64
    """Channels of the network at full resolution."""
    time_scale: float = 1000.0
    """Scale of the time embedding."""
    levels: int = 2
    """Levels of the network, each at half the resolution of the one above."""
    film_silu: bool = True
    """A SiLU between the embedding and FiLM; networks trained before version 0.2 have none."""
    classes: bool = False
    """Teach the network the labels as well."""
    path: PathName = ""
    """The probability path; left out, that of the recipe, or OTPath."""
    sigma_min: float | None = None
    """Noise that an OTPath leaves at t = 1; left out, as in the recipe, or 0."""
    couple: CoupleName = ""
    """How noise and data are paired; left out, that of the recipe, or independent."""
    label_weight: float | None = None
    """What a pair costs minibatch_ot more if the noise came with another label; left out, as in the
    recipe, or 0."""
    start: str | None = None
    """Weights to start from, a file or a model of the library; without them, random ones."""
    checkpoints: Path | None = None
    """A folder for checkpoints."""
    every: int = 1000
    """Steps between two checkpoints."""
    keep: int = 3
    """How many checkpoints are kept."""
    resume: bool = False
    """Go on from the latest checkpoint, if there is one; with more --epochs or --steps than it had,
    for longer."""
    skip_damaged: bool = False
    """Go on from an earlier checkpoint if the latest cannot be read."""

    def __call__(self) -> None:
        writable(self.out)
        if self.resume and self.checkpoints is None:
            raise ValueError("--resume needs --checkpoints FOLDER")
        with joined(self.config.device) as device:
            self._train(replace(self.config, device=device))

    def _recipe(self, classes: int | None) -> Recipe:
        """The recipe by that name, or a plain one, with what the options change."""
        base = RECIPES[self.recipe] if self.recipe else Recipe()
        loss = LOSSES[self.loss] if self.loss else base.loss
        if self.times:
            loss = partial(loss, times=TIMES[self.times])
        path = PATHS[self.path]() if self.path else base.path
        if self.sigma_min is not None:
            if not isinstance(path, OTPath):
                raise ValueError(f"--sigma-min is for an OTPath; this one is {path}")
            path = replace(path, sigma_min=self.sigma_min)
        couple = COUPLINGS[self.couple] if self.couple else base.couple
        if self.label_weight is not None:
            if not isinstance(couple, MinibatchOT):
                raise ValueError(
                    f"--label-weight is for --couple minibatch_ot; this is {describe(couple)}"
                )
            if classes is None:
                raise ValueError("--label-weight needs --classes")
            couple = replace(couple, label_weight=self.label_weight)
        names = "base", "time_scale", "levels", "film_silu"
        network = {name: getattr(self, name) for name in names} | {"num_classes": classes}
        return Recipe(network, path, self.config, loss, couple)

    def _train(self, config: TrainConfig) -> None:
        data = load_images(self.data, root=self.root)
        recipe = self._recipe(int(data.labels.max()) + 1 if self.classes else None)
        torch.manual_seed(config.seed)  # the initial weights
        net, path, predict = UNet(**recipe.network), recipe.path, predicted(recipe.loss)
        history = {}
        if self.start is not None:
            previous = load_model(self.start)
            _start_from(previous, net, path, predict)
            history = {"start": {"weights": self.start, **previous.config["about"]}}
        saved = None
        if self.checkpoints is not None:
            saved = Checkpoints(
                self.checkpoints, self.every, self.keep, self.resume, self.skip_damaged
            )
        first = team().rank == 0  # the process that talks and writes
        parameters = sum(p.numel() for p in net.parameters())
        if first:
            print(f"{data}; {parameters:,} parameters", flush=True)
        for p in fit(
            net, path, data, config, loss=recipe.loss, couple=recipe.couple, checkpoints=saved
        ):
            if first and not config.progress:  # otherwise the bar says the same
                print(
                    f"step {p.step}/{p.steps}  epoch {p.epoch}  loss {p.loss:.4f}  "
                    f"{p.images_per_second:.0f} images/s  {p.remaining:.0f} s to go",
                    flush=True,
                )
            last = p
        if not first:
            return
        about = {
            "data": data.name,
            "images": len(data),
            **about_training(replace(recipe, train=config), last),
            **history,  # of the training before this one, which may have one itself
        }
        shape = tuple(data.pixels.shape[1:])
        save_weights(FlowModel(last.ema, path, shape, about, predict=predict), self.out)
        print(f"wrote {self.out}")


def _start_from(model: FlowModel, net: UNet, path: ProbabilityPath, predict: str) -> None:
    """Give `net` the weights of `model`. Classes and levels new to it change nothing at first."""
    old, new = model.config["network"], {"name": "UNet", **net.config}
    added = set()
    if new["num_classes"] is not None and old.get("num_classes") is None:
        added.add("num_classes")
    if new["levels"] > old.get("levels", new["levels"]):
        added.add("levels")
    differ = [k for k in new if old.get(k) != new[k] and k not in added]
    if differ or model.path != path or model.predict != predict:
        parts = [f"{k} is {old.get(k)}, not {new[k]}" for k in differ]
        parts += [] if model.path == path else [f"its path is {model.path}, not {path}"]
        if model.predict != predict:
            parts.append(f"they predict the {model.predict}, not the {predict}")
        raise ValueError("cannot start from these weights: " + "; ".join(parts))
    net.load_partial(model.net.state_dict())


def defaults_of_recipe(args: list[str]) -> Train | None:
    """What `--recipe` sets, read before the other options, which may change it."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--recipe")
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--steps", type=int)
    first = parser.parse_known_args(args)[0]
    if first.recipe not in RECIPES:  # refused later, with the names of all
        return None
    recipe = RECIPES[first.recipe]
    config = recipe.train
    if (first.epochs is None) != (first.steps is None):  # instead of what the recipe says
        config = replace(config, epochs=first.epochs, steps=first.steps)
    network = {k: v for k, v in recipe.network.items() if k != "num_classes"}
    classes = recipe.network.get("num_classes") is not None
    return Train(out=tyro.MISSING, config=config, recipe=first.recipe, classes=classes, **network)
