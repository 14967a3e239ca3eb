"""MNIST on a GPU, the reference way and ours: one command, under ten minutes.

    PYTHONPATH=. python benchmarks/gpu.py --out OUT               on a GPU; all goes into OUT
    PYTHONPATH=. python benchmarks/gpu.py --out OUT --rehearse    on a CPU: small, not measured

(PYTHONPATH is needed only where fmcore is not installed. FMCORE_DATA names the folder of MNIST.)

(a) The reference script's own way: a DataLoader that decodes image by image, float32, eager. Timed
    over enough steps to extrapolate to 50 epochs.
(b) The same network, recipe and number of images by `fmcore.fit`: all 50 epochs.
(c) Our recipe, three seeds, each judged on 10,000 samples.
(d) Where the time of a step goes, and which part of the device's matrix rate is used.
(e) What each part of the recipe is worth: short trainings that differ in one thing. (The first
    training of all pays for the compilation; the others find it done.)
(f) With --one-step, and then nothing else: the digits of `onestep.py`, with a budget of their own.

The results are written after every part, so that a run which is cut short has lost nothing. What
does not fit into `--budget` seconds is left out, and named.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
import traceback
from dataclasses import replace
from pathlib import Path

import reference
import torch
from recipe import variations
from whole import whole_mnist

import fmcore
from fmcore.devices import device_name
from fmcore.images import save_grid
from fmcore.losses import cfm_loss, reference_loss
from fmcore.metrics import Judge
from fmcore.results import keep, origin
from fmcore.sampling import generate
from fmcore.training import RECIPES, Recipe, fit
from fmcore.weights import FlowModel, save_weights

FLOP_PER_IMAGE = 0.57e9  # of a forward pass of UNet(base=64); the backward pass takes twice that
EPOCHS, BATCH, IMAGES = 50, 256, 60_000


def network(recipe: Recipe, seed: int) -> fmcore.UNet:
    torch.manual_seed(seed)
    return fmcore.UNet(**recipe.network)


def synchronize(device: str) -> None:
    if device.startswith("cuda"):
        torch.cuda.synchronize()


def peak_memory(device: str) -> float | None:
    """MiB on the GPU at most since it was last reset; the images are 45 of them."""
    return torch.cuda.max_memory_allocated() / 2**20 if device.startswith("cuda") else None


# ---- (a) the reference way


def reference_way(args) -> dict:
    """Seconds of a step as the reference script makes it, and of 50 epochs of them."""
    recipe = RECIPES["reference"]
    net = network(small(recipe) if args.rehearse else recipe, 0).to(args.device)
    work = reference.steps(
        net, recipe.path, reference_loss, batch=args.batch, lr=recipe.train.lr,
        device=args.device, workers=args.workers,
    )  # fmt: skip
    steps, warm = (3, 1) if args.rehearse else (300, 30)
    for _ in range(warm):
        next(work)
    synchronize(args.device)
    start = time.perf_counter()
    for _ in range(steps):  # across the end of an epoch, where the workers start anew
        next(work)
    synchronize(args.device)
    seconds = (time.perf_counter() - start) / steps
    return {
        "milliseconds": 1e3 * seconds,
        "steps": steps,
        "workers": args.workers,
        "images_per_second": args.batch / seconds,
        "seconds_of_50_epochs": seconds * EPOCHS * (IMAGES // BATCH),
    }


# ---- (b), (c) and (e) our way


def train(recipe: Recipe, seed: int, args, log: list | None = None) -> tuple[FlowModel, dict]:
    """Train, and say how long it took: with and without what comes before the first report."""
    if args.rehearse:
        recipe = small(recipe)
    data = whole_mnist()
    if args.rehearse:
        data = replace(data, pixels=data.pixels[:512], labels=data.labels[:512])
    gpu = args.device.startswith("cuda")
    recipe = recipe.on(
        args.device, seed=seed, progress=False, compile=gpu,
        precision="bf16" if gpu else "fp32", log_every=2 if args.rehearse else 117,
    )  # fmt: skip
    if gpu:
        torch.cuda.reset_peak_memory_stats()
    torch._dynamo.reset()  # each training compiles for itself: what was compiled once is on disk
    net = network(recipe, seed)
    start, first = time.perf_counter(), None
    for m in fit(net, recipe.path, data, recipe.train, loss=recipe.loss):
        first = first or (m.step, time.perf_counter())
        if log is not None:
            log.append({"step": m.step, "epoch": m.epoch, "loss": m.loss, "lr": m.lr,
                        "elapsed": round(m.elapsed, 3)})  # fmt: skip
    synchronize(args.device)
    seconds = time.perf_counter() - start
    steady = (m.step - first[0]) * recipe.train.batch_size / (time.perf_counter() - first[1])
    about = {
        "seed": seed,
        "epochs": recipe.train.epochs,
        "seconds": seconds,
        "seconds_before_first_report": first[1] - start,
        "images_per_second": steady,
        "loss": m.loss,
        "memory_mib": peak_memory(args.device),
    }
    header = {
        "data": "mnist",
        "recipe": recipe.as_dict(),
        "seconds": round(seconds, 1),
        "device": device_name(args.device),
        "torch": torch.__version__,
        "date": time.strftime("%Y-%m-%d"),
    }
    return FlowModel(m.ema.eval(), recipe.path, (1, 28, 28), header).to(args.device), about


def judge(model: FlowModel, args, *, steps: int = 5) -> dict:
    """Scores of samples at 10 evaluations (5 midpoint steps), and what drawing them took."""
    n, size = (200, 100) if args.rehearse else (10_000, 2500)
    g = torch.Generator().manual_seed(1)
    generate(model, size, steps=1, generator=g, batch_size=size)  # warm up
    synchronize(args.device)
    if args.device.startswith("cuda"):
        torch.cuda.reset_peak_memory_stats()
    start = time.perf_counter()
    images = generate(model, n, method="midpoint", steps=steps, generator=g, batch_size=size)
    synchronize(args.device)
    about = {
        "sampling_seconds": time.perf_counter() - start,
        "sampling_memory_mib": peak_memory(args.device),
        "nfe": 2 * steps,
    }
    return about | args.judge(images).as_dict()


def small(recipe: Recipe) -> Recipe:
    """What a rehearsal trains: the same code, a few seconds."""
    train = replace(recipe.train, epochs=2, batch_size=32, warmup=min(recipe.train.warmup, 4))
    return replace(recipe, network=recipe.network | {"base": 8}, train=train)


# ---- (d) where the time goes


def profile(args) -> dict:
    """The rate of large matrix products, and the kernels that a training step is made of."""
    gpu = args.device.startswith("cuda")
    size, dtype = (8192, torch.bfloat16) if gpu else (512, torch.float32)
    a = torch.randn(size, size, device=args.device, dtype=dtype)
    times = []
    for _ in range(12):
        synchronize(args.device)
        start = time.perf_counter()
        a @ a
        synchronize(args.device)
        times.append(time.perf_counter() - start)
    rate = 2 * size**3 / statistics.median(times[2:])

    recipe = RECIPES["reference"] if not args.rehearse else small(RECIPES["reference"])
    net = network(recipe, 0).to(args.device)
    optimizer = torch.optim.AdamW(net.parameters(), fused=True)
    torch._dynamo.reset()
    step_net = torch.compile(net) if gpu else net
    x1 = torch.randn(args.batch, 1, 28, 28, device=args.device)
    g = torch.Generator(args.device).manual_seed(0)

    def step() -> None:
        with torch.autocast(torch.device(args.device).type, torch.bfloat16, gpu):
            loss = cfm_loss(step_net, recipe.path, x1, generator=g)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()

    for _ in range(2 if args.rehearse else 10):
        step()
    activities = [torch.profiler.ProfilerActivity.CPU]
    if gpu:
        activities.append(torch.profiler.ProfilerActivity.CUDA)
    with torch.profiler.profile(activities=activities) as prof:
        for _ in range(2 if args.rehearse else 20):
            step()
        synchronize(args.device)
    attribute = "self_device_time_total" if gpu else "self_cpu_time_total"
    events = prof.key_averages()
    if gpu:  # the kernels alone: operations and compiled regions would count them again
        cuda = torch.autograd.DeviceType.CUDA
        events = [e for e in events if e.device_type == cuda and not e.is_user_annotation]
    events = sorted(events, key=lambda e: -getattr(e, attribute))
    total = sum(getattr(e, attribute) for e in events)
    return {
        "matmul": {"size": size, "dtype": str(dtype), "tflops": rate / 1e12},
        "kernels": [
            {"name": e.key[:80], "share": getattr(e, attribute) / total} for e in events[:12]
        ],
    }


# ---- (f) one step


def one_step(args) -> None:
    """The rows go into a file of their own, `onestep.json`; samples and weights beside it."""
    script, out = Path(__file__).with_name("onestep.py"), args.out
    own = ["--where", "digits", "--device", args.device, "--seconds", str(args.budget)]
    own += ["--out", out / "onestep.json", "--samples", out / "samples"]
    own += ["--weights", out / "weights", *(["--quick"] if args.rehearse else [])]
    subprocess.run([sys.executable, script, *own], check=True)


# ---- all of it


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="a folder")
    parser.add_argument("--rehearse", action="store_true", help="small; nothing is measured")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--workers", type=int, default=2, help="of the reference's DataLoader")
    parser.add_argument("--budget", type=float, default=500.0, help="seconds")
    parser.add_argument("--one-step", action="store_true", help="the digits of onestep.py alone")
    args = parser.parse_args()
    begin = time.perf_counter()
    args.batch = 32 if args.rehearse else BATCH
    if args.rehearse:
        args.seeds, args.workers = 1, 0
    elif args.device == "cpu":
        parser.error("without a GPU this takes days; --rehearse runs the same code, small")
    args.out.mkdir(parents=True, exist_ok=True)
    if args.one_step:
        one_step(args)
        return
    sets = [whole_mnist(s) for s in ("train", "test")]
    args.judge = Judge(*sets, device=args.device)
    failed: list[str] = []
    pictures: list[torch.Tensor] = []
    about: dict = origin(device=args.device, seed=0)
    about |= {"cuda": torch.version.cuda, "rehearsal": args.rehearse, "left_out": []}
    rows: list[dict] = []

    def part(name: str, work) -> None:
        """Do one part, if there is time for it, and write down what there is."""
        spent = time.perf_counter() - begin
        if spent > args.budget:
            about["left_out"].append(name)
        else:
            print(f"[{spent:5.0f} s] {name}", flush=True)
            try:
                rows.append({"what": name, **work()})
            except Exception as error:  # one part that fails must not take the others with it
                rows.append({"what": name, "error": repr(error)})
                failed.append(name)
                traceback.print_exc()
        keep(args.out / "gpu.json", about, rows)

    def reference_our_way() -> dict:
        model, about = train(RECIPES["reference"], 0, args)
        save_weights(model, args.out / "reference.safetensors")
        rate = about["images_per_second"] * 3 * FLOP_PER_IMAGE / 1e12
        return about | {"tflops": rate} | judge(model, args)

    def ours(seed: int) -> dict:
        log: list = []
        model, about = train(RECIPES["mnist"], seed, args, log)
        save_weights(model, args.out / f"mnist-{seed}.safetensors")
        g = torch.Generator().manual_seed(2)
        pictures.append(generate(model, 100, generator=g).cpu())
        save_grid(torch.cat(pictures), args.out / "samples.png", columns=10)  # a seed every 10 rows
        return about | judge(model, args) | {"log": log}

    def one_of(recipe: Recipe) -> dict:
        model, about = train(recipe, 0, args)
        return about | judge(model, args)

    part("the reference way", lambda: reference_way(args))
    part("the reference recipe, our way", reference_our_way)
    for seed in range(args.seeds):
        part(f"our recipe, seed {seed}", lambda seed=seed: ours(seed))
    part("profile", lambda: profile(args))
    for name, recipe in variations(epochs=10).items():
        part(f"ten epochs: {name}", lambda recipe=recipe: one_of(recipe))
    print(f"[{time.perf_counter() - begin:5.0f} s] done, failed: {failed or 'nothing'}", flush=True)
    raise SystemExit(bool(failed))


if __name__ == "__main__":
    main()
