"""Do the small trainings of chapter 9 come out so again? `python benchmarks/small_runs.py`

Two experiments that the chapter makes once, with its own numbers, are made here over seeds:

- *walk*: the shipped network is trained on, 48 steps of eight images, at half, once and twice a
  constant rate of 1e-3; three seeds. Is the average of its weights ahead of them?
- *weight*: small networks on images of half the side, trained with times drawn evenly, weighted by
  t (1 - t), or logit-normal; four seeds, 100 and 150 steps. What does a weight gain in the middle,
  and what does it pay at the ends?

Some five minutes on one CPU core; writes results/small_runs.json.
"""

from __future__ import annotations

import copy

import torch
from torch import Tensor
from whole import whole_mnist

from fmcore.images import to_unit
from fmcore.losses import cfm_loss, reference_weight
from fmcore.networks import UNet
from fmcore.paths import OTPath
from fmcore.results import keep, origin, results_folder
from fmcore.training import TrainConfig, fit
from fmcore.weights import load_pretrained

PATH = OTPath()
TIMES = {  # how a uniform number becomes a time, and what that time weighs
    "uniform": (lambda u: u, torch.ones_like),
    "t (1 - t)": (lambda u: u, reference_weight),
    "logit-normal": (lambda u: torch.special.ndtri(u).sigmoid(), torch.ones_like),
}


@torch.no_grad()
def loss_of(v, fresh: Tensor) -> float:
    """The loss on test images and fixed noises, at times spread evenly over [0, 1]."""
    n = len(fresh)
    noise = torch.randn(fresh.shape, generator=torch.Generator().manual_seed(1))
    return cfm_loss(v, PATH, fresh, x0=noise, t=(torch.arange(n) + 0.5) / n).item()


def walk(rate: float, seed: int, fresh: Tensor) -> dict:
    """Losses of the weights and of their average on three occasions."""
    net = copy.deepcopy(load_pretrained("mnist").net).requires_grad_()
    config = TrainConfig(
        steps=48, batch_size=8, lr=rate, label_dropout=0.5, log_every=16, progress=False, seed=seed
    )
    looks = [
        {"step": p.step, "weights": loss_of(net, fresh), "average": loss_of(p.ema, fresh)}
        for p in fit(net, PATH, whole_mnist(), config)
    ]
    before = loss_of(load_pretrained("mnist"), fresh)
    ahead = sum(look["average"] < look["weights"] for look in looks)
    return {"what": "walk", "rate": rate, "before": before, "looks": looks, "ahead": ahead}


def short_run(name: str, seed: int, steps: int, half: Tensor, half_test: Tensor) -> dict:
    """The plain loss at the beginning, in the middle and at the end of the way."""
    when, weight = TIMES[name]
    torch.manual_seed(seed)
    g, net = torch.Generator().manual_seed(seed), UNet(base=8)
    optimizer = torch.optim.AdamW(net.parameters(), lr=4e-3, fused=True)
    decay = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for _ in range(steps):
        x1 = half[torch.randint(len(half), (32,), generator=g)]
        t = when(torch.rand(32, generator=g))
        loss = cfm_loss(net, PATH, x1, t=t, weight=weight(t), generator=g)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        decay.step()
    noise = torch.randn(half_test.shape, generator=torch.Generator().manual_seed(3))

    def at(*times: float) -> float:
        with torch.no_grad():
            each = [cfm_loss(net, PATH, half_test, x0=noise, t=t).item() for t in times]
        return sum(each) / len(each)

    return {"what": "weight", "times": name, "steps": steps,
            "first": at(0.0), "middle": at(0.4, 0.5, 0.6), "last": at(0.9, 0.95)}  # fmt: skip


def main() -> None:
    fresh, rows = to_unit(whole_mnist("test").pixels[:256]), []
    half, half_test = (
        torch.nn.functional.avg_pool2d(x, 2)
        for x in (to_unit(whole_mnist().pixels[:20_000]), fresh[:96])
    )
    for rate in (5e-4, 1e-3, 2e-3):
        for seed in range(3):
            rows.append(origin(seed=seed) | walk(rate, seed, fresh[:64]))
            print(
                f"rate {rate:g}, seed {seed}: the average is ahead {rows[-1]['ahead']} times of 3"
            )
    for steps in (100, 150):
        for seed in range(4):
            for name in TIMES:
                rows.append(origin(seed=seed) | short_run(name, seed, steps, half, half_test))
                print({k: rows[-1][k] for k in ("times", "steps", "first", "middle", "last")})
    keep(results_folder() / "small_runs.json", origin(), rows)


if __name__ == "__main__":
    main()
