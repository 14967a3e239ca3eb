"""What `fit` refuses: devices that are not there and data that cannot be trained on."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from fmcore.data import ImageData
from fmcore.parallel import Team, find_device
from fmcore.paths import Path
from fmcore.recipes import TrainConfig


def training(model: nn.Module, path: Path, config: TrainConfig) -> None:
    """A network, a path and a configuration that belong together."""
    for name, given, kind in (
        ("model", model, nn.Module),
        ("path", path, Path),
        ("config", config, TrainConfig),
    ):
        if not isinstance(given, kind):
            raise TypeError(f"{name} must be a {kind.__name__}, got {type(given).__name__}")
    own = getattr(model, "path", path)
    if isinstance(own, Path) and own != path:
        raise ValueError(f"the model is of {own}, and was to be trained along {path}")


def device(config: TrainConfig) -> torch.device:
    """The device that was asked for, if it is there and can compute in that precision."""
    device = find_device(config.device)
    if config.precision == "fp16" and device.type == "cpu":
        raise ValueError("precision='fp16' needs a GPU; on a CPU take 'bf16' or 'fp32'")
    if config.precision == "bf16" and device.type == "cuda":
        if not torch.cuda.is_bf16_supported(including_emulation=False):
            name = torch.cuda.get_device_name(device)
            raise ValueError(f"precision='bf16' is not supported by {name}; take 'fp16'")
    return device


def data(
    given: ImageData | Tensor, model: nn.Module, config: TrainConfig, us: Team
) -> tuple[Tensor, Tensor | None]:
    """Samples `(N, *shape)` and, for a network with classes, labels `(N,)`."""
    x = given.pixels if isinstance(given, ImageData) else given
    if not isinstance(x, Tensor) or not (x.is_floating_point() or x.dtype == torch.uint8):
        raise TypeError(
            "data must be an ImageData or a tensor (N, *shape) of a floating dtype or uint8, got "
            + (str(x.dtype) if isinstance(x, Tensor) else type(x).__name__)
        )
    if x.ndim < 2:
        raise ValueError(f"data must have shape (N, *shape), got {tuple(x.shape)}")
    if len(x) < config.batch_size:
        raise ValueError(
            f"data of shape {tuple(x.shape)} has fewer samples than batch_size={config.batch_size}"
        )
    if config.batch_size % us.size:
        raise ValueError(
            f"batch_size={config.batch_size} cannot be shared evenly by {us.size} processes"
        )
    weights = [p for p in model.parameters() if p.requires_grad]
    if not weights:
        raise ValueError(f"{type(model).__name__} has no parameter that could be trained")
    if x.is_floating_point() and x.dtype != weights[0].dtype:
        raise TypeError(
            f"data is {x.dtype}, the network's weights are {weights[0].dtype}: convert one of them"
        )
    known = getattr(model, "config", {})
    known = known if isinstance(known, Mapping) else {}
    channels = known.get("in_channels", x.shape[1])
    if x.shape[1] != channels:
        raise ValueError(
            f"data of shape {tuple(x.shape)} has {x.shape[1]} channels, the network {channels}"
        )
    return x.detach(), _labels(given, known.get("num_classes"))


def _labels(given: ImageData | Tensor, classes: int | None) -> Tensor | None:
    if not classes:
        return None
    if not isinstance(given, ImageData):
        raise ValueError("a network with classes needs labels: pass an ImageData")
    labels = given.labels
    if not isinstance(labels, Tensor):
        raise TypeError(f"labels must be a tensor ({len(given)},), got {type(labels).__name__}")
    if labels.shape != (len(given),):
        raise ValueError(f"labels must have shape ({len(given)},), got {tuple(labels.shape)}")
    if not 0 <= labels.min() <= labels.max() < classes:
        raise ValueError(
            f"labels run from {labels.min().item()} to {labels.max().item()}, "
            f"but the network has {classes} classes"
        )
    return labels.long()
