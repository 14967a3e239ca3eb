r"""Density: what a flow does to a cloud, and the likelihood of a point under it.

Particles that move with v are neither made nor lost, so the density they have at each time obeys
the continuity equation, and along a trajectory it changes by the divergence alone (Chen et al.
2018, theorem 1; Lipman et al. 2023, appendix C):

    d p_t / dt + div(p_t v) = 0,        d/dt log p_t(x_t) = -div v(x_t, t).

Hence, with psi the flow from t0 to t1 and x_t the trajectory that starts at x,

    log |det d psi / dx| = integral from t0 to t1 of div v(x_t, t) dt,
    log p_1(x_1) = log p_0(x_0) - log |det d psi / dx|.
"""

from __future__ import annotations

import math
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor

from fmcore.checks import flag, positive, real, require_generator, shown, summary, whole
from fmcore.solvers import ButcherTableau, VectorField, odeint
from fmcore.solvers.field import CountedField, initial_state
from fmcore.solvers.times import interval, moving

__all__ = ["bits_per_dim", "continuity_residual", "divergence", "log_det", "log_likelihood"]

Estimator = Literal["exact", "hutchinson"]


class Transport(NamedTuple):
    """Where a flow took x `(B, *shape)`, log |det d psi / dx| `(B,)`, and the evaluations of v."""

    x: Tensor
    log_det: Tensor
    nfe: int

    def __repr__(self) -> str:
        return summary(self, **self._asdict())


class Likelihood(NamedTuple):
    """log p_1 of each point `(B,)`, the noise x0 `(B, *shape)` it came from, the evaluations."""

    log_prob: Tensor
    x0: Tensor
    nfe: int

    def __repr__(self) -> str:
        return summary(self, **self._asdict())


def divergence(
    v: VectorField,
    x: Tensor,
    t: float | Tensor,
    *,
    method: Estimator = "exact",
    probes: int = 1,
    generator: torch.Generator | None = None,
) -> Tensor:
    """The divergence of v at each row of x `(B, *shape)`, at time t; `(B,)`.

    "exact"       sum_i d v_i / d x_i, one backward pass for each of the d numbers in a row
    "hutchinson"  mean over `probes` signs e in {-1, 1}^d, drawn with `generator`, of e . (dv/dx) e:
                  unbiased, one backward pass each; with J = dv/dx, its variance is
                  sum_{i<j} (J_ij + J_ji)^2 / `probes` (Hutchinson 1990)

    v may not mix the rows of a batch, and has to let gradients through to x: `ValueError` if it
    visibly does not. Otherwise raises as `odeint` does; `TypeError` if a generator is missing.

    >>> x = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    >>> divergence(lambda x, t: x**2, x, 0.0)  # 2 x_1 + 2 x_2
    tensor([ 6., 14.])
    """
    _require_state("x", x)
    f = CountedField(v, x)
    t = torch.as_tensor(t if isinstance(t, Tensor) else real("t", t), dtype=f.wide, device=x.device)
    if t.shape not in ((), x.shape[:1]):
        raise ValueError(f"t must be a number or have shape ({len(x)},), got {tuple(t.shape)}")
    e = _signs(x, method, probes, generator)
    return _velocity_and_divergence(f, x, t, e)[1].to(x.dtype)


