"""The reference script's own way to train, for the benchmarks that stand beside it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
import torchvision
from torch import nn
from torchvision import transforms
from whole import whole_mnist

from fmcore.paths import ProbabilityPath


def steps(
    net: nn.Module,
    path: ProbabilityPath,
    loss: Callable,
    *,
    batch: int,
    lr: float,
    device: str,
    workers: int = 0,
) -> Iterator[None]:
    """One training step after the other, without end.

    A DataLoader decodes image by image, all is eager and float32, and the average over the state
    dict is taken tensor by tensor; the loss is looked at every 200 steps.
    """
    average = {name: value.clone() for name, value in net.state_dict().items()}
    to_tensor = transforms.Compose([transforms.ToTensor(), transforms.Normalize(0.5, 0.5)])
    dataset = torchvision.datasets.MNIST(whole_mnist().source, transform=to_tensor)
    loader = torch.utils.data.DataLoader(
        dataset, batch_size=batch, shuffle=True, drop_last=True, num_workers=workers
    )
    optimizer = torch.optim.AdamW(net.parameters(), lr)
    g, step = torch.Generator(device).manual_seed(0), 0
    while True:
        for x1, _ in loader:
            value = loss(net, path, x1.to(device), generator=g)
            optimizer.zero_grad()
            value.backward()
            optimizer.step()
            with torch.no_grad():
                for name, weight in net.state_dict().items():
                    average[name].mul_(0.999).add_(weight, alpha=0.001)
            if step % 200 == 0:
                value.item()
            step += 1
            yield
