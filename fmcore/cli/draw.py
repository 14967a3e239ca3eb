"""`fmcore sample` and `fmcore evaluate`: images of a trained network, as a picture or judged."""

from __future__ import annotations

import io
import json
import os
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from fmcore.checks import real, whole
from fmcore.cli.options import STDOUT, Draw, Evaluate, Sample, to_stdout
from fmcore.data import load_images
from fmcore.devices import find_device
from fmcore.files import replacing, writable
from fmcore.images import grid_picture, picture_channels, picture_format
from fmcore.metrics import FEWEST, Judge, report
from fmcore.results import origin
from fmcore.sampling import DEFAULT_STEPS, counted, generate
from fmcore.weights import FlowModel, load_model

MOST = 100_000
"""Images that `sample` and `evaluate` draw at most: all of them are in memory at once."""
ARRAYS = {
    ".npy": lambda images, stream: np.save(stream, images.numpy()),
    ".pt": lambda images, stream: torch.save(images, stream),
}
"""How images are written if not as a picture."""


def sample(o: Sample) -> dict[str, Any]:
    """Draw images and write them; what there is to say of them."""
    file, array = _output(o)
    whole("n", o.n, 1, MOST)
    if o.columns is not None:
        if array:
            raise ValueError(f"--columns is for a picture; {file.suffix} is an array")
        whole("columns", o.columns)
    model = _model(o)
    if not array:
        picture_channels(model.config["shape"])
    named = model.config["about"].get("classes", [])
    label, columns = _labels(o, model.config["network"].get("num_classes"), named)
    images, nfe, seconds = draw(o, model, o.n, label, torch.Generator().manual_seed(o.seed))
    if array:
        write, stream = ARRAYS[file.suffix], io.BytesIO()
        write(images.cpu(), stream)
        content = stream.getvalue()
    else:
        content = grid_picture(images, picture_format(file), columns)
    if to_stdout(o.out):
        with open(1, "wb", closefd=False) as pipe:  # the words of `sys.stdout` go elsewhere
            pipe.write(content)
    else:
        with replacing(file) as disk:
            disk.write(content)
    print(f"wrote {o.out}: {o.n} images in {seconds:.1f} s")
    return {"out": str(o.out), "n": o.n, "label": o.label} | _about(o, model, nfe, seconds)


def evaluate(o: Evaluate) -> dict[str, Any]:
    """Judge images and say how they fare; the scores with all that made them."""
    out = None if o.out is None else writable(o.out)
    if o.n is not None and not FEWEST <= o.n <= 60_000:
        raise ValueError(f"n must lie between {FEWEST} and 60,000, got {o.n}")
    model = _model(o)
    if model.config["shape"] != [1, 28, 28]:
        raise ValueError(f"only digits of 28x28 are judged, not {model.config['shape']}")
    train, test = (load_images("mnist", split=s, root=o.root) for s in ("train", "test"))
    n = len(test) if o.n is None else o.n
    if n > len(train):
        raise ValueError(f"n must be at most {len(train):,}, the training images, got {n}")
    generator = torch.Generator().manual_seed(o.seed)
    label = None
    if classes := model.config["network"].get("num_classes"):
        label = torch.randint(classes, (n,), generator=generator)
    images, nfe, seconds = draw(o, model, n, label, generator)
    scores = Judge(train, test, device=o.device)(images, label)
    print(f"compared with {test}")
    found = _about(o, model, nfe, seconds) | scores.as_dict()
    print(f"{n:,} samples, {found['method']}, {nfe:g} evaluations each, {seconds:.1f} s")
    print(report(scores))
    if out is not None:
        with replacing(out) as disk:
            disk.write((json.dumps(found, indent=2) + "\n").encode())
        print(f"wrote {out}")
    return found


def draw(
    o: Draw, model: FlowModel, n: int, label: Tensor | None, generator: torch.Generator
) -> tuple[Tensor, float, float]:
    """Images, the mean number of evaluations of the network for each of them, and seconds."""
    if label is None and o.guidance != 1:
        raise ValueError(f"guidance={o.guidance:g} pushes towards a class, and none is given")
    start = time.perf_counter()
    with counted(model.net) as rows:  # which a flow map is asked alone
        images = generate(
            model, n, label=label, guidance=o.guidance, generator=generator, **_solver(o)
        )
    return images, round(sum(rows) / n, 2), time.perf_counter() - start


def _solver(o: Draw) -> dict[str, Any]:
    """What `generate` is told of the solver."""
    return {name: getattr(o, name) for name in ("method", "steps", "rtol", "atol", "last_step")}


def _model(o: Draw) -> FlowModel:
    """The network, on the device; the numbers are checked before."""
    generate(lambda x, t: 0 * x, 1, x0=torch.zeros(1, 1), **_solver(o))  # refuses what cannot be
    whole("seed", o.seed, 0, 2**63 - 1)
    real("guidance", o.guidance)
    find_device(o.device)
    return load_model(o.weights).to(o.device)


def _about(o: Draw, model: FlowModel, nfe: float, seconds: float) -> dict[str, Any]:
    """How images were drawn."""
    solver, steps = _solver(o), 1 if model.jumps else DEFAULT_STEPS
    solver |= {"method": "jump"} if model.jumps else {}
    solver |= {"steps": steps} if o.steps is o.rtol is o.atol is None else {}
    about = {"weights": o.weights, **solver, "guidance": o.guidance}
    about |= {"nfe": nfe, "seconds": round(seconds, 2)}
    return about | origin(device=o.device, seed=o.seed)


def _output(o: Sample) -> tuple[Path, bool]:
    """The file, with an ending even if it is the standard output, and whether it is an array."""
    file = Path(o.out)
    if not to_stdout(file):
        file = writable(file)
    elif os.isatty(1):
        raise ValueError("--out - writes bytes: redirect them to a file or a program")
    elif file == Path(STDOUT):
        file = Path("-.png")
    if file.suffix not in ARRAYS:
        picture_format(file)
    return file, file.suffix in ARRAYS


def _labels(o: Sample, classes: int | None, names: list[str]) -> tuple[Tensor | None, int | None]:
    """The labels, and how many images stand in a row."""
    if o.label is None:
        return None, o.columns
    if o.label == "all":
        if classes is None:
            raise ValueError("--label all needs a network that knows classes; this one knows none")
        if o.n < classes:
            raise ValueError(f"--label all needs n of at least {classes}, one a class, got {o.n}")
        return torch.arange(o.n) % classes, classes if o.columns is None else o.columns
    try:
        label = names.index(o.label) if o.label in names else int(o.label)
    except ValueError:
        allowed = ", ".join(("a whole number", *names)) + " or all"
        raise ValueError(f"label must be {allowed}, got {o.label!r}") from None
    if classes is not None and not 0 <= label < classes:
        raise ValueError(f"label must lie in [0, {classes - 1}], got {label}")
    return torch.full((o.n,), label), o.columns
