"""Weights on disk: safetensors with the configuration in the header, and nothing that can run.

A file holds the tensors and one JSON text that says which network, which path and which images they
belong to, so that a file is enough to sample. Pickle is never read.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, cast

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from fmcore.checks import batch_time, whole
from fmcore.files import ASSETS, replacing, writable
from fmcore.models import evaluate, flow_map, layers, mean_velocity
from fmcore.networks import NETWORKS
from fmcore.paths import PATHS, PREDICTIONS, ProbabilityPath, check_once
from fmcore.paths.predictions import calm_span, predicted_velocity
from fmcore.tables import Table

__all__ = [
    "FlowModel", "load_model", "load_pretrained", "load_weights", "pretrained", "save_weights",
]  # fmt: skip


class FlowModel(nn.Module):
    """A network with the path it was trained on: callable as `v(x, t)`, ready to sample and save.

    `shape` is that of one sample, e.g. (1, 28, 28); `about` holds whatever else is worth knowing
    (data, recipe, seed, device, time) as plain JSON values. `.config` is all but the weights: what
    is accepted here can be saved. If the network was trained to `predict` something other than
    the velocity, a key of `PREDICTIONS`, `as_velocity` makes the field. A flow map `net(x, s, t)`
    is the field `net(x, t, t)`, and `generate` jumps with it.

    Raises `ValueError` if `predict` is no such key, `TypeError` if the network or the path is in no
    table, if the network has no `config` that builds it anew, or if a value cannot be written as
    JSON. Networks and paths of one's own are added by `NETWORKS.register` and `PATHS.register`.

    >>> import torch
    >>> from fmcore.networks import UNet
    >>> from fmcore.paths import OTPath
    >>> model = FlowModel(UNet(base=8), OTPath(), shape=(1, 28, 28))
    >>> model(torch.zeros(2, 1, 28, 28), 0.5).shape, model.path
    (torch.Size([2, 1, 28, 28]), OTPath(sigma_min=0.0))
    """

    def __init__(
        self,
        net: nn.Module,
        path: ProbabilityPath,
        shape: Sequence[int],
        about: Mapping[str, Any] | None = None,
        *,
        predict: str = "velocity",
    ):
        super().__init__()
        if NETWORKS.name_of(type(net)) is None or PATHS.name_of(type(path)) is None:
            raise TypeError(
                f"net must be one of {list(NETWORKS)} and path one of {list(PATHS)}, got "
                f"{type(net).__name__} and {type(path).__name__}: add yours to NETWORKS or PATHS, "
                "as NETWORKS.register(MyNet) does"
            )
        check_once(path, torch.device("cpu"))
        arguments = getattr(net, "config", None)
        if not isinstance(arguments, Mapping):
            raise TypeError(
                f"{type(net).__name__}.config must hold the arguments that build it anew, "
                f"got {arguments!r}"
            )
        try:
            inspect.signature(type(net)).bind(**arguments)
        except TypeError as error:  # a file with such a config could not be read again
            raise TypeError(
                f"{type(net).__name__}(**config) must build the network anew, with config="
                f"{dict(arguments)!r}: {error}"
            ) from None
        if not isinstance(shape, list | tuple):
            raise TypeError(f"shape must be that of one sample, such as (2,), got {shape!r}")
        if not (about is None or isinstance(about, Mapping)):
            raise TypeError(f"about must be a dictionary, got {about!r}")
        PREDICTIONS.find("predict", predict)
        self.net, self.path, self.predict = net, path, predict
        self.jumps = flow_map(net) is not None
        self.span = None if predict == "velocity" else calm_span(path, predict=predict)
        self.config: dict[str, Any] = {
            "network": {"name": type(net).__name__, **arguments},
            "path": {"name": type(path).__name__, **asdict(cast(Any, path))},
            "predict": predict,
            "shape": [whole("each side of shape", side) for side in shape],
            "about": dict(about or {}),
        }
        self.config = json.loads(json.dumps(self.config, default=_plain))

    def forward(self, x: Tensor, t: float | Tensor, label: Tensor | None = None) -> Tensor:
        if self.jumps:
            now = batch_time(t, x)
            v = mean_velocity(self.net, x, now, now, label)
        elif self.span is None:
            v = evaluate(self.net, x, t, label)
        else:
            v = predicted_velocity(
                self.net, self.path, x, t, label, predict=self.predict, span=self.span
            )
        return v.to(x.dtype)  # under autocast a network answers in half precision


def save_weights(model: FlowModel, file: str | Path) -> None:
    """Write a model as safetensors, whole or not at all: a crash leaves the old file in place.

    Raises `TypeError` unless it is a `FlowModel`, `ValueError` if the file cannot be written.
    """
    inside = next((layer for layer in layers(model) if isinstance(layer, FlowModel)), None)
    if inside is None:
        raise TypeError(f"model must be a FlowModel, got {type(model).__name__}")
    model, file = inside, writable(file)
    tensors = {k: v.detach().cpu().contiguous() for k, v in model.net.state_dict().items()}
    with replacing(file) as stream:
        stream.write(save(tensors, metadata={"fmcore": json.dumps(model.config)}))


def load_weights(file: str | Path) -> FlowModel:
    """The model in a file that `save_weights` wrote, in evaluation mode, on the CPU.

    Its weights are frozen, so that no graph is built for them where nobody asks for one: call
    `.requires_grad_()` to differentiate in them. `fit` does so itself.

    Raises `FileNotFoundError` if there is none; `ValueError` if it is damaged, if it is not
    safetensors, or if its tensors do not fit the network it names. No code in a file is ever run.
    """
    file = Path(file).expanduser()
    if not file.is_file():
        raise FileNotFoundError(f"there is no weight file {file}")
    try:
        with safe_open(file, framework="pt") as content:
            header = (content.metadata() or {}).get("fmcore")
            names = content.keys()
            tensors = {name: content.get_tensor(name) for name in names}
    except (SafetensorError, OSError) as error:
        raise ValueError(
            f"{file} is damaged or not a safetensors file ({error}); other formats are not read, "
            "for they may run code"
        ) from error
    if header is None:
        raise ValueError(f"{file} was not written by fmcore: its header has no configuration")
    try:
        config = json.loads(header)
        network, path = config["network"], config["path"]
        net = _built(NETWORKS, network)
        path = _built(PATHS, path)
        predict = config.get("predict", "velocity")  # which all did before version 0.2
        model = FlowModel(net, path, tuple(config["shape"]), config["about"], predict=predict)
    except (json.JSONDecodeError, KeyError, TypeError, ValueError) as error:
        told = repr(error) if isinstance(error, KeyError) else error
        raise ValueError(f"{file} holds no configuration that fits: {told}") from error
    if problem := misfit(net, tensors):
        raise ValueError(f"{file} does not fit the network it names, {network['name']}: {problem}")
    load_tensors(net, tensors)
    return model.eval().requires_grad_(False)


def _plain(value: Any) -> Any:
    """NumPy's numbers and torch's as Python's, for JSON."""
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(f"a configuration must hold plain numbers, texts and lists, got {value!r}")


