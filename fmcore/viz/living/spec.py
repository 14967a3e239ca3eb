"""A velocity field as data for the browser: in closed form, as weights, or as a lattice.

winds     the parameters of a wind of `fmcore.winds`
mixture   a marginal field: its components, or its data points, and its path
mlp       the weights of a `fmcore.networks.MLP`
lattice   samples of any other callable, and how far they are off between the nodes
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from fmcore.distributions import Empirical, GaussianMixture
from fmcore.fields import MarginalField
from fmcore.networks import MLP
from fmcore.paths import OTPath, VPPath
from fmcore.weights import FlowModel
from fmcore.winds import Wind

from ..stills.plane import grid
from .lattice import fit

Span = tuple[float, float]
Box = tuple[float, float, float, float]

_TYPES = {"f8": "<f8", "f4": "<f4", "i2": "<i2"}
_ASPECT = 16 / 9  # a stage is seldom wider than this: the lattice reaches that far
_CHECKS = 5  # times at which a field in closed form is tried
_PROBES = (12, 256)  # times and points at which a lattice's error is measured


def pack(values: Tensor | np.ndarray, kind: str) -> dict[str, str]:
    """Numbers as base64 of little-endian "f8", "f4" or "i2"."""
    if isinstance(values, Tensor):
        values = values.detach().cpu().numpy()
    data = np.ascontiguousarray(values).astype(_TYPES[kind])
    return {"type": kind, "base64": base64.b64encode(data.tobytes()).decode("ascii")}


def field_data(
    field: Callable, extent: Box, span: Span, resolution: tuple[int, int]
) -> dict[str, Any]:
    """The field as plain data with its form under "kind", ready for JSON.

    `TypeError` if it is not callable, `ValueError` if it is not a field of the plane, or not finite
    on `extent` (on the lattice) at a time in `span`.
    """
    if not callable(field):
        raise TypeError(f"field must be callable as field(x, t), got {type(field).__name__}")
    net = field.net if isinstance(field, FlowModel) else field
    if isinstance(field, Wind):
        data = {"kind": "winds", "wind": field.as_dict()}
    elif isinstance(field, MarginalField) and type(field.path) in (OTPath, VPPath):
        data = _marginal(field)
    elif type(net) is MLP:
        data = _network(net)
    else:
        return _sampled(field, extent, span, resolution)
    _try(field, extent, span)
    return data


def distribution_data(target: GaussianMixture | Empirical) -> dict[str, Any]:
    """Means and standard deviations (K, 2) and weights (K,); a data point has a deviation of 0."""
    if tuple(target.shape) != (2,):
        raise ValueError(f"a figure shows the plane: {target} is not in two dimensions")
    if isinstance(target, GaussianMixture):
        means, stds, weights = target.means, target.stds, target.weights
    else:
        means, stds = target.points, torch.zeros_like(target.points)
        weights = torch.full((len(means),), 1 / len(means), dtype=torch.float64)
    return {"means": pack(means, "f8"), "stds": pack(stds, "f8"), "weights": pack(weights, "f8")}


def _marginal(field: MarginalField) -> dict[str, Any]:
    path = {"kind": type(field.path).__name__, **asdict(field.path)}
    return {"kind": "mixture", **distribution_data(field.target), "path": path}


def _network(net: MLP) -> dict[str, Any]:
    if net.config["dim"] != 2:
        raise ValueError(f"a figure shows the plane, but this MLP has dim={net.config['dim']}")
    kind = "f8" if net.layers[0].weight.dtype == torch.float64 else "f4"
    layers = [layer for layer in net.layers if isinstance(layer, nn.Linear)]
    return {
        "kind": "mlp",
        "frequencies": pack(net.embed_time.frequencies, kind),
        "layers": [
            {"weight": pack(layer.weight, kind), "bias": pack(layer.bias, kind)} for layer in layers
        ],
    }


def _sampled(
    field: Callable, extent: Box, span: Span, resolution: tuple[int, int]
) -> dict[str, Any]:
    domain = _widened(extent)
    x, y, times = _nodes(domain, span, resolution)
    points = np.stack(np.meshgrid(x, y), -1).reshape(-1, 2)
    samples = np.stack([_evaluate(field, points, t) for t in times])
    samples = samples.reshape(len(times), len(y), len(x), 2)
    if np.ptp(samples, axis=0).max() <= 1e-6 * np.abs(samples).max():
        samples = samples[:1]  # steady
    lattice = fit(samples, domain, span)
    # Whole numbers of 16 bits: their rounding, 1.5e-5 of the largest, is far below the error of
    # the lattice itself, and they take half the space.
    scale = float(np.abs(lattice.coefficients).max()) / 32767 or 1.0
    return {
        "kind": "lattice",
        "coefficients": pack(np.round(lattice.coefficients / scale), "i2"),
        "shape": list(lattice.coefficients.shape[:3]),
        "scale": scale,
        "domain": list(domain),
        "span": list(span),
        "error": _error(field, lattice, extent, span),
    }


def _error(field: Callable, lattice: Callable, extent: Box, span: Span) -> dict[str, float]:
    """How far the lattice is off at random points of the extent, relative to the rms speed."""
    random = np.random.default_rng(0)
    low, high = np.array(extent[::2]), np.array(extent[1::2])
    off, speed = [], []
    for t in random.uniform(min(span), max(span), _PROBES[0]):
        points = random.uniform(low, high, (_PROBES[1], 2))
        v = _evaluate(field, points, float(t))
        off.append(np.linalg.norm(lattice(points, float(t)) - v, axis=1))
        speed.append(np.linalg.norm(v, axis=1))
    unit = float(np.sqrt(np.mean(np.square(speed)))) or 1.0
    return {
        "rms": float(np.sqrt(np.mean(np.square(off)))) / unit,
        "max": float(np.max(off)) / unit,
    }


def _widened(extent: Box) -> Box:
    """The extent with the margin that a stage wider than it shows, and a little more."""
    xmin, xmax, ymin, ymax = extent
    half = 0.525 * max(xmax - xmin, _ASPECT * (ymax - ymin))
    middle, margin = (xmin + xmax) / 2, 0.025 * (ymax - ymin)
    return middle - half, middle + half, ymin - margin, ymax + margin


def _nodes(domain: Box, span: Span, resolution: tuple[int, int]) -> tuple[np.ndarray, ...]:
    """`resolution[0]` nodes along the shorter side, as far apart along the other, and the times."""
    width, height = domain[1] - domain[0], domain[3] - domain[2]
    step = min(width, height) / (resolution[0] - 1)
    return (
        np.linspace(*domain[:2], round(width / step) + 1),
        np.linspace(*domain[2:], round(height / step) + 1),
        np.linspace(*span, resolution[1]),
    )


def _try(field: Callable, extent: Box, span: Span) -> None:
    """Raise unless a field in closed form is finite at some points, at both ends of time too."""
    xmin, xmax, ymin, ymax = extent
    points = np.stack(
        np.meshgrid(np.linspace(xmin, xmax, 5), np.linspace(ymin, ymax, 5)), -1
    ).reshape(-1, 2)
    for t in np.linspace(*span, _CHECKS):
        _evaluate(field, points, float(t))


def _evaluate(field: Callable, points: np.ndarray, t: float) -> np.ndarray:
    """The field at points (B, 2), as float64; `ValueError` if it is not one of the plane."""
    like = grid(points[:1, 0], points[:1, 1], field)  # the device and dtype it computes in
    x = torch.from_numpy(points).to(like)
    with torch.no_grad():
        try:
            v = torch.as_tensor(field(x, x.new_tensor(float(t))))
        except Exception as error:
            raise ValueError(
                f"a figure calls field(x, t) with x of shape {tuple(x.shape)} and t = {t:g} "
                f"(span=... sets the times), but this field failed: {error}"
            ) from error
    if v.shape != x.shape:
        raise ValueError(
            f"the field must return {tuple(x.shape)} for x of shape {tuple(x.shape)}, a velocity "
            f"of the plane for each point, got {tuple(v.shape)}"
        )
    v = v.detach().to("cpu", torch.float64).numpy()
    bad = ~np.isfinite(v).all(1)
    if bad.any():
        where = ", ".join(f"{c:g}" for c in points[bad][0])
        raise ValueError(
            f"the field is NaN or infinite at {int(bad.sum())} of {len(v)} points at t = {t:g}, "
            f"first at x = ({where}): choose another extent or span"
        )
    return v
