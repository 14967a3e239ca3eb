"""Weight files: the same model back, and a clear word about every other file."""

import json
import pickle

import pytest
import torch
from safetensors.torch import load_file, save_file
from small import unet

from fmcore.networks import MLP, UNet
from fmcore.paths import OTPath, VPPath
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
    ],
    ids=["unet", "classes", "mlp", "double"],
)
def test_what_is_saved_is_what_is_loaded(original, tmp_path):
    file = tmp_path / "w.safetensors"
    save_weights(original, file)
    again = load_weights(file)
    assert again.config == original.config and again.path == original.path
    assert not again.training
    dtype = next(original.parameters()).dtype
    assert {p.dtype for p in again.parameters()} == {dtype}
    g = torch.Generator().manual_seed(0)
    x = torch.randn(3, *original.config["shape"], generator=g, dtype=dtype)
    assert torch.equal(original(x, 0.3), again(x, 0.3))
    assert list(tmp_path.iterdir()) == [file]


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
