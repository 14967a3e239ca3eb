"""Small trainings: networks, pictures, points and settings."""

import torch

from fmcore.data import ImageData, toy
from fmcore.networks import UNet
from fmcore.paths import OTPath
from fmcore.training import TrainConfig, fit


def config(**kwargs):
    return TrainConfig(**{"steps": 6, "batch_size": 8, "log_every": 2, "progress": False, **kwargs})


def unet(seed=0, **kwargs):
    torch.manual_seed(seed)
    return UNet(**{"base": 8, "time_dim": 16, "groups": 4, **kwargs})


def pictures(n=32, size=8):
    g = torch.Generator().manual_seed(5)
    pixels = torch.randint(0, 256, (n, 1, size, size), generator=g, dtype=torch.uint8)
    return ImageData(pixels, torch.randint(0, 10, (n,), generator=g), "noise", "test")


def train(model, data, cfg, path=OTPath(), **kwargs):  # noqa: B008 - frozen
    return list(fit(model, path, data, cfg, **kwargs))


def toy_data():
    return toy("two_moons", 64, generator=torch.Generator().manual_seed(0))
