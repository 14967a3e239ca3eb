"""Bad input to solvers, densities and paths."""

import torch
from calls import bad
from values import (
    INF,
    NAN,
    OT,
    RALSTON,
    SPOILT,
    TIMES,
    G,
    X,
    to_complex,
    to_double,
    to_first,
    to_float,
    to_nan,
    to_none,
    turn,
)

import fmcore

A_RULE = fmcore.ButcherTableau(**RALSTON)


def density(x, t):
    """The density of N(0, I), which a rigid turn keeps."""
    return -x.square().sum(dim=1) / 2


def quiet(x, t):
    """A diffusion: one number."""
    return torch.ones(())


ADAPTIVE = dict(steps=None, method="dopri5", rtol=1e-3, atol=1e-3)

SOLVERS = [
    *bad(
        fmcore.ButcherTableau,
        RALSTON,
        (dict(name=3), TypeError, "the name of a tableau must be a string, got 3"),
        (dict(name=""), TypeError, "got ''"),
        (dict(order=0), ValueError, "tableau 'ralston': order must be a whole number"),
        (dict(order=2.0), TypeError, "got 2.0"),
        (dict(order=True), TypeError, "got True"),
        (dict(order="2"), TypeError, "got '2'"),
        (dict(a=((),)), ValueError, "got 1, 2 and 2"),
        (dict(a=((), (2 / 3, 0))), ValueError, "row 1 has 1 entries, got 2"),
        (dict(a=((), ("2",))), TypeError, "got '2'"),
        (dict(a=None), TypeError, "a must be rows of numbers, got None"),
        (dict(a=((), 0.5)), TypeError, "got 0.5"),
        (dict(c=(0, 1)), ValueError, "but c is 1.0"),
        (dict(c=(0, NAN)), ValueError, "got nan"),
        (dict(b=(1, 1)), ValueError, "b must sum to 1, got 2.0"),
        (dict(b="01"), TypeError, "got '0'"),
        (dict(b=(True, 0.0)), TypeError, "got True"),
        (dict(b=(INF, 0.0)), ValueError, "got inf"),
        (dict(b_embedded=(1, 0)), ValueError, "give both or neither"),
        (dict(embedded_order=1), ValueError, "give both or neither"),
        (dict(b_embedded=(1, 0), embedded_order=0), ValueError, "got 0"),
        (dict(b_embedded=(1, 0), embedded_order="1"), TypeError, "got '1'"),
        (dict(b_embedded=(1, 1), embedded_order=1), ValueError, "got (1.0, 1.0)"),
        (dict(dense=((1,),)), ValueError, "got ((1.0,),)"),
        (dict(dense=((0.25, 0), (NAN, 0))), ValueError, "got nan"),
    ),
    *bad(
        A_RULE.dense_weights,
        dict(theta=0.5),
        (dict(theta="half"), TypeError, "got 'half'"),
        (dict(theta=True), TypeError, "got True"),
        (dict(theta=1.5), ValueError, "theta must lie in [0, 1], got 1.5"),
        (dict(theta=-1e-9), ValueError, "got -1e-09"),
        (dict(theta=NAN), ValueError, "got nan"),
    ),
    *bad(
        fmcore.odeint,
        dict(v=turn, x0=X, steps=2),
        (dict(v=None), TypeError, "got NoneType"),
        (dict(v=to_none), TypeError, "got NoneType"),
        (dict(v=to_float), TypeError, "got float"),
        (dict(v=to_first), ValueError, "(3, 2), got (1, 2)"),
        (dict(v=to_double), TypeError, "got torch.float64"),
        (dict(v=to_complex), TypeError, "got torch.complex64"),
        (dict(v=to_nan), ValueError, "after step 1 of 2, at t=0.5"),
        (dict(x0=[[1.0, 2.0]]), TypeError, "got list"),
        (dict(x0=X.int()), TypeError, "got torch.int32"),
        (dict(x0=X.cfloat()), TypeError, "got torch.complex64"),
        (dict(x0=SPOILT), ValueError, "x0 must be finite"),
        (dict(t_span=(0,)), TypeError, "got (0,)"),
        (dict(t_span="01"), TypeError, "got '01'"),
        (dict(t_span=(True, False)), TypeError, "got (True, False)"),
        (dict(t_span=None), TypeError, "got None"),
        (dict(t_span=(0, INF)), ValueError, "got (0, inf)"),
        (dict(method="eular"), ValueError, "'euler', 'midpoint', 'heun'"),
        (dict(method=None), ValueError, "got None"),
        (dict(steps=None), ValueError, "got none of them"),
        (dict(steps=0), ValueError, "got 0"),
        (dict(steps=2.5), TypeError, "got 2.5"),
        (dict(steps=True), TypeError, "got True"),
        (dict(step_size=0.1), ValueError, "got steps and step_size"),
        (dict(steps=None, step_size=0), ValueError, "got 0"),
        (dict(steps=None, step_size="0.1"), TypeError, "got '0.1'"),
        (dict(steps=None, step_size=True), TypeError, "got True"),
        (dict(steps=None, step_size=1e-9), ValueError, "more than max_steps=10000"),
        (dict(steps=None, rtol=1e-3), ValueError, "got rtol"),
        (dict(ADAPTIVE, method="heun"), ValueError, "heun"),
        (dict(ADAPTIVE, rtol=-1.0), ValueError, "got -1.0"),
        (dict(ADAPTIVE, atol="small"), TypeError, "got 'small'"),
        (dict(ADAPTIVE, max_steps=1), ValueError, "(max_steps=1)"),
        (dict(t_eval=0.5), ValueError, "got shape ()"),
        (dict(t_eval=[0.5, 0.2]), ValueError, "got 0.2 after 0.5"),
        (dict(t_eval=[1.0000001]), ValueError, "got 1.0000001"),
        (dict(t_eval=[NAN]), ValueError, "got nan"),
        (dict(t_eval="ab"), TypeError, "got 'ab'"),
        (dict(t_eval=[True]), TypeError, "got [True]"),
        (dict(max_steps=0), ValueError, "got 0"),
    ),
    *bad(
        fmcore.sdeint,
        dict(
            drift=turn, diffusion=quiet, x0=X, t_span=(0, 1), method="euler_maruyama", steps=2,
            generator=G,
        ),
        (dict(drift="no"), TypeError, "drift must be callable as drift(x, t), got str"),
        (dict(drift=to_first), ValueError, "got (1, 2)"),
        (dict(diffusion="0.5"), TypeError, "diffusion must be a finite number, got '0.5'"),
        (dict(diffusion=INF), ValueError, "diffusion must be a finite number, got inf"),
        (dict(diffusion=to_none), TypeError, "a tensor or a number, got NoneType"),
        (dict(diffusion=to_nan), ValueError, "after step 1 of 2"),
        (dict(method="milstein"), ValueError, "'stochastic_heun', got 'milstein'"),
        (dict(steps=0), ValueError, "got 0"),
        (dict(x0=X.int()), TypeError, "got torch.int32"),
        (dict(generator=None), TypeError, "got NoneType"),
    ),
]  # fmt: skip

