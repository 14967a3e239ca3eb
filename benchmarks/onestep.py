"""One step: what do flow maps cost, and what do they gain? Points, digits, and a training step.

    python benchmarks/onestep.py                  all of it
    python benchmarks/onestep.py --where cost     a training step of each rule: 5 minutes of a core
    python benchmarks/onestep.py --where plane    two moons, three seeds: 25 minutes of a core
    python benchmarks/onestep.py --where digits   MNIST, three seeds: 30 hours of a core
    python benchmarks/onestep.py --quick          a smoke test, into runs/quick

A row goes into `onestep.json` as soon as there is one, and one that is there is not made again; it
says by `what` which of the three it belongs to, and holds device, seed, date, versions and command.
`rule` is a key of `RULES`, or "flow matching" or "reflow"; `teacher` is None for a network that
learns from data alone.

cost     `network`, `batch`, `parameters`; `milliseconds` of a step (loss, backward, AdamW), the
         median over `rounds` in which every rule has its turn; `ratio` to `cfm_loss` on the same
         network with one clock, the median over the rounds; `memory_mib` and `memory_ratio`, the
         most that steps hold beyond what was held before, each in a process of its own (Linux),
         of the U-Net alone;
         `forward`, `jvp` and `backward` passes of the network, `teacher_forward` of the teacher
plane    `steps`, `lr`, `training_cpu_seconds`, `parameters`; in `samples` for each `sampler` and
         `nfe` the exact Wasserstein-2 distance of 1,500 samples from 1,500 points of the data,
         `wasserstein`; `wasserstein_floor` is that of 1,500 other points. A teacher is the flow
         matching network of that seed, from whose weights the flow map starts. `lr` is the best of
         `LRS` for each rule on a seed that is not among the three; those rows are `what: tuning`
digits   a row for each `sampler` (`solver` in the row) and `steps`, with `nfe`, all scores of
         `mnist.py` and, with `guidance` 1, the classes asked for in turn. `model` is the rule, with
         ", distilled" after it if it learnt from the shipped network, which is then the network
         it starts from; all others have the network of `RECIPES["laptop"]`, whose clock turns
         slowly in a flow map (see `TwoTimes`)

A flow map jumps; a consistency model jumps to the end and back into noise ("renoise", Song et al.
2023, algorithm 1), since it has learnt no other jumps. Under a teacher mean flow, its improved form
and the Eulerian rule are the same. Samples are kept under `--samples`, weights in half precision
under `--weights`, so that another judge (`--judge-again`) needs no training.
"""

from __future__ import annotations

import time
from argparse import Namespace
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import Any, NamedTuple

import torch
from mnist import Table, chosen, draw, options
from onestep_cost import cost
from torch import Tensor, nn
from whole import whole_mnist

from fmcore.checks import randn_like
from fmcore.couplings import FixedPairs, reflow_pairs
from fmcore.data import toy
from fmcore.flowmaps import RULES, flow_map_loss, jump
from fmcore.losses import cfm_loss, stratified_times
from fmcore.metrics import wasserstein2
from fmcore.models import mean_velocity, time_pair
from fmcore.networks import MLP, TwoTimes, UNet
from fmcore.networks.two_times import SLOW
from fmcore.paths import OTPath
from fmcore.results import keep, origin
from fmcore.sampling import generate
from fmcore.solvers import SOLVERS, odeint
from fmcore.training import RECIPES, Checkpoints, TrainConfig, fit
from fmcore.weights import FlowModel, load_pretrained, load_weights, save_weights

NFES = (1, 2, 4, 8)
DISTILLED = ("consistency", "shortcut", "mean_flow", "lagrangian")  # the others are as mean flow
POINTS = 1_500
POINT_NETWORK = dict(dim=2, hidden=128, depth=3, time_scale=SLOW)
TUNING_SEED, TUNING_STEPS = 100, 400
LRS = (3e-3, 1e-2)
PLANE = TrainConfig(
    steps=1_500, batch_size=256, schedule="cosine", warmup=100, clip=1.0, ema=0.99, progress=False
)
NETWORK = RECIPES["laptop"].network
LOSS = partial(cfm_loss, times=stratified_times)
LEARNING = replace(RECIPES["laptop"].train, steps=2_500, label_dropout=0.5, progress=False)
DISTILLING = replace(LEARNING, batch_size=32, lr=3e-4)
PAIRS = 10_000  # of reflow
Sampler = Callable[..., tuple[Tensor, float]]
"""Samples and evaluations: `(net, x0, label, steps=..., generator=...)`."""


# ---- samplers


