"""The living figure: its data, its page, its errors. `test_figure_js.py` tests what it computes."""

import base64
import dataclasses
import html
import json
import re

import numpy as np
import pytest
import torch

from fmcore.fields import Empirical, GaussianMixture, MarginalField, Rotation, Storm
from fmcore.networks import MLP, UNet
from fmcore.paths import OTPath, ProbabilityPath, VPPath
from fmcore.solvers import SOLVERS, ButcherTableau, odeint
from fmcore.viz import COLORS, FlowFigure
from fmcore.viz.living.lattice import fit
from fmcore.weights import FlowModel

MIX = GaussianMixture([[-1.0, 0.0], [1.0, 0.5]], 0.3)
MARGINAL = MarginalField(MIX, OTPath())


class Ramp(ProbabilityPath):
    """A path of a reader's own, for which the browser has no closed form."""

    def a(self, t):
        return t**2

    def b(self, t):
        return 1 - t**2 / 2

    def da(self, t):
        return 2 * t

    def db(self, t):
        return -t


def spec_in(page):
    """The data as the browser reads it."""
    found = re.search(r'<script type="application/json" id="spec">(.*?)</script>', page, re.S)
    return json.loads(found[1])


@pytest.mark.parametrize(
    ("field", "form"),
    [
        (Storm() + Rotation(1.0), "winds"),
        (MARGINAL, "mixture"),
        (MarginalField(Empirical([[0.0, 1.0], [1.0, 0.0]]), OTPath(sigma_min=0.1)), "mixture"),
        (MLP(hidden=8), "mlp"),
        (FlowModel(MLP(hidden=8), OTPath(), shape=(2,)), "mlp"),
        (FlowModel(MLP(hidden=8), OTPath(), shape=(2,), predict="noise"), "lattice"),
        (MLP(hidden=8).double(), "mlp"),
        (lambda x, t: -x, "lattice"),
        (MarginalField(MIX, Ramp()), "mixture"),
        (MARGINAL.score, "lattice"),
    ],
)
def test_a_field_travels_in_the_form_it_has(field, form):
    figure = FlowFigure(field, particles=5)
    assert figure.form == form and f"form='{form}'" in repr(figure)
    assert ("error" in figure.spec["field"]) == (form == "lattice")


def test_the_bundle_has_a_frame_a_still_and_a_text():
    figure = FlowFigure(MARGINAL, caption="a < b & c", alt='two "islands"', steps=3, particles=20)
    bundle = figure._repr_mimebundle_()
    assert set(bundle) == {"text/html", "image/png", "text/plain"}
    assert bundle["image/png"].startswith(b"\x89PNG") and bundle["text/plain"] == repr(figure)
    page = bundle["text/html"]
    assert 'alt="two &quot;islands&quot;"' in page and "a &lt; b &amp; c</figcaption>" in page
    assert re.search(r'style="[^"]*height:max\(min\(560px', page)  # known before the frame loads
    # One attribute holds the whole document, one its host: no quotation mark ends them too early.
    assert re.search(r'<i hidden data-fm-frame="[^"<>]*" data-fm-host="[^"<>]*"></i>', page)


@pytest.mark.parametrize("t", [None, 0.0, 0.4])
@pytest.mark.parametrize("span", [(0.0, 1.0), (0.9, 0.0)])
def test_the_still_shows_every_view_at_every_time(t, span):
    figure = FlowFigure(
        Rotation(1.0),
        "uniform",
        MIX,
        t=t,
        span=span,
        particles=9,
        solver="dopri5-adaptive",
        views=("arrows", "streamlines", "particles"),
    )
    (ax,) = figure.still().axes
    assert ax.get_title() == f"t = {span[1] if t is None else t:.2f}"


def test_the_still_of_a_comparison_shows_both():
    figure = FlowFigure(MARGINAL, steps=3, compare=("dopri5-adaptive", 7), t=1.0, particles=9)
    titles = [ax.get_title() for ax in figure.still().axes]
    assert titles == ["Heun, 3 steps, t = 1.00", "Dormand–Prince, adaptive, t = 1.00"]


