"""Checks of the arguments of figures: extents, arrays, solvers; the rest is in `fmcore.checks`."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np
import torch
from torch import Tensor

from fmcore.solvers import SOLVERS, ButcherTableau
from fmcore.solvers.tableaus import find_tableau

Box = tuple[float, float, float, float]  # (xmin, xmax, ymin, ymax)
Extent = Sequence[float]
Method = str | ButcherTableau
Numbers = Sequence[float] | np.ndarray | Tensor


def numbers(name: str, values: Iterable[float], *parts: str) -> tuple[float, ...]:
    """`values` as floats, one for each of `parts`, which name them.

    Raises ValueError unless there are as many and all are finite.

    >>> numbers("start", [1, 2], "x", "y")
    (1.0, 2.0)
    """
    try:
        floats = tuple(float(value) for value in values)
    except (TypeError, ValueError):
        floats = ()
    if len(floats) != len(parts) or not all(map(math.isfinite, floats)):
        raise ValueError(f"{name} must be finite numbers ({', '.join(parts)}), got {values!r}")
    return floats


def box(extent: Extent) -> Box:
    """An extent as floats (xmin, xmax, ymin, ymax).

    Raises ValueError unless xmin < xmax and ymin < ymax, all finite.
    """
    xmin, xmax, ymin, ymax = numbers("extent", extent, "xmin", "xmax", "ymin", "ymax")
    if xmin >= xmax or ymin >= ymax:
        raise ValueError(
            f"extent (xmin, xmax, ymin, ymax) needs xmin < xmax and ymin < ymax, got {extent!r}"
        )
    return xmin, xmax, ymin, ymax


def as_array(name: str, values: Numbers, shape: tuple[int | str, ...]) -> np.ndarray:
    """`values` as float64 on the CPU.

    `shape` has a size for each axis, or a letter where any size will do: ("T", "B", 2). Raises
    ValueError if the shape is another one, or if `values` is empty or not finite.

    >>> as_array("xs", torch.zeros(5, 2), ("B", 2)).shape
    (5, 2)
    """
    x = torch.as_tensor(values).detach().to("cpu", torch.float64)
    sizes = zip(x.shape, shape, strict=False)
    if x.ndim != len(shape) or any(isinstance(n, int) and n != size for size, n in sizes):
        letters = str(shape).replace("'", "")
        raise ValueError(f"{name} must have shape {letters}, got {tuple(x.shape)}")
    if x.numel() == 0:
        raise ValueError(f"{name} is empty: shape {tuple(x.shape)}")
    if not torch.isfinite(x).all():
        bad = int((~torch.isfinite(x)).sum())
        raise ValueError(f"{name} holds {bad} values that are NaN or infinite")
    return x.numpy()


def solver_name(method: Method) -> str:
    """The key of a solver in `SOLVERS`, or the name of a tableau.

    Raises ValueError if there is no solver of that name.

    >>> solver_name("heun"), solver_name(SOLVERS["rk4"])
    ('heun', 'rk4')
    """
    tableau = find_tableau(method)
    return method if isinstance(method, str) else tableau.name


def by_name(solvers: Iterable[Method]) -> dict[str, Method]:
    """The solvers on offer under their names, each once.

    Raises ValueError if there is none, one is unknown, or two different ones have the same name.
    """
    if isinstance(solvers, str | ButcherTableau):
        raise ValueError(f"solvers must be a list of solvers, got {solvers!r}")
    offered: dict[str, Method] = {}
    for method in solvers:
        if isinstance(method, str) and method not in SOLVERS:
            raise ValueError(f"solvers must be some of {', '.join(SOLVERS)}; got {method!r}")
        name = solver_name(method)
        if find_tableau(offered.setdefault(name, method)) != find_tableau(method):
            raise ValueError(f"solvers must have different names, got two that are called {name!r}")
    if not offered:
        raise ValueError(f"solvers must be some of {', '.join(SOLVERS)}; got none")
    return offered
