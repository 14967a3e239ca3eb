"""Train the classifier whose features judge the samples: `python benchmarks/classifier.py`.

Writes its weights, with all that is to be known of them in the header, where `fmcore.metrics`
looks for them, or to `--out`. It never sees a test image, except to be tested after the last epoch.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import torch
from broken import jitter
from safetensors.torch import save
from torch import Tensor, nn
from whole import whole_mnist

from fmcore.files import replacing
from fmcore.images import to_unit
from fmcore.metrics import DigitClassifier
from fmcore.metrics.classifier import weights_of
from fmcore.results import origin


@torch.no_grad()
def accuracy(model: nn.Module, pixels: Tensor, labels: Tensor) -> float:
    """Share of the images, bytes `(n, 1, 28, 28)`, whose class the model puts first."""
    found = torch.cat([model(to_unit(part)).argmax(1) for part in pixels.split(500)])
    return (found == labels).double().mean().item()


def write(file: Path, tensors: dict[str, Tensor], card: dict) -> None:
    """Weights, with all that is to be known of them in the header."""
    with replacing(file) as stream:
        stream.write(save(tensors, metadata={"fmcore": json.dumps(card)}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--lr", type=float, default=3e-3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--limit", type=int, default=None, help="images, for a rehearsal")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--out", type=Path, default=weights_of("mnist"))
    args = parser.parse_args()

    train, test = whole_mnist(), whole_mnist("test")
    pixels, labels = train.pixels[: args.limit].to(args.device), train.labels[: args.limit]
    labels = labels.to(args.device)
    torch.manual_seed(args.seed)
    g = torch.Generator().manual_seed(args.seed)
    model = DigitClassifier().to(args.device).to(memory_format=torch.channels_last)
    steps = args.epochs * (len(pixels) // args.batch)
    optimizer = torch.optim.AdamW(model.parameters(), args.lr, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, args.lr, total_steps=steps)
    start = time.perf_counter()
    for epoch in range(args.epochs):
        order = torch.randperm(len(pixels), generator=g)
        total = 0.0
        for rows in order[: len(pixels) // args.batch * args.batch].split(args.batch):
            rows = rows.to(args.device)
            x = 2 * jitter(pixels[rows].float() / 255, g) - 1
            loss = nn.functional.cross_entropy(model(x), labels[rows], label_smoothing=0.05)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            total += loss.item()
        seconds = time.perf_counter() - start
        print(
            f"epoch {epoch + 1}, {seconds:.0f} s, loss {total * args.epochs / steps:.4f}",
            flush=True,
        )

    model.eval()
    card = {
        "test_accuracy": accuracy(model, test.pixels.to(args.device), test.labels.to(args.device)),
        "train_accuracy": accuracy(model, pixels, labels),
        "parameters": sum(p.numel() for p in model.parameters()),
        "epochs": args.epochs, "batch_size": args.batch, "lr": args.lr,
        "seconds": round(time.perf_counter() - start),
    }  # fmt: skip
    card |= origin(device=args.device, seed=args.seed)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    tensors = {name: tensor.cpu().contiguous() for name, tensor in model.state_dict().items()}
    write(args.out, tensors, card)
    print(json.dumps(card, indent=2))


if __name__ == "__main__":
    main()
