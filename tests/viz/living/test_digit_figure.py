"""The figure for digits: its pictures, its numbers, its page, its errors."""

import base64
import dataclasses
import io
import json

import numpy as np
import pytest
import torch
from PIL import Image

from fmcore import load_pretrained
from fmcore.paths import OTPath
from fmcore.sampling import DEFAULT_STEPS
from fmcore.solvers import odeint
from fmcore.viz import COLORS, DigitFigure
from fmcore.viz.living import digit_figure as module
from fmcore.viz.living.sprite import load_sprite, sprite_key
from fmcore.weights import FlowModel

GOAL = torch.linspace(-1, 1, 64).reshape(1, 1, 8, 8)
X0 = torch.randn(3, 1, 8, 8, generator=torch.Generator().manual_seed(0))


class ToGoal(torch.nn.Module):
    """A field whose paths are known: x(t) = goal + (x0 - goal) exp(-3 t)."""

    def __init__(self):
        super().__init__()
        self.rate = torch.nn.Parameter(torch.tensor(3.0))
        self.calls = 0

    def forward(self, x, t):
        assert not self.training and not torch.is_grad_enabled()
        self.calls += 1
        return -self.rate * (x - GOAL)


def figure(model=None, **options):
    given = {"solvers": ("euler", "rk4"), "steps": (1, 2, 4), "frames": 5, "solver": "euler"}
    return DigitFigure(model or ToGoal(), x0=X0, **{**given, "step": 2, **options})


def exact(t):
    return (GOAL + (X0 - GOAL) * torch.exp(torch.tensor(-3.0 * t))).clamp(-1, 1)


def test_the_rows_are_where_the_solvers_arrive_and_the_way():
    """Euler multiplies the distance from the goal by (1 - 3 / n)^n; the way is the closed form."""
    sprite = figure().sprite
    assert sprite.shades.shape == (2 * 3 + 5, 3, 8, 8)
    half = 1 / 15 + 1e-6  # half a shade
    for n in (1, 2, 4):
        euler = (GOAL + (X0 - GOAL) * (1 - 3 / n) ** n).clamp(-1, 1)
        assert (sprite.images(sprite.row("euler", n)) - euler).abs().max() < half
    for i, t in enumerate((0.0, 0.25, 0.5, 0.75, 1.0)):
        assert (sprite.images(6 + i) - exact(t)).abs().max() < half + 1e-3


def test_evaluations_are_counted_and_distances_measured():
    model = ToGoal().train()
    sprite = figure(model).sprite
    assert sprite.about["nfe"] == [1, 2, 4, 4, 8, 16]
    reference = sprite.about["reference"]
    assert (reference["solver"], reference["tolerance"]) == ("dopri5", 1e-4)
    accurate = odeint(lambda x, t: -3 * (x - GOAL), X0, method="dopri5", rtol=1e-4, atol=1e-4)
    assert reference["nfe"] == accurate.nfe
    assert model.calls == sum(sprite.about["nfe"]) + reference["nfe"] and model.training
    for solver in ("euler", "rk4"):
        for n in (1, 2, 4):
            end = odeint(lambda x, t: -3 * (x - GOAL), X0, method=solver, steps=n).x.clamp(-1, 1)
            rms = (end - exact(1.0)).square().mean().sqrt().item()
            assert sprite.about["rms"][sprite.row(solver, n)] == pytest.approx(rms, abs=2e-4)


def test_the_picture_keeps_every_shade_and_number(tmp_path):
    sprite = figure().sprite
    (tmp_path / "sprite.png").write_bytes(sprite.png())
    again = load_sprite(tmp_path / "sprite.png")
    assert np.array_equal(again.shades, sprite.shades) and again.about == sprite.about
    with Image.open(tmp_path / "sprite.png") as image:
        assert image.size == (3 * 8, 11 * 8) and image.mode == "P"
        paper, ink = (image.getpalette()[:3], image.getpalette()[45:48])
    assert (bytes(paper).hex(), bytes(ink).hex()) == ("f6f3ec", "17181c")


def test_the_page_carries_what_the_browser_needs(tmp_path):
    shown = figure(t=0.5, caption="a caption")
    spec = json.loads(json.dumps(shown.spec))
    assert [one["id"] for one in spec["solvers"]] == ["euler", "rk4"]
    assert spec["steps"] == [1, 2, 4] and spec["shape"] == [3, 8, 8] and len(spec["times"]) == 5
    assert spec["start_state"] == {"solver": "euler", "steps": 2, "share": 0.5, "playing": False}
    picture = Image.open(io.BytesIO(base64.b64decode(spec["picture"])))
    assert picture.size == (24, 88)
    shown.save_html(tmp_path / "digits.html")
    page = (tmp_path / "digits.html").read_text("utf-8")
    assert "a caption" in page and "default-src 'none'" in page
    bundle = shown._repr_mimebundle_()
    assert set(bundle) == {"text/html", "image/png", "text/plain"}
    assert bundle["text/plain"] == "DigitFigure(3 digits, solver='euler', step=2)"
    titles = [ax.get_title() for ax in shown.still().axes]
    assert titles == ["t = 0.50", "Euler, 2 steps, NFE 2"]


