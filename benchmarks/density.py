"""What does a likelihood cost next to a sample, exactly and by random signs? And with torchdiffeq?

    python benchmarks/density.py            a few minutes; writes benchmarks/results/density.json
    python benchmarks/density.py --quick    seconds; writes nothing

The rival in every race is the bare solve of the same field from the same points by the same number
of steps of RK4, without a density: a ratio of 3 means that the likelihood costs three samples. The
peer carries (x, log-density) through torchdiffeq and takes the divergence as its example of a
continuous normalizing flow does: one backward pass a dimension, or one for signs that it keeps.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from functools import partial

import torch
import torchdiffeq
from solvers import Network, race
from torch import Tensor, nn

from fmcore.density import log_likelihood
from fmcore.networks import UNet
from fmcore.results import keep, origin, results_folder
from fmcore.solvers import odeint

RESULTS = results_folder() / "density.json"


class Convolution(nn.Module):
    """A cheap field of images: one 3 x 3 convolution and tanh."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Conv2d(1, 1, 3, padding=1)

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        return torch.tanh(self.layer(x)) + t * torch.sin(x)


# --- the contenders: each maps (v, x1) to a tensor -----------------------------------------------


def sample(v: Callable, x1: Tensor, steps: int) -> Tensor:
    return odeint(v, x1, (1.0, 0.0), method="rk4", steps=steps).x


def fmcore(v: Callable, x1: Tensor, steps: int, divergence: str) -> Tensor:
    g = torch.Generator().manual_seed(0) if divergence == "hutchinson" else None
    settings = dict(method="rk4", steps=steps, generator=g)
    return log_likelihood(v, x1, divergence=divergence, **settings).log_prob


def peer(v: Callable, x1: Tensor, steps: int, divergence: str) -> Tensor:
    g = torch.Generator().manual_seed(0)
    signs = (2 * torch.randint(2, x1.shape, generator=g) - 1).to(x1)

    def both(t: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        with torch.enable_grad():
            x = state[0].detach().requires_grad_()
            velocity = v(x, t)
            if divergence == "hutchinson":
                (row,) = torch.autograd.grad((velocity * signs).sum(), x)
                div = (row * signs).flatten(1).sum(1)
            else:
                div = torch.zeros(len(x))
                for i in range(x[0].numel()):
                    number = velocity.flatten(1)[:, i].sum()
                    (row,) = torch.autograd.grad(number, x, retain_graph=True)
                    div = div + row.flatten(1)[:, i]
        return velocity.detach(), div.detach()

    start, span = (x1, torch.zeros(len(x1))), torch.tensor([1.0, 0.0])
    x0, back = torchdiffeq.odeint(both, start, span, method="rk4", options={"step_size": 1 / steps})
    x0, back = x0[-1].flatten(1), back[-1]
    return -0.5 * (x0.square() + math.log(2 * math.pi)).sum(1) + back


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a smoke test that writes nothing")
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--patience", type=float, default=30.0, help="seconds for a race")
    args = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    rounds, patience = (1, 0.0) if args.quick else (args.rounds, args.patience)

    both = ("exact", "hutchinson")
    arenas = [
        ("MLP, points", Network(), (256, 2), 10, both),
        ("convolution, 8 x 8", Convolution(), (16, 1, 8, 8), 10, both),
    ]
    if not args.quick:
        unet = UNet(base=16, time_dim=32, groups=4)
        arenas += [("U-Net, 28 x 28", unet, (4, 1, 28, 28), 2, ("hutchinson",))]
    rows = []
    for name, v, shape, steps, methods in arenas:
        x1 = torch.randn(shape, generator=torch.Generator().manual_seed(1))
        contenders = {"sample": partial(sample, steps=steps)}
        for method in methods:
            settings = dict(steps=steps, divergence=method)
            contenders[f"fmcore, {method}"] = partial(fmcore, **settings)
            contenders[f"torchdiffeq, {method}"] = partial(peer, **settings)
            gap = (fmcore(v, x1, **settings) - peer(v, x1, **settings)).abs().max().item()
            print(f"{name}, {method}: log-likelihoods differ by up to {gap:.1e}")
        for row in race(contenders, v, x1, rounds, patience):
            rows.append({"field": name, "shape": shape, "steps": steps, **row})
            print(f"  {row['solver']:24}{row['milliseconds']:9.1f} ms{row['ratio']:8.2f} samples")

    if not args.quick:
        keep(RESULTS, origin(seed=0) | {"torchdiffeq": torchdiffeq.__version__}, rows)


if __name__ == "__main__":
    with torch.no_grad():
        main()
