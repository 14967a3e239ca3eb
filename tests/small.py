"""Small things that the tests of several rooms share: networks, data, settings."""

import torch

from fmcore.data import ImageData, toy
from fmcore.networks import UNet
from fmcore.training import TrainConfig


def gen(seed=0):
    return torch.Generator().manual_seed(seed)


def unet(seed=0, **kwargs):
    torch.manual_seed(seed)
    return UNet(**{"base": 8, "time_dim": 16, "groups": 4, **kwargs})


def noise(*shape, seed=1):
    return torch.randn(*shape, generator=gen(seed))


class Linear(torch.nn.Module):
    """v = rate x + label: from x0 the flow goes to x0 e^rate + label (e^rate - 1) / rate."""

    def __init__(self, rate):
        super().__init__()
        self.rate, self.calls = torch.nn.Parameter(torch.tensor(rate)), []

    def forward(self, x, t, label=None):
        self.calls.append(len(x))
        shift = 0 if label is None else label.to(x.dtype)[:, None, None, None]
        return self.rate * x + shift


def pictures(n=32, size=8, seed=5):
    g = gen(seed)
    pixels = torch.randint(0, 256, (n, 1, size, size), generator=g, dtype=torch.uint8)
    return ImageData(pixels, torch.randint(0, 10, (n,), generator=g), "noise", "test")


def points(name="two_moons", n=64):
    return toy(name, n, generator=gen())


def config(**kwargs):
    """A few steps, with reports in between."""
    return TrainConfig(**{"steps": 6, "batch_size": 8, "log_every": 2, "progress": False, **kwargs})


def weights(model):
    """All of a network's weights, one after the other."""
    return torch.cat([p.detach().flatten() for p in model.parameters()])
