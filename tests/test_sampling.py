"""Sampling: the ODE of a known field, batches, determinism, and the end of the path."""

import math
import threading
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from small import Linear, gen, unet
from torch.optim.swa_utils import AveragedModel

from fmcore.guidance import Guided
from fmcore.models import clamp_time, home
from fmcore.networks import UNet
from fmcore.paths import OTPath
from fmcore.sampling import counted, generate, solve_in_two
from fmcore.solvers import SOLVERS, odeint
from fmcore.weights import FlowModel


def noise(n=3):
    return 0.2 * torch.randn(n, 1, 4, 4, generator=gen())


@pytest.mark.parametrize(
    "how", [{"steps": 20, "method": "rk4"}, {"rtol": 1e-6, "atol": 1e-6, "method": "dopri5"}]
)
def test_it_solves_the_ode(how):
    x = generate(Linear(-1.0), 3, x0=noise(), **how)
    torch.testing.assert_close(x, noise() * math.exp(-1), atol=1e-5, rtol=1e-5)


def test_five_midpoint_steps_unless_told_otherwise():
    times = []

    def field(x, t):
        times.append(round(t.item(), 6))
        return -x

    x = generate(field, 3, x0=noise())
    assert times == [0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9]
    h = 1 / 5
    torch.testing.assert_close(x, noise() * (1 - h + h**2 / 2) ** 5)


@pytest.mark.parametrize("method", SOLVERS)
def test_the_method_is_the_one_that_was_asked_for(method):
    """Bit for bit what `odeint` gives, on a path that ends without noise and for a bare network."""
    for model in (FlowModel(unet(), OTPath(0.0), (1, 8, 8)), unet()):
        x0 = torch.randn(2, 1, 8, 8, generator=gen())
        with torch.no_grad():
            expected = odeint(model, x0, method=method, steps=3).x
        assert torch.equal(generate(model, 2, x0=x0, method=method, steps=3, clamp=False), expected)


def test_images_are_clamped_and_points_are_not():
    x = generate(Linear(5.0), 3, x0=noise(), steps=50)
    assert x.min() == -1 and x.max() == 1
    points = torch.randn(4000, 2, generator=gen())
    moved = generate(lambda x, t: torch.full_like(x, 3.0), 4000, x0=points)
    torch.testing.assert_close(moved, points + 3)  # N(0, I) goes to N(3, I)
    assert abs(moved.std().item() - 1) < 0.03


def test_clamping_can_be_asked_for_and_declined():
    raw = generate(Linear(5.0), 3, x0=noise(), steps=50, clamp=False)
    assert raw.abs().max() > 5
    points = torch.tensor([[0.5, 3.0]])
    still = generate(lambda x, t: torch.zeros_like(x), 1, x0=points, clamp=True)
    assert still.tolist() == [[0.5, 1.0]]


WRAPPERS = {
    "compile": lambda net: torch.compile(net, backend="eager"),
    "parallel": torch.nn.DataParallel,
    "averaged": AveragedModel,
    "model": lambda net: FlowModel(net, OTPath(), (1, 28, 28)),
    "guided": lambda net: Guided(net, 1.0),
    "clamped": clamp_time,
    "function": lambda net: lambda x, t, y: net(x, t, y),
}


@pytest.mark.parametrize("wrap", WRAPPERS.values(), ids=WRAPPERS)
@pytest.mark.parametrize("method", ["midpoint", "heun"])
def test_a_wrapper_draws_what_the_network_draws(wrap, method):
    net, label = UNet(base=8, num_classes=10), torch.tensor([3, 8])
    how = dict(label=label, method=method, steps=2, shape=(1, 28, 28))
    expected = generate(net, 2, generator=gen(), **how)
    torch.testing.assert_close(generate(wrap(net), 2, generator=gen(), **how), expected)


