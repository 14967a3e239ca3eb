"""The figure of digits with its network in the page: answers, a hand on the noise, trouble."""

import base64
import functools
import http.server
import re
import threading
from pathlib import Path

import pytest
import torch
from opened import Opened

from fmcore import MLP, FlowModel, OTPath, UNet, load_pretrained
from fmcore.metrics.reader import load_reader
from fmcore.solvers import odeint
from fmcore.viz import DigitFigure
from fmcore.viz.living.live import live
from fmcore.viz.web import web_network

X0 = torch.randn(4, 1, 28, 28, generator=torch.Generator().manual_seed(0)).half().float()
OPTIONS = dict(x0=X0, solvers=("euler", "midpoint"), steps=(1, 2, 5), step=2, frames=2, t=1.0)


@pytest.fixture(scope="module")
def figure():
    return DigitFigure(load_pretrained("mnist"), **OPTIONS)


class Live(Opened):
    """A figure that runs in a worker, whose script is a blob of the page."""

    ready = "s.ready && !s.waiting"

    def __init__(self, browser, file, **context):
        super().__init__(browser, file, **context)
        self.page.on("request", lambda r: r.url.startswith("blob:") and self.errors.pop())

    def begin(self):
        self.page.get_by_role("button", name="Run the network here").click()
        return self.state("s.live && s.nfe")

    def numbers(self, side, i=0):
        """Digit `i` of four as shades in [0, 1], from the middle of each of its pixels."""
        script = """([side, i]) => {
          const canvas = document.querySelectorAll("canvas")[side], scale = 6, pitch = 29 * scale;
          const copy = new OffscreenCanvas(canvas.width, canvas.height);
          const look = copy.getContext("2d", { willReadFrequently: true });
          look.drawImage(canvas, 0, 0);
          const { data } = look.getImageData(
            (i % 2) * pitch, Math.floor(i / 2) * pitch, 28 * scale, 28 * scale);
          return Array.from({ length: 784 }, (_, p) => {
            const x = (p % 28) * scale + 3, y = Math.floor(p / 28) * scale + 3;
            return (246 - data[4 * (y * 28 * scale + x)]) / (246 - 23);
          });
        }"""
        return torch.tensor(self.page.evaluate(script, [side, i])).view(28, 28)


def shades(images):
    return (images.clamp(-1, 1)[:, 0] + 1) / 2


def test_it_draws_what_the_library_draws(opened, figure):
    """Any number of steps, a class with guidance, and E[x1 | xt] at a time of the grid."""
    page, model = opened(figure, Live), load_pretrained("mnist")
    assert page.begin()["nfe"] == 4
    end = odeint(model, X0, method="midpoint", steps=2).x
    assert (page.numbers(1, 3) - shades(end)[3]).abs().max() < 2e-2
    page.get("Solver").select_option("euler")
    page.get("Steps").fill("7")
    page.get("Digit").select_option("3")
    assert page.state("s.nfe === 7 && s.label === 3")["guidance"] == 1
    label = torch.full((4,), 3)
    seven = odeint(lambda x, t: model(x, t, label), X0, method="euler", steps=7).x
    assert (page.numbers(1, 2) - shades(seven)[2]).abs().max() < 2e-2
    assert "two of the network" not in page.page.locator(".fm-readout").inner_text()
    page.get("Guidance").fill("2")
    page.state("s.guidance === 2")
    field = lambda x, t: 2 * model(x, t, label) - model(x, t)  # noqa: E731
    strong = odeint(field, X0, method="euler", steps=7).x
    assert (page.numbers(1, 2) - shades(strong)[2]).abs().max() < 4e-2
    assert "two of the network" in page.page.locator(".fm-readout").inner_text()
    page.get("Right").select_option("guess")
    page.get("Time").fill("0")
    page.state("s.view === 'guess' && s.share === 0")
    guess = X0 + field(X0, torch.tensor(0.0))
    assert (page.numbers(1, 1) - shades(guess)[1]).abs().max() < 4e-2
    assert (page.numbers(0, 1) - shades(X0)[1]).abs().max() < 1e-2
    verdict = page.state()["verdict"]
    assert 0 <= verdict["asked"] <= verdict["readable"] <= 4


