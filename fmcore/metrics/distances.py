"""Distances between sets of images, by their features, and from one image to the nearest."""

from __future__ import annotations

import torch
from torch import Tensor

from fmcore.checks import floating, whole
from fmcore.devices import double
from fmcore.metrics.classifier import BATCH


def frechet_distance(x: Tensor, y: Tensor) -> float:
    """Fréchet distance between normal distributions fitted to features `(n, d)` and `(m, d)`.

        |m_x - m_y|^2 + tr(C_x + C_y - 2 (C_x C_y)^(1/2))

    (Heusel et al. 2017, eq. 6, with features of our own.) In double precision; the root is taken of
    the symmetric matrix C_x^(1/2) C_y C_x^(1/2), which has the same trace. `ValueError` unless
    both have the same number of features, at least two rows, and finite values.

    >>> x = torch.randn(1000, 3, generator=torch.Generator().manual_seed(0))
    >>> round(frechet_distance(x, x + 2), 6)
    12.0
    """
    x, y = _features(x, y, fewest=2)
    cx, cy = (z.T.cov().reshape(z.shape[1], -1) for z in (x, y))  # (d, d), also for d = 1
    return between_normals(x.mean(0), cx, y.mean(0), cy)


def between_normals(mx: Tensor, cx: Tensor, my: Tensor, cy: Tensor) -> float:
    """The same of two normal distributions, means `(d,)` and covariances `(d, d)` in float64."""
    values, vectors = torch.linalg.eigh(cx)
    root = vectors * values.clamp_min(0).sqrt() @ vectors.T
    between = torch.linalg.eigvalsh(root @ cy @ root).clamp_min(0).sqrt().sum()
    spread = cx.trace() + cy.trace() - 2 * between
    return ((mx - my).square().sum() + spread).clamp_min(0).item()


def precision_recall(x: Tensor, real: Tensor, k: int = 3) -> tuple[float, float]:
    """Improved precision and recall of features `(n, d)` against `(m, d)`.

    A set of points covers the balls around each of them that reach to the k-th neighbour within
    the set. Precision is the share of `x` that `real` covers, recall the share of `real` that `x`
    covers (Kynkäänniemi et al. 2019, eq. 1 and 2, k = 3). Raises `ValueError` if
    there are k points or fewer, or if features are not finite or differ in number.

    >>> g = torch.Generator().manual_seed(0)
    >>> x = torch.randn(500, 2, generator=g)
    >>> precision_recall(x, x + 100)
    (0.0, 0.0)
    """
    k = whole("k", k)
    x, real = _features(x, real, fewest=k + 1)
    centre = real.mean(0)  # far from the origin, distances by products would cancel
    x, real = (x - centre).float(), (real - centre).float()

    def covered(points: Tensor, by: Tensor) -> float:
        # The nearest of all is the point itself, at distance 0.
        radius = torch.cat([torch.cdist(part, by).kthvalue(k + 1)[0] for part in by.split(BATCH)])
        inside = [(torch.cdist(part, by) <= radius).any(1) for part in points.split(BATCH)]
        return double(torch.cat(inside)).mean().item()

    return covered(x, by=real), covered(real, by=x)


def _features(x: Tensor, y: Tensor, fewest: int) -> tuple[Tensor, Tensor]:
    """Both in double precision, if they can be compared."""
    floating("features", x)
    floating("features", y)
    shapes = f"{tuple(x.shape)} and {tuple(y.shape)}"
    fits = x.ndim == y.ndim == 2 and x.shape[1] == y.shape[1] > 0
    if not fits or min(len(x), len(y)) < fewest:
        raise ValueError(
            f"features must have shapes (n, d) and (m, d) with n and m at least {fewest}, "
            f"got {shapes}"
        )
    if not bool(x.isfinite().all() and y.isfinite().all()):
        raise ValueError(f"features must be finite, those of shapes {shapes} are not")
    return double(x), double(y)


def nearest(pixels: Tensor, known: Tensor) -> Tensor:
    """Distance `(n,)` of each image, bytes `(n, 1, 28, 28)`, to the closest of `known` `(m, 784)`.

    `known` holds bytes / 127.5, as the distance is that of pixels in [-1, 1].
    """
    if pixels.dtype != torch.uint8:
        raise TypeError(f"pixels must be uint8, got {pixels.dtype}")
    if known.ndim != 2 or known.shape[1] != pixels[0].numel():
        raise ValueError(
            f"known must have shape (m, {pixels[0].numel()}), got {tuple(known.shape)}"
        )
    x = pixels.to(known.device).flatten(1).float() / 127.5
    return torch.cat([torch.cdist(part, known).amin(1) for part in x.split(BATCH)])