def test_a_wrapper_knows_the_shape_and_the_classes_of_what_is_inside():
    net = UNet(base=8, num_classes=10)
    for name, wrap in WRAPPERS.items():
        if name != "function":
            assert generate(wrap(net), 2, steps=1, generator=gen()).shape == (2, 1, 28, 28)
            with pytest.raises(ValueError, match=r"labels must lie in \[0, 9\]"):
                generate(wrap(net), 1, steps=1, generator=gen(), label=torch.tensor([11]))


def test_a_label_that_would_be_dropped_is_refused():
    label = torch.tensor([0, 1])
    for model in (unet(), FlowModel(unet(), OTPath(), (1, 8, 8)), lambda x, t: x):
        with pytest.raises(ValueError, match="a label was given, and .* takes none"):
            generate(model, 2, shape=(1, 8, 8), generator=gen(), label=label)


@pytest.mark.parametrize(
    "config",
    [SimpleNamespace(sample_size=32), None, "unet", {"network": "unet"}, {"network": None}, {}],
)
def test_a_config_of_another_kind_says_nothing(config):
    """Other libraries have a `config` as well: a namespace, a data class, or nothing."""
    model = Linear(-1.0)
    model.config = config
    x = generate(model, 3, x0=noise(), label=torch.zeros(3))
    torch.testing.assert_close(x, generate(Linear(-1.0), 3, x0=noise()))
    assert Guided(model, 2.0)(noise(), 0.5).shape == noise().shape
    with pytest.raises(ValueError, match="does not say what it draws: pass shape="):
        generate(model, 2, generator=gen())


def test_labels_go_with_their_images_through_batches():
    label = torch.tensor([0, 1, 2, 3, 4])
    model = Linear(-1.0)
    x = generate(model, 5, x0=torch.zeros(5, 1, 4, 4), label=label / 10, steps=200, batch_size=2)
    expected = (label / 10 * (1 - math.exp(-1)))[:, None, None, None].expand(5, 1, 4, 4)
    torch.testing.assert_close(x, expected, atol=1e-4, rtol=0)
    assert set(model.calls) == {2, 1}


def test_batches_do_not_change_the_result():
    net = unet()
    whole = generate(net, 5, steps=3, generator=gen(), shape=(1, 8, 8))
    parts = generate(net, 5, steps=3, generator=gen(), shape=(1, 8, 8), batch_size=2)
    torch.testing.assert_close(whole, parts)


def test_as_few_as_one_and_as_many_as_256_at_once():
    model = Linear(-1.0)
    one = generate(model, 1, x0=noise(1), steps=1, method="euler", batch_size=1)
    assert one.shape == (1, 1, 4, 4) and model.calls == [1]
    generate(model, 300, x0=noise(300), steps=1, method="euler")
    assert model.calls[1:] == [256, 44]


def test_the_generator_decides():
    model = FlowModel(unet(), OTPath(), (1, 8, 8))
    before = torch.random.get_rng_state()
    a, b, c = (generate(model, 2, steps=2, generator=gen(s)) for s in (0, 0, 1))
    assert torch.equal(a, b) and not torch.equal(a, c) and a.shape == (2, 1, 8, 8)
    assert torch.equal(torch.random.get_rng_state(), before)


def test_the_model_is_left_as_it_was():
    model = Linear(-1.0).train()
    during = []
    model.register_forward_pre_hook(lambda m, _: during.append(m.training))
    x = generate(model, 3, x0=noise())
    assert model.training and not x.requires_grad
    assert not any(during)  # no dropout while it draws
    with pytest.raises(ValueError, match="got 'nonsense'"):
        generate(model, 3, x0=noise(), method="nonsense")
    assert model.training


def test_parts_in_evaluation_stay_there_whatever_wraps_them():
    """A wrapper is new and therefore in training mode; what it wraps is not."""
    net = UNet(base=8, num_classes=10).eval()
    net.block1.train()
    generate(Guided(net, 2.0), 1, steps=1, label=torch.tensor([1]), generator=gen())
    assert not net.training and not net.leave.training and net.block1.training
    generate(FlowModel(net, OTPath(), (1, 28, 28)), 1, steps=1, generator=gen())
    assert not net.training and not net.leave.training and net.block1.training


