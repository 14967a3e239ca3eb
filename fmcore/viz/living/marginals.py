"""The marginals of a still: histograms along two edges of the plane, under the exact densities.

Along one coordinate the mixture that a marginal field has at time t is a mixture again,

    p_t(z)  =  sum_k w_k N(z; a m_k, a² s_k² + b²),        with m_k, s_k of that coordinate

`js/layers/marginal_layer.js` draws the same in the browser.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from matplotlib.axes import Axes

from fmcore.fields import GaussianMixture, MarginalField

from ..checks import Extent
from ..theme import COLORS
from .spec import components

BARS = 2.4  # times the cube root of the number of particles, across the extent
PARTS = 4  # of a bar, from one point of the curve to the next
TIMES = 16  # at which the highest density is looked for
STRIP = 0.16  # of the plane's width
HIGHEST = 0.8  # of the strip: bars may rise above the curve
LEAST = 0.005  # of the highest density: where the curve is lower it ends


def density(field: MarginalField, t: float, axis: int, z: np.ndarray, least: float) -> np.ndarray:
    """p_t of coordinate `axis` at `z` `(N,)`, with no component narrower than `least`."""
    means, stds, weights = components(field.target)
    time = torch.tensor(t, dtype=torch.float64)
    a, b = (f(time).double() for f in (field.path.a, field.path.b))
    widths = torch.hypot(a * stds[:, axis].double(), b).clamp_min(least)
    along = GaussianMixture((a * means[:, axis].double())[:, None], widths[:, None], weights)
    return along.log_prob(torch.from_numpy(z)[:, None]).exp().numpy()


def draw_marginals(
    ax: Axes,
    field: MarginalField,
    x: np.ndarray,
    t: float,
    *,
    span: tuple[float, float],
    extent: Extent,
) -> None:
    """Histograms of particles `x` `(N, 2)` above and beside `ax`, under the densities of p_t."""
    bar = (extent[1] - extent[0]) / round(BARS * np.cbrt(len(x)))
    # A component narrower than a bar would be a spike; so wide, it is as high as a point's bar.
    least = bar / np.sqrt(2 * np.pi)
    edges = [
        bar * np.arange(np.floor(low / bar), np.ceil(high / bar) + 1)
        for low, high in (extent[:2], extent[2:])
    ]
    fine = [np.linspace(z[0], z[-1], PARTS * (len(z) - 1) + 1) for z in edges]
    most = max(  # one scale for both strips and all times
        float(density(field, float(s), axis, fine[axis], least).max())
        for s in np.linspace(*span, TIMES + 1)
        for axis in (0, 1)
    )
    above = ax.inset_axes((0, 1.01, 1, STRIP))
    beside = ax.inset_axes((1.01, 0, STRIP, 1))
    for axis, strip in enumerate((above, beside)):
        middles = (edges[axis][1:] + edges[axis][:-1]) / 2
        heights = np.histogram(x[:, axis], edges[axis])[0] / (len(x) * bar)
        bars: Any = strip.barh if axis else strip.bar
        bars(middles, heights, 0.93 * bar, color=COLORS["path"], alpha=0.55)
        p = density(field, t, axis, fine[axis], least)
        p[p < LEAST * most] = np.nan
        curve = (p, fine[axis]) if axis else (fine[axis], p)
        strip.plot(*curve, color=COLORS["ink"], linewidth=1.6)
        strip.set_axis_off()
    above.set(xlim=tuple(extent[:2]), ylim=(0, most / HIGHEST))
    beside.set(ylim=tuple(extent[2:]), xlim=(0, most / HIGHEST))
