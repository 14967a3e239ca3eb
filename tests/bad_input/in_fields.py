"""Bad input to targets, marginal fields and winds."""

import torch
from calls import bad
from values import INF, MIX, NAN, OT, POINTS, TIMES, G, X

import fmcore
from fmcore import fields

WIND = fields.Storm()
FIELD = fmcore.MarginalField(MIX, OT)


def together(one, other):
    """Two winds at once."""
    return one + other


FIELDS = [
    *bad(
        fmcore.GaussianMixture,
        dict(means=[[0.0, 1.0], [2.0, 0.0]], stds=0.5, weights=[1, 3]),
        (dict(means="two"), TypeError, "means must be real numbers, got 'two'"),
        (dict(means=None), TypeError, "got None"),
        (dict(means=[["a", "b"]]), TypeError, "got [['a', 'b']]"),
        (dict(means=[[0.0], [1.0, 2.0]]), TypeError, "got [[0.0], [1.0, 2.0]]"),
        (dict(means=[[True, False]]), TypeError, "means must be real numbers, got torch.bool"),
        (dict(means=[[1j]]), TypeError, "got torch.complex64"),
        (dict(means=[0.0, 1.0]), ValueError, "(K, D), got (2,)"),
        (dict(means=torch.zeros(0, 2)), ValueError, "got (0, 2)"),
        (dict(means=[[NAN, 0.0]]), ValueError, "means must be finite, got NaN"),
        (dict(stds=0), ValueError, "stds must be > 0, got 0"),
        (dict(stds=-1e-9), ValueError, "got -1e-09"),
        (dict(stds=INF), ValueError, "stds must be finite"),
        (dict(stds=[1.0] * 3), ValueError, "got (3,)"),
        (dict(stds="wide"), TypeError, "got 'wide'"),
        (dict(stds=True), TypeError, "got torch.bool"),
        (dict(weights=[1, -1]), ValueError, "weights must be > 0, got -1"),
        (dict(weights=[1, 1, 1]), ValueError, "weights must have shape (2,)"),
        (dict(weights=[1, "a"]), TypeError, "got [1, 'a']"),
    ),
    *bad(
        MIX.sample,
        dict(n=3, generator=G),
        (dict(n=0), ValueError, "got 0"),
        (dict(n=2.0), TypeError, "got 2.0"),
        (dict(n=True), TypeError, "got True"),
        (dict(n=torch.zeros(2)), TypeError, "got tensor([0., 0.])"),
        (dict(generator=None), TypeError, "torch.Generator().manual_seed(0); got NoneType"),
        (dict(generator=0), TypeError, "got int"),
    ),
    *bad(
        MIX.log_prob,
        dict(x=X),
        (dict(x=X.tolist()), TypeError, "got list"),
        (dict(x=X.int()), TypeError, "got torch.int32"),
        (dict(x=X[0]), ValueError, "(2,), but the target asks for (B, 2)"),
        (dict(x=X[:, :1]), ValueError, "(3, 1), but the target asks for (B, 2)"),
    ),
    *bad(
        fmcore.Empirical,
        dict(points=[[0.0, 1.0]]),
        (dict(points=[1.0, 2.0]), ValueError, "(N, *shape), got (2,)"),
        (dict(points=torch.zeros(0, 2)), ValueError, "got (0, 2)"),
        (dict(points=[[INF]]), ValueError, "points must be finite"),
        (dict(points=None), TypeError, "got None"),
        (dict(points=[["a"]]), TypeError, "got [['a']]"),
        (dict(points=X.cfloat()), TypeError, "got torch.complex64"),
    ),
    *bad(
        POINTS.sample,
        dict(n=3, generator=G),
        (dict(n=-1), ValueError, "got -1"),
        (dict(n="3"), TypeError, "got '3'"),
        (dict(generator=None), TypeError, "got NoneType"),
    ),
    *bad(
        fmcore.MarginalField,
        dict(target=MIX, path=OT),
        (dict(target=[[0.0]]), TypeError, "a GaussianMixture or an Empirical, got list"),
        (dict(target=None), TypeError, "got NoneType"),
        (dict(path="ot"), TypeError, "path must be a ProbabilityPath, got str"),
        (dict(path=fmcore.OTPath), TypeError, "got ABCMeta"),
    ),
    *bad(
        FIELD,
        dict(x=X, t=0.5),
        (dict(x=X.tolist()), TypeError, "got list"),
        (dict(x=X[:, 0]), ValueError, "(3,), but the target asks for (B, 2)"),
        (dict(t=1.5), ValueError, "t must lie in [0, 1] (0 is noise, 1 is data), got 1.5"),
        (dict(t=1.0000001), ValueError, "got 1.0000001"),
        (dict(t=NAN), ValueError, "got nan"),
        (dict(t=TIMES[:2]), ValueError, "(3,) for x of shape (3, 2), got shape (2,)"),
        (dict(t=TIMES[:, None]), ValueError, "got shape (3, 1)"),
        (dict(t="now"), TypeError, "got 'now'"),
        (dict(t=None), TypeError, "got None"),
        (dict(t=True), TypeError, "got True"),
    ),
    *bad(
        fmcore.MarginalField(POINTS, OT).score,
        dict(x=X, t=0.5),
        (dict(t=1.0), ValueError, "at t = 1 the particles have arrived"),
        (dict(t=torch.tensor(1.0)), ValueError, "at t = 1 the particles have arrived"),
        (dict(x=X.int()), TypeError, "got torch.int32"),
    ),
    *bad(FIELD.posterior, dict(x=X, t=0.5), (dict(t=-0.1), ValueError, "got -0.1")),
    *bad(FIELD.log_prob, dict(x=X, t=0.5), (dict(x=X[:, :1]), ValueError, "(3, 1)")),
    *bad(FIELD.variance, dict(x=X, t=0.5), (dict(x=X.int()), TypeError, "got torch.int32")),
]

