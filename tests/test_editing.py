"""From noise to noise along an arc."""

import math

import pytest
import torch
from small import gen

from fmcore.editing import slerp


def test_slerp_goes_round_the_circle_at_even_speed():
    """In the plane the angle is known; lengths are kept, and a row has its own s."""
    start, turn = torch.tensor([0.3, 2.0, -1.0]), torch.tensor([0.4, -2.9, 3e-9])
    s = torch.tensor([0.25, 0.5, 0.9])

    def at(angle):
        return 7 * torch.stack([angle.cos(), angle.sin()], dim=1)

    torch.testing.assert_close(slerp(at(start), at(start + turn), s), at(start + s * turn))
    short = 1e-3 * slerp(at(start), at(start + turn), s)
    torch.testing.assert_close(slerp(1e-3 * at(start), 1e-3 * at(start + turn), s), short)


def test_slerp_keeps_the_length_of_noise_and_the_chord_does_not():
    x, y = torch.randn(2, 100, 1, 28, 28, generator=gen())
    half = slerp(x, y, 0.5)
    assert half.shape == x.shape
    ends = (x.flatten(1).norm(dim=1) + y.flatten(1).norm(dim=1)) / 2
    assert (half.flatten(1).norm(dim=1) / ends - 1).abs().max() < 0.01
    assert (torch.lerp(x, y, 0.5).flatten(1).norm(dim=1) / ends - 0.5**0.5).abs().max() < 0.05
    torch.testing.assert_close(slerp(x, y, 0.0), x)
    torch.testing.assert_close(slerp(x, y, 1), y)
    torch.testing.assert_close(slerp(x, x, 0.3), x)
    torch.testing.assert_close(slerp(x, y, 0.3), slerp(y, x, 0.7))


@pytest.mark.parametrize(
    ("x", "y", "s", "message"),
    [
        (torch.ones(2, 3), torch.ones(2, 4), 0.5, r"got \(2, 3\) and \(2, 4\)"),
        (torch.ones(3), torch.ones(3), 0.5, r"must both have shape \(B, \*shape\)"),
        (torch.ones(2, 3), torch.ones(2, 3), torch.zeros(3), r"shape \(2,\), got \(3,\)"),
        (torch.ones(2, 3), torch.zeros(2, 3), 0.5, "a zero vector has no direction"),
        (torch.zeros(2, 3), torch.ones(2, 3), 0.5, "a zero vector has no direction"),
        (torch.ones(2, 3), -2 * torch.ones(2, 3), 0.5, "opposite ways"),
        (torch.ones(2, 3), torch.eye(2, 3), math.nan, "s must be a finite number, got nan"),
        (torch.full((2, 3), math.nan), torch.ones(2, 3), 0.5, "x and y must be finite"),
        (torch.ones(2, 3), torch.full((2, 3), math.inf), 0.5, "x and y must be finite"),
    ],
)
def test_bad_input_of_slerp(x, y, s, message):
    with pytest.raises(ValueError, match=message):
        slerp(x, y, s)


@pytest.mark.parametrize("dtypes", [(torch.float32, torch.float64), (torch.int64, torch.int64)])
def test_slerp_of_other_dtypes(dtypes):
    x, y = (torch.eye(2, 3).to(dtype) for dtype in dtypes)
    with pytest.raises(TypeError, match="floating dtype, got torch"):
        slerp(x, y.flip(0), 0.5)
