"""The command line: `fmcore train`, `fmcore sample` and `fmcore evaluate`."""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Literal

import torch
import tyro
from torch import Tensor

from fmcore.checkpoints import CheckpointError, Checkpoints
from fmcore.data import DataUnavailable, load_images
from fmcore.metrics import FEWEST, Judge, report
from fmcore.networks import UNet
from fmcore.parallel import device_name, find_device, joined, team
from fmcore.paths import OTPath
from fmcore.recipes import RECIPES, TrainConfig
from fmcore.sampling import Guided, check_picture, counted, generate, save_grid
from fmcore.solvers import SOLVERS
from fmcore.training import fit
from fmcore.weights import (
    FlowModel,
    check_writable,
    load_pretrained,
    load_weights,
    pretrained,
    save_weights,
)


@dataclass(frozen=True)
class Train:
    """Train a U-Net on images by conditional flow matching and write its averaged weights."""

    out: Path
    """Where the weights go (safetensors)."""
    config: Annotated[TrainConfig, tyro.conf.arg(name="")]
    """How to train; give --epochs or --steps."""
    recipe: Literal["", *RECIPES] = ""
    """A recipe by name: it sets all that follows and all of how to train, before other options."""
    data: Literal["mnist", "fashion_mnist", "kmnist", "digits"] = "mnist"
    """The data set."""
    root: Path | None = None
    """The folder of the data; otherwise FMCORE_DATA or the cache folder."""
    base: int = 64
    """Channels of the network at full resolution."""
    time_scale: float = 1000.0
    """Scale of the time embedding."""
    levels: int = 2
    """Levels of the network, each at half the resolution of the one above."""
    classes: bool = False
    """Teach the network the labels as well."""
    sigma_min: float = 0.0
    """Noise that is left at t = 1."""
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
        check_writable(self.out)
        if self.resume and self.checkpoints is None:
            raise ValueError("--resume needs --checkpoints FOLDER")
        with joined(self.config.device) as device:
            self._train(replace(self.config, device=device))

    def _train(self, config: TrainConfig) -> None:
        data = load_images(self.data, root=self.root)
        classes = int(data.labels.max()) + 1 if self.classes else None
        torch.manual_seed(config.seed)  # the initial weights
        net = UNet(
            base=self.base, num_classes=classes, time_scale=self.time_scale, levels=self.levels
        )
        path = OTPath(sigma_min=self.sigma_min)
        history = {}
        if self.start is not None:
            _start_from(before := _load(self.start), net, path)
            history = {"start": {"weights": self.start, **before.config["about"]}}
        saved = self.checkpoints and Checkpoints(
            self.checkpoints, self.every, self.keep, self.resume, self.skip_damaged
        )
        first = team().rank == 0  # the process that talks and writes
        parameters = sum(p.numel() for p in net.parameters())
        if first:
            print(f"{len(data):,} images of {self.data}; {parameters:,} parameters", flush=True)
        for m in fit(net, path, data, config, checkpoints=saved):
            if first and not config.progress:  # otherwise the bar says the same
                print(
                    f"step {m.step}/{m.steps}  epoch {m.epoch}  loss {m.loss:.4f}  "
                    f"{m.images_per_second:.0f} images/s  {m.remaining:.0f} s to go",
                    flush=True,
                )
            last = m
        if not first:
            return
        about = {
            "data": self.data,
            "recipe": {k: v for k, v in vars(config).items() if k != "progress"},
            **history,  # of the training before this one, which may have one itself
            "processes": team().size,
            "seconds": round(last.elapsed, 1),
            "device": device_name(config.device),
            "torch": torch.__version__,
            "date": time.strftime("%Y-%m-%d"),
        }
        save_weights(FlowModel(last.ema, path, tuple(data.pixels.shape[1:]), about), self.out)
        print(f"wrote {self.out}")


def _load(weights: str) -> FlowModel:
    """A model of the library if that is its name, else a file if it looks like one."""
    is_file = Path(weights).suffix or Path(weights).is_file() or Path(weights).name != weights
    return (load_weights if is_file and weights not in pretrained() else load_pretrained)(weights)


def _start_from(model: FlowModel, net: UNet, path: OTPath) -> None:
    """Give `net` the weights of `model`. Classes and levels new to it change nothing at first."""
    theirs, ours = model.config["network"], {"name": "UNet", **net.config}
    more = set()
    if ours["num_classes"] is not None and theirs.get("num_classes") is None:
        more.add("num_classes")
    if ours["levels"] > theirs.get("levels", ours["levels"]):
        more.add("levels")
    differ = [k for k in ours if theirs.get(k) != ours[k] and k not in more]
    if differ or model.path != path:
        parts = [f"{k} is {theirs.get(k)}, not {ours[k]}" for k in differ]
        parts += [] if model.path == path else [f"its path is {model.path}, not {path}"]
        raise ValueError("cannot start from these weights: " + "; ".join(parts))
    tensors = model.net.state_dict()
    for name, new in net.state_dict().items():
        if name not in tensors:  # what a new part adds to the old ones is 0, until it is trained
            last = name.startswith("embed_label.") or ".up." in name
            tensors[name] = torch.zeros_like(new) if last else new
    net.load_state_dict(tensors)


