"""Score and velocity on a mixture, for all paths, against densities that torch wrote."""

import numpy as np
import pytest
import torch
from mixtures import ALL, along, field, log_prob

from fmcore.density import continuity_residual

each_path = pytest.mark.parametrize("path", ALL, ids=str)


@each_path
@pytest.mark.parametrize("t", [0.01, 0.2, 0.5, 0.8, 0.99])
def test_score_from_the_velocity_is_the_gradient_of_the_density(path, t):
    x = along(path, t).requires_grad_()
    (score,) = torch.autograd.grad(log_prob(path, x, t).sum(), x)
    x, u = x.detach(), field(path)
    torch.testing.assert_close(u.score(x, t), score, rtol=1e-9, atol=1e-9)
    found = path.velocity_to_score(u(x, t), x, t)
    torch.testing.assert_close(found, score, rtol=1e-8, atol=1e-8)
    torch.testing.assert_close(path.score_to_velocity(score, x, t), u(x, t), rtol=1e-8, atol=1e-8)


@each_path
@pytest.mark.parametrize("t", [0.2, 0.5, 0.8])
def test_velocity_moves_the_density_as_it_changes(path, t):
    """The residual of the continuity equation falls with h^2; that of a wrong field does not."""
    x, u, sizes = along(path, t, 12), field(path), [0.02, 0.01, 0.005]

    def slope(v):
        log_p = lambda x, t: log_prob(path, x, t)  # noqa: E731
        worst = [continuity_residual(log_p, v, x, t, h=h).abs().max().item() for h in sizes]
        return np.polyfit(np.log(sizes), np.log(worst), 1)[0]

    assert abs(slope(u) - 2) < 0.15
    assert abs(slope(lambda x, t: 1.1 * u(x, t))) < 0.4
