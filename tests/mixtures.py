"""A mixture in the plane, its field along any path, and its density as torch writes it."""

import torch
from small import gen

from fmcore.fields import GaussianMixture, MarginalField
from fmcore.paths import PATHS, OTPath

F64 = torch.float64
MEANS = torch.tensor([[-1.5, 0.5], [1.0, 1.0], [0.3, -1.2]], dtype=F64)
STDS = torch.tensor([[0.3, 0.8], [0.5, 0.2], [0.6, 0.4]], dtype=F64)
WEIGHTS = torch.tensor([0.2, 0.5, 0.3], dtype=F64)
MIX = GaussianMixture(MEANS, STDS, WEIGHTS)
ALL = [*(path() for path in PATHS.values()), OTPath(sigma_min=0.05)]


def field(path):
    return MarginalField(MIX, path)


def along(path, t, n=64, seed=0):
    """`n` points of the marginal at time t, in float64."""
    x0, t = torch.randn(n, 2, generator=gen(seed), dtype=F64), torch.as_tensor(t, dtype=F64)
    x1 = MIX.sample(n, generator=gen(seed + 1)).to(F64)
    return path.a(t).reshape(-1, 1) * x1 + path.b(t).reshape(-1, 1) * x0


def log_prob(path, x, t):
    """The logarithm of the density at time t, `(B,)`, from `torch.distributions`."""
    t = torch.as_tensor(t, dtype=F64)
    std = torch.sqrt(path.a(t) ** 2 * STDS**2 + path.b(t) ** 2)
    normals = torch.distributions.Independent(torch.distributions.Normal(path.a(t) * MEANS, std), 1)
    of = torch.distributions.Categorical(WEIGHTS)
    return torch.distributions.MixtureSameFamily(of, normals).log_prob(x)