WINDS = [
    *bad(
        fields.Uniform,
        dict(velocity=(1.0, 0.0)),
        (dict(velocity=3.0), TypeError, "velocity must be a pair of numbers, got 3.0"),
        (dict(velocity=(1, 2, 3)), ValueError, "got 3 of them"),
        (dict(velocity="NE"), TypeError, "got 'N'"),
        (dict(velocity=(True, 0.0)), TypeError, "got True"),
    ),
    *bad(
        fields.Rotation,
        dict(rate=1.0),
        (dict(rate="fast"), TypeError, "got 'fast'"),
        (dict(rate=True), TypeError, "got True"),
        (dict(rate=NAN), ValueError, "got nan"),
    ),
    *bad(fields.Shear, dict(rate=1.0), (dict(rate=None), TypeError, "got None")),
    *bad(fields.Saddle, dict(rate=1.0), (dict(rate=INF), ValueError, "got inf")),
    *bad(
        fields.Vortex,
        dict(center=(0, 0), strength=1.0, core=0.5),
        (dict(core=0), ValueError, "core must be a finite number > 0, got 0"),
        (dict(center=(0, NAN)), ValueError, "center must be a finite number, got nan"),
        (dict(strength=[1.0]), TypeError, "got [1.0]"),
    ),
    *bad(
        fields.Storm,
        {},
        (dict(core=-0.8), ValueError, "got -0.8"),
        (dict(bend=0.5), TypeError, "got 0.5"),
        (dict(decay="slow"), TypeError, "got 'slow'"),
    ),
    *bad(
        WIND.eye,
        dict(t=0.5),
        (dict(t="now"), TypeError, "got 'now'"),
        (dict(t=None), TypeError, "got None"),
        (dict(t=True), TypeError, "got torch.bool"),
    ),
    *bad(
        WIND,
        dict(x=X, t=0.5),
        (dict(x=[[0.0, 1.0]]), TypeError, "got list"),
        (dict(x=X.long()), TypeError, "got torch.int64"),
        (dict(x=torch.zeros(3, 3)), ValueError, "x must be (B, 2), got (3, 3)"),
        (dict(t=2), ValueError, "got 2.0"),
    ),
    *bad(WIND.divergence, dict(x=X, t=0.5), (dict(x=X[0]), ValueError, "got (2,)")),
    *bad(
        fields.Sum,
        dict(winds=(WIND, WIND)),
        (dict(winds=()), ValueError, "at least one wind, got none"),
        (dict(winds=(WIND, 3)), TypeError, "got int"),
        (dict(winds=WIND), TypeError, "winds must be a sequence of winds, got Storm"),
        (dict(winds=None), TypeError, "got NoneType"),
    ),
    *bad(together, dict(one=WIND, other=WIND), (dict(other=3), TypeError, "'Storm' and 'int'")),
]

ROWS = [*FIELDS, *WINDS]
