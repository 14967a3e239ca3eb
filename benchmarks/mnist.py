"""Quality against evaluations on MNIST: solvers, step counts and time grids, one table.

    python benchmarks/mnist.py                     the shipped weights, 10,000 samples a row
    python benchmarks/mnist.py --reference FILE    and the reference network, sampled both ways
    python benchmarks/mnist.py --quick             200 samples of few rows; writes nothing

Every row draws from the same noise and is judged against the same test images. The floor, training
images against test images, stands in every row. The results go into benchmarks/results/mnist.json
after every row; `--go-on` keeps the rows that are there and adds those that are missing.

The reference is sampled as its script does it, by 150 steps of RK4 (600 evaluations) whose first
stage is half a step late, and by the same solver with the stages where they belong. Where torchcfm
is installed, `--torchcfm EPOCHS` trains the network of its MNIST example beside ours, with the same
images seen, and samples it as the example does (dopri5, tolerances 1e-4).
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import torch
from torch import Tensor, nn

import fmcore
from fmcore.data import load_images
from fmcore.devices import device_name
from fmcore.metrics import Judge
from fmcore.sampling import solve_in_two
from fmcore.solvers import SOLVERS, odeint
from fmcore.training import RECIPES, fit
from fmcore.weights import FlowModel, load_pretrained, load_weights

RESULTS = Path(__file__).parent / "results" / "mnist.json"

# Evaluations of each solver; the steps are these divided by the stages.
BUDGETS = (2, 4, 8, 10, 12, 20, 40, 100)
TOLERANCES = (1e-1, 3e-2, 1e-2, 1e-3)
GRIDS: dict[str, Callable[[Tensor], Tensor]] = {
    "late": lambda s: 1 - (1 - s) ** 2,  # small steps near the data
    "early": lambda s: s**2,  # small steps near the noise
    "both ends": lambda s: (1 - torch.cos(torch.pi * s)) / 2,
}


def on_grid(v, x0: Tensor, method: str, steps: int, grid: Callable[[Tensor], Tensor]):
    """One step of `method` from each time of the grid to the next: (x, nfe)."""
    times, x, nfe = grid(torch.linspace(0, 1, steps + 1)).tolist(), x0, 0
    for t0, t1 in pairwise(times):
        solution = odeint(v, x, (t0, t1), method=method, steps=1)
        x, nfe = solution.x, nfe + solution.nfe
    return x, nfe


def late_rk4(v, x0: Tensor, steps: int = 150) -> tuple[Tensor, int]:
    """RK4 as the reference script has it: every stage reads the field half a step too late."""
    h = 1 / steps
    solution = odeint(lambda x, t: v(x, (t + h / 2).clamp(max=1.0)), x0, method="rk4", steps=steps)
    return solution.x, solution.nfe


def plain(v, x0: Tensor, solve: Callable = odeint, **how) -> tuple[Tensor, int]:
    solution = solve(v, x0, **how)
    return solution.x, solution.nfe


def rows_of(name: str, quick: bool) -> list[tuple[dict, Callable]]:
    """What to do with a model: a description of each row, and `(v, x0) -> (x, nfe)`."""
    rows: list[tuple[dict, Callable]] = []
    slow, five = dict(method="rk4", steps=150), dict(method="midpoint", steps=5)
    tight = dict(method="dopri5", rtol=1e-4, atol=1e-4)
    if name == "reference":
        rows += [
            ({"solver": "rk4, half a step late", "steps": 150}, late_rk4),
            ({"solver": "rk4", "steps": 150}, lambda v, x: plain(v, x, **slow)),
        ]
    if "torchcfm" in name:  # as its example does it, and as we do it
        rows = [({"solver": "midpoint", "steps": 5}, lambda v, x: plain(v, x, **five))]
        theirs = ({"solver": "dopri5", "tolerance": 1e-4}, lambda v, x: plain(v, x, **tight))
        return [*rows, theirs] if name == "torchcfm" else rows
    for method in ("euler", "midpoint", "heun", "rk4"):
        for budget in (4, 20) if quick else BUDGETS:
            steps = budget // SOLVERS[method].stages
            if steps * SOLVERS[method].stages == budget:
                how = dict(method=method, steps=steps)
                rows.append(
                    ({"solver": method, "steps": steps}, lambda v, x, h=how: plain(v, x, **h))
                )
    if name == "reference":
        return rows[:8] if quick else rows  # its path ends with noise, and can be asked there
    for method, steps in (("heun", 5), ("heun", 10), ("rk4", 5)):
        how = dict(method=method, steps=steps, solve=solve_in_two)
        rows.append(
            (
                {"solver": f"{method}, midpoint at the end", "steps": steps},
                lambda v, x, h=how: plain(v, x, **h),
            )
        )
    for tolerance in (1e-1,) if quick else TOLERANCES:
        how = dict(method="dopri5", rtol=tolerance, atol=tolerance)
        rows.append(
            ({"solver": "dopri5", "tolerance": tolerance}, lambda v, x, h=how: plain(v, x, **h))
        )
    for grid, times in GRIDS.items():
        for method, steps in (("euler", 10), ("heun", 5)):
            rows.append(
                (
                    {"solver": method, "steps": steps, "grid": grid},
                    lambda v, x, m=method, n=steps, g=times: on_grid(v, x, m, n, g),
                )
            )
    return rows[:6] if quick else rows


@torch.no_grad()
def sample(v, how: Callable, x0: Tensor, batch: int) -> tuple[Tensor, float, float]:
    """Images `(n, 1, 28, 28)`, evaluations an image and seconds."""
    device, images, spent = x0.device, [], 0.0
    start = time.perf_counter()
    # On a GPU in fp16, whose 11 bits are enough: bf16 has 8, and the digits show it.
    with torch.autocast(device.type, torch.float16, enabled=device.type == "cuda"):
        for part in x0.split(batch):
            x, nfe = how(v, part)
            images.append(x.float().clamp(-1, 1))
            spent += nfe * len(part)
    if device.type == "cuda":
        torch.cuda.synchronize()
    return torch.cat(images), spent / len(x0), time.perf_counter() - start


class Swapped(nn.Module):
    """A network `net(t, x)` as a field `v(x, t)`."""

    def __init__(self, net: nn.Module):
        super().__init__()
        self.net = net

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        return self.net(t.expand(len(x)), x).to(x.dtype)


def torchcfm_example(epochs: int, device: str) -> Swapped:
    """The network of torchcfm's MNIST example, trained as there on `epochs` times the images."""
    from torchcfm.conditional_flow_matching import ConditionalFlowMatcher
    from torchcfm.models.unet import UNetModel

    torch.manual_seed(0)
    model = UNetModel(dim=(1, 28, 28), num_channels=32, num_res_blocks=1).to(device)
    optimizer = torch.optim.Adam(model.parameters())
    matcher, pixels = ConditionalFlowMatcher(sigma=0.0), load_images("mnist").pixels.to(device)
    for _ in range(epochs):
        for rows in torch.randperm(len(pixels))[: len(pixels) // 128 * 128].split(128):
            x1 = fmcore.data.to_unit(pixels[rows])
            t, xt, ut = matcher.sample_location_and_conditional_flow(torch.randn_like(x1), x1)
            loss = (model(t, xt) - ut).square().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return Swapped(model.eval())


def ours_beside_it(epochs: int, device: str) -> FlowModel:
    """Our recipe for the reference network, trained on the same number of images."""
    recipe = RECIPES["mnist"].on(
        device, epochs=epochs, batch_size=128, precision="bf16", progress=False
    )
    torch.manual_seed(0)
    net, data = fmcore.UNet(**recipe.network), load_images("mnist")
    *_, last = fit(net, recipe.path, data, recipe.train, loss=recipe.loss)
    return FlowModel(last.ema.eval(), recipe.path, (1, 28, 28))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--weights", type=Path, help="ours; otherwise the shipped ones")
    parser.add_argument("--reference", type=Path, help="weights of the reference network")
    parser.add_argument("--torchcfm", type=int, metavar="EPOCHS")
    parser.add_argument("--n", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--batch", type=int, help="at once; 2,500 on a GPU, 500 on a CPU")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--most", type=int, default=10**6, help="leave out rows with more NFE")
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--only", nargs="+", metavar="MODEL", help="leave out the others")
    parser.add_argument("--busy", action="store_true", help="say that other work runs beside it")
    parser.add_argument("--go-on", action="store_true", help="add the rows that are missing")
    parser.add_argument("--quick", action="store_true", help="a smoke test that writes nothing")
    args = parser.parse_args()
    n = 200 if args.quick else args.n
    gpu = args.device.startswith("cuda")
    batch = args.batch or (2500 if gpu else 500)
    judge = Judge(*(load_images("mnist", split=s) for s in ("train", "test")), device=args.device)
    g = torch.Generator().manual_seed(args.seed)
    x0 = torch.randn(n, 1, 28, 28, generator=g).to(args.device)

    # Where the weights of each are from, and how to get them when there is a row to be made.
    models: dict[str, tuple[str, Callable[[], nn.Module]]] = {
        "ours": (args.weights.name, lambda: load_weights(args.weights))
        if args.weights
        else ("shipped", lambda: load_pretrained("mnist"))
    }
    if args.reference:
        name = f"{args.reference.name}, of gpu.py"
        models["reference"] = (name, lambda: load_weights(args.reference))
    if args.torchcfm:
        trained = f"{args.torchcfm} epochs in batches of 128, for this table"
        for name, make in (
            ("torchcfm", torchcfm_example),
            ("ours, as long as torchcfm", ours_beside_it),
        ):
            models[name] = (trained, lambda make=make: make(args.torchcfm, args.device))
    if unknown := set(args.only or ()) - set(models):
        parser.error(f"there is no model called {unknown}; there are {list(models)}")
    results = {"rows": []}
    if args.go_on and args.out.is_file():
        results = json.loads(args.out.read_text())
    about = {
        "device": device_name(args.device),
        "date": time.strftime("%Y-%m-%d"),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "n": n,
        "seed": args.seed,
        "busy": args.busy,
        "arithmetic": "fp16" if gpu else "fp32",
    }
    known = {key(row) for row in results["rows"]}
    for name, (weights, make) in models.items():
        if args.only and name not in args.only:
            continue
        todo = []
        for what, how in rows_of(name, args.quick):
            row = {"model": name, **what, **about, "weights": weights}
            asked = what.get("steps", 0) * SOLVERS[what["solver"].split(",")[0]].stages
            if key(row) not in known and asked <= args.most:
                todo.append((row, how))
        if not todo:
            continue
        model = make().to(args.device)
        if gpu:
            torch._dynamo.reset()
            model = torch.compile(model, dynamic=False)
            with torch.no_grad(), torch.autocast("cuda", torch.float16):
                plain(model, x0[:batch], method="euler", steps=1)  # compiles, and is not timed
        for row, how in todo:
            images, nfe, seconds = sample(model, how, x0, batch)
            if nfe > args.most:
                continue
            row |= {"nfe": nfe, "seconds": seconds, **judge(images).as_dict()}
            results["rows"].append(row)
            print(
                f"{name:12}{row['solver']:24}{row.get('grid', ''):10}{nfe:7.1f} NFE"
                f"{seconds:8.1f} s   {row['frechet']:8.4f} (real {row['frechet_floor']:.4f})",
                flush=True,
            )
            if not args.quick:
                args.out.write_text(json.dumps(results, indent=1) + "\n")


def key(row: dict) -> tuple:
    names = ("model", "solver", "steps", "tolerance", "grid", "n", "seed", "device", "weights")
    return tuple(row.get(name) for name in names)


if __name__ == "__main__":
    main()