def test_the_shipped_pictures_are_of_the_shipped_network(monkeypatch):
    """Were the weights changed and not the pictures, they would be computed anew, and slowly."""
    monkeypatch.setattr(module, "compute_sprite", lambda *_: pytest.fail("computed anew"))
    model = load_pretrained("mnist")
    shown = DigitFigure(model)
    assert len(shown.spec["picture"]) < 400_000
    start = shown.spec["start_state"]  # as `generate` does it
    assert (start["solver"], start["steps"]) == ("midpoint", DEFAULT_STEPS)
    assert len(shown.spec["solvers"]) == 4 and len(shown.spec["steps"]) == 10
    x0 = torch.randn(16, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        for solver, steps in (("euler", 2), ("heun", 1)):
            end = odeint(model, x0, method=solver, steps=steps).x.clamp(-1, 1)
            found = shown.sprite.images(shown.sprite.row(solver, steps))
            assert (found - end).abs().max() < 1 / 15 + 1e-3
    start = shown.sprite.images(len(shown.spec["nfe"]))
    assert (start - x0.clamp(-1, 1)).abs().max() < 1 / 15 + 1e-6


def test_a_solver_of_ones_own_works_like_any(own_solver):
    """Its end points are odeint's, and its pictures are not taken for those of another tableau."""
    shown = figure(solvers=("euler", own_solver), solver=own_solver)
    assert shown.spec["solvers"][1] == {"id": "own", "label": "Own", "color": COLORS["ink"]}
    assert shown.spec["start_state"]["solver"] == "own"
    end = odeint(lambda x, t: -3 * (x - GOAL), X0, method=own_solver, steps=4).x.clamp(-1, 1)
    found = shown.sprite.images(shown.sprite.row("own", 4))
    assert (found - end).abs().max() < 1 / 15 + 1e-3
    assert [ax.get_title() for ax in shown.still().axes][1] == "Own, 2 steps, NFE 4"


def test_a_tableau_that_borrows_a_name_has_another_key(ralston):
    heun = dataclasses.replace(ralston, name="heun")
    key = sprite_key(ToGoal(), X0, ["heun"], [1, 2], 5)
    assert key != sprite_key(ToGoal(), X0, [heun], [1, 2], 5)


def test_other_weights_noises_or_settings_have_another_key():
    model = ToGoal()
    key = sprite_key(model, X0, ["euler"], [1, 2], 5)
    assert key == sprite_key(ToGoal(), X0.clone(), ["euler"], [1, 2], 5)
    assert key != sprite_key(model, X0 + 1e-6, ["euler"], [1, 2], 5)
    assert key != sprite_key(model, X0, ["heun"], [1, 2], 5)
    assert key != sprite_key(model, X0, ["euler"], [1, 3], 5)
    assert key != sprite_key(model, X0, ["euler"], [1, 2], 6)
    model.rate.data += 1e-6
    assert key != sprite_key(model, X0, ["euler"], [1, 2], 5)


@pytest.mark.parametrize(
    ("error", "words", "options"),
    [
        (TypeError, "model must be a torch module", {"model": lambda x, t: x}),
        (ValueError, "solvers must be some of euler", {"solvers": ("euler", "eular")}),
        (ValueError, "solver must be one of euler", {"solver": "heun"}),
        (ValueError, "a number of steps must be a whole number", {"steps": (0, 2)}),
        (ValueError, "steps must ascend", {"steps": (2, 1)}),
        (ValueError, "steps must ascend", {"steps": (1, 1, 2)}),
        (ValueError, "step must be one of", {"step": 3}),
        (ValueError, "frames must be", {"frames": 1}),
        (ValueError, "height must be", {"height": 3}),
        (ValueError, "t must lie in", {"t": 1.5}),
        (ValueError, r"x0 must be \(n, 1, H, W\)", {"x0": torch.zeros(3, 8, 8)}),
        (ValueError, r"x0 must be \(n, 1, H, W\)", {"x0": torch.zeros(3, 3, 8, 8)}),
        (ValueError, "400 kB", {"x0": torch.randn(36, 1, 60, 60), "frames": 20, "model": "moves"}),
        (ValueError, "must return", {"model": "flat"}),
    ],
)
def test_what_does_not_fit_is_refused(error, words, options):
    class Flat(ToGoal):
        def forward(self, x, t):
            return x[:, 0]

    class Moves(ToGoal):
        def forward(self, x, t):
            return 0 * x

    named = {"flat": Flat, "moves": Moves}
    model = options.get("model")
    model = named[model]() if isinstance(model, str) else model or ToGoal()
    given = {"x0": X0, "solvers": ("euler",), "steps": (1, 2), "frames": 3, "solver": "euler"}
    options = {**given, "step": 1, **options, "model": model}
    with pytest.raises(error, match=words):
        DigitFigure(**options)


def test_a_flow_model_of_any_network_will_do(unet):
    model = FlowModel(unet, OTPath(), shape=(1, 28, 28))
    shown = DigitFigure(model, solvers=("heun",), steps=(1, 2), step=1, frames=2)
    assert shown.spec["nfe"] == [2, 4] and shown.spec["shape"] == [16, 28, 28]
