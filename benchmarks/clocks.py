"""How should a small network be told the time? The learning rate is swept for each contestant.

    python benchmarks/clocks.py            writes results/clocks.json
    python benchmarks/clocks.py --quick    a smoke test that writes nothing

Chapter 8 explains it and runs one slice. On a line, with data at two narrow clusters, the exact
velocity field is known. The same network learns it from exact velocities, told the time in five
ways: the bare number, the number rescaled to [-2, 2], and waves of three scales. The contestants
of one seed have the same initial weights and the same points. The error is the root mean square
distance to the exact field over times from 0 to 0.98.

About fifteen minutes on a quiet CPU core.
"""

from __future__ import annotations

import argparse
import math

import torch
from torch import Tensor, nn

from fmcore import MLP, GaussianMixture, MarginalField, OTPath
from fmcore.networks import TimeEmbedding
from fmcore.results import keep, origin, results_folder

PATH = OTPath()
TWO = GaussianMixture([[-1.0], [1.0]], stds=0.1)
FIELD = MarginalField(TWO, PATH)
RATES = (2.5e-3, 5e-3, 1e-2, 2e-2, 4e-2, 8e-2, 0.16, 0.32)
STEPS = (400, 3200)


class Number(nn.Module):
    """The number gain (t - middle), and 31 zeros."""

    def __init__(self, gain: float, middle: float):
        super().__init__()
        self.gain, self.middle = gain, middle

    def forward(self, t: Tensor) -> Tensor:
        return nn.functional.pad(self.gain * (t[:, None] - self.middle), (0, 31))


CLOCKS = {
    "t": Number(1.0, 0.0),
    "4 (t - 1/2)": Number(4.0, 0.5),
    "s = 2 pi": TimeEmbedding(32, 2 * math.pi),
    "s = 20": TimeEmbedding(32, 20.0),
    "s = 1000": TimeEmbedding(32, 1000.0),
}


def contestant(clock: nn.Module, seed: int) -> nn.Module:
    torch.manual_seed(seed)  # the initial weights
    net = MLP(dim=1, hidden=64, depth=2, time_dim=32)
    net.embed_time = clock
    return net


def points(t: Tensor, g: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
    x0, x1 = torch.randn(len(t), 1, generator=g), TWO.sample(len(t), generator=g)
    xt, _ = PATH.sample(x0, x1, t)
    return xt, t, FIELD(xt, t)


def train(net: nn.Module, seed: int, lr: float, steps: int = 400, batch: int = 64) -> nn.Module:
    g = torch.Generator().manual_seed(100 + seed)
    optimizer = torch.optim.Adam(net.parameters(), lr=lr, fused=True)
    decay = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    pool = points(torch.rand(steps * batch, generator=g), g)
    for xt, t, ut in zip(*(part.split(batch) for part in pool), strict=True):
        loss = (net(xt, t) - ut).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        decay.step()
    return net


@torch.no_grad()
def error(net: nn.Module) -> float:
    times = torch.linspace(0, 0.98, 50).repeat_interleave(500)
    xt, t, ut = points(times, torch.Generator().manual_seed(0))
    return (net(xt, t) - ut).square().mean().sqrt().item()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a smoke test that writes nothing")
    quick = parser.parse_args().quick
    torch.set_num_threads(1)
    rows = []
    for steps in (20,) if quick else STEPS:
        for name, clock in CLOCKS.items():
            for lr in RATES[:1] if quick else RATES:
                for seed in range(1 if quick else 3):
                    net = train(contestant(clock, seed), seed, lr, steps)
                    row = {"clock": name, "steps": steps, "lr": lr, "error": error(net)}
                    rows.append(origin(seed=seed) | row)
                    print(f"{steps:5} {name:<12} {lr:7.4f} {seed}  {row['error']:.3f}", flush=True)
    if not quick:
        keep(results_folder() / "clocks.json", {}, rows)


if __name__ == "__main__":
    main()
