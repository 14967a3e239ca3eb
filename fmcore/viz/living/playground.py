"""The playground: a small network of the plane that trains in the page, step by step.

Python passes shapes, settings and solvers; the browser trains. A shape is a Gaussian mixture of
equally likely points, so that the exact field and the floor of the loss are known.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from torch import Tensor

from fmcore.checks import one_of, positive, whole
from fmcore.fields import GaussianMixture, MarginalField
from fmcore.networks import MLP
from fmcore.paths import CosinePath, OTPath, ProbabilityPath, VPPath
from fmcore.solvers import SOLVERS, odeint

from ..checks import MOST_SEED, Numbers, as_array, moment, text
from ..stills import plots
from ..theme import COLORS, theme
from .base import LivingFigure
from .bundle import bundle
from .spec import pack, path_data, solver_data

PATHS: dict[str, ProbabilityPath] = {"OT": OTPath(), "VP": VPPath(), "cosine": CosinePath()}
PAIRINGS = {
    "independent": "Independent",
    "ot": "Minibatch OT",
    "reflow": "Reflow once",
}
WIDTHS = (16, 32, 64, 96, 128)
RATES = (1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 0.1, 0.3, 1.0)
BATCHES = (64, 128, 256, 512)
AVERAGES = (0.0, 0.9, 0.99, 0.999)
METHODS = ("euler", "midpoint", "heun", "rk4")
MOST_SOLVER_STEPS = 30
EXTENT = (-3.2, 3.2, -3.2, 3.2)
FEWEST, MOST = 3, 160  # points of a shape
DEPTH, TIME_DIM = 3, 16  # of the network
_PEN = 0.12  # standard deviation around a point that was drawn

# The lines that train the same: the browser fills in what the reader set.
_PYTHON = """\
import torch
from fmcore import MLP, GaussianMixture, {path}, TrainConfig, generate, train%s

