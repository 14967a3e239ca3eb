"""Weight files: the same model back, and a clear word about every other file."""

import json
import pickle
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from small import unet

from fmcore.networks import MLP, UNet
from fmcore.paths import PATHS, OTPath, ProbabilityPath, VPPath
from fmcore.weights import FlowModel, load_pretrained, load_weights, save_weights


def model(**kwargs):
    return FlowModel(unet(**kwargs), OTPath(sigma_min=0.1), (1, 8, 8), {"seed": 0})


@pytest.fixture
def saved(tmp_path):
    file = tmp_path / "w.safetensors"
    save_weights(model(), file)
    return file


def rewrite(file, change):
    """The same file with its header's configuration, or its tensors, changed."""
    from safetensors import safe_open

    with safe_open(file, framework="pt") as content:
        config = json.loads(content.metadata()["fmcore"])
    tensors = load_file(file)
    change(config, tensors)
    save_file(tensors, file, metadata={"fmcore": json.dumps(config)})


@pytest.mark.parametrize(
    "original",
    [
        model(),
        model(num_classes=10, time_scale=6.28),
        FlowModel(MLP(dim=2, hidden=8, depth=1), VPPath(), (2,), {}),
        FlowModel(MLP(dim=2, hidden=8, depth=1).double(), OTPath(), (2,), {}),
        FlowModel(MLP(dim=2, hidden=8, depth=1), VPPath(), (2,), predict="noise"),
    ],
    ids=["unet", "classes", "mlp", "double", "noise"],
)
def test_what_is_saved_is_what_is_loaded(original, tmp_path):
    file = tmp_path / "w.safetensors"
    save_weights(original, file)
    again = load_weights(file)
    assert again.config == original.config and again.path == original.path
    assert again.predict == original.predict
    assert not again.training
    dtype = next(original.parameters()).dtype
    assert {p.dtype for p in again.parameters()} == {dtype}
    g = torch.Generator().manual_seed(0)
    x = torch.randn(3, *original.config["shape"], generator=g, dtype=dtype)
    assert torch.equal(original(x, 0.3), again(x, 0.3))
    assert list(tmp_path.iterdir()) == [file]


def test_a_file_from_before_there_were_predictions_holds_a_velocity(saved):
    rewrite(saved, lambda config, tensors: config.pop("predict"))
    assert load_weights(saved).predict == "velocity"


def test_a_file_with_an_unknown_prediction_is_refused(saved):
    rewrite(saved, lambda config, tensors: config.update(predict="wind"))
    with pytest.raises(ValueError, match="predict must be one of 'velocity'.*got 'wind'"):
        load_weights(saved)


def test_a_loaded_model_is_frozen_and_builds_no_graph(saved):
    loaded = load_weights(saved)
    assert not any(p.requires_grad for p in loaded.parameters())
    assert not any(p.requires_grad for p in load_pretrained("mnist").parameters())
    x = torch.zeros(2, 1, 8, 8)
    assert not loaded(x, 0.5).requires_grad and loaded(x.requires_grad_(), 0.5).requires_grad


@pytest.mark.parametrize(
    ("net", "path"),
    [
        (
            dict(num_classes=torch.tensor([3, 9]).max() + 1, base=np.int64(8)),
            OTPath(np.float32(0.1)),
        ),
        (dict(levels=np.int32(3), groups=torch.tensor(4)), OTPath(torch.tensor(0.1))),
        (
            dict(time_scale=np.float32(2.5), time_dim=np.int16(16)),
            VPPath(np.float64(0.2), np.int64(9)),
        ),
    ],
)
def test_numbers_of_any_library_survive_being_saved(net, path, tmp_path):
    original = FlowModel(
        unet(**net), path, (np.int64(1), 8, torch.tensor(8)), {"lr": np.float32(1)}
    )
    save_weights(original, tmp_path / "w.safetensors")
    again = load_weights(tmp_path / "w.safetensors")
    assert again.config == original.config and again.path == path
    assert json.loads(json.dumps(original.config)) == original.config
    x = torch.randn(2, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    assert torch.equal(original(x, 0.3), again(x, 0.3))


def test_numbers_of_a_path_of_ones_own_survive_as_well(tmp_path):
    @dataclass(frozen=True)
    class Power(ProbabilityPath):
        p: float = 2.0

        def a(self, t):
            return t**self.p

        def b(self, t):
            return 1 - t

    PATHS["Power"] = Power
    try:
        original = FlowModel(MLP(hidden=8), Power(np.float32(1.5)), (2,))
        save_weights(original, tmp_path / "w.safetensors")
        assert load_weights(tmp_path / "w.safetensors").path == Power(1.5)
    finally:
        del PATHS["Power"]


def test_a_path_with_a_wrong_derivative_is_refused():
    @dataclass(frozen=True)
    class Wrong(OTPath):
        def db(self, t):
            return torch.ones_like(t)

    PATHS["Wrong"] = Wrong
    try:
        with pytest.raises(ValueError, match="Wrong.db is not the derivative of b"):
            FlowModel(MLP(hidden=8), Wrong(), (2,))
    finally:
        del PATHS["Wrong"]


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (dict(about={"data": Path("x")}), TypeError, r"plain numbers, texts and lists, got .*Path"),
        (dict(shape=28), TypeError, "shape must be that of one sample, such as .* got 28"),
        (dict(shape=(1, 0)), ValueError, "each side of shape .* got 0"),
        (dict(shape=(1, 2.5)), TypeError, "each side of shape .* got 2.5"),
        (
            dict(net=MLP(hidden=8).float(), config=None),
            TypeError,
            "MLP.config must hold .* got None",
        ),
    ],
)
def test_what_could_not_be_saved_is_refused_when_it_is_built(arguments, error, message):
    net = arguments.pop("net", None) or MLP(hidden=8)
    if "config" in arguments:
        net.config = arguments.pop("config")
    with pytest.raises(error, match=message):
        FlowModel(net, OTPath(), **{"shape": (2,), **arguments})


