"""Models for programs without fmcore: ONNX files, and programs of `torch.export`.

A file holds the velocity field v(x, t) and nothing of a solver, guidance or noise: those are a few
lines wherever it is read (a step of Euler's is x + h v). Its names, in this order, are

    x      (batch, *shape)   points or images, in the dtype of the weights
    t      (batch,)          times in [0, 1]: 0 is noise, 1 is data
    label  (batch,)          int64, of a network with classes; `num_classes` itself means none
           (batch, k)        of a network whose condition is a vector; NaN means none
    v      (batch, *shape)   the velocity, the only output

with any batch, and the shape of the samples that the model draws. What a `FlowModel` says of itself
travels along as JSON under "fmcore". A traced program checks no values: t = 2 is answered.
"""

from __future__ import annotations

import io
import json
import warnings
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.export import Dim, ExportedProgram

from fmcore.checks import batch_time, one_of, whole
from fmcore.files import replacing, writable
from fmcore.models import classes, condition_dim, evaluating, home
from fmcore.weights import FlowModel

__all__ = ["export_model"]

OPSET = 18
"""The version of ONNX's operators by default, and the least; runtimes since 2023 have it."""


def export_model(model: FlowModel, file: str | Path, *, opset: int | None = None) -> None:
    """Write a model as ONNX (.onnx) or as a program of `torch.export` (.pt2), whole or not at all.

    `opset` is that of ONNX, 18 if left out. A .pt2 is read by `torch.export.load(file).module()`
    and called as (x, t) or (x, t, label). The head of this module says what a file holds.

    Raises `TypeError` unless it is a `FlowModel`, `ValueError` for another ending, for an `opset`
    that torch cannot write or of a .pt2, or if the file cannot be written; `ModuleNotFoundError`
    without onnx and onnxscript, which `fmcore[export]` brings.

    >>> from fmcore.weights import load_pretrained
    >>> export_model(load_pretrained("mnist"), "mnist.tflite")
    Traceback (most recent call last):
    ValueError: the format must be one of '.onnx', '.pt2', got '.tflite'
    """
    if not isinstance(model, FlowModel):
        raise TypeError(f"model must be a FlowModel, got {type(model).__name__}")
    file = Path(file)
    if one_of("the format", file.suffix, (".onnx", ".pt2")) == ".onnx":
        opset = _opset(opset)
    elif opset is not None:
        raise ValueError(f"opset={opset!r} is a version of ONNX, and {file.suffix} has none")
    file, about = writable(file), json.dumps(model.config)
    arguments = _arguments(model)
    with evaluating(model), torch.no_grad():
        program = torch.export.export(
            model, tuple(arguments.values()), dynamic_shapes=[{0: Dim("batch")}] * len(arguments)
        )
    with warnings.catch_warnings():  # of names that agree, and of weights with the channels last
        warnings.filterwarnings("ignore", ".*(axis name: batch|No complete tensor)", UserWarning)
        content = _onnx(program, [*arguments], about, opset) if opset else _pt2(program, about)
    with replacing(file) as stream:
        stream.write(content)


def _opset(opset: int | None) -> int:
    """The version of the operators to write, if it is one that can be written."""
    if missing := [name for name in ("onnx", "onnxscript") if find_spec(name) is None]:
        raise ModuleNotFoundError(
            f"ONNX needs {' and '.join(missing)}: pip install 'fmcore[export]'"
        )
    from onnx.defs import onnx_opset_version

    return whole("opset", OPSET if opset is None else opset, OPSET, onnx_opset_version())


def _arguments(model: FlowModel) -> dict[str, Tensor]:
    """A batch of two, by which the model is traced: it stands for one of any size."""
    device, dtype = home(model) or (None, torch.float32)
    x = torch.zeros(2, *model.config["shape"], device=device, dtype=dtype)
    arguments = {"x": x, "t": batch_time(0.5, x).clone()}
    if classes(model) is not None:
        arguments["label"] = torch.zeros(2, device=device, dtype=torch.int64)
    elif (k := condition_dim(model)) is not None:
        arguments["label"] = x.new_zeros(2, k)
    return arguments


def _onnx(program: ExportedProgram, names: list[str], about: str, opset: int) -> bytes:
    written: Any = torch.onnx.export(
        program, input_names=names, output_names=["v"], opset_version=opset, dynamo=True,
        dynamic_shapes=[{0: "batch"}] * len(names), verbose=False,
    )  # fmt: skip
    proto = written.model_proto
    if (got := proto.opset_import[0].version) != opset:
        raise ValueError(f"opset={opset} is not what this version of torch writes: it wrote {got}")
    entry = proto.metadata_props.add()
    entry.key, entry.value = "fmcore", about
    return proto.SerializeToString()


def _pt2(program: ExportedProgram, about: str) -> bytes:
    stream = io.BytesIO()
    torch.export.save(program, stream, extra_files={"fmcore": about})
    return stream.getvalue()
