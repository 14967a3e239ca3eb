"""Sampling: from noise to images, by solving the ODE of a trained network."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from fmcore.checks import class_labels, label_tensor, labels_in_range, randn_like, whole
from fmcore.guidance import Guided, network_settings
from fmcore.networks import UNet
from fmcore.paths import ProbabilityPath
from fmcore.solvers import ButcherTableau, Solution, VectorField, odeint
from fmcore.solvers.tableaus import find_tableau

DEFAULT_STEPS = 10


@torch.no_grad()
def generate(
    model: nn.Module | VectorField,
    n: int,
    *,
    method: str | ButcherTableau = "heun",
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
    """`n` images `(n, C, H, W)` in [-1, 1]: where the field `model` carries the noise x0.

        x1 = x0 + int_0^1 model(x_t, t) dt

    `steps` steps of `method` (default: 10), or adaptive ones with `rtol` and `atol`. The noise
    is drawn from `generator`, or given as `x0` `(n, C, H, W)`; it determines the result. `label`
    `(n,)` goes to a network with classes (`num_classes` itself means none). `shape` is that of one
    image; a `FlowModel` knows its own. At most `batch_size` images are computed at once. The model
    is left as it was.

    Where the path of a `FlowModel` ends without noise, as with sigma_min = 0, its velocity at t = 1
    is 0/0, and near it errors of x are multiplied by 1/(1 - t). (A bare `UNet` does not say what
    its path was; this one is assumed.) A method whose steps end with an evaluation there (Heun,
    RK4) therefore takes its last step by the midpoint rule, as Karras et al. 2022, algorithm 1
    takes it by Euler's. With `avoid_end=False` it is evaluated at t = 1 all the same.

    Raises `ValueError` or `TypeError` if the arguments do not fit, and as `odeint` does.

    >>> from fmcore.networks import UNet
    >>> g = torch.Generator().manual_seed(0)
    >>> generate(UNet(base=8), 3, steps=2, generator=g).shape
    torch.Size([3, 1, 28, 28])
    """
    n, batch_size = whole("n", n), whole("batch_size", batch_size)
    parameters = model.parameters() if isinstance(model, nn.Module) else iter(())
    weights = next(parameters, torch.empty(()))
    if x0 is None:
        x0 = randn_like(torch.empty(n, *_shape(model, shape)), generator)
    elif len(x0) != n:
        raise ValueError(f"x0 must hold n={n} images, got shape {tuple(x0.shape)}")
    label = None if label is None else _labels(model, label, n)
    if steps is None and rtol is None and atol is None:
        steps = DEFAULT_STEPS

    ends_with_evaluation = max(find_tableau(method).c) == 1 and rtol is None and atol is None
    short = avoid_end and ends_with_evaluation and _path_ends_without_noise(model)

    def solve(field: VectorField, noise: Tensor) -> Tensor:
        if short:
            return solve_short_of_the_end(field, noise, method=method, steps=steps).x
        return odeint(field, noise, method=method, steps=steps, rtol=rtol, atol=atol).x

    with _evaluating(model):
        images = []
        for first in range(0, n, batch_size):
            rows = slice(first, first + batch_size)
            noise = x0[rows].to(weights.device, weights.dtype)
            field = model if label is None else _of_class(model, label[rows].to(weights.device))
            images.append(solve(field, noise).clamp(-1, 1))
    return torch.cat(images)


def solve_short_of_the_end(
    v: VectorField, x0: Tensor, *, method: str | ButcherTableau, steps: int | None
) -> Solution:
    """From t = 0 to 1 without evaluating v at t = 1: the last of `steps` is a midpoint step.

    For methods whose steps end with an evaluation; midpoint and Euler do not need it. Raises as
    `odeint` does.

    >>> solve_short_of_the_end(lambda x, t: -x / (1 - t), torch.ones(1, 1), method="rk4", steps=2).x
    tensor([[0.]])
    """
    steps = whole("steps", steps)
    end, x, nfe = 1 - 1 / steps, x0, 0
    if steps > 1:
        before = odeint(v, x, (0.0, end), method=method, steps=steps - 1)
        x, nfe = before.x, before.nfe
    last = odeint(v, x, (end, 1.0), method="midpoint", steps=1)
    return Solution(last.x, last.t, nfe + last.nfe, steps, 0)


@contextmanager
def counted(model: nn.Module) -> Generator[list[int]]:
    """A list that grows by one number with every evaluation of `model`: the rows of its batch.

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


@contextmanager
def _evaluating(model: VectorField) -> Generator[None]:
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


def _of_class(model: Callable[..., Tensor], label: Tensor) -> VectorField:
    return lambda x, t: model(x, t, label)


def _labels(model: VectorField, label: Tensor, n: int) -> Tensor:
    """The labels, checked as far as the network says how many classes it has."""
    classes = network_settings(model).get("num_classes")
    if classes is None:
        return label_tensor(label, n)
    return labels_in_range(class_labels(label, n), classes)  # on a GPU the network does not check


def _path_ends_without_noise(model: VectorField) -> bool:
    """Whether b(1) = 0 on the path of the model. Of a bare network, it is assumed."""
    if isinstance(model, Guided):
        return _path_ends_without_noise(model.model)
    path = getattr(model, "path", None)
    if not isinstance(path, ProbabilityPath):
        return isinstance(model, UNet)
    return path.b(torch.ones(())).item() == 0


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
