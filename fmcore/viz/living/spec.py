"""A velocity field as data for the browser: in closed form, as weights, or as a lattice.

winds     the parameters of a wind of `fmcore.fields`
mixture   a marginal field: its components, or its data points, and its path, which is in closed
          form too, or else a table of its schedule
mlp       the weights of a `fmcore.networks.MLP`
lattice   samples of any other callable, and the error between its nodes
"""

from __future__ import annotations

import base64
from dataclasses import asdict
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn

from fmcore.fields import Empirical, GaussianMixture, MarginalField, Wind
from fmcore.models import takes_label
from fmcore.networks import MLP, TwoTimes
from fmcore.networks.embedding import TimeEmbedding
from fmcore.paths import CosinePath, OTPath, ProbabilityPath, VPPath
from fmcore.solvers.tableaus import find_tableau
from fmcore.weights import FlowModel

from ..checks import Box, Method, Span, solver_name
from ..stills.plane import Field, grid, velocity
from ..theme import solver_style
from .lattice import Lattice, fit

_TYPES = {"f8": "<f8", "f4": "<f4", "i2": "<i2", "u1": "u1"}
_ASPECT = 16 / 9  # the stage is seldom wider than this, so the lattice reaches as far
_PATHS = (OTPath, VPPath, CosinePath)  # in closed form in the browser too (its paths.js)
_TABLE = 257  # times at which any other path is tabulated: of sines, a' and b' are 3e-9 off
_CHECKS = 5  # times at which a field in closed form is tried
_PROBES = (12, 256)  # times and points at which a lattice's error is measured


def pack(values: Tensor | np.ndarray, kind: str) -> dict[str, str]:
    """Numbers as base64 of little-endian "f8", "f4" or "i2", or of bytes, "u1"."""
    if isinstance(values, Tensor):
        values = values.detach().cpu().numpy()
    data = np.ascontiguousarray(values).astype(_TYPES[kind])
    return {"type": kind, "base64": base64.b64encode(data.tobytes()).decode("ascii")}


def field_data(
    field: Field, extent: Box, span: Span, resolution: tuple[int, int]
) -> dict[str, Any]:
    """The field as plain data with its form under "kind", ready for JSON.

    Raises TypeError if it is not callable, ValueError if it is not a field of the plane, or not
    finite on `extent` (on the lattice) at a time in `span`.
    """
    data = _exact(field, span)
    if data is None:
        return _sampled(field, extent, span, resolution)
    _try(field, extent, span)
    return data


def _exact(field: Field, span: Span) -> dict[str, Any] | None:
    """The field in closed form or as weights, None if it has neither."""
    as_it_is = isinstance(field, FlowModel) and field.predict == "velocity"
    net = field.net if as_it_is else field
    if isinstance(field, Wind):
        return {"kind": "winds", "wind": field.as_dict()}
    if isinstance(field, MarginalField):
        path = path_data(field.path, span)
        return path and {"kind": "mixture", **distribution_data(field.target), "path": path}
    return _network(net) if type(net) is MLP and not takes_label(net) else None


def solver_data(method: Method, *, adaptive: bool = False) -> dict[str, Any]:
    """A solver as the scripts know it: its tableau, and how it is called and drawn."""
    style = solver_style(method)
    return {
        "id": solver_name(method),
        "label": style.label,
        "color": style.color,
        "marker": style.marker,
        "adaptive": adaptive,
        "tableau": find_tableau(method).as_dict(),
    }


def as_flow_map(name: str, net: nn.Module) -> TwoTimes:
    """The `TwoTimes("MLP")` that `net` is, or a `FlowModel` holds.

    Raises TypeError for any other network, ValueError if it has labels or weights that are not
    finite.
    """
    inner = net.net if isinstance(net, FlowModel) else net
    if not (isinstance(inner, TwoTimes) and isinstance(inner.net, MLP)):
        of = f'("{type(inner.net).__name__}")' if isinstance(inner, TwoTimes) else ""
        raise TypeError(
            f'{name} must be a TwoTimes("MLP") of the plane, which takes two times, got '
            f"{type(inner).__name__}{of}"
        )
    if takes_label(inner):
        raise ValueError(f"{name} must be a network without labels: the figure has none to tell it")
    if not all(weights.isfinite().all() for weights in inner.parameters()):
        raise ValueError(f"{name} has weights that are NaN or infinite")
    return inner


def flow_map_data(net: TwoTimes) -> dict[str, Any]:
    """The weights of `TwoTimes("MLP")`: those of the MLP, and of the embedding of a length."""
    mlp, length = cast(MLP, net.net), net.embed_length
    waves = cast(TimeEmbedding, length[0])
    return {**_network(mlp), "length": _weights(waves, length, _kind(mlp))}


def closed_form(field: MarginalField, extent: Box, span: Span) -> dict[str, Any]:
    """A marginal field as data, "mixture".

    Raises TypeError for another field, ValueError if it is not of the plane, or not in closed form
    or not finite at some time in `span`.
    """
    if not isinstance(field, MarginalField):
        raise TypeError(f"field must be a MarginalField, got {type(field).__name__}")
    data = _exact(field, span)
    if data is None:
        raise ValueError(
            f"field must be a MarginalField whose path is finite on the span {span}, got {field}"
        )
    _try(field, extent, span)
    return data


