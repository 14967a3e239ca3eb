"""Bad input to the playground."""

import torch
from calls import bad
from small import noise
from values import NAN, SPOILT, X

from fmcore import viz

ROWS = bad(
    viz.PlaygroundFigure,
    dict(shape="spiral"),
    (dict(shape="own"), ValueError, "shape must be one of 'eight_gaussians'"),
    (dict(shape=3), ValueError, "got 3"),
    (dict(points=X), ValueError, "give shape or points, got shape='spiral'"),
    (dict(shape=None, points=X[:2]), ValueError, "3 to 160 points, got 2"),
    (dict(shape=None, points=noise(161, 2)), ValueError, "3 to 160 points, got 161"),
    (dict(shape=None, points=X[0]), ValueError, "points must have shape (n, 2), got (2,)"),
    (dict(shape=None, points=SPOILT), ValueError, "2 values that are NaN or infinite"),
    (dict(shape=None, points=torch.full((3, 2), 4.0)), ValueError, "[-3.2, 3.2], got one at 4"),
    (dict(shape=None, points=X, width=0), ValueError, "width must be a finite number > 0, got 0"),
    (dict(shape=None, points="moons"), TypeError, "got 'moons'"),
    (dict(path="linear"), ValueError, "path must be one of 'OT', 'VP', 'cosine', got 'linear'"),
    (dict(pairing="crossing"), ValueError, "got 'crossing'"),
    (dict(hidden=50), ValueError, "hidden must be one of 16, 32, 64, 96, 128, got 50"),
    (dict(lr=2.0), ValueError, "got 2.0"),
    (dict(lr=NAN), ValueError, "got nan"),
    (dict(batch_size=100), ValueError, "got 100"),
    (dict(ema=0.5), ValueError, "got 0.5"),
    (dict(steps=100), ValueError, "steps must be"),
    (dict(steps=2.5e3), TypeError, "got 2500.0"),
    (dict(solver="dopri5"), ValueError, "got 'dopri5'"),
    (dict(solver_steps=31), ValueError, "got 31"),
    (dict(t=1.5), ValueError, "t must lie in [0, 1] or be None, got 1.5"),
    (dict(seed=-1), ValueError, "got -1"),
    (dict(caption=3), TypeError, "got 3"),
    (dict(height=10), ValueError, "got 10"),
)