def test_new_noise_and_a_hand_on_it(opened, figure):
    """A pointer changes one digit and no other; so do the keys; new noise changes all."""
    page = opened(figure, Live)
    page.begin()
    page.get("Time").fill("0")
    page.state("s.share === 0")
    before = [page.numbers(0, i) for i in range(4)]
    ends = [page.numbers(1, i) for i in range(4)]
    box = page.page.locator("canvas").first.bounding_box()
    side = min(box["width"], box["height"])
    page.page.mouse.click(box["x"] + 0.75 * side, box["y"] + 0.25 * side)  # the second digit
    page.state()
    changed = (page.numbers(0, 1) - before[1]).abs() > 0.02
    rows, columns = changed.nonzero().unbind(1)
    assert 30 < changed.sum() <= 49 and rows.max() - rows.min() <= 8
    assert columns.min() >= 9 and columns.max() <= 18
    assert (page.numbers(1, 1) - ends[1]).abs().max() > 0.1
    for i in (0, 2, 3):
        assert torch.equal(page.numbers(0, i), before[i]) and torch.equal(
            page.numbers(1, i), ends[i]
        )
    assert "blue" in page.page.locator(".fm-readout").inner_text()
    page.page.locator("canvas").first.focus()
    for key in ("ArrowLeft", "ArrowDown", "Enter", "Tab"):
        page.page.keyboard.press(key)
    page.state()
    assert ((page.numbers(0, 0) - before[0]).abs() > 0.02).sum() > 30
    page.page.get_by_role("button", name="New noise").click()
    page.state("s.seed === 1")
    assert all(((page.numbers(0, i) - before[i]).abs() > 0.02).sum() > 400 for i in range(4))


def test_what_no_page_can_run_has_no_button(figure):
    assert figure.spec["live"]["bytes"] == len(figure.network) < 2_800_000
    other = FlowModel(UNet(base=8, condition_dim=2), OTPath(), (1, 28, 28))
    for model in (other, other.net):
        shown = DigitFigure(model, **OPTIONS)
        assert shown.spec["live"] is None and not shown.network


@pytest.mark.parametrize(
    ("network", "how"),
    [
        (UNet(base=8), {"predict": "noise"}),  # has to be wrapped first
        (UNet(base=8, in_channels=3), {}),  # the figure paints shades
        (UNet(base=8, condition_dim=2), {}),  # and asks for classes
        (MLP(dim=784), {}),
    ],
)
def test_a_network_that_the_figure_cannot_follow_is_not_sent(network, how):
    shape = (network.config["in_channels"], 28, 28) if isinstance(network, UNet) else (784,)
    model = FlowModel(network, OTPath(), shape, **how)
    assert live(model, torch.zeros(2, *shape), ["euler"]) == ({}, b"")


def test_the_judge_comes_along_where_it_can_read_and_the_guess_ends_at_the_datum():
    """E[x1 | xt] = xt + (1 - t) v on the path of optimal transport."""

    def parts(sent):
        while sent:
            end = 8 + int.from_bytes(sent[:8], "little")
            yield sent[8:end]
            sent = sent[end:]

    for side, judge in ((28, [web_network(load_reader())]), (32, [])):
        model = FlowModel(UNet(base=8), OTPath(), (1, side, side))
        told, sent = live(model, torch.ones(2, 1, side, side), ["euler"])
        noises, network, *others = parts(sent)
        assert len(noises) == 2 * 2 * side**2 and network == web_network(model)
        assert others == judge
    times = torch.linspace(0, 1, len(told["guess"]), dtype=torch.float64)
    expected = torch.stack([torch.ones_like(times), 1 - times], 1)
    assert torch.allclose(torch.tensor(told["guess"], dtype=torch.float64), expected, atol=1e-12)


