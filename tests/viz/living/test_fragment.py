"""A figure in pages of one's own: a fragment, twice on a page and on slides; stills, animations."""

import re

import numpy as np
import pytest
import torch
from opened import frame_is_high_enough
from PIL import Image
from small import unet

from fmcore.fields import GaussianMixture, MarginalField, Rotation
from fmcore.paths import OTPath
from fmcore.viz import DigitFigure, FlowFigure, HandFigure, PairFigure
from fmcore.weights import FlowModel, load_pretrained

STANDARD = MarginalField(GaussianMixture([[0.0, 0.0]], 1.0), OTPath())
FIGURE = FlowFigure(STANDARD, solver="euler", steps=3, particles=50, t=1.0, caption="N(0, I)")
NOISE = torch.tensor([[-1.0, 0.0], [0.0, 0.5], [1.0, 0.0]])
PAIRS = PairFigure(NOISE, NOISE.flip(0) + torch.tensor([0.0, 3.0]), t=0.0, steps=20)
ON_SLIDES = """<!doctype html><title>Slides</title>
<style>section{display:none}section.present{display:block}
.slides{width:960px;transform:scale(0.5);transform-origin:0 0}</style>
<div class="slides"><section class="present"><h1>One</h1></section><section>%s</section></div>"""


@pytest.fixture
def page(browser, tmp_path):
    """Shows HTML that lies in a file, and sees to it that nothing is asked for and nothing said."""
    context = browser.new_context(viewport={"width": 1000, "height": 1400})
    opened, errors = context.new_page(), []
    opened.set_default_timeout(60_000)
    opened.on("console", lambda message: errors.append(message.text))
    opened.on("pageerror", lambda error: errors.append(str(error)))
    opened.on("request", lambda r: r.url.startswith("http") and errors.append(r.url))

    def show(html):
        file = tmp_path / "page.html"
        file.write_text(html, "utf-8")
        opened.goto(file.as_uri())
        return opened

    yield show
    assert errors == []
    context.close()


def settled(frame, until):
    """The account of the figure in a frame, at rest, once a condition on `s` holds."""
    frame.wait_for_function(
        f"() => {{ const s = window.fmFigure?.state(); return s && !s.pending && ({until}); }}"
    )
    return frame.evaluate("window.fmFigure.state()")


@pytest.mark.parametrize("kind", [DigitFigure, HandFigure])
def test_a_frame_is_as_high_as_its_figure_needs(page, kind):
    small = FlowModel(unet(), OTPath(), (1, 28, 28))
    figure = kind(load_pretrained("mnist") if kind is DigitFigure else small)
    frame_is_high_enough(page(f"<!doctype html><title>t</title>{figure.to_html()}"), figure)


def test_two_fragments_on_one_page_answer_each_for_itself(page):
    """Of the same figure, too; the page's own names of elements are its own."""
    mine = '<p id="figure">mine</p><p id="spec">mine</p>'
    fragment = FIGURE.to_html()
    shown = page(f"<!doctype html><title>Two</title>{mine}{fragment}<hr>{fragment}")
    shown.wait_for_function("() => document.querySelectorAll('iframe').length === 2")
    shown.locator("iframe").nth(1).scroll_into_view_if_needed()
    first, second = (
        shown.locator("iframe").nth(i).element_handle().content_frame() for i in (0, 1)
    )
    for frame in (first, second):
        assert settled(frame, "s.mean")["steps"] == 3
    for frame, key in ((first, "Home"), (second, "End")):
        frame.get_by_label("Steps", exact=True).focus()
        shown.keyboard.press(key)
    assert settled(first, "s.steps === 1 && s.nfe === 1")["farthest"] == 0  # N(0, I) in one step
    assert settled(second, "s.steps === 40 && s.nfe === 40")["farthest"] > 1
    assert first.evaluate("window.fmFigure.state().steps") == 1
    ids = shown.evaluate("[...document.querySelectorAll('[id]')].map((e) => e.id)")
    assert sorted(ids) == ["figure", "spec"]  # those of the page
    assert shown.locator("figcaption").all_inner_texts() == ["N(0, I)"] * 2


@pytest.mark.parametrize("figure", [FIGURE, PAIRS], ids=["flow", "pairs"])
def test_on_a_slide_that_is_shown_later_it_has_its_size(figure, page):
    """Hidden at first, and scaled to half: drawn sharply at the size of its place, and answers."""
    shown = page(ON_SLIDES % figure.to_html())
    shown.wait_for_timeout(3000)  # on the first slide, longer than a host waits
    shown.evaluate(
        "document.querySelectorAll('section').forEach((s) => s.classList.toggle('present'))"
    )
    shown.wait_for_selector("iframe", state="visible")
    frame = shown.locator("iframe").element_handle().content_frame()
    settled(frame, "true")
    frame.wait_for_function(
        "() => { const c = document.querySelector('canvas'), r = c?.getBoundingClientRect(); "
        "return r && r.width > 200 && Math.abs(c.width - r.width * devicePixelRatio) <= 1; }"
    )
    assert frame.evaluate("[innerWidth, innerHeight]") == [960, figure.height]
    box = shown.locator("iframe").bounding_box()
    assert (box["width"], box["height"]) == (480, figure.height / 2)
    if figure is FIGURE:
        steps = frame.get_by_label("Steps", exact=True).bounding_box()
        shown.mouse.click(steps["x"] + steps["width"] - 3, steps["y"] + steps["height"] / 2)
        assert settled(frame, "s.steps > 30")["nfe"] > 30


