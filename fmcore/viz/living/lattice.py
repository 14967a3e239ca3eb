r"""Any field as a lattice of numbers: samples in space and time, joined by cubic splines.

Along each axis the values s_0 .. s_{n-1} at n even nodes become n + 2 coefficients c_{-1} .. c_n of
uniform cubic B-splines,

    s_i = (c_{i-1} + 4 c_i + c_{i+1}) / 6,      4th difference of c = 0 at both ends ("not a knot"),

so that four neighbours give the value anywhere. The result is twice continuously differentiable
and its error is of fourth order in the spacing (de Boor 1978, chapters IV and IX).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class Lattice:
    """A field of the plane on an even lattice.

    coefficients  (times, rows, columns, 2); a single time means that the field is steady
    domain        (xmin, xmax, ymin, ymax) of the nodes
    span          (t0, t1) of the times
    """

    coefficients: np.ndarray
    domain: tuple[float, float, float, float]
    span: tuple[float, float]

    def __call__(self, x: np.ndarray, t: float) -> np.ndarray:
        """The interpolated field at points `x` (B, 2) of the domain and one time, `(B, 2)`."""
        xmin, xmax, ymin, ymax = self.domain
        times, rows, columns, _ = self.coefficients.shape
        in_time = np.ones((1, 1)) if times == 1 else _basis(np.array([t]), *self.span, times)
        in_x = _basis(x[:, 0], xmin, xmax, columns)
        in_y = _basis(x[:, 1], ymin, ymax, rows)
        return np.einsum(
            "bi,bj,ijd->bd", in_y, in_x, (in_time[0] @ self._flat).reshape(rows, columns, 2)
        )

    @property
    def _flat(self) -> np.ndarray:
        return self.coefficients.reshape(len(self.coefficients), -1)


def fit(
    samples: np.ndarray, domain: tuple[float, float, float, float], span: tuple[float, float]
) -> Lattice:
    """The lattice through `samples` (times, rows, columns, 2); one time, or four or more.

    >>> x = np.linspace(-1.0, 1.0, 9)
    >>> wind = np.stack(np.meshgrid(x**3, x), -1)[None]
    >>> fit(wind, (-1, 1, -1, 1), (0, 1))(np.array([[0.3, 0.1]]), 0.5).round(12)
    array([[0.027, 0.1  ]])
    """
    coefficients = samples.astype(np.float64)
    for axis in range(3):
        if samples.shape[axis] > 1:
            coefficients = np.moveaxis(
                np.tensordot(_inverse(samples.shape[axis]), coefficients, (1, axis)), 0, axis
            )
    return Lattice(coefficients, domain, span)


def _inverse(n: int) -> np.ndarray:
    """The matrix (n + 2, n) that turns samples into coefficients."""
    system = np.zeros((n + 2, n + 2))
    system[0, :5] = system[-1, -5:] = (1, -4, 6, -4, 1)
    for i in range(n):
        system[i + 1, i : i + 3] = (1 / 6, 4 / 6, 1 / 6)
    return np.linalg.inv(system)[:, 1:-1]


def _basis(at: np.ndarray, low: float, high: float, count: int) -> np.ndarray:
    """The weights (B, count) of all coefficients at the coordinates `at` in [low, high]."""
    cells = count - 3
    position = np.clip((at - low) / (high - low) * cells, 0, cells)
    # A uniform cubic B-spline is (|d - 2|^3 - 4 |d - 1|^3) / 6 cut off at zero, d the distance.
    d = np.abs(position[:, None] + 1 - np.arange(count))
    return (np.clip(2 - d, 0, None) ** 3 - 4 * np.clip(1 - d, 0, None) ** 3) / 6
