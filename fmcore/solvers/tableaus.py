r"""Butcher tableaux: explicit Runge-Kutta methods as data.

A method with s stages advances x' = v(x, t) from t to t + h by

    k_i   = v(x + h sum_{j<i} a_ij k_j,  t + c_i h)          i = 1 .. s
    x_new = x + h sum_i b_i k_i                              error O(h^(p+1)), p the order
    error = h sum_i (b_i - b*_i) k_i                         b* embedded, of lower order

and fills in the states in between with its continuous extension, at no further evaluation,

    x(t + theta h) = x + h sum_i b_i(theta) k_i,   b_i(theta) = sum_j dense_ij theta^(j+1),

whose local error O(h^p) is as small as the error of the solution it joins, so that output between
the grid points has the order of the method.

References
----------
E. Hairer, S. P. Norsett, G. Wanner (1993), Solving Ordinary Differential Equations I, 2nd edition:
order conditions II.1-2, embedded pairs II.4-5, continuous extensions II.6.
P. Bogacki, L. F. Shampine (1989), A 3(2) pair of Runge-Kutta formulas, Appl. Math. Lett. 2.
J. R. Dormand, P. J. Prince (1980), A family of embedded Runge-Kutta formulae, J. Comput. Appl.
Math. 6.
L. F. Shampine (1986), Some practical Runge-Kutta formulas, Math. Comp. 46.
M. Zennaro (1986), Natural continuous extensions of Runge-Kutta methods, Math. Comp. 46.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass

from fmcore.checks import real, whole
from fmcore.tables import Table

__all__ = ["BOSH3", "DOPRI5", "EULER", "HEUN", "MIDPOINT", "RK4", "SOLVERS", "ButcherTableau"]

Row = tuple[float, ...]


@dataclass(frozen=True)
class ButcherTableau:
    """An explicit Runge-Kutta method: the numbers a, b, c, and what follows from them.

    order       the p of its global error O(h^p)
    a           a strictly lower triangle; row i holds the i numbers a_i0 .. a_i,i-1
    b, c        weights and nodes, one a stage
    b_embedded  weights b* of a second solution, of order `embedded_order`; None: no error estimate
    dense       continuous extension, row i the coefficients of theta, theta^2, ... of b_i(theta).
                Left out, it follows from b (see `continuous_extension`) where the order allows;
                None where it does not: such a method gives output on its grid only

    Raises ValueError if the numbers do not fit together: lengths, c_i = sum_j a_ij, sum_i b_i = 1,
    b_i(1) = b_i; TypeError for what is no number.

    >>> SOLVERS["heun"].a, SOLVERS["heun"].b
    (((), (1.0,)), (0.5, 0.5))
    >>> ralston = ButcherTableau("ralston", order=2, a=((), (2/3,)), b=(1/4, 3/4), c=(0, 2/3))
    >>> ralston.stages, ralston.fsal
    (2, False)
    """

    name: str
    order: int
    a: tuple[Row, ...]
    b: Row
    c: Row
    b_embedded: Row | None = None
    embedded_order: int | None = None
    dense: tuple[Row, ...] | None = None

    def __post_init__(self) -> None:
        def store(**values: object) -> None:
            for name, value in values.items():
                object.__setattr__(self, name, value)

        if not isinstance(self.name, str) or not self.name:
            raise TypeError(f"the name of a tableau must be a string, got {self.name!r}")
        store(
            order=whole(self._named("order"), self.order),
            a=_rows(self._named("a"), self.a),
            b=_floats(self._named("b"), self.b),
            c=_floats(self._named("c"), self.c),
        )
        self._require(
            (self.b_embedded is None) == (self.embedded_order is None),
            "b_embedded and embedded_order go together: give both or neither",
        )
        if self.b_embedded is not None:
            store(
                b_embedded=_floats(self._named("b_embedded"), self.b_embedded),
                embedded_order=whole(self._named("embedded_order"), self.embedded_order),
            )
        self._check_method()
        if self.dense is None and self.order <= (4 if self.fsal else 3):
            store(dense=continuous_extension(self.b, hermite=self.fsal))
        elif self.dense is not None:
            store(dense=_rows(self._named("dense"), self.dense))
        self._check_dense()

    @property
    def stages(self) -> int:
        """Number of stages s."""
        return len(self.b)

    @property
    def fsal(self) -> bool:
        """Whether the last stage is v(x_new, t + h), the next step's k_1: "first same as last"."""
        return self.stages > 1 and self.b[-1] == 0 and self.a[-1] == self.b[:-1]

    @property
    def error(self) -> Row | None:
        """Weights b - b* of the error estimate, None without an embedded method."""
        if self.b_embedded is None:
            return None
        return tuple(b - e for b, e in zip(self.b, self.b_embedded, strict=True))

    def dense_weights(self, theta: float) -> Row:
        """The weights b_i(theta) of the state at t + theta h, theta in [0, 1].

        `ValueError` outside, and if the method has no continuous extension.

        >>> SOLVERS["heun"].dense_weights(0.5)
        (0.375, 0.125)
        """
        if self.dense is None:
            raise ValueError(
                f"{self.name} has no continuous extension: ask for output at its grid points, "
                "or give the tableau its dense coefficients"
            )
        theta = real("theta", theta)
        if not 0 <= theta <= 1:
            raise ValueError(f"theta must lie in [0, 1], got {theta!r}")
        return tuple(sum(d * theta**j for j, d in enumerate(row, 1)) for row in self.dense)

    def as_dict(self) -> dict[str, object]:
        """The tableau as plain data (strings, numbers, lists), ready for JSON.

        >>> SOLVERS["midpoint"].as_dict()["b"]
        [0.0, 1.0]
        """
        return {key: _plain(value) for key, value in asdict(self).items()}

    def _check_method(self) -> None:
        s = len(self.b)
        self._require(
            s >= 1 and len(self.a) == len(self.c) == s,
            f"a, b and c need one row or entry a stage, got {len(self.a)}, {s} and {len(self.c)}",
        )
        for i, (row, c) in enumerate(zip(self.a, self.c, strict=True)):
            self._require(
                len(row) == i,
                f"a must be strictly lower triangular: row {i} has {i} entries, got {len(row)}",
            )
            self._require(_close(sum(row), c), f"row {i} of a sums to {sum(row)}, but c is {c}")
        self._require(_close(sum(self.b), 1), f"b must sum to 1, got {sum(self.b)}")
        if self.b_embedded is not None:
            self._require(
                len(self.b_embedded) == s and _close(sum(self.b_embedded), 1),
                f"b_embedded must have {s} entries that sum to 1, got {self.b_embedded}",
            )

    def _check_dense(self) -> None:
        if self.dense is not None:
            self._require(
                len(self.dense) == self.stages
                and all(_close(sum(row), b) for row, b in zip(self.dense, self.b, strict=True)),
                f"dense must have {self.stages} rows, each with the entry of b as its sum, "
                f"got {self.dense}",
            )

    def _named(self, part: str) -> str:
        return f"tableau {self.name!r}: {part}"

    def _require(self, condition: bool, message: str) -> None:
        if not condition:
            raise ValueError(self._named(message))


