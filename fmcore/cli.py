"""The command line: `fmcore train` and `fmcore sample`."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import torch
import tyro

from fmcore.data import DataUnavailable, load_images
from fmcore.networks import UNet
from fmcore.paths import OTPath
from fmcore.sampling import check_picture, generate, save_grid
from fmcore.solvers import SOLVERS
from fmcore.training import TrainConfig, fit
from fmcore.weights import FlowModel, check_writable, load_pretrained, load_weights, save_weights


@dataclass(frozen=True)
class Train:
    """Train a U-Net on images by conditional flow matching and write its averaged weights."""

    out: Path
    """Where the weights go (safetensors)."""
    config: Annotated[TrainConfig, tyro.conf.arg(name="")]
    """How to train; give --epochs or --steps."""
    data: Literal["mnist", "fashion_mnist", "kmnist", "digits"] = "mnist"
    """The data set."""
    root: Path | None = None
    """The folder of the data; otherwise FMCORE_DATA or the cache folder."""
    base: int = 64
    """Channels of the network at full resolution."""
    time_scale: float = 1000.0
    """Scale of the time embedding."""
    classes: bool = False
    """Teach the network the labels as well."""
    sigma_min: float = 0.0
    """Noise that is left at t = 1."""

    def __call__(self) -> None:
        check_writable(self.out)
        data = load_images(self.data, root=self.root)
        classes = int(data.labels.max()) + 1 if self.classes else None
        torch.manual_seed(self.config.seed)  # the initial weights
        net = UNet(base=self.base, num_classes=classes, time_scale=self.time_scale)
        path = OTPath(sigma_min=self.sigma_min)
        parameters = sum(p.numel() for p in net.parameters())
        print(f"{len(data):,} images of {self.data}; {parameters:,} parameters", flush=True)
        for m in fit(net, path, data, self.config):
            if not self.config.progress:  # otherwise the bar says the same
                print(
                    f"step {m.step}/{m.steps}  epoch {m.epoch}  loss {m.loss:.4f}  "
                    f"{m.images_per_second:.0f} images/s",
                    flush=True,
                )
            last = m
        about = {
            "data": self.data,
            "recipe": {k: v for k, v in vars(self.config).items() if k != "progress"},
            "seconds": round(last.elapsed, 1),
            "device": self.config.device,
            "torch": torch.__version__,
            "date": time.strftime("%Y-%m-%d"),
        }
        save_weights(FlowModel(last.ema, path, tuple(data.pixels.shape[1:]), about), self.out)
        print(f"wrote {self.out}")


@dataclass(frozen=True)
class Sample:
    """Draw images with a trained network and write them as one picture."""

    out: Path
    """Where the picture goes (.png)."""
    weights: str = "mnist"
    """A weight file, or the name of a model that comes with the library."""
    n: int = 64
    """How many images."""
    solver: Literal[tuple(SOLVERS)] = "heun"
    """How to integrate."""
    steps: int = 10
    """Number of steps."""
    label: int | None = None
    """The class, for a network that knows classes."""
    columns: int | None = None
    """Images in a row."""
    seed: int = 0
    """Seed of the noise."""
    device: str = "cpu"
    """Where to compute."""

    def __call__(self) -> None:
        check_picture(self.out)
        known = Path(self.weights).suffix or Path(self.weights).exists()
        model = (load_weights if known else load_pretrained)(self.weights).to(self.device)
        label = None if self.label is None else torch.full((self.n,), self.label)
        generator = torch.Generator().manual_seed(self.seed)
        start = time.perf_counter()
        images = generate(
            model, self.n, method=self.solver, steps=self.steps, generator=generator, label=label
        )
        save_grid(images, self.out, self.columns)
        print(f"wrote {self.out}: {self.n} images in {time.perf_counter() - start:.1f} s")


def main(args: list[str] | None = None) -> None:
    """Entry point: what the user got wrong ends in one line and exit status 2, not a traceback."""
    try:
        tyro.extras.subcommand_cli_from_dict(
            {"train": Train, "sample": Sample}, prog="fmcore", args=args
        )()
    except (ValueError, TypeError, FileNotFoundError, DataUnavailable) as error:
        print(f"fmcore: {error}", file=sys.stderr)
        raise SystemExit(2) from None
    except KeyboardInterrupt:
        print("fmcore: stopped", file=sys.stderr)
        raise SystemExit(130) from None


if __name__ == "__main__":
    main()
