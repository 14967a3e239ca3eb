"""Images: bytes and numbers, pictures side by side, and files."""

import numpy as np
import pytest
import torch
from small import gen

from fmcore.images import dequantize, from_unit, image_grid, save_grid, to_unit


def test_grid_puts_image_k_into_its_row_and_column():
    images = torch.full((5, 1, 3, 3), -1.0)
    for k in range(5):
        images[k, 0, 0, 0] = k / 4 * 2 - 1
    grid = image_grid(images, columns=3, gap=1)
    assert grid.shape == (7, 11, 1) and grid.dtype == torch.uint8
    corners = [grid[r, c, 0].item() for r in (0, 4) for c in (0, 4, 8)]
    assert corners == [0, 64, 128, 191, 255, 0]
    assert image_grid(images).shape == (2 * 3 + 2, 3 * 3 + 2 * 2, 1)


def test_grid_is_as_square_as_it_can_be_and_may_have_one_column_and_no_gap():
    images = torch.zeros(10, 1, 2, 2)
    assert image_grid(images, gap=0).shape == (6, 8, 1)  # 3 rows of 4
    assert image_grid(images, columns=1, gap=0).shape == (20, 2, 1)
    assert image_grid(images[:9], gap=0).shape == (6, 6, 1)


def test_grid_refuses_what_is_no_image():
    with pytest.raises(ValueError, match=r"\(B, C, H, W\), got \(3, 28, 28\)"):
        image_grid(torch.zeros(3, 28, 28))
    with pytest.raises(ValueError, match=r"\(B, C, H, W\), got \(0, 1, 28, 28\)"):
        image_grid(torch.zeros(0, 1, 28, 28))
    for kwargs in ({"columns": -1}, {"gap": -1}):
        with pytest.raises(ValueError, match="(columns|gap) must be a whole number .*, got -1"):
            image_grid(torch.zeros(3, 1, 2, 2), **kwargs)
    with pytest.raises(ValueError, match="columns must be a whole number of at least 1, got 0"):
        image_grid(torch.zeros(2, 1, 4, 4), columns=0)


@pytest.mark.parametrize("channels", [1, 3])
def test_saved_picture_is_the_grid(tmp_path, channels):
    import numpy as np
    from PIL import Image

    images = torch.rand(4, channels, 6, 6, generator=gen()) * 2 - 1
    save_grid(images, tmp_path / "x.png")
    read = np.asarray(Image.open(tmp_path / "x.png"))
    assert (read.reshape(image_grid(images).shape) == image_grid(images).numpy()).all()
    with pytest.raises(ValueError, match="no folder"):
        save_grid(images, tmp_path / "none" / "x.png")
    with pytest.raises(ValueError, match="'.digits' is not a picture format; use .png"):
        save_grid(images, tmp_path / "x.digits")


def test_bytes_and_numbers_are_inverse():
    pixels = torch.arange(256, dtype=torch.uint8)
    unit = to_unit(pixels)
    assert unit.min() == -1 and unit.max() == 1 and unit.dtype == torch.float32
    assert torch.equal(from_unit(unit), pixels)
    with pytest.raises(TypeError, match="uint8, got torch.float32"):
        to_unit(unit)
    with pytest.raises(ValueError, match="2 values of the images are NaN"):
        from_unit(torch.tensor([float("nan"), 0.5, float("nan"), float("inf")]))
    with pytest.raises(TypeError, match="floating dtype, got torch.uint8"):
        from_unit(pixels)


def test_dequantized_bytes_fill_their_levels_evenly():
    pixels = torch.arange(256, dtype=torch.uint8).repeat(500).reshape(-1, 1, 1)
    x = dequantize(pixels, generator=torch.Generator().manual_seed(0))
    assert torch.equal(from_unit(x), pixels) and x.dtype == torch.float32
    inside = (x - to_unit(pixels)) * 255  # even in [-1, 1]
    assert -1.001 < inside.min() < -0.999 and 0.999 < inside.max() < 1.001
    assert abs(inside.mean()) < 0.01 and abs(inside.var() - 1 / 3) < 0.005
    edges = torch.linspace(-1, 1, 5)
    assert (inside.flatten().histogram(edges)[0] / inside.numel() - 0.25).abs().max() < 0.01


def test_dequantize_wants_bytes_and_a_generator():
    with pytest.raises(TypeError, match="pixels must be uint8, got torch.float32"):
        dequantize(torch.zeros(2), generator=torch.Generator())
    with pytest.raises(TypeError, match="generator must be a torch.Generator"):
        dequantize(torch.zeros(2, dtype=torch.uint8), generator=None)


def test_a_picture_has_one_three_or_four_channels(tmp_path):
    for channels in (1, 3, 4):
        save_grid(torch.zeros(2, channels, 4, 4), tmp_path / f"{channels}.png")
        assert (tmp_path / f"{channels}.png").exists()
    for channels in (2, 5):
        with pytest.raises(ValueError, match=rf"3 \(RGB\) or 4 \(RGBA\), got {channels} of shape"):
            save_grid(torch.zeros(2, channels, 4, 4), tmp_path / "x.png")
    assert not (tmp_path / "x.png").exists()
    with pytest.raises(TypeError, match="columns must be a whole number of at least 1, got 2.5"):
        image_grid(torch.zeros(2, 1, 4, 4), columns=2.5)
    two = image_grid(torch.zeros(4, 1, 4, 4), columns=np.int64(2), gap=np.int8(1))
    assert two.shape == (9, 9, 1)
