"""What `odeint` and `sdeint` accept: their arguments, and the field while it is being solved."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from fmcore.tableaus import SOLVERS, ButcherTableau


class Field:
    """A velocity field that counts its evaluations and is held to the likeness of the state."""

    def __init__(
        self,
        v: Callable[[Tensor, Tensor], Tensor],
        x: Tensor,
        name: str = "v",
        broadcasts: bool = False,
    ) -> None:
        if not callable(v):
            raise TypeError(f"{name} must be callable as {name}(x, t), got {type(v).__name__}")
        self.v, self.name, self.broadcasts, self.nfe = v, name, broadcasts, 0
        self.shape, self.dtype, self.device = x.shape, x.dtype, x.device

    def __call__(self, x: Tensor, t: Tensor) -> Tensor:
        self.nfe += 1
        k = self.v(x, t)
        if not (
            isinstance(k, Tensor)
            and (k.shape == self.shape or self.broadcasts and self.fits(k))
            and k.dtype is self.dtype
            and k.device == self.device
        ):
            raise self.misfit(k)
        return k

    def fits(self, k: Tensor) -> bool:
        """Whether k is 0-d or has x's axes, each as long as x's or 1.

        A shape with fewer axes would broadcast over the wrong one of an image with B == W.
        """
        if k.ndim in (0, len(self.shape)):
            return all(a in (1, b) for a, b in zip(k.shape, self.shape, strict=False))
        return False

    def misfit(self, k: object) -> Exception:
        """The error for a result that is not like the state."""
        call = f"{self.name}(x, t) must return a tensor"
        if not isinstance(k, Tensor):
            return TypeError(f"{call}, got {type(k).__name__}")
        if k.dtype is not self.dtype:
            return TypeError(
                f"{call} of x's dtype {self.dtype}, got {k.dtype}: under autocast, or with "
                "parameters of another dtype, cast the result with .to(x.dtype)"
            )
        if k.device != self.device:
            return ValueError(f"{call} on x's device {self.device}, got {k.device}")
        shape = f"{'that fits' if self.broadcasts else 'of'} x's shape {tuple(self.shape)}"
        return ValueError(f"{call} {shape}, got {tuple(k.shape)}")


def state(x: Tensor, name: str = "x0") -> None:
    """TypeError unless x is a real floating-point tensor, ValueError unless it is finite."""
    if not isinstance(x, Tensor):
        raise TypeError(f"{name} must be a torch.Tensor, got {type(x).__name__}")
    if not x.is_floating_point():
        raise TypeError(
            f"{name} must have a floating-point dtype, got {x.dtype}: use {name}.float()"
        )
    if not is_finite(x):
        raise ValueError(f"{name} must be finite, got NaN or infinity in it")


def is_finite(x: Tensor) -> bool:
    """Whether all of x is finite; a sum is cheap, but may overflow, so it has no last word."""
    return math.isfinite(x.detach().sum().item()) or bool(torch.isfinite(x).all())


def not_finite(i: int, grid: Sequence[float]) -> ValueError:
    """The error for a state that is not finite after step i."""
    return ValueError(
        f"NaN or infinity in the state after step {i} of {len(grid) - 1}, at t={grid[i]:g}: "
        "take smaller steps, or look at the field there"
    )


def tableau(method: str | ButcherTableau) -> ButcherTableau:
    """The tableau of that name, or the tableau itself."""
    if isinstance(method, ButcherTableau):
        return method
    if not isinstance(method, str) or method not in SOLVERS:
        names = ", ".join(map(repr, SOLVERS))
        raise ValueError(f"method must be one of {names} or a ButcherTableau, got {method!r}")
    return SOLVERS[method]


def interval(t_span: Sequence[float]) -> tuple[float, float]:
    """t0 and t1 as floats."""
    try:
        t0, t1 = map(float, t_span)
    except (TypeError, ValueError):
        raise TypeError(f"t_span must be two numbers (t0, t1), got {t_span!r}") from None
    if not (math.isfinite(t0) and math.isfinite(t1)):
        raise ValueError(f"t_span must be finite, got ({t0:g}, {t1:g})")
    return t0, t1


def number_of_steps(
    span: float,
    steps: int | None,
    step_size: float | None,
    rtol: float | None,
    atol: float | None,
    max_steps: int,
) -> int | None:
    """The number of steps on a fixed grid; None if rtol and atol are to choose them."""
    max_steps = positive_integer("max_steps", max_steps)
    settings = {"steps": steps, "step_size": step_size, "rtol": rtol, "atol": atol}
    given = [name for name, value in settings.items() if value is not None]
    if given == ["rtol", "atol"]:
        return None
    if given == ["steps"]:
        return positive_integer("steps", steps)
    if given != ["step_size"]:
        got = " and ".join(given) or "none of them"
        raise ValueError(f"give either steps, or step_size, or both rtol and atol; got {got}")
    ratio = abs(span) / number("step_size", step_size)
    if ratio > max_steps:
        raise ValueError(
            f"step_size={step_size!r} means {ratio:.6g} steps, more than max_steps={max_steps}"
        )
    # Rounding in the ratio must not add a step of length zero.
    return max(1, math.ceil(ratio * (1 - 1e-12)))


def tolerances(tableau: ButcherTableau, rtol: float, atol: float) -> None:
    """ValueError unless the method can estimate its error and the tolerances can bound it."""
    if tableau.b_embedded is None:
        pairs = ", ".join(repr(name) for name, s in SOLVERS.items() if s.b_embedded is not None)
        raise ValueError(
            f"rtol and atol need a method with an embedded error estimate ({pairs}), which "
            f"{tableau.name!r} has not: give steps or step_size instead"
        )
    number("atol", atol)
    if rtol != 0:
        number("rtol", rtol, "a finite number >= 0")


def requested_times(
    t_eval: Sequence[float] | Tensor, t0: float, t1: float
) -> tuple[list[float], float]:
    """The requested times, and how far rounding in their dtype may have moved them."""
    asked = torch.as_tensor(t_eval, dtype=None if hasattr(t_eval, "dtype") else torch.float64)
    if asked.ndim != 1:
        raise ValueError(f"t_eval must be one-dimensional, got shape {tuple(asked.shape)}")
    single = asked.is_floating_point() and asked.dtype != torch.float64
    slack = torch.finfo(torch.float32 if single else torch.float64).eps * max(abs(t0), abs(t1))
    sign = math.copysign(1.0, t1 - t0)
    values = asked.tolist()
    for t in values:
        # Written so that NaN fails as well.
        if not sign * (t0 - slack * sign) <= sign * t <= sign * (t1 + slack * sign):
            raise ValueError(f"t_eval must lie between t0={t0:g} and t1={t1:g}, got {t!r}")
    for earlier, later in zip(values, values[1:], strict=False):
        if sign * later < sign * earlier:
            raise ValueError(
                f"t_eval must run from t0={t0:g} to t1={t1:g}, got {later!r} after {earlier!r}"
            )
    return values, slack


def positive_integer(name: str, value: int) -> int:
    """`value` as an int; TypeError unless it is an integer, ValueError unless it is >= 1."""
    try:
        n = None if isinstance(value, bool) else operator.index(value)
    except TypeError:
        n = None
    if n is None:
        raise TypeError(f"{name} must be an integer >= 1, got {value!r}")
    if n < 1:
        raise ValueError(f"{name} must be an integer >= 1, got {n}")
    return n


def number(name: str, value: float, allowed: str = "a finite number > 0") -> float:
    """`value` if it is positive and finite; TypeError or ValueError otherwise."""
    try:
        positive = 0 < float(value) < math.inf
    except (TypeError, ValueError):
        raise TypeError(f"{name} must be {allowed}, got {value!r}") from None
    if isinstance(value, (bool, str)) or not positive:
        raise ValueError(f"{name} must be {allowed}, got {value!r}")
    return float(value)
