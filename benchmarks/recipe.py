"""What each part of our recipe is worth: trainings that differ in one thing.

    python benchmarks/recipe.py                  16 channels, 2 epochs: small enough for a CPU
    python benchmarks/recipe.py --quick          64 images, a few steps; writes nothing

The rows of one seed have the same initial weights (where the network is the same), images in the
same order and the same noise. Three seeds each: what lies within their scatter is no difference.
A row that is in the results is not made again. Judged are the plain loss on test images at fixed
draws (not comparable across paths), and samples of 5 midpoint steps. `benchmarks/gpu.py` does the
same for 64 channels and ten epochs.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch
from whole import whole_mnist

import fmcore
from fmcore.images import to_unit
from fmcore.losses import cfm_loss, logit_normal_times, reference_loss
from fmcore.metrics import Judge
from fmcore.results import keep, origin, results_folder
from fmcore.sampling import generate
from fmcore.training import RECIPES, Recipe, fit
from fmcore.weights import FlowModel


def variations(**train) -> dict[str, Recipe]:
    """Our recipe with these changes to its training, and what becomes of it with one more."""
    ours, reference = RECIPES["mnist"], RECIPES["reference"]
    base = replace(ours, train=replace(ours.train, **train))

    def changed(**more) -> Recipe:
        return replace(base, train=replace(base.train, **more))

    return {
        "our recipe": base,
        "t uniform": replace(base, loss=cfm_loss),
        "t logit-normal": replace(base, loss=partial(cfm_loss, times=logit_normal_times)),
        "t uniform, weighted robust loss": replace(base, loss=reference_loss),
        "learning rate 2e-4": changed(lr=2e-4),
        "learning rate 2e-3": changed(lr=2e-3),
        "constant learning rate": changed(schedule="constant"),
        "time turns once": replace(base, network=base.network | {"time_scale": 6.283185307}),
        "no SiLU before FiLM": replace(base, network=base.network | {"film_silu": False}),
        "a third level": replace(base, network=base.network | {"levels": 3}),
        # 212,161 parameters with 24 channels for 207,809 with 16 and a third level.
        "as many parameters, two levels": replace(base, network=base.network | {"base": 96}),
        "sigma_min 0.1": replace(base, path=fmcore.OTPath(sigma_min=0.1)),
        "the reference recipe": replace(reference, train=replace(reference.train, **train)),
    }


def measure(recipe: Recipe, data, x1: torch.Tensor, judge: Judge, n: int) -> dict:
    """Train, and judge the averaged network."""
    torch.manual_seed(recipe.train.seed)
    net = fmcore.UNet(**recipe.network)
    start = time.perf_counter()
    *_, last = fit(net, recipe.path, data, recipe.train, loss=recipe.loss)
    seconds = time.perf_counter() - start
    model = FlowModel(last.ema.eval(), recipe.path, (1, 28, 28)).to("cpu")
    g = torch.Generator().manual_seed(1)
    x0, t = torch.randn(x1.shape, generator=g), (torch.arange(len(x1)) + 0.5) / len(x1)
    with torch.no_grad():
        loss = cfm_loss(model, recipe.path, x1, x0=x0, t=t).item()
    images = generate(model, n, method="midpoint", steps=5, generator=g)
    return {
        "parameters": sum(p.numel() for p in net.parameters()),
        "seconds": round(seconds, 1),
        "test_loss": loss,
        **judge(images).as_dict(),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--base", type=int, default=16)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--n", type=int, default=2000, help="samples that are judged")
    parser.add_argument("--precision", choices=("fp32", "bf16"), default="bf16")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="these variations and no others")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--out", type=Path, default=results_folder() / "recipe.json")
    parser.add_argument("--quick", action="store_true", help="a smoke test that writes nothing")
    args = parser.parse_args()
    data, test = (whole_mnist(split) for split in ("train", "test"))
    judge = Judge(data, test)
    if args.quick:
        data, args.n = replace(data, pixels=data.pixels[:64], labels=data.labels[:64]), 200
        args.seeds = [0]
        args.base, args.batch_size = 8, 16
    x1 = to_unit(test.pixels[: 64 if args.quick else 2000])
    recipes = variations(
        epochs=args.epochs, batch_size=args.batch_size, precision=args.precision,
        device=args.device, compile=not args.quick, progress=False,
    )  # fmt: skip
    about = {
        "base": args.base,
        "epochs": args.epochs,
        "batch_size": args.batch_size,
        "arithmetic": args.precision,
        "n": args.n,
    }
    if unknown := set(args.only or ()) - set(recipes):
        parser.error(f"there is no variation called {unknown}; there are {list(recipes)}")
    rows = json.loads(args.out.read_text())["rows"] if args.out.is_file() else []
    known = {key(row) for row in rows}
    for name, recipe in recipes.items():
        channels = args.base * recipe.network["base"] // 64
        recipe = replace(recipe, network=recipe.network | {"base": channels})
        for seed in args.seeds:
            row = {"recipe": name, **about, **origin(device=args.device, seed=seed)}
            if key(row) in known or (args.only and name not in args.only):
                continue
            one = replace(recipe, train=replace(recipe.train, seed=seed))
            row |= measure(one, data, x1, judge, args.n)
            rows.append(row)
            print(
                f"{name:32} seed {seed}  {row['seconds']:6.0f} s  loss {row['test_loss']:.4f}  "
                f"Fréchet {row['frechet']:8.3f} (real {row['frechet_floor']:.3f})",
                flush=True,
            )
            if not args.quick:
                keep(args.out, {}, rows)


def key(row: dict) -> tuple:
    names = ("recipe", "seed", "base", "epochs", "batch_size", "arithmetic", "n", "device")
    return tuple(row[name] for name in names)


if __name__ == "__main__":
    main()
