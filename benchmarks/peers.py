"""The MNIST example of torchcfm beside our recipe, and each with parts of the other.

    pip install torchcfm
    python benchmarks/peers.py                       three seeds: a day and more on one CPU core
    python benchmarks/peers.py --quick               a smoke test, into runs/quick
    python benchmarks/peers.py --reference WEIGHTS   judge networks of the reference recipe

torchcfm's example is described in `torchcfm_example.py`. All four contestants see equally many
images; what a network of each kind costs stands in the results, under "about".

All samples of one row start from the same noise, whatever the network and the seed of its
training. The solvers are ours, for everybody: euler and midpoint at 2, 4, 10 and 20 evaluations,
and dopri5 with the tolerances of the example, 1e-4. Trainings are compiled; on a CPU they compute
under bf16 autocast, and the example is repeated in float32 at the very end ("arithmetic" in a row).
On a GPU all of it is float32. Samples are drawn in float32 from weights rounded to half precision.

The scores, the rows and the pictures of samples are those of `mnist.py`. Weights are kept under
runs/peers; a training that was stopped goes on, and one that is there is not done again. Only one
process may write into one file of results.

`--reference` needs no torchcfm. Networks of the reference recipe leave noise of 0.1 in their
samples on purpose; they are judged as they come and after one step to the posterior mean, to be
read beside the rows "real" with the same noise in `mnist.json`.
"""

from __future__ import annotations

import argparse
import copy
import hashlib
import json
import re
import shutil
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from mnist import Table, chosen, draw, options, plain
from safetensors import safe_open
from safetensors.torch import save
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode
from torchcfm_example import (
    BATCH,
    EPOCHS,
    EXAMPLE,
    REPORT,
    TOLERANCE,
    TimeFirst,
    as_coupling,
    as_the_example_shows,
    autocast,
    by_example,
    torchcfm,
    torchcfm_version,
)
from whole import whole_mnist

import fmcore
from fmcore.files import replacing
from fmcore.losses import cfm_loss
from fmcore.paths import OTPath, ProbabilityPath
from fmcore.results import origin
from fmcore.solvers import SOLVERS, odeint
from fmcore.training import RECIPES, Checkpoints, fit
from fmcore.weights import load_weights

BUDGETS = (2, 4, 10, 20)  # evaluations
SAMPLING_SEED = 0


class Contestant(NamedTuple):
    name: str
    network: str  # a key of `networks`
    recipe: str  # "torchcfm", "ours", or "our optimiser": with the matcher of torchcfm


CONTESTANTS = (  # the cheapest first
    Contestant("our recipe", "ours", "ours"),
    Contestant("our network, torchcfm's matcher and optimiser", "ours", "torchcfm"),
    Contestant("torchcfm's example", "torchcfm", "torchcfm"),
    Contestant(
        "torchcfm's network and matcher, our optimiser and averaging", "torchcfm", "our optimiser"
    ),
)


def networks() -> dict[str, Callable[[], nn.Module]]:
    """The two networks, each built with new weights when it is called."""
    theirs, _ = torchcfm()
    return {
        "ours": lambda: fmcore.UNet(**RECIPES["mnist"].network),
        "torchcfm": lambda: TimeFirst(theirs()),
    }


# ---- the four contestants


class Trained(NamedTuple):
    net: nn.Module  # frozen, in evaluation mode
    about: dict[str, Any]


