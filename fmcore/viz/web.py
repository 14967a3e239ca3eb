"""Networks for a page: their layout and weights, as the scripts in `js/net` read them.

A file is safetensors, with weights in half precision, and so `load_weights` reads it too. Its
header holds, besides the configuration,

    layout   the network as a list of operations on named vectors and pictures (JSON)
    crc32    a checksum of the weights

so that the scripts know no architecture: what a `UNet` or an `MLP` does is written down here.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import torch
from safetensors.torch import save
from torch import Tensor, nn

from fmcore.checks import one_of
from fmcore.files import replacing, writable
from fmcore.metrics.reader import Reader
from fmcore.networks import MLP, UNet
from fmcore.networks.embedding import TimeEmbedding
from fmcore.weights import FlowModel

__all__ = ["export_web", "web_network"]

DTYPES = (torch.float16, torch.float32)
Layout = dict[str, Any]


def export_web(model: FlowModel, file: str | Path) -> None:
    """Write a model for a page, whole or not at all: see the head of this module.

    The name must end in .safetensors.

    Raises as `web_network` does, `ValueError` for another ending or if the file cannot be written.
    """
    one_of("the format", Path(file).suffix, (".safetensors",))
    file, content = writable(file), web_network(model)
    with replacing(file) as stream:
        stream.write(content)


def web_network(model: FlowModel | Reader, dtype: torch.dtype = torch.float16) -> bytes:
    """A model for a page, its weights in `dtype`, float16 or float32.

    Raises `TypeError` unless it is a `FlowModel` of a `UNet` or an `MLP`, or the `Reader` of
    digits; `ValueError` if it predicts something else than the velocity, or if a weight is beyond
    what half precision can hold.

    >>> from fmcore.weights import load_pretrained
    >>> len(web_network(load_pretrained("mnist"))) < 2e6
    True
    """
    one_of("dtype", dtype, DTYPES)
    config = {}
    if isinstance(model, Reader):
        layout, tensors = _reader(model)
    elif not isinstance(model, FlowModel) or not isinstance(model.net, UNet | MLP):
        net = model.net if isinstance(model, FlowModel) else model
        raise TypeError(
            "only a FlowModel of a UNet or an MLP can run in a page, "
            f"got one of {type(net).__name__}"
        )
    elif model.predict != "velocity":
        raise ValueError(
            f"only a velocity can be followed in a page, not predict={model.predict!r}"
        )
    else:
        layout = _unet(model.net) if isinstance(model.net, UNet) else _mlp(model.net)
        tensors, config = model.net.state_dict(), {"fmcore": json.dumps(model.config)}
    return packed(layout, tensors, dtype, config)


def packed(
    layout: Layout,
    tensors: Mapping[str, Tensor],
    dtype: torch.dtype,
    config: Mapping[str, str] | None = None,
) -> bytes:
    """A layout and its tensors as a file."""
    held = {k: v.detach().cpu().to(dtype).contiguous() for k, v in tensors.items()}
    if beyond := [name for name, tensor in held.items() if not tensor.isfinite().all()]:
        raise ValueError(f"{beyond[0]} has weights that {dtype} cannot hold")
    plain = save(held)
    begin = 8 + int.from_bytes(plain[:8], "little")
    header, data = json.loads(plain[8:begin]), plain[begin:]
    about = {"layout": json.dumps(layout), "crc32": str(zlib.crc32(data))}
    # Written here, for `save` has the entries of its metadata in another order each time.
    header = {"__metadata__": {**(config or {}), **about}, **header}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + data


def _time(embedding: nn.Module) -> Layout:
    return {
        "op": "waves",
        "from": "",
        "to": "e",
        "frequencies": cast(TimeEmbedding, embedding).frequencies.tolist(),
    }


def _layer(op: str, name: str, source: str, to: str, **more: Any) -> Layout:
    """An operation with weights and biases."""
    tensors = {"weight": f"{name}.weight", "bias": f"{name}.bias"}
    return {"op": op, "from": source, "to": to, **tensors, **more}


def _unet(net: UNet) -> Layout:
    """The vectors first: "e", and the scales and shifts of each block. Pictures are then named by
    their level: "h0" is what the skips add, "s0" and "m0" are within a block."""
    ops = [
        _time(net.embed_time[0]),
        _layer("dense", "embed_time.1", "e", "e", silu=True),
        _layer("dense", "embed_time.3", "e", "e"),
    ]
    if net.embed_label is not None:
        ops.append({"op": "label", "from": "e", "to": "e", "weight": "embed_label.weight"})
    films: list[Layout] = []

    def norm(name: str, layer: Any, source: str, to: str) -> Layout:
        return _layer("norm", name, source, to, groups=layer.num_groups, eps=layer.eps)

    def block(name: str, picture: str) -> list[Layout]:
        """In place: picture + conv(silu(norm(film(conv(silu(norm(picture)))))))."""
        part, level = net.get_submodule(name), picture[-1]
        films.append(_layer("dense", f"{name}.film", "e", name))
        return [
            norm(f"{name}.norm1", part.norm1, picture, f"s{level}"),
            _layer("conv", f"{name}.conv1", f"s{level}", f"m{level}", film=name),
            norm(f"{name}.norm2", part.norm2, f"m{level}", f"s{level}"),
            _layer("conv", f"{name}.conv2", f"s{level}", picture, plus=picture),
        ]

    def below(prefix: str, level: int) -> list[Layout]:
        """A level: what lies below "h" is added to it, "u" is what goes up."""
        outer = "" if level == 1 else prefix
        names = ("block2", "block3") if level == 1 else ("block1", "block2")
        here, above = f"h{level}", f"h{level - 1}"
        middle = below(f"{prefix}below.", level + 1) if level + 1 < net.config["levels"] else []
        return [
            _layer("down", f"{outer}down", above, here),
            *block(f"{outer}{names[0]}", here),
            *middle,
            *block(f"{outer}{names[1]}", here),
            _layer("up", f"{outer}up", here, above, plus=above),
        ]

    pictures = [
        _layer("conv", "enter", "x", "h0"),
        *block("block1", "h0"),
        *below("", 1),
        *block("block4", "h0"),
        norm("leave.0", net.leave[0], "h0", "s0"),
        _layer("conv", "leave.2", "s0", "v"),
    ]
    if net.config["film_silu"]:  # between the embedding and the layers of FiLM
        ops.append({"op": "silu", "from": "e", "to": "e"})
    channels, multiple = net.config["in_channels"], 2 ** (net.config["levels"] - 1)
    return _whole(channels, [*ops, *films, *pictures], "v", multiple=multiple)


def _mlp(net: MLP) -> Layout:
    """Points are the pixels of a picture; what the first layer reads of the time is a shift."""
    dim, waves = net.config["dim"], net.config["time_dim"]
    ops = [_time(net.embed_time)]
    if net.embed_label is not None:
        ops.append({"op": "label", "from": "e", "to": "e", "weight": "embed_label.weight"})
    ops.append(_layer("dense", "layers.0", "e", "b", columns=[dim, dim + waves]))
    last = len(net.layers) - 1
    source = "x"
    for i in range(0, last + 1, 2):
        first = {"shift": "b", "columns": [0, dim]} if i == 0 else {}
        ops.append(_layer("conv", f"layers.{i}", source, f"a{i}", silu=i < last, **first))
        source = f"a{i}"
    return _whole(dim, ops, source, margin=0)


def _reader(reader: Reader) -> tuple[Layout, dict[str, Tensor]]:
    """Batch normalisation is folded into the convolutions before it."""
    ops: list[Layout] = []
    tensors: dict[str, Tensor] = {}

    def keep(weight: Tensor, bias: Tensor) -> str:
        name = f"layer{len(tensors) // 2}"
        tensors[f"{name}.weight"], tensors[f"{name}.bias"] = weight, bias
        return name

    source = "x"
    layers = [*reader.body, *reader.head]
    for i, layer in enumerate(layers):
        to = f"a{len(ops)}"
        if isinstance(layer, nn.Conv2d):
            norm: Any = layers[i + 1]
            scale = norm.weight / (norm.running_var + norm.eps).sqrt()
            shift = norm.bias - norm.running_mean * scale
            name = keep(layer.weight * scale[:, None, None, None], shift)
            ops.append(_layer("conv", name, source, to, silu=True))
        elif isinstance(layer, nn.Linear):
            name = keep(layer.weight, layer.bias)
            ops.append(_layer("dense", name, source, to, silu=i < len(layers) - 1))
        elif isinstance(layer, nn.MaxPool2d | nn.AvgPool2d):
            kind = "max" if isinstance(layer, nn.MaxPool2d) else "mean"
            ops.append({"op": "pool", "from": source, "to": to, "kind": kind})
        elif isinstance(layer, nn.Flatten):
            ops.append({"op": "flatten", "from": source, "to": to})
        else:
            continue  # folded, part of a layer before, or of training alone
        source = to
    return _whole(1, ops, source, margin=2), tensors


def _whole(
    channels: int, ops: list[Layout], result: str, *, margin: int = 1, multiple: int = 1
) -> Layout:
    sizes = {"channels": channels, "margin": margin, "multiple": multiple}
    return {**sizes, "ops": ops, "result": result}
