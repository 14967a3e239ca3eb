"""How many bits does a pixel of MNIST take? `python benchmarks/bits.py`

The shipped network was trained on bytes, which have no density. Here it is trained further, for
80,000 images on a CPU: each byte is spread evenly over its grey level, anew in every batch, and no
labels are shown. Test images are then followed back to the noise, before and after that:

    bits = -(log p_1(x) + 784 ln(2 / 255)) / (784 ln 2)

with the divergence from one vector of random signs, at one dequantised point for each image. Up to
its standard error the mean is an upper bound of the bits that the bytes themselves take (Theis et
al. 2016, eq. 5). Published bits per dimension of flows are found in the same way.

Half of the times are uniform; for the other half log(1 - t) is, down to 1 - t = 1e-3. An error of
the velocity at time t counts in a likelihood in proportion to t / (1 - t), which is the weight of
Song et al. 2021 ("Maximum likelihood training of score-based diffusion models", theorem 1) for
this path; uniform times hardly see the end.

The training is saved under runs/bits as it goes, and so is each batch of test images: a run that
was stopped goes on where it was. `--quick` is a smoke test in runs/quick.
"""

from __future__ import annotations

import argparse
import copy
import json
import math
import statistics
from pathlib import Path

import torch
from torch import Tensor
from whole import whole_mnist

from fmcore.density import bits_per_dim, log_likelihood
from fmcore.images import dequantize
from fmcore.losses import cfm_loss, stratified_times
from fmcore.paths import OTPath
from fmcore.results import keep, origin, results_folder
from fmcore.solvers import VectorField
from fmcore.training import Checkpoints, TrainConfig, fit
from fmcore.weights import load_pretrained

LEAST = 1e-3  # of the time that is left, 1 - t, in the half of the times that is logarithmic
GREY = 2 / 255  # the width of a grey level
TOLERANCE = 1e-5  # of dopri5
OTHERWISE = ({"tolerance": 1e-3}, {"end": 0.999})  # what else is tried, on the first images


def times(x: Tensor, generator: torch.Generator | None) -> Tensor:
    """Times `(B,)`: in one half t is uniform, in the other log(1 - t)."""
    u = 2 * stratified_times(x, generator)
    return torch.where(u < 1, u, 1 - torch.exp(math.log(LEAST) * (u - 1)))


def dequantized_loss(
    net, path, x1: Tensor, *, x0: Tensor, generator: torch.Generator, label: Tensor
) -> Tensor:
    """The flow matching loss on images that are dequantised anew. Nobody shows the labels."""
    spread = GREY * (torch.rand(x1.shape, generator=generator) - 0.5)
    return cfm_loss(net, path, x1 + spread, x0=x0, t=times(x1, generator))


def bits(
    v: VectorField, pixels: Tensor, seed: int, *, tolerance: float = TOLERANCE, end: float = 1.0
) -> tuple[list[float], int]:
    """Bits a pixel of each image, and evaluations of v."""
    g = torch.Generator().manual_seed(seed)
    x = dequantize(pixels, generator=g)
    how = dict(t_span=(0.0, end), rtol=tolerance, atol=tolerance)
    found = log_likelihood(v, x, divergence="hutchinson", generator=g, **how)
    return bits_per_dim(found.log_prob, pixels[0].numel()).tolist(), found.nfe


def bits_of_many(
    v: VectorField, pixels: Tensor, file: Path, batch: int, **how
) -> tuple[list[float], list[int]]:
    """The same of many images, a batch after the other; what stands in `file` is not done again."""
    known = json.loads(file.read_text()) if file.is_file() else []
    for k, part in enumerate(pixels.split(batch)):
        if k == len(known):
            known.append(bits(v, part, k, **how))
            file.write_text(json.dumps(known))
            so_far = [b for each, _ in known for b in each]
            mean = statistics.fmean(so_far)
            print(f"{file.stem}: {mean:.4f} bits, {len(so_far)} images", flush=True)
    return [b for each, _ in known for b in each], [nfe for _, nfe in known]


def trained_on(folder: Path, config: TrainConfig):
    """The averaged weights after the training, its last loss, and its seconds."""
    net = copy.deepcopy(load_pretrained("mnist").net).requires_grad_()
    saved = Checkpoints(folder, every=50, keep=1, resume=True)
    watch = fit(net, OTPath(), whole_mnist(), config, loss=dequantized_loss, checkpoints=saved)
    for last in watch:
        print(f"step {last.step}: loss {last.loss:.4f}, {last.elapsed:.0f} s", flush=True)
    return last.ema.eval().requires_grad_(False), last


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a smoke test")
    quick = parser.parse_args().quick
    folder = Path("runs/quick" if quick else "runs/bits")
    folder.mkdir(parents=True, exist_ok=True)
    out = folder / "bits.json" if quick else results_folder() / "bits.json"
    torch.set_num_threads(1)
    config = TrainConfig(
        steps=4 if quick else 2500, batch_size=32, lr=5e-4, warmup=50, schedule="cosine", clip=1.0,
        ema=0.99, log_every=2 if quick else 100, progress=False,
    )  # fmt: skip
    every, batch = (1000, 5) if quick else (20, 50)  # which test images
    pixels = whole_mnist("test").pixels[::every]
    blank = torch.zeros_like(pixels[:10])
    net, last = trained_on(folder / "training", config)
    training = {"images": config.steps * config.batch_size, "seconds": round(last.elapsed)}
    rows = []
    for what, v in (("dequantised", net), ("shipped", load_pretrained("mnist"))):
        each, nfe = bits_of_many(v, pixels, folder / f"{what}.json", batch)
        paper, _ = bits_of_many(v, blank, folder / f"{what}_blank.json", 10)
        rows.append({
            "what": what, "n": len(each), "bits": statistics.fmean(each),
            "spread": statistics.stdev(each), "error": statistics.stdev(each) / len(each) ** 0.5,
            "blank": statistics.fmean(paper), "nfe": statistics.fmean(nfe), "tolerance": TOLERANCE,
            **(training if what == "dequantised" else {}),
        })  # fmt: skip
        keep(out, origin(seed=config.seed), rows)
        print(rows[-1], flush=True)
        for how in OTHERWISE:
            ((name, value),) = how.items()
            file = folder / f"{what}_{name}.json"
            again, nfe = bits_of_many(v, pixels[:batch], file, batch, **how)
            change = statistics.fmean(again) - statistics.fmean(each[:batch])
            row = {"what": f"{what}, {name} {value:g}", "n": len(again), "change": change}
            rows.append(row | {"nfe": statistics.fmean(nfe)})
            keep(out, origin(seed=config.seed), rows)
            print(rows[-1], flush=True)


if __name__ == "__main__":
    main()
