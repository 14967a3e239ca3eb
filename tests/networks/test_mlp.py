"""The network for points: it sees point and time, and refuses what does not fit."""

import pytest
import torch
from small import noise

from fmcore.networks import MLP


def test_mlp_depends_on_point_and_time():
    torch.manual_seed(0)
    model, x = MLP(dim=2), noise(5, 2)
    v = model(x, 0.5)
    assert v.shape == (5, 2)
    assert not torch.allclose(v, model(x, 0.6)) and not torch.allclose(v, model(x + 0.1, 0.5))
    each = torch.cat([model(x[i : i + 1], t) for i, t in enumerate((0.1, 0.2, 0.3, 0.4, 0.5))])
    torch.testing.assert_close(model(x, torch.tensor([0.1, 0.2, 0.3, 0.4, 0.5])), each)


def test_a_point_that_does_not_fit_is_refused():
    with pytest.raises(ValueError, match=r"\(B, 2\), got \(4, 3\)"):
        MLP(dim=2)(torch.zeros(4, 3), 0.5)


@pytest.mark.parametrize("name", ["dim", "hidden", "depth"])
def test_an_impossible_mlp_is_refused(name):
    with pytest.raises(ValueError, match=f"{name} must be a whole number of at least 1, got 0"):
        MLP(**{name: 0})
