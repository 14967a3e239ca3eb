"""`fmcore sample` and `fmcore evaluate`: images of a trained network, as a picture or judged."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor

from fmcore.checks import real, whole
from fmcore.data import load_images
from fmcore.devices import find_device
from fmcore.files import writable
from fmcore.guidance import Guided
from fmcore.images import picture_channels, picture_file, save_grid
from fmcore.metrics import FEWEST, Judge, report
from fmcore.results import origin
from fmcore.sampling import DEFAULT_STEPS, counted, generate
from fmcore.solvers import SOLVERS
from fmcore.weights import FlowModel, load_model

if TYPE_CHECKING:  # the names are those of the table, when the program starts
    SolverName = LastStepName = str
else:
    SolverName, LastStepName = Literal[tuple(SOLVERS)], Literal[("", *SOLVERS)]

MOST = 100_000
"""Images that `sample` and `evaluate` draw at most: all of them are in memory at once."""


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
