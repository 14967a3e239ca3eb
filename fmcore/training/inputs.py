"""What `fit` accepts: arguments that belong together, a device that is there, data that fit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from fmcore.checks import class_labels, like
from fmcore.data import ImageData
from fmcore.devices import find_device
from fmcore.losses import Loss
from fmcore.paths import ProbabilityPath
from fmcore.training.processes import Team
from fmcore.training.recipes import Coupling, TrainConfig


def check_arguments(
    model: nn.Module,
    path: ProbabilityPath,
    config: TrainConfig,
    loss: Loss,
    couple: Coupling | None,
) -> None:
    """Raises unless each has its kind, and the model belongs to the path."""
    for name, value, kind in (
        ("model", model, nn.Module),
        ("path", path, ProbabilityPath),
        ("config", config, TrainConfig),
    ):
        if not isinstance(value, kind):
            raise TypeError(f"{name} must be a {kind.__name__}, got {type(value).__name__}")
    if not callable(loss):
        raise TypeError(f"loss must be callable, as `cfm_loss` is, got {loss!r}")
    if not (couple is None or callable(couple)):
        raise TypeError(f"couple must be callable or None, got {couple!r}")
    own = getattr(model, "path", path)
    if isinstance(own, ProbabilityPath) and own != path:
        raise ValueError(f"the model is of {own}, and was to be trained along {path}")


def training_device(config: TrainConfig) -> torch.device:
    """The device of the configuration, if it is there and can compute in that precision."""
    device = find_device(config.device)
    if config.precision == "fp16" and device.type == "cpu":
        raise ValueError("precision='fp16' needs a GPU; on a CPU take 'bf16' or 'fp32'")
    bf16_on_a_gpu = config.precision == "bf16" and device.type == "cuda"
    if bf16_on_a_gpu and not torch.cuda.is_bf16_supported(including_emulation=False):
        name = torch.cuda.get_device_name(device)
        raise ValueError(f"precision='bf16' is not supported by {name}; take 'fp16'")
    return device


def training_data(
    data: ImageData | Tensor, model: nn.Module, config: TrainConfig, team: Team
) -> tuple[Tensor, Tensor | None]:
    """Samples `(N, *shape)` and, for a network with classes, labels `(N,)`."""
    x = data.pixels if isinstance(data, ImageData) else data
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
    if config.batch_size % team.size:
        raise ValueError(
            f"batch_size={config.batch_size} cannot be shared evenly by {team.size} processes"
        )
    weights = [p for p in model.parameters() if p.requires_grad]
    if not weights:
        raise ValueError(f"{type(model).__name__} has no parameter that could be trained")
    if x.is_floating_point() and x.dtype != weights[0].dtype:
        raise TypeError(
            f"data is {x.dtype}, the network's weights are {weights[0].dtype}: convert one of them"
        )
    settings = getattr(model, "config", {})
    settings = settings if isinstance(settings, Mapping) else {}
    channels = settings.get("in_channels", x.shape[1])
    if x.shape[1] != channels:
        raise ValueError(
            f"data of shape {tuple(x.shape)} has {x.shape[1]} channels, the network {channels}"
        )
    return x.detach(), _labels(data, settings.get("num_classes"))


def paired(
    couple: Coupling, x0: Tensor, x1: Tensor, label: Tensor | None, generator: torch.Generator
) -> tuple[Tensor, Tensor, Tensor | None]:
    """`couple(x0, x1, label, generator=generator)`, if it is a batch like the one it was given."""
    result = couple(x0, x1, label, generator=generator)
    if not isinstance(result, tuple) or len(result) != 3:
        count = f" of {len(result)}" if isinstance(result, tuple) else ""
        raise TypeError(
            f"couple must return x0, x1 and label, got a {type(result).__name__}{count}"
        )
    new_x0, new_x1, new_label = result
    like("the noise of couple", new_x0, "x0", x0)
    like("the data of couple", new_x1, "x1", x1)
    if (new_label is None) != (label is None):
        raise ValueError("couple must return the label that it was given, paired anew, or None")
    return new_x0, new_x1, None if label is None else class_labels(new_label, len(x1))


def scalar(loss: Any) -> Tensor:
    """A loss, if it is a tensor without axes."""
    if not isinstance(loss, Tensor) or loss.ndim:
        got = f"shape {tuple(loss.shape)}" if isinstance(loss, Tensor) else type(loss).__name__
        raise TypeError(f"the loss must return a 0-d tensor, the mean over the batch, got {got}")
    return loss


def _labels(data: ImageData | Tensor, classes: int | None) -> Tensor | None:
    if not classes:
        return None
    if not isinstance(data, ImageData):
        raise ValueError("a network with classes needs labels: pass an ImageData")
    labels = data.labels
    if not isinstance(labels, Tensor):
        raise TypeError(f"labels must be a tensor ({len(data)},), got {type(labels).__name__}")
    if labels.shape != (len(data),):
        raise ValueError(f"labels must have shape ({len(data)},), got {tuple(labels.shape)}")
    if not 0 <= labels.min() <= labels.max() < classes:
        raise ValueError(
            f"labels run from {labels.min().item()} to {labels.max().item()}, "
            f"but the network has {classes} classes"
        )
    return labels.long()
