"""Methods, and fields whose solution is known, for the tests of the solvers."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch

from fmcore.solvers import SOLVERS

F64 = torch.float64
METHODS = list(SOLVERS)
PAIRS = [name for name, s in SOLVERS.items() if s.b_embedded]
ONE = torch.ones(1, dtype=F64)
NAN = float("nan")


class Known(NamedTuple):
    """What is known of a method, from the literature and not from its tableau."""

    nodes: Sequence[float]  # where a step reads the field; an FSAL method's last slope is the next
    between: int  # order of the output between the grid points, in a single step
    coarsest: int  # as few steps as show its order

    @property
    def evaluations(self):
        """Of the field, a step."""
        return len(self.nodes)


KNOWN = {
    "euler": Known([0], between=1, coarsest=2000),
    "midpoint": Known([0, 1 / 2], between=2, coarsest=400),
    "heun": Known([0, 1], between=2, coarsest=400),
    "rk4": Known([0, 1 / 2, 1 / 2, 1], between=3, coarsest=120),
    "bosh3": Known([0, 1 / 2, 3 / 4], between=3, coarsest=200),
    "dopri5": Known([0, 1 / 5, 3 / 10, 4 / 5, 8 / 9, 1], between=4, coarsest=60),
}


def known(method):
    """The row of a method, or what its tableau promises if it has none: a new one needs no row."""
    s = SOLVERS[method]
    last_is_next = s.stages > 1 and s.a[-1] == s.b[:-1]
    coarsest = {1: 2000, 2: 400, 3: 200, 4: 120, 5: 60}.get(s.order, 30)
    promised = Known(s.c[: s.stages - last_is_next], max(1, s.order - 1), coarsest)
    return KNOWN.get(method, promised)


def listed(names):
    """As they are listed in an error message."""
    return ", ".join(map(repr, names))


def decay(x, t):
    return -x


class Forced:
    """x' = A x + cos(3 t) p + sin(3 t) q for a batch of rows x, solved by a matrix exponential."""

    def __init__(self):
        g = torch.Generator().manual_seed(5678)
        self.a = torch.randn(4, 4, dtype=F64, generator=g) * 0.6
        self.p, self.q = torch.randn(2, 4, dtype=F64, generator=g)
        self.x0 = torch.randn(3, 4, dtype=F64, generator=g)
        self.t0, self.t1 = 0.3, 3.3

    def __call__(self, x, t):
        return x @ self.a.T + torch.cos(3 * t) * self.p + torch.sin(3 * t) * self.q

    def exact(self, t):
        # (x, cos, sin) together obey a linear system with constant coefficients.
        m = torch.zeros(6, 6, dtype=F64)
        m[:4, :4], m[:4, 4], m[:4, 5] = self.a, self.p, self.q
        m[4, 5], m[5, 4] = -3.0, 3.0
        clock = torch.tensor([math.cos(3 * self.t0), math.sin(3 * self.t0)], dtype=F64)
        z0 = torch.cat((self.x0, clock.expand(3, 2)), dim=1)
        return (z0 @ torch.matrix_exp(m * (t - self.t0)).T)[:, :4]


class Tutorial:
    """x' = (x + t^2 - 2) / (t + 1), with x = t^2 + 2 t + 2 - 2 (t + 1) log(t + 1) + c (t + 1)."""

    t0, t1 = 0.0, 5.0
    x0 = torch.tensor([[2.0], [3.5]], dtype=F64)

    def __call__(self, x, t):
        return (x + t**2 - 2) / (t + 1)

    def exact(self, t):
        # Variation of constants: (x / (t + 1))' = (t^2 - 2) / (t + 1)^2.
        particular = (t + 1) * (t + 1 - 2 * math.log(t + 1) + 1 / (t + 1))
        return particular + (self.x0 - 2) * (t + 1)


FIELDS = {"forced": Forced(), "tutorial": Tutorial()}


def observed_order(error, coarsest):
    """Slope of log error on log step, where the step is halved."""
    coarse, fine = error(coarsest), error(2 * coarsest)
    assert fine > 1e-12, "rounding hides the order"
    return math.log2(coarse / fine)
