"""Networks in the scripts of a page, under Node: kernels, whole networks, samples, the judge."""

import json

import numpy as np
import pytest
import torch
from networks import KINDS, NETWORKS, RUNNER, job
from torch.nn import functional as F

from fmcore import load_pretrained
from fmcore.data import load_images
from fmcore.guidance import Guided
from fmcore.images import to_unit
from fmcore.metrics.reader import load_reader
from fmcore.solvers import SOLVERS, odeint
from fmcore.viz.web import packed, web_network


@pytest.fixture(scope="session")
def answer(in_node):
    return in_node("net/worker.js", RUNNER)


def told(v):
    return v.double().flatten(1)


def operation(op, source, to, tensors, **more):
    return {"op": op, "from": source, "to": to, **{k: k for k in tensors}, **more}


def normal(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(sum(shape)))


def kernels():
    """Each operation: its layout, its tensors, its input, and what torch makes of it."""
    x = normal(2, 5, 7, 9)
    even = normal(2, 6, 6, 10)
    w, b = normal(11, 5, 3, 3), normal(11)
    conv = F.conv2d(x, w, b, padding=1)
    film = normal(22)
    filmed = conv * (1 + film[:11, None, None]) + film[11:, None, None]
    w5 = normal(4, 5, 5, 5)
    columns = normal(8, 9)
    down, up = normal(9, 6, 4, 4), normal(6, 9, 4, 4)
    b9, scale, shift = normal(9), normal(6), normal(9)[:6]
    given = {"weight": w, "bias": b}
    yield "3x3", x, [operation("conv", "x", "v", given)], given, conv
    silu = [operation("conv", "x", "v", given, silu=True)]
    yield "3x3, silu", x, silu, given, F.silu(conv)
    twice = [operation("conv", "x", "v", given), operation("conv", "x", "v", given, plus="v")]
    yield "3x3, added in place", x, twice, given, 2 * conv
    # A vector of the label: rows of a table, here with one row, for no label.
    zero = {"op": "waves", "from": "", "to": "f", "frequencies": [0.0] * 11}
    embedded = {"op": "label", "from": "f", "to": "f", "weight": "table"}
    waves = torch.cat([torch.ones(11), torch.zeros(11)])
    table = {"table": (film - waves)[None], **given}
    filming = [zero, embedded, operation("conv", "x", "v", given, film="f")]
    yield "3x3, FiLM", x, filming, table, filmed
    five = {"weight": w5, "bias": b[:4]}
    yield "5x5", x, [operation("conv", "x", "v", five)], five, F.conv2d(x, w5, b[:4], padding=2)
    one = {"weight": columns, "bias": b[:8]}
    few = [operation("conv", "x", "v", one, columns=[2, 7])]
    yield "1x1, some columns", x, few, one, F.conv2d(x, columns[:, 2:7, None, None], b[:8])
    lower = {"weight": down, "bias": b9}
    half = F.conv2d(even, down, b9, stride=2, padding=1)
    yield "strided 4x4", even, [operation("down", "x", "v", lower)], lower, half
    higher = {"weight": up, "bias": b9}
    double = F.conv_transpose2d(even, up, b9, stride=2, padding=1)
    yield "transposed 4x4", even, [operation("up", "x", "v", higher)], higher, double
    norm = {"weight": scale, "bias": shift}
    group = [operation("norm", "x", "v", norm, groups=3, eps=1e-5)]
    yield "group norm", even, group, norm, F.silu(F.group_norm(even, 3, scale, shift, 1e-5))
    for kind, pool in (("max", F.max_pool2d), ("mean", F.avg_pool2d)):
        found = pool(x, 2, ceil_mode=True)
        yield f"{kind} of two", x, [{"op": "pool", "from": "x", "to": "v", "kind": kind}], {}, found
    read = {"weight": normal(3, 315), "bias": normal(3)}
    steps = [
        {"op": "flatten", "from": "x", "to": "f"},
        operation("dense", "f", "v", read, silu=True),
    ]
    yield "dense", x, steps, read, F.silu(F.linear(x.flatten(1), **read))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("case", [*kernels()], ids=lambda case: case[0])
def test_a_kernel_is_what_torch_computes(answer, case, kind):
    _, x, ops, tensors, expected = case
    layout = {"channels": x.shape[1], "margin": 2, "multiple": 1, "ops": ops, "result": "v"}
    file = packed(layout, tensors, torch.float32)
    said = answer(job("velocity", file, x, t=[0.0] * len(x), kinds=[kind]))
    assert said["kind"] == kind
    assert (told(torch.tensor(said["v"])) - told(expected)).abs().max() < 2e-5