def distribution_data(target: GaussianMixture | Empirical) -> dict[str, Any]:
    """The components of `target`, packed.

    Raises ValueError unless `target` is in two dimensions.
    """
    if tuple(target.shape) != (2,):
        raise ValueError(f"a figure shows the plane: {target} is not in two dimensions")
    names = "means", "stds", "weights"
    return {name: pack(each, "f8") for name, each in zip(names, components(target), strict=True)}


def components(target: GaussianMixture | Empirical) -> tuple[Tensor, Tensor, Tensor]:
    """Means and standard deviations (K, D) and weights (K,); a data point has a deviation of 0."""
    if isinstance(target, GaussianMixture):
        return target.means, target.stds, target.weights
    weights = torch.full((len(target.points),), 1 / len(target.points), dtype=torch.float64)
    return target.points, torch.zeros_like(target.points), weights


def path_data(path: ProbabilityPath, span: Span) -> dict[str, Any] | None:
    """A path by its name and parameters, or a, b and their derivatives at even times of `span`.

    None if one of these is not finite, as where b falls to 0 like a square root.
    """
    if isinstance(path, _PATHS) and type(path) in _PATHS:  # a subclass may have another schedule
        return {"kind": type(path).__name__, **asdict(path)}
    times = torch.linspace(*span, _TABLE, dtype=torch.float64)
    functions = {"a": path.a, "b": path.b, "da": path.da, "db": path.db}
    table = {
        name: torch.as_tensor(function(times), dtype=torch.float64).expand(_TABLE)
        for name, function in functions.items()
    }
    if not all(values.isfinite().all() for values in table.values()):
        return None
    packed = {name: pack(values, "f8") for name, values in table.items()}
    return {"kind": "table", "span": list(span), **packed}


def _network(net: MLP) -> dict[str, Any]:
    """The weights of a network of the plane, in its own precision."""
    if net.config["dim"] != 2:
        raise ValueError(f"a figure shows the plane, but this MLP has dim={net.config['dim']}")
    return {"kind": "mlp", **_weights(net.embed_time, net.layers, _kind(net))}


def _weights(embed: TimeEmbedding, layers: nn.Sequential, kind: str) -> dict[str, Any]:
    """The frequencies of an embedding, and the linear layers behind it."""
    linear = [layer for layer in layers if isinstance(layer, nn.Linear)]
    return {
        "frequencies": pack(embed.get_buffer("frequencies"), kind),
        "layers": [
            {"weight": pack(layer.weight, kind), "bias": pack(layer.bias, kind)} for layer in linear
        ],
    }


def _kind(net: MLP) -> str:
    return "f8" if net.layers[0].weight.dtype == torch.float64 else "f4"


def _sampled(field: Field, extent: Box, span: Span, resolution: tuple[int, int]) -> dict[str, Any]:
    """The lattice through samples of the field, and its error in between."""
    domain = _widened(extent)
    x, y, times = _nodes(domain, span, resolution)
    samples = np.stack([velocity(field, grid(x, y), t) for t in times])
    samples = samples.reshape(len(times), len(y), len(x), 2)
    if np.ptp(samples, axis=0).max() <= 1e-6 * np.abs(samples).max():
        samples = samples[:1]  # steady
    lattice = fit(samples, domain, span)
    # 16-bit integers take half the space of floats. They round by 1.5e-5 of the largest number,
    # far less than the lattice itself is off.
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


def _error(field: Field, lattice: Lattice, extent: Box, span: Span) -> dict[str, float]:
    """The lattice's distance from the field at random points, relative to the rms speed."""
    random = np.random.default_rng(0)
    low, high = np.array(extent[::2]), np.array(extent[1::2])
    off, speed = [], []
    for t in random.uniform(min(span), max(span), _PROBES[0]):
        points = random.uniform(low, high, (_PROBES[1], 2))
        v = velocity(field, points, float(t))
        off.append(np.linalg.norm(lattice(points, float(t)) - v, axis=1))
        speed.append(np.linalg.norm(v, axis=1))
    unit = float(np.sqrt(np.mean(np.square(speed)))) or 1.0
    return {
        "rms": float(np.sqrt(np.mean(np.square(off)))) / unit,
        "max": float(np.max(off)) / unit,
    }


def _widened(extent: Box) -> Box:
    """The extent with the margin that a wider stage shows, and a little more."""
    xmin, xmax, ymin, ymax = extent
    half = 0.525 * max(xmax - xmin, _ASPECT * (ymax - ymin))
    middle, margin = (xmin + xmax) / 2, 0.025 * (ymax - ymin)
    return middle - half, middle + half, ymin - margin, ymax + margin


def _nodes(domain: Box, span: Span, resolution: tuple[int, int]) -> tuple[np.ndarray, ...]:
    """The nodes along x and y, `resolution[0]` of them on the shorter side, and the times."""
    width, height = domain[1] - domain[0], domain[3] - domain[2]
    step = min(width, height) / (resolution[0] - 1)
    return (
        np.linspace(*domain[:2], round(width / step) + 1),
        np.linspace(*domain[2:], round(height / step) + 1),
        np.linspace(*span, resolution[1]),
    )


def _try(field: Field, extent: Box, span: Span) -> None:
    """Raise ValueError unless the field is finite at some points, also at both ends of time."""
    xmin, xmax, ymin, ymax = extent
    points = grid(np.linspace(xmin, xmax, 5), np.linspace(ymin, ymax, 5))
    for t in np.linspace(*span, _CHECKS):
        velocity(field, points, float(t))
