"""What makes a flow straighter, and what is it good for? Optimal transport and reflow, small.

    python benchmarks/straighter.py            writes results/straighter.json: 15 minutes of a core
    python benchmarks/straighter.py --quick    a smoke test that writes nothing

Two questions, each with three seeds and on one thread.

Digits, 14 x 14 pixels (MNIST, averaged over squares of four), by a U-Net with 16 channels. Four
flows: "independent" pairs; "ot", optimal transport within each batch of 128; "reflow 1", trained on
4,096 pairs of the independent flow (six midpoint steps) from its weights; "reflow 2", the same
from reflow 1. Judged are 500 samples of Euler steps, enlarged to 28 x 28: the Fréchet distance
to test images that went through the same reduction. (`readable` is no use here: it rejects even
real digits that were reduced.) Straightness and path length are those of 100 noises by 10 midpoint
steps.

Dimension: eight Gaussians in the first two coordinates and N(0, 0.25) in the others, by an MLP,
with independent pairs and with optimal transport in groups of 64.

A training that is in the results is not made again.
"""

from __future__ import annotations

import argparse
import base64
import copy
import io
import json
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, interpolate
from whole import whole_mnist

from fmcore.couplings import FixedPairs, MinibatchOT, reflow_pairs
from fmcore.data import toy
from fmcore.images import image_grid, to_unit
from fmcore.losses import cfm_loss, stratified_times
from fmcore.metrics import (
    frechet_distance,
    load_classifier,
    path_length,
    straightness,
)
from fmcore.networks import MLP, UNet
from fmcore.paths import OTPath
from fmcore.results import keep, origin, results_folder
from fmcore.sampling import generate
from fmcore.training import TrainConfig, fit

PLAN = TrainConfig(
    steps=700, batch_size=128, lr=4e-3, warmup=50, schedule="cosine", ema=0.99, progress=False
)
AGAIN = replace(PLAN, steps=350, lr=2e-3)  # of a network that has been trained before
PAIRS, TEACHER = 4_096, dict(method="midpoint", steps=6)
NFES = (1, 2, 4, 8)
POINTS = replace(PLAN, steps=700, batch_size=256, lr=1e-2)
LOSS = partial(cfm_loss, times=stratified_times)


def reduced(pixels: Tensor) -> Tensor:
    """Images of 28 x 28 bytes as 14 x 14 numbers in [-1, 1]."""
    return avg_pool2d(to_unit(pixels), 2)


def enlarged(images: Tensor) -> Tensor:
    """Back to 28 x 28, for those who judge."""
    return interpolate(images.clamp(-1, 1), scale_factor=2, mode="bilinear").clamp(-1, 1)


def train(net: nn.Module, data: Tensor, config: TrainConfig, couple=None) -> tuple:
    """The averaged network, its last loss, and the seconds of the processor."""
    start = time.process_time()
    *_, last = fit(net, OTPath(), data, config, loss=LOSS, couple=couple)
    v = last.ema.eval().requires_grad_(False)
    return v, {"loss": last.loss, "seconds": round(time.process_time() - start, 1)}


def shape_of(v: nn.Module, x0: Tensor, steps: int) -> dict:
    """How straight a flow is."""
    return {
        "straightness": straightness(v, x0, steps=steps),
        "relative_length": path_length(v, x0, steps=steps, relative=True),
    }


class Jury:
    """The Fréchet distance of reduced digits from test images; its floor is that of new images."""

    @torch.no_grad()
    def __init__(self, train: Tensor, test: Tensor, n: int):
        self.classifier, self.n = load_classifier(), n
        self.test = self.features(test)
        self.floor = frechet_distance(self.features(train[-n:]), self.test)

    @torch.no_grad()
    def features(self, images: Tensor) -> Tensor:
        return torch.cat([self.classifier.features(enlarged(x)) for x in images.split(500)])

    @torch.no_grad()
    def __call__(self, v: nn.Module) -> tuple[dict, dict]:
        """The distance by the number of Euler steps, and the first samples of each."""
        x0 = torch.randn(self.n, 1, 14, 14, generator=torch.Generator().manual_seed(7))
        scores, pictures = {}, {}
        for nfe in NFES:
            images = generate(v, self.n, method="euler", steps=nfe, x0=x0)
            scores[str(nfe)] = frechet_distance(self.features(images), self.test)
            pictures[str(nfe)] = picture(images[:10])
        return scores, pictures


def picture(images: Tensor) -> str:
    """The images side by side as a PNG, in the letters of base64."""
    file, pixels = io.BytesIO(), image_grid(images, columns=len(images))
    Image.fromarray(pixels[..., 0].numpy()).save(file, "png", optimize=True)
    return base64.b64encode(file.getvalue()).decode()


