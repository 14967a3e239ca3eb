"""A change of path: a field that was trained along one path, sampled along another.

Up to a factor, all paths have the same marginals, at different times. If two schedules have the
same ratio, at time t on the one and at time s on the other,

    (a, b)(s) = k (a, b)(t),

then k x_t and x_s have one law, and given them the data and the noise have the same means.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from fmcore.checks import expand_time
from fmcore.paths.path import ProbabilityPath, answer, check_field, check_once, time_tensor


class _ChangedPath(nn.Module):
    def __init__(self, v: Callable[..., Tensor], trained: ProbabilityPath, path: ProbabilityPath):
        super().__init__()
        self.model, self.trained, self.path = v, trained, path

    def forward(self, x: Tensor, t: float | Tensor, label: Tensor | None = None) -> Tensor:
        old, new, t = self.trained, self.path, time_tensor(t, x)
        s = old.time_at(new.a(t), new.b(t))  # 0-d or (B,), as the field was asked
        t, at = expand_time(t, x), expand_time(s, x)
        # The length of (a, b) rather than a or b alone, either of which may be 0.
        k = torch.hypot(old.a(at), old.b(at)) / torch.hypot(new.a(t), new.b(t))
        y = k * x  # in float32 beside half precision, as are the means
        v = answer(self.model, y.to(x.dtype), s, label)
        x1, x0 = old.velocity_to_data(v, y, s), old.velocity_to_noise(v, y, s)
        return (new.da(t) * x1 + new.db(t) * x0).to(x.dtype)


def change_path(
    v: Callable[..., Tensor], path: ProbabilityPath, other: ProbabilityPath
) -> nn.Module:
    """The velocity field of the path `other`, from `v`, a field of `path`.

        w(x, t) = a2'(t) E[x1 | y] + b2'(t) E[x0 | y],    y = k x at time s

    with a1(s) / b1(s) = a2(t) / b2(t) and k = a1(s) / a2(t) = b1(s) / b2(t). It is exact, and takes
    one evaluation of `v`. Both fields carry the same noise to the same data: what changes is what
    lies in between, and so the error of a solver. It is called as `w(x, t)` or
    `w(x, t, label)`, as `v` is. (Kingma et al. 2021, section 5.1, where all such models are one.)

    Where `path` never has the ratio of `other`, the posterior means are those of its nearest time:
    `VPPath` begins with a little of the data, a(0) = 0.0066, and an `OTPath` with sigma_min > 0
    ends with some of the noise. There w is an approximation, off by about as much.

    Raises `ValueError` if `v` says that it has another path, if a / b does not rise with t on
    `path`, and where one of the two paths has no velocity, as a `VPPath` at t = 1.

    >>> from fmcore.fields import GaussianMixture, MarginalField
    >>> from fmcore.paths import CosinePath, OTPath
    >>> mix, x = GaussianMixture([[-1.0], [2.0]], stds=0.5), torch.tensor([[0.3]])
    >>> w = change_path(MarginalField(mix, OTPath()), OTPath(), CosinePath())
    >>> torch.allclose(w(x, 0.4), MarginalField(mix, CosinePath())(x, 0.4))
    True
    """
    check_field(v, path)
    check_once(other, torch.device("cpu"))
    t = torch.linspace(0.1, 0.9, 9, dtype=torch.float64)
    if not torch.allclose(path.time_at(path.a(t), path.b(t)), t, rtol=0, atol=1e-6):
        raise ValueError(f"a(t) / b(t) must rise with t, and time_at(a, b) invert it, on {path}")
    return _ChangedPath(v, path, other)
