"""Bad input to what edits data, and to the figures of the hand and of the wires."""

from functools import cache

import torch
from calls import bad
from small import noise
from values import CLASSES, IMAGES, INF, NAN, NET, OT, VECTORS, G

import fmcore
from fmcore import viz

MODEL = fmcore.FlowModel(NET, OT, shape=(1, 8, 8))
OTHER = fmcore.FlowModel(NET, OT, shape=(3, 8, 8))
FEW = fmcore.FlowModel(CLASSES, OT, shape=(1, 8, 8))
X1, KEEP = IMAGES.clamp(-1, 1), IMAGES > 0
DIGITS = {"a": noise(1, 8, 8).clamp(-1, 1), "b": noise(1, 8, 8, seed=2).clamp(-1, 1)}

COMMON = [
    (dict(model=3), TypeError, "model must be callable as model(x, t), got int"),
    (dict(model=NET), TypeError, "UNet has no path: pass path=, got None"),
    (dict(path="ot"), TypeError, "got 'ot'"),
    (dict(x1=X1.tolist()), TypeError, "x1 must be a tensor of a floating dtype, got list"),
    (dict(x1=KEEP), TypeError, "got torch.bool"),
    (dict(x1=X1[:0]), ValueError, "(B, *shape), not empty, got (0, 1, 8, 8)"),
    (dict(x1=X1.flatten()), ValueError, "got (128,)"),
    (dict(x1=X1 * INF), ValueError, "x1 must be finite"),
    (dict(label=3), ValueError, "FlowModel takes none"),
    (dict(guidance=2.0), ValueError, "guidance=2.0 pushes towards a label, and none is given"),
    (dict(model=FEW, label=11), ValueError, "11"),
    (dict(model=FEW, label=[1, 2, 3]), ValueError, "(2,)"),
    (dict(model=FEW, label=1, guidance=NAN), ValueError, "got nan"),
    (dict(generator=None), TypeError, "generator must be a torch.Generator"),
    (dict(steps=0), ValueError, "got 0"),
    (dict(steps=1.5), TypeError, "got 1.5"),
]
TIME = [
    (dict(t=1.1), ValueError, "got 1.1"),
    (dict(t=-0.1), ValueError, "got -0.1"),
    (dict(t=NAN), ValueError, "got nan"),
    (dict(t="now"), TypeError, "got 'now'"),
    (dict(t=torch.tensor([0.2, 0.4])), TypeError, "t must be a finite number, got tensor("),
    (dict(method="huen"), ValueError, "huen"),
]


@cache
def figure():
    return viz.HandFigure(MODEL, digits=DIGITS)


def still(t):
    """That of the figure."""
    return figure().still(t)


ROWS = [
    *bad(fmcore.encode, dict(model=MODEL, x1=X1, steps=1, generator=G), *COMMON, *TIME),
    *bad(fmcore.edit, dict(model=MODEL, x1=X1, t=0.5, steps=1, generator=G), *COMMON, *TIME),
    *bad(
        fmcore.inpaint,
        dict(model=MODEL, x1=X1, keep=KEEP, steps=1, generator=G),
        *COMMON,
        (dict(keep=None), TypeError, "keep must be a tensor of torch.bool, or of times"),
        (dict(keep=KEEP.int()), TypeError, "got torch.int32"),
        (dict(keep=KEEP[:1]), ValueError, "the shape of x1, (2, 1, 8, 8), got (1, 1, 8, 8)"),
        (dict(keep=2.0 * KEEP), ValueError, "keep must hold times in [0, 1]"),
        (dict(keep=NAN * X1), ValueError, "keep must hold times in [0, 1]"),
    ),
    *bad(
        viz.HandFigure,
        dict(model=MODEL, digits=DIGITS),
        (dict(model=NET), TypeError, "no page can run UNet"),
        (dict(model=OTHER), TypeError, "no page can run FlowModel (3, 8, 8)"),
        (dict(model=fmcore.FlowModel(VECTORS, OT, (1, 8, 8))), TypeError, "one of MLP"),
        (dict(digits=[DIGITS["a"]]), TypeError, "digits must be images by name, got list"),
        (dict(digits={}), ValueError, "1 to 36 images, got 0"),
        (dict(digits={3: DIGITS["a"]}), TypeError, "got 3"),
        (dict(digits={"a": IMAGES}), ValueError, "the shape (1, 8, 8), got (2, 1, 8, 8)"),
        (dict(digits={"a": 3 * DIGITS["a"]}), ValueError, "digits['a'] must lie in [-1, 1]"),
        (dict(digits={"a": NAN * DIGITS["a"]}), ValueError, "must lie in [-1, 1]"),
        (dict(digits={"a": None}), TypeError, "got NoneType"),
        (dict(drawing=-torch.ones(1, 8, 8)), ValueError, "drawing has no ink"),
        (dict(drawing=torch.ones(8, 8)), ValueError, "the shape (1, 8, 8), got (8, 8)"),
        (dict(goal="c"), ValueError, "goal must be one of a, b; got 'c'"),
        (dict(goal=3), TypeError, "got 3"),
        (dict(t=0.2), ValueError, "got 0.2"),
        (dict(t=None), TypeError, "got None"),
        (dict(seed=-1), ValueError, "got -1"),
        (dict(seed="0"), TypeError, "got '0'"),
        (dict(height=10), ValueError, "got 10"),
        (dict(caption=3), TypeError, "got 3"),
        (dict(alt=3), TypeError, "got 3"),
    ),
    *bad(
        viz.WireFigure,
        dict(model=MODEL),
        (dict(model=NET), TypeError, "no page can run UNet"),
        (dict(model=fmcore.FlowModel(VECTORS, OT, (1, 8, 8))), TypeError, "one of MLP"),
        (dict(labels=[1]), ValueError, "the network knows no classes, got the label 1"),
        (dict(model=FEW, labels=[11]), ValueError, "got the label 11"),
        (dict(model=FEW, labels=[]), ValueError, "1 to 25 classes, got 0"),
        (dict(model=FEW, labels=[0.5]), TypeError, "got 0.5"),
        (dict(model=FEW, labels="some"), TypeError, "got 'some'"),
        (dict(cut="skip7"), ValueError, "cut must be one of block1, block4, skip1"),
        (dict(cut=["skip1"]), TypeError, "cut must be"),
        (dict(seed=-1), ValueError, "got -1"),
        (dict(height=10), ValueError, "got 10"),
        (dict(caption=3), TypeError, "got 3"),
        (dict(alt=3), TypeError, "got 3"),
    ),
    *bad(still, dict(t=None), (dict(t=2.0), ValueError, "got 2.0")),
]
