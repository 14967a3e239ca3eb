"""A network of one time with a second clock: the mean velocity of a flow map."""

from __future__ import annotations

import math
from typing import Any, Self, cast

from torch import Tensor, nn

from fmcore.checks import like_weights, one_of
from fmcore.models import time_pair
from fmcore.networks.embedding import TimeNetwork
from fmcore.networks.mlp import MLP
from fmcore.networks.unet import UNet

__all__ = ["TwoTimes"]

ONE_TIME = {"UNet": UNet, "MLP": MLP}
SLOW = 2 * math.pi
"""The scale of the clocks: most rules differentiate in the times, and fast waves drown the rest."""


class TwoTimes(nn.Module):
    """The mean velocity `net(x, s, t, label=None)` of a jump from time s to time t >= s.

    The network inside has the clock s, and a second one tells it the length t - s of the jump: one
    more embedding, added to the first. At the start it adds 0, so that u(x, s, t) = v(x, s): a
    trained velocity network is a good start (`TwoTimes.from_one`). `of` is "UNet" or "MLP", and
    `arguments` are those of that class; a `time_scale` that is left out is 2 pi, which the second
    clock has in any case. `s` and `t` are numbers, 0-d or `(B,)`.

    Raises `ValueError` for another network (`from_one`: `TypeError`), for times outside [0, 1] and
    s > t, and as the network inside does.

    >>> import torch
    >>> TwoTimes("MLP", hidden=8)(torch.zeros(3, 2), 0.0, 1.0).shape
    torch.Size([3, 2])
    >>> v = UNet(base=8)
    >>> u, x = TwoTimes.from_one(v), torch.ones(2, 1, 28, 28)
    >>> torch.equal(u(x, 0.25, 1.0), v(x, 0.25))
    True
    """

    two_times = True

    def __init__(self, of: str = "UNet", **arguments: Any):
        super().__init__()
        arguments = {"time_scale": SLOW} | arguments
        self.net = ONE_TIME[one_of("of", of, ONE_TIME)](**arguments)
        self.config: dict[str, Any] = {"of": of, **self.net.config}
        self.embed_length = TimeNetwork(self.net.config["time_dim"], SLOW)
        last = cast(nn.Linear, self.embed_length[-1])
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)

    @classmethod
    def from_one(cls, net: UNet | MLP) -> Self:
        """A network that begins where `net`, of one time, stands; `net` is left as it is."""
        if type(net).__name__ not in ONE_TIME:
            raise TypeError(f"net must be one of {[*ONE_TIME]}, got {type(net).__name__}")
        weight = next(net.parameters())
        two = cls(type(net).__name__, **net.config).to(weight.device, weight.dtype)
        two.net.load_state_dict(net.state_dict())
        return two

    def forward(
        self, x: Tensor, s: float | Tensor, t: float | Tensor, label: Tensor | None = None
    ) -> Tensor:
        x = like_weights("x", x, next(self.parameters()))
        s, t = time_pair((s, t), x)
        return self.net(x, s, label, also=self.embed_length(t - s))
