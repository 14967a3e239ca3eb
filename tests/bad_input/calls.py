"""A call that works, and rows that spoil it: one change each, the error, a piece of its message."""

from __future__ import annotations

import copy
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch.utils.data import TensorDataset

from fmcore.tables import Table

MOST = 60  # characters of a value in the name of a row


@dataclass(frozen=True)
class Call:
    """`function` with good arguments, any of which may be changed."""

    function: Callable[..., Any]
    arguments: dict[str, Any]

    def __call__(self, **changes: Any) -> Any:
        arguments = {**self.arguments, **changes}
        for name, value in arguments.items():  # so that a call repeats itself
            if isinstance(value, torch.Generator):
                value.manual_seed(0)
            elif isinstance(value, torch.nn.Module):
                arguments[name] = copy.deepcopy(value)
        result = self.function(**arguments)
        return list(result) if isinstance(result, Iterator) else result

    def __str__(self) -> str:
        """`odeint`, `OTPath.sample`, or `UNet()` for a network that is called."""
        name = getattr(self.function, "__qualname__", f"{type(self.function).__name__}()")
        return name.rpartition("<locals>.")[2]


class Row(NamedTuple):
    """What is called, with what, the exception, a piece of its message."""

    call: Call
    changes: dict[str, Any]
    error: type[Exception]
    piece: str

    def __str__(self) -> str:
        """The call and the complaint: two networks may look alike, and what is wrong differs."""
        changes = ", ".join(f"{name}={shown(value)}" for name, value in self.changes.items())
        return f"{self.call}({changes}): {self.piece}"


def bad(function: Callable[..., Any], arguments: dict[str, Any], *rows: tuple) -> list[Row]:
    """The rows of one function; `arguments` are good, and each row changes some of them."""
    call = Call(function, arguments)
    return [Row(call, *row) for row in rows]


def shown(value: Any) -> str:
    """A value in a few characters, the same on every machine."""
    if isinstance(value, torch.Tensor) and value.numel() > 1:
        about = f" {value.min()}..{value.max()}" if value.dtype == torch.int64 else ""
        about += "" if value.is_complex() or value.isfinite().all() else " not finite"
        return f"{str(value.dtype).removeprefix('torch.')}{tuple(value.shape)}{about}"
    if isinstance(value, Path) or (isinstance(value, str) and tempfile.gettempdir() in value):
        return Path(value).name
    if isinstance(value, dict):
        return f"{{{', '.join(f'{k}={shown(v)}' for k, v in value.items())}}}"[:MOST]
    if isinstance(value, Table):
        return value.kind
    if hasattr(value, "__qualname__"):
        return value.__qualname__
    name = type(value).__name__
    if isinstance(value, TensorDataset):
        return f"{name}({', '.join(map(shown, value.tensors))})"
    if is_dataclass(value):
        said = [
            getattr(value, f.name) for f in fields(value) if getattr(value, f.name) != f.default
        ]
        return f"{name}({', '.join(map(shown, said))})"
    plain = isinstance(value, str | float | complex | list | tuple | dict | torch.Tensor | None)
    return repr(value)[:MOST] if plain or isinstance(value, int) else name
