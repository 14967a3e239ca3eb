"""Networks under `torch.func`, `torch.export` and a compiler: the same numbers, the same checks."""

import pytest
import torch
from small import noise, unet
from torch.export import Dim
from torch.func import functional_call, grad, jacrev, jvp, stack_module_state, vmap

from fmcore import MLP, FlowModel, Guided, OTPath, VPPath, cfm_loss

TIMES = torch.tensor([0.3, 0.6])


def mlp(seed=0):
    torch.manual_seed(seed)
    return MLP(hidden=8, depth=1)


def model(name):
    """A model and a batch of two that it takes."""
    if name == "MLP":
        return mlp(), (noise(2, 2), TIMES)
    if name == "vectors":
        torch.manual_seed(0)
        return MLP(hidden=8, depth=1, condition_dim=3), (noise(2, 2), TIMES, noise(2, 3))
    if name == "data":  # whose velocity is made from what it predicts
        return FlowModel(mlp(), VPPath(), (2,), predict="data"), (noise(2, 2), TIMES)
    batch = noise(2, 1, 8, 8), TIMES, torch.tensor([0, 3])
    return FlowModel(unet(num_classes=3), OTPath(), (1, 8, 8)), batch


MODELS = ["FlowModel", "MLP", "data", "vectors"]


def row(net):
    """`net` of one row: without the axis of the batch."""
    return lambda *arguments: net(*(a[None] for a in arguments))[0]


@pytest.mark.parametrize("name", MODELS)
def test_vmap_over_rows_is_the_batch(name):
    net, batch = model(name)
    torch.testing.assert_close(vmap(row(net))(*batch), net(*batch), rtol=0, atol=2e-6)


@pytest.mark.parametrize("name", MODELS)
def test_jvp_and_jacrev_are_the_slope(name):
    net, (x, t, *label) = model(name)
    net, x, t = net.double(), x.double(), t.double()
    label = [y.double() if y.is_floating_point() else y for y in label]
    dx, dt, h = noise(*x.shape, seed=2).double(), torch.tensor([1.0, -2.0]).double(), 1e-7

    def v(x, t):
        return net(x, t, *label)

    slope = (v(x + h * dx, t + h * dt) - v(x - h * dx, t - h * dt)) / (2 * h)
    value, forward = jvp(v, (x, t), (dx, dt))
    assert torch.equal(value, v(x, t))
    torch.testing.assert_close(forward, slope, rtol=1e-5, atol=1e-6)
    over_x, over_t = vmap(jacrev(row(net), argnums=(0, 1)))(x, t, *label)
    backward = (over_x.flatten(x.ndim) * dx.flatten(1).reshape(2, *[1] * (x.ndim - 1), -1)).sum(-1)
    backward = backward + over_t * dt.reshape(2, *[1] * (x.ndim - 1))
    torch.testing.assert_close(backward, slope, rtol=1e-5, atol=1e-6)


def test_vmap_over_the_weights_of_many_networks():
    nets = [mlp(seed) for seed in range(3)]
    x, weights = noise(5, 2), stack_module_state(nets)
    together = vmap(lambda *w: functional_call(nets[0], w, (x, 0.5)))(*weights)
    torch.testing.assert_close(together, torch.stack([net(x, 0.5) for net in nets]))


def test_gradients_of_the_loss_for_each_pair():
    net, x0, x1 = mlp(), noise(2, 2), noise(2, 2, seed=3)
    weights = dict(net.named_parameters())

    def loss(weights, x0, x1, t):
        v = lambda x, t: functional_call(net, weights, (x, t))  # noqa: E731
        return cfm_loss(v, OTPath(), x1[None], x0=x0[None], t=t[None])

    each = vmap(grad(loss), in_dims=(None, 0, 0, 0))(weights, x0, x1, TIMES)
    cfm_loss(net, OTPath(), x1, x0=x0, t=TIMES).backward()  # the mean over both
    for name, weight in weights.items():
        torch.testing.assert_close(each[name].mean(0), weight.grad)


def test_vmap_and_jvp_refuse_what_the_batch_refuses():
    net, (x, t, label) = model("FlowModel")
    late, unknown = torch.tensor([0.5, 1.5]), torch.tensor([0, 4])
    with pytest.raises(ValueError, match=r"t must lie in \[0, 1\].*got 1.5"):
        vmap(row(net))(x, late, label)
    with pytest.raises(ValueError, match=r"t must lie in \[0, 1\].*got 1.5"):
        jvp(lambda t: net(x, t, label), (late,), (t,))
    with pytest.raises(ValueError, match=r"labels must lie in \[0, 2\].*got 0 to 4"):
        vmap(row(net))(x, t, unknown)
    with pytest.raises(ValueError, match=r"the velocity is infinite.*t = 1 on VPPath"):
        vmap(lambda t: VPPath().db(t))(torch.tensor([0.5, 1.0]))


@pytest.mark.parametrize("name", MODELS)
def test_an_exported_model_takes_any_batch(name):
    net, batch = model(name)
    program = torch.export.export(net, batch, dynamic_shapes=[{0: Dim("batch")}] * len(batch))
    five = [torch.cat([a, a, a[:1]]) for a in batch]
    for arguments in (batch, five):
        torch.testing.assert_close(program.module()(*arguments), net(*arguments))


@pytest.mark.parametrize("name", [*MODELS, "Guided"])
def test_one_graph_holds_the_whole_model(name):
    net, (x, t, *label) = model("FlowModel" if name == "Guided" else name)
    net = Guided(net, 2.0) if name == "Guided" else net
    torch.compiler.reset()
    compiled = torch.compile(net, fullgraph=True, backend="eager")
    for time in (t, torch.tensor(0.5), 0.25) if name == "data" else (t,):
        torch.testing.assert_close(compiled(x, time, *label), net(x, time, *label))
