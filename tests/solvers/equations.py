"""Equations whose solutions are known, and what the tests of solvers ask of them."""

import math

import torch

from fmcore.solvers import SOLVERS

F64 = torch.float64


METHODS = list(SOLVERS)


PAIRS = ["bosh3", "dopri5"]


ONE = torch.ones(1, dtype=F64)


NAN = float("nan")


# Evaluations a step: an FSAL method's last slope is the next step's first.
STAGES = {"euler": 1, "midpoint": 2, "heun": 2, "rk4": 4, "bosh3": 3, "dopri5": 6}


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


COARSEST = {"euler": 2000, "midpoint": 400, "heun": 400, "bosh3": 200, "rk4": 120, "dopri5": 60}
