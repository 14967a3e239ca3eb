"""The options of every command, without torch, so that help comes at once.

A command is a dataclass: its fields are the options, and `work` names the function that does it,
in a module that is imported when the command runs.
"""

from __future__ import annotations

import ast
import io
import json
import sys
from contextlib import redirect_stdout
from dataclasses import dataclass, field, replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from tyro.conf import FlagCreatePairsOff, arg

from fmcore.config import TrainConfig

PACKAGE = Path(__file__).parent.parent
STDOUT = "-"
"""In the place of a file: the standard output; "-.npy", say, is its format."""


def names(module: str, table: str) -> tuple[str, ...]:
    """The names in a table, as they stand in its source: torch would come with the table itself.

    With those that were added, if the table is loaded already.

    >>> names("fmcore.losses", "TIMES")
    ('uniform', 'stratified', 'logit_normal', 'inner')
    """
    if module in sys.modules:
        return tuple(getattr(sys.modules[module], table))
    file = PACKAGE.parent.joinpath(*module.split(".")).with_suffix(".py")
    for node in ast.parse(file.read_text("utf-8")).body:
        if isinstance(node, ast.AnnAssign) and ast.unparse(node.target) == table:
            assert isinstance(node.value, ast.Call)
            return tuple(row.arg for row in node.value.keywords if row.arg)
    raise LookupError(f"no table {table} in {module}")


if TYPE_CHECKING:  # the names are those of the tables, when the program starts
    SolverName = RecipeName = LossName = TimesName = PathName = CoupleName = str
else:
    SolverName = Literal[names("fmcore.solvers.tableaus", "SOLVERS")]
    RecipeName = Literal[names("fmcore.training.recipes", "RECIPES")]
    LossName = Literal[(*names("fmcore.losses", "LOSSES"), *names("fmcore.flowmaps", "RULES"))]
    TimesName = Literal[names("fmcore.losses", "TIMES")]
    PathName = Literal[names("fmcore.paths.schedules", "PATHS")]
    CoupleName = Literal[names("fmcore.couplings", "COUPLINGS")]


def to_stdout(out: Path | None) -> bool:
    """Whether bytes go to the standard output: the name is "-", perhaps with an ending.

    >>> to_stdout(Path("-.npy")), to_stdout(Path("digits.npy"))
    (True, False)
    """
    return out is not None and out.stem == "-" and out.parent == Path()


@dataclass(frozen=True, kw_only=True)
class Said:
    """What stands on the standard output. Progress and errors go to the standard error."""

    quiet: FlagCreatePairsOff[bool] = False
    """Say nothing but errors."""
    json: FlagCreatePairsOff[bool] = False
    """The result as a line of JSON; words go to the standard error."""


@dataclass(frozen=True, kw_only=True)
class Command:
    """What all commands have in common: `command()` does the work and says what came of it.

    The work prints words, and returns the result as plain values.
    """

    work: ClassVar[str]
    """The function that does it, as "module:name"; it is given the command."""
    said: Annotated[Said, arg(name="")] = field(default_factory=Said)
    """What is said."""

    def __call__(self) -> None:
        module, name = self.work.split(":")
        bytes_out = to_stdout(getattr(self, "out", None))
        if self.said.json and bytes_out:
            raise ValueError("--json and --out - would both write to the standard output")
        words = sys.stderr if self.said.json or bytes_out else sys.stdout
        with redirect_stdout(io.StringIO() if self.said.quiet else words):
            result = getattr(import_module(module), name)(self)
        if self.said.json:
            print(json.dumps(result))


@dataclass(frozen=True, kw_only=True)
class Draw(Command):
    """What `sample` and `evaluate` have in common: a network, and how to draw with it."""

    weights: str = "mnist"
    """A weight file, or the name of a model that comes with the library."""
    method: SolverName = "midpoint"
    """The solver."""
    steps: int | None = None
    """Number of steps, by default 5 without tolerances. A flow map jumps, by default once."""
    rtol: float | None = None
    """Relative tolerance of a step, instead of a number of steps; the method must have an error
    estimate."""
    atol: float | None = None
    """Absolute tolerance of a step; goes with --rtol."""
    last_step: SolverName | None = None
    """The method of the last step, if another: with midpoint, Heun and RK4 never evaluate t = 1."""
    guidance: float = 1.0
    """How far to push towards the class: 1 is its field; at 0 the class has no effect."""
    seed: int = 0
    """Seed of all that is drawn."""
    device: str = "cpu"
    """Where to compute, such as cpu or cuda."""


