"""What `odeint` accepts: how many steps, and which times of output."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor

from fmcore.checks import positive, shown, whole
from fmcore.solvers.times import stacked


def number_of_steps(
    span: float,
    steps: int | None,
    step_size: float | None,
    rtol: float | None,
    atol: float | None,
    max_steps: int,
) -> int | None:
    """The number of steps on a fixed grid; None if `rtol` and `atol` are to choose them."""
    max_steps = whole("max_steps", max_steps)
    settings = {"steps": steps, "step_size": step_size, "rtol": rtol, "atol": atol}
    given = [name for name, value in settings.items() if value is not None]
    if given == ["rtol", "atol"]:
        return None
    if given == ["steps"]:
        return whole("steps", steps)
    if given != ["step_size"]:
        got = " and ".join(given) or "none of them"
        raise ValueError(f"give either steps, or step_size, or both rtol and atol; got {got}")
    ratio = abs(span) / positive("step_size", step_size)
    if ratio > max_steps:
        raise ValueError(
            f"step_size={step_size!r} means {ratio:.6g} steps, more than max_steps={max_steps}"
        )
    # Rounding in the ratio must not add a step of length zero.
    return max(1, math.ceil(ratio * (1 - 1e-12)))


def requested_times(
    t_eval: Sequence[float] | Tensor, t0: float, t1: float
) -> tuple[list[float], float]:
    """The requested times, and how far rounding in their dtype may have moved them."""
    try:
        times = stacked(t_eval)
        asked = torch.as_tensor(times, dtype=None if hasattr(times, "dtype") else torch.float64)
    except (TypeError, ValueError, RuntimeError):
        asked = None
    named = isinstance(t_eval, Sequence) and any(isinstance(t, bool) for t in t_eval)
    if asked is None or named or asked.dtype == torch.bool:
        raise TypeError(f"t_eval must be numbers, got {t_eval!r}")
    if asked.ndim != 1:
        raise ValueError(f"t_eval must be one-dimensional, got shape {tuple(asked.shape)}")
    single = asked.is_floating_point() and asked.dtype != torch.float64
    slack = torch.finfo(torch.float32 if single else torch.float64).eps * max(abs(t0), abs(t1))
    sign = math.copysign(1.0, t1 - t0)
    values = torch.func.debug_unwrap(asked.detach()).tolist()
    for t in values:
        # Written so that NaN fails as well.
        if not sign * (t0 - slack * sign) <= sign * t <= sign * (t1 + slack * sign):
            raise ValueError(
                f"t_eval must lie between t0={shown(t0)} and t1={shown(t1)}, got {t!r}"
            )
    for earlier, later in pairwise(values):
        if sign * later < sign * earlier:
            raise ValueError(
                f"t_eval must run from t0={shown(t0)} to t1={shown(t1)}, "
                f"got {later!r} after {earlier!r}"
            )
    return values, slack