def test_a_compiled_model_is_saved_as_what_it_is(tmp_path):
    original = model()
    save_weights(torch.compile(original, backend="eager"), tmp_path / "w.safetensors")
    again = load_weights(tmp_path / "w.safetensors")
    assert again.config == original.config


def test_a_label_reaches_the_network():
    labelled = model(num_classes=4)
    x, label = torch.zeros(2, 1, 8, 8), torch.tensor([0, 3])
    assert torch.equal(labelled(x, 0.5, label), labelled.net(x, 0.5, label))


def test_a_pickle_is_not_run(tmp_path):
    ran = tmp_path / "ran"

    class Bomb:
        def __reduce__(self):
            return (open, (str(ran), "w"))

    for name, write in (("a.safetensors", pickle.dump), ("b.pt", lambda o, f: torch.save(o, f))):
        file = tmp_path / name
        with open(file, "wb") as stream:
            write(Bomb(), stream)
        with pytest.raises(ValueError, match=f"{name} is damaged or not a safetensors file.*code"):
            load_weights(file)
    assert not ran.exists()


def test_a_truncated_file_is_named(saved):
    saved.write_bytes(saved.read_bytes()[:-100])
    with pytest.raises(ValueError, match="w.safetensors is damaged"):
        load_weights(saved)


def test_an_empty_or_missing_file(tmp_path):
    (tmp_path / "empty").touch()
    with pytest.raises(ValueError, match="empty is damaged"):
        load_weights(tmp_path / "empty")
    with pytest.raises(FileNotFoundError, match="there is no weight file .*none"):
        load_weights(tmp_path / "none")


def test_safetensors_of_somebody_else(tmp_path):
    save_file({"a": torch.zeros(2)}, tmp_path / "other.safetensors")
    with pytest.raises(ValueError, match="was not written by fmcore"):
        load_weights(tmp_path / "other.safetensors")


def test_another_architecture_is_named(saved):
    rewrite(saved, lambda config, tensors: config["network"].update(base=16))
    with pytest.raises(
        ValueError, match=r"does not fit the network it names, UNet: block1.*should be .16"
    ):
        load_weights(saved)


def test_missing_tensors_are_named(saved):
    rewrite(saved, lambda config, tensors: tensors.pop("enter.weight"))
    with pytest.raises(ValueError, match=r"enter.weight should be \(8, 1, 3, 3\) and is absent"):
        load_weights(saved)


@pytest.mark.parametrize(
    "change",
    [
        lambda config, tensors: config["network"].update(name="Transformer"),
        lambda config, tensors: config["network"].update(width=3),
        lambda config, tensors: config["path"].update(sigma_min=2.0),
        lambda config, tensors: config.pop("shape"),
    ],
)
def test_a_configuration_that_means_nothing(saved, change):
    rewrite(saved, change)
    with pytest.raises(ValueError, match="holds no configuration that fits"):
        load_weights(saved)


def test_a_failed_save_leaves_the_old_file(saved, monkeypatch):
    before = saved.read_bytes()

    def fail(*args, **kwargs):
        raise OSError("disk full")

    monkeypatch.setattr("fmcore.files.os.replace", fail)
    with pytest.raises(OSError, match="disk full"):
        save_weights(model(), saved)
    assert saved.read_bytes() == before and list(saved.parent.iterdir()) == [saved]


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(ValueError, match="no folder"):
        save_weights(model(), tmp_path / "missing" / "w.safetensors")


def test_only_what_can_be_rebuilt_is_wrapped():
    with pytest.raises(TypeError, match="net must be one of .*UNet.*got Linear"):
        FlowModel(torch.nn.Linear(2, 2), OTPath(), (2,))
    with pytest.raises(TypeError, match="FlowModel, got UNet"):
        save_weights(UNet(base=8), "w.safetensors")


def test_pretrained_digits_are_a_velocity_field():
    mnist = load_pretrained("mnist")
    assert mnist.config["shape"] == [1, 28, 28] and mnist.path.a(torch.ones(1)) == 1
    for fact in ("data", "recipe", "seconds", "device"):
        assert mnist.config["about"][fact]
    x = torch.randn(2, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    assert mnist(x, 0.5).shape == x.shape


def test_an_unknown_pretrained_model_lists_the_known():
    with pytest.raises(ValueError, match=r"no pretrained model 'cifar'; choose from \['mnist'\]"):
        load_pretrained("cifar")