def _built(table: Table, config: dict) -> Any:
    """What a file names, with the numbers it holds; `ValueError` for a name that is in no table."""
    kind, name = table.get(config["name"]), config["name"]
    if kind is None:
        raise ValueError(
            f"there is no {table.kind} {name!r}, only {', '.join(map(repr, table))}. A file brings "
            f"no code: if {name} is a class of yours, define it and call "
            f"fmcore.{table.kind.upper()}S.register({name}) first"
        )
    arguments = getattr(kind, "BEFORE", {}) | config  # an older file does not name the newest ones
    return kind(**{name: value for name, value in arguments.items() if name != "name"})


def misfit(net: nn.Module, tensors: dict[str, Tensor]) -> str | None:
    """The first tensor that is missing, superfluous or of another shape, in words; None if none."""
    expected = {name: tuple(tensor.shape) for name, tensor in net.state_dict().items()}
    shapes = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    for name in sorted(expected.keys() | shapes.keys()):
        if expected.get(name) != shapes.get(name):
            wanted, got = expected.get(name, "absent"), shapes.get(name, "absent")
            return f"{name} should be {wanted} and is {got}"
    return None


def load_tensors(net: nn.Module, tensors: dict[str, Tensor]) -> None:
    """Give `net` all of its tensors, in their dtype."""
    dtypes = {tensor.dtype for tensor in tensors.values() if tensor.is_floating_point()}
    if len(dtypes) == 1:
        net.to(dtype=dtypes.pop())
    net.load_state_dict(tensors)


def load_pretrained(name: str) -> FlowModel:
    """The model "mnist", which comes with the library and draws digits; `ValueError` for others.

    >>> load_pretrained("mnist").config["shape"]
    [1, 28, 28]
    """
    if name not in pretrained():
        raise ValueError(f"there is no pretrained model {name!r}; choose from {pretrained()}")
    return load_weights(ASSETS / f"{name}.safetensors")


def pretrained() -> list[str]:
    """The names that `load_pretrained` knows."""
    return sorted(file.stem for file in ASSETS.glob("*.safetensors"))


def load_model(weights: str) -> FlowModel:
    """A model of the library if that is its name, else a file if it looks like one."""
    file = Path(weights)
    looks_like_a_file = file.suffix or file.is_file() or file.name != weights
    if weights not in pretrained() and looks_like_a_file:
        return load_weights(weights)
    return load_pretrained(weights)
