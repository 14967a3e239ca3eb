"""What a training step of each rule costs beside one of conditional flow matching; of `onestep.py`.

python benchmarks/onestep_cost.py NETWORK RULE TEACHER    prints the memory of one of them
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from argparse import Namespace
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.autograd import forward_ad
from training import memory as most_memory

from fmcore.flowmaps import RULES, flow_map_loss
from fmcore.losses import cfm_loss
from fmcore.networks import MLP, TwoTimes, UNet
from fmcore.paths import OTPath
from fmcore.results import keep, origin
from fmcore.training import RECIPES

FLOW = "flow matching"
EXACT = {**os.environ, "MALLOC_MMAP_THRESHOLD_": "65536"}  # what is freed goes back at once
LAPTOP, BATCH = RECIPES["laptop"].network, RECIPES["laptop"].train.batch_size


class Work(NamedTuple):
    """A network of one time, the batch it is shown, how often it is timed, and whether weighed."""

    network: Callable[[], nn.Module]
    shape: tuple[int, ...]
    rounds: int
    weighed: bool  # what an MLP holds is too little to be told from what was there


WORKS = {
    "MLP": Work(MLP, (256, 2), 150, False),
    "U-Net": Work(partial(UNet, **LAPTOP), (BATCH, 1, 28, 28), 9, True),
}


TINY = Work(partial(MLP, hidden=8), (2, 2), 1, False)


class Step:
    """A training step: `next` takes one."""

    def __init__(self, work: Work, rule: str, taught: bool):
        torch.manual_seed(0)
        one = work.network()
        self.teacher = work.network().requires_grad_(False) if taught else None
        self.net = one if rule == FLOW else TwoTimes.from_one(one)
        self.loss: Callable[..., Tensor] = cfm_loss
        if rule != FLOW:
            self.loss = partial(flow_map_loss, rule=rule, teacher=self.teacher)
        self.generator = torch.Generator().manual_seed(0)
        self.x1 = torch.randn(work.shape, generator=self.generator)
        self.optimizer = torch.optim.AdamW(self.net.parameters(), 1e-4, fused=True)

    def __next__(self) -> None:
        loss = self.loss(self.net, OTPath(), self.x1, generator=self.generator)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()


def passes(step: Step) -> dict[str, int]:
    """How often a step goes through the network: forward, forward with a tangent, backward."""
    seen: Counter[str] = Counter()

    def count(net: nn.Module, given: tuple, answer: Tensor) -> None:
        tangent = forward_ad._current_level >= 0  # within `jvp`
        seen["jvp" if tangent else "forward"] += 1
        seen["backward"] += answer.requires_grad

    def count_teacher(net: nn.Module, given: tuple, answer: Tensor) -> None:
        seen["teacher_forward"] += 1

    hooks = [step.net.register_forward_hook(count)]
    if step.teacher is not None:
        hooks.append(step.teacher.register_forward_hook(count_teacher))
    next(step)
    for hook in hooks:
        hook.remove()
    return {name: seen[name] for name in ("forward", "jvp", "backward", "teacher_forward")}


def cost(args: Namespace, rows: list[dict], about: dict) -> None:
    """All rows of the networks that are not in `rows` yet."""
    for name, work in WORKS.items():
        if any(row["what"] == "cost" and row["network"] == name for row in rows):
            continue
        whos = [(FLOW, False), *((rule, taught) for taught in (False, True) for rule in RULES)]
        if args.quick:
            work, whos = work._replace(rounds=2), whos[:2]
        steps = {who: Step(work, *who) for who in whos}
        times: dict[tuple, list[float]] = {who: [] for who in whos}
        for i in range(work.rounds + 1):  # the first is to warm up
            for who, step in steps.items():
                start = time.process_time()
                next(step)
                if i:
                    times[who].append(time.process_time() - start)
        found = []
        for who, step in steps.items():
            rule, taught = who
            memory = None
            if work.weighed:
                own = [sys.executable, __file__, name, rule, str(taught)]
                told = subprocess.run(own, capture_output=True, text=True, check=True, env=EXACT)
                memory = float(told.stdout)
            pairs = zip(times[who], times[FLOW, False], strict=True)
            row = {
                "what": "cost",
                "network": name,
                "rule": rule,
                "teacher": "a network like it" if taught else None,
                **origin(seed=0),
                "batch": work.shape[0],
                "parameters": sum(p.numel() for p in step.net.parameters()),
                "rounds": work.rounds,
                "milliseconds": 1e3 * statistics.median(times[who]),
                "ratio": statistics.median(a / b for a, b in pairs),
                "memory_mib": memory,
                "memory_ratio": memory and memory / (found[0]["memory_mib"] if found else memory),
                **passes(step),
            }
            found.append(row)
            print(
                f"cost {name:6}{rule:20}{'taught' if taught else '':8}"
                f"{row['milliseconds']:8.1f} ms {row['ratio']:5.2f}"
                + (f"{memory:7.0f} MiB {row['memory_ratio']:5.2f}" if memory else ""),
                flush=True,
            )
        rows += found
        keep(args.out, about, rows)


def main() -> None:
    torch.set_num_threads(1)
    name, rule, taught = sys.argv[1:]
    next(Step(TINY, rule, taught == "True"))  # what is loaded for its sake is not its work
    print(most_memory(lambda: Step(WORKS[name], rule, taught == "True"), "cpu"))


if __name__ == "__main__":
    main()
