r"""Flow maps: networks that jump from any time to any later one.

The flow map of a velocity field v carries a point from time s to time t,

    X(x, s, t) = x + (t - s) u(x, s, t),    u(x, t, t) = v(x, t),

where u is the mean velocity from s to t. A network that knows u needs no solver. It learns u from
one of three rules, which hold for every flow map (Boffi et al. 2025):

    semigroup     X(x, s, t) = X(X(x, s, r), r, t)
    Lagrangian    d/dt X(x, s, t) = v(X(x, s, t), t)
    Eulerian      d/ds X(x, s, t) + v(x, s) . grad X(x, s, t) = 0

Solved for u(x, s, t), each rule says what the network should answer, given what it answers now.
That is its target, a row of `RULES`, through which no gradient flows. Where s = t every target is
the conditional velocity: there the loss is that of conditional flow matching.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from fmcore.checks import beside, floating, randn_like, real, whole
from fmcore.guidance import guided_towards
from fmcore.losses import Times, check_batch, mean_of_rows, pairs_to_the_end, sorted_pairs
from fmcore.models import check_two_times, mean_velocity, time_pair
from fmcore.paths import ProbabilityPath
from fmcore.paths.path import answer, check_field, forward_mode
from fmcore.tables import Table

__all__ = ["RULES", "Jump", "Rule", "flow_map_loss", "jump"]


@dataclass(frozen=True)
class Jump:
    """The jump from x `(B, *shape)` at s `(B,)` to t `(B,)` that a target is asked for.

    u       the mean velocity u(x, s, t) that is learnt, with no gradient
    v       the velocity seen at (x, s): the conditional one, or a teacher's
    field   v(x, t) anywhere: the teacher, or else the diagonal of u
    """

    u: Callable[[Tensor, Tensor, Tensor], Tensor]
    x: Tensor
    s: Tensor
    t: Tensor
    v: Tensor
    field: Callable[[Tensor, Tensor], Tensor]

    @property
    def length(self) -> Tensor:
        """t - s, beside x."""
        return beside(self.t - self.s, self.x).to(self.x.dtype)

    def along(self, v: Tensor) -> Tensor:
        """du/ds + v . grad u: how u changes for a particle that leaves x with velocity v at s."""
        tangents = v, torch.ones_like(self.s)
        return forward_mode()(lambda x, s: self.u(x, s, self.t), (self.x, self.s), tangents)[1]


def shortcut(j: Jump) -> Tensor:
    """Semigroup: a jump is two of half its length (Frans et al. 2025)."""
    r = (j.s + j.t) / 2
    first = j.u(j.x, j.s, r)
    return (first + j.u(j.x + j.length / 2 * first, r, j.t)) / 2


def lagrangian(j: Jump) -> Tensor:
    """Lagrangian: the velocity where the jump ends, less (t - s) du/dt (Boffi et al. 2025)."""
    u, slope = forward_mode()(lambda t: j.u(j.x, j.s, t), (j.t,), (torch.ones_like(j.t),))
    return j.field(j.x + j.length * u, j.t) - j.length * slope


def eulerian(j: Jump) -> Tensor:
    """Eulerian, with the field's own velocity (Boffi et al. 2025)."""
    own = j.field(j.x, j.s)
    return own + j.length * j.along(own)


def mean_flow(j: Jump) -> Tensor:
    """Eulerian, with the velocity that was seen (Geng et al. 2025)."""
    return j.v + j.length * j.along(j.v)


def improved_mean_flow(j: Jump) -> Tensor:
    """Eulerian: the velocity seen, plus how u changes along the field's own (Geng et al. 2025b)."""
    return j.v + j.length * j.along(j.field(j.x, j.s))


class Rule(NamedTuple):
    """A target, and how its loss draws s and t `(B, 2)`."""

    target: Callable[[Jump], Tensor]
    times: Times


def _check_rule(name: str, rule: Any) -> None:
    if not (isinstance(rule, Rule) and all(map(callable, rule))):
        raise TypeError(f"rule {name!r} must be a Rule(target, times) of functions, got {rule!r}")


RULES: Table[Rule] = Table(
    "rule",
    _check_rule,
    consistency=Rule(mean_flow, pairs_to_the_end),  # Song et al. 2023, Lu & Song 2025
    shortcut=Rule(shortcut, sorted_pairs),
    mean_flow=Rule(mean_flow, sorted_pairs),
    improved_mean_flow=Rule(improved_mean_flow, sorted_pairs),
    lagrangian=Rule(lagrangian, sorted_pairs),
    eulerian=Rule(eulerian, sorted_pairs),
)
"""How a network learns to jump, by name."""


