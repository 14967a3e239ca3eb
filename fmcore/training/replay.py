"""Replaying a step: a GPU is done with it before the host has launched all its kernels."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import torch
from torch import Tensor


class Replayed:
    """`function`, of tensors on a GPU, recorded as a CUDA graph and replayed from then on.

    The first calls run it as it is, on a stream of their own, in which libraries choose and compile
    their kernels. The next one records. Every later call copies its arguments to where the recorded
    kernels read them, and launches all of them at once. So the arguments always need the same
    shapes (or be None), and the function must not read a value: what it does to tensors in
    place, and the tensor that it returns, is all that happens again.
    """

    def __init__(self, function: Callable[..., Tensor], warm_up: int = 3):
        self.function, self.warm_up = function, warm_up
        self.stream, self.graph = torch.cuda.Stream(), None

    def __call__(self, *arguments: Tensor | None) -> Tensor:
        if self.warm_up:
            self.warm_up -= 1
            return self._as_it_is(*arguments)
        if self.graph is None:
            self.recorded = [None if x is None else x.clone() for x in arguments]
            self.graph = torch.cuda.CUDAGraph()
            try:
                with torch.cuda.graph(self.graph, stream=self.stream):
                    self.result = self.function(*self.recorded)
            except RuntimeError as error:
                raise RuntimeError(
                    "a step cannot be recorded: does the network read a value, or copy from the "
                    "host? It can be trained with compile=False"
                ) from error
        for recorded, x in zip(self.recorded, arguments, strict=True):
            if recorded is not None and x is not None:
                recorded.copy_(x)
        self.graph.replay()
        return self.result.clone()

    def _as_it_is(self, *arguments: Tensor | None) -> Tensor:
        self.stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(self.stream), warnings.catch_warnings():
            # An optimizer that is ready to be recorded wonders why it is not.
            warnings.filterwarnings("ignore", "This instance was constructed with capturable")
            result = self.function(*arguments)
        torch.cuda.current_stream().wait_stream(self.stream)
        return result
