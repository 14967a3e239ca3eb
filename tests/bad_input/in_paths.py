"""Bad input to a change of path, to predictions and to noise that is chosen when sampling."""

import torch
from calls import bad
from small import noise
from values import INF, LABELS, NAN, NET, OT, TIMES, G, X, still, to_first, to_none, turn

from fmcore.losses import prediction_loss
from fmcore.paths import (
    CosinePath,
    VPPath,
    as_velocity,
    change_path,
    error_weight,
    prediction_target,
)
from fmcore.stochastic import same_marginals

COSINE, VP = CosinePath(), VPPath()


def changed(x, t, **arguments):
    """A field of another path, evaluated."""
    return change_path(**{"v": turn, "path": OT, "other": COSINE, **arguments})(x, t)


def stands_for(x, t, **arguments):
    """A prediction as a velocity, evaluated."""
    return as_velocity(**{"net": still, "path": OT, "predict": "noise", **arguments})(x, t)


def drifted(x, t, **arguments):
    """A drift, evaluated."""
    return same_marginals(**{"v": still, "path": OT, "noise": 1.0, **arguments})[0](x, t)


def shaken(x, t, noise):
    """A diffusion, evaluated."""
    return same_marginals(still, OT, noise=noise)[1](x, t)


ROWS = [
    *bad(
        COSINE.sample,
        dict(x0=X, x1=X, t=1.0),
        (dict(t=1.1), ValueError, "got 1.1"),
    ),
    *bad(
        COSINE.velocity_to_score,
        dict(v=X, x=X, t=0.5),
        (dict(t=1), ValueError, "t = 1 on CosinePath"),
    ),
    *bad(
        change_path,
        dict(v=turn, path=OT, other=COSINE),
        (dict(v="turn"), TypeError, "got str"),
        (dict(path="OTPath"), TypeError, "got str"),
        (dict(other=CosinePath), TypeError, "got ABCMeta"),
        (dict(v=change_path(turn, OT, COSINE)), ValueError, "along CosinePath(), and path is OT"),
    ),
    *bad(
        changed,
        dict(x=X, t=0.5),
        (dict(t=-0.5), ValueError, "got -0.5"),
        (dict(t=TIMES[:2]), ValueError, "got shape (2,)"),
        (dict(v=to_none), TypeError, "got NoneType"),
        (dict(v=to_first), ValueError, "got (1, 2) and (3, 2)"),
        (dict(t=1.0, other=VP), ValueError, "t = 1 on VPPath"),
    ),
    *bad(
        as_velocity,
        dict(net=still, path=OT, predict="noise"),
        (dict(net=None), TypeError, "got NoneType"),
        (dict(path=0.5), TypeError, "got float"),
        (dict(predict="epsilon"), ValueError, "got 'epsilon'"),
        (dict(predict=None), ValueError, "got None"),
        (dict(gain=0), ValueError, "got 0"),
        (dict(gain=0.5), ValueError, "a gain of at most 0.5 for the noise"),
        (dict(gain="no"), TypeError, "got 'no'"),
        (dict(net=change_path(turn, OT, COSINE)), ValueError, "along CosinePath(), and path is OT"),
    ),
    *bad(
        stands_for,
        dict(x=X, t=0.5),
        (dict(t=NAN), ValueError, "got nan"),
        (dict(net=to_none), TypeError, "got NoneType"),
        (dict(t=1.5), ValueError, "got 1.5"),
        (dict(net=to_first), ValueError, "got (1, 2) and (3, 2)"),
    ),
    *bad(
        error_weight,
        dict(path=OT, t=TIMES, predict="noise"),
        (dict(t=0.5), TypeError, "got float"),
        (dict(predict="x"), ValueError, "predict must be one of 'velocity', 'data', 'noise'"),
        (dict(measure="x"), ValueError, "measure must be one of 'velocity', 'data', 'noise'"),
        (dict(t=0 * TIMES), ValueError, "t = 0 on OTPath"),
    ),
    *bad(
        prediction_target,
        dict(path=OT, x0=X, x1=X, t=0.5, predict="score"),
        (dict(x0=X.double()), TypeError, "got torch.float64 and torch.float32"),
        (dict(t=1.0), ValueError, "the score is infinite: t = 1 on OTPath"),
        (dict(t=2), ValueError, "got 2.0"),
        (dict(predict="x0"), ValueError, "got 'x0'"),
    ),
    *bad(
        prediction_loss,
        dict(net=NET, path=OT, x1=noise(4, 1, 8, 8), predict="noise", generator=G),
        (dict(net="net"), TypeError, "got str"),
        (dict(path=None), TypeError, "got None"),
        (dict(predict="eps"), ValueError, "got 'eps'"),
        (dict(measure="eps"), ValueError, "got 'eps'"),
        (dict(generator=None), TypeError, "got NoneType"),
        (dict(t=0.0, measure="velocity"), ValueError, "t = 0 on OTPath"),
        (dict(weight=LABELS[:2]), ValueError, "got (2,)"),
        (dict(times=0.5), TypeError, "got 0.5"),
        (dict(net=to_first), ValueError, "got (1, 1, 8, 8)"),
    ),
    *bad(
        same_marginals,
        dict(v=still, path=OT, noise=1.0),
        (dict(v=0), TypeError, "got int"),
        (dict(path=CosinePath), TypeError, "got ABCMeta"),
        (dict(noise=-1), ValueError, "got -1"),
        (dict(noise=INF), ValueError, "got inf"),
        (dict(noise="much"), TypeError, "got 'much'"),
        (dict(backward=1), TypeError, "got 1"),
        (dict(v=change_path(turn, OT, COSINE)), ValueError, "along CosinePath(), and path is OT"),
    ),
    *bad(
        drifted,
        dict(x=X, t=0.5),
        (dict(noise=lambda t: NAN), ValueError, "got nan at t = 0.5"),
        (dict(t=1.0), ValueError, "where b(t) = 0"),
        (dict(t=1.5), ValueError, "got 1.5"),
        (dict(v=to_first), ValueError, "got (1, 2) and (3, 2)"),
    ),
    *bad(
        shaken,
        dict(x=X, t=0.5, noise=1.0),
        (dict(noise=torch.neg), ValueError, "got -0.5 at t = 0.5"),
        (dict(noise=str), TypeError, "got 'tensor(0.5000)'"),
    ),
]
