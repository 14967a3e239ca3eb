"""Sampling: from noise to images, by solving the ODE of a trained network.

`generate` solves it, `Guided` pushes its field towards a class, `slerp` goes from noise to noise.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from math import isfinite, pi
from pathlib import Path

import torch
from torch import Tensor, nn

from fmcore import _solver_checks as check
from fmcore._checks import check_labels, class_labels, randn_like, require_label
from fmcore.data import from_unit
from fmcore.networks import UNet
from fmcore.paths import Path as ProbabilityPath
from fmcore.solvers import Solution, VectorField, odeint
from fmcore.weights import check_writable


@torch.no_grad()
def generate(
    model: nn.Module | VectorField,
    n: int,
    *,
    method: str = "heun",
    steps: int | None = None,
    rtol: float | None = None,
    atol: float | None = None,
    generator: torch.Generator | None = None,
    x0: Tensor | None = None,
    label: Tensor | None = None,
    shape: tuple[int, ...] | None = None,
    batch_size: int = 256,
    avoid_end: bool = True,
) -> Tensor:
    """`n` images `(n, C, H, W)` in [-1, 1], where the noise x0 is carried to by the field `model`.

        x1 = x0 + int_0^1 model(x_t, t) dt

    `steps` steps of `method` (10 if nothing is said), or adaptive ones with `rtol` and `atol`. The
    noise is drawn from `generator`, or given as `x0` `(n, C, H, W)`; the result is determined by
    it. `label` `(n,)` goes to a network with classes (`num_classes` itself means none). `shape` is
    that of one image; a `FlowModel` knows its own. At most `batch_size` images are under way at
    once. The model is left as it was.

    Where the path of a `FlowModel` ends without noise, as with sigma_min = 0, its velocity at t = 1
    is 0/0, and near it errors of x are multiplied by 1/(1 - t). (A bare `UNet` does not say what
    its path was; it is taken to be such a one.) A method whose steps end with an evaluation there
    (Heun, RK4) therefore takes its last step by the midpoint rule, as Karras et al. 2022,
    algorithm 1 takes it by Euler's. `avoid_end=False` asks at t = 1 all the same.

    `ValueError` or `TypeError` for what cannot be, also from `odeint`.

    >>> from fmcore.networks import UNet
    >>> g = torch.Generator().manual_seed(0)
    >>> generate(UNet(base=8), 3, steps=2, generator=g).shape
    torch.Size([3, 1, 28, 28])
    """
    if not isinstance(n, int) or isinstance(n, bool) or n < 1:
        raise ValueError(f"n must be a whole number of at least 1, got {n!r}")
    if not isinstance(batch_size, int) or batch_size < 1:
        raise ValueError(f"batch_size must be a whole number of at least 1, got {batch_size!r}")
    parameters = model.parameters() if isinstance(model, nn.Module) else iter(())
    weights = next(parameters, torch.empty(()))
    if x0 is None:
        x0 = randn_like(torch.empty(n, *_shape(model, shape)), generator)
    elif len(x0) != n:
        raise ValueError(f"x0 must hold n={n} images, got shape {tuple(x0.shape)}")
    classes = _network(model).get("num_classes")
    if label is not None and classes:
        label = class_labels(label, n)
        check_labels(label, classes)  # on a GPU the network itself does not look
    elif label is not None:
        require_label(label, n)
    if steps is None and rtol is None and atol is None:
        steps = 10

    def field(part: Tensor | None) -> VectorField:
        return lambda x, t: model(x, t) if part is None else model(x, t, part)

    asks_at_the_end = max(check.tableau(method).c) == 1 and rtol is None and atol is None
    if avoid_end and asks_at_the_end and _ends_bare(model):
        solve, how = solve_short_of_the_end, {"method": method, "steps": steps}
    else:
        solve, how = odeint, {"method": method, "steps": steps, "rtol": rtol, "atol": atol}

    with _evaluating(model):
        images = []
        for first in range(0, n, batch_size):
            rows = slice(first, first + batch_size)
            part = None if label is None else label[rows].to(weights.device)
            start = x0[rows].to(weights.device, weights.dtype)
            images.append(solve(field(part), start, **how).x.clamp(-1, 1))
    return torch.cat(images)


def solve_short_of_the_end(v: VectorField, x0: Tensor, *, method: str, steps: int) -> Solution:
    """From t = 0 to 1 without asking v at t = 1: the last of `steps` is one of the midpoint rule.

    For methods whose steps end with an evaluation; midpoint and Euler have no need of it.
    `ValueError` or `TypeError` as from `odeint`.

    >>> solve_short_of_the_end(lambda x, t: -x / (1 - t), torch.ones(1, 1), method="rk4", steps=2).x
    tensor([[0.]])
    """
    check.positive_integer("steps", steps)
    end, x, nfe = 1 - 1 / steps, x0, 0
    if steps > 1:
        before = odeint(v, x, (0.0, end), method=method, steps=steps - 1)
        x, nfe = before.x, before.nfe
    last = odeint(v, x, (end, 1.0), method="midpoint", steps=1)
    return Solution(last.x, last.t, nfe + last.nfe, steps, 0)


@contextmanager
def counted(model: nn.Module) -> Iterator[list[int]]:
    """A list that grows with every evaluation of `model`, by the number of rows it was asked for.

    >>> from fmcore.networks import MLP
    >>> net = MLP(hidden=8)
    >>> with counted(net) as rows:
    ...     _ = odeint(net, torch.zeros(5, 2), method="heun", steps=2)
    >>> rows
    [5, 5, 5, 5]
    """
    rows: list[int] = []
    hook = model.register_forward_hook(lambda network, arguments, answer: rows.append(len(answer)))
    try:
        yield rows
    finally:
        hook.remove()


class Guided(nn.Module):
    """The field of `model`, pushed towards a class: classifier-free guidance.

        v(x, t) + scale (v(x, t | y) - v(x, t))

    (Ho & Salimans 2021, eq. 6, whose w is scale - 1, for velocities.) At scale 0 the class is not
    heard, at 1 this is the field of the class; beyond 1 samples are more typical of it and less
    varied, and the field is that of no probability path any more. It costs two evaluations of
    `model`, at scales 0 and 1 one. Without a label it is `model` itself.

    `ValueError` for a scale that is no finite number; `TypeError` for a network without classes.

    >>> from fmcore.networks import UNet
    >>> guided, g = Guided(UNet(base=8, num_classes=10), 2.0), torch.Generator().manual_seed(0)
    >>> generate(guided, 2, steps=1, label=torch.tensor([3, 8]), generator=g).shape
    torch.Size([2, 1, 28, 28])
    """

    def __init__(self, model: nn.Module, scale: float):
        super().__init__()
        if isinstance(scale, bool) or not isinstance(scale, int | float) or not isfinite(scale):
            raise ValueError(f"scale must be a finite number, got {scale!r}")
        self.config = getattr(model, "config", {})
        if _network(model).get("num_classes", 0) is None:
            raise TypeError("guidance needs a network with classes; this one has num_classes=None")
        self.model, self.scale = model, float(scale)

    def forward(self, x: Tensor, t: float | Tensor, label: Tensor | None = None) -> Tensor:
        if label is None or self.scale == 0:
            return self.model(x, t)
        told = self.model(x, t, label)
        return told if self.scale == 1 else torch.lerp(self.model(x, t), told, self.scale)


def slerp(x: Tensor, y: Tensor, s: float | Tensor) -> Tensor:
    """From x at s = 0 to y at s = 1 along an arc, row by row of `(B, *shape)`.

        (sin((1 - s) a) x + sin(s a) y) / sin(a),    a the angle between x and y

    (Shoemake 1985.) Noise of many dimensions lies near a sphere; the arc stays near it, and the
    chord cuts through the inside. `s` is a number, or `(B,)`. Where x and y point the same way it
    is the straight line. `ValueError` for shapes that differ, for values that are not finite, for a
    zero vector, and for vectors that point in opposite ways, between which there are many arcs;
    `TypeError` for dtypes that differ.

    >>> slerp(torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 1.0]]), 0.5)
    tensor([[0.7071, 0.7071]])
    """
    if x.shape != y.shape or x.ndim < 2:
        raise ValueError(
            f"x and y must both have shape (B, *shape), got {tuple(x.shape)} and {tuple(y.shape)}"
        )
    if x.dtype != y.dtype or not x.is_floating_point():
        raise TypeError(f"x and y must have one floating dtype, got {x.dtype} and {y.dtype}")
    if not bool(x.isfinite().all() and y.isfinite().all()):
        raise ValueError("x and y must be finite")
    s = torch.as_tensor(s, dtype=x.dtype, device=x.device)
    if s.shape not in ((), x.shape[:1]):
        raise ValueError(f"s must be a number or have shape ({len(x)},), got {tuple(s.shape)}")
    if not bool(s.isfinite().all()):
        raise ValueError(f"s must be finite, got {s}")
    a, b = x.flatten(1).double(), y.flatten(1).double()
    lengths = a.norm(dim=1), b.norm(dim=1)
    if not bool((lengths[0] * lengths[1] > 0).all()):
        raise ValueError("a zero vector has no direction")
    a, b = a / lengths[0][:, None], b / lengths[1][:, None]
    # The arc cosine loses half of the digits near 0 and pi; this does not (Kahan 2006).
    angle = 2 * torch.atan2((a - b).norm(dim=1), (a + b).norm(dim=1))
    if bool((pi - angle < 1e-6).any()):
        raise ValueError("x and y point in opposite ways: there are many arcs between them")
    s = s.double().expand(len(x))
    straight = angle < 1e-6
    sine = angle.sin().where(~straight, 1.0)
    of_x = (((1 - s) * angle).sin() / sine).where(~straight, 1 - s)
    of_y = ((s * angle).sin() / sine).where(~straight, s)
    rows = (-1, *(1,) * (x.ndim - 1))
    return of_x.to(x.dtype).reshape(rows) * x + of_y.to(x.dtype).reshape(rows) * y


def image_grid(images: Tensor, columns: int | None = None, gap: int = 2) -> Tensor:
    """Images `(B, C, H, W)` in [-1, 1] side by side, row by row, as bytes `(H', W', C)`.

    `columns` is the square root of B, rounded up, if it is not given. The gaps, and the places of
    an incomplete last row, are black, as the ground of the digits is.

    >>> image_grid(torch.zeros(5, 1, 28, 28), columns=3).shape
    torch.Size([58, 88, 1])
    """
    if images.ndim != 4 or len(images) == 0:
        raise ValueError(f"images must have shape (B, C, H, W), got {tuple(images.shape)}")
    columns = -int(-(len(images) ** 0.5) // 1) if columns is None else columns
    if columns < 1 or gap < 0:
        raise ValueError(f"columns must be at least 1 and gap at least 0, got {columns}, {gap}")
    count, channels, height, width = images.shape
    rows = -(-count // columns)
    grid = torch.zeros(
        rows * (height + gap) - gap, columns * (width + gap) - gap, channels, dtype=torch.uint8
    )
    for k, image in enumerate(from_unit(images).cpu()):
        top, left = k // columns * (height + gap), k % columns * (width + gap)
        grid[top : top + height, left : left + width] = image.permute(1, 2, 0)
    return grid


def check_picture(file: str | Path) -> Path:
    """The path itself, if a picture can be written there; `ValueError` says why not."""
    from PIL import Image  # comes with torchvision

    file = check_writable(file)
    kind = Image.registered_extensions().get(file.suffix.lower())
    try:  # some formats can only be read, and some can hold no shades of grey
        Image.new("L", (28, 28)).save(io.BytesIO(), kind)
    except (KeyError, OSError, ValueError, AttributeError) as error:
        raise ValueError(
            f"cannot write {file}: {file.suffix!r} is no format for a picture, take .png"
        ) from error
    return file


def save_grid(images: Tensor, file: str | Path, columns: int | None = None) -> None:
    """Write `image_grid` as a picture; the ending of `file` decides the format."""
    from PIL import Image

    grid = image_grid(images, columns)
    Image.fromarray(grid.squeeze(-1).numpy()).save(check_picture(file))


@contextmanager
def _evaluating(model: VectorField) -> Iterator[None]:
    """In evaluation mode; afterwards every part is in its own again, whatever wraps it."""
    if not isinstance(model, nn.Module):
        yield
        return
    modes = {part: part.training for part in model.modules()}
    model.eval()
    try:
        yield
    finally:
        for part, training in modes.items():
            part.training = training


def _ends_bare(model: VectorField) -> bool:
    """Whether the path of the model ends without noise. A bare network is taken to be on such."""
    if isinstance(model, Guided):
        return _ends_bare(model.model)
    path = getattr(model, "path", None)
    if not isinstance(path, ProbabilityPath):
        return isinstance(model, UNet)
    return path.b(torch.ones(())).item() == 0


def _network(model: VectorField) -> dict:
    """What the network in `model` was built with, as far as it says so."""
    config = getattr(model, "config", {})
    return config.get("network", config)


def _shape(model: VectorField, shape: tuple[int, ...] | None) -> tuple[int, ...]:
    """The shape of one image: as asked for, as the model says, or that of MNIST for a `UNet`."""
    config = getattr(model, "config", {})
    if shape is None and "in_channels" in config:
        shape = (config["in_channels"], 28, 28)
    shape = shape or config.get("shape")
    if shape is None:
        raise ValueError(f"{type(model).__name__} does not say what it draws: pass shape=(C, H, W)")
    if not isinstance(shape, list | tuple | torch.Size):
        raise TypeError(f"shape must be that of one image, (C, H, W), got {shape!r}")
    return tuple(shape)
