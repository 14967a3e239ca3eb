"""Digits for a figure without a network: what solvers, steps and times make of a few fixed noises.

One picture holds them all, in sixteen shades from paper to ink. A row of it is a state of all
noises, side by side: first where each solver arrives in each number of steps, then the states of
one accurate solution at even times. What the numbers mean travels in the picture's own text.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from matplotlib.colors import to_rgb
from torch import Tensor, nn

from fmcore.solvers import odeint

from ..stills.mosaic import INK, PAPER

SHADES = 16  # the eye sees no more on so small a digit, and more would not fit into 400 kB
REFERENCE, TOLERANCE = "dopri5", 1e-4
_TEXT = "fmcore"  # the key of the numbers in the picture


@dataclass(frozen=True, eq=False)
class Sprite:
    """`shades` (rows, n, H, W), whole numbers below 16, and what they are.

    about["solvers"], about["steps"]    row s * len(steps) + k is where solver s arrives in steps[k]
    about["times"]                      the rows after those
    about["nfe"], about["rms"]          for each of those solvers and steps: evaluations, and the
                                        root mean square distance from the accurate digits
    about["reference"]                  the solver, tolerance and evaluations of the accurate ones
    """

    shades: np.ndarray
    about: dict[str, Any]

    def images(self, row: int) -> Tensor:
        """Row `row` as images `(n, 1, H, W)` in [-1, 1]."""
        return torch.tensor(self.shades[row]).unsqueeze(1) * (2 / (SHADES - 1)) - 1

    def row(self, solver: str, steps: int) -> int:
        """The row in which `solver` arrives in so many steps."""
        solvers, counts = self.about["solvers"], self.about["steps"]
        return solvers.index(solver) * len(counts) + counts.index(steps)

    def png(self) -> bytes:
        """The picture: a palette from paper to ink, four bits a pixel."""
        from PIL import Image, PngImagePlugin  # comes with matplotlib

        rows, n, height, width = self.shades.shape
        grid = self.shades.transpose(0, 2, 1, 3).reshape(rows * height, n * width)
        image = Image.fromarray(grid.astype(np.uint8), "P")
        mix = np.linspace(0, 1, SHADES)[:, None]
        colors = (1 - mix) * np.array(to_rgb(PAPER)) + mix * np.array(to_rgb(INK))
        image.putpalette((colors * 255).round().astype(np.uint8).tobytes())
        text, file = PngImagePlugin.PngInfo(), io.BytesIO()
        about = self.about | {"count": n, "height": height, "width": width}
        text.add_text(_TEXT, json.dumps(about))
        image.save(file, "PNG", optimize=True, bits=4, pnginfo=text)
        return file.getvalue()


def load_sprite(file: Path) -> Sprite:
    """The sprite in a picture that `Sprite.png` made."""
    from PIL import Image

    with Image.open(file) as image:
        about = json.loads(image.text[_TEXT])
        grid = np.asarray(image)
    n, height, width = (about.pop(key) for key in ("count", "height", "width"))
    return Sprite(grid.reshape(-1, height, n, width).transpose(0, 2, 1, 3), about)


@torch.no_grad()
def compute_sprite(
    model: nn.Module, x0: Tensor, solvers: Sequence[str], steps: Sequence[int], frames: int
) -> Sprite:
    """The sprite of `model` for the noises `x0` (n, 1, H, W): hundreds of evaluations."""
    weights = next(model.parameters(), x0)
    noise = x0.to(weights.device, weights.dtype)
    training = model.training
    model.eval()
    try:
        times = [i / (frames - 1) for i in range(frames)]
        accuracy = dict(method=REFERENCE, rtol=TOLERANCE, atol=TOLERANCE)
        way = odeint(model, noise, t_eval=times, **accuracy)
        arrived = [odeint(model, noise, method=m, steps=k) for m in solvers for k in steps]
    finally:
        model.train(training)
    goal = way.x.clamp(-1, 1)
    states = torch.stack([run.x for run in arrived] + list(way.xs)).clamp(-1, 1)
    rms = [(run.x.clamp(-1, 1) - goal).square().mean().sqrt().item() for run in arrived]
    about = {
        "key": sprite_key(model, x0, solvers, steps, frames),
        "solvers": list(solvers),
        "steps": list(steps),
        "times": times,
        "nfe": [run.nfe for run in arrived],
        "rms": [round(value, 4) for value in rms],
        "reference": {"solver": REFERENCE, "tolerance": TOLERANCE, "nfe": way.nfe},
    }
    shades = ((states.float().cpu() + 1) / 2 * (SHADES - 1)).round().to(torch.uint8)
    return Sprite(shades[:, :, 0].numpy(), about)


def sprite_key(
    model: nn.Module, x0: Tensor, solvers: Sequence[str], steps: Sequence[int], frames: int
) -> str:
    """What tells whether a sprite is of these weights, noises and settings."""
    state = hashlib.sha256(json.dumps([*solvers, *steps, frames]).encode())
    for name, tensor in [("x0", x0), *sorted(model.state_dict().items())]:
        state.update(name.encode())
        state.update(tensor.detach().cpu().float().contiguous().numpy().tobytes())
    return state.hexdigest()[:16]
