"""What a training refuses: devices that are not there, data that do not fit."""

import pytest
import torch
from small import config, pictures, points, unet

from fmcore.data import ImageData
from fmcore.networks import MLP
from fmcore.paths import OTPath, VPPath
from fmcore.training import fit, inputs
from fmcore.weights import FlowModel


def train(model, data, cfg):
    return list(fit(model, OTPath(), data, cfg))


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"precision": "fp16"}, "precision='fp16' needs a GPU; on a CPU take 'bf16' or 'fp32'"),
        ({"device": "abacus"}, "device='abacus' is no device"),
        ({"device": "cuda:64"}, "device='cuda:64' was asked for, but"),
        ({"device": "meta"}, "cannot compute on device='meta'"),
    ],
)
def test_devices_and_precisions_that_are_not_there(kwargs, message):
    with pytest.raises(ValueError, match=message):
        train(MLP(), points(), config(**kwargs))


@pytest.mark.parametrize("bf16", [True, False])
def test_a_gpu_without_bfloat16(bf16, monkeypatch):
    """A T4 has none. (A pretended one: what is tested is what is said of it.)"""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: bf16)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "Tesla T4")
    monkeypatch.setattr(inputs, "find_device", torch.device)
    settings = config(device="cuda", precision="bf16")
    if bf16:
        assert inputs.training_device(settings).type == "cuda"
    else:
        with pytest.raises(ValueError, match="'bf16' is not supported by Tesla T4; take 'fp16'"):
            inputs.training_device(settings)


def test_bad_data_of_other_kinds():
    with pytest.raises(TypeError, match="data is torch.float64, the network's weights are torch.f"):
        train(MLP(), points().double(), config())
    with pytest.raises(ValueError, match=r"data must have shape \(N, \*shape\), got \(64,\)"):
        train(MLP(), torch.zeros(64), config())
    with pytest.raises(ValueError, match="MLP has no parameter that could be trained"):
        train(MLP().requires_grad_(False), points(), config())
    data = pictures()
    for labels in (data.labels[:20], data.labels[:, None]):
        wrong = ImageData(data.pixels, labels, "noise", "test")
        with pytest.raises(ValueError, match=r"labels must have shape \(32,\), got"):
            train(unet(num_classes=10), wrong, config())
    small = ImageData(data.pixels, data.labels.to(torch.uint8), "noise", "test")
    assert train(unet(num_classes=10), small, config(steps=1))[0].step == 1


def test_a_network_with_settings_of_its_own_kind():
    """`config` may be anything in somebody else's network."""
    model = MLP(hidden=8, depth=1)

    class Foreign(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.config, self.net = object(), model

        def forward(self, x, t):
            return self.net(x, t)

    assert train(Foreign(), points().requires_grad_(), config(steps=1))[0].step == 1


def test_what_does_not_belong_together():
    model, config_ = MLP(hidden=8, depth=1), config(steps=1)
    for arguments, message in (
        ((lambda x, t: x, OTPath(), points(), config_), "model must be a Module, got function"),
        ((model, None, points(), config_), "path must be a ProbabilityPath, got NoneType"),
        ((model, OTPath(), points(), {"steps": 1}), "config must be a TrainConfig, got dict"),
    ):
        with pytest.raises(TypeError, match=message):
            next(fit(*arguments))
    wrapped = FlowModel(model, OTPath(), (2,))
    with pytest.raises(ValueError, match=r"belongs to OTPath\(sigma_min=0.0\), .* along VPPath"):
        next(fit(wrapped, VPPath(), points(), config_))
    assert next(fit(wrapped, OTPath(), points(), config_)).step == 1
    data = pictures()
    with pytest.raises(ValueError, match="a network with classes needs labels"):
        train(unet(num_classes=10), ImageData(data.pixels, None, "noise", "test"), config())


def test_bad_data():
    with pytest.raises(ValueError, match="fewer samples than batch_size=8"):
        train(unet(), pictures(4), config())
    with pytest.raises(TypeError, match="floating dtype or uint8, got torch.int64"):
        train(MLP(), torch.zeros(64, 2, dtype=torch.long), config())
    with pytest.raises(TypeError, match="a batch must be a tensor .* got float"):
        train(MLP(), [1.0], config())
    with pytest.raises(ValueError, match="needs labels"):
        train(unet(num_classes=10), pictures().pixels, config())
    for classes in (3, 9):
        message = f"labels run from 0 to 9, but the network has {classes} classes"
        with pytest.raises(ValueError, match=message):
            train(unet(num_classes=classes), pictures(64), config())
    with pytest.raises(ValueError, match="has 3 channels, the network 1"):
        train(unet(), torch.zeros(16, 3, 8, 8), config())


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_missing_gpu_is_said():
    with pytest.raises(ValueError, match="device='cuda' was asked for, but no GPU"):
        train(MLP(), points(), config(device="cuda"))
