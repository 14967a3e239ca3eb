"""Train LeNet-5, the second yardstick, and lay it on images we know: `python benchmarks/lenet.py`.

The recipe is that of the tutorials, nothing is tuned: Adam, batches of 128, 15 epochs, no
augmentation, pixels in [-1, 1]. The last epoch is taken, and the test images are seen once, after
it. Writes the weights, the mean and the covariance of the features of MNIST, and
`results/lenet.json`: a row on the network, then rows on what real images get, and real images that
were spoilt. A few minutes on one CPU core.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import time
from pathlib import Path

import torch
from classifier import accuracy, write
from lenet5 import FOLDER, LeNet5, lenet_moments
from torch import Tensor, nn
from whole import whole_mnist

from fmcore.data import ImageData
from fmcore.images import from_unit, to_unit
from fmcore.metrics.distances import between_normals
from fmcore.metrics.judge import glued
from fmcore.results import keep, origin, results_folder

RESULTS = results_folder() / "lenet.json"
NOISE = (0.02, 0.05, 0.1)


def spread(pixels: Tensor, n: int) -> Tensor:
    """`n` of the images, evenly spread over all of them."""
    return pixels[torch.linspace(0, len(pixels) - 1, n).round().long()]


def noisy(pixels: Tensor, sigma: float, seed: int = 0) -> Tensor:
    """With Gaussian noise of that standard deviation in [-1, 1], rounded to bytes again."""
    g = torch.Generator().manual_seed(seed)
    return from_unit(to_unit(pixels) + sigma * torch.randn(pixels.shape, generator=g))


def known(train: Tensor, test: ImageData, n: int) -> dict[str, Tensor]:
    """Images of which it is known what they are, bytes: `n` of them, and a fifth of that many."""
    real, g = spread(train, n), torch.Generator().manual_seed(0)
    halves = glued(test.pixels, test.labels)
    return {
        "training images": real,
        "training images, a fifth as many": spread(train, n // 5),
        **{f"training images, noise {sigma}": noisy(real, sigma) for sigma in NOISE},
        "uniform noise": torch.randint(256, real.shape, generator=g, dtype=torch.uint8),
        "halves of two test images": spread(halves, n),
    }


def train(pixels: Tensor, labels: Tensor, args: argparse.Namespace) -> LeNet5:
    torch.manual_seed(args.seed)
    g = torch.Generator().manual_seed(args.seed)
    lenet = LeNet5()
    optimizer = torch.optim.Adam(lenet.parameters(), args.lr)
    for epoch in range(args.epochs):
        start, total = time.perf_counter(), 0.0
        for rows in torch.randperm(len(pixels), generator=g).split(args.batch):
            loss = nn.functional.cross_entropy(lenet(to_unit(pixels[rows])), labels[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item() * len(rows)
        seconds = time.perf_counter() - start
        print(f"epoch {epoch + 1}, {seconds:.0f} s, loss {total / len(pixels):.4f}", flush=True)
    return lenet.eval().requires_grad_(False)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=15)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--n", type=int, default=10_000, help="images a row")
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--weights", type=Path, default=FOLDER / "weights.safetensors")
    parser.add_argument("--statistics", type=Path, default=FOLDER / "statistics.safetensors")
    args = parser.parse_args()

    data, test = whole_mnist(), whole_mnist("test")
    start = time.perf_counter()
    lenet = train(data.pixels, data.labels, args)
    about = origin(seed=args.seed)
    network = {
        "what": "network", "parameters": sum(p.numel() for p in lenet.parameters()),
        "epochs": args.epochs, "batch_size": args.batch, "lr": args.lr,
        "seconds": round(time.perf_counter() - start),
        "test_accuracy": accuracy(lenet, test.pixels, test.labels),
        "train_accuracy": accuracy(lenet, data.pixels, data.labels),
    }  # fmt: skip
    card = about | {key: value for key, value in network.items() if key != "what"}
    write(args.weights, lenet.state_dict(), card)

    statistics = {}
    for split, pixels in (("train", data.pixels), ("test", test.pixels)):
        mean, covariance = lenet_moments(pixels, lenet)
        statistics |= {f"{split}.mean": mean, f"{split}.covariance": covariance}
        statistics[f"{split}.n"] = torch.tensor(len(pixels))
    of = {"weights_sha256": hashlib.sha256(args.weights.read_bytes()).hexdigest()}
    write(args.statistics, statistics, about | of)

    rows, real = [network], (statistics["test.mean"], statistics["test.covariance"])
    for what, pixels in known(data.pixels, test, args.n).items():
        distance = between_normals(*lenet_moments(pixels, lenet), *real)
        rows.append({"what": what, "n": len(pixels), "distance": distance})
        print(f"{what:40}{len(pixels):7,}{distance:10.4f}")
    keep(args.out, about, rows)
    print(json.dumps(network, indent=1))


if __name__ == "__main__":
    main()
