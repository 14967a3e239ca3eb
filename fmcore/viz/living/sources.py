"""Where particles start, one of them and all, and the target: distributions of the plane."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from fmcore.checks import real_numbers
from fmcore.fields import Empirical, GaussianMixture, MarginalField

from ..checks import Box, numbers
from ..stills.plane import Field
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
Points = str | Source | Tensor | Sequence


def as_source(name: str, value: Points, extent: Box) -> Source:
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


def as_target(value: Points | None, field: Field, extent: Box) -> Source | None:
    """As `as_source`; "field" stands for the target of a marginal field, and None for none."""
    if isinstance(value, str) and value == "field":
        value = field.target if isinstance(field, MarginalField) else None
    return None if value is None else as_source("target", value, extent)


def start_point(start: Sequence[float] | None, extent: Box) -> list[float]:
    """The starting point; by default off the middle, in the cloud of the source."""
    if start is not None:
        return list(numbers("start", start, "x", "y"))
    xmin, xmax, ymin, ymax = extent
    return [xmin + 0.34 * (xmax - xmin), ymin + 0.63 * (ymax - ymin)]


def source_data(source: Source) -> dict[str, Any]:
    """The source as plain data with its form under "kind", for `draw` of js/flow/random.js."""
    if isinstance(source, UniformBox):
        return {"kind": "uniform", "extent": list(source.extent)}
    return {"kind": "mixture", **distribution_data(source)}
