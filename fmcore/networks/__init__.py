"""Networks of chapter 8: velocity fields v(x, t) that can be trained."""

from torch import nn

from fmcore.networks.blocks import ResBlock
from fmcore.networks.embedding import ConditionEmbedding, TimeEmbedding
from fmcore.networks.mlp import MLP
from fmcore.networks.unet import UNet
from fmcore.tables import Table


def _check_network(name: str, network: type[nn.Module]) -> None:
    if not (isinstance(network, type) and issubclass(network, nn.Module)):
        raise TypeError(f"network {name!r} must be a subclass of torch.nn.Module, got {network!r}")
    if network.__name__ != name:
        raise ValueError(f"network {network.__name__} must be called so in NETWORKS, not {name!r}")


NETWORKS: Table[type[nn.Module]] = Table("network", _check_network, UNet=UNet, MLP=MLP)
"""The networks by name. Weight files find a network here; its `config` builds it anew."""

__all__ = ["MLP", "NETWORKS", "ConditionEmbedding", "ResBlock", "TimeEmbedding", "UNet"]
