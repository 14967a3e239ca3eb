"""What a model says of itself, through whatever wraps it: its labels, its shape, its modes.

A model is any callable `v(x, t)` or `v(x, t, label)`. `torch.compile`, `DataParallel`,
`AveragedModel`, `Guided` and a `FlowModel` hold another model and add no weights to it. A question
put to a wrapper is answered by the first model inside that knows.
"""

from __future__ import annotations

import inspect
import math
import threading
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from itertools import chain
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

from fmcore.checks import (
    batch_time,
    class_labels,
    condition_vectors,
    finite,
    first,
    floating,
    labels_in_range,
    like,
    real_numbers,
)

__all__ = ["clamp_time", "classes", "condition_dim", "sample_shape", "takes_label"]

LABEL_NAMES = ("label", "y", "condition")
"""What the third argument of a model may be called if it can only be given by name."""


def layers(model: Any) -> Iterator[Any]:
    """`model`, and what it wraps: as long as it has a single child and no weights of its own.

    >>> net = nn.Sequential(nn.Linear(1, 1), nn.Linear(1, 1))
    >>> [type(layer).__name__ for layer in layers(nn.DataParallel(net))]
    ['DataParallel', 'Sequential']
    """
    yield model
    while isinstance(model, nn.Module):
        children = [*model.children()]
        if len(children) != 1 or any(True for _ in model.parameters(recurse=False)):
            return
        (model,) = children
        yield model


def settings(model: Any) -> dict[str, Any]:
    """The numbers that the network in `model` was built with, if it says so; empty otherwise.

    They are its `config`, or the part "network" of it. A `config` of another kind says nothing.

    >>> from fmcore.networks import UNet
    >>> settings(nn.DataParallel(UNet(base=8, num_classes=10)))["num_classes"]
    10
    """
    return next(filter(None, map(_own_settings, layers(model))), {})


def _own_settings(layer: Any) -> dict[str, Any]:
    config = getattr(layer, "config", None)
    if not isinstance(config, Mapping):
        return {}
    network = config.get("network", config)
    return dict(network) if isinstance(network, Mapping) else {}


def classes(model: Any) -> int | None:
    """How many classes the network has, `config["num_classes"]`; None if it does not say."""
    return settings(model).get("num_classes")


def condition_dim(model: Any) -> int | None:
    """The length of the vectors that condition the network; None if it does not say."""
    return settings(model).get("condition_dim")


def no_label(model: Any) -> float | None:
    """What stands for no condition in a row of a label: `num_classes`, or NaN for vectors.

    None of a network that says neither, which gets every label as it is.
    """
    return classes(model) if condition_dim(model) is None else math.nan


def predicts(model: Any) -> str | None:
    """What the network inside a velocity field predicts, where a wrapper says so; else None.

    A wrapper with a `predict` of its own, such as a `FlowModel`, returns the velocity.
    """
    own = (getattr(layer, "predict", None) for layer in layers(model))
    return next((each for each in own if isinstance(each, str)), None)


def takes_label(model: Any) -> bool:
    """Whether `model(x, t, label)` works: every wrapper passes a label on, the network takes it.

    A network that says `num_classes=None` or `condition_dim=None`, and nothing else of a condition,
    takes none; of one that says nothing, its arguments decide.

    >>> takes_label(lambda x, t: x), takes_label(lambda x, t, y=None: x)
    (False, True)
    """
    for layer in layers(model):
        if _third_argument(layer) is None:
            # What does not even take a time is no model that is wrapped, but a part of this one.
            return layer is not model and _third_argument(layer, 2) is None
        own = _own_settings(layer)
        said = [own[name] for name in ("num_classes", "condition_dim") if name in own]
        if said:
            return said != [None] * len(said)
    return True


