"""The conditional paths through a point, of which the marginal field is the mean."""

import pytest
import torch

from fmcore.fields import Empirical, GaussianMixture, MarginalField
from fmcore.paths import OTPath, VPPath

F64 = torch.float64
MIX = GaussianMixture([[-1.5, 0.5], [1.0, 1.0], [0.3, -1.2]], [[0.3, 0.8], [0.5, 0.2], [0.6, 0.4]],
                      [0.2, 0.5, 0.3])  # fmt: skip


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=F64)


@pytest.mark.parametrize("path", [OTPath(), OTPath(sigma_min=0.1), VPPath()], ids=str)
@pytest.mark.parametrize(
    "target", [MIX, Empirical(normal(7, 2, seed=1)), Empirical(normal(5, 1, 3, 3, seed=1))]
)
def test_the_field_is_the_mean_of_the_velocities_of_the_paths(target, path):
    """Each path passes the point at that time, and their mean leads where the data are expected."""
    field, t = MarginalField(target, path), torch.tensor([0.1, 0.4, 0.8], dtype=F64)
    x = normal(3, *target.shape, seed=2)
    weight, x0, x1 = field.conditionals(x, t)
    a, b, da, db = (f(t)[:, None, None] for f in (path.a, path.b, path.da, path.db))
    torch.testing.assert_close(a * x1 + b * x0, x.flatten(1)[:, None].expand_as(x1))
    torch.testing.assert_close(weight, field.posterior(x, t))
    for ends, mean in ((da * x1 + db * x0, field(x, t)), (x1, field.data(x, t))):
        torch.testing.assert_close((weight[..., None] * ends).sum(1), mean.flatten(1))


def test_the_paths_to_points_end_on_them():
    target = Empirical(normal(5, 1, 3, 3, seed=1))
    _, _, x1 = MarginalField(target, OTPath()).conditionals(normal(2, 1, 3, 3), 0.3)
    torch.testing.assert_close(x1, target.points.flatten(1).expand(2, 5, 9))


def test_the_ends_of_a_wide_component_are_what_its_samples_say():
    """E[x1 | x, k] by regression on samples of that component alone: both are linear in x."""
    t, one = 0.6, GaussianMixture([[1.0, -0.5]], [[0.7, 0.3]])
    g = torch.Generator().manual_seed(0)
    x1 = one.sample(400_000, generator=g).to(F64)
    xt = t * x1 + (1 - t) * torch.randn(x1.shape, generator=g, dtype=F64)
    slope = ((xt - xt.mean(0)) * (x1 - x1.mean(0))).mean(0) / xt.var(0)
    x = torch.tensor([[0.9, 0.2]], dtype=F64)
    expected = x1.mean(0) + slope * (x - xt.mean(0))
    found = MarginalField(one, OTPath()).conditionals(x, t)[2][0]
    assert (found - expected).abs().max() < 0.01
