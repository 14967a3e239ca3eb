"""Unusual but good input gives what the usual gives: NumPy's numbers, 0-d tensors, shapes."""

import numpy as np
import pytest
import torch
from calls import Call, shown
from small import noise
from values import CLASSES, FOUR, HERE, LABELS, MIX, NET, OT, POINTS, RALSTON, G, X, still, turn

import fmcore
from fmcore import fields, metrics, networks, viz
from fmcore.images import image_grid

SOLVED = fmcore.ButcherTableau(**RALSTON)


def odd(function, arguments, *pairs):
    """The rows of one function: an unusual argument, and the usual one that it stands for."""
    return [(Call(function, arguments), *pair) for pair in pairs]


ROWS = [
    *odd(
        fmcore.MLP,
        {},
        (dict(hidden=np.int64(8)), dict(hidden=8)),
        (dict(depth=torch.tensor(2)), dict(depth=2)),
        (dict(time_scale=np.float32(2)), dict(time_scale=2.0)),
    ),
    *odd(
        fmcore.UNet,
        dict(base=8, groups=4, time_dim=16),
        (dict(levels=np.int64(3)), dict(levels=3)),
        (dict(num_classes=LABELS.max() + 1), dict(num_classes=4)),
        (dict(in_channels=np.uint8(3)), dict(in_channels=3)),
    ),
    *odd(networks.TimeEmbedding, {}, (dict(dim=np.int32(6)), dict(dim=6))),
    *odd(
        fmcore.Guided,
        dict(model=CLASSES),
        (dict(scale=np.float32(2)), dict(scale=2.0)),
        (dict(scale=torch.tensor(2)), dict(scale=2.0)),
    ),
    *odd(
        fmcore.FlowModel,
        dict(net=NET, path=OT),
        (dict(shape=[1, np.int64(8), 8]), dict(shape=(1, 8, 8))),
        (dict(shape=FOUR.shape[1:]), dict(shape=(1, 8, 8))),
    ),
    *odd(
        fmcore.generate,
        dict(model=still, n=2, shape=(1, 8, 8), steps=1, generator=G),
        (dict(n=np.int64(2)), dict(n=2)),
        (dict(steps=np.int64(3)), dict(steps=3)),
        (dict(shape=[1, 8, 8]), dict(shape=(1, 8, 8))),
        (dict(shape=FOUR.shape[1:]), dict(shape=(1, 8, 8))),
        (dict(shape=(1, np.int64(8), torch.tensor(8))), dict(shape=(1, 8, 8))),
        (dict(batch_size=np.int64(1)), dict(batch_size=1)),
    ),
    *odd(fmcore.toy, dict(name="spiral", generator=G), (dict(n=np.int64(5)), dict(n=5))),
    *odd(MIX.sample, dict(generator=G), (dict(n=np.int64(3)), dict(n=3))),
    *odd(MIX.sample_labelled, dict(generator=G), (dict(n=torch.tensor(3)), dict(n=3))),
    *odd(POINTS.sample, dict(generator=G), (dict(n=np.uint8(3)), dict(n=3))),
    *odd(
        fmcore.GaussianMixture,
        dict(means=[[0.0, 1.0]], stds=1),
        (dict(stds=np.float64(0.5)), dict(stds=0.5)),
        (dict(means=np.eye(2)), dict(means=torch.eye(2).double())),
    ),
    *odd(fmcore.Empirical, {}, (dict(points=np.eye(2)), dict(points=torch.eye(2).double()))),
    *odd(
        fields.Uniform,
        {},
        (dict(velocity=np.array([1, 2])), dict(velocity=(1, 2))),
        (dict(velocity=torch.tensor([1, 2])), dict(velocity=(1, 2))),
    ),
    *odd(fields.Storm, {}, (dict(strength=np.int64(2)), dict(strength=2))),
    *odd(
        fields.Storm().eye,
        {},
        (dict(t=np.array([0.0, 0.5])), dict(t=torch.tensor([0.0, 0.5]).double())),
        (dict(t=[0, 0.5]), dict(t=torch.tensor([0.0, 0.5]))),
    ),
    *odd(fields.Sum, {}, (dict(winds=[fields.Storm()]), dict(winds=(fields.Storm(),)))),
    *odd(
        fmcore.odeint,
        dict(v=turn, x0=X, steps=2),
        (dict(steps=np.int64(3)), dict(steps=3)),
        (dict(steps=None, step_size=np.float32(0.5)), dict(steps=None, step_size=0.5)),
        (dict(t_span=np.array([0.0, 0.5])), dict(t_span=(0, 0.5))),
        (dict(t_span=(torch.tensor(0.0), torch.tensor(0.5))), dict(t_span=(0, 0.5))),
        (dict(t_eval=np.array([0.5, 1])), dict(t_eval=[0.5, 1])),
        (dict(max_steps=np.int64(5)), dict(max_steps=5)),
        (dict(method=np.str_("rk4")), dict(method="rk4")),
    ),
    *odd(
        fmcore.ButcherTableau,
        dict(RALSTON, b_embedded=(1, 0), embedded_order=1),
        (dict(order=np.int64(2)), dict(order=2)),
        (dict(embedded_order=np.int64(1)), dict(embedded_order=1)),
        (dict(b=np.array([0.25, 0.75])), dict(b=(0.25, 0.75))),
        (dict(a=[[], [2 / 3]], c=[0, np.float64(2 / 3)]), {}),
    ),
    *odd(SOLVED.dense_weights, {}, (dict(theta=np.float64(0.5)), dict(theta=0.5))),
    *odd(
        fmcore.bits_per_dim,
        dict(log_prob=torch.zeros(3), dim=784),
        (dict(dim=np.prod((1, 28, 28))), dict(dim=784)),
        (dict(width=np.float32(0.5)), dict(width=0.5)),
    ),
    *odd(fmcore.OTPath, {}, (dict(sigma_min=np.float32(0.5)), dict(sigma_min=0.5))),
    *odd(fmcore.VPPath, {}, (dict(beta_max=torch.tensor(8.0)), dict(beta_max=8.0))),
    *odd(OT.sample, dict(x0=X, x1=X), (dict(t=np.float64(0.5)), dict(t=0.5))),
    *odd(
        fmcore.TrainConfig,
        dict(steps=2),
        (dict(steps=np.int64(5), lr=np.float32(0.5)), dict(steps=5, lr=0.5)),
        (dict(seed=torch.tensor(5), clip=np.float64(1)), dict(seed=5, clip=1.0)),
    ),
    *odd(
        fmcore.Checkpoints,
        dict(folder=HERE),
        (dict(every=np.int64(5)), dict(every=5)),
        (dict(folder=str(HERE), keep=np.int8(2)), dict(keep=2)),
    ),
    *odd(
        metrics.precision_recall,
        dict(x=noise(9, 2), real=noise(8, 2)),
        (dict(k=np.int64(3)), dict(k=3)),
    ),
    *odd(image_grid, dict(images=FOUR), (dict(columns=np.int64(3)), dict(columns=3))),
    *odd(fmcore.slerp, dict(x=X, y=X.roll(1, 0)), (dict(s=np.float32(0.5)), dict(s=0.5))),
    *odd(
        viz.FlowFigure,
        dict(field=turn, particles=5, resolution=(5, 4)),
        (dict(t=np.float32(0.5)), dict(t=0.5)),
        (dict(t=torch.tensor(0.5)), dict(t=0.5)),
        (dict(conditionals=np.False_), dict(conditionals=False)),
        (dict(start=np.array([0.0, 1])), dict(start=(0, 1))),
        (dict(extent=torch.tensor([-1.0, 1, -1, 1])), dict(extent=(-1, 1, -1, 1))),
        (dict(seed=np.int64(3), steps=np.int64(5)), dict(seed=3, steps=5)),
        (dict(compare=("rk4", np.int64(5))), dict(compare=("rk4", 5))),
        (dict(resolution=np.array([5, 5])), dict(resolution=(5, 5))),
        (dict(source=X.numpy()), dict(source=X)),
        (dict(source=X.tolist()), dict(source=X)),
        (dict(views={"arrows": 1}), dict(views=("arrows",))),
    ),
]


def plain(value):
    """A result in numbers and texts: what is NumPy's, or another dtype, is told from Python's."""
    if isinstance(value, torch.Tensor):
        return str(value.dtype), value.tolist()
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    if type(value).__module__.startswith("fmcore"):
        public = {k: plain(v) for k, v in vars(value).items() if not k.startswith("_")}
        return repr(value) if isinstance(value, torch.nn.Module) else "", public
    return repr(value)


@pytest.mark.parametrize(
    ("call", "unusual", "usual"),
    [pytest.param(*row, id=f"{row[0]}({shown(row[1])})") for row in ROWS],
)
def test_unusual_input_gives_what_the_usual_gives(call, unusual, usual):
    assert plain(call(**unusual)) == plain(call(**usual))