def flow_map_loss(
    net: Callable[..., Tensor],
    path: ProbabilityPath,
    x1: Tensor,
    *,
    rule: str,
    teacher: Callable[..., Tensor] | None = None,
    x0: Tensor | None = None,
    t: Tensor | tuple[float | Tensor, float | Tensor] | None = None,
    label: Tensor | None = None,
    weight: Tensor | None = None,
    generator: torch.Generator | None = None,
    times: Times | None = None,
    guidance: float = 1.0,
    adaptive: float = 0.0,
) -> Tensor:
    """The mean of (u(xs, s, t) - target)^2 over batch and dimensions.

    `net(x, s, t)` is the mean velocity u, and `rule`, a key of `RULES`, its target. The velocity at
    (xs, s) is the conditional one of `path`; with a `teacher` `v(x, t)`, a trained field of that
    path, it is the teacher's. `t` holds s and t, as a tensor `(B, 2)` or a pair; left out, `times`
    draws them, or the rule. A `label` goes to `net(x, s, t, label)` and to the teacher. What is not
    named here is as for `cfm_loss`.

    Without a teacher, `guidance` w trains on w v(x, s | y) + (1 - w) u(x, s, s), whose last term is
    without a label: guided jumps then cost nothing more (Geng et al. 2025). `adaptive` p divides
    the rows by (their mean square + 0.001)^p; then the true flow map is no longer stationary.

    Raises `ValueError` or `TypeError` for an unknown rule, for times outside [0, 1] or s > t, for a
    network with one time, for a teacher of another path or shape, and for guidance with a teacher.

    >>> from fmcore.paths import OTPath
    >>> x1, g = torch.full((1000, 2), 3.0), torch.Generator().manual_seed(0)
    >>> at_rest = lambda x, s, t: 0 * x  # (x1 - x0)^2 on the diagonal, 0 off it
    >>> round(flow_map_loss(at_rest, OTPath(), x1, rule="shortcut", generator=g).item())
    5
    """
    target, pairs = RULES.find("rule", rule)
    check_batch(net, path, x1, *(() if times is None else (times,)))
    check_two_times(net)
    guidance, adaptive = real("guidance", guidance), real("adaptive", adaptive, 0)
    if teacher is not None:
        check_field(teacher, path)
        if guidance != 1:
            raise ValueError(f"guidance is for training without a teacher, got {guidance:g}")
    x0 = randn_like(x1, generator) if x0 is None else x0
    s, t = time_pair((times or pairs)(x1, generator) if t is None else t, x1)
    xs, v = path.sample(x0, x1, s)
    inner = net.module if isinstance(net, nn.parallel.DistributedDataParallel) else net

    def u(x: Tensor, s: Tensor, t: Tensor) -> Tensor:
        return mean_velocity(inner, x, s, t, label)

    def field(x: Tensor, t: Tensor) -> Tensor:
        return u(x, t, t) if teacher is None else answer(teacher, x, t, label)

    with torch.no_grad():
        v = guided_towards(v, inner, xs, s, label, guidance) if teacher is None else field(xs, s)
        wanted = torch.where(beside(s == t, xs), v, target(Jump(u, xs, s, t, v, field)))
    each = (mean_velocity(net, xs, s, t, label) - wanted).square()
    if adaptive:
        rows = (each.detach().flatten(1).mean(1) + 1e-3) ** -adaptive
        weight = rows if weight is None else rows * weight
    return mean_of_rows(each, weight)


def jump(
    net: Callable[..., Tensor], x0: Tensor, steps: int = 1, *, label: Tensor | None = None
) -> Tensor:
    """Where `steps` equal jumps x + (t - s) net(x, s, t) take x0 `(B, *shape)` from t = 0 to 1.

    >>> still = lambda x, s, t: 0 * x + 2
    >>> jump(still, torch.zeros(1, 2), steps=4)
    tensor([[2., 2.]])
    """
    check_two_times(net)
    steps, x = whole("steps", steps), floating("x0", x0)
    for i in range(steps):
        s, t = time_pair((i / steps, (i + 1) / steps), x)
        x = x + mean_velocity(net, x, s, t, label) / steps
    return x
