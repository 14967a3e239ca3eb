"""Bad input to figures: still ones, living ones, labs, and their theme."""

import torch
from calls import bad
from small import Linear, noise
from values import (
    HERE,
    INF,
    MIX,
    NAN,
    NET,
    NOWHERE,
    OT,
    SPOILT,
    G,
    X,
    still,
    to_bool,
    to_column,
    to_complex,
    to_nan,
    to_none,
    turn,
)

import fmcore
from fmcore import MarginalField, viz
from fmcore.viz import labs, plots

XS = noise(5, 3, 2)  # (T, B, 2)
TINY = dict(x0=noise(2, 1, 8, 8), solvers=("euler",), steps=(1, 2), step=1, frames=2)
FIGURE, DIGITS = viz.FlowFigure(turn, particles=5, resolution=(5, 4)), noise(4, 1, 8, 8).tanh()


def log_density(x):
    """That of N(0, I), but for its constant."""
    return -x.square().sum(dim=1) / 2


def no_density(x):
    return None


def nan_density(x):
    return x[:, 0] * NAN


def digit_figure(**options):
    """A figure of two digits."""
    return viz.DigitFigure(**options)


def themed(name):
    """A figure's theme, for a moment."""
    with viz.theme(name):
        pass


EXTENT = [
    (dict(extent=3), TypeError, "got 3"),
    (dict(extent="0101"), TypeError, "got '0101'"),
    (dict(extent=(0, 1, 0)), ValueError, "got (0, 1, 0)"),
    (dict(extent=(1, 0, 0, 1)), ValueError, "got (1, 0, 0, 1)"),
    (dict(extent=(0, INF, 0, 1)), ValueError, "got (0, inf, 0, 1)"),
    (dict(extent=(False, True, 0, 1)), TypeError, "got (False, True, 0, 1)"),
]
FIELD = [
    (dict(field=3), TypeError, "field must be callable as field(x, t), got int"),
    (dict(field=to_none), TypeError, "what field(x, t) returns must be real numbers, got None"),
    (dict(field=to_column), ValueError, "a velocity of the plane for each point, got"),
    (dict(field=to_complex), TypeError, "got torch.complex64"),
    (dict(field=to_bool), TypeError, "got torch.bool"),
    (dict(field=to_nan), ValueError, "NaN or infinite at"),
    (dict(field=fmcore.MLP(dim=3)), ValueError, "3"),
]
TIME = [
    (dict(t="now"), TypeError, "got 'now'"),
    (dict(t=True), TypeError, "got True"),
    (dict(t=NAN), ValueError, "got nan"),
]
AX = [(dict(ax="left"), TypeError, "ax must be the Axes of matplotlib, got str")]
STATES = [
    (dict(xs=X), ValueError, "xs must have shape (T, B, 2), got (3, 2)"),
    (dict(xs="abc"), TypeError, "got 'abc'"),
    (dict(xs=XS[:0]), ValueError, "xs is empty: shape (0, 3, 2)"),
    (dict(xs=XS > 0), TypeError, "got torch.bool"),
    (dict(xs=SPOILT[None]), ValueError, "2 values that are NaN or infinite"),
]

