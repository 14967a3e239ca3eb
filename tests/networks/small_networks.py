"""Small networks, and noise to try them on."""

import torch


def noise(*shape, seed=1):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))