def label_for(model: Any, label: Any, n: int) -> Tensor:
    """`label` as a tensor of `n` rows, checked as far as the model says what conditions it.

    Classes `(n,)`, vectors `(n, condition_dim)` in the dtype of the weights, or `(n, *any)` for a
    model that says neither; one class or vector alone stands for all `n`. Lists and arrays will do.
    `TypeError` or `ValueError` for anything else, and if the model takes no label.

    >>> from fmcore.networks import MLP
    >>> label_for(MLP(num_classes=5), 3, n=2), label_for(MLP(condition_dim=2), [0, 1], n=2)
    (tensor([3, 3]), tensor([[0., 1.],
            [0., 1.]]))
    """
    if not takes_label(model):
        name = type(model).__name__
        raise ValueError(f"a label was given, and {name} takes none: it has no classes")
    label = label if isinstance(label, Tensor) else real_numbers("label", label)
    count, length = classes(model), condition_dim(model)
    if label.shape == (() if length is None else (length,)):
        label = label.expand(n, *label.shape)
    if length is not None:
        weights = home(model)
        label = real_numbers("label", label).to(weights[1] if weights else torch.float32)
        return finite("label", condition_vectors(label, n, length))
    if count is not None:  # on a GPU the network does not look at them
        return labels_in_range(class_labels(label, n), count)
    if label.shape[:1] != (n,):
        raise ValueError(f"label must have shape ({n}, *any), got {tuple(label.shape)}")
    return label


def evaluate(model: Callable[..., Tensor], x: Tensor, t: Any, label: Any) -> Tensor:
    """`model(x, t)`, or `model(x, t, label)` if there is a label, by name if it has to be."""
    if label is None:
        return model(x, t)
    if torch.compiler.is_compiling():  # a compiler cannot follow a look at the arguments
        return model(x, t, label)
    for layer in layers(model):
        third = _third_argument(layer)
        if third in LABEL_NAMES:
            return model(x, t, **{third: label})
        if third != "*":
            break
    return model(x, t, label)


def takes_two_times(model: Any) -> bool:
    """Whether `model(x, s, t)` works, as for a flow map; what cannot tell is taken at its word.

    >>> takes_two_times(lambda x, s, t: x), takes_two_times(lambda x, t, label=None: x)
    (True, False)
    """
    for layer in layers(model):
        names, _ = _arguments(layer)
        if "*" not in names[:3]:
            return len(names) >= 3 and names[2] not in LABEL_NAMES
    return True


def flow_map(model: Any) -> Any:
    """The network inside a model that is a flow map and says so, `two_times = True`; else None."""
    return next((layer for layer in layers(model) if getattr(layer, "two_times", False)), None)


def check_two_times(net: Any) -> None:
    """Raises unless `net` can be called as `net(x, s, t)`."""
    if not callable(net) or not takes_two_times(net):
        raise TypeError(
            "a flow map is called as net(x, s, t), with the times where a jump starts and ends; "
            f"{type(net).__name__} takes one time"
        )


def mean_velocity(
    net: Callable[..., Tensor], x: Tensor, s: Tensor, t: Tensor, label: Tensor | None
) -> Tensor:
    """`net(x, s, t)`, or `net(x, s, t, label)`, if it has the shape of `x`; in the dtype of `x`."""
    u = net(x, s, t) if label is None else net(x, s, t, label)
    u = floating("net(x, s, t)", u).to(x.dtype)  # under autocast a network answers in bfloat16
    like("net(x, s, t)", u, "x", x)
    return u


def time_pair(t: Any, x: Tensor) -> tuple[Tensor, Tensor]:
    """s and t `(B,)` from a pair or a tensor `(B, 2)`, if s <= t."""
    if isinstance(t, Tensor):
        if t.shape != (x.shape[0], 2):
            raise ValueError(f"t must hold s and t, shape ({x.shape[0]}, 2), got {tuple(t.shape)}")
        t = t.unbind(dim=1)
    if not (isinstance(t, tuple | list) and len(t) == 2):
        raise TypeError(f"t must be a pair (s, t) or a tensor ({len(x)}, 2), got {t!r}")
    s, t = (batch_time(time, x).contiguous() for time in t)  # each row with a slope of its own
    if s.device.type == "cpu" and (start := first(s, s > t)) is not None:
        end = first(t, s > t)
        raise ValueError(f"a jump goes forward, s <= t, got s = {start:g} and t = {end:g}")
    return s, t