def trained(who: Contestant, seed: int, arithmetic: str, args: argparse.Namespace) -> Trained:
    """The network of a contestant: read if it is there, trained and written otherwise."""
    name = re.sub(r"[^a-z0-9]+", "-", who.name) + f"_{seed}_{arithmetic}"
    file, folder = args.weights / f"{name}.safetensors", args.weights / name
    torch._dynamo.reset()  # each training compiles for itself: what was compiled once is on disk
    torch.manual_seed(seed)
    np.random.seed(seed)
    net = networks()[who.network]()
    if not file.is_file():
        folder.mkdir(exist_ok=True)
        net, about = train(who, net, seed, arithmetic, args, folder)
        about |= {"model": who.name, "arithmetic": arithmetic}
        about |= origin(device=args.device, seed=seed) | torchcfm_version()
        tensors = {k: v.half().contiguous() for k, v in net.cpu().state_dict().items()}
        with replacing(file) as stream:
            stream.write(save(tensors, metadata={"peers": json.dumps(about)}))
        shutil.rmtree(folder)
    with safe_open(file, framework="pt") as content:
        about = json.loads(content.metadata()["peers"])
        net.load_state_dict({k: content.get_tensor(k).float() for k in content.keys()})  # noqa: SIM118
    about = {key: about[key] for key in ("images", "loss", "training_seconds")}
    about["weights_sha256"] = hashlib.sha256(file.read_bytes()).hexdigest()[:16]
    return Trained(net.to(args.device).eval().requires_grad_(False), about)