def test_the_still_shows_the_probe():
    """Where the conditional paths through the point end, and their mean."""
    field = MarginalField(Empirical([[-2.0, 0.0], [2.0, 0.0]]), OTPath())
    given = {"t": 0.5, "span": (0.0, 0.99), "particles": 9, "views": ("particles",)}
    bare = FlowFigure(field, **given).still().axes[0]
    (ax,) = FlowFigure(field, **given, probe=(0.0, 0.6)).still().axes
    ends = [line.get_xydata()[0] for line in ax.lines[len(bare.lines) :]]
    wanted = [[1.96 * side, 0.012] for side in (-1, 1)]  # t = 0.99, from (∓2, 1.2) to (±2, 0)
    assert np.allclose(sorted(map(list, ends[:2])), wanted) and np.allclose(ends[2], [0.0, 0.6])
    arrows = [text for text in ax.texts if text.arrow_patch]
    assert len(arrows) == 3 and not bare.texts
    mean = np.subtract(arrows[-1].xyann, arrows[-1].xy) * -1
    u = field(torch.tensor([[0.0, 0.6]], dtype=torch.float64), 0.5)[0].numpy()
    assert abs(np.cross([*mean, 0], [*u, 0])[2]) < 1e-9 and mean @ u > 0
    plain = FlowFigure(field, **given, probe=(0.0, 0.6), conditionals=False).still().axes[0]
    assert len([text for text in plain.texts if text.arrow_patch]) == 1


def test_nothing_is_asked_of_another_host(tmp_path):
    figure = FlowFigure(MARGINAL, particles=20)
    figure.save_html(tmp_path / "figure.html")
    page = (tmp_path / "figure.html").read_text("utf-8")
    fragment = figure._repr_mimebundle_()["text/html"]
    for text in (page, fragment):
        addresses = set(re.findall(r"[a-z]+://[^\s\"'<>&)]*", text))
        assert addresses <= {"http://www.w3.org/2000/svg"}  # a name, not a place
    within = html.unescape(re.search(r'data-fm-frame="([^"]*)"', fragment)[1])
    for text in (page, within):
        assert not re.search(r"\b(fetch|XMLHttpRequest|WebSocket|importScripts|import)\b *\(", text)
        assert "default-src 'none'" in text and "fonts" not in text
    # the page around the frame loads one thing, the network of a figure that has one
    assert "data-fm-network" not in fragment and fragment.count("fetch(") == 1


def test_data_survive_the_way_into_the_page(tmp_path):
    evil = "</script><script>alert(1)</script>"
    figure = FlowFigure(MARGINAL, alt=evil, caption=evil, particles=20)
    figure.save_html(tmp_path / "figure.html")
    page = (tmp_path / "figure.html").read_text("utf-8")
    assert spec_in(page) == json.loads(json.dumps(figure.spec))
    assert spec_in(page)["alt"] == evil and evil not in page
    assert spec_in(page)["colors"]["source"] == COLORS["source"]
    means = base64.b64decode(spec_in(page)["field"]["means"]["base64"])
    assert np.allclose(np.frombuffer(means, "<f8").reshape(-1, 2), MIX.means)


def test_what_is_chosen_reaches_the_figure():
    figure = FlowFigure(
        MARGINAL,
        solver="rk4",
        steps=7,
        compare=("euler", 3),
        t=0.25,
        views=["streamlines"],
        start=(1, 2),
        probe=(0, -1),
        seed=4,
        extent=(-1, 1, -2, 2),
    )
    state = figure.spec["start_state"]
    assert (state["solver"], state["steps"], state["share"], state["seed"]) == ("rk4", 7, 0.25, 4)
    assert state["compare"]["solver"] == "euler" and state["compare"]["steps"] == 3
    assert state["views"] == {"arrows": False, "streamlines": True, "particles": False}
    assert state["start"] == [1.0, 2.0] and not state["playing"]
    assert state["probe"] == [0.0, -1.0]
    assert FlowFigure(MARGINAL).spec["start_state"]["probe"] is None
    assert figure.target is MIX
    assert FlowFigure(MARGINAL, compare=5).spec["start_state"]["compare"]["solver"] == "heun"
    only = FlowFigure(MARGINAL, solvers=("euler",), solver="bosh3", compare="rk4")
    assert [one["id"] for one in only.spec["solvers"]] == ["euler", "bosh3", "rk4"]


def test_what_is_not_chosen_follows_from_the_rest():
    figure = FlowFigure(MARGINAL, steps=30, compare="rk4", particles=5, extent=(0, 10, 0, 100))
    state = figure.spec["start_state"]
    assert (state["compare"]["solver"], state["compare"]["steps"]) == ("rk4", 30)
    assert state["start"] == pytest.approx([3.4, 63.0])
    assert figure.spec["most_steps"] == 60
    few = FlowFigure(MARGINAL, steps=3, compare=("rk4", 45), particles=5)
    assert few.spec["most_steps"] == 90
    assert FlowFigure(MARGINAL, steps=3, particles=5).spec["most_steps"] == 40


def nan_inside(x, t):
    return torch.where(x.abs().sum(1, keepdim=True) < 0.5, torch.nan, x)