def _third_argument(layer: Any, position: int = 3) -> str | None:
    """How a label gets in: by its position "3", by name alone, or "*" with any others; or None."""
    positional, named = _arguments(layer)
    if "*" in positional[:position]:
        return "*"
    if len(positional) >= position:
        return str(position)
    return next((name for name in LABEL_NAMES if name in named), None)


def _arguments(layer: Any) -> tuple[list[str], list[str]]:
    """The names of what a layer takes by position, with "*" for any others; and all names."""
    try:
        signature = inspect.signature(layer.forward if isinstance(layer, nn.Module) else layer)
    except (TypeError, ValueError):  # of something compiled, Python cannot tell
        return ["*"], []
    kinds = {name: p.kind for name, p in signature.parameters.items()}
    any_others = inspect.Parameter.VAR_POSITIONAL
    by_position = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    positional = [name for name, kind in kinds.items() if kind in by_position]
    return positional + ["*"] * (any_others in kinds.values()), list(kinds)


def sample_shape(model: Any) -> tuple[int, ...] | None:
    """The shape of one sample: what a `FlowModel` says, or what `fit` trained on; None if neither.

    Of a network for images with one channel, it is that of the images of this book.
    """
    for layer in layers(model):
        config = getattr(layer, "config", None)
        shape = config.get("shape") if isinstance(config, Mapping) else None
        shape = shape or getattr(layer, "trained_shape", None)
        if shape is not None:
            return tuple(shape)
    return (1, 28, 28) if settings(model).get("in_channels") == 1 else None


def home(model: Any) -> tuple[torch.device, torch.dtype] | None:
    """The device and the dtype in which a model computes; None if it has no weights that say so."""
    if not isinstance(model, nn.Module):
        return None
    tensors = chain(model.parameters(), model.buffers())
    weight = next((w for w in tensors if w.is_floating_point()), None)
    return None if weight is None else (weight.device, weight.dtype)


_lock = threading.Lock()
_in_use: WeakKeyDictionary[nn.Module, list[Any]] = WeakKeyDictionary()
"""The parts of models in evaluation: by how many callers, and the mode before the first of them."""


@contextmanager
def evaluating(model: Any) -> Generator[None]:
    """In evaluation mode; afterwards every part is in its own again, whatever wraps it.

    Several threads may evaluate one model at once: the last of them gives the modes back.
    """
    parts = [*model.modules()] if isinstance(model, nn.Module) else []
    with _lock:
        for part in parts:
            _in_use.setdefault(part, [0, part.training])[0] += 1
        if parts:
            model.eval()
    try:
        yield
    finally:
        with _lock:
            for part in parts:
                users = _in_use[part]
                users[0] -= 1
                if users[0] == 0:
                    part.training = users[1]
                    del _in_use[part]


class _ClampedTime(nn.Module):
    def __init__(self, model: Callable[..., Tensor]):
        super().__init__()
        self.model = model

    def forward(self, x: Tensor, t: float | Tensor, label: Tensor | None = None) -> Tensor:
        return evaluate(self.model, x, torch.as_tensor(t).clamp(0, 1), label)


def clamp_time(model: Callable[..., Tensor]) -> nn.Module:
    """The field of `model`, held still before t = 0 and after t = 1.

    Adaptive solvers of other libraries step past the end of the interval and interpolate back
    (torchdiffeq's dopri5 evaluates at t = 1.08), where a network was never trained and therefore
    refuses to answer. `odeint` here ends its last step on t1.

    >>> clamp_time(lambda x, t: x * t)(torch.ones(1, 2), 1.08)
    tensor([[1., 1.]])
    """
    if not callable(model):
        raise TypeError(f"model must be callable as model(x, t), got {type(model).__name__}")
    return _ClampedTime(model)