@dataclass(frozen=True, kw_only=True)
class _Draw:
    """What `sample` and `evaluate` have in common: a network, and how to draw with it."""

    weights: str = "mnist"
    """A weight file, or the name of a model that comes with the library."""
    solver: Literal[tuple(SOLVERS)] = "heun"
    """How to integrate."""
    steps: int = 10
    """Number of steps."""
    guidance: float = 1.0
    """How far a class pushes: 1 is the field of the class, 0 does not hear it."""
    seed: int = 0
    """Seed of all that is drawn."""
    device: str = "cpu"
    """Where to compute."""

    def model(self) -> FlowModel:
        """The network, on the device."""
        find_device(self.device)
        return _load(self.weights).to(self.device)

    def draw(
        self, model: FlowModel, n: int, label: Tensor | None, generator: torch.Generator
    ) -> tuple[Tensor, int, float]:
        """Images, evaluations of the network for each of them, and seconds."""
        if label is None and self.guidance != 1:
            raise ValueError(
                f"guidance={self.guidance:g} pushes towards a class, and none is given"
            )
        field = model if label is None else Guided(model, self.guidance)
        how = dict(method=self.solver, steps=self.steps, generator=generator)
        start = time.perf_counter()
        with counted(model) as rows:
            images = generate(field, n, label=label, **how)
        return images, sum(rows) // n, time.perf_counter() - start


@dataclass(frozen=True, kw_only=True)
class Sample(_Draw):
    """Draw images with a trained network and write them as one picture."""

    out: Path
    """Where the picture goes (.png)."""
    n: int = 64
    """How many images."""
    label: int | None = None
    """The class, for a network that knows classes."""
    columns: int | None = None
    """Images in a row."""

    def __call__(self) -> None:
        check_picture(self.out)
        if self.n < 1 or (self.columns is not None and self.columns < 1):
            raise ValueError(f"n and columns must be at least 1, got {self.n} and {self.columns}")
        model, label = self.model(), None
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

    n: int = 10_000
    """How many images; scores of different n cannot be compared."""
    out: Path | None = None
    """Where the scores go as JSON, if anywhere."""
    root: Path | None = None
    """The folder of MNIST; otherwise FMCORE_DATA or the cache folder."""

    def __call__(self) -> None:
        out = self.out and check_writable(self.out)
        if not FEWEST <= self.n <= 60_000:
            raise ValueError(f"n must lie between {FEWEST} and 60,000, got {self.n}")
        model = self.model()
        if model.config["shape"] != [1, 28, 28]:
            raise ValueError(f"only digits of 28x28 are judged, not {model.config['shape']}")
        train, test = (load_images("mnist", split=s, root=self.root) for s in ("train", "test"))
        generator = torch.Generator().manual_seed(self.seed)
        label = None
        if classes := model.config["network"].get("num_classes"):
            label = torch.randint(classes, (self.n,), generator=generator)
        images, nfe, seconds = self.draw(model, self.n, label, generator)
        found = Judge(train, test, device=self.device)(images, label)
        print(f"{self.n:,} images, {self.solver}, {nfe} evaluations each, {seconds:.1f} s")
        print(report(found))
        if out:
            about = {
                "weights": self.weights,
                "solver": self.solver,
                "steps": self.steps,
                "guidance": self.guidance,
                "nfe": nfe,
                "seed": self.seed,
                "seconds": round(seconds, 2),
                "device": device_name(self.device),
                "torch": torch.__version__,
                "date": time.strftime("%Y-%m-%d"),
            }
            out.write_text(json.dumps(about | found.as_dict(), indent=2) + "\n")
            print(f"wrote {out}")


def main(args: list[str] | None = None) -> None:
    """Entry point: what the user got wrong ends in one line and exit status 2, not a traceback."""
    args = sys.argv[1:] if args is None else args
    try:
        tyro.cli(_commands(args), prog="fmcore", args=args)()
    except (ValueError, TypeError, FileNotFoundError, DataUnavailable, CheckpointError) as error:
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
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--recipe")
    parser.add_argument("--steps")
    known = parser.parse_known_args(args)[0]
    train = tyro.conf.subcommand("train")
    if known.recipe in RECIPES:  # another name is refused below, with all that is known
        recipe = RECIPES[known.recipe]
        config = recipe.train
        if known.steps is not None:  # takes the place of the epochs of the recipe
            config = replace(config, epochs=None, steps=1)
        network = {k: v for k, v in recipe.network.items() if k != "num_classes"}
        default = Train(
            out=tyro.MISSING, config=config, recipe=known.recipe,
            classes="num_classes" in recipe.network, sigma_min=recipe.path.sigma_min, **network,
        )  # fmt: skip
        train = tyro.conf.subcommand("train", default=default)
    sample, judge = tyro.conf.subcommand("sample"), tyro.conf.subcommand("evaluate")
    return Annotated[Train, train] | Annotated[Sample, sample] | Annotated[Evaluate, judge]


if __name__ == "__main__":
    main()