@pytest.mark.parametrize(
    ("error", "words", "field", "options"),
    [
        (TypeError, "callable", 3.0, {}),
        (ValueError, "velocity of the plane", lambda x, t: x[:, :1], {}),
        (ValueError, "dim=3", MLP(dim=3, hidden=8), {}),
        (ValueError, "this field failed", FlowModel(UNet(base=8), OTPath(), shape=(1, 8, 8)), {}),
        (ValueError, "NaN or infinite", nan_inside, {}),
        (ValueError, "arrived", MarginalField(Empirical([[0.0, 1.0]]), OTPath()), {}),
        (ValueError, "infinite", MarginalField(MIX, VPPath()), {}),
        (ValueError, "views", MARGINAL, {"views": ("arrows", "quiver")}),
        (TypeError, "views must be a list", MARGINAL, {"views": "arrows"}),
        (ValueError, "solvers", MARGINAL, {"solver": "rk5"}),
        (ValueError, "solvers", MARGINAL, {"solvers": ("euler", "rk4-adaptive")}),
        (ValueError, "solvers", MARGINAL, {"compare": "runge"}),
        (TypeError, "compare", MARGINAL, {"compare": 1.5}),
        (ValueError, "steps", MARGINAL, {"steps": 0}),
        (ValueError, "steps", MARGINAL, {"steps": 10_000}),
        (TypeError, "steps", MARGINAL, {"steps": 2.5}),
        (ValueError, "particles", MARGINAL, {"particles": 10**6}),
        (ValueError, "t must", MARGINAL, {"t": 1.5}),
        (ValueError, "span", MARGINAL, {"span": (0.0, 2.0)}),
        (ValueError, "span", MARGINAL, {"span": (1.0, 1.0)}),
        (ValueError, "extent", MARGINAL, {"extent": (1, -1, 0, 1)}),
        (ValueError, "start", MARGINAL, {"start": (0.0, float("nan"))}),
        (ValueError, "probe", MARGINAL, {"probe": (0.0, float("nan"))}),
        (TypeError, "probe", MARGINAL, {"probe": 0.5}),
        (ValueError, "nodes of resolution", MARGINAL, {"resolution": (3, 3)}),
        (ValueError, "times of resolution", MARGINAL, {"resolution": (33, 3)}),
        (ValueError, "source", MARGINAL, {"source": "gauss"}),
        (ValueError, "plane", MARGINAL, {"source": torch.zeros(5, 3)}),
        (ValueError, "2 MB", MLP(hidden=700), {}),
        (ValueError, "2 MB", lambda x, t: t * x, {"resolution": (120, 60)}),
    ],
)
def test_what_does_not_fit_is_refused(error, words, field, options):
    with pytest.raises(error, match=words):
        FlowFigure(field, **options)


def test_a_file_that_cannot_be_written_is_known_before_the_work(tmp_path, monkeypatch):
    figure = FlowFigure(Rotation(1.0), particles=5)
    monkeypatch.setattr(figure, "_png", lambda: pytest.fail("the still was drawn"))
    with pytest.raises(ValueError, match="there is no folder"):
        figure.save_html(tmp_path / "nowhere" / "figure.html")


def test_a_field_without_an_end_can_stop_before_it():
    for field in (MarginalField(MIX, VPPath()), MarginalField(Empirical([[0.0, 1.0]]), OTPath())):
        assert FlowFigure(field, span=(0.0, 0.99), particles=5).span == (0.0, 0.99)


def test_a_number_is_what_python_counts_as_one():
    figure = FlowFigure(MARGINAL, steps=np.int64(3), compare=np.int64(4), particles=np.int64(5))
    state = json.loads(json.dumps(figure.spec))["start_state"]
    assert (state["steps"], state["compare"]["steps"]) == (3, 4)
    for name in ("steps", "particles", "height", "seed"):
        with pytest.raises(TypeError, match=f"{name} must be a whole number"):
            FlowFigure(MARGINAL, **{name: True})


def test_a_solver_of_ones_own_works_like_any(own_solver):
    figure = FlowFigure(
        Rotation(3.0), solvers=["euler", own_solver], solver=own_solver, steps=4,
        compare=(own_solver, 9), t=1.0, particles=5, views=("particles",),
    )  # fmt: skip
    _, own = figure.spec["solvers"]
    assert (own["id"], own["label"], own["marker"]) == ("own", "Own", "o")
    assert own["color"] == COLORS["ink"] and own["tableau"]["c"] == [0, 2 / 3]
    assert figure.spec["start_state"]["solver"] == "own"
    assert "solver='own', steps=4" in repr(figure)
    panels = figure.still().axes
    assert [ax.get_title() for ax in panels] == [
        "Own, 4 steps, t = 1.00", "Own, 9 steps, t = 1.00"
    ]  # fmt: skip
    for ax, steps in zip(panels, (4, 9), strict=True):
        start = torch.tensor([figure.spec["start_state"]["start"]])
        end = odeint(Rotation(3.0), start, method=own_solver, steps=steps).x[0]
        assert np.allclose(ax.lines[-1].get_xydata()[-1], end, atol=1e-5)
        assert (ax.lines[-1].get_color(), ax.lines[-1].get_marker()) == (COLORS["ink"], "o")


