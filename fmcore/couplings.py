r"""Couplings: which noise is joined to which data.

The theorem behind the loss asks of a pair (x0, x1) only that x0 is noise and x1 is data. How they
are paired, their joint distribution, is a choice. The field is the mean velocity of all pairs whose
paths pass through x at time t, and the fewer of them cross, the straighter its flow (Liu et al.
2023; Pooladian et al. 2023; Tong et al. 2024).

A coupling is a function of a batch, `x0, x1, label = couple(x0, x1, label=None, generator=g)`, and
`fit` takes it as `couple=`.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from fmcore.checks import finite, label_tensor, like, randn_like, real, require_generator, whole
from fmcore.devices import double
from fmcore.models import home
from fmcore.sampling import generate
from fmcore.solvers import ButcherTableau, VectorField
from fmcore.tables import Table, check_callable

__all__ = ["COUPLINGS", "FixedPairs", "MinibatchOT", "independent", "reflow_pairs"]

Pairs = tuple[Tensor, Tensor, Tensor | None]
"""Noise and data `(n, *shape)`, row by row, and the labels of the data, if there are any."""


def independent(
    x0: Tensor, x1: Tensor, label: Tensor | None = None, generator: torch.Generator | None = None
) -> Pairs:
    """The pairs as they are: noise drawn without a look at the data. `fit` does so by itself."""
    return x0, x1, label


@dataclass(frozen=True)
class MinibatchOT:
    """Optimal transport within a batch: the pairing with the least sum of squared distances.

        min over permutations p of  sum_i |x0_p(i) - x1_i|^2 + label_weight [label_p(i) != label_i]

    (Pooladian et al. 2023; Tong et al. 2024.) Called with noise and data `(n, *shape)`, it moves
    rows of noise. The data stay in their rows, with their labels and whatever else belongs to them.
    It draws nothing: the exact minimum, by `scipy.optimize.linear_sum_assignment`, takes n^2
    distances and a time of order n^3, on the CPU.

    Noise row i came with label i. With `label_weight` 0 the classes share out the noise, each the
    part that lies nearest: then the noise of a class is not N(0, I), and a network that was trained
    on it is given noise that it has not seen when it is asked for that class (C²OT: Cheng &
    Schwing 2025). A weight above the largest squared distance in the batch gives optimal transport
    within each class. Hidden labels are a class of their own. For vectors, a `label`
    `(n, *any)` of a floating dtype, their squared distance stands in place of the bracket; hidden
    ones, rows of NaN, are as far from the others as the farthest two of these are apart.

    Raises `ValueError` if the weight is negative or has no labels to weigh, and if shapes differ or
    a distance is not finite; `TypeError` if dtypes differ.

    >>> x0, x1 = torch.tensor([[0.0], [9.0], [1.0]]), torch.tensor([[8.0], [3.0], [2.0]])
    >>> x0, x1, _ = MinibatchOT()(x0, x1)
    >>> x0.T, x1.T
    (tensor([[9., 1., 0.]]), tensor([[8., 3., 2.]]))
    """

    label_weight: float = 0.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "label_weight", real("label_weight", self.label_weight, 0))

    def __call__(
        self,
        x0: Tensor,
        x1: Tensor,
        label: Tensor | None = None,
        generator: torch.Generator | None = None,
    ) -> Pairs:
        alike("x0", x0, "x1", x1)
        return x0[best_pairing(x1, x0, self._disagreement(label, len(x1)))], x1, label

    def _disagreement(self, label: Tensor | None, n: int) -> Tensor | float:
        """What the labels add to the cost of each pair, `(n, n)`."""
        if label is None:
            if self.label_weight:
                raise ValueError(f"label_weight={self.label_weight:g} needs labels, got none")
            return 0.0
        conditions = isinstance(label, Tensor) and label.is_floating_point()
        if not conditions:
            label_tensor(label, n)
        elif label.shape[:1] != (n,):
            raise ValueError(f"label must have shape ({n}, *any), got {tuple(label.shape)}")
        if not self.label_weight:
            return 0.0
        apart = _apart(label.reshape(n, -1)) if conditions else label[:, None] != label
        return self.label_weight * double(apart)


COUPLINGS: Table[Callable[..., Pairs]] = Table(
    "coupling",
    check_callable("coupling"),
    independent=independent,
    minibatch_ot=MinibatchOT(),
)
"""The couplings by name: for the command line. `fit` takes the functions."""


def alike(name_x: str, x: Any, name_y: str, y: Any) -> None:
    """Raises unless two batches have the same shape `(n, *shape)`, n at least 1, and dtype."""
    like(name_x, x, name_y, y)
    if x.ndim < 2 or x.numel() == 0:
        raise ValueError(
            f"{name_x} and {name_y} must have shape (n, *shape), not empty, got {tuple(x.shape)}"
        )


def best_pairing(x: Tensor, y: Tensor, more: Tensor | float = 0.0) -> Tensor:
    """The permutation p `(n,)` that minimises sum_i |x_i - y_p(i)|^2 + more[i, p(i)].

    In double precision, exact. `ValueError` if a distance is not finite.

    >>> best_pairing(torch.tensor([[0.0], [5.0]]), torch.tensor([[4.0], [1.0]]))
    tensor([1, 0])
    """
    from scipy.optimize import linear_sum_assignment  # takes long to import

    cost = finite("the squared distances", _squared_distances(x, y) + more)
    return torch.from_numpy(linear_sum_assignment(cost.cpu().numpy())[1]).to(x.device)


@torch.no_grad()
def _squared_distances(x: Tensor, y: Tensor) -> Tensor:
    """|x_i - y_j|^2 `(n, n)`, once each of the two has its mean at 0.

    To move one of them as a whole changes no best pairing, and where they are far from 0 or from
    each other, the digits that tell the pairs apart would be lost.
    """
    x, y = (double(z.reshape(len(z), -1)) for z in (x, y))
    return torch.cdist(x - x.mean(0), y - y.mean(0)).square()


def _apart(c: Tensor) -> Tensor:
    """The squared distances `(n, n)` of vectors, some of which may be hidden: rows of NaN."""
    hidden = c.isnan().all(1)
    apart = _squared_distances(*[torch.where(hidden[:, None], 0, c)] * 2)
    either, both = hidden[:, None] | hidden, hidden[:, None] & hidden
    most = apart[~either].max() if not hidden.all() else 0
    return torch.where(either & ~both, most, apart)


def reflow_pairs(
    v: nn.Module | VectorField,
    n: int,
    *,
    shape: Sequence[int],
    method: str | ButcherTableau,
    steps: int,
    generator: torch.Generator,
) -> tuple[Tensor, Tensor]:
    """`n` pairs to train on, each `(n, *shape)`: noise, and where the teacher v carries it.

        x0 ~ N(0, I),    x1 = x0 + int_0^1 v(x_t, t) dt

    (Liu et al. 2023, section 2.1.) The trajectories of a flow do not cross, so that a network that
    learns the straight lines between these ends has a straighter flow. `shape` is that of one
    sample; `method` and `steps` are those of `odeint`. Where a field cannot be evaluated at t = 1,
    as that of a path that ends without noise, take "midpoint". No graph is kept, v is in evaluation
    mode, and the pairs have the device and dtype of its weights.

    `fit(net, path, x1, config, couple=FixedPairs(x0, x1))` trains on them.

    Raises `ValueError` or `TypeError` if v returns another shape or dtype, and as `generate` does.

    >>> g = torch.Generator().manual_seed(0)
    >>> x0, x1 = reflow_pairs(lambda x, t: x, 4, shape=(2,), method="rk4", steps=20, generator=g)
    >>> torch.allclose(x1, torch.e * x0)
    True
    """
    if not isinstance(shape, list | tuple):
        raise TypeError(f"shape must be that of one sample, such as (2,), got {shape!r}")
    sides = [whole("n", n), *(whole("each side of shape", side) for side in shape)]
    device, dtype = home(v) or (require_generator(generator).device, torch.get_default_dtype())
    x0 = randn_like(torch.empty(sides, device=device, dtype=dtype), generator)
    return x0, generate(v, n, x0=x0, method=method, steps=whole("steps", steps), clamp=False)


class FixedPairs:
    """A coupling that draws from pairs: row i of x0 and row i of x1 `(N, *shape)` stay together.

    It returns as many of them as it is given rows, drawn with replacement, in place of what it is
    given. So `fit` takes from its data no more than their number, which makes an epoch, and their
    shape. They have no labels: `ValueError` if it is called with any, or if shapes do not fit.

    >>> x0 = torch.arange(6.0).reshape(3, 2)
    >>> draw = FixedPairs(x0, x0 + 100)
    >>> a, b, _ = draw(torch.zeros(5, 2), torch.zeros(5, 2), generator=torch.Generator())
    >>> (b - a).unique(), draw
    (tensor([100.]), FixedPairs(3 of (2,), float32, crc32 72cd72af))
    """

    def __init__(self, x0: Tensor, x1: Tensor) -> None:
        alike("x0", x0, "x1", x1)
        self.x0, self.x1 = finite("x0", x0.detach()), finite("x1", x1.detach())

    def __call__(
        self,
        x0: Tensor,
        x1: Tensor,
        label: Tensor | None = None,
        generator: torch.Generator | None = None,
    ) -> Pairs:
        if label is not None:
            raise ValueError("fixed pairs have no labels: train a network without classes on them")
        rows = self.rows(len(x0), generator)
        return self.x0[rows].to(x0.device), self.x1[rows].to(x1.device), None

    def rows(self, n: int, generator: torch.Generator | None) -> Tensor:
        """Which `n` pairs are drawn."""
        g = require_generator(generator)
        rows = torch.randint(len(self.x0), (n,), generator=g, device=g.device)
        return rows.to(self.x0.device)

    def __repr__(self) -> str:
        """With a checksum: a checkpoint tells by it whether it is of a training on these pairs."""
        crc = zlib.crc32(torch.stack([self.x0, self.x1]).cpu().view(torch.uint8).numpy())
        shape, dtype = tuple(self.x0.shape[1:]), str(self.x0.dtype).removeprefix("torch.")
        return f"FixedPairs({len(self.x0)} of {shape}, {dtype}, crc32 {crc:08x})"
