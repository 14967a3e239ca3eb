"""The command line: `fmcore train`, `fmcore sample` and `fmcore evaluate`."""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import dataclass, replace
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import torch
import tyro
from torch import Tensor

from fmcore.checks import real, whole
from fmcore.data import DataUnavailable, load_images
from fmcore.devices import find_device
from fmcore.files import writable
from fmcore.guidance import Guided
from fmcore.images import picture_channels, picture_file, save_grid
from fmcore.losses import LOSSES, TIMES
from fmcore.metrics import FEWEST, Judge, report
from fmcore.networks import UNet
from fmcore.paths import PATHS, OTPath, ProbabilityPath
from fmcore.results import origin
from fmcore.sampling import DEFAULT_STEPS, counted, generate
from fmcore.solvers import SOLVERS
from fmcore.training import (
    RECIPES,
    CheckpointError,
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
    RecipeName = LossName = TimesName = PathName = SolverName = LastStepName = str
else:
    RecipeName, LossName = Literal[("", *RECIPES)], Literal[("", *LOSSES)]
    TimesName, PathName = Literal[("", *TIMES)], Literal[("", *PATHS)]
    SolverName, LastStepName = Literal[tuple(SOLVERS)], Literal[("", *SOLVERS)]


MOST = 100_000
"""Images that `sample` and `evaluate` draw at most: all of them are in memory at once."""


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
    start: str | None = None
    """Weights to start from, a file or a model of the library; without them, random ones."""
    checkpoints: Path | None = None
    """A folder for checkpoints."""
    every: int = 1000
    """Steps between two checkpoints."""
    keep: int = 3
    """How many checkpoints are kept."""
    resume: bool = False
    """Go on from the latest checkpoint, if there is one."""
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
        names = "base", "time_scale", "levels", "film_silu"
        network = {name: getattr(self, name) for name in names} | {"num_classes": classes}
        return Recipe(network, path, self.config, loss, base.couple)

    def _train(self, config: TrainConfig) -> None:
        data = load_images(self.data, root=self.root)
        recipe = self._recipe(int(data.labels.max()) + 1 if self.classes else None)
        torch.manual_seed(config.seed)  # the initial weights
        net, path = UNet(**recipe.network), recipe.path
        history = {}
        if self.start is not None:
            previous = load_model(self.start)
            _start_from(previous, net, path)
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
        save_weights(FlowModel(last.ema, path, tuple(data.pixels.shape[1:]), about), self.out)
        print(f"wrote {self.out}")


def _start_from(model: FlowModel, net: UNet, path: ProbabilityPath) -> None:
    """Give `net` the weights of `model`. Classes and levels new to it change nothing at first."""
    old, new = model.config["network"], {"name": "UNet", **net.config}
    added = set()
    if new["num_classes"] is not None and old.get("num_classes") is None:
        added.add("num_classes")
    if new["levels"] > old.get("levels", new["levels"]):
        added.add("levels")
    differ = [k for k in new if old.get(k) != new[k] and k not in added]
    if differ or model.path != path:
        parts = [f"{k} is {old.get(k)}, not {new[k]}" for k in differ]
        parts += [] if model.path == path else [f"its path is {model.path}, not {path}"]
        raise ValueError("cannot start from these weights: " + "; ".join(parts))
    net.load_partial(model.net.state_dict())


@dataclass(frozen=True, kw_only=True)
class _Draw:
    """What `sample` and `evaluate` have in common: a network, and how to draw with it."""

    weights: str = "mnist"
    """A weight file, or the name of a model that comes with the library."""
    method: SolverName = "midpoint"
    """How to integrate."""
    steps: int = DEFAULT_STEPS
    """Number of steps."""
    last_step: LastStepName = ""
    """The method of the last step, if it is to be another: midpoint spares Heun and RK4 the end."""
    guidance: float = 1.0
    """How far a class pushes: 1 is the field of the class; at 0 the class has no effect."""
    seed: int = 0
    """Seed of all that is drawn."""
    device: str = "cpu"
    """Where to compute."""

    def model(self) -> FlowModel:
        """The network, on the device; the numbers are checked before."""
        whole("steps", self.steps)
        whole("seed", self.seed, 0, 2**63 - 1)
        real("guidance", self.guidance)
        find_device(self.device)
        return load_model(self.weights).to(self.device)

    def draw(
        self, model: FlowModel, n: int, label: Tensor | None, generator: torch.Generator
    ) -> tuple[Tensor, int, float]:
        """Images, evaluations of the network for each of them, and seconds."""
        if label is None and self.guidance != 1:
            raise ValueError(
                f"guidance={self.guidance:g} pushes towards a class, and none is given"
            )
        field = model if label is None else Guided(model, self.guidance)
        start = time.perf_counter()
        with counted(model) as rows:
            images = generate(
                field, n, label=label, method=self.method, steps=self.steps,
                last_step=self.last_step or None, generator=generator,
            )  # fmt: skip
        return images, sum(rows) // n, time.perf_counter() - start


@dataclass(frozen=True, kw_only=True)
class Sample(_Draw):
    """Draw images with a trained network and write them as one picture."""

    n: int = 64
    """How many images."""
    out: Path
    """Where the picture goes (.png)."""
    label: int | None = None
    """The class, for a network that knows classes."""
    columns: int | None = None
    """Images in a row."""

    def __call__(self) -> None:
        picture_file(self.out)
        whole("n", self.n, 1, MOST)
        if self.columns is not None:
            whole("columns", self.columns)
        model, label = self.model(), None
        picture_channels(model.config["shape"])
        if self.label is not None:
            classes = model.config["network"].get("num_classes")
            if classes is not None and not 0 <= self.label < classes:
                raise ValueError(f"label must lie in [0, {classes - 1}], got {self.label}")
            label = torch.full((self.n,), self.label)
        generator = torch.Generator().manual_seed(self.seed)
        images, _, seconds = self.draw(model, self.n, label, generator)
        save_grid(images, self.out, self.columns)
        print(f"wrote {self.out}: {self.n} images in {seconds:.1f} s")


@dataclass(frozen=True, kw_only=True)
class Evaluate(_Draw):
    """Judge the digits of a trained network; every score beside that of real images."""

    n: int | None = None
    """How many images; scores of different n cannot be compared. Left out, 10,000, or as many as
    there are test images."""
    out: Path | None = None
    """Where the scores go as JSON, if anywhere."""
    root: Path | None = None
    """The folder of MNIST; otherwise FMCORE_DATA or the cache folder. "embedded" is the part of it
    that comes with the library."""

    def __call__(self) -> None:
        out = None if self.out is None else writable(self.out)
        if self.n is not None and not FEWEST <= self.n <= 60_000:
            raise ValueError(f"n must lie between {FEWEST} and 60,000, got {self.n}")
        model = self.model()
        if model.config["shape"] != [1, 28, 28]:
            raise ValueError(f"only digits of 28x28 are judged, not {model.config['shape']}")
        train, test = (load_images("mnist", split=s, root=self.root) for s in ("train", "test"))
        n = len(test) if self.n is None else self.n
        if n > len(train):
            raise ValueError(f"n must be at most {len(train):,}, the training images, got {n}")
        generator = torch.Generator().manual_seed(self.seed)
        label = None
        if classes := model.config["network"].get("num_classes"):
            label = torch.randint(classes, (n,), generator=generator)
        images, nfe, seconds = self.draw(model, n, label, generator)
        scores = Judge(train, test, device=self.device)(images, label)
        print(f"beside {test}")
        print(f"{n:,} samples, {self.method}, {nfe} evaluations each, {seconds:.1f} s")
        print(report(scores))
        if out is not None:
            about = {k: getattr(self, k) for k in ("weights", "method", "steps", "guidance")}
            about |= {"last_step": self.last_step or None, "nfe": nfe}
            about |= {"seconds": round(seconds, 2)} | origin(device=self.device, seed=self.seed)
            out.write_text(json.dumps(about | scores.as_dict(), indent=2) + "\n")
            print(f"wrote {out}")


def main(args: list[str] | None = None) -> None:
    """Entry point: a user's mistake ends in one line and exit status 2, not in a traceback."""
    args = sys.argv[1:] if args is None else args
    if args == ["--version"]:
        print(f"fmcore {version('fmcore')}")
        return
    try:
        tyro.cli(_commands(args), prog="fmcore", args=args)()
    except (
        ValueError, TypeError, OSError, MemoryError, torch.OutOfMemoryError, DataUnavailable,
        CheckpointError,
    ) as error:  # fmt: skip
        print(f"fmcore: {error}", file=sys.stderr)
        raise SystemExit(2) from None
    except FloatingPointError as error:
        print(f"fmcore: {error}", file=sys.stderr)
        raise SystemExit(1) from None
    except KeyboardInterrupt as stop:
        print(f"fmcore: {str(stop) or 'stopped'}", file=sys.stderr)
        raise SystemExit(130) from None


def _commands(args: list[str]):
    """The commands, with the defaults of the recipe that `args` name."""
    train = tyro.conf.subcommand("train")
    if default := _defaults_of_recipe(args):
        train = tyro.conf.subcommand("train", default=default)
    sample, judge = tyro.conf.subcommand("sample"), tyro.conf.subcommand("evaluate")
    return Annotated[Train, train] | Annotated[Sample, sample] | Annotated[Evaluate, judge]


def _defaults_of_recipe(args: list[str]) -> Train | None:
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


if __name__ == "__main__":
    main()