def solved(net, x0: Tensor, label: Tensor | None, *, method: str, steps: int, generator=None):
    """The ODE of a network of one time."""
    field = net if label is None else lambda x, t: net(x, t, label)
    solution = odeint(field, x0, method=method, steps=steps)
    return solution.x, solution.nfe


def jumped(net, x0: Tensor, label: Tensor | None, *, steps: int, generator=None):
    return jump(net, x0, steps, label=label), steps


def renoised(net, x0: Tensor, label: Tensor | None, *, steps: int, generator: torch.Generator):
    """To the end, back to t = i / steps with fresh noise, and to the end again."""
    x = x0
    for i in range(steps):
        if i:
            fresh = randn_like(x.to(generator.device), generator).to(x)
            x = OTPath().sample(fresh, x, torch.full((len(x),), i / steps, device=x.device))[0]
        s, t = time_pair((i / steps, 1.0), x)
        x = x + (1 - i / steps) * mean_velocity(net, x, s, t, label)
    return x, steps


def samplers(rule: str) -> Iterator[tuple[str, int, Sampler]]:
    """The name of a sampler, its steps, and what draws."""
    if rule == "consistency":
        yield from (("renoise", k, partial(renoised, steps=k)) for k in NFES)
    elif rule in RULES:
        yield from (("jump", k, partial(jumped, steps=k)) for k in NFES)
    else:
        for method in ("euler", "midpoint"):
            for nfe in NFES:
                steps, rest = divmod(nfe, SOLVERS[method].stages)
                if rest == 0:
                    yield method, steps, partial(solved, method=method, steps=steps)


# ---- the plane


class Course(NamedTuple):
    """Two moons: what is trained on, the noise of all samples, and their judge."""

    data: Tensor
    x0: Tensor
    goal: Tensor
    floor: float


def two_moons(n: int) -> Course:
    g = torch.Generator().manual_seed(0)
    goal, *fresh = (toy("two_moons", n, generator=g) for _ in range(9))
    floor = sum(wasserstein2(real, goal) for real in fresh) / len(fresh)
    data = toy("two_moons", 100_000, generator=g)
    return Course(data, torch.randn(n, 2, generator=g), goal, floor)


def points(
    course: Course, rule: str, config: TrainConfig, before: nn.Module | None
) -> tuple[nn.Module, dict]:
    """A network for points; `before` is the teacher, or the flow that reflow straightens."""
    torch.manual_seed(config.seed)  # the initial weights
    start, couple, about = time.process_time(), None, {}
    if rule == "reflow":
        g = torch.Generator().manual_seed(config.seed)
        how = dict(shape=(2,), method="midpoint", steps=16)
        x0, x1 = reflow_pairs(before, 20_000, generator=g, **how)
        couple = FixedPairs(x0, x1)
        about["pairs_cpu_seconds"] = round(time.process_time() - start, 1)
    if rule in RULES:
        net = TwoTimes("MLP", **POINT_NETWORK) if before is None else TwoTimes.from_one(before)
        loss = partial(flow_map_loss, rule=rule, teacher=before)
    else:
        net, loss = MLP(**POINT_NETWORK), cfm_loss
        if before is not None:
            net.load_state_dict(before.state_dict())
    *_, last = fit(net.requires_grad_(), OTPath(), course.data, config, loss=loss, couple=couple)
    about["training_cpu_seconds"] = round(time.process_time() - start, 1)
    about["parameters"] = sum(p.numel() for p in net.parameters())
    return last.ema.eval().requires_grad_(False), about


@torch.no_grad()
def moons_of(course: Course, net: nn.Module, rule: str, tuning: bool) -> list[dict]:
    """The distance of samples from the data: for tuning, the one that counts; else all of them."""
    ways = [(name, steps, sampler) for name, steps, sampler in samplers(rule) if steps <= 4]
    fine = ("euler", 100, partial(solved, method="euler", steps=100))
    if rule == "flow matching":
        ways = [fine] if tuning else [*ways, fine]
    rows = []
    for name, _, sampler in ways[:1] if tuning else ways:
        g = torch.Generator().manual_seed(1)
        x, nfe = sampler(net, course.x0, None, generator=g)
        rows.append({"sampler": name, "nfe": nfe, "wasserstein": wasserstein2(x, course.goal)})
    return rows


