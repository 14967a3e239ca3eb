"""Bad input to couplings, reflow, and the metrics of transport."""

import torch
from calls import bad
from small import noise
from values import (
    FOUR,
    INF,
    LABELS,
    MLP,
    NAN,
    NET,
    SPOILT,
    G,
    X,
    to_column,
    to_double,
    to_first,
    to_float,
    to_nan,
    to_none,
    turn,
)

from fmcore import couplings, metrics

SIX = noise(6, 2)
HUGE = 1e200 * X.double()


def transport(x0, x1, label=None, weight=0.0):
    """A batch, coupled."""
    return couplings.MinibatchOT(weight)(x0, x1, label, generator=G)


def drawn(x0, label=None, generator=G):
    """As many fixed pairs as rows."""
    return couplings.FixedPairs(SIX, SIX)(x0, x0, label, generator=generator)


def clouds(x, y):
    """What two batches may not be; `x` and `y` are their names."""
    return [
        ({y: SIX}, ValueError, f"{x} and {y} must have the same shape, got (3, 2) and (6, 2)"),
        ({y: X[:, None]}, ValueError, "(3, 2) and (3, 1, 2)"),
        ({y: X.double()}, TypeError, "torch.float32 and torch.float64"),
        ({y: X.tolist()}, TypeError, "got list"),
        ({y: X.long()}, TypeError, "got torch.int64"),
        ({x: X[:, 0], y: X[:, 0]}, ValueError, "(n, *shape), not empty, got (3,)"),
        ({x: X[0, 0], y: X[0, 0]}, ValueError, "(n, *shape), not empty, got ()"),
        ({x: X[:0], y: X[:0]}, ValueError, "not empty, got (0, 2)"),
        ({x: SPOILT}, ValueError, "must be finite"),
        ({y: X / 0}, ValueError, "must be finite"),
    ]


SPACE = [
    (dict(x0=X.tolist()), TypeError, "x0 must be a torch.Tensor, got list"),
    (dict(x0=X.long()), TypeError, "got torch.int64"),
    (dict(x0=SPOILT), ValueError, "x0 must be finite"),
    (dict(x0=X[0]), ValueError, "(B, *shape), not empty, got (2,)"),
    (dict(x0=X[:0]), ValueError, "(B, *shape), not empty, got (0, 2)"),
    (dict(v=3), TypeError, "got int"),
    (dict(v=to_none), TypeError, "got NoneType"),
    (dict(v=to_column), ValueError, "(3, 2), got (3, 1)"),
    (dict(v=to_double), TypeError, "got torch.float64"),
    (dict(v=to_nan), ValueError, "NaN or infinity in the state"),
    (dict(steps=0), ValueError, "got 0"),
    (dict(steps=None), TypeError, "got None"),
    (dict(method="eular"), ValueError, "got 'eular'"),
]

ROWS = [
    *bad(
        couplings.MinibatchOT,
        dict(label_weight=1.0),
        (dict(label_weight=-1), ValueError, "must be a finite number >= 0, got -1"),
        (dict(label_weight=NAN), ValueError, "got nan"),
        (dict(label_weight=INF), ValueError, "got inf"),
        (dict(label_weight="1"), TypeError, "got '1'"),
        (dict(label_weight=True), TypeError, "got True"),
    ),
    *bad(
        transport,
        dict(x0=X, x1=X + 1, label=LABELS[:3], weight=1.0),
        *clouds("x0", "x1"),
        (dict(x0=HUGE, x1=-HUGE.flip(0)), ValueError, "squared distances must be finite"),
        (dict(label=None), ValueError, "label_weight=1 needs labels, got none"),
        (dict(label=LABELS), ValueError, "label must have shape (3,), got (4,)"),
        (dict(label=LABELS, weight=0.0), ValueError, "label must have shape (3,), got (4,)"),
        (dict(label=LABELS[:3, None]), ValueError, "label must have shape (3,), got (3, 1)"),
        (dict(label=[0, 1, 2]), TypeError, "got list"),
        (dict(label=SIX), ValueError, "label must have shape (3, *any), got (6, 2)"),
        (dict(label=torch.tensor(0.5)), ValueError, "(3, *any), got ()"),
        (dict(label=X / 0), ValueError, "must be finite"),
    ),
    *bad(
        couplings.FixedPairs,
        dict(x0=X, x1=X + 1),
        *clouds("x0", "x1"),
    ),
    *bad(
        drawn,
        dict(x0=X),
        (dict(label=LABELS), ValueError, "fixed pairs have no labels"),
        (dict(generator=None), TypeError, "got NoneType"),
    ),
    *bad(
        couplings.reflow_pairs,
        dict(v=turn, n=4, shape=(2,), method="midpoint", steps=2, generator=G),
        (dict(v="mnist"), TypeError, "got str"),
        (dict(v=to_none), TypeError, "got NoneType"),
        (dict(v=to_float), TypeError, "got float"),
        (dict(v=to_first), ValueError, "of x's shape (4, 2), got (1, 2)"),
        (dict(v=to_column), ValueError, "of x's shape (4, 2), got (4, 1)"),
        (dict(v=to_double), TypeError, "got torch.float64"),
        (dict(v=to_nan), ValueError, "NaN or infinity in the state"),
        (dict(v=MLP, shape=(3,)), ValueError, "got (4, 3)"),
        (dict(v=NET), ValueError, "got (4, 2)"),
        (dict(n=0), ValueError, "n must be a whole number of at least 1, got 0"),
        (dict(n=2.5), TypeError, "got 2.5"),
        (dict(shape=2), TypeError, "such as (2,), got 2"),
        (dict(shape=(0,)), ValueError, "each side of shape must be"),
        (dict(shape=("2",)), TypeError, "each side of shape must be"),
        (dict(method="eular"), ValueError, "got 'eular'"),
        (dict(method="dopri5", steps=None), TypeError, "steps must be a whole number"),
        (dict(steps=0), ValueError, "got 0"),
        (dict(generator=None), TypeError, "got NoneType"),
        (dict(v=MLP, generator=None), TypeError, "got NoneType"),
    ),
    *bad(metrics.straightness, dict(v=turn, x0=X, steps=2), *SPACE),
    *bad(
        metrics.path_length,
        dict(v=turn, x0=X, steps=2),
        *SPACE,
        (dict(relative="yes"), TypeError, "relative must be True or False, got 'yes'"),
        (dict(v=lambda x, t: 0 * x, relative=True), ValueError, "needs a row of x0 that ends"),
    ),
    *bad(
        metrics.wasserstein2,
        dict(x=X, y=X + 1),
        *clouds("x", "y"),
        (dict(x=FOUR, y=FOUR[:, 0]), ValueError, "(4, 1, 8, 8) and (4, 8, 8)"),
        (dict(x=HUGE, y=-HUGE.flip(0)), ValueError, "squared distances must be finite"),
    ),
]