TRANSPORT = [
    (dict(v=to_none), TypeError, "got NoneType"),
    (dict(v=to_first), ValueError, "(3, 2), got (1, 2)"),
    (dict(divergence="exactly"), ValueError, "'exact' or 'hutchinson', got 'exactly'"),
    (dict(divergence="hutchinson"), TypeError, "got NoneType"),
    (dict(probes=2), ValueError, "probes=2 is for 'hutchinson'"),
    (dict(steps=None), ValueError, "got none of them"),
]

DENSITY = [
    *bad(
        fmcore.divergence,
        dict(v=turn, x=X, t=0.5),
        (dict(v=7), TypeError, "got int"),
        (dict(v=to_first), ValueError, "got (1, 2)"),
        (dict(v=lambda x, t: x.detach() ** 2), ValueError, "lets no gradient through"),
        (dict(x=X.int()), TypeError, "got torch.int32"),
        (dict(x=X[:0]), ValueError, "got (0, 2)"),
        (dict(x=torch.tensor(1.0)), ValueError, "got ()"),
        (dict(t="now"), TypeError, "got 'now'"),
        (dict(t=torch.zeros(7)), ValueError, "got (7,)"),
        (dict(method="trace"), ValueError, "got 'trace'"),
        (dict(method="hutchinson"), TypeError, "got NoneType"),
        (dict(method="hutchinson", probes=0, generator=G), ValueError, "got 0"),
        (dict(method="hutchinson", probes=1.5, generator=G), TypeError, "got 1.5"),
    ),
    *bad(
        fmcore.log_det,
        dict(v=turn, x=X, method="heun", steps=2),
        *TRANSPORT,
        (dict(x=SPOILT), ValueError, "x must be finite"),
        (dict(t_span=(0, 1, 2)), TypeError, "got (0, 1, 2)"),
    ),
    *bad(
        fmcore.log_likelihood,
        dict(v=turn, x1=X, method="heun", steps=2),
        *TRANSPORT,
        (dict(x1=X.tolist()), TypeError, "got list"),
        (dict(x1=X[:0]), ValueError, "got (0, 2)"),
        (dict(t_span=(0, NAN)), ValueError, "nan"),
    ),
    *bad(
        fmcore.bits_per_dim,
        dict(log_prob=torch.zeros(3), dim=784),
        (dict(log_prob=None), TypeError, "got None"),
        (dict(dim=0), ValueError, "got 0"),
        (dict(dim=784.0), TypeError, "got 784.0"),
        (dict(dim=(1, 28, 28)), TypeError, "got (1, 28, 28)"),
        (dict(width=0), ValueError, "got 0"),
        (dict(width="grey"), TypeError, "got 'grey'"),
    ),
    *bad(
        fmcore.continuity_residual,
        dict(log_prob=density, v=turn, x=X, t=0.5, h=0.01),
        (dict(log_prob=turn), ValueError, "must return (3,), got (3, 2)"),
        (dict(log_prob="p"), TypeError, "got str"),
        (dict(v=to_none), TypeError, "got NoneType"),
        (dict(t=1.0), ValueError, "got t=1"),
        (dict(t="now"), TypeError, "got 'now'"),
        (
            dict(t=0.9999999, h=1.1e-7),
            ValueError,
            "got t=0.9999999 and h=1.1e-07",
        ),
        (dict(h=0), ValueError, "got 0"),
        (dict(h="small"), TypeError, "got 'small'"),
    ),
]

