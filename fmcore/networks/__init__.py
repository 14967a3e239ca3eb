"""Networks of chapters 8 and 11: velocity fields and flow maps that can be trained."""

from torch import nn

from fmcore.networks.blocks import ResBlock
from fmcore.networks.embedding import ConditionEmbedding, TimeEmbedding
from fmcore.networks.mlp import MLP
from fmcore.networks.two_times import TwoTimes
from fmcore.networks.unet import UNet
from fmcore.tables import Table


def _check_network(name: str, network: type[nn.Module]) -> None:
    if not (isinstance(network, type) and issubclass(network, nn.Module)):
        raise TypeError(f"network {name!r} must be a subclass of torch.nn.Module, got {network!r}")
    if network.__name__ != name:
        raise ValueError(f"{network.__name__} must be called that in NETWORKS, not {name!r}")


NETWORKS: Table[type[nn.Module]] = Table(
    "network", _check_network, UNet=UNet, MLP=MLP, TwoTimes=TwoTimes
)
"""The networks by name. Weight files find a network here; its `config` builds it anew.

One of your own is a class whose `config` holds the arguments it was built with. Added by

    @fmcore.NETWORKS.register
    class MyNet(nn.Module): ...

it can be saved, and loaded wherever the same lines have run before: a file brings no code.
"""

__all__ = [
    "MLP", "NETWORKS", "ConditionEmbedding", "ResBlock", "TimeEmbedding", "TwoTimes", "UNet",
]  # fmt: skip
