"""Flow matching and diffusion on equal terms: path, target, sampler and grid, one at a time.

    python benchmarks/race.py            writes results/race.json: some hours of one CPU core
    python benchmarks/race.py --quick    a smoke test that writes nothing

Contestants are a path (OT, VP, cosine) and what the network predicts (the velocity, the noise).
They have the same network, the same images in the same order, the same noise and as many steps;
the loss is the plain mean square of what is predicted. Each network is sampled by every sampler at
the same numbers of evaluations, from the same noise. "plane" is the checkerboard with an MLP,
judged by the exact Wasserstein-2 distance of 1,500 samples from 1,500 points of the data;
"digits" is MNIST with the network of `RECIPES["laptop"]`, the classes asked for in turn, and 500
images judged. Three seeds of training each; a network whose rows are there is not trained again.

Samplers, all with one evaluation of the network for each evaluation that is counted:

    euler, midpoint, heun, rk4    the probability-flow ODE, steps even in t
    ddim, ddim log-SNR            the first order of `multistep` (Song et al. 2021), both grids
    2m, 2m log-SNR                its second order, DPM-Solver++(2M) (Lu et al. 2022), both grids
    ddim OT, 2m OT                both at the times where the path has the ratio a / b of an even
                                  grid on the OT path: for order 1, Euler along that path
    ancestral                     the posterior of Ho et al. 2020, eq. 6 and 7, steps even in t

The costs are evaluations and CPU seconds of one thread, which other work on the machine does not
change by much.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn
from whole import whole_mnist

from fmcore.data import toy
from fmcore.losses import prediction_loss
from fmcore.metrics import Judge, wasserstein2
from fmcore.networks import MLP, UNet
from fmcore.paths import PATHS, ProbabilityPath, as_velocity
from fmcore.results import keep, origin, results_folder
from fmcore.solvers import SOLVERS, multistep, odeint
from fmcore.training import RECIPES, TrainConfig, fit

BUDGETS = {"plane": (2, 4, 8, 16, 32, 64), "digits": (4, 8, 16)}
LONG = {"plane": (128, 256), "digits": (64,)}  # for ancestral sampling, whose home is there
TARGETS = ("velocity", "noise")
SEEDS = (0, 1, 2)

Sampler = Callable[[Callable, ProbabilityPath, Tensor, int, torch.Generator], Tensor]
"""Samples `(v, path, x0, evaluations, generator) -> x1`."""


def ode(method: str) -> Sampler:
    def sample(v, path, x0, nfe, g):
        return odeint(v, x0, method=method, steps=nfe // SOLVERS[method].stages).x

    return sample


def steps_of(order: int, grid: str | Callable | None) -> Sampler:
    def sample(v, path, x0, nfe, g):
        times = grid(path, nfe) if callable(grid) else grid
        return multistep(v, path, x0, order=order, steps=nfe, grid=times).x

    return sample


def as_ot(path: ProbabilityPath, steps: int) -> Tensor:
    """The times of an even grid on the OT path, carried to `path` by their ratio a / b."""
    t = torch.linspace(0, 1, steps + 1, dtype=torch.float64)
    return torch.cat((t[:1], path.time_at(t, 1 - t)[1:-1], t[-1:]))


def ancestral(v, path: ProbabilityPath, x0: Tensor, nfe: int, g: torch.Generator) -> Tensor:
    """Each step draws from p(x_s | x_t, x1), with the network's guess of x1 in its place."""
    x, times = x0, torch.linspace(0, 1, nfe + 1, dtype=torch.float64)
    for t, s in pairwise(times):
        u = v(x, t)
        data, noise = path.velocity_to_data(u, x, t), path.velocity_to_noise(u, x, t)
        (a, b), (a_s, b_s) = ((path.a(time), path.b(time)) for time in (t, s))
        fresh = b_s * (1 - (a * b_s / (a_s * b)).square()).clamp_min(0).sqrt()
        kept = (b_s.square() - fresh.square()).clamp_min(0).sqrt()
        x = a_s * data + kept * noise + fresh * torch.randn(x.shape, generator=g)
        x = x.to(x0.dtype)
    return x


SAMPLERS: dict[str, Sampler] = {
    **{name: ode(name) for name in ("euler", "midpoint", "heun", "rk4")},
    "ddim": steps_of(1, None),
    "ddim log-SNR": steps_of(1, "log_snr"),
    "ddim OT": steps_of(1, as_ot),
    "2m": steps_of(2, None),
    "2m log-SNR": steps_of(2, "log_snr"),
    "2m OT": steps_of(2, as_ot),
    "ancestral": ancestral,
}


class Course(NamedTuple):
    """What is run: a network, data, how to train, and how to judge samples."""

    network: Callable[[], nn.Module]
    data: object
    config: TrainConfig
    x0: Tensor
    label: Tensor | None
    judge: Callable[[Tensor], dict]


