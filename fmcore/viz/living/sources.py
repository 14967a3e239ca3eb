"""Where particles start, and the target: distributions of the plane."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from fmcore.checks import real_numbers
from fmcore.fields import Empirical, GaussianMixture

from ..checks import Box
from .spec import distribution_data


@dataclass(frozen=True)
class UniformBox:
    """The uniform distribution over an extent."""

    extent: Box

    def sample(self, n: int, *, generator: torch.Generator) -> Tensor:
        """`n` independent draws, `(n, 2)`."""
        low, high = torch.tensor(self.extent[::2]), torch.tensor(self.extent[1::2])
        return low + (high - low) * torch.rand(n, 2, generator=generator)


Source = GaussianMixture | Empirical | UniformBox


def as_source(name: str, value: str | Source | Tensor | Sequence, extent: Box) -> Source:
    """The distribution that `value` stands for.

    "normal" is N(0, I), "uniform" covers the extent, and points (N, 2) are equally likely. Raises
    ValueError for another word, or if it is not a distribution of the plane; TypeError for what is
    no number.
    """
    if isinstance(value, str):
        if value == "normal":
            return GaussianMixture(torch.zeros(1, 2, dtype=torch.float64), 1.0)
        if value == "uniform":
            return UniformBox(extent)
        raise ValueError(f"{name} must be 'normal', 'uniform' or points, got {value!r}")
    if isinstance(value, UniformBox):
        return value
    if not isinstance(value, GaussianMixture | Empirical):
        value = Empirical(real_numbers(name, value))
    if tuple(value.shape) != (2,):
        raise ValueError(f"{name} must lie in the plane, got points of shape {tuple(value.shape)}")
    return value


def source_data(source: Source) -> dict[str, Any]:
    """The source as plain data with its form under "kind", for `draw` of js/random.js."""
    if isinstance(source, UniformBox):
        return {"kind": "uniform", "extent": list(source.extent)}
    return {"kind": "mixture", **distribution_data(source)}