def plane(table: Table, args: Namespace) -> None:
    course = two_moons(200 if args.quick else POINTS)
    configs = {"tuning": replace(PLANE, steps=TUNING_STEPS), "plane": PLANE}
    if args.quick:
        configs = {what: replace(PLANE, steps=3, warmup=1) for what in configs}
    jobs = [("flow matching", False), ("reflow", False)]
    jobs += [(rule, False) for rule in RULES] + [(rule, True) for rule in DISTILLED]

    def run(what: str, seed: int, rule: str, taught: bool, lr: float, teacher=None):
        """One network, unless its row is there: None, but for flow matching, which others need."""
        config = replace(configs[what], lr=lr, seed=seed)
        who = {"what": what, "rule": rule, "teacher": "flow matching" if taught else None}
        who |= {"seed": seed, "lr": lr, "steps": config.steps}
        known = any(who.items() <= row.items() for row in table.rows)
        if known and rule != "flow matching":
            return None
        before = teacher() if taught or rule == "reflow" else None
        net, about = points(course, rule, config, before)
        if not known:
            row = {**origin(seed=seed), **who, **about, "batch": config.batch_size}
            row |= {
                "samples": moons_of(course, net, rule, what == "tuning"),
                "wasserstein_floor": course.floor,
            }
            add(table, row)
            told = "  ".join(
                f"{one['sampler']} {one['nfe']}: {one['wasserstein']:.3f}" for one in row["samples"]
            )
            print(f"{what} {seed} {rule}{', taught' * taught}, lr {lr:g}: {told}", flush=True)
        return net

    def best(rule: str, taught: bool) -> float:
        """The learning rate with the smallest distance: of a jump, or of a fine solution."""
        teacher = "flow matching" if taught else None
        rows = [
            row
            for row in table.rows
            if row["what"] == "tuning" and (row["rule"], row["teacher"]) == (rule, teacher)
        ]
        return min(rows, key=lambda row: row["samples"][0]["wasserstein"])["lr"]

    for what, seeds in (("tuning", [TUNING_SEED]), ("plane", args.seeds)):
        for seed in seeds:

            @cache
            def teacher(what=what, seed=seed) -> nn.Module | None:
                return run(what, seed, "flow matching", False, best("flow matching", False))

            for rule, taught in jobs:
                lrs = LRS[:1] if args.quick else LRS
                for lr in lrs if what == "tuning" else [best(rule, taught)]:
                    run(what, seed, rule, taught, lr, teacher)


def add(table: Table, row: dict) -> None:
    table.rows.append(row)
    keep(table.args.out, table.about, table.rows)


# ---- digits


class Contestant(NamedTuple):
    """Who is trained: a rule, or "flow matching" or "reflow"; from the shipped network or not."""

    rule: str
    distilled: bool = False

    @property
    def name(self) -> str:
        return self.rule + ", distilled" * self.distilled


CONTESTANTS = (  # the most interesting first
    Contestant("lagrangian", distilled=True),
    Contestant("flow matching"),
    Contestant("mean_flow"),
    Contestant("shortcut"),
    Contestant("consistency"),
    Contestant("reflow"),
    Contestant("improved_mean_flow"),
    Contestant("shortcut", distilled=True),
    Contestant("lagrangian"),
    Contestant("eulerian"),
    # These two differentiate in the fast clock of the shipped network, and their loss grows:
    # after 400 steps mean flow's was 9.4, from 0.85 after 100.
    Contestant("mean_flow", distilled=True),
    Contestant("consistency", distilled=True),
)


class LabelledPairs(FixedPairs):
    """Fixed pairs that come with the labels for which they were drawn."""

    def __init__(self, x0: Tensor, x1: Tensor, label: Tensor):
        super().__init__(x0, x1)
        self.label = label

    def __call__(self, x0, x1, label=None, generator=None):
        rows = self.rows(len(x0), generator)
        return self.x0[rows], self.x1[rows], self.label[rows]


def trained(who: Contestant, seed: int, args: Namespace) -> tuple[FlowModel, dict]:
    """The model of a contestant: read if it is there, trained and written otherwise."""
    file = args.weights / f"{who.name.replace(', ', '-')}_{seed}.safetensors"
    if not file.is_file():
        save_weights(learnt(who, seed, args, args.weights / file.stem), file)
    model = load_weights(file)
    model.float().to(args.device)
    about = {k: v for k, v in model.config["about"].items() if k not in origin()}
    return model, about


