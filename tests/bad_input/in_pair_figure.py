"""Bad input to the field of pairs and to its figure."""

import torch
from calls import bad
from small import noise
from values import INF, NAN, SPOILT, TIMES, X

from fmcore import fields, viz

Y = noise(3, 2, seed=2)
PAIRS = fields.PairField(X, Y, width=0.3)
GOOD = dict(x0=X, x1=Y, steps=2)
FIGURE = viz.PairFigure(**GOOD)

ROWS = [
    *bad(
        fields.PairField,
        dict(x0=X, x1=Y),
        (dict(x0=X.tolist()), TypeError, "x0 must be a tensor of a floating dtype, got list"),
        (dict(x1=Y.int()), TypeError, "got torch.int32"),
        (dict(x1=Y.double()), TypeError, "same dtype, got torch.float32 and torch.float64"),
        (dict(x1=Y[:2]), ValueError, "same shape, got (3, 2) and (2, 2)"),
        (dict(x1=Y[:, :1]), ValueError, "same shape, got (3, 2) and (3, 1)"),
        (dict(x0=X[0], x1=Y[0]), ValueError, "(n, d), not empty, got (2,)"),
        (dict(x0=X[None], x1=Y[None]), ValueError, "(n, d), not empty, got (1, 3, 2)"),
        (dict(x0=X[:0], x1=Y[:0]), ValueError, "(n, d), not empty, got (0, 2)"),
        (dict(x0=SPOILT), ValueError, "x0 must be finite"),
        (dict(x1=SPOILT), ValueError, "x1 must be finite"),
        (dict(width=0), ValueError, "width must be a finite number > 0, got 0"),
        (dict(width=-0.1), ValueError, "got -0.1"),
        (dict(width=INF), ValueError, "got inf"),
        (dict(width=NAN), ValueError, "got nan"),
        (dict(width="thin"), TypeError, "got 'thin'"),
    ),
    *bad(
        PAIRS,
        dict(x=X, t=0.5),
        (dict(x=X.tolist()), TypeError, "got list"),
        (dict(x=X.int()), TypeError, "got torch.int32"),
        (dict(x=X[:, :1]), ValueError, "(3, 1)"),
        (dict(x=X[0]), ValueError, "(2,)"),
        (dict(t=1.0000001), ValueError, "t must lie in [0, 1]"),
        (dict(t=-0.1), ValueError, "got -0.1"),
        (dict(t=NAN), ValueError, "got nan"),
        (dict(t=TIMES[:2]), ValueError, "got shape (2,)"),
        (dict(t="now"), TypeError, "got 'now'"),
        (dict(t=None), TypeError, "got None"),
    ),
    *bad(PAIRS.log_prob, dict(x=X, t=0.5), (dict(t=2.0), ValueError, "got 2.0")),
    *bad(
        viz.PairFigure,
        GOOD,
        (dict(x0=None), TypeError, "x0 must be real numbers, got None"),
        (dict(x0=X[0]), ValueError, "x0 must have shape (n, 2), got (2,)"),
        (dict(x0=noise(3, 3)), ValueError, "x0 must have shape (n, 2), got (3, 3)"),
        (dict(x0=SPOILT), ValueError, "x0 holds 2 values that are NaN or infinite"),
        (dict(x1=SPOILT), ValueError, "x1 holds 2 values that are NaN or infinite"),
        (dict(x1=torch.zeros(3, 2, dtype=torch.bool)), TypeError, "got torch.bool"),
        (dict(x0=X[:2]), ValueError, "x0 must be 3 to 60 points, got 2"),
        (dict(x1=noise(61, 2)), ValueError, "x1 must be 3 to 60 points, got 61"),
        (dict(x1=noise(4, 2)), ValueError, "equally many points, got 3 and 4"),
        (dict(pairing="own"), ValueError, "pairing must be one of"),
        (dict(pairing="OT"), ValueError, "got 'OT'"),
        (dict(pairing=None), ValueError, "got None"),
        (dict(width=0), ValueError, "width must be a finite number > 0, got 0"),
        (dict(width="thin"), TypeError, "got 'thin'"),
        (dict(steps=0), ValueError, "got 0"),
        (dict(steps=401), ValueError, "at most 400, got 401"),
        (dict(steps=2.5), TypeError, "got 2.5"),
        (dict(extent=(1, 0, 0, 1)), ValueError, "got (1, 0, 0, 1)"),
        (dict(extent=3), TypeError, "got 3"),
        (dict(t=1.5), ValueError, "t must lie in [0, 1] or be None, got 1.5"),
        (dict(t="now"), TypeError, "got 'now'"),
        (dict(seed=-1), ValueError, "got -1"),
        (dict(seed=2**53), ValueError, "got 9007199254740992"),
        (dict(caption=3), TypeError, "got 3"),
        (dict(alt=None), TypeError, "got None"),
        (dict(height=10), ValueError, "got 10"),
    ),
    *bad(
        FIGURE.partners,
        dict(pairing="ot"),
        (dict(pairing="own"), ValueError, "got 'own'"),
    ),
]