def damaged(figure):
    return figure.network[:-5]


def another(figure):
    """A network of points, where one of images should be."""
    parts = [figure.network[8 : 8 + 2 * X0.numel()], web_network(FlowModel(MLP(), OTPath(), (2,)))]
    return b"".join(len(part).to_bytes(8, "little") + part for part in parts)


@pytest.mark.parametrize(
    ("change", "words"),
    [(damaged, "the weights are damaged"), (another, "of another architecture")],
)
def test_bad_weights_leave_the_pictures_and_a_sentence(browser, figure, tmp_path, change, words):
    file = tmp_path / "figure.html"
    figure.save_html(file)
    given = base64.b64encode(change(figure)).decode()
    text = re.sub(r'(id="network">)[^<]*', rf"\g<1>{given}", file.read_text("utf-8"))
    file.write_text(text, "utf-8")
    page = Live(browser, file)
    page.state()
    before = page.numbers(1)
    page.page.get_by_role("button", name="Run the network here").click()
    page.page.get_by_text("The network does not run here").wait_for()
    assert words in page.page.locator(".fm-tip").inner_text()
    assert page.page.get_by_role("button", name="Try again").is_enabled()
    assert page.state("!s.live")["nfe"] == 4 and torch.equal(page.numbers(1), before)
    page.context.close()


class Strict(http.server.SimpleHTTPRequestHandler):
    """A site with a policy of its own."""

    policy = ""

    def end_headers(self):
        self.send_header("Content-Security-Policy", self.policy)
        super().end_headers()

    def log_message(self, *_):
        pass


POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'wasm-unsafe-eval'; "
    "img-src 'self' data:; style-src 'unsafe-inline'; worker-src "
)


@pytest.mark.parametrize(
    ("workers", "there", "words"),
    [
        ("blob:", True, None),
        ("'none'", True, "this page allows no worker"),
        ("blob:", False, "the site answers 404"),
    ],
)
def test_on_a_site_under_a_path_of_its_own(
    browser, figure, tmp_path, monkeypatch, workers, there, words
):
    """The book's build makes a file of the network; the page fetches it when it is asked to."""
    monkeypatch.syspath_prepend(str(Path(__file__).parents[3] / "tools"))
    finish = pytest.importorskip("finish")
    site = tmp_path / "some" / "where"
    (site / "book").mkdir(parents=True)
    page = site / "book" / "chapter.html"
    start = '<!doctype html><head><meta charset="utf-8"><title>Digits</title></head>'
    page.write_text(start + figure.to_html(), "utf-8")
    finished = finish.Page(page, finish.Files(site))
    finished.finish()
    finished.close("")
    assert page.stat().st_size < 3_000
    (file,) = (site / "_static" / "figures").glob("*.bin")
    assert file.read_bytes() == figure.network
    if not there:
        file.unlink()
    handler = functools.partial(
        type("Site", (Strict,), {"policy": POLICY + workers}), directory=tmp_path
    )
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        shown, asked = browser.new_page(), []
        shown.on("request", lambda r: asked.append(r.url))
        shown.goto(f"http://127.0.0.1:{server.server_address[1]}/some/where/book/chapter.html")
        frame = shown.locator("iframe").element_handle().content_frame()
        frame.wait_for_function("() => window.fmFigure?.state().ready")
        assert not [url for url in asked if file.name in url]  # before anyone asks
        frame.get_by_role("button", name="Run the network here").click()
        if words:
            frame.get_by_text("The network does not run here").wait_for()
            assert words in frame.locator(".fm-tip").inner_text()
        else:
            frame.wait_for_function(
                "() => { const s = fmFigure.state(); return s.live && !s.waiting && s.nfe; }"
            )
            assert asked[-2].endswith(f"/some/where/_static/figures/{file.name}")
        shown.close()
        server.shutdown()