STILLS = [
    *bad(
        plots.quiver,
        dict(field=turn),
        *FIELD,
        *TIME,
        *EXTENT,
        *AX,
        (dict(n=1), ValueError, "got 1"),
        (dict(n=6.0), TypeError, "got 6.0"),
        (dict(scale=0), ValueError, "got 0"),
        (dict(scale="long"), TypeError, "got 'long'"),
        (dict(by_speed="no"), TypeError, "got 'no'"),
        (dict(color="colour"), ValueError, "'colour'"),
    ),
    *bad(
        plots.streamlines,
        dict(field=turn),
        *FIELD,
        *TIME,
        *EXTENT,
        (dict(field=still, t=0.9999999), ValueError, "at t = 0.9999999"),
        (dict(density=-1), ValueError, "got -1"),
        (dict(density=True), TypeError, "got True"),
    ),
    *bad(
        plots.particles,
        dict(xs=XS),
        *STATES,
        *AX,
        (dict(trails="no"), TypeError, "got 'no'"),
        (dict(size=0), ValueError, "got 0"),
        (dict(color=["red", "blue"]), ValueError, "one colour or 3 of them, got 2"),
    ),
    *bad(
        plots.path,
        dict(xs=XS, method="heun"),
        *STATES[1:],
        (dict(xs=noise(3)), ValueError, "got (3,)"),
        (dict(method="eular"), ValueError, "got 'eular'"),
        (dict(method=3), ValueError, "got 3"),
    ),
    *bad(
        plots.density,
        dict(log_prob=log_density, n=20),
        *EXTENT[:2],
        *AX,
        (dict(log_prob=3), TypeError, "log_prob must be callable, log_prob(x), got int"),
        (dict(log_prob=torch.exp), ValueError, "must return (400,) for x of shape (400, 2), got"),
        (dict(log_prob=no_density), TypeError, "got None"),
        (dict(log_prob=nan_density), ValueError, "NaN or infinity"),
        (dict(n=1), ValueError, "got 1"),
        (dict(vmax=0), ValueError, "got 0"),
        (dict(contours="no"), TypeError, "got 'no'"),
    ),
    *bad(
        plots.scatter,
        dict(x=X),
        *AX,
        (dict(x=X[0]), ValueError, "(B, 2), got (2,)"),
        (dict(x=None), TypeError, "got None"),
        (dict(x=X.cfloat()), TypeError, "got torch.complex64"),
        (dict(size="big"), TypeError, "got 'big'"),
    ),
    *bad(
        plots.digits,
        dict(images=DIGITS),
        *AX,
        (dict(images=3 * DIGITS), ValueError, "must lie in [-1, 1], got [-"),
        (dict(images=DIGITS[0, 0]), ValueError, "got (8, 8)"),
        (dict(images=DIGITS[:0]), ValueError, "shape (0, 8, 8)"),
        (dict(images=DIGITS * NAN), ValueError, "nan"),
        (dict(images=[["a"]]), TypeError, "got [['a']]"),
        (dict(columns=0), ValueError, "got 0"),
        (dict(columns=2.5), TypeError, "got 2.5"),
        (dict(row_labels=["one"]), ValueError, "a label for each of 2, got 1"),
        (dict(column_labels=3), TypeError, "got 3"),
    ),
    *bad(
        plots.loss_curve,
        dict(steps=[1, 2], losses=[0.5, 0.4]),
        *AX,
        (dict(steps=2), TypeError, "got 2"),
        (dict(losses=[0.5]), ValueError, "got 2 and 1"),
        (dict(losses=[0.5, "a"]), TypeError, "got [0.5, 'a']"),
        (dict(losses=[0.5, NAN]), ValueError, "1 values that are NaN"),
        (dict(losses=[0.5, -1e-9], log=True), ValueError, "got -1e-09"),
        (dict(smooth=1), ValueError, "smooth must lie in [0, 1), got 1"),
        (dict(smooth="much"), TypeError, "got 'much'"),
        (dict(floor="low"), TypeError, "got 'low'"),
        (dict(log="no"), TypeError, "got 'no'"),
    ),
    *bad(
        plots.convergence,
        dict(sizes=[0.1, 0.2], errors=[1e-3, 4e-3]),
        *AX,
        (dict(sizes=[0.1, 0.1]), ValueError, "got [0.1, 0.1]"),
        (dict(errors=[-1e-9, 1e-3]), ValueError, "got -1e-09"),
        (dict(errors=None), TypeError, "got None"),
        (dict(against="cost"), ValueError, "'h', 'nfe', got 'cost'"),
        (dict(method="eular"), ValueError, "got 'eular'"),
        (dict(order="two"), TypeError, "got 'two'"),
    ),
]

THEME = [
    *bad(viz.use_theme, dict(name="auto"), (dict(name="sepia"), ValueError, "'dark', got 'sepia'")),
    *bad(themed, dict(name="dark"), (dict(name=["dark"]), ValueError, "got ['dark']")),
    *bad(viz.ramp, dict(color="red"), (dict(color="colour"), ValueError, "'colour'")),
    *bad(
        viz.solver_style,
        dict(method="heun"),
        (dict(method="eular"), ValueError, "'dopri5' or a ButcherTableau, got 'eular'"),
    ),
]

