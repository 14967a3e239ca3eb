"""Images that are no digits, made from digits: what a reader of digits must learn to refuse.

Every kind takes ink `(n, 1, 28, 28)` in [0, 1] (paper is 0), the labels `(n,)` and a generator, and
returns as many images that nobody could read. `KINDS` is the table; `broken` draws from all of it.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

SIDE = 28
Kind = Callable[[Tensor, Tensor, torch.Generator], Tensor]


def uniform(g: torch.Generator, *shape: int, low: float = 0.0, high: float = 1.0) -> Tensor:
    return low + (high - low) * torch.rand(*shape, generator=g)


def each(values: Tensor) -> Tensor:
    """Numbers `(n,)`, one for each image, as `(n, 1, 1, 1)`."""
    return values[:, None, None, None]


def centred() -> tuple[Tensor, Tensor]:
    """The coordinates x and y of every pixel, from the centre of the image."""
    line = torch.arange(SIDE) - (SIDE - 1) / 2
    y, x = torch.meshgrid(line, line, indexing="ij")
    return x, y


def across(n: int, g: torch.Generator, straight: float = 0.5) -> Tensor:
    """How far each pixel lies along a random direction, `(n, 28, 28)`.

    A share `straight` of the directions is level or upright.
    """
    angle = 2 * math.pi * torch.rand(n, generator=g)
    quarter = (angle / (math.pi / 2)).round() * (math.pi / 2)
    angle = torch.where(torch.rand(n, generator=g) < straight, quarter, angle)[:, None, None]
    x, y = centred()
    return angle.cos() * x + angle.sin() * y


def side_of_a_line(n: int, g: torch.Generator, near: float) -> Tensor:
    """Masks `(n, 1, 28, 28)`: one side of a line that passes the centre within `near` pixels."""
    place = uniform(g, n, low=-near, high=near)[:, None, None]
    return (across(n, g) > place).float()[:, None]


def others(ink: Tensor, labels: Tensor, g: torch.Generator) -> Tensor:
    """For each image one of another class."""
    rows = torch.randperm(len(ink), generator=g)
    while (same := labels[rows] == labels).any():
        if (labels == labels[0]).all():
            raise ValueError("there is one class only")
        rows[same] = torch.randint(len(ink), (int(same.sum()),), generator=g)
    return ink[rows]


def patches(ink: Tensor, size: int, order: Tensor) -> Tensor:
    """The image cut into squares of `size` pixels, put together again in `order` `(n, k * k)`."""
    n, k = len(ink), SIDE // size
    cut = ink.reshape(n, k, size, k, size).permute(0, 1, 3, 2, 4).reshape(n, k * k, size, size)
    cut = cut.gather(1, order[:, :, None, None].expand_as(cut))
    return cut.reshape(n, k, k, size, size).permute(0, 1, 3, 2, 4).reshape(n, 1, SIDE, SIDE)


def jitter(ink: Tensor, g: torch.Generator) -> Tensor:
    """Turned by up to 12 degrees, scaled by up to 10 %, moved by up to two pixels: still digits."""
    turn, scale, right, down = (2 * torch.rand(4, len(ink), generator=g) - 1).to(ink.device)
    angle, scale = math.radians(12) * turn, 1 + 0.1 * scale
    cos, sin = scale * angle.cos(), scale * angle.sin()
    rows = [torch.stack([cos, -sin, right / 7], 1), torch.stack([sin, cos, down / 7], 1)]
    grid = F.affine_grid(torch.stack(rows, 1), list(ink.shape), align_corners=False)
    return F.grid_sample(ink, grid, align_corners=False)


# ---- two digits


def glued(ink: Tensor, labels: Tensor, g: torch.Generator) -> Tensor:
    """One side of a line from one digit, the other side from a digit of another class."""
    return torch.where(side_of_a_line(len(ink), g, 3) > 0, ink, others(ink, labels, g))


def overlaid(ink: Tensor, labels: Tensor, g: torch.Generator) -> Tensor:
    """Two digits on one another: the darker ink, the sum, or a mixture."""
    n, rows = len(ink), others(ink, labels, g)
    away = torch.randint(-4, 5, (n, 2), generator=g).tolist()
    other = torch.stack([x.roll(by, (1, 2)) for x, by in zip(rows, away, strict=True)])
    how, share = each(uniform(g, n)), each(uniform(g, n, low=0.35, high=0.65))
    dark, summed = torch.maximum(ink, other), (ink + other).clamp(max=1)
    mixed = share * ink + (1 - share) * other
    return torch.where(how < 0.5, dark, torch.where(how < 0.75, summed, mixed))


def inlaid(ink: Tensor, labels: Tensor, g: torch.Generator) -> Tensor:
    """Two squares of the image are taken from somewhere in a digit of another class."""
    out = ink.clone()
    for image, other in zip(out, others(ink, labels, g), strict=True):
        for _ in range(2):
            size = torch.randint(9, 15, (), generator=g).item()
            top, left = torch.randint(3, SIDE - size, (2,), generator=g).tolist()
            up, west = torch.randint(0, SIDE - size + 1, (2,), generator=g).tolist()
            square = other[:, up : up + size, west : west + size]
            image[:, top : top + size, left : left + size] = square
    return out


# ---- one digit, damaged


def erased(ink: Tensor, labels: Tensor, g: torch.Generator) -> Tensor:
    """About half of the ink, on one side of a line, is gone."""
    n, along = len(ink), across(len(ink), g, straight=0.6).flatten(1)
    order = along.sort(1)
    ink_so_far = ink.flatten(1).gather(1, order.indices).cumsum(1)
    gone = uniform(g, n, low=0.42, high=0.67)[:, None] * ink_so_far[:, -1:]
    last = (ink_so_far < gone).sum(1, keepdim=True).clamp(max=SIDE**2 - 1)
    return ink * (along > order.values.gather(1, last)).reshape(ink.shape)


def smeared(ink: Tensor, labels: Tensor, g: torch.Generator) -> Tensor:
    """Drawn out in one direction or out of focus, and mostly brought back to full contrast."""
    out = []
    for part in ink.split(16):
        kernel = motion(g) if torch.rand((), generator=g) < 0.6 else focus(g)
        soft = F.conv2d(part, (kernel / kernel.sum())[None, None], padding=len(kernel) // 2)
        gain = uniform(g, len(part), low=0.5) / soft.amax((1, 2, 3)).clamp_min(1e-3)
        gain[uniform(g, len(part)) >= 0.7] = 1
        out.append((each(gain) * soft).clamp(0, 1))
    return torch.cat(out)


def motion(g: torch.Generator) -> Tensor:
    """A line of 9 to 19 pixels."""
    length = int(uniform(g, 1, low=9, high=19).item()) | 1
    angle, half = math.pi * torch.rand((), generator=g).item(), length // 2
    steps = torch.linspace(-half, half, 4 * length)
    kernel = torch.zeros(length, length)
    rows, columns = (half + f(angle) * steps for f in (math.sin, math.cos))
    kernel[rows.round().long(), columns.round().long()] = 1
    return kernel


def focus(g: torch.Generator) -> Tensor:
    """A bell of a standard deviation of 2.6 to 5.1 pixels."""
    sigma = uniform(g, 1, low=2.6, high=5.1).item()
    half = int(2.5 * sigma)
    bell = torch.exp(-0.5 * ((torch.arange(2 * half + 1) - half) / sigma) ** 2)
    return bell[:, None] * bell


def torn(ink: Tensor, labels: Tensor, g: torch.Generator) -> Tensor:
    """One side of a line has slid by 4 to 7 pixels, right and down or left and up."""
    near = side_of_a_line(len(ink), g, 2)
    by = torch.randint(4, 8, (len(ink), 2), generator=g)
    by = (by * (2 * torch.randint(0, 2, by.shape, generator=g) - 1)).tolist()
    slid = [x.roll(s, (1, 2)) for x, s in zip((1 - near) * ink, by, strict=True)]
    return torch.maximum(near * ink, torch.stack(slid))


def shuffled(ink: Tensor, labels: Tensor, g: torch.Generator) -> Tensor:
    """Patches of 7 or of 14 pixels in another order; at most three in ten keep their place."""
    out = []
    for part, size in zip(ink.chunk(2), (7, 14), strict=False):
        k = (SIDE // size) ** 2
        order = torch.rand(len(part), k, generator=g).argsort(1)
        stay = (order == torch.arange(k)).float().mean(1) > 0.3
        order[stay] = order[stay].roll(1, 1)
        out.append(patches(part, size, order))
    return torch.cat(out)


def warped(ink: Tensor, labels: Tensor, g: torch.Generator) -> Tensor:
    """Swirled round the centre, or pulled about as a cloth."""
    n = len(ink)
    grid = F.affine_grid(torch.eye(2, 3).expand(n, 2, 3), ink.shape, align_corners=False)
    rise = (1 - grid.square().sum(-1).sqrt()).clamp_min(0)
    turn = uniform(g, n, low=3.5, high=5.5) * (2 * torch.randint(0, 2, (n,), generator=g) - 1)
    angle = turn[:, None, None] * rise
    x, y = grid.unbind(-1)
    swirl = torch.stack(
        [x * angle.cos() - y * angle.sin(), x * angle.sin() + y * angle.cos()], dim=-1
    )
    cloth = grid + 0.42 * waves(n, 2, 5, g).permute(0, 2, 3, 1)
    where = torch.where(each(uniform(g, n)) < 0.5, swirl, cloth)
    return F.grid_sample(ink, where, align_corners=False)


def turned(ink: Tensor, labels: Tensor, g: torch.Generator) -> Tensor:
    """A quarter turn of what is no digit then, the 0, 1 and 8 left out; of others the negative."""
    unlike = torch.isin(labels, torch.tensor([2, 3, 4, 5, 6, 7, 9]))
    turn = each(unlike & (uniform(g, len(ink)) < 0.6))
    negative = 1 - ink * each(uniform(g, len(ink), low=0.6))
    return torch.where(turn, ink.rot90(1, (2, 3)), negative)


def permuted(ink: Tensor, labels: Tensor, g: torch.Generator) -> Tensor:
    """Pixels, rows or columns in random order, or waves with random phases."""
    pixels, rows, columns, phases = (part.clone() for part in ink.tensor_split(4))
    order = torch.rand(len(pixels), SIDE**2, generator=g).argsort(1)
    spectrum = torch.fft.rfft2(phases)
    angle = uniform(g, *spectrum.shape, high=2 * math.pi)
    scattered = torch.fft.irfft2(torch.polar(spectrum.abs(), angle), s=(SIDE, SIDE))
    return torch.cat(
        [
            pixels.flatten(1).gather(1, order).reshape(pixels.shape),
            rows[:, :, torch.randperm(SIDE, generator=g)],
            columns[:, :, :, torch.randperm(SIDE, generator=g)],
            (1.5 * scattered).clamp(0, 1),
        ]
    )


# ---- no digit at all


def strokes(n: int, g: torch.Generator, least: int, most: int) -> Tensor:
    """Curves of a pen: between `least` and `most` quadratic Bézier curves, as wide as MNIST's."""
    s = torch.linspace(0, 1, 40)[:, None]
    line = torch.arange(float(SIDE))
    pixels = torch.cartesian_prod(line, line).flip(1).expand(n, -1, -1)
    many = torch.randint(least, most + 1, (n,), generator=g)
    total = torch.zeros(n, SIDE**2)
    for k in range(most):
        a, b, c = uniform(g, n, 3, 1, 2, low=4, high=24).unbind(1)
        curve = (1 - s) ** 2 * a + 2 * s * (1 - s) * b + s**2 * c  # (n, 40, 2)
        beyond = torch.cdist(pixels, curve).amin(2) - uniform(g, n, 1, low=0.6, high=1.6)
        stroke = (1.3 - 0.9 * beyond.clamp_min(0)).clamp(0, 1)
        total = torch.maximum(total, stroke * (many > k)[:, None])
    return total.reshape(n, 1, SIDE, SIDE)


