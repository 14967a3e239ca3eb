"""What do a training step and a sample cost, in time and memory, beside a bare loop?

    python benchmarks/training.py            some minutes; writes benchmarks/results/training.json
    python benchmarks/training.py --quick    a minute; writes nothing

Step: `fmcore.fit` against a loop of a dozen lines that does the same arithmetic (draw, loss, AdamW,
average), and against the reference script's way: a DataLoader that decodes image by image, and an
average over the state dict, tensor by tensor. All train the same network with batches of one size;
`fit` also in bf16, and compiled; that takes a C++ compiler and a minute, and --quick leaves it out.
Sample: `fmcore.generate` against the two lines of Heun's method in a loop.

Times are ratios to the bare loop, medians over rounds in which every contender has its turn. Memory
is the most that the process held, beyond what it held before, each in a process of its own (Linux).
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import reference
import torch
from whole import whole_mnist

from fmcore.losses import cfm_loss
from fmcore.networks import UNet
from fmcore.paths import OTPath
from fmcore.results import keep, origin, results_folder
from fmcore.sampling import generate
from fmcore.training import TrainConfig, fit

RESULTS = results_folder() / "training.json"
LR = 1e-3


def network(base: int, device: str) -> UNet:
    torch.manual_seed(0)
    return UNet(base=base).to(device)


def bare_steps(base: int, batch: int, device: str) -> Iterator[None]:
    net, average = network(base, device), network(base, device)
    pixels, g = whole_mnist().pixels.to(device), torch.Generator(device).manual_seed(0)
    optimizer = torch.optim.AdamW(net.parameters(), LR, fused=True)
    weights, averages = list(net.parameters()), list(average.parameters())
    while True:
        rows = torch.randint(len(pixels), (batch,), generator=g, device=device)
        x1 = pixels[rows].float() / 127.5 - 1
        x0 = torch.randn(x1.shape, generator=g, device=device)
        t = torch.rand(batch, generator=g, device=device)
        s = t[:, None, None, None]
        loss = (net((1 - s) * x0 + s * x1, t) - (x1 - x0)).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        with torch.no_grad():
            torch._foreach_lerp_(averages, weights, 0.001)
        yield


def fit_steps(base: int, batch: int, device: str, **changes) -> Iterator[None]:
    config = TrainConfig(
        epochs=50, batch_size=batch, lr=LR, device=device, log_every=1, progress=False, **changes
    )
    yield from fit(network(base, device), OTPath(), whole_mnist(), config)


def reference_steps(base: int, batch: int, device: str) -> Iterator[None]:
    net = network(base, device)
    yield from reference.steps(net, OTPath(), cfm_loss, batch=batch, lr=LR, device=device)


@torch.no_grad()
def bare_samples(base: int, batch: int, device: str, steps: int = 5) -> Iterator[None]:
    net, g = network(base, device).eval(), torch.Generator(device).manual_seed(0)
    while True:
        x, h = torch.randn(batch, 1, 28, 28, generator=g, device=device), 1 / steps
        for i in range(steps):
            k1 = net(x, i * h)
            x = x + h / 2 * (k1 + net(x + h * k1, (i + 1) * h))
        x.clamp(-1, 1)
        yield


def generate_samples(base: int, batch: int, device: str, steps: int = 5) -> Iterator[None]:
    net, g = network(base, device), torch.Generator().manual_seed(0)
    while True:
        generate(net, batch, method="heun", steps=steps, generator=g)
        yield


ARENAS = {
    "step": {
        "bare loop": bare_steps,
        "fmcore": fit_steps,
        "reference": reference_steps,
        "fmcore, bf16": partial(fit_steps, precision="bf16"),
        "fmcore, bf16, compiled": partial(fit_steps, precision="bf16", compile=True),
    },
    "sample, 5 Heun steps": {"bare loop": bare_samples, "fmcore": generate_samples},
}


def race(contenders: dict, rounds: int, device: str) -> dict[str, list[float]]:
    """Seconds of every turn, after one round to warm up."""
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for i in range(rounds + 1):
        for name, work in contenders.items():
            start = time.perf_counter()
            next(work)
            if device.startswith("cuda"):
                torch.cuda.synchronize()
            if i:
                times[name].append(time.perf_counter() - start)
    return times


def memory(make, device: str) -> float:
    """MiB that three turns need at most, beyond what was held before."""
    whole_mnist()
    torch.optim.AdamW([torch.zeros(1)])  # its imports are not its work
    if device.startswith("cuda"):
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated() / 2**20
    else:
        Path("/proc/self/clear_refs").write_text("5")  # the high-water mark becomes the level
        before = high_water()
    work = make()
    for _ in range(3):
        next(work)
    if device.startswith("cuda"):
        return torch.cuda.max_memory_allocated() / 2**20 - before
    return high_water() - before


def high_water() -> float:
    """The most resident memory of this process so far, in MiB."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a smoke test that writes nothing")
    parser.add_argument("--base", type=int, default=32, help="channels of the network")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--memory", nargs=2, metavar=("ARENA", "NAME"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    base, rounds = (8, 2) if args.quick else (args.base, args.rounds)
    if args.memory:
        arena, name = args.memory
        print(memory(partial(ARENAS[arena][name], base, args.batch, args.device), args.device))
        return
    rows = []
    for arena, makers in ARENAS.items():
        if args.quick:
            makers = {name: make for name, make in makers.items() if "compiled" not in name}
        working = {name: make(base, args.batch, args.device) for name, make in makers.items()}
        times = race(working, rounds, args.device)
        for name, spent in times.items():
            own = [sys.executable, __file__, "--memory", arena, name, "--base", str(base)]
            own += ["--batch", str(args.batch), "--device", args.device]
            own += ["--threads", str(args.threads)]
            result = subprocess.run(own, capture_output=True, text=True, check=True)
            row = {
                "work": arena,
                "who": name,
                "milliseconds": 1e3 * statistics.median(spent),
                "images_per_second": args.batch / statistics.median(spent),
                "ratio": statistics.median(
                    a / b for a, b in zip(spent, times["bare loop"], strict=True)
                ),
                "memory_mib": float(result.stdout),
            }
            rows.append(row)
            print(
                f"{arena:22}{name:24}{row['milliseconds']:9.1f} ms{row['ratio']:7.2f}"
                f"{row['memory_mib']:8.0f} MiB",
                flush=True,
            )
    if not args.quick:
        about = origin(device=args.device, seed=0)
        keep(RESULTS, about | {"base": base, "batch": args.batch, "rounds": rounds}, rows)


if __name__ == "__main__":
    main()