def digits(seed: int, train_images: Tensor, jury: Jury, quick: bool) -> list[dict]:
    """The four flows of one seed."""
    plan, again = (replace(c, seed=seed, steps=3 if quick else c.steps) for c in (PLAN, AGAIN))
    pairs = 256 if quick else PAIRS
    torch.manual_seed(seed)  # the initial weights
    net = UNet(base=16, time_dim=64)
    rows, x0 = [], torch.randn(100, 1, 14, 14, generator=torch.Generator().manual_seed(8))

    def judged(name: str, v: nn.Module, about: dict, lines: float) -> None:
        scores, pictures = jury(v)
        row = {"what": "digits", "flow": name, **origin(seed=seed), **about}
        row |= {"pairs_cost": lines, **shape_of(v, x0, 2 if quick else 10)}
        row |= {"frechet": scores, "frechet_floor": jury.floor}
        rows.append(row | ({"digits": pictures} if seed == 0 else {}))
        print(
            f"{name:<12} seed {seed}  {row['seconds']:5.0f} s  S {row['straightness']:7.2f}  "
            f"Fréchet {[round(f, 2) for f in row['frechet'].values()]}",
            flush=True,
        )

    g = torch.Generator().manual_seed(seed)
    some = train_images[torch.randperm(len(train_images), generator=g)[:1280]]
    noise = torch.randn(some.shape, generator=g)
    batches = zip(noise.split(128), some.split(128), strict=True)
    joined = torch.cat([MinibatchOT()(a, b)[0] for a, b in batches])
    v, about = train(copy.deepcopy(net), train_images, plan)
    judged("independent", v, about, cost(noise, some))
    by_ot, about_ot = train(copy.deepcopy(net), train_images, plan, MinibatchOT())
    judged("ot", by_ot, about_ot, cost(joined, some))
    for k in (1, 2):
        g = torch.Generator().manual_seed(100 * k + seed)
        start = time.process_time()
        a, b = reflow_pairs(v, pairs, shape=(1, 14, 14), generator=g, **TEACHER)
        spent = time.process_time() - start
        v, about = train(copy.deepcopy(v).requires_grad_(True), b, again, FixedPairs(a, b))
        about["seconds_of_pairs"] = round(spent, 1)
        judged(f"reflow {k}", v, about, cost(a, b))
    return rows


def cost(x0: Tensor, x1: Tensor) -> float:
    """The mean squared distance of pairs."""
    return (x1 - x0).flatten(1).square().sum(1).mean().item()


class Groups:
    """Optimal transport within groups of `size` of the batch; of 1, the pairs as they are."""

    def __init__(self, size: int):
        self.size = size

    def __call__(self, x0, x1, label=None, generator=None):
        groups = zip(x0.split(self.size), x1.split(self.size), strict=True)
        return torch.cat([MinibatchOT()(a, b)[0] for a, b in groups]), x1, label


def dimension(dim: int, size: int, seed: int, quick: bool) -> dict:
    """One training in `dim` dimensions, with pairs of groups of `size`."""
    g = torch.Generator().manual_seed(seed)
    ring, rest = (
        toy("eight_gaussians", 20_000, generator=g),
        torch.randn(20_000, dim - 2, generator=g),
    )
    data = torch.cat([ring, 0.5 * rest], dim=1)
    torch.manual_seed(seed)
    config = replace(POINTS, seed=seed, steps=3 if quick else POINTS.steps)
    v, about = train(MLP(dim=dim, hidden=128, time_dim=16), data, config, Groups(size))
    noise = torch.randn(2560, dim, generator=g)
    x0 = Groups(size)(noise, data[:2560])[0]
    row = {"what": "dimension", "dim": dim, "group": size, **origin(seed=seed), **about}
    row |= {"pairs_cost": cost(x0, data[:2560]), **shape_of(v, noise[:1000], 40)}
    print(f"dim {dim:3} group {size:3} seed {seed}  S {row['straightness']:.3f}", flush=True)
    return row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--out", type=Path, default=results_folder() / "straighter.json")
    parser.add_argument("--quick", action="store_true", help="a smoke test that writes nothing")
    args = parser.parse_args()
    torch.set_num_threads(1)
    train_images, test_images = (reduced(whole_mnist(s).pixels) for s in ("train", "test"))
    jury = Jury(
        train_images, test_images[: 500 if args.quick else 5_000], 200 if args.quick else 500
    )
    rows = json.loads(args.out.read_text())["rows"] if args.out.is_file() else []
    known = [] if args.quick else rows
    about = {"plan": repr(PLAN), "again": repr(AGAIN), "points": repr(POINTS), "threads": 1}

    def missing(**what) -> bool:
        return not any(all(row.get(k) == v for k, v in what.items()) for row in known)

    for seed in args.seeds[:1] if args.quick else args.seeds:
        for dim in (2, 8, 32):
            for size in (1, 64):
                if missing(what="dimension", dim=dim, group=size, seed=seed):
                    rows.append(dimension(dim, size, seed, args.quick))
        if missing(what="digits", seed=seed):
            rows += digits(seed, train_images, jury, args.quick)
        if not args.quick:
            keep(args.out, about, rows)


if __name__ == "__main__":
    main()
