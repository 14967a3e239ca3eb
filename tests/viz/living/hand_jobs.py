"""What the hand's scripts are asked, and what the library does with the same noise."""

import base64
from pathlib import Path

import torch

from fmcore import edit, encode, inpaint
from fmcore.solvers import SOLVERS
from fmcore.viz.living.hand_figure import kept
from fmcore.viz.living.spec import path_data
from fmcore.viz.web import web_network

HAND_RUNNER = (Path(__file__).parent / "hand_runner.mjs").read_text("utf-8")
DEEDS = ("encode", "edit", "inpaint")
STEPS, T = 4, 0.6


def _noises(deed, x, seed):
    """One for each picture, or for each picture and step: as one generator draws them in turn."""
    g = torch.Generator().manual_seed(seed)
    draws = [torch.randn(x.shape, generator=g) for _ in range(STEPS if deed == "inpaint" else 1)]
    return torch.stack(draws, 1).flatten(2).tolist()


def ask(answer, model, deed, x, *, label=None, kinds=None, seed=0):
    """The last state of each picture."""
    *_, height, width = x.shape
    path = path_data(model.path, (0.0, 1.0))
    found = answer({
        "deed": deed, "label": label, "kinds": kinds, "steps": STEPS, "t": T,
        "file": base64.b64encode(web_network(model, torch.float32)).decode(),
        "height": height, "width": width, "path": path,
        "tableau": SOLVERS["midpoint"].as_dict(),
        "x": x.flatten(1).tolist(), "noises": _noises(deed, x, seed),
    })  # fmt: skip
    assert "error" not in found, found
    return found["x"]


def expected(model, deed, x, *, label=None, seed=0):
    """The same by the library: not clamped, where the scripts do not clamp either."""
    how = dict(steps=STEPS, label=label, generator=torch.Generator().manual_seed(seed))
    flat = x.flatten(1)  # what has no sides is no image, and is not clamped

    def points(z, t, label=None):
        z = z.view(x.shape)
        return (model(z, t) if label is None else model(z, t, label)).flatten(1)

    points.path = model.path
    if deed == "inpaint":
        return inpaint(points, flat, kept(x).flatten(1), path=model.path, **how)
    do = encode if deed == "encode" else edit
    return do(points, flat, t=T, path=model.path, method="midpoint", **how)