def continuous_extension(
    b: Sequence[float], *, hermite: bool, quartic: Sequence[float] | None = None
) -> tuple[Row, ...]:
    """The coefficients of b_i(theta) that follow from b, one row a stage.

    With e1, es the first and last unit vector:
    quadratic   b(theta) = theta e1 + theta^2 (b - e1), which leaves x with the slope k_1 and
                satisfies the conditions of order 2;
    hermite     the cubic with the slopes k_1 and k_s at the ends, for a method whose last stage is
                v(x_new, t + h); to it one may add theta^2 (1 - theta)^2 times `quartic`
                (Hairer, Norsett & Wanner, II.6).

    >>> continuous_extension((0.5, 0.5), hermite=False)
    ((1.0, -0.5), (0.0, 0.5))
    """
    first = [1.0] + [0.0] * (len(b) - 1)
    if not hermite:
        return tuple((e1, w - e1) for w, e1 in zip(b, first, strict=True))
    return tuple(
        (e1, 3 * w - 2 * e1 - es + d, e1 + es - 2 * w - 2 * d, d)
        for w, e1, es, d in zip(b, first, first[::-1], quartic or [0.0] * len(b), strict=True)
    )


def _floats(name: str, values: Iterable[float]) -> Row:
    if not isinstance(values, Iterable):
        raise TypeError(f"{name} must be a row of numbers, got {values!r}")
    return tuple(real(name, value) for value in values)


def _rows(name: str, rows: Iterable[Iterable[float]]) -> tuple[Row, ...]:
    if not isinstance(rows, Iterable):
        raise TypeError(f"{name} must be rows of numbers, got {rows!r}")
    return tuple(_floats(name, row) for row in rows)


def _close(x: float, y: float) -> bool:
    return math.isclose(x, y, rel_tol=1e-13, abs_tol=1e-13)


def _plain(value: object) -> object:
    return [_plain(item) for item in value] if isinstance(value, tuple) else value


EULER = ButcherTableau("euler", order=1, a=((),), b=(1,), c=(0,))
"""Euler's method: order 1, one evaluation a step, no error estimate. Follows the tangent at t."""