# ---- stills and animations


def test_a_still_of_any_time_is_that_of_a_figure_that_waits_there():
    playing = FlowFigure(STANDARD, particles=50, steps=4)
    for t in (0.0, 0.3, 1.0):
        (ax,), (other,) = (
            playing.still(t=t).axes,
            FlowFigure(STANDARD, particles=50, steps=4, t=t).still().axes,
        )
        assert ax.get_title() == other.get_title() == f"t = {t:.2f}"
        for mine, its in zip(ax.collections, other.collections, strict=True):
            assert np.array_equal(mine.get_offsets(), its.get_offsets())
    assert playing.still().axes[0].get_title() == "t = 1.00"


def test_a_still_of_pairs_runs_as_far_as_its_time():
    """Four broad lines from the noise: of no length at 0, of half the pieces at 1/2."""
    for t, pieces in ((0.0, 0), (0.5, 10), (1.0, 20), (None, 20)):
        for ax in PAIRS.still(t).axes:
            broad = [c for c in ax.collections if list(c.get_linewidths()) == [1.7]]
            assert [len(c.get_segments()) for c in broad] == [pieces] * 3


def test_a_still_of_digits_shows_the_frame_of_its_time():
    x0 = torch.randn(1, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    figure = DigitFigure(
        load_pretrained("mnist"), x0=x0, solvers=("euler",), steps=(1,), step=1, frames=3
    )
    for t, title in ((0.0, "t = 0.00"), (0.4, "t = 0.50"), (1.0, "t = 1.00"), (None, "t = 0.50")):
        assert figure.still(t).axes[0].get_title() == title


@pytest.mark.parametrize("figure", [FIGURE, PAIRS], ids=["flow", "pairs"])
@pytest.mark.parametrize("time", [-0.1, 1.1])
def test_a_still_is_of_a_time_of_the_figure(figure, time):
    with pytest.raises(ValueError, match=rf"t must lie in \[0, 1\] or be None, got {time}"):
        figure.still(t=time)


@pytest.mark.parametrize(("ending", "kind"), [("gif", "GIF"), ("WebP", "WEBP")])
def test_an_animation_plays_the_stills(ending, kind, tmp_path):
    """From the first time to the last, backward as well: its frames are the figure's stills."""
    figure = FlowFigure(Rotation(rate=3.0), particles=9, span=(1.0, 0.0), steps=4)
    file = tmp_path / f"rotation.{ending}"
    figure.save_animation(file, seconds=0.6, fps=5)
    assert [found.name for found in tmp_path.iterdir()] == [file.name]  # whole, nothing beside it
    with Image.open(file) as animation:
        assert (animation.format, animation.n_frames, animation.info["loop"]) == (kind, 3, 0)
        frames, stay = [], []
        for k in range(3):
            animation.seek(k)
            frame = np.asarray(animation.convert("RGBA"), dtype=float)
            assert frame[..., 3].min() == 255  # no ground shines through, nor a frame before
            assert frame[0, 0].min() >= 253  # white, as near as few colours come
            frames.append(frame[..., :3])
            stay.append(animation.info["duration"])
    assert stay == [200, 200, 1000]
    stills = [
        np.asarray(figure._picture(t, "white").convert("RGB"), dtype=float) for t in (1.0, 0.5, 0.0)
    ]
    apart = [[np.abs(frame - still).mean() for still in stills] for frame in frames]
    assert [int(np.argmin(row)) for row in apart] == [0, 1, 2]


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("x.mp4", {}, r"the ending of path must be one of '.gif', '.webp', got '.mp4'"),
        ("no/x.gif", {}, "there is no folder"),
        ("x.gif", {"fps": 51}, "fps must be a whole number of at least 1, at most 50, got 51"),
        ("x.gif", {"fps": 2.5}, "fps must be a whole number"),
        ("x.gif", {"seconds": 0}, "seconds must be a finite number > 0, got 0"),
        ("x.gif", {"seconds": "4"}, "seconds must be a finite number > 0, got '4'"),
        ("x.gif", {"seconds": 0.1, "fps": 10}, "seconds times fps must be .* at least 2.* got 1"),
        ("x.gif", {"seconds": 61, "fps": 10}, "seconds times fps must be .* at most 600, got 610"),
    ],
)
def test_an_animation_that_cannot_be_is_refused_before_the_work(
    name, options, words, tmp_path, monkeypatch
):
    monkeypatch.setattr(FlowFigure, "still", lambda *a: pytest.fail("began the work"))
    kind = TypeError if options.get("fps") == 2.5 or options.get("seconds") == "4" else ValueError
    with pytest.raises(kind, match=words):
        FIGURE.save_animation(tmp_path / name, **options)
    assert not re.search("gif", str(list(tmp_path.iterdir())))
