"""The MNIST example of torchcfm beside our recipe, and each with parts of the other.

    pip install torchcfm
    python benchmarks/peers.py                       three seeds: a day and more on one CPU core
    python benchmarks/peers.py --quick               a smoke test, into runs/quick
    python benchmarks/peers.py --reference WEIGHTS   judge networks of the reference recipe

torchcfm's example is `examples/images/mnist_example.ipynb` of atong01/conditional-flow-matching at
commit cacd4dc, its part OT-CFM: a U-Net of 32 channels with attention, exact optimal transport
between the noise and the images of each batch, Adam with its defaults, 3 epochs in batches of 128,
no average of the weights. `by_example` takes the steps of that notebook and draws its random
numbers in the same order. All four contestants see equally many images; what a network of each
kind costs stands in the results, under "about".

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
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from functools import cache, partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from mnist import Table, draw, plain
from safetensors import safe_open
from safetensors.torch import save
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset
from torch.utils.flop_counter import FlopCounterMode
from whole import whole_mnist

import fmcore
from fmcore.files import replacing
from fmcore.losses import cfm_loss
from fmcore.paths import OTPath, ProbabilityPath
from fmcore.results import origin, results_folder
from fmcore.solvers import SOLVERS, odeint
from fmcore.training import RECIPES, Checkpoints, fit
from fmcore.weights import load_weights

EXAMPLE = "atong01/conditional-flow-matching, examples/images/mnist_example.ipynb, cacd4dc"
EPOCHS, BATCH, TOLERANCE = 3, 128, 1e-4  # of the example
BUDGETS = (2, 4, 10, 20)  # evaluations
SAMPLING_SEED = 0
REPORT = 52  # steps between two reports, a ninth of an epoch


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


# ---- what is torchcfm's


class TimeFirst(nn.Module):
    """A network that is called `net(t, x)`, called `net(x, t)`."""

    def __init__(self, net: nn.Module):
        super().__init__()
        self.net = net

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        return self.net(t.expand(len(x)), x)


def torchcfm() -> tuple[Callable[[], nn.Module], Any]:
    """The network and the matcher of the example; ends the program if there is no torchcfm."""
    try:
        from torchcfm.conditional_flow_matching import ExactOptimalTransportConditionalFlowMatcher
        from torchcfm.models.unet import UNetModel
    except ImportError as error:
        raise SystemExit(
            f"this benchmark needs torchcfm, which does not come with fmcore ({error}).\n"
            "Try: pip install torchcfm"
        ) from error
    network = partial(UNetModel, dim=(1, 28, 28), num_channels=32, num_res_blocks=1)
    return network, ExactOptimalTransportConditionalFlowMatcher(sigma=0.0)


def networks() -> dict[str, Callable[[], nn.Module]]:
    """The two networks, each built with new weights when it is called."""
    theirs, _ = torchcfm()
    return {
        "ours": lambda: fmcore.UNet(**RECIPES["mnist"].network),
        "torchcfm": lambda: TimeFirst(theirs()),
    }


def as_coupling(matcher: Any) -> Callable:
    """The optimal transport of torchcfm for `fit`: pairs drawn from the plan, with replacement."""

    def exact_optimal_transport(x0, x1, label=None, *, generator):
        # The plan is drawn from by NumPy's global stream; its seed comes from that of the training.
        seed = torch.randint(2**31, (), generator=generator, device=generator.device)
        np.random.seed(int(seed))
        return *matcher.ot_sampler.sample_plan(x0, x1), label

    return exact_optimal_transport


# ---- training as the example does it


def random_state(device: str) -> dict[str, Any]:
    """The state of all global streams of random numbers, as plain values and tensors."""
    kind, numbers, *rest = np.random.get_state()
    cuda = torch.cuda.get_rng_state(device) if device.startswith("cuda") else None
    return {"numpy": [kind, numbers.tolist(), *rest], "torch": torch.get_rng_state(), "cuda": cuda}


def set_random_state(state: Mapping[str, Any], device: str) -> None:
    np.random.set_state(tuple(state["numpy"]))
    torch.set_rng_state(state["torch"])
    if state["cuda"] is not None:
        torch.cuda.set_rng_state(state["cuda"], device)


def autocast(device: str, arithmetic: str) -> AbstractContextManager:
    return torch.autocast(torch.device(device).type, torch.bfloat16, arithmetic == "bf16")


def by_example(
    net: nn.Module,
    matcher: Any,
    images: Tensor,
    *,
    epochs: int,
    batch: int,
    device: str,
    arithmetic: str,
    compiled: bool,
    file: Path,
    every: int,
) -> Iterator[tuple[int, float, float]]:
    """Train `net` in place as the notebook does; yields (step, loss, seconds so far).

    Every so many steps the state goes into `file`, from which a later call goes on: with the same
    numbers, as if it had never been stopped.
    """
    net = net.to(device)
    optimizer = torch.optim.Adam(net.parameters())
    loader = DataLoader(TensorDataset(images), batch_size=batch, shuffle=True, drop_last=True)
    run = torch.compile(net) if compiled else net
    step, losses, before, batches = 0, [], 0.0, len(loader)
    first = now = random_state(device)  # at the beginning of the epoch, and after the last step
    if file.is_file():
        state = torch.load(file, map_location="cpu", weights_only=True)
        net.load_state_dict(state["weights"])
        optimizer.load_state_dict(state["optimizer"])
        step, losses, before = state["step"], state["losses"], state["seconds"]
        first, now = state["first"], state["now"]
        set_random_state(now, device)
    start = time.perf_counter()
    for epoch in range(step // batches, epochs):
        done = step - epoch * batches
        if done:
            set_random_state(first, device)  # the order of the images follows from it
        else:
            first = random_state(device)
        data = iter(loader)
        if done:
            for _ in range(done):
                next(data)
            set_random_state(now, device)
        for (x1,) in data:
            optimizer.zero_grad()
            x1 = x1.to(device)
            x0 = torch.randn_like(x1)
            t, xt, ut = matcher.sample_location_and_conditional_flow(x0, x1)
            with autocast(device, arithmetic):
                vt = run(xt, t)
                loss = torch.mean((vt - ut) ** 2)
            loss.backward()
            optimizer.step()
            step, losses = step + 1, [*losses, loss.item()]
            seconds = before + time.perf_counter() - start
            at_the_end = step == epochs * batches
            if step % REPORT == 0 or at_the_end:
                yield step, statistics.fmean(losses), seconds
                losses = []
            if step % every == 0 and not at_the_end:
                state = {
                    "weights": net.state_dict(), "optimizer": optimizer.state_dict(),
                    "step": step, "losses": losses, "seconds": seconds,
                    "first": first, "now": random_state(device),
                }  # fmt: skip
                with replacing(file) as stream:
                    torch.save(state, stream)


def as_the_example_shows(pixels: Tensor) -> Tensor:
    """Bytes as the example's transforms turn them into numbers: to [0, 1], then less 0.5, by 0.5.

    >>> as_the_example_shows(torch.tensor([0, 255], dtype=torch.uint8))
    tensor([-1.,  1.])
    """
    return (pixels / 255 - 0.5) / 0.5


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


def torchcfm_version() -> dict[str, str]:
    return {"torchcfm": version("torchcfm")}


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
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--n", type=int, help="samples a row; 10,000 on a GPU, 2,000 on a CPU")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2], help="of training")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--out", type=Path, default=results_folder() / "peers.json")
    parser.add_argument("--samples", type=Path, default=Path("runs/samples"))
    parser.add_argument("--weights", type=Path, default=Path("runs/peers"))
    parser.add_argument("--reference", type=Path, nargs="+", metavar="WEIGHTS")
    parser.add_argument("--judge-again", action="store_true", help="the rows that have samples")
    parser.add_argument("--quick", action="store_true", help="a smoke test")
    args = parser.parse_args()
    gpu = args.device.startswith("cuda")
    args.draw, args.at_once = False, 2500 if gpu else 100
    args.epochs, args.batch, args.every, args.images = EPOCHS, BATCH, 50, 60_000
    args.n = args.n or (200 if args.quick else 10_000 if gpu else 2_000)
    if args.quick:
        args.seeds, args.samples, args.weights = [0], Path("runs/quick"), Path("runs/quick")
        args.out = args.samples / "peers.json"
        args.epochs, args.batch, args.every, args.images = 2, 16, 2, 48
    if not args.reference:
        torchcfm()  # if it is not there, better now
    args.samples.mkdir(parents=True, exist_ok=True)
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
