"""Devices: those that are there, and what they are called."""

import platform
from pathlib import Path

import pytest
import torch

from fmcore.devices import device_name, double, find_device, processor


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("abacus", "^device='abacus' is no device: "),
        ("cuda", "^device='cuda' was asked for, but no GPU is available$"),
        ("meta", "^cannot compute on device='meta': "),
    ],
)
def test_a_device_that_is_not_there(name, message, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ValueError, match=message):
        find_device(name)
    assert find_device("cpu") == torch.device("cpu")


def test_one_gpu_more_than_there_are(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    with pytest.raises(ValueError, match="^device='cuda:2' was asked for, but the last is cuda:1$"):
        find_device("cuda:2")


def test_a_processor_goes_by_its_name_and_its_threads(monkeypatch):
    text = (
        "processor\t: 0\nmodel name\t: Abacus 9000 @ 1 Hz\nprocessor\t: 1\nmodel name\t: another\n"
    )
    monkeypatch.setattr(Path, "read_text", lambda file: text)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 3)
    assert device_name("cpu") == "Abacus 9000 @ 1 Hz, 3 threads"


@pytest.mark.parametrize("known", ["arm", ""])
def test_a_processor_without_a_name_goes_by_its_kind(known, monkeypatch):
    monkeypatch.setattr(platform, "processor", lambda: known)
    monkeypatch.setattr(platform, "machine", lambda: "aarch64")
    monkeypatch.setattr(Path, "read_text", lambda file: "processor\t: 0\n")
    assert processor() == (known or "aarch64")

    def nothing(file):
        raise FileNotFoundError

    monkeypatch.setattr(Path, "read_text", nothing)
    assert processor() == (known or "aarch64")


def test_other_devices_have_names_too(monkeypatch):
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: f"the GPU of {device}")
    assert device_name("cuda:1") == "the GPU of cuda:1" and device_name("mps") == "mps"


def test_what_a_device_cannot_do_is_said_in_a_line():
    """torch adds fifty lines on which backends there are."""
    for name in ("mps", "meta", "xla"):
        with pytest.raises(ValueError, match=f"device='{name}'") as caught:
            find_device(name)
        assert "\n" not in str(caught.value)
    with pytest.raises(TypeError, match="device must be a name such as 'cuda', got 0"):
        find_device(0)


class OnMps:
    """A tensor on a device without double precision, as far as `double` looks at it."""

    device = torch.device("mps")

    def cpu(self):
        return torch.ones(2)

    def double(self):
        raise TypeError("Cannot convert a MPS Tensor to float64 dtype")


def test_double_precision_is_had_on_the_cpu_if_need_be():
    assert double(OnMps()).dtype == torch.float64
    x = torch.ones(2)
    assert double(x).dtype == torch.float64 and double(x).device == x.device