def test_a_tableau_without_a_continuous_extension_has_straight_lines_in_the_still():
    """As in the script: its trail lies on the lines between its steps."""
    thirds = ButcherTableau(
        "thirds", order=4, a=((), (1 / 3,), (-1 / 3, 1), (1, -1, 1)),
        b=(1 / 8, 3 / 8, 3 / 8, 1 / 8), c=(0, 1 / 3, 2 / 3, 1),
    )  # fmt: skip
    figure = FlowFigure(
        Rotation(3.0), [[1.0, 0.0]], solver=thirds, steps=1, t=0.5, particles=1,
        views=("particles",),
    )  # fmt: skip
    (ax,) = figure.still().axes
    end = odeint(Rotation(3.0), torch.tensor([[1.0, 0.0]]), method=thirds, steps=1).x[0]
    half = (torch.tensor([1.0, 0.0]) + end) / 2
    assert np.allclose(ax.collections[-1].get_offsets()[0], half, atol=1e-6)


def test_two_solvers_of_one_name_are_refused(ralston):
    other = dataclasses.replace(ralston, name="heun")
    with pytest.raises(ValueError, match="two that are called 'heun'"):
        FlowFigure(MARGINAL, solvers=("heun", other))
    same = FlowFigure(MARGINAL, solvers=("heun", SOLVERS["heun"]), particles=5)
    assert [solver["id"] for solver in same.spec["solvers"]] == ["heun"]


def test_a_path_of_ones_own_travels_as_a_table_of_the_span():
    data = FlowFigure(MarginalField(MIX, Ramp()), span=(0.9, 0.1), particles=5).spec["field"]
    path = data["path"]
    assert (path["kind"], path["span"]) == ("table", [0.9, 0.1])
    times = torch.linspace(0.9, 0.1, 257, dtype=torch.float64)
    for name in ("a", "b", "da", "db"):
        numbers = np.frombuffer(base64.b64decode(path[name]["base64"]), "<f8")
        assert np.array_equal(numbers, getattr(Ramp(), name)(times))
    known = FlowFigure(MarginalField(MIX, VPPath(0.2, 9.0)), span=(0.0, 0.9), particles=5)
    path = {"kind": "VPPath", "beta_min": 0.2, "beta_max": 9.0}
    assert known.spec["field"]["path"] == path


def test_a_path_that_is_not_finite_somewhere_travels_as_a_lattice():
    class Kink(Ramp):
        def da(self, t):
            return torch.where(t == 1 / 32, torch.inf, 2 * t)

    assert FlowFigure(MarginalField(MIX, Kink()), particles=5).form == "lattice"


def test_a_path_derived_from_ours_is_not_taken_for_it():
    class Square(OTPath):
        def a(self, t):
            return t**2

        def da(self, t):
            return 2 * t

    field = FlowFigure(MarginalField(MIX, Square()), particles=5).spec["field"]
    assert field["path"]["kind"] == "table"


def test_a_source_is_drawn_from_its_distribution():
    g = torch.Generator().manual_seed(0)
    extent = (1.0, 3.0, -2.0, 0.0)
    uniform = FlowFigure(MARGINAL, "uniform", extent=extent, particles=5).source
    x = uniform.sample(4000, generator=g)
    assert torch.allclose(x.mean(0), torch.tensor([2.0, -1.0]), atol=0.05)
    low, high = x.min(0).values, x.max(0).values
    assert torch.allclose(low, torch.tensor([1.0, -2.0]), atol=0.01)
    assert torch.allclose(high, torch.tensor([3.0, 0.0]), atol=0.01)
    normal = FlowFigure(MARGINAL, particles=5).source.sample(4000, generator=g)
    assert torch.allclose(normal.std(0), torch.ones(2).double(), atol=0.05)


def test_splines_converge_with_the_fourth_order():
    """Halving the spacing in space and time divides the error by 16."""

    def wave(x, t):
        return np.stack([np.sin(2 * x[..., 0] + t), np.cos(x[..., 1] - 3 * t)], -1)

    points, errors = np.random.default_rng(0).uniform(-1, 1, (400, 2)), []
    for n in (9, 17, 33):
        axis = np.linspace(-1, 1, n)
        at = np.stack(np.meshgrid(axis, axis), -1)
        samples = np.stack([wave(at, t) for t in np.linspace(0, 1, n)])
        lattice = fit(samples, (-1, 1, -1, 1), (0, 1))
        errors.append(np.abs(lattice(points, 0.37) - wave(points, 0.37)).max())
    orders = np.log2(np.array(errors[:-1]) / errors[1:])
    assert (orders > 3.5).all()
