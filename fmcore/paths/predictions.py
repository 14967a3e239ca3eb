r"""What a network may predict along a path: velocity, data, noise or score, which are one thing.

At x = a x1 + b x0 each of them is a mixture of the same two unknowns,

    q = alpha x1 + beta x0:    velocity (a', b'),  data (1, 0),  noise (0, 1),  score (0, -1 / b),

and a row of `PREDICTIONS`. x and q together give x1 and x0, by two equations with the determinant
D_q = b alpha - a beta, and so the velocity

    v = a' x1 + b' x0 = (D q - (a' beta - b' alpha) x) / D_q,        D = a' b - a b',

in which an error e of q becomes e D / D_q. At the same point, then, the squared errors of two
predictions p and q differ by a factor that depends on nothing but time,

    |error of p|^2 = (D_p / D_q)^2 |error of q|^2,

so that to predict one rather than the other is to weigh times anew, and to ask the network for
numbers of another size (Salimans & Ho 2022, section 4; Kingma & Gao 2023):

                   velocity    data         noise        score
    D_q            D           b            -a           a / b
    (D / D_q)^2    1           (D / b)^2    (D / a)^2    (D b / a)^2
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from fmcore.checks import expand_time, floating, like, positive
from fmcore.models import predicts
from fmcore.paths.path import ProbabilityPath, answer, check_field, check_once, time_tensor
from fmcore.tables import Table, check_callable

MARGIN = 1e-3
"""How far from t = 0 and 1, at least, predictions are trained and evaluated."""

Mixture = Callable[[ProbabilityPath, Tensor], tuple[Tensor | float, Tensor | float]]
"""The weights `(alpha, beta)` of data and noise at times t."""

PREDICTIONS: Table[Mixture] = Table(
    "prediction",
    check_callable("prediction"),
    velocity=lambda path, t: (path.da(t), path.db(t)),
    data=lambda path, t: (1.0, 0.0),
    noise=lambda path, t: (0.0, 1.0),
    score=lambda path, t: (0.0, -1 / path.b(t)),
)
"""What a network may predict, by name: how much data and how much noise it is."""


def _parts(
    predict: str, path: ProbabilityPath, t: Tensor, name: str = "predict"
) -> tuple[Tensor | float, Tensor | float, Tensor]:
    """alpha, beta and D_q at times t; raises where they are infinite."""
    alpha, beta = PREDICTIONS.find(name, predict)(path, t)
    d = path.b(t) * alpha - path.a(t) * beta
    path.refuse(~d.isfinite(), t, f"the {predict} is infinite")
    return alpha, beta, d


def prediction_target(
    path: ProbabilityPath, x0: Tensor, x1: Tensor, t: float | Tensor, *, predict: str
) -> Tensor:
    """What a network that predicts `predict`, a key of `PREDICTIONS`, is trained on.

        q_t = alpha(t) x1 + beta(t) x0

    Arguments and errors as for `path.sample`; `ValueError` where q is infinite: the score at b = 0.

    >>> from fmcore.paths import OTPath
    >>> x0, x1 = torch.full((1, 1), 3.0), torch.full((1, 1), 5.0)
    >>> [prediction_target(OTPath(), x0, x1, 0.5, predict=p).item() for p in PREDICTIONS]
    [2.0, 5.0, 3.0, -6.0]
    """
    like("x0", x0, "x1", x1)
    alpha, beta, _ = _parts(predict, path, expand_time(t, x1))
    return (alpha * x1 + beta * x0).to(x1.dtype)


def error_weight(
    path: ProbabilityPath, t: Tensor, *, predict: str, measure: str = "velocity"
) -> Tensor:
    """(D_m / D_p)^2 at times t: what makes squared errors of `predict` those of `measure`.

    `ValueError` where that is infinite: from the noise to the velocity at a = 0, say.

    >>> from fmcore.paths import OTPath
    >>> error_weight(OTPath(), torch.tensor([0.1, 0.5, 1.0]), predict="noise")  # 1 / t^2
    tensor([100.,   4.,   1.])
    """
    check_once(path, floating("t", t).device)
    d = _parts(predict, path, t)[2]
    path.refuse(d == 0, t, f"the {measure} cannot be recovered from the {predict}")
    return (_parts(measure, path, t, "measure")[2] / d).square()


Span = tuple[float, float]


def calm_span(path: ProbabilityPath, *, predict: str, gain: float = 20.0) -> Span:
    """The first and the last time at which D / D_q is at most `gain`; see `as_velocity`.

    `ValueError` if there is no such time, and as `error_weight` raises.
    """
    t = torch.linspace(MARGIN, 1 - MARGIN, 999, dtype=torch.float64)
    calm = t[error_weight(path, t, predict=predict).sqrt() <= positive("gain", gain)]
    if not len(calm):
        raise ValueError(f"no time on {path} has a gain of at most {gain:g} for the {predict}")
    return calm[0].item(), calm[-1].item()


def predicted_velocity(
    net: Callable[..., Tensor],
    path: ProbabilityPath,
    x: Tensor,
    t: float | Tensor,
    label: Tensor | None,
    *,
    predict: str,
    span: Span,
) -> Tensor:
    """v(x, t) from what `net` predicts, with t kept in `span`."""
    t = time_tensor(t, x).clamp(*span)
    q = answer(net, x, t, label)
    t = expand_time(t, x)
    alpha, beta, d_q = _parts(predict, path, t)
    da, db = path.da(t), path.db(t)
    d = da * path.b(t) - path.a(t) * db
    return ((d * q - (da * beta - db * alpha) * x) / d_q).to(x.dtype)


class _AsVelocity(nn.Module):
    def __init__(self, net: Callable[..., Tensor], path: ProbabilityPath, predict: str, span: Span):
        super().__init__()
        self.model, self.path, self.predict, self.span = net, path, predict, span

    def forward(self, x: Tensor, t: float | Tensor, label: Tensor | None = None) -> Tensor:
        return predicted_velocity(
            self.model, self.path, x, t, label, predict=self.predict, span=self.span
        )


def as_velocity(
    net: Callable[..., Tensor], path: ProbabilityPath, *, predict: str, gain: float = 20.0
) -> Callable[..., Tensor]:
    """The velocity field of a network that predicts `predict`, a key of `PREDICTIONS`.

    It is sampled, guided and solved as any other, `v(x, t)` or `v(x, t, label)`, with one
    evaluation of `net`.

    Near an end of the path the prediction may hold little of the velocity: at a = 0 the noise is x
    itself, at b = 0 the data are. There an error of `net` is multiplied by D / D_q, by 1 / t for
    the noise on an `OTPath`, and Euler's step h there moves x by h D / D_q errors. Therefore t is
    kept where D / D_q is at most `gain`, and 0.001 away from both ends: before and after, the field
    stands still. A larger gain comes nearer to the exact field, with steps as short as 1 / gain.

    Raises `ValueError` if there is no such time, if `net` is a `FlowModel` or another field that
    returns the velocity already, and as `error_weight` does.

    >>> from fmcore.paths import OTPath
    >>> v = as_velocity(lambda x, t: x / 2, OTPath(), predict="noise")
    >>> v(torch.ones(1, 2), 0.5)  # (x - x0) / t
    tensor([[1., 1.]])
    """
    check_field(net, path)
    PREDICTIONS.find("predict", predict)
    if predict == "velocity":
        return net
    if predicts(net) is not None:
        raise ValueError(f"{type(net).__name__} returns the velocity already, not the {predict}")
    return _AsVelocity(net, path, predict, calm_span(path, predict=predict, gain=gain))