def scribbled(ink: Tensor, labels: Tensor, g: torch.Generator) -> Tensor:
    """Two to five strokes of a pen."""
    return strokes(len(ink), g, 2, 5)


def overdrawn(ink: Tensor, labels: Tensor, g: torch.Generator) -> Tensor:
    """A digit under two to four strokes of a pen."""
    return torch.maximum(ink, strokes(len(ink), g, 2, 4))


def waves(n: int, channels: int, points: int, g: torch.Generator) -> Tensor:
    """Smooth noise: normal numbers on a coarse grid, enlarged to `(n, channels, 28, 28)`."""
    coarse = torch.randn(n, channels, points, points, generator=g)
    return F.interpolate(coarse, size=SIDE, mode="bicubic", align_corners=False)


def patterned(n: int, g: torch.Generator) -> Tensor:
    """Stripes, checks and dots, crisp or soft."""
    along, aside = across(n, g, straight=0.6)[:, None], across(n, g, straight=0.6)[:, None]
    width, phase = each(uniform(g, n, low=1.2, high=7.2)), each(uniform(g, n, high=6.3))
    u, v = ((z * math.pi / width + phase).sin() for z in (along, aside))
    how = each(uniform(g, n))
    wave = torch.where(how < 0.5, u, torch.where(how < 0.75, u * v, torch.minimum(u, v)))
    crisp = torch.where(each(uniform(g, n)) < 0.5, 8.0, 0.5)
    return (0.5 + crisp * wave).clamp(0, 1)


