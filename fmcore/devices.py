"""Where to compute: a device that is there, and what it is called."""

from __future__ import annotations

import platform
from pathlib import Path

import torch
from torch import Tensor


def find_device(name: str) -> torch.device:
    """The device of that name, if one can compute on it; otherwise `ValueError`.

    >>> find_device("cpu")
    device(type='cpu')
    """
    if not isinstance(name, str | torch.device):
        raise TypeError(f"device must be a name such as 'cuda', got {name!r}")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise ValueError(f"device={name!r} is no device: {_first_line(error)}") from None
    if device.type == "cuda" and not torch.cuda.is_available():
        raise ValueError(f"device={name!r} was asked for, but no GPU is available")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise ValueError(
            f"device={name!r} was asked for, but the last is cuda:{torch.cuda.device_count() - 1}"
        )
    try:
        torch.zeros(1, device=device).item()
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise ValueError(f"cannot compute on device={name!r}: {_first_line(error)}") from None
    return device


def _first_line(error: Exception) -> str:
    """What went wrong; torch may add fifty lines on which backends there are."""
    return str(error).strip().partition("\n")[0]


def double(x: Tensor) -> Tensor:
    """`x` in double precision, on the CPU if its own device has none."""
    return (x.cpu() if x.device.type == "mps" else x).double()


def device_name(device: str) -> str:
    """What a device is called: the name of a GPU, or the processor and the threads in use.

    >>> device_name("cpu") == f"{processor()}, {torch.get_num_threads()} threads"
    True
    """
    kind = torch.device(device).type
    if kind == "cpu":
        return f"{processor()}, {torch.get_num_threads()} threads"
    return torch.cuda.get_device_name(device) if kind == "cuda" else device


def processor() -> str:
    """The name of this machine's processor, or at least of its kind: never empty.

    >>> len(processor()) > 1
    True
    """
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()
