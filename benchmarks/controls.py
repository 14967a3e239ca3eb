"""Images of which it is known whether they are digits: what a judge must say to them.

They are made of test images, which no judge has seen, and most kinds differ from those that the
reader learnt from (`broken.py`). `CONTROLS` gives each kind the share that may be read as a digit.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from broken import SIDE, centred, each, others, patches
from torch import Tensor
from torch.nn import functional as F

LINE = torch.arange(SIDE)
TOP = (LINE < SIDE // 2).float()[:, None].expand(SIDE, SIDE)
LEFT = TOP.T
BELOW_THE_DIAGONAL = (LINE[:, None] > LINE).float()


class Makings:
    """What the controls are made of: ink and other ink of another class, and a generator."""

    def __init__(self, pixels: Tensor, labels: Tensor, seed: int = 0):
        self.g = torch.Generator().manual_seed(seed)
        self.ink = pixels.float() / 255
        self.other = others(self.ink, labels, self.g)
        self.n = len(pixels)

    def uniform(self, *shape: int) -> Tensor:
        return torch.rand(self.n, *(shape or (1, SIDE, SIDE)), generator=self.g)

    def normal(self) -> Tensor:
        return torch.randn(self.n, 1, SIDE, SIDE, generator=self.g)


def glue(m: Makings, mask: Tensor) -> Tensor:
    return mask * m.ink + (1 - mask) * m.other


def blur(m: Makings, sigma: float) -> Tensor:
    half = int(3 * sigma)
    bell = torch.exp(-0.5 * (torch.arange(-half, half + 1) / sigma) ** 2)
    kernel = bell[:, None] * bell / bell.sum() ** 2
    return F.conv2d(m.ink, kernel[None, None], padding=half)


def smear(m: Makings, length: int) -> Tensor:
    return F.conv2d(m.ink, torch.ones(1, 1, 1, length) / length, padding=(0, length // 2))


def stretched(ink: Tensor) -> Tensor:
    """Brought back to full contrast."""
    return (ink / ink.amax((1, 2, 3), keepdim=True)).clamp(0, 1)


def shuffle(m: Makings) -> Tensor:
    return patches(m.ink, 7, m.uniform(16).argsort(1))


def stripes(m: Makings) -> Tensor:
    width = 1 + (5 * m.uniform(1, 1, 1)).long()
    return (LINE // width % 2).float().expand(-1, 1, SIDE, -1)


def squares(m: Makings) -> Tensor:
    """Four rectangles."""
    total = torch.zeros(m.n, SIDE, SIDE)
    for _ in range(4):
        y, x, height, width = (m.uniform(1, 1) for _ in range(4))
        rows = (LINE[:, None] - SIDE * y).abs() < 1 + 3 * height
        total += rows * ((LINE - SIDE * x).abs() < 1 + 3 * width)
    return total.clamp(max=1)[:, None]


def rings(m: Makings) -> Tensor:
    """Circles about the centre, as of a target."""
    x, y = centred()
    wave = ((x**2 + y**2).sqrt() / (1 + 2 * each(m.uniform()[:, 0, 0, 0])) + 1).sin()
    return (wave > 0).float()


def four(m: Makings) -> Tensor:
    """Four digits of half the size."""
    small = F.interpolate(m.ink, size=SIDE // 2, mode="area")
    rows = [torch.cat([small.roll(k, 0), small.roll(k + 1, 0)], dim=3) for k in (0, 2)]
    return torch.cat(rows, dim=2)


def two(m: Makings) -> Tensor:
    """Two digits, narrow, side by side."""
    both = torch.cat([m.ink, m.other], dim=3)
    return F.interpolate(both, size=(SIDE, SIDE), mode="bilinear", antialias=True).clamp(0, 1)


def shear(m: Makings) -> Tensor:
    slope = torch.tensor([[1, 0.9, 0], [0, 1, 0]]).expand(m.n, 2, 3)
    grid = F.affine_grid(slope, list(m.ink.shape), align_corners=False)
    return F.grid_sample(m.ink, grid, align_corners=False)


def hole(m: Makings) -> Tensor:
    """The middle is gone, 12 by 12 pixels."""
    out = m.ink.clone()
    out[:, :, 8:20, 8:20] = 0
    return out


def salt(m: Makings, share: float) -> Tensor:
    return torch.where(m.uniform() < share, (m.uniform() < 0.5).float(), m.ink)


def grain(m: Makings, level: float) -> Tensor:
    """Noise of that standard deviation in [-1, 1], so half of it in the ink."""
    return (m.ink + level / 2 * m.normal()).clamp(0, 1)


Control = Callable[[Makings], Tensor]

# kind: (how it is made, (the least, the most) of them that may be read as digits; None: only shown)
DIGITS = (0.98, 1.0)
EASY, GLUED, HARD = (0.0, 0.02), (0.0, 0.15), (0.0, 0.35)
CONTROLS: dict[str, tuple[Control, tuple[float, float] | None]] = {
    "test images": (lambda m: m.ink, DIGITS),
    "with noise of 0.02": (lambda m: grain(m, 0.02), None),
    "with noise of 0.1": (lambda m: grain(m, 0.1), None),
    "with noise of 0.2": (lambda m: grain(m, 0.2), None),
    "paler by 0.3": (lambda m: 0.7 * m.ink, None),
    "moved by 2 and 3 pixels": (lambda m: m.ink.roll((2, 3), (2, 3)), None),
    "glued, top and bottom": (lambda m: glue(m, TOP), GLUED),
    "glued, left and right": (lambda m: glue(m, LEFT), GLUED),
    "glued, along the diagonal": (lambda m: glue(m, BELOW_THE_DIAGONAL), GLUED),
    "erased, top": (lambda m: m.ink * (1 - TOP), HARD),
    "erased, bottom": (lambda m: m.ink * TOP, HARD),
    "erased, left": (lambda m: m.ink * (1 - LEFT), HARD),
    "erased, right": (lambda m: m.ink * LEFT, HARD),
    "hole in the middle": (hole, HARD),
    "smeared, 13 pixels": (lambda m: smear(m, 13), HARD),
    "smeared, 13 pixels, full contrast": (lambda m: stretched(smear(m, 13)), HARD),
    "blurred, 3 pixels, full contrast": (lambda m: stretched(blur(m, 3)), HARD),
    "overlaid, darker ink": (lambda m: torch.maximum(m.ink, m.other), HARD),
    "overlaid, sum": (lambda m: (m.ink + m.other).clamp(max=1), HARD),
    "overlaid, mean": (lambda m: (m.ink + m.other) / 2, HARD),
    "two side by side": (two, HARD),
    "four of half the size": (four, HARD),
    "left and right exchanged": (lambda m: m.ink.roll(SIDE // 2, 3), HARD),
    "top and bottom exchanged": (lambda m: m.ink.roll(SIDE // 2, 2), HARD),
    "patches of 7, shuffled": (shuffle, EASY),
    "negative": (lambda m: 1 - m.ink, EASY),
    "blank": (lambda m: torch.zeros_like(m.ink), EASY),
    "all ink": (lambda m: torch.ones_like(m.ink), EASY),
    "grey": (lambda m: torch.full_like(m.ink, 0.5), EASY),
    "uniform noise": (lambda m: m.uniform(), EASY),
    "normal noise": (lambda m: (0.5 + 0.5 * m.normal()).clamp(0, 1), EASY),
    "stripes": (stripes, EASY),
    "rings": (rings, HARD),  # some are a 0
    "squares": (squares, EASY),
    "mean of two hundred": (lambda m: m.ink.reshape(-1, 200, 1, SIDE, SIDE).mean(1), EASY),
    "mosaic of 7 pixels": (lambda m: F.interpolate(F.avg_pool2d(m.ink, 7), size=SIDE), HARD),
    "salt and pepper, three in ten": (lambda m: salt(m, 0.3), None),
    "salt and pepper, six in ten": (lambda m: salt(m, 0.6), HARD),
    "mirrored": (lambda m: m.ink.flip(3), None),
    "upside down": (lambda m: m.ink.flip(2), None),
    "sheared": (shear, None),
    "thickened to 7 pixels": (lambda m: F.max_pool2d(m.ink, 7, 1, 3), None),
}


def controls(pixels: Tensor, labels: Tensor, seed: int = 0) -> dict[str, Tensor]:
    """Each kind of control as bytes `(n, 1, 28, 28)`, of test images `pixels` in random order."""
    made = {}
    for name, (make, _) in CONTROLS.items():
        ink = make(Makings(pixels, labels, seed))
        made[name] = (255 * ink.clamp(0, 1)).round().to(torch.uint8)
    return made
