"""Several processes: which one this is, how many there are, and what they share.

Every process draws the random numbers of the whole batch and takes every size-th row of it. So the
state of the generator is the same everywhere, and one process or eight see the same batches.
"""

from __future__ import annotations

import os
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from fmcore.devices import find_device

__all__ = ["Team", "joined", "team"]


@dataclass(frozen=True)
class Team:
    """This process is number `rank` of `size`; (0, 1) if it is alone."""

    rank: int = 0
    size: int = 1

    @property
    def share(self) -> slice:
        """The rows of a batch that this process works on.

        >>> list(range(8))[Team(1, 4).share]
        [1, 5]
        """
        return slice(self.rank, None, self.size)

    def wrap(self, model: nn.Module) -> nn.Module:
        """The model, with gradients that are averaged over all processes."""
        if self.size == 1:
            return model
        return nn.parallel.DistributedDataParallel(model, broadcast_buffers=False)

    def all_values(self, value: Any) -> list[Any]:
        """The `value` of every process, by rank. Each of them has to call this."""
        values: list[Any] = [value]
        if self.size > 1:
            values *= self.size
            dist.all_gather_object(values, value)
        return values

    def mean(self, x: Tensor) -> Tensor:
        """The mean over all processes. Each of them has to call this."""
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
def joined(device: str) -> Generator[str]:
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
                f"process {local} of this machine needs a GPU of its own, but there are {count}: "
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