def learnt(who: Contestant, seed: int, args: Namespace, folder: Path) -> FlowModel:
    """Trains; what is saved is in half precision."""
    config = replace(
        (DISTILLING if who.distilled else LEARNING), seed=seed, device=args.device,
        precision="bf16" if args.gpu else "fp32", **args.small,
    )  # fmt: skip
    torch.manual_seed(seed)  # the initial weights
    start, couple, about = time.perf_counter(), None, {}
    if who.rule == "reflow":
        before = trained(Contestant("flow matching"), seed, args)[0]
        couple = pairs_of(before, 200 if args.quick else PAIRS, seed, args)
        about["pairs_seconds"] = round(time.perf_counter() - start, 1)
        net, loss = before.net.requires_grad_(), LOSS
    elif who.rule in RULES:
        teacher = load_pretrained("mnist").to(args.device) if who.distilled else None
        net = TwoTimes.from_one(teacher.net) if teacher else TwoTimes(**NETWORK)
        loss = partial(flow_map_loss, rule=who.rule, teacher=teacher)
    else:
        net, loss = UNet(**NETWORK), LOSS
    saved = Checkpoints(folder, every=100, keep=1, resume=True)
    for p in fit(net, OTPath(), whole_mnist(), config, loss=loss, couple=couple, checkpoints=saved):
        if p.step % 100 < config.log_every:
            print(f"{who.name} {seed}: {p.step}/{p.steps} loss {p.loss:.4f}", flush=True)
        last: Any = p
    about |= {"teacher": "mnist" if who.distilled else None, "training_steps": last.step}
    about |= {"batch": config.batch_size, "lr": config.lr}
    about |= {"training_seconds": round(last.elapsed, 1), "loss": last.loss}
    about["parameters"] = sum(p.numel() for p in net.parameters())
    about |= origin(device=args.device, seed=seed)
    return FlowModel(last.ema.half(), OTPath(), (1, 28, 28), about)


def pairs_of(model: FlowModel, n: int, seed: int, args: Namespace) -> LabelledPairs:
    """Noise, and where ten evaluations carry it; of half of the pairs the label is not told."""
    g = torch.Generator().manual_seed(seed)
    x0, label = torch.randn(n, 1, 28, 28, generator=g), torch.arange(n) % 10
    label = torch.where(torch.rand(n, generator=g) < LEARNING.label_dropout, 10, label)
    x1 = generate(model, n, x0=x0, label=label, steps=5, clamp=False)
    return LabelledPairs(*(each.to(args.device) for each in (x0, x1, label)))


def digits(table: Table, args: Namespace) -> None:
    """All rows, seed by seed; none is begun after `args.seconds`."""
    begin = time.perf_counter()
    args.weights.mkdir(parents=True, exist_ok=True)
    g = torch.Generator().manual_seed(0)
    x0 = torch.randn(args.n, 1, 28, 28, generator=g).to(args.device)
    shipped = cache(lambda: (load_pretrained("mnist").to(args.device), {"teacher": None}))
    jobs: list[tuple] = []
    for seed in args.seeds:
        for who in CONTESTANTS:
            if not args.only or who.name in args.only:
                ready = cache(lambda who=who, seed=seed: trained(who, seed, args))
                jobs.append((who.name, who.rule, seed, ready))
    jobs.insert(1, ("shipped", "flow matching", 0, shipped))
    for name, rule, seed, ready in jobs:
        for solver, steps, sampler in samplers(rule):
            for asked in (False, True):
                if time.perf_counter() - begin > args.seconds or (args.quick and steps != 2):
                    continue
                row = {"what": "digits", "model": name, "rule": rule, "solver": solver}
                row |= {"steps": steps, "n": args.n, "sampling_seed": 0}
                row |= {"guidance": 1.0} if asked else {}
                row |= {"arithmetic": "fp16" if args.gpu else "fp32"}
                row |= origin(device=args.device, seed=seed)

                def make(sampler=sampler, asked=asked, ready=ready) -> tuple[Tensor, dict]:
                    model, about = ready()
                    g = torch.Generator().manual_seed(1)

                    def how(model, x0, label):
                        return sampler(model.net, x0, label if asked else None, generator=g)

                    pixels, spent = draw(model, how, x0, 2500 if args.gpu else 50)
                    return pixels, spent | about

                table.add(row, make)


WHERE: dict[str, Callable[[Table, Namespace], None]] = {
    "cost": lambda table, args: cost(args, table.rows, table.about),
    "plane": plane,
    "digits": digits,
}


def main() -> None:
    parser = options(__doc__.splitlines()[0], "onestep.json", "of training")
    parser.add_argument("--where", choices=WHERE, nargs="+", default=list(WHERE))
    parser.add_argument("--weights", type=Path, default=Path("runs/onestep"))
    parser.add_argument("--only", nargs="+", help="contestants of digits, by their `model`")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="of digits, at most")
    args = ready(chosen(parser))
    table = Table(args)
    for where in args.where:
        WHERE[where](table, args)


def ready(args: Namespace) -> Namespace:
    """What follows from the options."""
    args.draw, args.small = False, {}
    if args.quick:
        args.weights, args.small = args.samples / "onestep", dict(steps=2, warmup=1, batch_size=8)
    if not args.gpu:
        torch.set_num_threads(1)
    return args


if __name__ == "__main__":
    main()