def golden(answer, model, shape, label, kinds, dtype=torch.float32):
    """The largest difference of three images, at three times, in one batch of the library."""
    x, t = normal(3, *shape), torch.tensor([0.0, 0.37, 1.0])
    with torch.no_grad():
        expected = model(x, t) if label is None else model(x, t, label)
    labels = label
    if label is not None:  # JSON has no NaN
        labels = [None if row.isnan().any() else row.tolist() for row in label]
    pictures = x if x.ndim == 4 else x[:, :, None, None]
    about = job("velocity", web_network(model, dtype), pictures)
    said = answer(about | {"t": t.tolist(), "label": labels, "kinds": kinds})
    assert said["kind"] == kinds[0]
    return (told(torch.tensor(said["v"])) - told(expected)).abs().max()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_is_what_the_library_computes(answer, name, kind):
    make, shape, label = NETWORKS[name]
    assert golden(answer, make(), shape, label, [kind]) < 1e-4


@pytest.mark.parametrize("kind", KINDS)
def test_the_shipped_network_is_what_the_library_computes(answer, kind):
    label = torch.tensor([3, 10, 0])
    assert golden(answer, load_pretrained("mnist"), (1, 28, 28), label, [kind]) < 1e-4


@pytest.mark.parametrize(("label", "scale"), [(None, 0.0), (7, 0.0), (7, 1.0), (3, 2.0)])
def test_a_sample_of_half_precision_differs_by_less_than_an_eye_sees(answer, label, scale):
    """Ten evaluations, against the library in single precision."""
    model, x = load_pretrained("mnist"), normal(4, 1, 28, 28)
    field = model
    if label is not None:
        guided = Guided(model, scale)
        field = lambda x, t: guided(x, t, torch.full((len(x),), label))  # noqa: E731
    end = odeint(field, x, method="midpoint", steps=5)
    order = {"tableau": SOLVERS["midpoint"].as_dict(), "steps": 5, "label": label}
    said = answer(job("follow", web_network(model), x, guidance=scale, **order))
    last = torch.tensor([states[-1] for states in said["states"]])
    assert (told(last) - told(end.x)).abs().max() < 2e-2
    assert said["nfe"] == end.nfe == 10 and said["calls"] == (2 if scale == 2 else 1)
    assert all(len(states) == 6 for states in said["states"])


@pytest.mark.parametrize("method", SOLVERS)
def test_every_solver_steps_as_the_library_does(answer, method):
    make, shape, _ = NETWORKS["colours, odd widths"]
    model, x = make(), normal(2, *shape)
    end = odeint(model, x, method=method, steps=3)
    order = {"tableau": SOLVERS[method].as_dict(), "steps": 3, "label": None, "guidance": 1}
    said = answer(job("follow", web_network(model, torch.float32), x, **order))
    last = torch.tensor([states[-1] for states in said["states"]])
    assert (told(last) - told(end.x)).abs().max() < 2e-5 and said["nfe"] == end.nfe


def test_the_judge_reads_as_that_of_the_library(answer):
    pixels = load_images("mnist", split="test", root="embedded").pixels[::20]
    pixels = torch.cat([pixels, pixels.roll(1, 0)[:, :, 14:].flip(2).repeat(1, 1, 2, 1)[:10]])
    x = to_unit(pixels)
    with torch.no_grad():
        odds = load_reader()(x).softmax(1)
    said = answer(job("judge", web_network(load_reader()), x))
    assert [one["digit"] for one in said] == odds[:, :10].argmax(1).tolist()
    readable = torch.tensor([one["readable"] for one in said])
    assert (readable - (1 - odds[:, 10])).abs().max() < 5e-3
    assert 0 < (readable > 0.5).sum() < len(x)


