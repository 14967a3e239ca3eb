"""How many minutes until digits? Trainings of three lengths on two CPU cores.

    python benchmarks/ladder.py            writes results/ladder.json: 45 minutes of two quiet cores
    python benchmarks/ladder.py --quick    a smoke test that writes nothing

The recipe is `RECIPES["laptop"]`; the shorter trainings are the same with fewer steps, so that
their learning rate comes down to 0 as well. Two threads, float32, nothing compiled. The seconds are
those of the training alone, as the clock on the wall counts them: other work on the machine counts
too. Judged are 2,000 samples of five midpoint steps, 200 of each class, without guidance and with
a weight of 2. A training that is in the results is not made again.
"""

from __future__ import annotations

import argparse
import base64
import io
import json
import time
from dataclasses import replace
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor, nn
from whole import whole_mnist

from fmcore.guidance import Guided
from fmcore.images import image_grid
from fmcore.metrics import Judge
from fmcore.networks import UNet
from fmcore.results import keep, origin, results_folder
from fmcore.sampling import generate
from fmcore.training import RECIPES, fit

STEPS = {"20 seconds": 420, "2 minutes": 2_500, "10 minutes": 12_500}
THREADS = 2
WEIGHTS = (1.0, 2.0)  # of guidance; 1 is the field of the class alone


def train(steps: int, seed: int, data) -> tuple[nn.Module, dict]:
    """The averaged network, and how its training went."""
    recipe = RECIPES["laptop"]
    config = replace(recipe.train, steps=steps, seed=seed, progress=False)
    torch.manual_seed(seed)  # the initial weights
    net = UNet(**recipe.network)
    start = time.perf_counter()
    *_, last = fit(net, recipe.path, data, config, loss=recipe.loss)
    seconds = time.perf_counter() - start
    return last.ema.eval(), {
        "steps": steps,
        "images": steps * config.batch_size,
        "seconds": round(seconds, 1),
        "threads": torch.get_num_threads(),
        "loss": last.loss,
    }


def sample(net: nn.Module, weight: float, n: int) -> tuple[Tensor, Tensor]:
    """Images of the classes 0 to 9 in turn, and what each was meant to be."""
    label, g = torch.arange(n) % 10, torch.Generator().manual_seed(1)
    how = dict(shape=(1, 28, 28), method="midpoint", steps=5, label=label, generator=g)
    return generate(Guided(net, weight), n, **how), label


def picture(images: Tensor, columns: int) -> str:
    """The images side by side as a PNG, in the letters of base64."""
    file, pixels = io.BytesIO(), image_grid(images, columns=columns)
    Image.fromarray(pixels[..., 0].numpy()).save(file, "png", optimize=True)
    return base64.b64encode(file.getvalue()).decode()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--out", type=Path, default=results_folder() / "ladder.json")
    parser.add_argument("--quick", action="store_true", help="a smoke test that writes nothing")
    args = parser.parse_args()
    torch.set_num_threads(THREADS)
    data, test = (whole_mnist(split) for split in ("train", "test"))
    judge, n = Judge(data, test), 200 if args.quick else 2_000
    rows = json.loads(args.out.read_text())["rows"] if args.out.is_file() else []
    known = {(row["what"], row["seed"]) for row in rows}
    recipe = RECIPES["laptop"]
    trained = {"network": recipe.network, "recipe": recipe.as_dict()}
    for seed in args.seeds[:1] if args.quick else args.seeds:
        for what, steps in STEPS.items():
            if (what, seed) in known and not args.quick:
                continue
            net, about = train(5 if args.quick else steps, seed, data)
            for weight in WEIGHTS:
                images, label = sample(net, weight, n)
                row = {"what": what, "guidance": weight, **origin(seed=seed), **about}
                row |= judge(images, label).as_dict()
                if seed == 0:
                    row["digits"] = picture(images[:10], 10)
                rows.append(row)
                print(
                    f"{what:<12} seed {seed} weight {weight:g}  {row['seconds']:6.1f} s  "
                    f"readable {row['readable']:.3f}  Fréchet {row['frechet']:.3f}",
                    flush=True,
                )
            if not args.quick:
                keep(args.out, trained, rows)


if __name__ == "__main__":
    main()
