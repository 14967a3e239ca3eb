"""Checks that every room shares: one wording for each complaint. And draws that a seed repeats.

A check returns its argument, narrowed: `n = whole("n", n)` is an `int`. What has the wrong kind
(a string, a bool, a list) raises `TypeError`, what is out of range `ValueError`; both say what was
given and what is allowed.
"""

from __future__ import annotations

import math
import operator
import reprlib
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor


def whole(name: str, value: Any, least: int = 1, most: int | None = None) -> int:
    """`value` as an `int` of at least `least` (and at most `most`); NumPy's integers are fine.

    >>> whole("steps", 3)
    3
    >>> whole("steps", 2.5)
    Traceback (most recent call last):
    TypeError: steps must be a whole number of at least 1, got 2.5
    """
    allowed = f"a whole number of at least {least}" + ("" if most is None else f", at most {most}")
    try:
        n = None if _is_bool(value) else operator.index(value)
    except TypeError:
        n = None
    if n is None:
        raise TypeError(f"{name} must be {allowed}, got {value!r}")
    if n < least or (most is not None and n > most):
        raise ValueError(f"{name} must be {allowed}, got {n}")
    return n


def real(name: str, value: Any, low: float = -math.inf, high: float = math.inf) -> float:
    """`value` as a finite `float` in [low, high).

    >>> real("sigma_min", 1, 0, 1)
    Traceback (most recent call last):
    ValueError: sigma_min must lie in [0, 1), got 1
    """
    if math.isfinite(high):
        allowed = f"must lie in [{low:g}, {high:g})"
    else:
        allowed = "must be a finite number" + (f" >= {low:g}" if math.isfinite(low) else "")
    number = as_number(value)
    if number is None:
        raise TypeError(f"{name} {allowed}, got {value!r}")
    if not (math.isfinite(number) and low <= number < high):  # NaN fails as well
        raise ValueError(f"{name} {allowed}, got {value!r}")
    return number


def positive(name: str, value: Any) -> float:
    """`value` as a finite `float` above 0.

    >>> positive("lr", 0)
    Traceback (most recent call last):
    ValueError: lr must be a finite number > 0, got 0
    """
    number = as_number(value)
    if number is None:
        raise TypeError(f"{name} must be a finite number > 0, got {value!r}")
    if not 0 < number < math.inf:
        raise ValueError(f"{name} must be a finite number > 0, got {value!r}")
    return number


def as_number(value: Any) -> float | None:
    """A number as a float; None for what is not one. A bool or a string is not."""
    if isinstance(value, str | bytes) or _is_bool(value):
        return None
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf
    except (TypeError, ValueError):
        return None


def _is_bool(value: Any) -> bool:
    """Python's, NumPy's or torch's."""
    if isinstance(value, int | float):  # a compiler cannot ask a number for its dtype
        return isinstance(value, bool)
    return str(getattr(value, "dtype", "")) in ("bool", "torch.bool")


def flag(name: str, value: Any) -> bool:
    """`value` as a `bool`; the string "no", say, would count as true.

    >>> flag("resume", "no")
    Traceback (most recent call last):
    TypeError: resume must be True or False, got 'no'
    """
    if not (_is_bool(value) and getattr(value, "ndim", 0) == 0):
        raise TypeError(f"{name} must be True or False, got {value!r}")
    return bool(value)


def one_of(name: str, value: Any, allowed: Iterable[Any]) -> Any:
    """`value`, if it is one of `allowed`.

    >>> one_of("schedule", "linear", ("constant", "cosine"))
    Traceback (most recent call last):
    ValueError: schedule must be one of 'constant', 'cosine', got 'linear'
    """
    choices = list(allowed)
    if not any(value is choice or value == choice for choice in choices):
        raise ValueError(f"{name} must be one of {', '.join(map(repr, choices))}, got {value!r}")
    return value


def real_numbers(name: str, values: Any) -> Tensor:
    """`values` as a tensor: a tensor or an array of real numbers, or nested lists of them.

    >>> real_numbers("means", [[0, 1]])
    tensor([[0, 1]])
    >>> real_numbers("means", [[0], [1, 2]])
    Traceback (most recent call last):
    TypeError: means must be real numbers, got [[0], [1, 2]]: expected sequence of length 1 at ...
    """
    try:
        x = torch.as_tensor(values)
    except (TypeError, ValueError, RuntimeError) as error:
        given = reprlib.repr(values)
        raise TypeError(f"{name} must be real numbers, got {given}: {error}") from None
    if x.is_complex() or x.dtype == torch.bool:
        raise TypeError(f"{name} must be real numbers, got {x.dtype}")
    return x


