"""Networks for a page, and what the scripts answer about them, in Node and in Chromium."""

import base64
from pathlib import Path

import torch

from fmcore.networks import MLP, UNet
from fmcore.paths import OTPath
from fmcore.weights import FlowModel

RUNNER = (Path(__file__).parent / "net_runner.mjs").read_text("utf-8")
KINDS = ("relaxed", "simd", "plain")


def unet(shape, **options):
    """A network whose norms and biases are no longer those of the start."""
    return shaken(lambda: UNet(in_channels=shape[0], **options), shape)


def mlp(**options):
    return shaken(lambda: MLP(**options), (options["dim"],))


def shaken(build, shape):
    with torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(0)
        net, g = build(), torch.Generator().manual_seed(3)
        for p in net.parameters():
            p.add_(0.1 * torch.randn(p.shape, generator=g) * (1 if p.ndim == 1 else p.std()))
    return FlowModel(net.eval(), OTPath(), shape)


def job(what, file, x, **more):
    """A job about pictures `x` (n, C, H, W) for a network in a file."""
    height, width = x.shape[-2:]
    about = {"job": what, "file": base64.b64encode(file).decode(), "height": height, "width": width}
    return {**about, "x": x.flatten(1).tolist(), **more}


# Networks of each kind: the shape of what they see, and a label for each of three images.
NETWORKS = {
    "two levels": (lambda: unet((1, 28, 28), base=16), (1, 28, 28), None),
    "three levels, classes": (
        lambda: unet((1, 28, 28), base=8, groups=4, levels=3, num_classes=10),
        (1, 28, 28),
        torch.tensor([3, 10, 0]),
    ),
    "colours, odd widths": (
        lambda: unet((3, 10, 6), base=6, groups=3, time_dim=20, film_silu=False),
        (3, 10, 6),
        None,
    ),
    "four levels, vectors": (
        lambda: unet((2, 16, 24), base=8, groups=4, levels=4, condition_dim=2),
        (2, 16, 24),
        torch.tensor([[0.5, -1.0], [torch.nan, torch.nan], [0.0, 2.0]]),
    ),
    "points": (lambda: mlp(dim=2, hidden=24), (2,), None),
    "points, classes": (
        lambda: mlp(dim=3, hidden=21, depth=2, num_classes=4),
        (3,),
        torch.tensor([3, 4, 0]),
    ),
}