def log_det(
    v: VectorField,
    x: Tensor,
    t_span: tuple[float, float] = (0.0, 1.0),
    *,
    divergence: Estimator = "exact",
    probes: int = 1,
    generator: torch.Generator | None = None,
    method: str | ButcherTableau = "dopri5",
    steps: int | None = None,
    step_size: float | None = None,
    rtol: float | None = None,
    atol: float | None = None,
    max_steps: int = 10_000,
    create_graph: bool | None = None,
) -> Transport:
    """Where the flow of v takes x `(B, *shape)`, and the log |det d psi / dx| of each row.

    x and the logarithm are solved for together, as one state of d + 1 numbers a row, by `odeint`
    with its `method`, `steps`, `step_size`, `rtol`, `atol` and `max_steps`; an adaptive method
    watches the error of all of them. `divergence` and `probes` as for `divergence`. The signs are
    drawn once: the ODE stays smooth, the result unbiased. The logarithm is in float32 or better.

    With `create_graph` the result can be differentiated, in x and in what v depends on; left out,
    it can be if x or t_span requires a gradient. The graph of all steps takes many times the
    memory, so that none is built for the parameters of v unless it is asked for.

    Raises as `odeint` and `divergence` do.

    >>> res = log_det(lambda x, t: 2 * x, torch.ones(1, 3), method="rk4", steps=20)
    >>> round(res.log_det.item(), 3), res.nfe  # each of three directions grows by e^2
    (6.0, 80)
    """
    _require_state("x", x)
    e = _signs(x, divergence, probes, generator)
    d = math.prod(x.shape[1:])
    f = CountedField(v, x)
    asked = x.requires_grad or moving(t_span) is not None
    keep = asked if create_graph is None else flag("create_graph", create_graph)

    def together(state: Tensor, t: Tensor) -> Tensor:
        velocity, div = _velocity_and_divergence(f, state[:, :d].reshape(x.shape), t, e)
        return torch.cat([velocity.reshape(-1, d), div[:, None]], dim=1)  # (B, d + 1)

    with torch.set_grad_enabled(keep and torch.is_grad_enabled()):
        state = torch.cat([x.reshape(-1, d), x.new_zeros(len(x), 1)], dim=1).to(f.wide)
        sol = odeint(
            together, state, t_span, method=method, steps=steps, step_size=step_size, rtol=rtol,
            atol=atol, max_steps=max_steps,
        )  # fmt: skip
        return Transport(sol.x[:, :d].reshape(x.shape).to(x.dtype), sol.x[:, d], f.nfe)


def log_likelihood(
    v: VectorField,
    x1: Tensor,
    *,
    divergence: Estimator = "exact",
    probes: int = 1,
    generator: torch.Generator | None = None,
    t_span: tuple[float, float] = (0.0, 1.0),
    method: str | ButcherTableau = "dopri5",
    steps: int | None = None,
    step_size: float | None = None,
    rtol: float | None = None,
    atol: float | None = None,
    max_steps: int = 10_000,
    create_graph: bool | None = None,
) -> Likelihood:
    """The log-density `(B,)`, in nats, that the flow of v gives to the data x1 `(B, *shape)`.

        log p_1(x1) = log N(x0; 0, I) - log |det d psi / dx|,    x0 = psi^-1(x1)

    x1 is followed back from t_span[1] to t_span[0], where the density is N(0, I). Choose a
    t_span[1] below 1 for a field that is singular there; the density is then that of time
    t_span[1]. All else as for `log_det`. The density given a condition y is that of
    `lambda x, t: model(x, t, y)`, with one y `(B, ...)` for each row.

    >>> v = lambda x, t: torch.ones_like(x)  # carries N(0, I) to N(1, I)
    >>> res = log_likelihood(v, torch.ones(1, 2), method="euler", steps=1)
    >>> round(res.log_prob.item(), 4), res.x0  # -ln(2 pi)
    (-1.8379, tensor([[0., 0.]]))
    """
    _require_state("x1", x1)
    interval(t_span)
    t0, t1 = t_span
    x0, back, nfe = log_det(
        v, x1, (t1, t0), divergence=divergence, probes=probes, generator=generator, method=method,
        steps=steps, step_size=step_size, rtol=rtol, atol=atol, max_steps=max_steps,
        create_graph=create_graph,
    )  # fmt: skip
    square = x0.reshape(len(x0), -1).to(back.dtype).square().sum(dim=1)
    dim = math.prod(x0.shape[1:])
    return Likelihood(-0.5 * (square + dim * math.log(2 * math.pi)) + back, x0, nfe)


