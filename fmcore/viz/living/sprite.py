"""Digits for a figure without a network: where solvers, steps and times take a few fixed noises.

One picture holds them all, in sixteen shades from paper to ink. A row of it is a state of all
noises, side by side: first where each solver arrives in each number of steps, then the states of
one accurate solution at even times. What the rows are is written into the picture as text.
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

from ..checks import Method, solver_name
from ..stills.mosaic import INK, PAPER

SHADES = 16  # more cannot be seen on so small a digit, and would not fit into 400 kB
REFERENCE, TOLERANCE = "dopri5", 1e-4
_TEXT = "fmcore"  # the key of the numbers in the picture


@dataclass(frozen=True, eq=False)
class Sprite:
    """`shades` (rows, n, H, W), whole numbers below 16, and what each row shows.

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
        about = json.loads(image.info[_TEXT])
        grid = np.asarray(image)
    n, height, width = (about.pop(key) for key in ("count", "height", "width"))
    return Sprite(grid.reshape(-1, height, n, width).transpose(0, 2, 1, 3), about)


@torch.no_grad()
def compute_sprite(
    model: nn.Module, x0: Tensor, solvers: Sequence[Method], steps: Sequence[int], frames: int
) -> Sprite:
    """The sprite of `model` for the noises `x0` (n, 1, H, W): hundreds of evaluations."""
    weights = next(model.parameters(), x0)
    noise = x0.to(weights.device, weights.dtype)
    times = [i / (frames - 1) for i in range(frames)]
    training = model.training
    model.eval()
    try:
        accurate = odeint(
            model, noise, method=REFERENCE, rtol=TOLERANCE, atol=TOLERANCE, t_eval=times
        )
        ends = [odeint(model, noise, method=m, steps=k) for m in solvers for k in steps]
    finally:
        model.train(training)
    assert accurate.xs is not None  # t_eval says where
    goal = accurate.x.clamp(-1, 1)
    rms = [(end.x.clamp(-1, 1) - goal).square().mean().sqrt().item() for end in ends]
    about = {
        "key": sprite_key(model, x0, solvers, steps, frames),
        "solvers": [solver_name(method) for method in solvers],
        "steps": list(steps),
        "times": times,
        "nfe": [end.nfe for end in ends],
        "rms": [round(value, 4) for value in rms],
        "reference": {"solver": REFERENCE, "tolerance": TOLERANCE, "nfe": accurate.nfe},
    }
    states = torch.stack([*(end.x for end in ends), *accurate.xs]).clamp(-1, 1)
    shades = ((states.float().cpu() + 1) / 2 * (SHADES - 1)).round().to(torch.uint8)
    return Sprite(shades[:, :, 0].numpy(), about)


def sprite_key(
    model: nn.Module, x0: Tensor, solvers: Sequence[Method], steps: Sequence[int], frames: int
) -> str:
    """A hash of the weights, noises and settings, which tells whether a sprite is theirs."""
    methods = [m if isinstance(m, str) else m.as_dict() for m in solvers]
    state = hashlib.sha256(json.dumps([*methods, *steps, frames]).encode())
    for name, tensor in [("x0", x0), *sorted(model.state_dict().items())]:
        state.update(name.encode())
        state.update(tensor.detach().cpu().float().contiguous().numpy().tobytes())
    return state.hexdigest()[:16]