MIDPOINT = ButcherTableau("midpoint", order=2, a=((), (1 / 2,)), b=(0, 1), c=(0, 1 / 2))
"""The explicit midpoint rule (Runge's method): order 2, two evaluations, no error estimate.

Never evaluates the field at the end of its step. Not to be confused with the implicit midpoint
rule, nor with the leapfrog, which is called "midpoint" too.
"""

HEUN = ButcherTableau("heun", order=2, a=((), (1,)), b=(1 / 2, 1 / 2), c=(0, 1))
"""Heun's method, the explicit trapezoidal rule: order 2, two evaluations, no error estimate.

Not to be confused with Heun's third-order method, nor with Ralston's method, which some texts call
Heun's.
"""

RK4 = ButcherTableau(
    "rk4",
    order=4,
    a=((), (1 / 2,), (0, 1 / 2), (0, 0, 1)),
    b=(1 / 6, 1 / 3, 1 / 3, 1 / 6),
    c=(0, 1 / 2, 1 / 2, 1),
    dense=((1, -3 / 2, 2 / 3), (0, 1, -2 / 3), (0, 1, -2 / 3), (0, -1 / 2, 2 / 3)),
)
"""The classical Runge-Kutta method: order 4, four evaluations, no error estimate.

Not to be confused with the 3/8 rule, which torchdiffeq calls "rk4". Its continuous extension has
order 3 (Zennaro 1986).
"""

BOSH3 = ButcherTableau(
    "bosh3",
    order=3,
    a=((), (1 / 2,), (0, 3 / 4), (2 / 9, 1 / 3, 4 / 9)),
    b=(2 / 9, 1 / 3, 4 / 9, 0),
    c=(0, 1 / 2, 3 / 4, 1),
    b_embedded=(7 / 24, 1 / 4, 1 / 3, 1 / 8),
    embedded_order=2,
)
"""Bogacki and Shampine's method: order 3 with an embedded method of order 2; also "ode23".

Four stages, of which the last is the next step's first: three evaluations a step.
"""

# b* is Shampine's (1986): b - b* is 2/3 of that of Dormand and Prince.
_DOPRI5_B = (35 / 384, 0, 500 / 1113, 125 / 192, -2187 / 6784, 11 / 84, 0)
DOPRI5 = ButcherTableau(
    "dopri5",
    order=5,
    a=(
        (),
        (1 / 5,),
        (3 / 40, 9 / 40),
        (44 / 45, -56 / 15, 32 / 9),
        (19372 / 6561, -25360 / 2187, 64448 / 6561, -212 / 729),
        (9017 / 3168, -355 / 33, 46732 / 5247, 49 / 176, -5103 / 18656),
        _DOPRI5_B[:-1],
    ),
    b=_DOPRI5_B,
    c=(0, 1 / 5, 3 / 10, 4 / 5, 8 / 9, 1, 1),
    b_embedded=(1951 / 21600, 0, 22642 / 50085, 451 / 720, -12231 / 42400, 649 / 6300, 1 / 60),
    embedded_order=4,
    dense=continuous_extension(
        _DOPRI5_B,
        hermite=True,
        quartic=(
            -12715105075 / 11282082432,
            0,
            87487479700 / 32700410799,
            -10690763975 / 1880347072,
            701980252875 / 199316789632,
            -1453857185 / 822651844,
            69997945 / 29380423,
        ),
    ),
)
"""Dormand and Prince's method: order 5 with an embedded method of order 4; also "ode45".

Seven stages, of which the last is the next step's first: six evaluations a step. Its continuous
extension has order 4 (Shampine 1986). Not to be confused with Fehlberg's pair, nor with the
eighth-order pair dop853.
"""


def _check_tableau(name: str, tableau: ButcherTableau) -> None:
    if not isinstance(tableau, ButcherTableau):
        raise TypeError(f"solver {name!r} must be a ButcherTableau, got {type(tableau).__name__}")
    if tableau.name != name:
        raise ValueError(f"solver {tableau.name!r} must be called that in SOLVERS, not {name!r}")


SOLVERS: Table[ButcherTableau] = Table(
    "solver",
    _check_tableau,
    euler=EULER,
    midpoint=MIDPOINT,
    heun=HEUN,
    rk4=RK4,
    bosh3=BOSH3,
    dopri5=DOPRI5,
)
"""The solvers by name. `odeint`, the figures, the labs and the command line find a method here."""


def find_tableau(method: str | ButcherTableau) -> ButcherTableau:
    """The tableau of that name, or the tableau itself."""
    if isinstance(method, ButcherTableau):
        return method
    if not isinstance(method, str) or method not in SOLVERS:
        names = ", ".join(map(repr, SOLVERS))
        raise ValueError(f"method must be one of {names} or a ButcherTableau, got {method!r}")
    return SOLVERS[method]
