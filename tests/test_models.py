"""What a model says of itself: through wrappers, by its arguments, and never more than it knows."""

import threading
from types import SimpleNamespace

import pytest
import torch
from small import gen, unet
from torch import nn
from torch.optim.swa_utils import AveragedModel

import fmcore
from fmcore.guidance import Guided
from fmcore.models import (
    clamp_time,
    classes,
    evaluate,
    evaluating,
    home,
    layers,
    sample_shape,
    settings,
    takes_label,
)
from fmcore.networks import MLP, UNet
from fmcore.paths import OTPath
from fmcore.weights import FlowModel


class Around(nn.Module):
    """A module around another one, which passes on what it is told to."""

    def __init__(self, inner):
        super().__init__()
        self.inner = inner


class XT(Around):
    def forward(self, x, t):
        return self.inner(x, t)


class XTY(Around):
    def forward(self, x, t, condition):
        return self.inner(x, t, condition)


class ByName(Around):
    def forward(self, x, t, *, y=None):
        return self.inner(x, t, y)


class Anything(Around):
    def forward(self, *arguments):
        return self.inner(*arguments)


def compiled(net):
    return torch.compile(net, backend="eager")


def flow_model(net):
    return FlowModel(net, OTPath(), (1, 28, 28))


INNER = [AveragedModel, flow_model, XTY, ByName, Anything]
OUTER = [lambda net: net, nn.DataParallel, compiled, clamp_time]


@pytest.mark.parametrize("outer", OUTER)
@pytest.mark.parametrize("inner", INNER)
def test_two_wrappers_deep_a_network_is_known(inner, outer):
    net = unet(num_classes=10)
    model = outer(inner(net))
    assert type([*layers(model)][-1]) is UNet
    assert settings(model).items() >= net.config.items() and classes(model) == 10
    assert takes_label(model) and sample_shape(model) == (1, 28, 28)
    x, label = torch.randn(2, 1, 8, 8, generator=gen()), torch.tensor([1, 10])
    torch.testing.assert_close(evaluate(model, x, 0.5, label), net(x, 0.5, label))


def test_a_module_with_weights_of_its_own_or_several_parts_is_no_wrapper():
    net = unet(num_classes=10)
    two = nn.ModuleList([net, net.enter])
    assert [*layers(two)] == [two] and settings(two) == {}
    scaled = XTY(net)
    scaled.scale = nn.Parameter(torch.ones(()))
    assert [*layers(scaled)] == [scaled] and classes(scaled) is None


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        (UNet(base=8), False),
        (UNet(base=8, num_classes=2), True),
        (MLP(), False),
        (FlowModel(MLP(), OTPath(), (2,)), False),
        (FlowModel(UNet(base=8), OTPath(), (1, 28, 28)), False),
        (XT(UNet(base=8, num_classes=2)), False),
        (nn.DataParallel(XT(UNet(base=8, num_classes=2))), False),
        (XTY(MLP()), False),
        (XTY(nn.Sequential(nn.Linear(5, 2), nn.SiLU())), True),  # a network of its own, in one part
        (nn.DataParallel(XTY(nn.Linear(5, 2))), True),
        (XT(nn.Linear(5, 2)), False),
        (MLP(condition_dim=3), True),
        (FlowModel(MLP(num_classes=3), OTPath(), (2,)), True),
        (lambda x, t: x, False),
        (lambda x, t, anything: x, True),
        (lambda x, t, *, label=None: x, True),
        (lambda x, t, *, mask=None: x, False),
        (lambda *arguments: arguments[0], True),
        (torch.add, True),  # its arguments cannot be told
    ],
)
def test_a_model_takes_a_label_if_all_of_its_layers_do(model, expected):
    assert takes_label(model) is expected


@pytest.mark.parametrize("name", ["label", "y", "condition"])
def test_a_label_is_given_by_name_where_it_has_to_be(name):
    scope = {}
    exec(f"def v(x, t, *, other=None, {name}=None): return x + t + {name}", scope)
    assert evaluate(scope["v"], 1.0, 2.0, 4.0) == 7.0
    assert evaluate(lambda x, t: x + t, 1.0, 2.0, None) == 3.0


@pytest.mark.parametrize("config", [SimpleNamespace(num_classes=3), None, 7, {"network": "unet"}])
def test_a_config_of_another_kind_says_nothing(config):
    model = XTY(nn.Identity())
    model.config = config
    assert settings(model) == {} and classes(model) is None and sample_shape(model) is None


def test_the_shape_is_what_a_model_says_or_was_trained_on():
    rgb = UNet(base=8, in_channels=3)
    assert sample_shape(rgb) is None and sample_shape(MLP()) is None
    rgb.trained_shape = (3, 32, 32)
    assert sample_shape(nn.DataParallel(rgb)) == (3, 32, 32)
    assert sample_shape(FlowModel(MLP(dim=3), OTPath(), torch.Size([3]))) == (3,)
    assert sample_shape(UNet(base=8)) == (1, 28, 28)  # the images of this book
    assert sample_shape(lambda x, t: x) is None


def test_weights_say_where_a_model_computes():
    assert home(MLP().double()) == (torch.device("cpu"), torch.float64)
    assert home(MLP().to("meta")) == (torch.device("meta"), torch.float32)
    assert home(nn.Identity()) is None and home(lambda x, t: x) is None


def test_modes_are_given_back_by_the_last_of_several_callers():
    model = nn.Sequential(nn.Dropout(), nn.Dropout().eval())
    first, second = evaluating(model), evaluating(model[0])
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert model.training and not model[0].training and not model[1].training
    second.__exit__(None, None, None)
    assert model[0].training and not model[1].training
    with pytest.raises(ZeroDivisionError), evaluating(model):
        1 / int(model.training)
    assert model.training and model[0].training


def test_many_threads_never_meet_a_model_in_training():
    model, seen = nn.Sequential(nn.Dropout()), []

    def work():
        for _ in range(300):
            with evaluating(model):
                seen.append(model[0].training)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(seen) == 1200 and not any(seen) and model.training and model[0].training


def test_time_is_clamped_for_solvers_that_look_beyond_the_end():
    from torchdiffeq import odeint as their_odeint

    torch.manual_seed(0)
    net, x0 = MLP(), torch.randn(64, 2, generator=gen())
    times, how = torch.tensor([0.0, 1.0]), dict(method="dopri5", rtol=1e-4, atol=1e-4)
    v = clamp_time(net)
    with pytest.raises(ValueError, match=r"t must lie.*fmcore.clamp_time\(model\)"):
        their_odeint(lambda t, x: net(x, t), x0, times, **how)
    with torch.no_grad():
        theirs = their_odeint(lambda t, x: v(x, t), x0, times, **how)[-1]
        ours = fmcore.odeint(net, x0, method="dopri5", rtol=1e-6, atol=1e-6).x
    torch.testing.assert_close(theirs, ours, rtol=1e-2, atol=1e-3)


def test_a_clamped_field_is_the_field_within_the_interval():
    net, label = unet(num_classes=3), torch.tensor([0, 2])
    v, x = clamp_time(net), torch.randn(2, 1, 8, 8, generator=gen())
    assert torch.equal(v(x, 0.3, label), net(x, 0.3, label))
    assert torch.equal(
        v(x, torch.tensor([-0.5, 1.5]), label), net(x, torch.tensor([0.0, 1]), label)
    )
    assert [*v.parameters()] == [*net.parameters()]
    assert Guided(v, 2.0)(x, 1.2, label).shape == x.shape
    with pytest.raises(TypeError, match="model must be callable.*got int"):
        clamp_time(3)