def noise(ink: Tensor, labels: Tensor, g: torch.Generator) -> Tensor:
    """Noise of many kinds, patterns, blots, blank paper, and digits under far too much grain."""
    parts = ink.tensor_split(8)
    flat, bell, salt, cloud, blot, grainy, plain, pattern = (len(part) for part in parts)

    def normal(n: int) -> Tensor:
        return torch.randn(n, 1, SIDE, SIDE, generator=g)

    level = each(uniform(g, plain))
    level[: plain // 2] = 0
    drawn = [
        uniform(g, flat, 1, SIDE, SIDE),
        0.5 + each(uniform(g, bell, low=0.2, high=0.8)) * normal(bell),
        (uniform(g, salt, 1, SIDE, SIDE) < each(uniform(g, salt, low=0.02, high=0.52))).float(),
        0.3 + 0.5 * waves(cloud, 1, 5, g),
        4 * (waves(blot, 1, 6, g) - 0.4),
        parts[5] + each(uniform(g, grainy, low=0.7, high=1.7)) * normal(grainy),
        level + 0.05 * each(uniform(g, plain)) * normal(plain),
        patterned(pattern, g),
    ]
    return torch.cat(drawn).clamp(0, 1)


# How often each kind is drawn, relative to the others: the hard ones more often.
KINDS: dict[str, tuple[Kind, float]] = {
    "glued": (glued, 6),
    "erased": (erased, 4),
    "overlaid": (overlaid, 3),
    "smeared": (smeared, 2.5),
    "overdrawn": (overdrawn, 2),
    "warped": (warped, 2),
    "noise": (noise, 2),
    "shuffled": (shuffled, 1.5),
    "scribbled": (scribbled, 1.5),
    "turned": (turned, 1.5),
    "torn": (torn, 1.25),
    "inlaid": (inlaid, 1.25),
    "permuted": (permuted, 1),
}


def broken(ink: Tensor, labels: Tensor, g: torch.Generator) -> Tensor:
    """As many images that are no digits, of all kinds in proportion, kind after kind."""
    shares = torch.tensor([weight for _, weight in KINDS.values()]).cumsum(0)
    ends = (len(ink) * shares / shares[-1]).round().long()[:-1]
    parts = zip(KINDS.values(), ink.tensor_split(ends), labels.tensor_split(ends), strict=True)
    return torch.cat([kind(x, y, g) for (kind, _), x, y in parts])
