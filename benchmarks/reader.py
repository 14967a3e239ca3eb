"""Train readers of digits that can say no, and try them on controls: `python benchmarks/reader.py`.

A reader is a classifier with eleven classes: half of every batch are digits, half are images that
are none (`broken.py`). Three of them are trained from different seeds; the first is the one that
comes with the library, `fmcore.metrics.readable`. None sees a test image before it is done. Then
each reads the controls (`controls.py`), made of 2,000 test images, all 10,000 for the plain ones.

Half an hour a reader on one CPU core. One row a reader goes into `results/reader.json` as soon as
there is one; seeds that are there are not trained again. Essential, and found by trying: whatever
is done to the digits (moved, grain, contrast) is done to the others alike, and half of both stay
crisp; else the reader tells the two apart by the softness that turning leaves.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import torch
from broken import broken, each, jitter, uniform
from classifier import accuracy, write
from controls import CONTROLS, controls
from torch import Tensor, nn
from whole import whole_mnist

from fmcore.metrics.classifier import weights_of
from fmcore.metrics.reader import NO_DIGIT, Reader, reads
from fmcore.results import keep, origin, results_folder

RESULTS = results_folder() / "reader.json"
POOL = 16  # batches of broken images that are made at once


def moved(ink: Tensor, g: torch.Generator) -> Tensor:
    """Half of them jittered, half moved by up to two whole pixels, which keeps them crisp."""
    soft, crisp = ink.chunk(2)
    by = torch.randint(-2, 3, (2,), generator=g).tolist()
    return torch.cat([jitter(soft, g), crisp.roll(by, (2, 3))])


def soiled(ink: Tensor, g: torch.Generator) -> Tensor:
    """Other contrasts for one half of them, some grain on three in ten."""
    n = len(ink)
    bent = torch.exp(0.5 * each(torch.randn(n, generator=g)))
    power = torch.where(each(uniform(g, n)) < 0.5, bent, 1.0)
    level = each(uniform(g, n, high=0.12) * (uniform(g, n) < 0.3))
    noise = torch.randn(ink.shape, generator=g)
    return (ink.clamp(1e-6, 1) ** power + level * noise).clamp(0, 1)


def train(ink: Tensor, labels: Tensor, args, seed: int) -> Reader:
    torch.manual_seed(seed)
    g = torch.Generator().manual_seed(seed)
    reader = Reader().to(memory_format=torch.channels_last)
    batches = len(ink) // args.batch
    optimizer = torch.optim.AdamW(reader.parameters(), args.lr, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, args.lr, total_steps=args.epochs * batches
    )
    none, pool = torch.full((args.batch,), NO_DIGIT), iter(())
    for epoch in range(args.epochs):
        start, total = time.perf_counter(), 0.0
        order = torch.randperm(len(ink), generator=g)[: batches * args.batch]
        for rows in order.split(args.batch):
            bad = next(pool, None)
            if bad is None:
                drawn = torch.randint(len(ink), (POOL * args.batch,), generator=g)
                bad = broken(moved(ink[drawn], g), labels[drawn], g)
                pool = iter(bad[torch.randperm(len(bad), generator=g)].split(args.batch))
                bad = next(pool)
            x = 2 * soiled(torch.cat([moved(ink[rows], g), bad]), g) - 1
            y = torch.cat([labels[rows], none])
            with torch.autocast("cpu", torch.bfloat16, args.bf16):
                logits = reader(x)
            loss = nn.functional.cross_entropy(logits.float(), y, label_smoothing=0.02)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            total += loss.item()
        seconds = time.perf_counter() - start
        print(f"seed {seed}, epoch {epoch + 1}, {seconds:.0f} s, loss {total / batches:.4f}",
              flush=True)  # fmt: skip
    return reader.eval()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--lr", type=float, default=3e-3)
    parser.add_argument("--bf16", action="store_true", help="where the CPU is fast in it")
    parser.add_argument("--limit", type=int, default=None, help="images, for a rehearsal")
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--weights", type=Path, default=weights_of("reader"), help="of seed 0")
    args = parser.parse_args()

    data, test = whole_mnist(), whole_mnist("test")
    ink, labels = data.pixels[: args.limit].float() / 255, data.labels[: args.limit]
    some = torch.randperm(len(test), generator=torch.Generator().manual_seed(0))[:2000]
    tried = controls(test.pixels[some], test.labels[some])
    tried["test images"] = test.pixels
    rows = json.loads(args.out.read_text())["rows"] if args.out.is_file() else []
    about = origin() | {"allowed": {name: allowed for name, (_, allowed) in CONTROLS.items()}}
    for seed in sorted(set(range(args.seeds)) - {row["seed"] for row in rows}):
        start = time.perf_counter()
        reader = train(ink, labels, args, seed)
        for tensor in reader.state_dict().values():
            if tensor.is_floating_point():
                tensor.copy_(tensor.half())  # as they are saved
        row = origin(seed=seed) | {
            "seconds": round(time.perf_counter() - start),
            "epochs": args.epochs, "batch_size": args.batch, "lr": args.lr, "bf16": args.bf16,
            "parameters": sum(p.numel() for p in reader.parameters()),
            "test_accuracy": accuracy(reader, test.pixels, test.labels),
            "read": {k: reads(x, reader).double().mean().item() for k, x in tried.items()},
        }  # fmt: skip
        if seed == 0:
            half = {name: t.half().contiguous() for name, t in reader.state_dict().items()}
            card = {key: value for key, value in row.items() if key != "read"}
            write(args.weights, half, card)
        rows = sorted([*rows, row], key=lambda row: row["seed"])
        keep(args.out, about, rows)
    for name, (_, allowed) in CONTROLS.items():
        shares = [row["read"][name] for row in rows]
        passed = allowed is None or all(allowed[0] <= s <= allowed[1] for s in shares)
        print(f"{name:36}", *(f"{s:7.4f}" for s in shares), "" if passed else " MISSED")


if __name__ == "__main__":
    main()