@dataclass(frozen=True, kw_only=True)
class Sample(Draw):
    """Draw images with a trained network and write them as one picture, or as an array."""

    work: ClassVar[str] = "fmcore.cli.draw:sample"
    n: int = 64
    """How many images."""
    out: Path
    """Where they go: a picture (.png and others), or an array (n, *shape) in float32 (.npy, .pt).
    "-" is the standard output, as PNG; "-.npy" and the like in that format."""
    label: Annotated[str | None, arg(metavar="INT|NAME|all")] = None
    """The class: its number or, for a folder of images, its name; all takes the classes in turn, a
    column each."""
    columns: int | None = None
    """Images in a row."""


@dataclass(frozen=True, kw_only=True)
class Evaluate(Draw):
    """Judge the digits of a trained network; every score beside that of real images."""

    work: ClassVar[str] = "fmcore.cli.draw:evaluate"
    n: int | None = None
    """How many images; scores of different n cannot be compared. Left out, one for each test image:
    10,000, or 1,000 of the embedded part."""
    out: Path | None = None
    """Where the scores go as JSON, if anywhere; "-" is --json."""
    root: Path | None = None
    """The folder of MNIST; otherwise FMCORE_DATA or the cache folder. "embedded" is the part of it
    that comes with the library."""

    def __call__(self) -> None:
        if self.out == Path(STDOUT):
            replace(self, out=None, said=replace(self.said, json=True))()
        else:
            super().__call__()


@dataclass(frozen=True, kw_only=True)
class Train(Command):
    """Train a U-Net on images by conditional flow matching and write its averaged weights."""

    work: ClassVar[str] = "fmcore.cli.train:train"
    out: Path
    """Where the weights go (safetensors)."""
    config: Annotated[TrainConfig, arg(name="")]
    """How to train; give --epochs or --steps."""
    recipe: RecipeName | None = None
    """A recipe by name: network, path, loss, coupling and how to train. Other options change it."""
    loss: LossName | None = None
    """The loss; left out, that of the recipe, or cfm. From consistency on, the names are rules of
    flow maps: they train a network that jumps, from a velocity network if --start names one."""
    times: TimesName | None = None
    """How t is drawn; left out, as the loss does. stratified is uniform, one t in each of
    batch_size equal slices."""
    data: str = "mnist"
    """The data set: mnist, fashion_mnist, kmnist, or a folder of images of one size, grey or RGB,
    whose subfolders are classes."""
    root: Path | None = None
    """The folder of the data; otherwise FMCORE_DATA or the cache folder. "embedded" is the part of
    MNIST that comes with the library."""
    base: int = 64
    """Channels of the network at full resolution."""
    time_scale: float | None = None
    """Scale of the time embedding; left out, 1000, or 2 pi for a flow map trained from scratch."""
    levels: int = 2
    """Levels of the network, each at half the resolution of the one above."""
    film_silu: bool = True
    """A SiLU between the embedding and FiLM; networks trained before version 0.2 have none."""
    classes: bool = False
    """Teach the network the labels as well."""
    path: PathName | None = None
    """The probability path; left out, that of the recipe, or OTPath."""
    sigma_min: float | None = None
    """Noise that an OTPath leaves at t = 1; left out, as in the recipe, or 0."""
    couple: CoupleName | None = None
    """How noise and data are paired; left out, that of the recipe, or independent."""
    label_weight: float | None = None
    """What minibatch_ot adds to the cost of a pair with noise of another label; left out, as in the
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


@dataclass(frozen=True, kw_only=True)
class Export(Command):
    """Write a trained network as ONNX (.onnx), for torch.export (.pt2), or for a page (--to web).

    Inputs are x (batch, *shape), t (batch,) between 0, noise, and 1, data, and of a network with
    classes label (batch,), int64; the output v (batch, *shape) is the velocity.
    """

    work: ClassVar[str] = "fmcore.cli.export:export"
    weights: str = "mnist"
    """A weight file, or the name of a model that comes with the library."""
    out: Path
    """Where the network goes; the ending of the name says how (.onnx or .pt2), unless --to does."""
    to: Literal["web"] | None = None
    """web is a .safetensors in half precision that the living figures run in a browser."""
    opset: int | None = None
    """Version of ONNX's operators; left out, 18."""
