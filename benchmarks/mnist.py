"""Quality against evaluations on MNIST: solvers, step counts, time grids and guidance, one table.

    python benchmarks/mnist.py            the shipped weights, three sampling seeds
    python benchmarks/mnist.py --quick    200 samples of few rows, into runs/quick

All rows of one seed start from the same noise and are judged against the same test images: 10,000
samples a row on a GPU; on a CPU 2,000, at most 20 evaluations (the adaptive solver: once, as far as
it needs), two hours on one core. Rows of real images, bare and with noise, say what the scores make
of them: of a model that is perfect up to so much noise.

A row goes into the results as soon as there is one, and rows that are there are not made again. The
samples are kept as bytes, a picture a row, under runs/samples: what is there is not drawn again, so
that another judge (`--judge-again`) takes minutes.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import time
from collections.abc import Callable, Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path

import torch
from lenet5 import lenet_distance
from PIL import Image
from torch import Tensor, nn
from whole import whole_mnist

from fmcore.data import read_mosaic
from fmcore.guidance import Guided
from fmcore.images import from_unit, image_grid, to_unit
from fmcore.metrics import Judge
from fmcore.results import keep, origin, results_folder
from fmcore.sampling import solve_in_two
from fmcore.solvers import SOLVERS, odeint
from fmcore.weights import load_pretrained

# Evaluations of each solver; the steps are these divided by the stages.
BUDGETS = (2, 4, 8, 10, 20, 40, 100)
MOST = 20  # of them on a CPU
TOLERANCES = (1e-1, 3e-2, 1e-2)
GRIDS: dict[str, Callable[[Tensor], Tensor]] = {
    "late": lambda s: 1 - (1 - s) ** 2,  # small steps near the data
    "early": lambda s: s**2,  # small steps near the noise
    "both ends": lambda s: (1 - torch.cos(torch.pi * s)) / 2,
}
NOISE = (0.0, 0.02, 0.05, 0.1)  # on real images, standard deviation in [-1, 1]
COLUMNS = 100  # of the pictures that hold samples

Way = Callable[[nn.Module, Tensor, Tensor], tuple[Tensor, float]]
"""How samples are drawn: (model, x0, label) -> (x, evaluations of the network)."""


def plain(model, x0: Tensor, label: Tensor, *, solve: Callable = odeint, **how):
    solution = solve(model, x0, **how)
    return solution.x, solution.nfe


def on_grid(model, x0: Tensor, label: Tensor, *, grid: str, method: str, steps: int):
    """One step of `method` from each time of the grid to the next."""
    times, x, nfe = GRIDS[grid](torch.linspace(0, 1, steps + 1)).tolist(), x0, 0
    for t0, t1 in pairwise(times):
        solution = odeint(model, x, (t0, t1), method=method, steps=1)
        x, nfe = solution.x, nfe + solution.nfe
    return x, nfe


def guided(model, x0: Tensor, label: Tensor, *, weight: float):
    """The classes are asked for, one after the other; beyond 1 it takes both fields."""
    field = Guided(model, weight)
    solution = odeint(lambda x, t: field(x, t, label), x0, method="midpoint", steps=5)
    return solution.x, solution.nfe * (1 if weight == 1 else 2)


def rows_of_ours() -> Iterator[tuple[dict, Way, float]]:
    """A description of each row, how to draw it, and its evaluations (0: only then known)."""

    def way(drawn: Callable, /, **how) -> Way:
        return lambda model, x0, label: drawn(model, x0, label, **how)

    for method in ("euler", "midpoint", "heun", "rk4"):
        for budget in BUDGETS:
            steps, rest = divmod(budget, SOLVERS[method].stages)
            if rest == 0:
                how = dict(method=method, steps=steps)
                yield {"solver": method, "steps": steps}, way(plain, **how), budget
    for method, steps in (("heun", 5), ("heun", 10), ("rk4", 5)):
        row = {"solver": f"{method}, midpoint at the end", "steps": steps}
        how = dict(solve=solve_in_two, method=method, steps=steps)
        yield row, way(plain, **how), (steps - 1) * SOLVERS[method].stages + 2
    for grid in GRIDS:
        for method, steps in (("euler", 10), ("heun", 5)):
            how = dict(method=method, steps=steps, grid=grid)
            yield {"solver": method, "steps": steps, "grid": grid}, way(on_grid, **how), 10
    for weight in (1.0, 2.0):
        row = {"solver": "midpoint", "steps": 5, "guidance": weight}
        yield row, way(guided, weight=weight), 10 * weight
    for tolerance in TOLERANCES:
        how = dict(method="dopri5", rtol=tolerance, atol=tolerance)
        yield {"solver": "dopri5", "tolerance": tolerance}, way(plain, **how), 0


@torch.no_grad()
def draw(model: nn.Module, how: Way, x0: Tensor, batch: int) -> tuple[Tensor, dict]:
    """Bytes `(n, 1, 28, 28)`; evaluations an image, and seconds."""
    device, images, spent = x0.device, [], 0.0
    label = torch.arange(len(x0), device=device) % 10
    start = time.perf_counter()
    # On a GPU in fp16, whose 11 bits are enough: bf16 has 8, and the digits show it.
    with torch.autocast(device.type, torch.float16, enabled=device.type == "cuda"):
        for part, classes in zip(x0.split(batch), label.split(batch), strict=True):
            x, nfe = how(model, part, classes)
            images.append(from_unit(x.float()).cpu())
            spent += nfe * len(part)
    return torch.cat(images), {"nfe": spent / len(x0), "seconds": time.perf_counter() - start}


def real(level: float, n: int, seed: int) -> Tensor:
    """Training images, each once, with noise: from a model that is perfect but for it."""
    pixels, g = whole_mnist().pixels, torch.Generator().manual_seed(seed)
    x = to_unit(pixels[torch.randperm(len(pixels), generator=g)[:n]])
    return from_unit(x + level * torch.randn(x.shape, generator=g))


# ---- rows, and samples as pictures


def key(row: dict) -> tuple:
    """What tells a row from every other."""
    names = (
        "model", "solver", "steps", "tolerance", "grid", "guidance", "noise", "n", "seed",
        "arithmetic",
    )  # fmt: skip
    return tuple(row.get(name) for name in names)


def file_of(row: dict) -> str:
    words = "_".join(str(word) for word in key(row) if word is not None)
    return words.replace(" ", "-").replace(",", "") + ".png"


def save_samples(pixels: Tensor, file: Path) -> None:
    """A picture of bytes `(n, 1, 28, 28)`, a hundred a row; n is a multiple of a hundred."""
    mosaic = image_grid(to_unit(pixels), COLUMNS, gap=0)[..., 0]
    Image.fromarray(mosaic.numpy()).save(file, optimize=True)


class Table:
    """Rows that are drawn, judged, and written, each once."""

    def __init__(self, args):
        self.args, self.about = args, origin(device=args.device)
        args.samples.mkdir(parents=True, exist_ok=True)
        self.rows = json.loads(args.out.read_text())["rows"] if args.out.is_file() else []
        self.judge = cache(lambda: Judge(whole_mnist(), whole_mnist("test"), device=args.device))

    def add(self, row: dict, make: Callable[[], tuple[Tensor, dict]]) -> None:
        """Make the row unless it is there: `make` gives its samples and what they cost."""
        file = self.args.samples / file_of(row)
        notes = file.with_suffix(".json")
        there = [known for known in self.rows if key(known) == key(row)]
        if there and not (self.args.judge_again and file.is_file()):
            return
        if not file.is_file():
            pixels, cost = make()
            save_samples(pixels, file)
            notes.write_text(json.dumps(row | cost))
        if self.args.draw:
            return
        pixels, label = read_mosaic(file), None
        if "guidance" in row:
            label = torch.arange(len(pixels)) % 10
        images = to_unit(pixels)
        scores = self.judge()(images, label).as_dict() | {"lenet": lenet_distance(images)}
        digest = hashlib.sha256(pixels.numpy().tobytes()).hexdigest()[:16]
        row = json.loads(notes.read_text()) | {"samples_sha256": digest} | scores
        self.rows = [known for known in self.rows if key(known) != key(row)] + [row]
        keep(self.args.out, self.about, self.rows)
        what = " ".join(str(word) for word in key(row)[:-3] if word is not None)
        print(
            f"{what:40} seed {row['seed']}  {row.get('nfe', 0):5.1f} NFE"
            f"   {row['frechet']:8.4f} (real {row['frechet_floor']:.4f})"
            f"   readable {row['readable']:.3f}",
            flush=True,
        )


def options(about: str, out: str, seeds: str) -> argparse.ArgumentParser:
    """What a table of judged samples can be told; `seeds` says of what the seeds are."""
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("--n", type=int, help="samples a row; 10,000 on a GPU, 2,000 on a CPU")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2], help=seeds)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--out", type=Path, default=results_folder() / out)
    parser.add_argument("--samples", type=Path, default=Path("runs/samples"))
    parser.add_argument("--judge-again", action="store_true", help="the rows that have samples")
    parser.add_argument("--quick", action="store_true", help="a smoke test")
    return parser


def chosen(parser: argparse.ArgumentParser) -> argparse.Namespace:
    """The options as they were given, and what follows from them; `gpu` is one of these."""
    args = parser.parse_args()
    args.gpu = args.device.startswith("cuda")
    args.n = args.n or (200 if args.quick else 10_000 if args.gpu else 2_000)
    if args.quick:
        args.seeds, args.samples = [0], Path("runs/quick")
        args.out = args.samples / args.out.name
    return args


def main() -> None:
    parser = options(__doc__.splitlines()[0], "mnist.json", "of sampling")
    parser.add_argument("--draw", action="store_true", help="draw only; judge another time")
    args = chosen(parser)
    if args.draw:  # what draws and judges is one command
        sys.argv.remove("--draw")
    gpu, n = args.gpu, args.n
    table, batch = Table(args), 2500 if gpu else 50
    model = cache(lambda: load_pretrained("mnist").to(args.device))
    for seed in args.seeds:
        about = {"n": n, "arithmetic": "fp16" if gpu else "fp32"}
        about |= origin(device=args.device, seed=seed)
        g = torch.Generator().manual_seed(seed)
        x0 = torch.randn(n, 1, 28, 28, generator=g).to(args.device)
        for level in NOISE:
            row = {"model": "real", "noise": level, **about}
            table.add(row, lambda level=level, seed=seed: (real(level, n, seed), {}))
        for what, how, nfe in rows_of_ours():
            too_long = nfe > MOST or (nfe == 0 and seed > 0)
            if (too_long and not gpu) or (args.quick and nfe != 4):
                continue
            row = {"model": "ours", "weights": "shipped", **what, **about}
            table.add(row, lambda how=how, x0=x0: draw(model(), how, x0, batch))


if __name__ == "__main__":
    main()
