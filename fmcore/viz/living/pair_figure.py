"""The living figure of pairings: who is paired with whom, and the field and the flow that follow.

The browser gets the points and the pairings, computes the field of the pairs in closed form and its
trajectories by RK4. The reader may pair the points anew by hand.
"""

from __future__ import annotations

from typing import Any

import torch
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from torch import Tensor

from fmcore.checks import one_of, positive, whole
from fmcore.couplings import best_pairing
from fmcore.fields import PairField
from fmcore.metrics import straightness
from fmcore.solvers import SOLVERS, odeint

from ..checks import MOST_SEED, Box, Extent, Numbers, as_array, box, moment, text
from ..stills import plots
from ..theme import COLORS, theme
from .base import LivingFigure
from .spec import pack

PAIRINGS = {"independent": "Independent", "ot": "Optimal transport", "crossing": "Crossing"}
FEWEST, MOST = 3, 60  # points of each kind
MOST_STEPS = 400
METHOD = "rk4"
_MARGIN = 0.1  # of the longer side, around the points


class PairFigure(LivingFigure):
    """Noise and data points of the plane, their pairs, and the flow of the pairs' exact field.

    x0, x1      noise and data `(n, 2)`, n from 3 to 60
    pairing     the one shown at first: "independent", the rows as they are given; "ot", the least
                sum of squared distances; "crossing", the greatest. The reader can draw independent
                pairs again, from `seed` on, and exchange partners by hand
    width       standard deviation of the cloud that each pair carries, as in `PairField`
    steps       of RK4 from noise to data, for the trajectories
    extent      of the plane; by default around the points
    t           None plays from the noise; a time in [0, 1] waits there
    height      of the whole figure in CSS pixels; on a phone it is higher

    The field is `PairField(x0, x1[order], width)`, the exact minimiser of the loss on these pairs.
    The table has, for each pairing, the mean squared length of a pair, how often their lines cross,
    `metrics.straightness` from the noise points, and how far one Euler step lands from the ends of
    their trajectories, on average. The lines of an optimal pairing may cross as well, but no two of
    its pairs are in one place at one time.

    Raises TypeError or ValueError that says what does not fit: points that are not in the plane,
    too few or too many, an unknown pairing, a number out of range.

    >>> x0 = torch.tensor([[-1.0, 0.0], [0.0, 0.5], [1.0, 0.0]])
    >>> figure = PairFigure(x0, x0.flip(0) + torch.tensor([0.0, 3.0]), pairing="ot")
    >>> figure, figure.partners("ot").tolist()
    (PairFigure(3 pairs, pairing='ot', width=0.2), [2, 1, 0])
    """

    entry = "pair_figure.js"
    more_on_phone = 250

    def __init__(
        self,
        x0: Numbers,
        x1: Numbers,
        *,
        pairing: str = "independent",
        width: float = 0.2,
        steps: int = 100,
        extent: Extent | None = None,
        t: float | None = None,
        seed: int = 0,
        caption: str = "",
        alt: str = "",
        height: int = 500,
    ) -> None:
        self.x0, self.x1 = _points("x0", x0), _points("x1", x1)
        if len(self.x0) != len(self.x1):
            raise ValueError(
                f"x0 and x1 must have equally many points, got {len(self.x0)} and {len(self.x1)}"
            )
        self.pairing = one_of("pairing", pairing, PAIRINGS)
        self.width, self.steps = positive("width", width), whole("steps", steps, 1, MOST_STEPS)
        self.extent = _around(self.x0, self.x1) if extent is None else box(extent)
        self.t = moment("t", t, (0, 1))
        self.caption, self.height = text("caption", caption), whole("height", height, 240)
        self.alt = text("alt", alt) or (
            f"Interactive figure of {len(self.x0)} noise points and as many data points of the "
            "plane: thin lines join the pairs, arrows show the exact field of these pairs, and "
            "broad lines are its trajectories from the noise points"
        )
        self.spec: dict[str, Any] = {
            "x0": pack(self.x0, "f8"),
            "x1": pack(self.x1, "f8"),
            "width": self.width,
            "steps": self.steps,
            "tableau": SOLVERS[METHOD].as_dict(),
            "pairings": [
                {"id": name, "label": label, "partners": self.partners(name).tolist()}
                for name, label in PAIRINGS.items()
            ],
            "extent": list(self.extent),
            "colors": {name: COLORS[name] for name in ("source", "path", "target", "field")},
            "alt": self.alt,
            "start_state": {
                "pairing": self.pairing,
                "seed": whole("seed", seed, 0, MOST_SEED),
                "share": self.t or 0.0,
                "playing": self.t is None,
            },
        }

    def partners(self, pairing: str) -> Tensor:
        """The row of x1 that each row of x0 is paired with, `(n,)`."""
        if one_of("pairing", pairing, PAIRINGS) == "independent":
            return torch.arange(len(self.x0))
        # |x0 - x1|² + |x0 + x1|² does not depend on the pairing: where one is least, the other is
        # greatest.
        return best_pairing(self.x0, self.x1 if pairing == "ot" else -self.x1)

    def still(self, t: float | None = None) -> Figure:
        """A matplotlib figure of the three pairings beside each other.

        The trajectories run up to time `t`; left out, from noise to data.
        """
        t = moment("t", t, (0, 1))
        with theme(), torch.no_grad():
            figure, axes = plt.subplots(1, len(PAIRINGS), figsize=(7.0, 3.2))
            for ax, (name, label) in zip(axes, PAIRINGS.items(), strict=True):
                self._panel(ax, self.x1[self.partners(name)], t)
                ax.set_title(label)
        return figure

    def _panel(self, ax: Axes, x1: Tensor, t: float | None) -> None:
        """The pairs of one pairing, the trajectories up to t, and how straight they are."""
        x0, field = self.x0, PairField(self.x0, x1, self.width)
        times = torch.linspace(0, 1, self.steps + 1, dtype=torch.float64)
        xs = odeint(field, x0, method=METHOD, steps=self.steps, t_eval=times).xs
        assert xs is not None  # t_eval says where
        pairs = torch.stack([x0, x1], dim=1).numpy()
        ax.add_collection(LineCollection(list(pairs), colors=COLORS["ink"], linewidths=0.7))
        route = [COLORS[name] for name in ("source", "path", "target")]
        colors = LinearSegmentedColormap.from_list("time", route)
        so_far = self.steps if t is None else round(t * self.steps)
        for path in xs.transpose(0, 1).numpy():
            pieces = LineCollection(
                [path[k : k + 2] for k in range(so_far)], cmap=colors, clim=(0, 1), linewidths=1.7
            )
            pieces.set_array(times[:so_far].numpy())
            pieces.set_capstyle("round")
            ax.add_collection(pieces)
        if t is not None:
            plots.scatter(xs[so_far], color=COLORS["path"], size=4.5, extent=self.extent, ax=ax)
        for points, name in ((x0, "source"), (x1, "target")):
            plots.scatter(points, color=COLORS[name], size=4.5, extent=self.extent, ax=ax)
        ax.set(xticks=[], yticks=[], ylabel="")
        ax.spines[:].set_visible(False)
        bent = straightness(field, x0, method=METHOD, steps=self.steps)
        off = (x0 + field(x0, 0.0) - xs[-1]).norm(dim=1).mean().item()
        ax.set_xlabel(f"straightness {_short(bent)}\nEuler error {_short(off)}", fontsize=11)

    def __repr__(self) -> str:
        n = len(self.x0)
        return f"PairFigure({n} pairs, pairing={self.pairing!r}, width={self.width:g})"


def _short(value: float) -> str:
    """As in the table of the living figure."""
    return f"{value:.{3 if value < 0.1 else 2}f}"


def _points(name: str, values: Numbers) -> Tensor:
    """Points `(n, 2)` in double precision. Raises ValueError if they are too few or too many."""
    points = torch.from_numpy(as_array(name, values, ("n", 2)))
    if not FEWEST <= len(points) <= MOST:
        raise ValueError(f"{name} must be {FEWEST} to {MOST} points, got {len(points)}")
    return points


def _around(x0: Tensor, x1: Tensor) -> Box:
    """An extent with a margin around the points."""
    points = torch.cat([x0, x1])
    low, high = points.amin(0), points.amax(0)
    margin = max(_MARGIN * (high - low).max().item(), 1e-3)
    (xmin, ymin), (xmax, ymax) = (low - margin).tolist(), (high + margin).tolist()
    return xmin, xmax, ymin, ymax