def plane(quick: bool) -> Course:
    g = torch.Generator().manual_seed(0)
    n = 200 if quick else 1_500
    goal, *fresh = (toy("checkerboard", n, generator=g) for _ in range(9))
    floor = sum(wasserstein2(real, goal) for real in fresh) / len(fresh)
    config = TrainConfig(
        steps=20 if quick else 6_000, batch_size=256, lr=2e-3, schedule="cosine", warmup=100,
        clip=1.0, progress=False,
    )  # fmt: skip
    return Course(
        partial(MLP, dim=2, hidden=128, depth=3),
        toy("checkerboard", 1_000 if quick else 100_000, generator=g),
        config,
        torch.randn(n, 2, generator=g),
        None,
        lambda x: {"wasserstein": wasserstein2(x, goal), "wasserstein_floor": floor},
    )


def digits(quick: bool) -> Course:
    recipe = RECIPES["laptop"]
    data, test = (whole_mnist(split) for split in ("train", "test"))
    few = replace(data, pixels=data.pixels[:10_000], labels=data.labels[:10_000])
    judge = Judge(few, test)  # they are asked for the nearest alone, which takes long
    n = 200 if quick else 500
    label = torch.arange(n) % 10

    def scores(x: Tensor) -> dict:
        found = judge(x.clamp(-1, 1), label).as_dict()
        return {k: v for k, v in found.items() if not k.startswith(("nearest", "copies"))}

    return Course(
        partial(UNet, **recipe.network),
        data,
        replace(recipe.train, steps=5 if quick else 2_500, progress=False),
        torch.randn(n, 1, 28, 28, generator=torch.Generator().manual_seed(0)),
        label,
        scores,
    )


COURSES = {"plane": plane, "digits": digits}


def trained(course: Course, path: ProbabilityPath, target: str, seed: int) -> nn.Module:
    torch.manual_seed(seed)  # the initial weights
    net = course.network()
    loss = partial(prediction_loss, predict=target)
    *_, last = fit(net, path, course.data, replace(course.config, seed=seed), loss=loss)
    return last.ema.eval().requires_grad_(False)


@torch.no_grad()
def race(
    course: Course, v: Callable, path: ProbabilityPath, where: str, quick: bool
) -> Iterator[dict]:
    """A row for each sampler and number of evaluations."""
    for name, sampler in SAMPLERS.items():
        long = LONG[where] if name == "ancestral" else ()
        for nfe in BUDGETS[where][1:2] if quick else BUDGETS[where] + long:
            if name in SOLVERS and nfe < SOLVERS[name].stages:
                continue
            g = torch.Generator().manual_seed(1)
            seen = 0

            def counted(x, t):
                nonlocal seen
                seen += 1
                return v(x, t) if course.label is None else v(x, t, course.label)

            start = time.process_time()
            x = sampler(counted, path, course.x0, nfe, g)
            seconds = round(time.process_time() - start, 2)
            if seen != nfe:
                raise RuntimeError(f"{name} took {seen} evaluations in place of {nfe}")
            if not x.isfinite().all():
                yield {"sampler": name, "nfe": nfe, "finite": False}
                continue
            yield {"sampler": name, "nfe": nfe, "cpu_seconds": seconds, **course.judge(x)}


def gathered(runs: list[dict]) -> dict:
    """The runs of one network, and once the floors and ceilings that all of them share."""
    bound = ("_floor", "_ceiling")
    shared = {k: v for run in runs for k, v in run.items() if k.endswith(bound)}
    return {**shared, "runs": [{k: run[k] for k in run if not k.endswith(bound)} for run in runs]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--where", choices=COURSES, nargs="+", default=list(COURSES))
    parser.add_argument("--seeds", type=int, nargs="+", default=list(SEEDS))
    parser.add_argument("--out", type=Path, default=results_folder() / "race.json")
    parser.add_argument("--quick", action="store_true", help="a smoke test that writes nothing")
    args = parser.parse_args()
    torch.set_num_threads(1)
    rows = json.loads(args.out.read_text())["rows"] if args.out.is_file() else []
    known = {tuple(row[k] for k in ("where", "path", "target", "seed")) for row in rows}
    for where in args.where:
        course = COURSES[where](args.quick)
        for seed in args.seeds[:1] if args.quick else args.seeds:
            for kind in PATHS.values():
                for target in TARGETS:
                    path = kind()
                    who = {"where": where, "path": kind.__name__, "target": target, "seed": seed}
                    if tuple(who.values()) in known and not args.quick:
                        continue
                    start = time.process_time()
                    net = trained(course, path, target, seed)
                    seconds = time.process_time() - start
                    v = as_velocity(net, path, predict=target)
                    about = {**origin(seed=seed), **who}
                    about["training_cpu_seconds"] = round(seconds, 1)
                    made = list(race(course, v, path, where, args.quick))
                    rows.append(about | gathered(made))
                    score = "wasserstein" if where == "plane" else "frechet"
                    best = min((row for row in made if score in row), key=lambda row: row[score])
                    print(
                        f"{where:7} {kind.__name__:11} {target:9} {seed}  {seconds:6.0f} s  best "
                        f"{best[score]:.3f} by {best['sampler']} at {best['nfe']}",
                        flush=True,
                    )
                    if not args.quick:
                        keep(args.out, {}, rows)


if __name__ == "__main__":
    main()
