"""The figure of the hand in Python: what it carries, and what is computed in advance."""

import base64
import json
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from small import noise, unet

from fmcore import FlowModel, OTPath, inpaint, load_pretrained
from fmcore.data import load_images
from fmcore.images import from_unit, to_unit
from fmcore.paths import PATHS, ProbabilityPath
from fmcore.viz import DigitFigure, HandFigure
from fmcore.viz.living.hand_figure import kept


@pytest.fixture(scope="module")
def figure():
    return HandFigure(load_pretrained("mnist"), seed=3)


def read(packed):
    data = np.frombuffer(base64.b64decode(packed["base64"]), packed["type"])
    return torch.from_numpy(data.copy()).view(-1, 1, 28, 28)


def test_it_carries_what_the_library_computes(figure):
    spec = json.loads(json.dumps(figure.spec))
    tests = load_images("mnist", split="test", root="embedded").pixels[20:30]
    assert torch.equal(read(spec["digits"]), tests)
    drawing = read(spec["drawing"])
    assert torch.equal(drawing[0, :, :14], tests[3, :, :14]) and drawing[0, :, 14:].max() == 0
    four = to_unit(drawing).expand(4, 1, 28, 28)
    g = torch.Generator().manual_seed(3)
    x = inpaint(load_pretrained("mnist"), four, kept(four), generator=g)
    # Batches of another size may differ in the last digits.
    assert (read(spec["finished"]).int() - from_unit(x).int()).abs().max() <= 1
    assert spec["names"] == [str(k) for k in range(10)] and spec["live"]["classes"] == 10
    assert spec["path"] == {"kind": "OTPath", "sigma_min": 0.0}
    assert len(json.dumps(spec)) < 80_000


def test_the_network_is_sent_as_by_the_other_figure(figure):
    """Byte for byte: a page with both loads one file."""
    assert figure.network == DigitFigure(load_pretrained("mnist")).network


def test_the_ink_is_kept_and_the_paper_beside_it_for_a_time():
    x = -torch.ones(1, 1, 9, 9)
    x[..., 4, 4], x[..., 4, 5] = 1.0, -0.5
    until = kept(x)
    assert until[0, 0, 4, 4] == 1 and until[0, 0, 4, 5] == 0
    assert (until == 0.5).sum() == 5 * 5 - 2 and until[..., 0, :].max() == 0


def test_a_still_shows_the_drawing_and_what_became_of_it(figure):
    shown = figure.still()
    first, second = (ax.images[0].get_array() for ax in shown.axes)
    assert first.shape == (28, 28) and second.shape == (58, 58)
    blue = shown.axes[1].images[1].get_array()
    assert blue[..., 3].max() > 0.9 and blue[second.mask][:, 3].max() == 0
    kept = figure.drawing[0] > 0.95  # in all four
    for corner in ((0, 0), (0, 30), (30, 0), (30, 30)):
        one = blue[corner[0] : corner[0] + 28, corner[1] : corner[1] + 28, 3]
        assert one[kept.numpy()].max() < 0.1 and (one > 0.9).sum() > 10
    bundle = figure._repr_mimebundle_()
    assert bundle["text/plain"] == "HandFigure(10 digits, goal='9')"
    assert bundle["image/png"][:4] == b"\x89PNG"


def test_digits_of_another_size_and_a_network_without_classes():
    model = FlowModel(unet(), OTPath(), (1, 8, 12))
    digits = {name: noise(1, 8, 12, seed=k).clamp(-1, 1) for k, name in enumerate("ab")}
    drawing = torch.full((1, 8, 12), -1.0)
    drawing[:, 2:4] = 1
    figure = HandFigure(model, digits=digits, drawing=drawing, goal="a", t=0.8)
    assert figure.spec["shape"] == [8, 12] and figure.spec["live"]["classes"] is None
    assert figure.spec["start_state"] == {"seed": 0, "t": 0.8, "goal": "a"}
    assert figure.finished.shape == (4, 1, 8, 12)
    assert (figure.finished[:, :, 2:4] == 1).all()
    first = HandFigure(model, digits={"a": drawing}).drawing
    assert torch.equal(first, drawing)


@dataclass(frozen=True)
class Root(ProbabilityPath):
    """A path whose noise falls like a root: infinitely fast at the end."""

    def a(self, t):
        return t

    def b(self, t):
        return (1 - t).sqrt()


def test_a_path_that_no_page_can_follow_is_refused(monkeypatch):
    monkeypatch.setitem(PATHS, "Root", Root)
    model = FlowModel(unet(), Root(), (1, 8, 12))
    with pytest.raises(ValueError, match=r"a page cannot follow Root\(.*not finite at t = 0 or 1"):
        HandFigure(model, digits={"a": noise(1, 8, 12).clamp(-1, 1)})
