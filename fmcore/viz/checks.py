"""Checks of the arguments of figures: extents, arrays, solvers; the rest is in `fmcore.checks`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from fmcore.checks import real, real_numbers
from fmcore.solvers import SOLVERS, ButcherTableau
from fmcore.solvers.tableaus import find_tableau

MOST_SEED = 2**53 - 1  # a browser's numbers are exact up to here
Box = tuple[float, float, float, float]  # (xmin, xmax, ymin, ymax)
Span = tuple[float, float]
Extent = Sequence[float]
Method = str | ButcherTableau
Numbers = Sequence[float] | np.ndarray | Tensor


def numbers(name: str, values: Iterable[float], *parts: str) -> tuple[float, ...]:
    """`values` as floats, one for each of `parts`, which name them.

    Raises ValueError unless there are as many and all are finite, TypeError unless they are
    numbers.

    >>> numbers("start", [1, 2], "x", "y")
    (1.0, 2.0)
    """
    problem = f"{name} must be finite numbers ({', '.join(parts)}), got {values!r}"
    try:
        floats = tuple(real(name, value) for value in values)
    except (TypeError, ValueError) as error:
        raise type(error)(problem) from None
    if len(floats) != len(parts):
        raise ValueError(problem)
    return floats


def series(name: str, values: Iterable[Any]) -> list[Any]:
    """`values` as a list, if they are several; a string is one."""
    if isinstance(values, str) or not isinstance(values, Iterable):
        raise TypeError(f"{name} must be a list, got {values!r}")
    return list(values)


def text(name: str, value: str) -> str:
    """`value`, if it is a string."""
    if not isinstance(value, str):
        raise TypeError(f"{name} must be a string, got {value!r}")
    return value


def time_span(span: Sequence[float]) -> Span:
    """The span as floats. Raises ValueError unless its times lie in [0, 1] and differ."""
    t0, t1 = numbers("span", span, "t0", "t1")
    if not (0 <= t0 <= 1 and 0 <= t1 <= 1 and t0 != t1):
        raise ValueError(f"span must be two different times in [0, 1], got {span!r}")
    return t0, t1


def moment(name: str, t: float | None, span: Sequence[float]) -> float | None:
    """A time in `span` as a float, or None."""
    return None if t is None else instant(name, t, span, " or be None")


def instant(name: str, t: float, span: Sequence[float], otherwise: str = "") -> float:
    """A time in `span` as a float."""
    t = real(name, t)
    if not min(span) <= t <= max(span):
        raise ValueError(f"{name} must lie in [{min(span):g}, {max(span):g}]{otherwise}, got {t!r}")
    return t


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
    ValueError if the shape is another one, or if `values` is empty or not finite; TypeError if
    they are no numbers.

    >>> as_array("xs", torch.zeros(5, 2), ("B", 2)).shape
    (5, 2)
    """
    real_numbers(name, values)
    x = torch.as_tensor(values, dtype=torch.float64, device="cpu").detach()  # lists exactly
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

    Raises ValueError if there is none, one is unknown, or two different ones have the same name;
    TypeError if it is no list.
    """
    offered: dict[str, Method] = {}
    for method in series("solvers", solvers):
        if isinstance(method, str) and method not in SOLVERS:
            raise ValueError(f"solvers must be some of {', '.join(SOLVERS)}; got {method!r}")
        name = solver_name(method)
        if find_tableau(offered.setdefault(name, method)) != find_tableau(method):
            raise ValueError(f"solvers must have different names, got two that are called {name!r}")
    if not offered:
        raise ValueError(f"solvers must be some of {', '.join(SOLVERS)}; got none")
    return offered