LIVING = [
    *bad(
        viz.FlowFigure,
        dict(field=turn, particles=5, resolution=(5, 4)),
        *FIELD,
        *EXTENT,
        *TIME,
        (dict(t=1.0000001), ValueError, "t must lie in [0, 1] or be None, got 1.0000001"),
        (dict(source="gauss"), ValueError, "'normal', 'uniform' or points, got 'gauss'"),
        (dict(source=None), TypeError, "source must be real numbers, got None"),
        (dict(source=noise(5, 3)), ValueError, "got points of shape (3,)"),
        (dict(target=SPOILT), ValueError, "must be finite"),
        (dict(target=3.0), ValueError, "got ()"),
        (dict(views="arrows"), TypeError, "got 'arrows'"),
        (dict(views=None), TypeError, "got None"),
        (dict(views=("arrows", ["dots"])), ValueError, "got ['arrows', ['dots']]"),
        (dict(solvers="heun"), TypeError, "got 'heun'"),
        (dict(solvers=None), TypeError, "got None"),
        (dict(solvers=("eular",)), ValueError, "got 'eular'"),
        (dict(solver="rk4-adaptive"), ValueError, "got 'rk4-adaptive'"),
        (dict(solver=3), ValueError, "got 3"),
        (dict(steps=201), ValueError, "at most 200, got 201"),
        (dict(steps=2.5), TypeError, "got 2.5"),
        (dict(compare=1.5), TypeError, "got 1.5"),
        (dict(compare=("rk4", 0)), ValueError, "got 0"),
        (dict(compare=True), TypeError, "got True"),
        (dict(span=(0, 2)), ValueError, "got (0, 2)"),
        (dict(span=(1, 1)), ValueError, "got (1, 1)"),
        (dict(span="01"), TypeError, "got '01'"),
        (dict(particles=5001), ValueError, "at most 5000, got 5001"),
        (dict(start=(0,)), ValueError, "got (0,)"),
        (dict(start="ab"), TypeError, "got 'ab'"),
        (dict(seed=-1), ValueError, "got -1"),
        (dict(seed=2**53), ValueError, "got 9007199254740992"),
        (dict(resolution=(3, 4)), ValueError, "got 3"),
        (dict(resolution=5), TypeError, "got 5"),
        (dict(resolution=(5, 4.5)), TypeError, "got 4.5"),
        (dict(conditionals="no"), TypeError, "got 'no'"),
        (dict(noise=-0.1), ValueError, "got -0.1"),
        (dict(noise=4.01), ValueError, "noise must lie in [0, 4] or be None, got 4.01"),
        (dict(noise=NAN), ValueError, "got nan"),
        (dict(noise=True), TypeError, "got True"),
        (dict(noise="loud"), TypeError, "got 'loud'"),
        (dict(noise=0.0), ValueError, "with noise, field must be a MarginalField in closed form"),
        (dict(marginals=True), ValueError, "with marginals, field must be a MarginalField"),
        (dict(marginals="no"), TypeError, "got 'no'"),
        (
            dict(field=MarginalField(MIX, OT), noise=1.0, span=(1.0, 0.0)),
            ValueError,
            "noise needs a span that goes forward in time, got (1.0, 0.0)",
        ),
        (dict(field=MarginalField(MIX, OT).score, noise=1.0), ValueError, "closed form"),
        (dict(caption=3), TypeError, "got 3"),
        (dict(alt=None), TypeError, "got None"),
        (dict(height=10), ValueError, "got 10"),
    ),
    *bad(
        FIGURE.save_html,
        dict(path=HERE / "figure.html"),
        (dict(path=HERE), ValueError, "it is a folder"),
        (dict(path=NOWHERE), ValueError, "there is no folder"),
        (dict(path=None), TypeError, "NoneType"),
    ),
    *bad(
        digit_figure,
        dict(TINY, model=Linear(1.0)),
        (dict(model=turn), TypeError, "got function"),
        (dict(x0=noise(2, 3, 8, 8)), ValueError, "got (2, 3, 8, 8)"),
        (dict(x0=noise(37, 1, 8, 8)), ValueError, "got (37, 1, 8, 8)"),
        (dict(x0=TINY["x0"].tolist()), TypeError, "got list"),
        (dict(x0=TINY["x0"].int()), TypeError, "got torch.int32"),
        (dict(x0=TINY["x0"] * NAN), ValueError, "x0 must be finite"),
        (dict(x0=None, seed="0"), TypeError, "got '0'"),
        (dict(x0=None, seed=-1), ValueError, "got -1"),
        (dict(solvers=()), ValueError, "got none"),
        (dict(solver="heun"), ValueError, "solver must be one of euler; got 'heun'"),
        (dict(steps=5), TypeError, "got 5"),
        (dict(steps=(2, 1)), ValueError, "got [2, 1]"),
        (dict(step=3), ValueError, "got 3"),
        (dict(frames=1), ValueError, "got 1"),
        (dict(t=1.0000001), ValueError, "t must lie in [0, 1] or be None, got 1.0000001"),
        (dict(t="now"), TypeError, "got 'now'"),
        (dict(caption=None), TypeError, "got None"),
        (dict(height="tall"), TypeError, "got 'tall'"),
    ),
    *bad(
        labs.solver_lab,
        dict(field=turn, x0=X),
        (dict(field=3), TypeError, "got int"),
        (dict(x0=X[0]), ValueError, "got (2,)"),
        (dict(x0=X.tolist()), TypeError, "got list"),
        (dict(t_span="01"), TypeError, "got '01'"),
        (dict(solvers="heun"), TypeError, "got 'heun'"),
        (dict(steps=50), ValueError, "at most 40, got 50"),
        (dict(steps=2.5), TypeError, "got 2.5"),
        (dict(max_steps=0), ValueError, "got 0"),
        (dict(extent=(1, 0, 0, 1)), ValueError, "got (1, 0, 0, 1)"),
    ),
    *bad(
        labs.digit_lab,
        dict(model=NET, n=2, steps=1, generator=G),
        (dict(model=turn), TypeError, "got function"),
        (dict(n=0), ValueError, "got 0"),
        (dict(n="2"), TypeError, "got '2'"),
        (dict(generator=None), TypeError, "got NoneType"),
        (dict(steps=True), TypeError, "got True"),
    ),
]

ROWS = [*STILLS, *THEME, *LIVING]