g = torch.Generator().manual_seed({seed})
points = torch.tensor({points})
data = GaussianMixture(points, {width}).sample(20_000, generator=g)
path, net = {path}(), MLP(dim=2, hidden={hidden}, depth={depth}, time_dim={time_dim})
config = TrainConfig(
    steps={%s}, batch_size={batch}, lr={lr}, ema={average}, seed={seed},
    warmup=50, schedule="cosine", clip=1.0,
)
model = train(net, path, data, config%s)
x = generate(model, 1000, method="{solver}", steps={solver_steps}, generator=g)"""
_REFLOW = """)
x0, x1 = reflow_pairs(
    model, 4096, shape=(2,), method="midpoint", steps=32, generator=g
)
model = train(model, path, x1, config, couple=FixedPairs(x0, x1)"""
PYTHON = {
    "independent": _PYTHON % ("", "steps", ""),
    "ot": _PYTHON % (", MinibatchOT", "steps", ", couple=MinibatchOT()"),
    "reflow": _PYTHON % (", FixedPairs, reflow_pairs", "half", _REFLOW),
}


def _shapes() -> dict[str, tuple[str, Tensor, float]]:
    """Label, points and width of each; `fmcore.data.toy` draws from the like."""
    turn = 2 * math.pi * torch.arange(8) / 8
    eight = 2 * torch.stack([turn.cos(), turn.sin()], dim=1)
    half = math.pi * (torch.arange(48) + 0.5) / 48
    moon = torch.stack([half.cos() - 0.5, half.sin() - 0.25], dim=1)
    cell = 1.25 / 4
    board = [
        (1.25 * (column - 2) + cell * (i + 0.5), 1.25 * (row - 2) + cell * (j + 0.5))
        for column in range(4)
        for row in range(column % 2, 4, 2)
        for i in range(4)
        for j in range(4)
    ]
    arm = ((torch.arange(96) + 0.5) / 96).sqrt()
    spiral = 2.5 * arm[:, None] * torch.stack([(9.42 * arm).cos(), (9.42 * arm).sin()], dim=1)
    return {
        "eight_gaussians": ("Eight Gaussians", eight, 0.2),
        "two_moons": ("Two moons", 1.6 * torch.cat([moon, -moon]), 0.12),
        "checkerboard": ("Checkerboard", torch.tensor(board), 0.11),
        "spiral": ("Spiral", spiral, 0.08),
    }


class PlaygroundFigure(LivingFigure):
    """A small MLP that the reader trains in the page, on a shape that can be chosen or drawn.

    shape       "eight_gaussians", "two_moons", "checkerboard" or "spiral"
    points      a shape of your own instead: `(n, 2)`, n from 3 to 160, within [-3.2, 3.2]
    width       standard deviation of the data around each of those points
    path        "OT", "VP" or "cosine"
    pairing     "independent"; "ot", the best pairing of each batch; "reflow": independent for half
                of the steps, then pairs that the network has made
    hidden, lr, batch_size, ema  of the network and of its training, what is set at first
    steps       of a training in all
    solver, solver_steps  for the particles and the samples that are measured
    height      of the whole figure in CSS pixels; on a phone it is higher

    What the reader sets stands in the address of the page, where the figure has a page of its own.
    The trained network can be downloaded; `load_weights` opens the file.

    The loss is compared with its floor, the loss of the exact field on the same pairs, as long as
    pairs are independent: for others no closed form is known.

    Raises TypeError or ValueError that says what does not fit.

    >>> figure = PlaygroundFigure("two_moons", hidden=32)
    >>> figure
    PlaygroundFigure('two_moons', path='OT', pairing='independent', hidden=32)
    >>> figure.save_html("playground.html")  # doctest: +SKIP
    """

    entry = "playground.js"
    more_on_phone = 510

    def __init__(
        self,
        shape: str | None = None,
        *,
        points: Numbers | None = None,
        width: float = _PEN,
        path: str = "OT",
        pairing: str = "independent",
        hidden: int = 64,
        lr: float = 1e-2,
        batch_size: int = 256,
        ema: float = 0.99,
        steps: int = 4000,
        solver: str = "heun",
        solver_steps: int = 10,
        seed: int = 0,
        t: float | None = None,
        caption: str = "",
        alt: str = "",
        height: int = 640,
    ) -> None:
        shapes = _shapes()
        if points is not None:
            if shape is not None:
                raise ValueError(f"give shape or points, got shape={shape!r} and points")
            shape = "own"
            shapes[shape] = ("Your points", _own(points), positive("width", width))
        self.shape = one_of("shape", shape or "eight_gaussians", shapes)
        _, self.points, self.width = shapes[self.shape]
        self.path = one_of("path", path, PATHS)
        self.pairing = one_of("pairing", pairing, PAIRINGS)
        self.hidden = one_of("hidden", hidden, WIDTHS)
        self.t = moment("t", t, (0, 1))
        self.caption, self.height = text("caption", caption), whole("height", height, 240)
        self.alt = text("alt", alt) or (
            "Interactive figure: a small neural network that you train in this page. On the left "
            "a round cloud of particles, which its velocity field carries onto a shape"
        )
        net = MLP(dim=2, hidden=self.hidden, depth=DEPTH, time_dim=TIME_DIM)
        self.spec: dict[str, Any] = {
            "shapes": [
                {"id": name, "label": label, "points": pack(where, "f8"), "width": around}
                for name, (label, where, around) in shapes.items()
            ],
            "pen": {"width": _PEN, "fewest": FEWEST, "most": MOST},
            "paths": [
                {
                    "id": name,
                    "path": path_data(kind, (0.0, 1.0)),
                }
                for name, kind in PATHS.items()
            ],
            "pairings": [
                {"id": name, "label": label, "python": PYTHON[name]}
                for name, label in PAIRINGS.items()
            ],
            "widths": list(WIDTHS),
            "rates": list(RATES),
            "batches": list(BATCHES),
            "averages": list(AVERAGES),
            "network": net.config,
            "frequencies": net.embed_time.constants,
            "tensors": [name for name, _ in net.named_parameters()],
            "training": {"steps": whole("steps", steps, 200, 100_000)},
            "solvers": [solver_data(method) for method in METHODS],
            "judge": SOLVERS["midpoint"].as_dict(),
            "most_steps": MOST_SOLVER_STEPS,
            "extent": list(EXTENT),
            "colors": {
                **{name: COLORS[name] for name in ("source", "path", "target", "field")},
                "error": COLORS["euler"],
            },
            "worker": f"{bundle('train/worker.js')}serveTraining(self);",
            "alt": self.alt,
            "start_state": {
                "shape": self.shape,
                "path": self.path,
                "pairing": self.pairing,
                "hidden": self.hidden,
                "lr": one_of("lr", lr, RATES),
                "batch": one_of("batch_size", batch_size, BATCHES),
                "average": one_of("ema", ema, AVERAGES),
                "solver": one_of("solver", solver, METHODS),
                "steps": whole("solver_steps", solver_steps, 1, MOST_SOLVER_STEPS),
                "seed": whole("seed", seed, 0, MOST_SEED),
                "share": self.t or 0.0,
                "playing": self.t is None,
            },
        }
        self._check_size()

    def still(self, t: float | None = None) -> Figure:
        """A matplotlib figure: noise, half way, and data, carried by the exact field up to `t`."""
        field = MarginalField(GaussianMixture(self.points.double(), self.width), PATHS[self.path])
        end = 1.0 if t is None else moment("t", t, (0, 1)) or 0.0
        times = torch.tensor([0.0, end / 2, end], dtype=torch.float64)
        x0 = torch.randn(500, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
        span, colors = (0.0, max(end, 1e-3)), ("source", "path", "target")
        # At t = 1 a path may be infinitely fast: the midpoint rule does not ask there.
        xs = odeint(
            field, x0, span, method="midpoint", steps=60, t_eval=times.clamp_max(span[1])
        ).xs
        assert xs is not None  # t_eval says where
        with theme():
            figure, axes = plt.subplots(1, 3, figsize=(7.0, 2.8))
            for ax, x, when, color in zip(axes, xs, times.tolist(), colors, strict=True):
                plots.quiver(field, min(when, 0.99), extent=EXTENT, ax=ax)
                plots.scatter(x, color=COLORS[color], size=2.5, extent=EXTENT, ax=ax)
                ax.set(xticks=[], yticks=[], xlabel="", ylabel="", title=f"t = {when:.2g}")
        return figure

    def __repr__(self) -> str:
        told = f"path={self.path!r}, pairing={self.pairing!r}, hidden={self.hidden}"
        return f"PlaygroundFigure({self.shape!r}, {told})"


def _own(points: Numbers) -> Tensor:
    """Points `(n, 2)` of a reader's own. Raises ValueError if they are too few, many or far."""
    own = torch.from_numpy(as_array("points", points, ("n", 2)))
    if not FEWEST <= len(own) <= MOST:
        raise ValueError(f"a shape must have {FEWEST} to {MOST} points, got {len(own)}")
    if own.abs().max() > EXTENT[1]:
        raise ValueError(
            f"points must lie within [-{EXTENT[1]}, {EXTENT[1]}], got one at {own.abs().max():.3g}"
        )
    return own
