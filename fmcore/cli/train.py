"""`fmcore train`: a U-Net on images."""

from __future__ import annotations

import argparse
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
import tyro

from fmcore.cli.options import Train, to_stdout
from fmcore.couplings import COUPLINGS, MinibatchOT
from fmcore.data import DATA_SETS, ImageData, load_images
from fmcore.files import writable
from fmcore.flowmaps import RULES, flow_map_loss
from fmcore.folders import load_folder
from fmcore.losses import LOSSES, TIMES, describe, predicted
from fmcore.networks import TwoTimes, UNet
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


def train(o: Train) -> dict[str, Any] | None:
    """Train, and return what there is to say of it; only the first of several processes does."""
    if to_stdout(o.out):
        raise ValueError("weights go to a file, not to the standard output")
    writable(o.out)
    if o.resume and o.checkpoints is None:
        raise ValueError("--resume needs --checkpoints FOLDER")
    with joined(o.config.device) as device:
        bar = o.config.progress and not o.said.quiet
        return _train(o, replace(o.config, device=device, progress=bar))


def _data(o: Train) -> ImageData:
    """The data set of that name, or the images of a folder."""
    if o.data in DATA_SETS:
        return load_images(o.data, root=o.root)
    if not Path(o.data).expanduser().is_dir():
        names = ", ".join(DATA_SETS)
        raise ValueError(f"data must be one of {names} or a folder of images, got {o.data!r}")
    if o.root is not None:
        raise ValueError("--root is for a data set with a name; --data is the folder itself")
    return load_folder(o.data)


def _recipe(o: Train, data: ImageData) -> Recipe:
    """The recipe by that name, or a plain one, with what the options change."""
    base = RECIPES[o.recipe] if o.recipe else Recipe()
    classes, channels = None, data.pixels.shape[1]
    if o.classes:
        if data.labels is None:
            raise ValueError(f"--classes needs subfolders, and {o.data} has none: --no-classes")
        classes = int(data.labels.max()) + 1
    rule = o.loss if o.loss in RULES else None
    loss = partial(flow_map_loss, rule=rule) if rule else LOSSES.get(o.loss, base.loss)
    if o.times:
        if rule:
            raise ValueError(f"--times draws single times, but --loss {rule} needs pairs of them")
        loss = partial(loss, times=TIMES[o.times])
    path = PATHS[o.path]() if o.path else base.path
    if o.sigma_min is not None:
        if not isinstance(path, OTPath):
            raise ValueError(f"--sigma-min is for an OTPath; this one is {path}")
        path = replace(path, sigma_min=o.sigma_min)
    couple = COUPLINGS[o.couple] if o.couple else base.couple
    if o.label_weight is not None:
        if not isinstance(couple, MinibatchOT):
            raise ValueError(
                f"--label-weight is for --couple minibatch_ot; got {describe(couple) or None}"
            )
        if classes is None:
            raise ValueError("--label-weight needs --classes")
        couple = replace(couple, label_weight=o.label_weight)
    names = ("base", "levels", "film_silu", *(["time_scale"] if o.time_scale is not None else []))
    network = {name: getattr(o, name) for name in names} | {"in_channels": channels}
    network["num_classes"] = classes
    return Recipe(network, path, o.config, loss, couple)


def _train(o: Train, config: TrainConfig) -> dict[str, Any] | None:
    data = _data(o)
    recipe = _recipe(o, data)
    torch.manual_seed(config.seed)  # the initial weights
    net: UNet | TwoTimes = UNet(**recipe.network)
    path, predict = recipe.path, predicted(recipe.loss)
    history: dict[str, Any] = {}
    if o.start is not None:
        previous = load_model(o.start)
        _start_from(previous, net, path, predict)
        history = {"start": {"weights": o.start, **previous.config["about"]}}
    if o.loss in RULES:
        net = TwoTimes.from_one(net) if o.start else TwoTimes("UNet", **recipe.network)
    saved = None
    if o.checkpoints is not None:
        saved = Checkpoints(o.checkpoints, o.every, o.keep, o.resume, o.skip_damaged)
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
        return None
    about = {
        **data.about,
        **about_training(replace(recipe, train=config), last),
        **history,  # of the training before this one, which may have one itself
    }
    shape = tuple(data.pixels.shape[1:])
    save_weights(FlowModel(last.ema, path, shape, about, predict=predict), o.out)
    print(f"wrote {o.out}")
    return {"out": str(o.out), "step": last.step, "loss": last.loss, **about}


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
