"""The wires of a U-Net that can be cut: blocks, skips, the way below, the clock.

Each is described twice, for the page and for PyTorch: what its scripts leave out of the layout that
`web.py` writes, and the hooks that do the same to the network here.
"""

from __future__ import annotations

from collections.abc import Collection, Generator
from contextlib import ExitStack, contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from fmcore.networks import UNet

STOPPED = 0.5  # what a clock shows that is cut


class Wire(NamedTuple):
    """`silent`, `alone`: the operation of the layout, by its weight, whose result becomes 0, or
    that is no longer added to another picture. `place`: row, column and width in a drawing."""

    text: str
    place: tuple[int, int, int]
    silent: str = ""
    alone: str = ""
    clock: float | None = None


class _Level(NamedTuple):
    """The names of its parts; `up` leads out of it, and there is none out of the first."""

    first: str
    second: str
    up: str = ""


def _levels(net: UNet) -> list[_Level]:
    below = ["below." * (k + 1) for k in range(net.config["levels"] - 2)]
    return [
        _Level("block1", "block4"),
        _Level("block2", "block3", "up"),
        *(_Level(f"{name}block1", f"{name}block2", f"{name}up") for name in below),
    ]


def wires(net: UNet) -> dict[str, Wire]:
    """Every wire by its name: a block by its own, "skip1", "down1", "clock"."""
    levels = _levels(net)
    last = 2 * len(levels) - 1  # column
    found = {}
    for k, (first, second, up) in enumerate(levels):
        if up:
            found[f"down{k}"] = Wire("down", (k, k - 1, 1), silent=f"{up}.weight")
        inner = 2 * k + 1 if k > 1 else 0  # the deeper blocks have no number of their own
        for name, column, number in ((first, k, inner), (second, last - k, inner + 1)):
            text = f"block{number}" if inner else name
            found[name] = Wire(text, (k, column, 1), silent=f"{name}.conv2.weight")
        if k + 1 < len(levels):
            wide = last - 2 * k - 1
            found[f"skip{k + 1}"] = Wire(
                "skip", (k, k + 1, wide), alone=f"{levels[k + 1].up}.weight"
            )
    found["clock"] = Wire("clock, for all blocks", (len(levels), 0, last), clock=STOPPED)
    return found


@contextmanager
def cut(net: UNet, names: Collection[str]) -> Generator[None]:
    """The network without the wires of these names, as long as this lasts.

    A block that is cut passes on what it is given, its correction is 0. A skip that is cut adds
    nothing to what comes up, "down" lets nothing come up, and a clock that is cut stands at 0.5.
    """
    with ExitStack() as hooks:

        def on(part: nn.Module, hook: Any) -> None:
            hooks.callback(part.register_forward_hook(hook).remove)

        kept: dict[int, Tensor] = {}
        for k, (first, second, up) in enumerate(_levels(net)):
            for name in {first, second} & set(names):
                on(net.get_submodule(name), lambda _, args, out: args[0])
            on(net.get_submodule(first), lambda _, args, out, k=k: kept.update({k: out}))
            if up:
                on(net.get_submodule(up), _arrival(k, kept, names))
        if "clock" in names:
            told = net.register_forward_pre_hook(
                lambda _, args: (args[0], torch.as_tensor(STOPPED).to(args[0]), *args[2:])
            )
            hooks.callback(told.remove)
        yield


def _arrival(k: int, kept: dict[int, Tensor], names: Collection[str]) -> Any:
    """What comes up from level k: the network adds to it what the skip carries, and so the skip is
    cut by taking that away before."""

    def hook(_: nn.Module, args: Any, out: Tensor) -> Tensor:
        if f"down{k}" in names:
            out = torch.zeros_like(out)
        return out - kept[k - 1] if f"skip{k}" in names else out

    return hook
