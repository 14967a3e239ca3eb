"""What `fit` accepts: arguments that belong together, a device that is there, data that fit."""

from __future__ import annotations

import math
import warnings
from typing import Any

import torch
from torch import Tensor, nn

from fmcore.checks import class_labels, finite, like, like_weights
from fmcore.devices import find_device
from fmcore.losses import Loss, predicted
from fmcore.models import (
    classes,
    condition_dim,
    layers,
    no_label,
    predicts,
    settings,
    takes_label,
)
from fmcore.paths import ProbabilityPath
from fmcore.training.checkpoints import Checkpoints
from fmcore.training.feed import Data, Feed, feed_of
from fmcore.training.optimizers import MakeOptimizer
from fmcore.training.recipes import Coupling, TrainConfig
from fmcore.weights import FlowModel


def check_arguments(
    model: nn.Module,
    path: ProbabilityPath,
    config: TrainConfig,
    loss: Loss,
    couple: Coupling | None,
    optimizer: MakeOptimizer | None,
    checkpoints: Checkpoints | None,
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
    if not (optimizer is None or callable(optimizer)):
        got = type(optimizer).__name__
        raise TypeError(f"optimizer must be callable, as torch.optim.SGD is, or None, got {got}")
    if not (checkpoints is None or isinstance(checkpoints, Checkpoints)):
        raise TypeError(f"checkpoints must be a Checkpoints or None, got {checkpoints!r}")
    path.check()
    for layer in layers(model):
        own = getattr(layer, "path", path)
        if isinstance(own, ProbabilityPath) and own != path:
            raise ValueError(f"the model belongs to {own}, but was to be trained along {path}")
    prediction_of(model, loss)


def prediction_of(model: nn.Module, loss: Loss) -> str:
    """What the network inside `model` predicts once it is trained, a key of `PREDICTIONS`.

    That is what the loss asks for, unless the model turns a prediction into the velocity itself:
    `ValueError` if the loss then asks for something else.
    """
    asked, own = predicted(loss), predicts(model)
    if own is not None and asked != "velocity":
        raise ValueError(
            f"the loss asks for the {asked}, and {type(model).__name__} returns the velocity: "
            "train the network inside it"
        )
    return own or asked


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


def training_data(data: Data, model: nn.Module, config: TrainConfig) -> Feed:
    """The data as batches, with labels for a network that takes them."""
    feed = feed_of(data, config)
    weights = next(model.parameters(), None)
    loaded = any(isinstance(layer, FlowModel) for layer in layers(model))
    if weights is None or not (loaded or any(p.requires_grad for p in model.parameters())):
        frozen = "" if weights is None else ": all are frozen, call .requires_grad_()"
        raise ValueError(f"{type(model).__name__} has no parameter that could be trained{frozen}")
    x = feed.x
    if x.is_floating_point() and x.dtype != weights.dtype:
        raise TypeError(
            f"data is {x.dtype}, the network's weights are {weights.dtype}: convert one of them"
        )
    _check_shape(x, model)
    if x.is_floating_point():
        _check_values(x)
    feed.classes, feed.length = classes(model), condition_dim(model)
    feed.labels = _labels(feed, model)
    if feed.length is not None:
        like_weights("labels", feed.labels, weights)
    return feed


def _check_shape(x: Tensor, model: nn.Module) -> None:
    channels = settings(model).get("in_channels", x.shape[1])
    if x.shape[1] != channels:
        hint = "; permute the axes to (N, C, H, W)" if x.shape[-1] == channels else ""
        raise ValueError(
            f"data of shape {tuple(x.shape)} has {x.shape[1]} channels, "
            f"the network {channels}{hint}"
        )
    for layer in layers(model):
        if isinstance(layer, FlowModel) and layer.config["shape"] != [*x.shape[1:]]:
            raise ValueError(
                f"the model is of samples of shape {tuple(layer.config['shape'])}, "
                f"the data of {tuple(x.shape[1:])}"
            )


def _check_values(x: Tensor) -> None:
    """Raises if a value is not finite; warns of images that are not in [-1, 1]."""
    low, high = math.inf, -math.inf
    for part in x.split(4096):
        finite("data", part)
        least, most = part.aminmax()
        low, high = min(low, least.item()), max(high, most.item())
    looks_like_images = x.ndim == 4 and x.shape[1] in (1, 3, 4)
    if looks_like_images and 0 <= low < high:
        warnings.warn(
            f"the images run from {low:g} to {high:g} and are taken as they are, but images here "
            "lie in [-1, 1]: pass bytes (uint8), or 2 * x - 1 for [0, 1], x / 127.5 - 1 for "
            "[0, 255]",
            stacklevel=4,
        )


def thaw(model: nn.Module) -> None:
    """All weights are trained if all were frozen, as those of a loaded `FlowModel` are."""
    if not any(p.requires_grad for p in model.parameters()):
        model.requires_grad_(True)


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
        raise ValueError("couple must return a label if it is given one, and None if it is not")
    if label is not None and label.is_floating_point():
        like("the label of couple", new_label, "label", label)
        return new_x0, new_x1, new_label
    return new_x0, new_x1, None if label is None else class_labels(new_label, len(x1))


def scalar(loss: Any) -> Tensor:
    """A loss, if it is a tensor without axes."""
    if not isinstance(loss, Tensor) or loss.ndim:
        got = f"shape {tuple(loss.shape)}" if isinstance(loss, Tensor) else type(loss).__name__
        raise TypeError(f"the loss must return a 0-d tensor, the mean over the batch, got {got}")
    return loss


def _labels(feed: Feed, model: nn.Module) -> Tensor | None:
    """The labels `(N,)`, if there are any and the model takes them."""
    given = feed.labels
    if not takes_label(model):
        chosen = settings(model).get("num_classes", 0) is None  # by who built it without classes
        if given is not None and not chosen:
            warnings.warn(
                f"the data have labels and {type(model).__name__} takes none: it is trained "
                "without them. A model takes labels as a third argument, model(x, t, label); pass "
                "data.pixels if it is to have none",
                stacklevel=4,
            )
        return None
    if given is None:
        if no_label(model) is not None:
            raise ValueError(
                f"a network with {'vectors' if feed.classes is None else 'classes'} needs labels: "
                "pass an ImageData with labels, a TensorDataset(x1, label), or batches (x1, label)"
            )
        return None
    return feed.checked_label(given, len(feed.x), "labels")