def test_threads_may_draw_from_one_model_at_once():
    """Each of them evaluates it in evaluation mode, and the last one gives its modes back."""
    net, modes, inside = unet().train(), [], threading.Barrier(3)
    net.block1.eval()

    def note(module, arguments):
        modes.append(module.training)

    net.register_forward_pre_hook(note)
    net.leave.register_forward_pre_hook(note)

    def draw(steps):
        inside.wait()  # all of them begin together and end one after the other
        generate(net, 2, steps=steps, generator=gen(), shape=(1, 8, 8))

    threads = [threading.Thread(target=draw, args=(steps,)) for steps in (1, 2, 4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(modes) == 2 * 2 * (1 + 2 + 4) and not any(modes)
    assert net.training and net.leave.training and not net.block1.training


def test_any_field_will_do():
    x0 = noise()
    x = generate(lambda x, t: -x, 3, method="rk4", steps=20, x0=x0)
    torch.testing.assert_close(x, x0 * math.exp(-1), atol=1e-6, rtol=1e-5)
    assert generate(lambda x, t: -x, 2, shape=(3, 4, 4), generator=gen()).shape == (2, 3, 4, 4)


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_a_field_without_weights_answers_in_the_dtype_of_the_noise(dtype):
    x0 = noise().to(dtype)
    x = generate(lambda x, t: -x, 3, method="rk4", steps=20, x0=x0)
    assert x.dtype == dtype
    exact = x0.double() * math.exp(-1)
    torch.testing.assert_close(x.double(), exact, atol=1e-6, rtol=2 * torch.finfo(dtype).eps + 1e-6)


def test_weights_or_buffers_say_the_dtype():
    x0 = torch.randn(2, 1, 8, 8, generator=gen())
    assert generate(unet().double(), 2, x0=x0, steps=1).dtype == torch.float64
    field = torch.nn.Identity()
    assert home(field) is None
    field.register_buffer("count", torch.zeros(1, dtype=torch.int64))
    assert home(field) is None
    field.register_buffer("rate", torch.zeros(1, dtype=torch.float16))
    assert home(field) == (torch.device("cpu"), torch.float16)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int16, torch.int32])
def test_labels_of_any_kind_of_integer(dtype):
    net, label = UNet(base=8, num_classes=10), torch.tensor([3, 9])
    draws = [generate(net, 2, steps=1, label=y, generator=gen()) for y in (label, label.to(dtype))]
    assert torch.equal(*draws)
    assert torch.equal(net(draws[0], 0.5, label.to(dtype)), net(draws[0], 0.5, label))


def test_one_label_stands_for_all_and_lists_and_arrays_will_do():
    net, vectors = unet(num_classes=10), unet(condition_dim=2)
    how = dict(steps=1, shape=(1, 8, 8))

    def draw(net, label, n=3):
        return generate(net, n, label=label, generator=gen(), **how)

    same = torch.full((3,), 7)
    for label in (7, np.int64(7), torch.tensor(7), [7, 7, 7], np.full(3, 7, dtype=np.int32)):
        assert torch.equal(draw(net, label), draw(net, same))
    assert not torch.equal(draw(net, [7, 7, 8]), draw(net, same))
    assert len(draw(net, 7, n=np.int64(2))) == 2
    c = torch.tensor([0.0, 1.0]).expand(3, 2)
    for label in ([0, 1], c[0], c.double(), c.long(), np.array([[0.0, 1]] * 3), c.tolist()):
        assert torch.equal(draw(vectors, label), draw(vectors, c))
    assert not torch.equal(draw(vectors, [1, 0]), draw(vectors, c))


def test_vectors_go_to_a_network_that_says_nothing_as_they_are():
    def toward(x, t, label):
        return label - x

    c = torch.tensor([[2.0, -1.0], [0.0, 3.0], [5.0, 5.0]])
    x = generate(toward, 3, x0=torch.zeros(3, 2), label=c, steps=200, batch_size=2)
    torch.testing.assert_close(x, (1 - math.exp(-1)) * c, atol=1e-4, rtol=0)


