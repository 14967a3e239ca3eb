"""How fast and how exact is `fmcore.odeint`, next to torchdiffeq and to a loop written by hand?

    python benchmarks/solvers.py            a few minutes; writes benchmarks/results/solvers.json
    python benchmarks/solvers.py --quick    seconds; writes nothing

All contenders solve the same problem in turn, over and over. A ratio is the median over the rounds
of (time of the contender / time of its rival in the same round). On one thread of a CPU it is the
time this process computed that counts, so that a busy machine distorts it little; else the time
that passed. The loop gives the field what odeint gives it, t as a 0-d tensor made beforehand, and
checks nothing. torchdiffeq's `rk4` is the 3/8 rule: of the same order and cost as the classical
method, with another constant.
"""

from __future__ import annotations

import argparse
import copy
import itertools
import math
import statistics
import time
from collections.abc import Callable
from functools import partial

import torch
import torchdiffeq
from torch import Tensor, nn

from fmcore.results import keep, origin, results_folder
from fmcore.solvers import odeint

RESULTS = results_folder() / "solvers.json"
TOLERANCE = 1e-5


class Spiral(nn.Module):
    """A cheap field: a focus that drifts, x A + t."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("matrix", torch.tensor([[0.2, 3.0], [-3.0, 0.2]]))

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        return x @ self.matrix + t


class Network(nn.Module):
    """A multilayer perceptron of (x, t): three layers of 128 units, weights drawn at random."""

    def __init__(self) -> None:
        super().__init__()
        layers = [(nn.Linear(i, 128), nn.SiLU()) for i in (3, 128, 128)]
        self.layers = nn.Sequential(*itertools.chain(*layers), nn.Linear(128, 2))

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        return self.layers(torch.cat((x, t.expand(len(x), 1)), dim=1))


# --- the contenders: each maps (v, x) to the state at t = 1 ---------------------------------------


def euler_loop(v: Callable, x: Tensor, steps: int) -> Tensor:
    h = 1 / steps
    times = torch.linspace(0, 1, steps + 1).to(x).unbind()
    for t in times[:-1]:
        x = x + h * v(x, t)
    return x


def rk4_loop(v: Callable, x: Tensor, steps: int) -> Tensor:
    h = 1 / steps
    times = torch.linspace(0, 1, 2 * steps + 1).to(x).unbind()
    for i in range(steps):
        start, middle, end = times[2 * i : 2 * i + 3]
        k1 = v(x, start)
        k2 = v(x + h / 2 * k1, middle)
        k3 = v(x + h / 2 * k2, middle)
        k4 = v(x + h * k3, end)
        x = x + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
    return x


def fmcore(v: Callable, x: Tensor, t1: float = 1.0, **settings: object) -> Tensor:
    return odeint(v, x, (0.0, t1), **settings).x


def peer(v: Callable, x: Tensor, t1: float = 1.0, **settings: object) -> Tensor:
    span = torch.tensor([0.0, t1]).to(x)
    return torchdiffeq.odeint(lambda t, x: v(x, t), x, span, **settings)[-1]


def contenders(method: str, steps: int) -> dict[str, Callable]:
    if method == "dopri5":
        settings = {"method": method, "rtol": TOLERANCE, "atol": TOLERANCE}
        return {"torchdiffeq": partial(peer, **settings), "fmcore": partial(fmcore, **settings)}
    return {
        "loop": partial({"euler": euler_loop, "rk4": rk4_loop}[method], steps=steps),
        "fmcore": partial(fmcore, method=method, steps=steps),
        "torchdiffeq": partial(peer, method=method, options={"step_size": 1 / steps}),
    }


# --- measuring -----------------------------------------------------------------------------------


def evaluations(solve: Callable, v: Callable, x: Tensor) -> int:
    nfe = itertools.count()

    def counted(x: Tensor, t: Tensor) -> Tensor:
        next(nfe)
        return v(x, t)

    solve(counted, x)
    return next(nfe)


def rms(x: Tensor) -> float:
    return x.double().square().mean().sqrt().item()


def seconds(solve: Callable, v: Callable, x: Tensor) -> float:
    alone = x.device.type == "cpu" and torch.get_num_threads() == 1
    clock = time.process_time if alone else time.perf_counter
    synchronize = torch.cuda.synchronize if x.is_cuda else lambda: None
    synchronize()
    start = clock()
    solve(v, x)
    synchronize()
    return clock() - start


def race(
    solvers: dict[str, Callable], v: nn.Module, x: Tensor, rounds: int, patience: float
) -> list[dict]:
    """One row a contender, after `rounds` rounds, or fewer when `patience` seconds have passed."""
    times: dict[str, list[float]] = {name: [] for name in solvers}
    start = time.perf_counter()
    for i in range(rounds + 1):
        for name, solve in solvers.items():
            elapsed = seconds(solve, v, x)
            if i > 0:  # the first round warms up
                times[name].append(elapsed)
        if i >= min(rounds, 5) and time.perf_counter() - start > patience:
            break
    rival = next(iter(solvers))
    ratios = {
        name: statistics.median(a / b for a, b in zip(times[name], times[rival], strict=True))
        for name in solvers
    }
    return [
        {
            "solver": name,
            "milliseconds": 1e3 * statistics.median(times[name]),
            "ratio": ratios[name],
            "rival": rival,
            "nfe": evaluations(solve, v, x),
            "rounds": len(times[name]),
        }
        for name, solve in solvers.items()
    ]


def problems() -> dict[str, tuple[Callable, Tensor, float]]:
    """Field, x0 and t1 of problems in double precision."""
    g = torch.Generator().manual_seed(0)
    matrix = torch.randn(6, 6, dtype=torch.float64, generator=g) / 2
    rows = torch.randn(8, 6, dtype=torch.float64, generator=g)
    plane = torch.randn(16, 2, dtype=torch.float64, generator=g)

    def van_der_pol(x: Tensor, t: Tensor) -> Tensor:
        p, q = x.unbind(-1)
        return torch.stack((q, 2 * (1 - p * p) * q - p), dim=-1)

    return {
        "decay": (lambda x, t: -x, torch.ones(1, dtype=torch.float64), 5.0),
        "linear": (lambda x, t: x @ matrix, rows, 4.0),
        "tutorial": (lambda x, t: (x + t**2 - 2) / (t + 1), plane, 1.0),
        "N(0,1) to itself": (lambda x, t: x * (2 * t - 1) / ((1 - t) ** 2 + t**2), plane, 1.0),
        "van der Pol": (van_der_pol, plane, 5.0),
    }


def accuracy(tolerances: list[float]) -> list[dict]:
    """Evaluations and error at t1 of both dopri5 at equal tolerances."""
    rows = []
    for (name, (v, x, t1)), tol in itertools.product(problems().items(), tolerances):
        exact = fmcore(v, x, t1, method="dopri5", rtol=1e-13, atol=1e-13)
        row: dict = {"problem": name, "tolerance": tol}
        for library, solver in (("fmcore", fmcore), ("torchdiffeq", peer)):
            solve = partial(solver, t1=t1, method="dopri5", rtol=tol, atol=tol)
            row[library] = {"nfe": evaluations(solve, v, x), "error": rms(solve(v, x) - exact)}
        rows.append(row)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a smoke test that writes nothing")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--patience", type=float, default=20.0, help="seconds for a race")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    rounds, patience = (1, 0.0) if args.quick else (args.rounds, args.patience)

    races = []
    methods = ("euler", "rk4", "dopri5")
    arenas = [("spiral", Spiral, 256, 100), ("MLP", Network, 256, 100)]
    if not args.quick:
        arenas += [("spiral", Spiral, 20_000, 100), ("MLP", Network, 20_000, 10)]
    for (name, field, batch, steps), method in itertools.product(arenas, methods):
        v = field().to(args.device)
        x = torch.randn(batch, 2, generator=torch.Generator().manual_seed(1)).to(args.device)
        exact = fmcore(
            copy.deepcopy(v).double(), x.double(), method="dopri5", rtol=1e-12, atol=1e-12
        )
        solvers = contenders(method, steps)
        for row in race(solvers, v, x, rounds, patience):
            row["error"] = rms(solvers[row["solver"]](v, x) - exact)
            races.append({"field": name, "batch": batch, "method": method, **row})
            print(
                f"{name:7}{batch:6} {method:7}{row['solver']:12}{row['milliseconds']:9.2f} ms"
                f"{row['ratio']:7.2f} x {row['rival']:12}{row['nfe']:4} evaluations"
                f"   error {row['error']:.1e}",
                flush=True,
            )

    print("\ndopri5 in float64: evaluations and error at t1   (fmcore | torchdiffeq)")
    comparison = accuracy([1e-3] if args.quick else [10.0**-k for k in range(3, 9)])
    for row in comparison:
        ours, theirs = row["fmcore"], row["torchdiffeq"]
        print(
            f"{row['problem']:18}{row['tolerance']:.0e}   {ours['nfe']:5} {ours['error']:.1e}"
            f"  | {theirs['nfe']:5} {theirs['error']:.1e}"
        )
    nfe = {k: sum(row[k]["nfe"] for row in comparison) for k in ("fmcore", "torchdiffeq")}
    gain = statistics.mean(
        math.log(row["fmcore"]["error"] / row["torchdiffeq"]["error"]) for row in comparison
    )
    print(f"in all {nfe}; geometric mean of the ratios of the errors {math.exp(gain):.2f}")

    if not args.quick:
        about = origin(device=args.device, seed=0)
        about |= {"torchdiffeq": torchdiffeq.__version__, "tolerance": TOLERANCE}
        rows = [{"what": "race", **row} for row in races]
        keep(RESULTS, about, rows + [{"what": "dopri5", **row} for row in comparison])


if __name__ == "__main__":
    with torch.no_grad():
        main()