PATHS = [
    *bad(
        fmcore.OTPath,
        {},
        (dict(sigma_min=1), ValueError, "sigma_min must lie in [0, 1), got 1"),
        (dict(sigma_min=-0.1), ValueError, "got -0.1"),
        (dict(sigma_min="0"), TypeError, "got '0'"),
        (dict(sigma_min=False), TypeError, "got False"),
        (dict(sigma_min=NAN), ValueError, "got nan"),
    ),
    *bad(
        fmcore.VPPath,
        {},
        (dict(beta_min=0), ValueError, "got 0.0 and 20.0"),
        (dict(beta_max=0.01), ValueError, "got 0.1 and 0.01"),
        (dict(beta_max=None), TypeError, "got None"),
        (dict(beta_max=INF), ValueError, "got inf"),
    ),
    *bad(
        OT.sample,
        dict(x0=X, x1=X, t=0.5),
        (dict(x0=X[:1]), ValueError, "got (1, 2) and (3, 2)"),
        (dict(x0=X.double()), TypeError, "got torch.float64 and torch.float32"),
        (dict(x1=X.byte()), TypeError, "got torch.uint8"),
        (dict(x0=None), TypeError, "got NoneType"),
        (dict(t=TIMES[:2]), ValueError, "got shape (2,)"),
        (dict(t=-1), ValueError, "got -1.0"),
        (dict(t="now"), TypeError, "got 'now'"),
    ),
    *bad(
        OT.velocity_to_data,
        dict(v=X, x=X, t=0.5),
        (dict(v=X[:, :1]), ValueError, "got (3, 1) and (3, 2)"),
        (dict(v=X.half()), TypeError, "got torch.float16 and torch.float32"),
    ),
    *bad(
        OT.velocity_to_noise,
        dict(v=X, x=X, t=0.5),
        (dict(x=X.tolist()), TypeError, "got list"),
        (dict(t=INF), ValueError, "got inf"),
    ),
    *bad(OT.velocity_to_score, dict(v=X, x=X, t=0.5), (dict(t=1.0), ValueError, "t = 1 on OTPath")),
    *bad(OT.data_to_velocity, dict(x1=X, x=X, t=0.5), (dict(t=1), ValueError, "t = 1 on OTPath")),
    *bad(OT.noise_to_velocity, dict(x0=X, x=X, t=0.5), (dict(t=0), ValueError, "t = 0 on OTPath")),
    *bad(
        OT.score_to_velocity,
        dict(score=X, x=X, t=0.5),
        (dict(t=0.0), ValueError, "t = 0 on OTPath"),
        (dict(score=X[0]), ValueError, "got (2,) and (3, 2)"),
    ),
    *bad(
        fmcore.VPPath().sample,
        dict(x0=X, x1=X, t=0.5),
        (dict(t=1.0), ValueError, "t = 1 on VPPath"),
    ),
]

ROWS = [*SOLVERS, *DENSITY, *PATHS]