def floating(name: str, x: Any) -> Tensor:
    """`x`, if it is a tensor of a floating dtype.

    >>> floating("x", [1.0])
    Traceback (most recent call last):
    TypeError: x must be a tensor of a floating dtype, got list
    """
    if not isinstance(x, Tensor) or not x.is_floating_point():
        given = x.dtype if isinstance(x, Tensor) else type(x).__name__
        raise TypeError(f"{name} must be a tensor of a floating dtype, got {given}")
    return x


def like_weights(name: str, x: Any, weight: Tensor) -> Tensor:
    """`x`, if its dtype is that of the weights, or will be: autocast converts it."""
    floating(name, x)
    if x.dtype != weight.dtype and not torch.is_autocast_enabled(x.device.type):
        raise TypeError(
            f"{name} must have the dtype of the network's weights, {weight.dtype}, got {x.dtype}"
        )
    return x


def values(x: Tensor) -> Tensor | None:
    """What a check may read of `x`: None while a model is compiled or exported, which has nothing.

    Under `torch.func.vmap`, where `x` stands for one row, they are those of all rows at once.
    """
    return None if torch.compiler.is_compiling() else torch.func.debug_unwrap(x.detach())


def first(x: Tensor, bad: Tensor) -> float | None:
    """The first of the `values` of `x` where `bad` is true; None if there is none.

    >>> first(torch.tensor([1, 2, 3]), torch.tensor([False, True, True]))
    2
    """
    where, read = values(bad), values(x)
    if where is None or read is None or not bool(where.any()):
        return None
    return read.expand(where.shape)[where][0].item()


def finite(name: str, x: Tensor) -> Tensor:
    """`x`, if it holds neither NaN nor infinity."""
    if not is_finite(x):
        raise ValueError(f"{name} must be finite, got NaN or infinity in it")
    return x


def is_finite(x: Tensor) -> bool:
    """Whether all that can be read of `x` is finite.

    A sum is cheap, but may overflow: then every value is looked at.
    """
    read = values(x)
    return read is None or math.isfinite(read.sum().item()) or bool(read.isfinite().all())


def like(name_y: str, y: Any, name_x: str, x: Any) -> None:
    """Raises unless two tensors agree in shape and floating dtype: nothing may broadcast."""
    floating(name_y, y)
    floating(name_x, x)
    if y.shape != x.shape:
        raise ValueError(
            f"{name_y} and {name_x} must have the same shape, "
            f"got {tuple(y.shape)} and {tuple(x.shape)}"
        )
    if y.dtype != x.dtype:
        raise TypeError(
            f"{name_y} and {name_x} must have the same dtype, got {y.dtype} and {x.dtype}"
        )


def shown(number: float) -> str:
    """A number for a message: short if that is all of it.

    >>> shown(1.0), shown(1.0000001)
    ('1', '1.0000001')
    """
    return f"{number:g}" if float(f"{number:g}") == number else repr(number)


def summary(result: Any, **fields: Any) -> str:
    """A result in a line: of a tensor its shape and dtype, where its own repr fills a screen.

    >>> summary(0, x=torch.zeros(5000, 2), nfe=80)
    'int(x=(5000, 2) float32, nfe=80)'
    """
    parts = (
        f"{name}={tuple(value.shape)} {str(value.dtype).removeprefix('torch.')}"
        if isinstance(value, Tensor)
        else f"{name}={value!r}"
        for name, value in fields.items()
    )
    return f"{type(result).__name__}({', '.join(parts)})"