def bits_per_dim(log_prob: Any, dim: int, *, width: float = 2 / 255) -> Any:
    """How many bits a coder needs for each of `dim` pixels, from log-densities `(B,)` in nats.

        -(log p(x) + dim ln width) / (dim ln 2)

    `width` is that of a grey level, in the units of x; it is 2/255 for bytes in [-1, 1]. At
    dequantized points the mean is an upper bound of the bits of the bytes themselves (Theis et
    al. 2016, eq. 5). `ValueError` unless `dim` is at least 1 and `width` positive.

    >>> evenly = -784 * math.log(256 * 2 / 255)  # every grey equally likely: a byte for a pixel
    >>> bits_per_dim(torch.tensor([evenly]), 784)
    tensor([8.])
    """
    dim = whole("dim", dim)
    log_prob = log_prob if isinstance(log_prob, Tensor) else real("log_prob", log_prob)
    return -(log_prob / dim + math.log(positive("width", width))) / math.log(2)


def continuity_residual(
    log_prob: VectorField, v: VectorField, x: Tensor, t: float, *, h: float
) -> Tensor:
    """How far a density and a velocity field are from conservation of mass at x, t; `(B,)`.

        (p(x, t+h) - p(x, t-h)) / 2h  +  sum_i ((p v_i)(x + h e_i, t) - (p v_i)(x - h e_i, t)) / 2h

    The change of the mass in a box of sides 2h plus what flows out through its faces, each face
    represented by its centre, per volume. If the continuity equation holds this is O(h^2), and it
    does not go to 0 otherwise. `log_prob(x, t)` returns `(B,)`, v the shape of x `(B, *shape)`. It
    takes 2 d + 2 evaluations of log_prob. `ValueError` unless t - h and t + h lie in [0, 1].

    >>> from fmcore.fields import GaussianMixture, MarginalField
    >>> from fmcore.paths import OTPath
    >>> u = MarginalField(GaussianMixture([[2.0, 0.0]], stds=0.5), OTPath())
    >>> x = torch.tensor([[1.0, 0.3]], dtype=torch.float64)
    >>> continuity_residual(u.log_prob, u, x, 0.5, h=1e-3).abs().item() < 1e-4
    True
    """
    _require_state("x", x)
    if not callable(log_prob):
        given = type(log_prob).__name__
        raise TypeError(f"log_prob must be callable as log_prob(x, t), got {given}")
    h, t = positive("h", h), real("t", t)
    if not (h <= t <= 1 - h):
        raise ValueError(f"t - h and t + h must lie in [0, 1], got t={shown(t)} and h={shown(h)}")
    f = CountedField(v, x)

    def p(x: Tensor, t: float) -> Tensor:
        value = log_prob(x, x.new_tensor(t))
        if not isinstance(value, Tensor) or value.shape != x.shape[:1]:
            given = tuple(value.shape) if isinstance(value, Tensor) else type(value).__name__
            raise ValueError(f"log_prob(x, t) must return ({len(x)},), got {given}")
        return value.exp()

    def flow(i: int, step: float) -> Tensor:
        moved = x.clone()
        moved.reshape(len(x), -1)[:, i] += step  # a view of the clone, which is contiguous
        v_i = f(moved, x.new_tensor(t)).reshape(len(x), -1)[:, i]
        return p(moved, t) * v_i  # through the face whose centre is `moved`

    faces = (flow(i, h) - flow(i, -h) for i in range(math.prod(x.shape[1:])))
    outflow = sum(faces, start=x.new_zeros(len(x)))
    return (p(x, t + h) - p(x, t - h) + outflow) / (2 * h)


