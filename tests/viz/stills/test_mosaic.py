"""Digits side by side: order, polarity, gaps, labels."""

import numpy as np
import pytest
import torch
from matplotlib import pyplot as plt

from fmcore.viz import plots


def test_digits_stand_row_by_row_upright_with_the_page_between():
    images = torch.full((5, 1, 28, 28), -1.0)
    for k in range(5):
        images[k, 0, 0, 1 + k] = 1.0  # one pixel of ink in the first row tells which and which way
    ax = plots.digits(images, columns=3)
    grid = ax.images[0].get_array()
    assert grid.shape == (58, 88)
    ink = np.argwhere(grid.filled(0) == 1.0)
    assert ink.tolist() == [[0, 1], [0, 32], [0, 63], [30, 4], [30, 35]]
    assert grid.mask[28:30].all() and grid.mask[:, 28:30].all() and grid.mask[:, 58:60].all()
    assert grid.mask[30:, 60:].all()  # no sixth image
    assert ax.get_ylim()[0] > ax.get_ylim()[1]  # rows count downwards
    paper, ink, gap = ax.images[0].to_rgba(np.ma.masked_invalid([-1.0, 1.0, np.nan]))
    assert sum(paper[:3]) > 2.8 > 0.4 > sum(ink[:3]) and gap[3] == 0
    assert ax.images[0].get_interpolation() == "nearest"


def test_digits_without_a_channel_axis_on_the_given_axes_with_labels():
    _, ax = plt.subplots()
    out = plots.digits(
        torch.zeros(6, 28, 28).requires_grad_(),
        columns=3,
        ax=ax,
        row_labels=["a", "b"],
        column_labels=["1", "2", "3"],
    )
    assert out is ax
    assert [t.get_text() for t in ax.get_yticklabels()] == ["a", "b"]
    assert ax.get_yticks().tolist() == [13.5, 43.5] and len(ax.get_xticks()) == 3
    assert plots.digits(torch.zeros(64, 1, 28, 28)).images[0].get_array().shape == (238, 238)


def test_a_label_a_letter():
    ax = plots.digits(torch.zeros(3, 8, 8), columns=3, column_labels="382")
    assert [t.get_text() for t in ax.get_xticklabels()] == ["3", "8", "2"]


@pytest.mark.parametrize(
    ("images", "options", "message"),
    [
        (torch.zeros(4, 3, 28, 28), {}, r"\(B, 1, H, W\) or \(B, H, W\), got \(4, 3, 28, 28\)"),
        (torch.zeros(28, 28), {}, r"got \(28, 28\)"),
        (torch.zeros(0, 1, 28, 28), {}, "images is empty"),
        (torch.full((1, 1, 28, 28), 255.0), {}, r"lie in \[-1, 1\], got \[255, 255\].*clamp"),
        (torch.full((1, 1, 28, 28), torch.nan), {}, r"lie in \[-1, 1\], got \[nan, nan\]"),
        (
            torch.zeros(4, 28, 28),
            {"columns": 0},
            "columns must be a whole number of at least 1, got 0",
        ),
        (torch.zeros(4, 28, 28), {"row_labels": ["a"]}, "must have a label for each of 2, got 1"),
    ],
)
def test_digits_errors(images, options, message):
    with pytest.raises(ValueError, match=message):
        plots.digits(images, **options)