def train(
    who: Contestant,
    net: nn.Module,
    seed: int,
    arithmetic: str,
    args: argparse.Namespace,
    folder: Path,
) -> tuple[nn.Module, dict[str, Any]]:
    """The network that is sampled from: trained as the contestant trains it, and how that went."""
    _, matcher = torchcfm()
    pixels = whole_mnist().pixels[: args.images]
    compiled = not args.quick

    def said(step: int, loss: float, seconds: float) -> None:
        what = f"{who.name}, seed {seed}, {arithmetic}"
        print(f"{what:76} step {step:5}  loss {loss:.4f}  {seconds:7.0f} s", flush=True)

    step, loss, seconds = 0, 0.0, 0.0
    if who.recipe == "torchcfm":
        for step, loss, seconds in by_example(
            net, matcher, as_the_example_shows(pixels), epochs=args.epochs, batch=args.batch,
            device=args.device, arithmetic=arithmetic, compiled=compiled,
            file=folder / "state.pt", every=args.every,
        ):  # fmt: skip
            said(step, loss, seconds)
    else:
        ours = RECIPES["mnist"]
        recipe = ours.on(
            args.device, epochs=args.epochs, batch_size=args.batch, seed=seed,
            precision=arithmetic, compile=compiled, log_every=REPORT, progress=False,
            warmup=min(ours.train.warmup, args.images // args.batch),
        )  # fmt: skip
        if who.recipe == "our optimiser":
            recipe = replace(recipe, loss=cfm_loss, couple=as_coupling(matcher))
        checkpoints = Checkpoints(folder, every=args.every, keep=2, resume=True)
        for m in fit(
            net, OTPath(), pixels, recipe.train,
            loss=recipe.loss, couple=recipe.couple, checkpoints=checkpoints,
        ):  # fmt: skip
            step, loss, seconds, net = m.step, m.loss, m.elapsed, m.ema
            said(step, loss, seconds)
    return net, {"images": step * args.batch, "loss": loss, "training_seconds": round(seconds, 1)}


# ---- what a network costs


def sizes(args: argparse.Namespace) -> dict[str, dict]:
    """Parameters of both networks, operations of a forward pass, and seconds of a training step.

    A step: forward, backward and Adam for a batch, in turns with the other network, the median of
    several. On a CPU its CPU time, in which other work on the machine does not count.
    """
    made = {name: build().to(args.device) for name, build in networks().items()}
    costs: dict[str, dict] = {name: {} for name in made}
    for name, net in made.items():
        counter = FlopCounterMode(display=False)
        with counter, torch.no_grad():
            net(torch.zeros(1, 1, 28, 28, device=args.device), torch.zeros(1, device=args.device))
        costs[name]["parameters"] = sum(p.numel() for p in net.parameters())
        costs[name]["flops_of_a_forward_pass"] = counter.get_total_flops()
        costs[name]["seconds_of_a_step"] = {}
    kinds = (("fp32", False),) if args.quick else (("fp32", False), ("fp32", True), ("bf16", True))
    for arithmetic, compiled in kinds:
        torch._dynamo.reset()
        steps = {name: step_of(net, arithmetic, compiled, args) for name, net in made.items()}
        rounds = [{name: step() for name, step in steps.items()} for _ in range(7)]
        for name in made:
            seconds = statistics.median(times[name] for times in rounds[2:])  # the first compile
            kind = f"{arithmetic}, compiled" if compiled else arithmetic
            costs[name]["seconds_of_a_step"][kind] = round(seconds, 4)
    return costs


def step_of(
    net: nn.Module, arithmetic: str, compiled: bool, args: argparse.Namespace
) -> Callable[[], float]:
    """A training step, which returns the seconds that it took."""
    net = copy.deepcopy(net).train()
    run = torch.compile(net) if compiled else net
    optimizer, g = torch.optim.Adam(net.parameters()), torch.Generator().manual_seed(0)
    x1 = torch.randn(args.batch, 1, 28, 28, generator=g).to(args.device)
    t = torch.rand(args.batch, generator=g).to(args.device)
    gpu = args.device.startswith("cuda")

    def clock() -> float:
        if gpu:
            torch.cuda.synchronize()
        return time.perf_counter() if gpu else time.process_time()

    def step() -> float:
        start = clock()
        optimizer.zero_grad()
        with autocast(args.device, arithmetic):
            loss = (run(x1, t) - x1).square().mean()
        loss.backward()
        optimizer.step()
        return clock() - start

    return step


# ---- samples


def in_full(model: nn.Module, x0: Tensor, label: Tensor, **how: Any) -> tuple[Tensor, float]:
    """As `mnist.plain` draws them, in float32 on a GPU as well."""
    with torch.autocast(x0.device.type, enabled=False):
        return plain(model, x0, label, **how)


def to_the_mean(
    model: nn.Module, x0: Tensor, label: Tensor, *, path: ProbabilityPath, **how: Any
) -> tuple[Tensor, float]:
    """The same, and at the end E[x1 | x] in place of x: one evaluation takes the noise away."""
    with torch.autocast(x0.device.type, enabled=False):
        solution = odeint(model, x0, **how)
        x, t = solution.x, torch.tensor(solution.t, device=x0.device)
        return path.velocity_to_data(model(x, t), x, t), solution.nfe + 1


def ways(args: argparse.Namespace) -> Iterator[tuple[dict, dict]]:
    """A description of each row, and how `odeint` draws it."""
    for method in ("midpoint", "euler"):
        for budget in BUDGETS[1:2] if args.quick else BUDGETS:
            steps = budget // SOLVERS[method].stages
            yield {"solver": method, "steps": steps}, dict(method=method, steps=steps)
    if not args.quick:
        how = dict(method="dopri5", rtol=TOLERANCE, atol=TOLERANCE)
        yield {"solver": "dopri5", "tolerance": TOLERANCE}, how


@torch.no_grad()
def compiled_for(net: nn.Module, x0: Tensor, args: argparse.Namespace) -> nn.Module:
    """On a CPU the network compiled, after a look whether it still computes the same."""
    if args.quick or args.device != "cpu":
        return net
    torch._dynamo.reset()
    x, t, run = x0[: args.at_once], torch.tensor(0.5), torch.compile(net)
    gap = (run(x, t) - net(x, t)).abs().max().item()
    print(f"compiled, a velocity differs by at most {gap:.1e}", flush=True)
    if not gap < 1e-4:
        raise RuntimeError(f"the compiled network differs from itself by {gap}")
    return run


def contest(table: Table, x0: Tensor, args: argparse.Namespace) -> None:
    """All rows of the contestants, seed by seed."""
    arithmetic = "bf16" if args.device == "cpu" else "fp32"
    jobs = [(who, seed, arithmetic) for seed in args.seeds for who in CONTESTANTS]
    if arithmetic == "bf16":  # a control: what does the arithmetic change?
        jobs += [(CONTESTANTS[2], args.seeds[0], "fp32")]
    for who, seed, arithmetic in jobs:

        @cache
        def ready(who=who, seed=seed, arithmetic=arithmetic) -> Trained:
            net, about = trained(who, seed, arithmetic, args)
            return Trained(compiled_for(net, x0, args), about)

        def make(how: dict, ready=ready) -> tuple[Tensor, dict]:
            net, about = ready()
            pixels, cost = draw(net, partial(in_full, **how), x0, args.at_once)
            return pixels, cost | about

        for what, how in ways(args):
            row = {"model": who.name, "network": who.network, **what, **about_rows(args)}
            row |= {"arithmetic": arithmetic, **origin(device=args.device, seed=seed)}
            table.add(row, partial(make, how))


def about_rows(args: argparse.Namespace) -> dict[str, Any]:
    return {"n": args.n, "sampling_seed": SAMPLING_SEED, "sampling_arithmetic": "fp32"}


def judge_reference(table: Table, file: Path, x0: Tensor, args: argparse.Namespace) -> None:
    """A network of the reference recipe: as it samples, and with the noise taken away at the end.

    The mean is that of the path at t = 1, (b v - b' x) / (a' b - a b'): as good as v is there.
    """
    model = load_weights(file).to(args.device)
    recipe, path = model.config["about"].get("recipe", {}), model.path
    digest = hashlib.sha256(file.read_bytes()).hexdigest()[:16]
    ready = cache(lambda: compiled_for(model, x0, args))
    for method, steps in (("midpoint", 2 if args.quick else 5), ("rk4", 1 if args.quick else 25)):
        how = dict(method=method, steps=steps)
        for solver, way in (
            (method, partial(in_full, **how)),
            (f"{method}, posterior mean at the end", partial(to_the_mean, path=path, **how)),
        ):
            row = {"model": "reference recipe", "network": "ours", "solver": solver}
            row |= {"steps": steps, "path": repr(path), "weights_sha256": digest}
            row |= {"arithmetic": recipe.get("precision", "fp32"), **about_rows(args)}
            row |= origin(device=args.device, seed=recipe.get("seed", 0))
            table.add(row, lambda way=way: draw(ready(), way, x0, args.at_once))


def main() -> None:
    parser = options(__doc__.splitlines()[0], "peers.json", "of training")
    parser.add_argument("--weights", type=Path, default=Path("runs/peers"))
    parser.add_argument("--reference", type=Path, nargs="+", metavar="WEIGHTS")
    args = chosen(parser)
    args.draw, args.at_once = False, 2500 if args.gpu else 100
    args.epochs, args.batch, args.every, args.images = EPOCHS, BATCH, 50, 60_000
    if args.quick:
        args.weights = args.samples
        args.epochs, args.batch, args.every, args.images = 2, 16, 2, 48
    if not args.reference:
        torchcfm()  # if it is not there, better now
    args.weights.mkdir(parents=True, exist_ok=True)
    table = Table(args)
    known = json.loads(args.out.read_text())["about"] if args.out.is_file() else {}
    table.about |= {key: known[key] for key in ("example", "torchcfm", "networks") if key in known}
    g = torch.Generator().manual_seed(SAMPLING_SEED)
    x0 = torch.randn(args.n, 1, 28, 28, generator=g).to(args.device)
    if args.reference:
        for file in args.reference:
            judge_reference(table, file, x0, args)
        return
    table.about |= {"example": EXAMPLE, **torchcfm_version()}
    if "networks" not in table.about:
        table.about["networks"] = sizes(args)
        print(json.dumps(table.about["networks"], indent=1), flush=True)
    contest(table, x0, args)


if __name__ == "__main__":
    main()
