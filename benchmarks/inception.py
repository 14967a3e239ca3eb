"""The Inception FID that others publish, of our digits: `python benchmarks/inception.py`.

    pip install torchmetrics torch-fidelity

Heusel et al. 2017: the Fréchet distance in the 2,048 features of Inception-v3, against the 10,000
test images of MNIST. As `torchmetrics` works it out: bytes, grey repeated to three channels,
stretched from 28 to 299 pixels, bilinear, on the grid of pytorch-fid. Inception has learnt from
photographs, and each package shows it small images in a way of its own: compare numbers of one
package only, and first of all with the first row, which real images get.

The rows: training images, the same with noise, and the network that comes with the library, by five
steps of the midpoint rule from three seeds. They go into `results/inception.json` one by one. The
packages, and the weights (91 MB) that they download, are not those of the library. Without them the
script says what is missing and ends with status 2. Meant for a GPU.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Protocol

import torch
from lenet import NOISE, noisy, spread
from torch import Tensor

from fmcore.data import load_images
from fmcore.devices import find_device
from fmcore.images import from_unit
from fmcore.results import keep, origin, results_folder
from fmcore.sampling import generate
from fmcore.weights import load_pretrained

RESULTS = results_folder() / "inception.json"
PACKAGES = {"torchmetrics": "torchmetrics", "torch_fidelity": "torch-fidelity"}  # module: package
WEIGHTS = "weights-inception-2015-12-05-6726825d.pth"
SOURCE = f"the release v0.2.0 of torch-fidelity, file {WEIGHTS}"
SEEDS, HOW = (0, 1, 2), {"method": "midpoint", "steps": 5}


class Missing(RuntimeError):
    """A package or the weights of Inception cannot be had here."""


class Metric(Protocol):
    """What is used of `torchmetrics.image.fid.FrechetInceptionDistance`."""

    def to(self, device: torch.device) -> Metric: ...
    def update(self, imgs: Tensor, real: bool) -> None: ...
    def compute(self) -> Tensor: ...
    def reset(self) -> None: ...  # forgets the images, not the real ones


def inception() -> tuple[Metric, dict[str, str]]:
    """The metric and the versions of its packages; `Missing` says what cannot be had."""
    if absent := [package for module, package in PACKAGES.items() if find_spec(module) is None]:
        names = " and ".join(absent)
        raise Missing(f"not installed: {names}. Try: pip install {' '.join(absent)}")
    from torchmetrics.image.fid import FrechetInceptionDistance

    try:
        metric = FrechetInceptionDistance(feature=2048, reset_real_features=False)
    except (OSError, RuntimeError) as error:  # no network, a full disk, a damaged file
        raise Missing(
            f"the weights of Inception could not be loaded: {error}\nDownload {SOURCE}\n"
            f"and put it into {Path(torch.hub.get_dir()) / 'checkpoints'}"
        ) from error
    return metric, {package: version(package) for package in PACKAGES.values()}


def show(metric: Metric, pixels: Tensor, real: bool, device: torch.device, batch: int) -> None:
    """Let the metric see bytes `(n, 1, 28, 28)`."""
    for part in pixels.split(batch):
        metric.update(part.to(device).expand(-1, 3, -1, -1), real=real)


def judged(train: Tensor, n: int, device: torch.device) -> Iterator[tuple[dict, Tensor]]:
    """What is judged, one after the other: the beginning of a row, and bytes `(n, 1, 28, 28)`."""
    real = spread(train, n)
    yield {"what": "training images"}, real
    for sigma in NOISE:
        yield {"what": f"training images, noise {sigma}"}, noisy(real, sigma)
    model = load_pretrained("mnist").to(device)
    for seed in SEEDS:
        g = torch.Generator().manual_seed(seed)
        images = generate(model, n, generator=g, **HOW)
        yield {"what": "shipped network", **HOW, "seed": seed}, from_unit(images)


def main(
    arguments: Sequence[str] | None = None,
    load: Callable[[], tuple[Metric, dict[str, str]]] = inception,
) -> int:
    """The exit status; `load` gives the metric, and its packages by their versions."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--n", type=int, default=10_000, help="images a row, more than 2,048")
    parser.add_argument("--limit", type=int, help="test images, for a rehearsal")
    parser.add_argument("--batch", type=int, default=250, help="images that Inception sees at once")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--out", type=Path, default=RESULTS)
    args = parser.parse_args(arguments)

    device = find_device(args.device)
    try:
        metric, versions = load()
    except Missing as missing:
        print(f"No Inception FID here: {missing}", file=sys.stderr)
        return 2
    train, test = load_images("mnist"), load_images("mnist", split="test")
    if not (train.complete and test.complete) and args.limit is None:
        print(f"All of MNIST is needed, there are {train} and {test}: {train.source}",
              file=sys.stderr)  # fmt: skip
        return 2
    if not 2 <= args.n <= len(train):
        parser.error(f"--n must lie between 2 and {len(train)}, got {args.n}")
    metric = metric.to(device)
    pixels = test.pixels[: args.limit]
    show(metric, pixels, True, device, args.batch)
    about = origin(device=args.device) | versions | {"test_images": len(pixels)}
    rows, start = [], time.perf_counter()
    for row, images in judged(train.pixels, args.n, device):
        metric.reset()
        show(metric, images, False, device, args.batch)
        seconds = time.perf_counter() - start
        rows.append({**row, "n": len(images), "fid": metric.compute().item(), "seconds": seconds})
        keep(args.out, about, rows)
        print(f"{row['what']:32}{row.get('seed', ''):>3}{rows[-1]['fid']:10.4f}", flush=True)
        start = time.perf_counter()
    return 0


if __name__ == "__main__":
    sys.exit(main())