def test_a_plain_unet_draws_images_of_mnist_size():
    assert generate(UNet(base=8), 2, steps=1, generator=gen()).shape == (2, 1, 28, 28)


@pytest.mark.parametrize(
    ("kwargs", "error", "message"),
    [
        ({"n": 0}, ValueError, "n must be a whole number of at least 1, got 0"),
        ({"n": 2.0}, TypeError, "n must be a whole number"),
        ({"batch_size": 0}, ValueError, "batch_size must be a whole number"),
        ({"x0": None}, TypeError, "generator must be a torch.Generator"),
        ({"n": 4}, ValueError, r"x0 must hold n=4 samples, got shape \(3, 1, 4, 4\)"),
        ({"label": torch.zeros(2)}, ValueError, r"label must have shape \(3, \*any\), got \(2,\)"),
        ({"label": "123"}, TypeError, "label must be real numbers, got '123'"),
        ({"label": [1, [2], 3]}, TypeError, "label must be real numbers"),
        ({"x0": [1.0]}, TypeError, "x0 must be a tensor of a floating dtype, got list"),
        (
            {"x0": torch.zeros(3, 1, dtype=torch.int64)},
            TypeError,
            "floating dtype, got torch.int64",
        ),
        ({"shape": (1, 5, 4)}, ValueError, r"x0 must be \(n, \*shape\) with shape=\(1, 5, 4\)"),
        ({"x0": None, "shape": (0, 4)}, ValueError, "each side of shape .* got 0"),
        ({"x0": None, "shape": (2.5,)}, TypeError, "each side of shape .* got 2.5"),
        ({"clamp": "yes"}, TypeError, "clamp must be True, False or None, got 'yes'"),
        ({"x0": None, "shape": 28}, TypeError, r"that of one sample, such as .* got 28"),
        ({"method": "rk5"}, ValueError, "heun.*got 'rk5'"),
        ({"steps": 0}, ValueError, "steps"),
        ({"steps": 3, "rtol": 1e-3, "atol": 1e-3}, ValueError, "either steps, or"),
    ],
)
def test_bad_input(kwargs, error, message):
    arguments = {"n": 3, "x0": noise(), "shape": (1, 4, 4), **kwargs}
    with pytest.raises(error, match=message):
        generate(Linear(-1.0), **arguments)


@pytest.mark.parametrize("wrap", [lambda net: net, lambda net: Guided(net, 2.0)])
def test_labels_are_looked_at_before_the_network_is_asked(wrap):
    """On a GPU the network does not look at their values: a wrong one would end the process."""
    net = Linear(-1.0)
    net.config = {"num_classes": 10}
    for wrong, seen in (
        (torch.tensor([0, 11, 3]), "0 to 11"),
        (torch.tensor([-1, 0, 3]), "-1 to 3"),
    ):
        with pytest.raises(ValueError, match=rf"labels must lie in \[0, 9\].*got {seen}"):
            generate(wrap(net), 3, x0=noise(), label=wrong)
    for wrong in (torch.zeros(3), torch.zeros(3) > 0, torch.zeros(3, dtype=torch.complex64)):
        with pytest.raises(ValueError, match=f"label must hold integers, got {wrong.dtype}"):
            generate(wrap(net), 3, x0=noise(), label=wrong)
    assert net.calls == []
    assert len(generate(wrap(net), 3, x0=noise(), label=torch.tensor([0, 9, 10]), steps=1)) == 3


def test_a_model_that_does_not_say_its_shape():
    with pytest.raises(ValueError, match="shape="):
        generate(Linear(-1.0), 2, generator=gen())


