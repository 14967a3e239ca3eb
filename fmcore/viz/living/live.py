"""The network of a figure of digits, for the reader who asks for it: what the figure is told at
once, and what is sent then."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

from fmcore.metrics.reader import load_reader
from fmcore.networks import UNet
from fmcore.paths import ProbabilityPath
from fmcore.solvers.tableaus import find_tableau
from fmcore.weights import FlowModel

from ..checks import Method
from ..web import web_network
from .bundle import bundle

READABLE = (1, 28, 28)  # the shape of what the judge can read
TIMES = 101


def live(
    model: nn.Module,
    x0: Tensor,
    methods: Iterable[Method],
    worker: str = "net/worker.js",
    serve: str = "serve",
) -> tuple[dict[str, Any], bytes]:
    """What the figure is told, and the bytes that are sent: noises, network, and perhaps the judge.

    `serve` is the function of the module `worker` that answers the figure.

    Both empty if no page can run the model: another network than a `UNet` of grey images, or one
    that predicts something else than the velocity.
    """
    if (
        not isinstance(model, FlowModel)
        or not isinstance(model.net, UNet)
        or model.predict != "velocity"
        or model.net.config["in_channels"] != 1
        or model.net.config["condition_dim"] is not None
    ):
        return {}, b""
    halves = x0.detach().cpu().half().contiguous().numpy().tobytes()
    parts = [halves, web_network(model)]
    if x0.shape[1:] == READABLE:
        parts.append(web_network(load_reader()))
    sent = b"".join(len(part).to_bytes(8, "little") + part for part in parts)
    told = {
        "worker": f"{bundle(worker)}{serve}(self);",
        "bytes": len(sent),
        "classes": model.net.config["num_classes"],
        "tableaus": [find_tableau(method).as_dict() for method in methods],
        "guess": _guess(model.path),
    }
    return told, sent


def _guess(path: ProbabilityPath) -> list[list[float]]:
    """E[x1 | xt] is a sum of xt and the velocity: their weights, at even times."""
    one, none = torch.ones(1, dtype=torch.float64), torch.zeros(1, dtype=torch.float64)
    weights = [
        [path.velocity_to_data(v, x, k / (TIMES - 1)).item() for x, v in ((one, none), (none, one))]
        for k in range(TIMES - 1)
    ]
    return [*weights, [1.0, 0.0]]  # the datum itself