def test_the_judge_sees_the_bytes_that_would_be_saved(answer):
    """Two classes, z = 400 x: a shade more of the first is 400 / 127.5 in the log-odds."""
    read = {"weight": torch.tensor([[400.0, 0.0], [0.0, 400.0]]), "bias": torch.zeros(2)}
    steps = [{"op": "flatten", "from": "x", "to": "f"}, operation("dense", "f", "v", read)]
    layout = {"channels": 1, "margin": 0, "multiple": 1, "ops": steps, "result": "v"}
    shades = torch.tensor([[64.4, 63.6], [64.6, 64.4], [300.0, 255.0], [-9.0, 0.0]])
    x = (shades / 127.5 - 1)[:, None, None]
    bytes = ((x.clamp(-1, 1) + 1) * 127.5).round()[:, 0, 0]
    expected = torch.sigmoid((bytes[:, 0] - bytes[:, 1]).double() * 400 / 127.5)
    said = answer(job("judge", packed(layout, read, torch.float32), x))
    readable = torch.tensor([one["readable"] for one in said], dtype=torch.float64)
    assert bytes[0, 0] == bytes[0, 1] and bytes[1, 0] == bytes[1, 1] + 1  # so it is no vain test
    assert (readable - expected).abs().max() < 1e-3


def test_every_half_is_what_numpy_says(answer):
    said = np.array([np.nan if z is None else z for z in answer({"job": "halves"})])
    with np.errstate(invalid="ignore"):
        halves = np.arange(1 << 16, dtype=np.uint16).view(np.float16).astype(float)
    halves[np.isinf(halves)] = np.nan  # no weight is infinite
    assert np.array_equal(said, halves, equal_nan=True)


def broken(file, **changes):
    """The file with another header."""
    size = int.from_bytes(file[:8], "little")
    header = json.loads(file[8 : 8 + size])
    for name, change in changes.items():
        header["__metadata__"][name] = change(header["__metadata__"].get(name))
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + file[8 + size :]


def other_op(layout):
    layout = json.loads(layout)
    layout["ops"][0]["op"] = "attention"
    return json.dumps(layout)


def other_tensor(layout):
    return layout.replace("block1.conv1.weight", "block1.conv2.bias")


def no_tensor(layout):
    return layout.replace("block1.conv1.weight", "block9.conv1.weight")


@pytest.mark.parametrize(
    ("words", "damage"),
    [
        ("the weights are damaged", lambda file: file[:-1]),
        ("the weights are damaged", lambda file: file[:-9] + b"?" + file[-8:]),
        ("the weights are damaged", lambda file: b"<!doctype html><title>Not found</title>"),
        ("the weights are damaged", lambda file: b""),
        ("not of a network for a page", lambda file: broken(file, layout=lambda _: "")),
        ("it has a attention", lambda file: broken(file, layout=other_op)),
        ("block1.conv2.bias does not fit", lambda file: broken(file, layout=other_tensor)),
        ("block9.conv1.weight does not fit", lambda file: broken(file, layout=no_tensor)),
    ],
)
def test_a_bad_file_says_so(answer, words, damage):
    make, shape, _ = NETWORKS["two levels"]
    said = answer(job("velocity", damage(web_network(make())), normal(1, *shape), t=[0.0]))
    assert words in said["error"]


def convolved(side, to="v"):
    """A convolution of x, and a strided one besides, that writes to the same picture or another."""
    given = {"weight": normal(4, 4, side, side), "bias": normal(4)}
    lower = {"op": "down", "from": "x", "to": to, "weight": "low", "bias": "bias"}
    return [operation("conv", "x", "v", given), lower], given | {"low": normal(4, 4, 4, 4)}


@pytest.mark.parametrize(
    ("fits", "name", "side", "to"),
    [
        (True, "", 3, "w"),
        (False, "weight", 2, "w"),  # no middle
        (False, "weight", 5, "w"),  # wider than the margin
        (False, "v", 3, "v"),  # two sizes
    ],
)
def test_a_layout_that_does_not_fit_says_so(answer, fits, name, side, to):
    ops, tensors = convolved(side, to)
    layout = {"channels": 4, "margin": 1, "multiple": 2, "ops": ops, "result": "v"}
    asked = job("velocity", packed(layout, tensors, torch.float32), normal(1, 4, 6, 8), t=[0.0])
    said = answer(asked)
    assert ("error" not in said) if fits else f"{name} does not fit" in said["error"]


@pytest.mark.parametrize(
    ("words", "change"),
    [
        ("multiples of 4", {"height": 27}),
        ("x has 784 numbers, not 896", {"height": 32}),
        ("a class lies in 0 to 9, got 11", {"label": [11]}),
        ("a class lies in 0 to 9, got -1", {"label": [-1]}),
        ("a condition has 10 numbers", {"label": [[1, 2]]}),
    ],
)
def test_a_bad_question_says_so(answer, words, change):
    model, shape, _ = NETWORKS["three levels, classes"]
    asked = job("velocity", web_network(model()), normal(1, *shape), t=[0.0])
    assert words in answer(asked | change)["error"]
