r"""The SDEs that share the marginals of a velocity field: how much noise is chosen when sampling.

Along dx = v dt the density p obeys the continuity equation. Since p grad log p = grad p, for any
g(t) its right side may be written

    -div(p v) = -div(p (v + g^2/2 grad log p)) + g^2/2 laplacian(p),

which is that of a Fokker-Planck equation: the score gathers what the noise spreads. So

    dx = (v + g^2/2 score) dt + g dW,        score = -E[x0 | x] / b,

has the marginals of the ODE (Song et al. 2021, appendix D.1; Albergo, Boffi & Vanden-Eijnden 2023),
and the training need not know of g (Ma et al. 2024).
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from fmcore.checks import beside, flag, real, shown
from fmcore.paths import ProbabilityPath
from fmcore.paths.path import answer, check_field, time_tensor

__all__ = ["same_marginals"]

Noise = float | Callable[[Tensor], Tensor | float]
"""g, or g(t) for a time that is 0-d or `(B,)`."""


class _Drift(nn.Module):
    def __init__(self, v: Callable[..., Tensor], path: ProbabilityPath, noise: Noise, sign: int):
        super().__init__()
        self.model, self.path, self.noise, self.sign = v, path, noise, sign

    def forward(self, x: Tensor, t: float | Tensor, label: Tensor | None = None) -> Tensor:
        t = time_tensor(t, x)
        v, share = answer(self.model, x, t, label), self._share(t)
        if share.any():  # otherwise v as it is, even where it does not hold the noise
            noise = self.path.velocity_to_noise(v, x.to(v.dtype), t)
            v = v - self.sign * beside(share, x) * noise
        return v.to(x.dtype)

    def diffusion(self, x: Tensor, t: float | Tensor) -> Tensor:
        """g(t), with axes of length 1 so that it broadcasts over x."""
        return beside(self._g(time_tensor(t, x)), x).to(x.dtype)

    def _share(self, t: Tensor) -> Tensor:
        """g^2 / 2b, how much of the noise in x is taken out; at b = 0 its limit, if that is 0."""
        g, b = self._g(t), self.path.b(t).expand_as(t)
        if (gone := b == 0).any():
            far, near = (self._g(s).square() / self.path.b(s) for s in (0.999 * t, 0.99999 * t))
            self.path.refuse(
                gone & ~((g == 0) & (near <= far / 2)),
                t,
                "the noise has to fall to 0 where b(t) = 0, and noise^2 / b with it",
            )
        return torch.where(gone, 0.0, g.square() / (2 * b))

    def _g(self, t: Tensor) -> Tensor:
        """The noise at times t, a number for each."""
        g = self.noise(t) if callable(self.noise) else self.noise
        try:
            g = torch.as_tensor(g, dtype=t.dtype, device=t.device).expand_as(t)
        except (TypeError, ValueError, RuntimeError):
            raise TypeError(f"noise(t) must be a number or a tensor like t, got {g!r}") from None
        if (bad := ~(g.isfinite() & (g >= 0))).any():
            value, time = (each[bad].flatten()[0].item() for each in (g, t))
            raise ValueError(f"noise must be finite and >= 0, got {value:g} at t = {shown(time)}")
        return g


def same_marginals(
    v: Callable[..., Tensor], path: ProbabilityPath, *, noise: Noise, backward: bool = False
) -> tuple[Callable[..., Tensor], Callable[[Tensor, Tensor], Tensor]]:
    """`(drift, g)`: dx = drift dt + g dW has the marginals of dx = v dt, for `sdeint`.

        drift = v + g^2/2 score = v - g^2 / 2b E[x0 | x],        g = noise(t)

    `v` is a velocity field of `path`, `v(x, t)` or `v(x, t, label)`, and drift is called alike;
    `noise` is a number or a function of t, finite and at least 0. With 0 the drift is v itself.
    With noise^2 = 2 b D / a, on a `VPPath` beta(1 - t), it is the reverse diffusion of Song et al.
    2021. Time runs from 0 to 1; from 1 to 0 the score has the other sign, and `backward=True` gives
    that drift.

    Where b(t) = 0 there is no score. If noise^2 / b falls to 0 there, so does the term, as with
    noise = b; else it is a `ValueError`, and one has to stop before (a path with sigma_min > 0
    keeps b above 0). g depends on t alone, so the Ito and the Stratonovich solution are the same.

    >>> from fmcore.fields import GaussianMixture, MarginalField
    >>> from fmcore.paths import OTPath
    >>> from fmcore.solvers import sdeint
    >>> v = MarginalField(GaussianMixture([[3.0]], stds=0.5), OTPath())
    >>> drift, g = same_marginals(v, OTPath(), noise=lambda t: 1 - t)
    >>> seeded = torch.Generator().manual_seed(0)
    >>> x0 = torch.randn(5000, 1, generator=seeded)
    >>> x1 = sdeint(drift, g, x0, (0.0, 1.0), method="euler_maruyama", steps=50,
    ...             generator=seeded).x
    >>> abs(x1.mean() - 3).item() < 0.05, abs(x1.std() - 0.5).item() < 0.05
    (True, True)
    """
    check_field(v, path)
    noise = noise if callable(noise) else real("noise", noise, 0)
    drift = _Drift(v, path, noise, -1 if flag("backward", backward) else 1)
    return drift, drift.diffusion
