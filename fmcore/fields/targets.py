"""Targets known in closed form: a Gaussian mixture and a finite data set."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from fmcore.checks import finite, floating, randn_like, real_numbers, require_generator, whole

__all__ = ["Empirical", "GaussianMixture"]


class GaussianMixture:
    """The density p(x) = sum_k w_k N(x; m_k, diag(s_k²)) in D dimensions.

    `means` is `(K, D)`; `stds` is one number, `(K,)` or `(K, D)`, all > 0; `weights` is `(K,)`, all
    > 0, and need not sum to one: only their ratios count. None means equal weights. Tensors or
    nested lists; everything follows the dtype and device of `means`. The attributes `means` and
    `stds`, both `(K, D)`, and `weights` `(K,)`, which do sum to one, hold the result.
    `ValueError` if a shape does not fit or a value is not allowed, `TypeError` for what is no
    number.

    >>> mix = GaussianMixture([[-2.0, 0.0], [2.0, 0.0]], stds=0.5, weights=[1, 3])
    >>> mix.weights
    tensor([0.2500, 0.7500])
    >>> mix.sample(5, generator=torch.Generator().manual_seed(0)).shape
    torch.Size([5, 2])
    """

    def __init__(
        self,
        means: Tensor | Sequence[Sequence[float]],
        stds: float | Tensor | Sequence,
        weights: Tensor | Sequence[float] | None = None,
    ) -> None:
        self.means = _finite(means, "means")
        if self.means.ndim != 2 or 0 in self.means.shape:
            raise ValueError(f"means must be non-empty, (K, D), got {tuple(self.means.shape)}")
        components, dim = self.means.shape
        stds = _positive(stds, "stds", self.means)
        if stds.shape not in ((), (components,), (components, dim)):
            raise ValueError(
                f"stds must be one number or have shape ({components},) or ({components}, {dim}) "
                f"for {components} means in {dim} dimensions, got {tuple(stds.shape)}"
            )
        self.stds = (stds[:, None] if stds.ndim == 1 else stds).expand(components, dim)
        weights = [1.0] * components if weights is None else weights
        weights = _positive(weights, "weights", self.means)
        if weights.shape != (components,):
            raise ValueError(
                f"weights must have shape ({components},), one for each mean, "
                f"got {tuple(weights.shape)}"
            )
        self.weights = weights / weights.sum()

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape `(D,)` of one sample."""
        return self.means.shape[1:]

    def sample(self, n: int, *, generator: torch.Generator) -> Tensor:
        """`n` independent draws, `(n, D)`."""
        return self.sample_labelled(n, generator=generator)[0]

    def sample_labelled(self, n: int, *, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """`n` independent draws `(n, D)` and the components they came from, `(n,)` integers."""
        g = require_generator(generator)
        weights = self.weights.to(g.device)
        k = torch.multinomial(weights, whole("n", n), replacement=True, generator=g)
        k = k.to(self.means.device)
        return self.means[k] + self.stds[k] * randn_like(self.means[k], g), k

    def log_prob(self, x: Tensor) -> Tensor:
        """The logarithm of the density at `x` `(B, D)`, shape `(B,)`, in the dtype of `x`."""
        points_like(x, self.shape)
        means, stds, weights = (p.to(x) for p in (self.means, self.stds, self.weights))
        return (weights.log() + log_normal(x, means, stds.square())).logsumexp(dim=1)

    def __repr__(self) -> str:
        components, dim = self.means.shape
        return f"GaussianMixture({components} components in {dim} dimensions)"


class Empirical:
    """A finite data set as a distribution: each of its N points has probability 1 / N.

    `points` is `(N, *shape)`: a tensor or nested lists. `ValueError` if there is no point or if
    one is not finite, `TypeError` for what is no number.

    >>> Empirical([[-1.0], [1.0]]).sample(4, generator=torch.Generator().manual_seed(0)).shape
    torch.Size([4, 1])
    """

    def __init__(self, points: Tensor | Sequence) -> None:
        self.points = _finite(points, "points")
        if self.points.ndim < 2 or self.points.numel() == 0:
            raise ValueError(
                f"points must be non-empty, (N, *shape), got {tuple(self.points.shape)}"
            )

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one sample."""
        return self.points.shape[1:]

    def sample(self, n: int, *, generator: torch.Generator) -> Tensor:
        """`n` independent draws with replacement, `(n, *shape)`."""
        g = require_generator(generator)
        k = torch.randint(len(self.points), (whole("n", n),), generator=g, device=g.device)
        return self.points[k.to(self.points.device)]

    def __repr__(self) -> str:
        return f"Empirical({len(self.points)} points of shape {tuple(self.shape)})"


def log_normal(x: Tensor, mean: Tensor, var: Tensor) -> Tensor:
    """log N(x; mean_k, diag(var_k)) for `x` `(B, D)`, `mean` and `var` `(K, D)` or `(B, K, D)`.

    The result is `(B, K)`. Differences are squared one by one: nothing cancels.
    """
    square = (x[:, None] - mean).square() / var
    return -0.5 * (square + torch.log(2 * torch.pi * var)).sum(dim=-1)


def points_like(x: Tensor, shape: tuple[int, ...]) -> None:
    """Raise unless `x` is a tensor `(B, *shape)` of a floating dtype."""
    floating("x", x)
    if x.ndim == 0 or x.shape[1:] != shape:
        wanted = ", ".join(["B", *map(str, shape)]) + ("" if shape else ",")
        raise ValueError(f"x has shape {tuple(x.shape)}, but the target asks for ({wanted})")


def _finite(values: float | Tensor | Sequence, name: str) -> Tensor:
    values = real_numbers(name, values).detach()
    if not values.is_floating_point():
        values = values.to(torch.get_default_dtype())
    return finite(name, values)


def _positive(values: float | Tensor | Sequence, name: str, like: Tensor) -> Tensor:
    values = _finite(values, name).to(like)
    if not (values > 0).all():
        raise ValueError(f"{name} must be > 0, got {values.min().item():g}")
    return values
