r"""The marginal velocity field in closed form: the oracle for every test and figure.

It is the exact answer to the question that a network is trained to answer. Noise x0 ~ N(0, I) and
data x1 ~ sum_k w_k N(m_k, diag(s_k²)) are drawn independently and joined by a path
x_t = a(t) x1 + b(t) x0. Then, given the component k, everything is Gaussian:

    x_t | k       ~  N(a m_k, v_k),    v_k = a² s_k² + b²
    p(k | x)      ∝  w_k N(x; a m_k, v_k)
    E[x1 | x, k]  =  (b² m_k + a s_k² x) / v_k
    E[x0 | x, k]  =  b (x - a m_k) / v_k

and the marginal velocity is the posterior mean of the conditional one (Lipman et al. 2023, eq. 8),

    u_t(x) = a'(t) E[x1 | x_t = x] + b'(t) E[x0 | x_t = x].

What is left to chance once x_t is known is the variance of the conditional velocity: the spread
within each component and the spread of their means u_k, number by number,

    Var(u_t | x)  =  sum_k p(k | x) [ (a' b - a b')² s_k² / v_k + (u_k - u_t(x))² ].

A finite data set is the case s_k = 0, w_k = 1 / N.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from fmcore.checks import expand_time
from fmcore.fields.targets import Empirical, GaussianMixture, log_normal, points_like
from fmcore.paths import ProbabilityPath, check_once

_CHUNK = 2**22  # numbers in the largest intermediate tensor: 32 MB
_FEW = 16  # dimensions up to which differences are squared one by one


class MarginalField:
    """The exact marginal velocity `u(x, t)` that carries N(0, I) to `target` along `path`.

    `target` is a `GaussianMixture` or an `Empirical` with samples of shape `shape`; `path` is a
    `ProbabilityPath`. Every method takes `x` `(B, *shape)` and `t` in [0, 1] (a number, 0-d or
    `(B,)`), works in float64 where the device has it and answers in the dtype of `x`; gradients
    flow through `x` and `t`. `ValueError` if a shape does not fit, and at a time when x_t given k
    has no spread left, as for an `Empirical` where b(t) = 0: the points have arrived.

    >>> from fmcore.paths import OTPath
    >>> u = MarginalField(GaussianMixture([[0.0]], stds=1.0), OTPath())
    >>> x = torch.tensor([[2.0]])
    >>> u(x, 0.0), u(x, 0.5), u(x, 1.0)  # x (2t - 1) / ((1 - t)² + t²)
    (tensor([[-2.]]), tensor([[0.]]), tensor([[2.]]))
    """

    def __init__(self, target: GaussianMixture | Empirical, path: ProbabilityPath) -> None:
        if isinstance(target, GaussianMixture):
            parameters = target.means, target.stds, target.weights
            self._given, self._variance = _given_components, _variance_components
            self._each = _each_component
            self._cost = target.means.numel()
        elif isinstance(target, Empirical):
            parameters = (target.points.flatten(start_dim=1),)
            self._given, self._variance = _given_points, _variance_points
            self._each = _each_point
            self._cost = len(target.points)
        else:
            raise TypeError(
                f"target must be a GaussianMixture or an Empirical, got {type(target).__name__}"
            )
        check_once(path, parameters[0].device)
        self.target, self.path = target, path
        self._parameters = tuple(p.to(_widest_dtype(p.device)) for p in parameters)

    def __call__(self, x: Tensor, t: float | Tensor) -> Tensor:
        """The marginal velocity a' E[x1 | x] + b' E[x0 | x], shaped like `x`."""
        t, at = self._condition(x, t)
        noise = -self.path.b(t) * at.score  # E[x0 | x]
        velocity = self.path.da(t) * at.data + self.path.db(t) * noise
        return velocity.to(x.dtype).reshape(x.shape)

    def data(self, x: Tensor, t: float | Tensor) -> Tensor:
        """E[x1 | x_t = x], where a particle at `x` ends on average; shaped like `x`."""
        return self._condition(x, t)[1].data.to(x.dtype).reshape(x.shape)

    def score(self, x: Tensor, t: float | Tensor) -> Tensor:
        """The score grad log p_t(x) = -sum_k p(k | x) (x - a m_k) / v_k, shaped like `x`."""
        return self._condition(x, t)[1].score.to(x.dtype).reshape(x.shape)

    def variance(self, x: Tensor, t: float | Tensor) -> Tensor:
        """Var(u_t | x_t = x) of the conditional velocity, number by number, shaped like `x`.

        No regression can explain it: its mean over x_t is the floor of `cfm_loss` at time t.
        """
        _, parts = self._by_rows(self._variance, x, t)
        return torch.cat(parts).to(x.dtype).reshape(x.shape)

    def posterior(self, x: Tensor, t: float | Tensor) -> Tensor:
        """p(k | x_t = x), how likely each component or data point is the destination, `(B, K)`."""
        return self._condition(x, t)[1].log_joint.softmax(dim=1).to(x.dtype)

    def conditionals(self, x: Tensor, t: float | Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """p(k | x), `(B, K)`, and the ends E[x0 | x, k], E[x1 | x, k] of every conditional path.

        The ends are `(B, K, D)`; the velocity of path k is a' E[x1 | x, k] + b' E[x0 | x, k].
        """
        t, parts = self._by_rows(self._each, x, t)
        each = _Each(*(torch.cat(part) for part in zip(*parts, strict=True)))
        return each.log_joint.softmax(dim=1), -self.path.b(t)[..., None] * each.score, each.data

    def log_prob(self, x: Tensor, t: float | Tensor) -> Tensor:
        """The logarithm of the marginal density p_t at `x`, `(B,)`."""
        return self._condition(x, t)[1].log_joint.logsumexp(dim=1).to(x.dtype)

    def __repr__(self) -> str:
        return f"MarginalField({self.target}, {self.path})"

    def _condition(self, x: Tensor, t: float | Tensor) -> tuple[Tensor, _Given]:
        """`t` as `(B, 1)`, and what is known given x_t = x."""
        t, parts = self._by_rows(self._given, x, t)
        return t, _Given(*(torch.cat(part) for part in zip(*parts, strict=True)))

    def _by_rows(self, function: Callable, x: Tensor, t: float | Tensor) -> tuple[Tensor, list]:
        """`t` as `(B, 1)`, and a function of x, t, path and target, a few rows at a time."""
        points_like(x, self.target.shape)
        x = x.flatten(start_dim=1).to(_widest_dtype(x.device))
        t = expand_time(t, x)
        parameters = [p.to(x) for p in self._parameters]
        rows = max(1, _CHUNK // self._cost)  # _cost numbers a row
        chunks = zip(x.split(rows), t.split(rows), strict=True)
        return t, [function(x, t, self.path, *parameters) for x, t in chunks]


class _Given(NamedTuple):
    """What is known given x_t = x; all else follows from it."""

    log_joint: Tensor  # log p(x, k), (B, K)
    data: Tensor  # E[x1 | x], (B, D)
    score: Tensor  # grad log p(x), (B, D)


class _Each(NamedTuple):
    """The same for every component k by itself, and the variance v_k of x_t."""

    log_joint: Tensor  # log p(x, k), (B, K)
    data: Tensor  # E[x1 | x, k], (B, K, D)
    score: Tensor  # grad log p(x | k), (B, K, D)
    var: Tensor  # (B, K, D)


def _each_component(
    x: Tensor, t: Tensor, path: ProbabilityPath, means: Tensor, stds: Tensor, weights: Tensor
) -> _Each:
    """The equations at the head of this file for Gaussian components: `means`, `stds` `(K, D)`."""
    a, b = path.a(t)[..., None], path.b(t)[..., None]  # (B, 1, 1)
    var = a**2 * stds**2 + b**2
    _require_spread(var, t)
    log_joint = weights.log() + log_normal(x, a * means, var)
    x = x[:, None]
    return _Each(log_joint, (b**2 * means + a * stds**2 * x) / var, (a * means - x) / var, var)


def _each_point(x: Tensor, t: Tensor, path: ProbabilityPath, points: Tensor) -> _Each:
    """The same for points, which are components without a width, equally likely."""
    weights = points.new_full(points.shape[:1], 1 / len(points))
    return _each_component(x, t, path, points, torch.zeros_like(points), weights)


def _given_components(x: Tensor, t: Tensor, path: ProbabilityPath, *parameters: Tensor) -> _Given:
    """The means over the components, weighted by the posterior."""
    each = _each_component(x, t, path, *parameters)
    posterior = each.log_joint.softmax(dim=1)[..., None]  # (B, K, 1)
    data, score = ((posterior * given).sum(dim=1) for given in (each.data, each.score))
    return _Given(each.log_joint, data, score)


def _given_points(x: Tensor, t: Tensor, path: ProbabilityPath, points: Tensor) -> _Given:
    """The same where all spread is noise, v_k = b²: one matrix product for each sum over points."""
    a, b = path.a(t), path.b(t)  # (B, 1)
    var = b**2
    _require_spread(var, t)
    count, dim = points.shape
    log_norm = -0.5 * dim * torch.log(2 * torch.pi * var) - math.log(count)
    log_joint = log_norm - 0.5 * _squared_distances(x, a, points) / var
    data = log_joint.softmax(dim=1) @ points
    return _Given(log_joint, data, (a * data - x) / var)


def _variance_components(
    x: Tensor, t: Tensor, path: ProbabilityPath, means: Tensor, stds: Tensor, weights: Tensor
) -> Tensor:
    """The last equation at the head of this file; u_k needs no division by b."""
    a, b, da, db = (f(t)[..., None] for f in (path.a, path.b, path.da, path.db))  # (B, 1, 1)
    each = _each_component(x, t, path, means, stds, weights)
    posterior = each.log_joint.softmax(dim=1)[..., None]  # (B, K, 1)
    u = da * each.data - db * b * each.score
    mean = (posterior * u).sum(dim=1, keepdim=True)
    within = (da * b - a * db).square() * stds**2 / each.var
    return (posterior * (within + (u - mean).square())).sum(dim=1)


def _variance_points(x: Tensor, t: Tensor, path: ProbabilityPath, points: Tensor) -> Tensor:
    """The same for points: u_k = ((a' b - a b') m_k + b' x) / b."""
    given = _given_points(x, t, path, points)
    square = given.log_joint.softmax(dim=1) @ points.square()
    spread = (square - given.data.square()).clamp_min(0)  # rounding may turn 0 negative
    b = path.b(t)
    return ((path.da(t) * b - path.a(t) * path.db(t)) / b).square() * spread


def _squared_distances(x: Tensor, a: Tensor, points: Tensor) -> Tensor:
    """|x - a m|² for every row x of `x` `(B, D)` and m of `points` `(K, D)`, with `a` `(B, 1)`.

    No `(B, K, D)` tensor is built. In few dimensions the differences are squared one by one. In
    many the square is expanded; that loses about 1e-16 (|x|² + |a m|²) in float64, which moves the
    logits of 784 pixels in [-1, 1] by less than 1e-4 as long as b > 1e-4.
    """
    if points.shape[1] <= _FEW:
        squares = ((x[:, i, None] - a * points[:, i]).square() for i in range(points.shape[1]))
        return sum(squares, start=x.new_zeros(len(x), len(points)))
    square = x.square().sum(dim=1, keepdim=True) + a**2 * points.square().sum(dim=1)
    return square - 2 * a * (x @ points.T)


def _require_spread(var: Tensor, t: Tensor) -> None:
    """Raise where the destination and the time leave no room for chance."""
    gone = (var <= 0).flatten(start_dim=1).any(dim=1)
    if gone.any():
        raise ValueError(
            f"at t = {t[gone][0].item():.9g} the particles have arrived and the marginal field is "
            "undefined: stop before it, or take a path that keeps some noise (sigma_min > 0)"
        )


def _widest_dtype(device: torch.device) -> torch.dtype:
    """float64 if there is one: near b(t) = 0 the posterior turns on tiny differences of x."""
    return torch.float32 if device.type == "mps" else torch.float64
