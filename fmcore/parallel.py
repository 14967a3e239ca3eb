"""Several processes: who am I, who else is there, and how to agree.

Every process draws the random numbers of the whole batch and takes every size-th row of it. So the
state of the generator is the same everywhere, and one process or eight see the same batches.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.distributed as dist
from torch import Tensor, nn


@dataclass(frozen=True)
class Team:
    """This process is number `rank` of `size`; (0, 1) if it is alone."""

    rank: int = 0
    size: int = 1

    @property
    def mine(self) -> slice:
        """The rows of a batch that this process works on.

        >>> list(range(8))[Team(1, 4).mine]
        [1, 5]
        """
        return slice(self.rank, None, self.size)

    def wrap(self, model: nn.Module) -> nn.Module:
        """The model, with gradients that are averaged over all processes."""
        if self.size == 1:
            return model
        return nn.parallel.DistributedDataParallel(model, broadcast_buffers=False)

    def agree(self, mine: str, verb: str, remedy: str) -> None:
        """`ValueError` everywhere unless `mine` is the same in all processes; each has to ask."""
        if self.size == 1:
            return
        said: list = [None] * self.size
        dist.all_gather_object(said, mine)
        if len({*said}) > 1:
            what = "; ".join(f"process {rank} {verb} {each}" for rank, each in enumerate(said))
            raise ValueError(f"the processes do not agree: {what}; they must {remedy}")

    def mean(self, x: Tensor) -> Tensor:
        """The mean over all processes. Each of them has to ask."""
        if self.size > 1:
            x = x.clone()
            dist.all_reduce(x)
        return x / self.size


def team() -> Team:
    """The team that this process is in.

    >>> team()
    Team(rank=0, size=1)
    """
    if dist.is_available() and dist.is_initialized():
        return Team(dist.get_rank(), dist.get_world_size())
    return Team()


@contextmanager
def joined(device: str) -> Iterator[str]:
    """Join the processes that `torchrun` started; the device of this one.

    A process that was not started by `torchrun` stays alone, on the device it asked for; so does
    one that has joined already. With "cuda", process k of a machine takes its GPU k; `ValueError`
    if there is none.
    """
    find_device(device)
    alone = not dist.is_available() or not dist.is_torchelastic_launched()
    if alone or dist.is_initialized():
        yield device
        return
    backend = "gloo"
    if torch.device(device).type == "cuda":
        local, count = int(os.environ["LOCAL_RANK"]), torch.cuda.device_count()
        if local >= count:
            raise ValueError(
                f"process {local} of this machine wants a GPU of its own, but there are {count}: "
                f"start torchrun with --nproc-per-node={max(count, 1)}"
            )
        backend, device = "nccl", f"cuda:{local}"
        torch.cuda.set_device(device)
    # After a restart torchrun hands out the same store, and the addresses of dead processes are
    # still in it: each attempt has to write under a name of its own.
    store, rank, size = next(dist.rendezvous("env://"))
    attempt = os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")
    store = dist.PrefixStore(f"attempt-{attempt}", store)
    dist.init_process_group(backend, store=store, rank=rank, world_size=size)
    try:
        yield device
    finally:
        dist.destroy_process_group()


def find_device(name: str) -> torch.device:
    """The device of that name, if one can compute on it; otherwise `ValueError`.

    >>> find_device("cpu")
    device(type='cpu')
    """
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise ValueError(f"device={name!r} is no device: {error}") from None
    if device.type == "cuda" and not torch.cuda.is_available():
        raise ValueError(f"device={name!r} was asked for, but no GPU is available")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise ValueError(
            f"device={name!r} was asked for, but there are {torch.cuda.device_count()}"
        )
    try:
        torch.zeros(1, device=device).item()
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise ValueError(f"device={name!r} cannot be computed on: {error}") from None
    return device


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
