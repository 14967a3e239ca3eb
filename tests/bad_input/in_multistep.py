"""Bad input to the multistep solver and its grids, and to the output of an SDE."""

from dataclasses import dataclass

import torch
from calls import bad
from in_solvers import quiet
from values import (
    INF,
    NAN,
    OT,
    SPOILT,
    G,
    X,
    to_double,
    to_first,
    to_float,
    to_nan,
    to_none,
    turn,
)

import fmcore
from fmcore.solvers import GRIDS, multistep


@dataclass(frozen=True)
class Waits(fmcore.OTPath):
    """No path to count lambda on: it stands still until t = 1/2."""

    def a(self, t):
        return (2 * t - 1).clamp_min(0)

    def b(self, t):
        return 1 - self.a(t)

    def da(self, t):
        return 2.0 * (t > 0.5)

    def db(self, t):
        return -self.da(t)


ROWS = [
    *bad(
        multistep,
        dict(v=turn, path=OT, x0=X, steps=3),
        (dict(v=None), TypeError, "v must be callable as v(x, t), got NoneType"),
        (dict(v=to_none), TypeError, "got NoneType"),
        (dict(v=to_float), TypeError, "got float"),
        (dict(v=to_first), ValueError, "(3, 2), got (1, 2)"),
        (dict(v=to_double), TypeError, "got torch.float64"),
        (dict(v=to_nan), ValueError, "after step 1 of 3, at t=0.333333"),
        (dict(path="ot"), TypeError, "path must be a ProbabilityPath, got str"),
        (dict(path=fmcore.OTPath), TypeError, "path must be a ProbabilityPath, got ABCMeta"),
        (dict(path=Waits()), ValueError, "a(t) / b(t) must grow along the grid"),
        (dict(x0=X.tolist()), TypeError, "x0 must be a torch.Tensor, got list"),
        (dict(x0=X.int()), TypeError, "got torch.int32"),
        (dict(x0=SPOILT), ValueError, "x0 must be finite"),
        (dict(x0=X[0, 0], v=lambda x, t: x), ValueError, "x needs a batch axis"),
        (dict(order=0), ValueError, "order must be a whole number of at least 1, at most 2, got 0"),
        (dict(order=3), ValueError, "got 3"),
        (dict(order="2"), TypeError, "got '2'"),
        (dict(steps=1), ValueError, "order=2 needs at least 2 steps, got steps=1"),
        (dict(steps=0), ValueError, "got 0"),
        (dict(steps=2.5), TypeError, "got 2.5"),
        (dict(predict="score"), ValueError, "predict must be one of 'data', 'noise', got 'score'"),
        (dict(grid="karras"), ValueError, "one of 'uniform', 'log_snr', 'shifted', got 'karras'"),
        (dict(grid=""), ValueError, "got ''"),
        (dict(grid=3), ValueError, "grid must be steps + 1 = 4 times, got shape ()"),
        (dict(grid=[0, 0.5, 1]), ValueError, "grid must be steps + 1 = 4 times, got shape (3,)"),
        (dict(grid=[0, "half", 0.7, 1]), TypeError, "grid must be real numbers"),
        (dict(grid=[0, 0.5, 0.5, 1]), ValueError, "grid must increase, got 0.5 after 0.5"),
        (dict(grid=[1, 0.7, 0.5, 0]), ValueError, "grid must increase, got 0.7 after 1"),
        (dict(grid=[0, 0.5, 0.7, 1.1]), ValueError, "grid must lie in [0, 1], got 1.1"),
        (dict(grid=[-0.1, 0.5, 0.7, 1]), ValueError, "got -0.1"),
        (dict(grid=[0, NAN, 0.7, 1]), ValueError, "got nan"),
        (dict(grid=[0, 0.5, 0.7, INF]), ValueError, "got inf"),
    ),
    *bad(GRIDS["uniform"], dict(path=OT, steps=4), (dict(steps=0), ValueError, "got 0")),
    *bad(
        GRIDS["shifted"],
        dict(path=OT, steps=4),
        (dict(shift=0), ValueError, "shift must be a finite number > 0, got 0"),
        (dict(shift="3"), TypeError, "got '3'"),
        (dict(steps=None), TypeError, "got None"),
    ),
    *bad(
        GRIDS["log_snr"],
        dict(path=OT, steps=4),
        (dict(margin=0), ValueError, "got 0"),
        (dict(margin=0.5), ValueError, "margin must lie in (0, 0.5), got 0.5"),
        (dict(margin=NAN), ValueError, "got nan"),
    ),
    *bad(
        fmcore.sdeint,
        dict(
            drift=turn, diffusion=quiet, x0=X, t_span=(1, 0), method="euler_maruyama", steps=2,
            generator=G, t_eval=[0.7, 0.2],
        ),
        (dict(t_eval=0.5), ValueError, "got shape ()"),
        (dict(t_eval=[0.2, 0.5]), ValueError, "t_eval must run from t0=1 to t1=0, got 0.5 after"),
        (dict(t_eval=[1.5]), ValueError, "got 1.5"),
        (dict(t_eval=torch.tensor([NAN])), ValueError, "got nan"),
        (dict(t_eval="ab"), TypeError, "got 'ab'"),
    ),
]  # fmt: skip
