"""Bad input to flow maps: their losses, their jumps, and the flow map that is solved for."""

from calls import bad
from in_training import LOSS
from values import INF, MLP, NET, OT, TIMES, G, X, still, to_first, to_none, turn

import fmcore
from fmcore import losses


def mean(x, s, t, label=None):
    """A good mean velocity of anything."""
    return 0 * x


def with_weights(x, s, t):
    return x[:1]


def nothing(x, s, t):
    return None


def two(x, s=0.0, t=1.0, label=None):
    return fmcore.TwoTimes("MLP", hidden=8)(x, s, t, label)


def oracle(x, s=0.0, t=1.0):
    return fmcore.FlowMap(turn)(x, s, t)


def end(x, s=0.0, t=1.0):
    return fmcore.FlowMap(turn).end(x, s, t)


ALSO_CFM = [row for row in LOSS if not {"net", "t", "times"} & set(row[0])]
SPAN = [
    (dict(x=X.int()), TypeError, "got torch.int32"),
    (dict(x=X.tolist()), TypeError, "got list"),
    (dict(s=-0.1), ValueError, "got -0.1"),
    (dict(t=1.5), ValueError, "got 1.5"),
    (dict(t=TIMES[:2]), ValueError, "got shape (2,)"),
    (dict(s="0"), TypeError, "got '0'"),
]

ROWS = [
    *bad(
        fmcore.flow_map_loss,
        dict(net=mean, path=OT, x1=X, rule="mean_flow", generator=G),
        *ALSO_CFM,
        (dict(rule="mean"), ValueError, "one of 'consistency', 'shortcut', 'mean_flow'"),
        (dict(rule=None), ValueError, "got None"),
        (dict(net=None), TypeError, "got NoneType"),
        (dict(net=MLP), TypeError, "MLP takes one time"),
        (dict(net=NET), TypeError, "UNet takes one time"),
        (dict(net=still), TypeError, "function takes one time"),
        (dict(net=with_weights), ValueError, "(1, 2) and (3, 2)"),
        (dict(net=nothing), TypeError, "got NoneType"),
        (dict(times="uniform"), TypeError, "got 'uniform'"),
        (dict(times=losses.uniform_times), ValueError, "(3, 2), got (3,)"),
        (dict(t=0.5), TypeError, "a pair (s, t) or a tensor (3, 2), got 0.5"),
        (dict(t=TIMES), ValueError, "(3, 2), got (3,)"),
        (dict(t=(0.5, 0.2)), ValueError, "s <= t, got s = 0.5 and t = 0.2"),
        (dict(t=(0.5, 1.2)), ValueError, "got 1.2"),
        (dict(t=(-0.5, 0.2)), ValueError, "got -0.5"),
        (dict(t=(0.5,)), TypeError, "got (0.5,)"),
        (dict(teacher=3), TypeError, "got int"),
        (dict(teacher=to_first), ValueError, "(1, 2) and (3, 2)"),
        (dict(teacher=to_none), TypeError, "got NoneType"),
        (
            dict(teacher=fmcore.FlowModel(MLP, fmcore.CosinePath(), (2,))),
            ValueError,
            "a field along CosinePath()",
        ),
        (dict(guidance=INF), ValueError, "got inf"),
        (dict(teacher=turn, guidance=3.0), ValueError, "without a teacher, got 3"),
        (dict(adaptive=-1), ValueError, "got -1"),
    ),
    *bad(
        fmcore.jump,
        dict(net=mean, x0=X),
        (dict(net=MLP), TypeError, "MLP takes one time"),
        (dict(net=None), TypeError, "NoneType"),
        (dict(net=with_weights), ValueError, "(1, 2) and (3, 2)"),
        (dict(x0=X.tolist()), TypeError, "got list"),
        (dict(x0=X.int()), TypeError, "got torch.int32"),
        (dict(steps=0), ValueError, "got 0"),
        (dict(steps=1.5), TypeError, "got 1.5"),
        (dict(steps=None), TypeError, "got None"),
    ),
    *bad(
        fmcore.FlowMap,
        dict(field=turn),
        (dict(field=3), TypeError, "got int"),
        (dict(method="rk5"), ValueError, "got 'rk5'"),
        (dict(steps=0), ValueError, "got 0"),
    ),
    *bad(
        fmcore.TwoTimes,
        dict(of="MLP"),
        (dict(of="ResNet"), ValueError, "one of 'UNet', 'MLP', got 'ResNet'"),
        (dict(of=None), ValueError, "got None"),
        (dict(hidden=0), ValueError, "got 0"),
        (dict(base=8), TypeError, "base"),
    ),
    *bad(
        fmcore.TwoTimes.from_one,
        dict(net=MLP),
        (dict(net=turn), TypeError, "got function"),
        (dict(net=fmcore.TwoTimes("MLP")), TypeError, "got TwoTimes"),
    ),
    *bad(
        two,
        dict(x=X),
        *SPAN,
        (dict(s=0.5, t=0.25), ValueError, "s = 0.5 and t = 0.25"),
        (dict(x=X[:, :1]), ValueError, "got (3, 1)"),
        (dict(x=X.double()), TypeError, "got torch.float64"),
        (dict(label=TIMES), ValueError, "built without a condition"),
    ),
    *bad(oracle, dict(x=X), *SPAN),
    *bad(end, dict(x=X), *SPAN),
    *bad(
        losses.sorted_pairs,
        dict(x=X, generator=G),
        (dict(diagonal=-0.1), ValueError, "got -0.1"),
        (dict(diagonal=1.5), ValueError, "got 1.5"),
        (dict(generator=None), TypeError, "got NoneType"),
    ),
]