def batch_time(t: float | Tensor, x: Tensor) -> Tensor:
    """Time as a `(B,)` tensor on the device of `x`, which has shape `(B, *shape)`.

    `t` is a number, a 0-d tensor or a `(B,)` tensor. `ValueError` for another shape, since `(B, 1)`
    would silently broadcast over the wrong axis of an image with `B == W`, and for values outside
    [0, 1], which are not looked at on a GPU; `TypeError` for what is no number. Time has the dtype
    of `x`, or float32 beside half precision: in bfloat16, 1,000 even times would be 507.

    >>> batch_time(0.25, torch.zeros(3, 2))
    tensor([0.2500, 0.2500, 0.2500])
    """
    if x.ndim == 0:
        raise ValueError("x needs a batch axis: shape (B, *shape), got a 0-d tensor")
    if t is None or isinstance(t, str | bytes) or _is_bool(t):
        raise TypeError(f"t must be a number or a tensor, got {t!r}")
    t = torch.as_tensor(t, dtype=torch.promote_types(x.dtype, torch.float32), device=x.device)
    if t.shape not in ((), x.shape[:1]):
        raise ValueError(
            f"t must be a number or have shape () or ({x.shape[0]},) for x of shape "
            f"{tuple(x.shape)}, got shape {tuple(t.shape)}"
        )
    # Written so that NaN fails as well. On a GPU, reading a value would stall the queue of kernels.
    outside = first(t, ~((t >= 0) & (t <= 1))) if t.device.type == "cpu" else None
    if outside is not None:
        raise ValueError(
            f"t must lie in [0, 1] (0 is noise, 1 is data), got {outside!r}. An adaptive solver of "
            "another library may step past the end: give it fmcore.clamp_time(model)"
        )
    return t.expand(x.shape[0])


def expand_time(t: float | Tensor, x: Tensor) -> Tensor:
    """Time shaped `(B, 1, ..., 1)`, so that it broadcasts over `x` of shape `(B, *shape)`.

    The same checks as `batch_time`.

    >>> expand_time(torch.tensor([0.0, 1.0]), torch.zeros(2, 1, 28, 28)).shape
    torch.Size([2, 1, 1, 1])
    """
    return beside(batch_time(t, x), x)


def beside(t: Tensor, x: Tensor) -> Tensor:
    """Numbers `(B,)`, one for each row of x, as `(B, 1, ..., 1)`."""
    return t.reshape(-1, *(1,) * (x.ndim - 1))


def label_tensor(label: Any, n: int, name: str = "label") -> Tensor:
    """`label`, if it is a tensor `(n,)`."""
    if not isinstance(label, Tensor):
        raise TypeError(f"{name} must be a tensor ({n},), got {type(label).__name__}")
    if label.shape != (n,):
        raise ValueError(f"{name} must have shape ({n},), got {tuple(label.shape)}")
    return label


def class_labels(label: Any, n: int, name: str = "label") -> Tensor:
    """Classes `(n,)` as int64, if `label` is a tensor of `n` integers."""
    label = label_tensor(label, n, name)
    if label.is_floating_point() or label.is_complex() or label.dtype == torch.bool:
        raise ValueError(f"{name} must hold integers, got {label.dtype}")
    return label.long()


def labels_in_range(label: Tensor, classes: int) -> Tensor:
    """`label`, if it lies in [0, classes], where `classes` itself means no class.

    Reads the values, for which a GPU has to finish all its work first.
    """
    read = values(label)
    if read is not None and not bool(((read >= 0) & (read <= classes)).all()):
        raise ValueError(
            f"labels must lie in [0, {classes - 1}] ({classes} means no class), "
            f"got {read.min().item()} to {read.max().item()}"
        )
    return label


def condition_vectors(label: Any, n: int, length: int, name: str = "label") -> Tensor:
    """`label`, if it is a tensor of `n` vectors of that length, of a floating dtype."""
    if floating(name, label).shape != (n, length):
        raise ValueError(f"{name} must have shape ({n}, {length}), got {tuple(label.shape)}")
    return label


def require_generator(generator: Any) -> torch.Generator:
    """The generator itself; `TypeError` if there is none: no draw here is from the global one."""
    if not isinstance(generator, torch.Generator):
        raise TypeError(
            "generator must be a torch.Generator, e.g. torch.Generator().manual_seed(0); "
            f"got {type(generator).__name__}"
        )
    return generator


def randn_like(x: Tensor, generator: torch.Generator | None) -> Tensor:
    """Noise N(0, I) with the shape, dtype and device of `x`.

    It is drawn on the generator's own device and then moved: a CPU generator gives the same
    numbers on every machine.
    """
    g = require_generator(generator)
    return torch.randn(x.shape, generator=g, dtype=x.dtype, device=g.device).to(x.device)


def rand_time(x: Tensor, generator: torch.Generator | None) -> Tensor:
    """Times `(B,)` uniform in [0, 1), one for each row of `x`; float32 beside half precision."""
    g, dtype = require_generator(generator), torch.promote_types(x.dtype, torch.float32)
    return torch.rand(x.shape[0], generator=g, dtype=dtype, device=g.device).to(x.device)