def _velocity_and_divergence(
    f: CountedField, x: Tensor, t: Tensor, e: Tensor | None
) -> tuple[Tensor, Tensor]:
    """v `(B, *shape)` and its divergence `(B,)`, exact if there are no signs `e` `(n, B, *shape)`.

    Both can be differentiated again if gradients are enabled and there is something to
    differentiate them in: x or what else v depends on.
    """
    keep = torch.is_grad_enabled()
    with torch.enable_grad():
        inner = not (keep and x.requires_grad)
        x = x.detach().requires_grad_() if inner else x
        velocity = f(x, t)
        keep = keep and not (inner and _depends_on_nothing_but(x, velocity))
        flat, div = velocity.reshape(len(x), -1), velocity.new_zeros(len(x))
        free: list[int] = []  # the components that do not depend on x, as far as autograd can tell
        if e is None:
            for i in range(flat.shape[1]):
                # The sum picks d v_i / d x_i for every row of the batch at once.
                gradient = _gradient(flat[:, i].sum(), x, keep)
                if gradient is None:
                    free.append(i)
                else:
                    div = div + gradient.reshape(len(x), -1)[:, i]
        else:
            for s in e:
                gradient = _gradient((velocity * s).sum(), x, keep)
                if gradient is None:
                    free = [*range(flat.shape[1])]
                else:
                    div = div + _rowwise_dot(gradient, s) / len(e)
        if free:
            _require_constant(f, x, flat[:, free], t, free)
    return (velocity, div) if keep else (velocity.detach(), div.detach())


def _gradient(number: Tensor, x: Tensor, keep: bool) -> Tensor | None:
    """The gradient of a number in x; None if no path of the graph leads from one to the other."""
    if not number.requires_grad:
        return None
    (gradient,) = torch.autograd.grad(
        number, x, retain_graph=True, create_graph=keep, allow_unused=True
    )
    return gradient


def _depends_on_nothing_but(x: Tensor, y: Tensor) -> bool:
    """Whether x is the only leaf of the graph that led to y.

    Then the leaf is our own, and the result can do without a graph that leads nowhere.
    """
    nodes, seen = [y.grad_fn], set()
    while nodes:
        node = nodes.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        if getattr(node, "variable", x) is not x:
            return False
        nodes.extend(before for before, _ in node.next_functions)
    return True


def _rowwise_dot(a: Tensor, b: Tensor) -> Tensor:
    return (a * b).reshape(len(a), -1).sum(dim=1)


def _require_constant(
    f: CountedField, x: Tensor, values: Tensor, t: Tensor, components: list[int]
) -> None:
    """Raise if components of v from which no gradient comes depend on x after all.

    Parameters of v may require a gradient, so that a graph there is says nothing.
    """
    with torch.no_grad():  # every coordinate moves, by a number that is exact in any dtype near 1
        elsewhere = f(x + 0.125 * (1 + x.abs()), t).reshape(len(x), -1)[:, components]
        f.nfe -= 1  # a check, and no part of the solution
    if not torch.equal(elsewhere, values):
        raise ValueError(
            "v depends on x but lets no gradient through to it (no_grad, inference_mode, .detach() "
            "or numpy inside?), so its divergence cannot be computed"
        )


def _signs(
    x: Tensor, method: Estimator, probes: int, generator: torch.Generator | None
) -> Tensor | None:
    """Signs `(probes, *x.shape)` for Hutchinson's estimate, None for the exact divergence."""
    if method not in ("exact", "hutchinson"):
        raise ValueError(f"divergence must be 'exact' or 'hutchinson', got {method!r}")
    n = whole("probes", probes)
    if method == "exact":
        if n != 1:
            raise ValueError(f"probes={n} is for 'hutchinson'; the exact divergence needs none")
        return None
    g = require_generator(generator)
    bits = torch.randint(2, (n, *x.shape), generator=g, device=g.device)
    return (2 * bits - 1).to(x)


def _require_state(name: str, x: Tensor) -> None:
    initial_state(x, name)
    if x.ndim == 0 or x.numel() == 0:
        raise ValueError(f"{name} must have shape (B, *shape), not empty, got {tuple(x.shape)}")