def test_half_precision_is_the_networks_own_affair():
    """Under autocast the network answers in bfloat16; the state stays in float32."""
    model = FlowModel(unet(), OTPath(), (1, 8, 8))
    noise = torch.randn(2, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    with torch.autocast("cpu", torch.bfloat16):
        assert model.net(noise, 0.5).dtype == torch.bfloat16
        half = generate(model, 2, steps=3, x0=noise)
    full = generate(model, 2, steps=3, x0=noise)
    assert half.dtype == torch.float32 and 0 < (half - full).abs().max() < 0.1


# ---- the end


class ToOne(torch.nn.Module):
    """The exact field of the path to one image, (x1 - x) / (1 - t), which has no value at t = 1."""

    def __init__(self, path, x1=0.3):
        super().__init__()
        self.path, self.x1, self.times = path, x1, []

    def forward(self, x, t):
        self.times.append(float(t))
        left = 1 - (1 - self.path.sigma_min) * t
        return (self.x1 - (1 - self.path.sigma_min) * x) / left


@pytest.mark.parametrize(
    ("method", "steps", "nfe"), [("heun", 5, 10), ("heun", 1, 2), ("rk4", 3, 10), ("dopri5", 2, 8)]
)
def test_a_last_step_by_midpoint_spares_the_end(method, steps, nfe):
    model = ToOne(OTPath(sigma_min=0.0))
    how = dict(x0=noise(), method=method, steps=steps)
    x = generate(model, 3, last_step="midpoint", **how)
    assert len(model.times) == nfe and max(model.times) < 1
    torch.testing.assert_close(x, torch.full_like(x, 0.3))  # the paths are straight
    with pytest.raises(ValueError, match="NaN or infinity"):  # 0/0
        generate(model, 3, **how)


def test_the_last_step_is_another_and_the_others_are_not():
    """For v = -x each is known: a step of Euler multiplies by 1 - h, one of midpoint by h^2/2 more,
    a step of RK4 by two terms more."""
    h = 1 / 4
    euler, midpoint = 1 - h, 1 - h + h**2 / 2
    rk4 = midpoint - h**3 / 6 + h**4 / 24
    factors = {"midpoint": rk4**3 * midpoint, "euler": rk4**3 * euler, None: rk4**4}
    for last_step, expected in factors.items():
        x = generate(Linear(-1.0), 3, x0=noise(), method="rk4", steps=4, last_step=last_step)
        torch.testing.assert_close(x, expected * noise(), rtol=1e-6, atol=1e-7)


def test_a_last_step_needs_a_number_of_steps():
    how = dict(method="dopri5", rtol=1e-3, atol=1e-3)
    with pytest.raises(ValueError, match="last_step goes with steps, not with rtol"):
        generate(Linear(-1.0), 3, x0=noise(), last_step="midpoint", **how)
    with pytest.raises(ValueError, match="method must be one of.*got 'middle'"):
        generate(Linear(-1.0), 3, x0=noise(), last_step="middle")


@pytest.mark.parametrize(("steps", "nfe"), [(1, 2), (4, 14)])
def test_a_solve_in_two_is_a_solution_with_its_costs(steps, nfe):
    found = solve_in_two(lambda x, t: -x, noise(), method="rk4", steps=steps)
    assert (found.nfe, found.accepted, found.rejected, found.t) == (nfe, steps, 0, 1.0)


def test_evaluations_are_counted_until_the_end_of_the_block():
    model = Linear(-1.0)
    with counted(model) as rows:
        generate(model, 5, x0=noise(5), method="midpoint", steps=1, batch_size=3)
    generate(model, 3, x0=noise(), steps=1)
    assert rows == [3, 3, 2, 2]
    with pytest.raises(ZeroDivisionError), counted(model) as rows:
        1 / 0  # noqa: B018
    generate(model, 3, x0=noise(), steps=1)
    assert rows == []


def test_adaptive_steps_and_bad_ones():
    model = Linear(-1.0)
    x = generate(model, 3, x0=noise(), method="dopri5", rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(x, noise() * math.exp(-1), atol=1e-5, rtol=1e-5)
    for how in ({"steps": 0}, {"steps": 2.5}, {"steps": 3, "rtol": 1e-3, "atol": 1e-3}):
        with pytest.raises((ValueError, TypeError), match="steps"):
            generate(model, 3, x0=noise(), **how)
