"""Bad input to the figure of flow maps."""

import torch
from calls import bad
from values import INF, NAN

from fmcore import fields, networks, paths, viz
from fmcore.weights import FlowModel

MIX = fields.GaussianMixture([[-1.0, 0.0], [1.0, 0.0]], 0.5)
FIELD = fields.MarginalField(MIX, paths.OTPath())
SPACE = fields.MarginalField(fields.GaussianMixture([[0.0, 0.0, 0.0]], 1.0), paths.OTPath())
NET = networks.TwoTimes("MLP", hidden=4)
ONE = networks.MLP(hidden=4)
MODEL = FlowModel(NET, paths.CosinePath(), shape=(2,))
SPOILT = networks.TwoTimes("MLP", hidden=4)
torch.nn.init.constant_(next(SPOILT.parameters()), NAN)
LARGE = networks.TwoTimes("MLP", hidden=800)
FIGURE = viz.JumpFigure(NET, FIELD, s=0.25, steps=4)

ROWS = [
    *bad(
        viz.JumpFigure,
        dict(net=NET, field=FIELD, steps=2),
        (dict(net=None), TypeError, 'net must be a TwoTimes("MLP") of the plane'),
        (dict(net=ONE), TypeError, "got MLP"),
        (dict(net={"a": NET, "b": ONE}), TypeError, "net['b'] must be a TwoTimes"),
        (dict(net=networks.TwoTimes("UNet", base=8)), TypeError, 'got TwoTimes("UNet")'),
        (dict(net=networks.TwoTimes("MLP", dim=3)), ValueError, "this MLP has dim=3"),
        (dict(net=networks.TwoTimes("MLP", num_classes=2)), ValueError, "without labels"),
        (dict(net=FlowModel(ONE, paths.OTPath(), shape=(2,))), TypeError, "got MLP"),
        (dict(net=SPOILT), ValueError, "net has weights that are NaN or infinite"),
        (dict(net=MODEL), ValueError, "and path is OTPath"),
        (dict(net=LARGE), ValueError, "MB of data, and 2 MB is the limit"),
        (dict(net={}), ValueError, "net must be one to 6 networks, got 0"),
        (dict(net=dict.fromkeys("abcdefg", NET)), ValueError, "got 7"),
        (dict(net={1: NET}), TypeError, "the names of the networks must be strings"),
        (dict(net={"": NET}), TypeError, "got ''"),
        (dict(field=lambda x, t: -x), TypeError, "field must be a MarginalField, got function"),
        (dict(field=fields.Rotation(1.0)), TypeError, "got Rotation"),
        (dict(field=SPACE), ValueError, "a figure shows the plane"),
        (dict(field=fields.MarginalField(MIX, paths.VPPath())), ValueError, "t = 1"),
        (dict(source="noise"), ValueError, "source must be 'normal', 'uniform' or points"),
        (dict(target=torch.zeros(3, 3)), ValueError, "target must lie in the plane"),
        (dict(s=-0.1), ValueError, "s must lie in [0, 1], got -0.1"),
        (dict(s=None), TypeError, "s must be a finite number, got None"),
        (dict(s=NAN), ValueError, "got nan"),
        (dict(t=1.5), ValueError, "t must lie in [0, 1], got 1.5"),
        (dict(t="end"), TypeError, "got 'end'"),
        (dict(s=0.6, t=0.5), ValueError, "s <= t, got s = 0.6 and t = 0.5"),
        (dict(span=(0, 0.5), t=0.6), ValueError, "t must lie in [0, 0.5], got 0.6"),
        (dict(span=(1, 0)), ValueError, "span must go forward in time, got (1, 0)"),
        (dict(span=(0, 2)), ValueError, "got (0, 2)"),
        (dict(jumps=0), ValueError, "got 0"),
        (dict(jumps=9), ValueError, "at most 8, got 9"),
        (dict(jumps=1.5), TypeError, "got 1.5"),
        (dict(extent=(1, 0, 0, 1)), ValueError, "got (1, 0, 0, 1)"),
        (dict(particles=0), ValueError, "got 0"),
        (dict(particles=1001), ValueError, "at most 1000, got 1001"),
        (dict(start=(INF, 0)), ValueError, "start must be finite numbers (x, y)"),
        (dict(start=3), TypeError, "got 3"),
        (dict(seed=-1), ValueError, "got -1"),
        (dict(steps=0), ValueError, "got 0"),
        (dict(steps=401), ValueError, "at most 400, got 401"),
        (dict(caption=3), TypeError, "got 3"),
        (dict(alt=None), TypeError, "got None"),
        (dict(height=10), ValueError, "got 10"),
    ),
    *bad(
        FIGURE.still,
        dict(t=0.5),
        (dict(t=0.2), ValueError, "t must lie in [0.25, 1], got 0.2"),
        (dict(t=NAN), ValueError, "got nan"),
        (dict(t="now"), TypeError, "got 'now'"),
    ),
]  # fmt: skip
