"""The figure of the hand in a browser: it is drawn on, and each deed answers; trouble is said."""

import base64
import re
import statistics

import axe
import pytest
import torch
from opened import TIMED, Opened

from fmcore import load_pretrained
from fmcore.viz import HandFigure

# Half a 3, in pixels of the sheet.
HALF = ((9.5, 7), (12, 5.2), (15, 5.2), (17.3, 7), (17.5, 10), (16, 12.4), (13, 13))


@pytest.fixture(scope="module")
def figure():
    return HandFigure(load_pretrained("mnist"))


class Hand(Opened):
    """The figure; its worker's script is a blob of the page."""

    ready = "s.ready && !s.waiting"
    height = 900

    def __init__(self, browser, file, **context):
        super().__init__(browser, file, **context)
        self.page.on("request", lambda r: r.url.startswith("blob:") and self.errors.pop())
        self.sheet = self.page.locator(".fm-sheet")

    def button(self, name):
        return self.page.get_by_role("button", name=name, exact=True)

    def begin(self):
        self.page.get_by_role("button", name="Run the network here").click()
        return self.state("s.live && s.nfe")

    def draw(self, *points):
        """With the mouse, in pixels of the sheet."""
        box, mouse = self.sheet.bounding_box(), self.page.mouse
        fit = min(box["width"], box["height"]) / 28
        (first, *rest) = [(box["x"] + x * fit, box["y"] + y * fit) for x, y in points]
        mouse.move(*first)
        mouse.down()
        for at in rest:
            mouse.move(*at, steps=2)
        mouse.up()

    def drawn(self):
        """The sheet as shades in [0, 1]."""
        return self.shades(0, 12, 28)

    def shades(self, canvas, scale, size):
        """The red of each pixel, from paper to ink."""
        script = """([index, scale, size]) => {
          const canvas = document.querySelectorAll("canvas")[index];
          const copy = new OffscreenCanvas(canvas.width, canvas.height);
          const look = copy.getContext("2d", { willReadFrequently: true });
          look.drawImage(canvas, 0, 0);
          const { data } = look.getImageData(0, 0, canvas.width, canvas.height);
          return Array.from({ length: size * size }, (_, p) => {
            const x = (p % size) * scale + scale / 2, y = Math.floor(p / size) * scale + scale / 2;
            return (246 - data[4 * (y * canvas.width + x)]) / (246 - 23);
          });
        }"""
        found = torch.tensor(self.page.evaluate(script, [canvas, scale, size]))
        return found.view(size, size)

    def picture(self):
        return self.page.locator("canvas").nth(1).evaluate("c => c.toDataURL()")


def test_a_drawing_is_finished_and_every_deed_answers(opened, figure):
    page = opened(figure, Hand)
    before = page.picture()
    page.begin()
    page.button("Clear").click()
    page.state("s.empty")
    assert "The sheet is empty" in page.page.locator(".fm-readout").inner_text()
    page.draw((20.5, 8.5), (20.5, 8.5))  # a dot: the ink is where the pointer is
    assert page.state("!s.empty")["middle"] == pytest.approx([20.5, 8.5], abs=0.3)
    page.button("Undo").click()
    page.state("s.empty")
    page.draw(*HALF)
    state = page.state("s.nfe === 120")
    assert sum(one["readable"] > 0.5 for one in state["verdicts"]) >= 3
    # What is ink on the sheet is ink on each of the four pictures.
    ink, four = page.drawn() > 0.95, page.shades(1, 6, 57)
    assert 30 < ink.sum() < 120
    for row in (0, 29):
        for column in (0, 29):
            one = four[row : row + 28, column : column + 28]
            assert one[ink].min() > 0.5 and (one[14:] > 0.5).sum() > 10
    pictures = [before, page.picture()]
    for deed, nfe in (("Tidy it up", 40), ("To noise and back", 48), ("Morph it", 176)):
        page.button(deed).click()
        page.state(f"s.nfe === {nfe}")
        assert page.button(deed).get_attribute("aria-pressed") == "true"
        pictures.append(page.picture())
        assert f"NFE {nfe} in all" in page.page.locator(".fm-readout").inner_text()
    assert len(set(pictures)) == 5


def test_all_of_it_by_the_keyboard(opened, figure):
    """From the first stop to the last, by Tab; a test digit takes the place of a drawing."""
    page = opened(figure, Hand)
    keys = page.page.keyboard
    stops = []
    for _ in range(20):
        keys.press("Tab")
        stops.append(page.page.evaluate(
            "document.activeElement.ariaLabel || document.activeElement.textContent"
        ))  # fmt: skip
        if stops[-1].startswith("Run the network"):
            break
    assert stops[:5] == ["Test digit", "Upper half", "Centre", "Undo", "Clear"]
    keys.press("Enter")
    page.state("s.live && s.nfe === 120")
    first = page.picture()
    page.get("Test digit").focus()
    keys.press("8")
    whole = page.state("s.high > 15 && s.nfe === 120")
    assert page.picture() != first
    page.button("Upper half").press("Enter")
    half = page.state("s.high < 14 && s.nfe === 120")
    assert half["middle"][1] < whole["middle"][1]
    page.button("Undo").press("Enter")
    assert page.state("s.high > 15 && s.nfe === 120")["middle"] == whole["middle"]
    page.button("Tidy it up").press("Space")
    page.state("s.nfe === 40")
    tidied = page.picture()
    page.get("Start").focus()
    keys.press("Home")
    assert page.state("s.t === 0.3 && s.nfe === 40") and page.picture() != tidied
    page.get("As").focus()
    keys.press("End")
    page.state("s.label === 9 && s.nfe === 40")
    page.button("Morph it").press("Enter")
    page.state("s.nfe === 176")
    page.get("Into").focus()
    keys.press("Home")
    verdicts = page.state("s.goal === '0' && s.nfe === 176")["verdicts"]
    assert [verdicts[0]["digit"], verdicts[8]["digit"]] == [8, 0]
    page.button("Finish it").press("Enter")
    page.state("s.nfe === 120")
    end = page.picture()
    page.get("Time").focus()
    keys.press("Home")
    page.state("s.share === 0")
    assert page.picture() != end
    page.button("New noise").press("Enter")
    page.state("s.seed === 1 && s.nfe === 120 && s.share === 1")
    assert page.picture() != end


def test_a_finger_draws_and_does_not_scroll(browser, figure, tmp_path):
    figure.save_html(tmp_path / "saved.html")
    page = Hand(
        browser,
        tmp_path / "saved.html",
        viewport={"width": 390, "height": 600},
        has_touch=True,
        is_mobile=True,
    )
    page.state()
    assert page.sheet.evaluate("c => getComputedStyle(c).touchAction") == "none"
    page.button("Clear").tap()
    page.state("s.empty")
    box = page.sheet.bounding_box()
    session = page.context.new_cdp_session(page.page)
    at = lambda y: [{"x": box["x"] + 80, "y": box["y"] + y}]  # noqa: E731
    send = lambda kind, points: session.send(  # noqa: E731
        "Input.dispatchTouchEvent", {"type": kind, "touchPoints": points}
    )
    send("touchStart", at(150))
    for y in range(140, 30, -10):
        send("touchMove", at(y))
    send("touchEnd", [])
    state = page.state("!s.empty")
    assert state["high"] > 8 and state["wide"] <= 5
    assert page.page.evaluate("scrollY") == 0
    page.context.close()


def test_another_pointer_neither_ends_a_line_nor_begins_one(opened, figure):
    """A palm on the sheet: only what the pen does counts, until it is lifted."""
    page = opened(figure, Hand)
    page.button("Clear").click()
    box, mouse = page.sheet.bounding_box(), page.page.mouse
    fit = min(box["width"], box["height"]) / 28
    to = lambda x: mouse.move(box["x"] + x * fit, box["y"] + 14 * fit)  # noqa: E731
    to(6), mouse.down(), to(10)
    for kind in ("pointerdown", "pointermove", "pointerup", "pointercancel"):
        page.sheet.evaluate(
            """(canvas, kind) => canvas.dispatchEvent(
              new PointerEvent(kind, { pointerId: 99, clientX: 50, clientY: 50, bubbles: true })
            )""",
            kind,
        )
    to(20), mouse.up()
    state = page.state("!s.empty")
    assert state["wide"] == pytest.approx(14 + 2.6, abs=1.5) and state["high"] < 5


def test_centre_says_when_it_is_needed(opened, figure):
    page = opened(figure, Hand)
    page.begin()
    page.button("Clear").click()
    page.draw((3, 4), (9, 4), (4, 15))  # a 7 in the corner
    page.button("Tidy it up").click()
    page.state("s.nfe === 40")
    readout = page.page.locator(".fm-readout")
    assert "press Centre" in readout.inner_text()
    page.button("Centre").click()
    state = page.state("s.nfe === 40 && s.high > 15")
    assert state["middle"] == pytest.approx([14, 14], abs=0.2)
    assert "press Centre" not in readout.inner_text()


def test_a_line_in_the_middle_of_the_work_takes_over(opened, figure):
    """What is overtaken is dropped; the page's own thread only draws what has come."""
    page = opened(figure, Hand)
    page.begin()
    page.page.evaluate(TIMED)
    page.button("Morph it").click()
    page.page.wait_for_timeout(300)
    page.draw((8, 20), (12, 24), (18, 22))
    assert page.state("s.nfe === 176")["what"] == "morph"
    frames = page.page.evaluate("window.frames")
    assert len(frames) > 20 and statistics.median(frames) < 20  # ms; the longest is the machine's
    page.button("Clear").click()
    page.state("s.empty && s.nfe === 0")


def test_with_reduced_motion_pictures_come_when_they_are_done(opened, figure):
    page = opened(figure, Hand, reduced_motion="reduce")
    page.page.get_by_role("button", name="Run the network here").click()
    page.page.wait_for_function("() => window.fmFigure.state().live")
    page.page.evaluate(
        """() => {
          window.seen = new Set();
          const canvas = document.querySelectorAll("canvas")[1];
          const look = () => {
            window.seen.add(canvas.toDataURL());
            if (fmFigure.state().waiting) requestAnimationFrame(look);
          };
          look();
        }"""
    )
    page.state("s.nfe === 120")
    assert page.page.evaluate("window.seen.size") <= 6  # blank, and one more with each picture


def test_no_barriers(opened, figure):
    page = opened(figure, Hand)

    def violations():
        page.page.evaluate(axe.SCRIPT)
        found = page.page.evaluate("axe.run('.fm', { resultTypes: ['violations'] })")
        return [(one["id"], one["nodes"][0]["html"]) for one in found["violations"]]

    assert violations() == []
    page.begin()
    for deed in ("Tidy it up", "To noise and back", "Morph it", "Finish it"):
        page.button(deed).click()
        page.state("s.nfe")
        assert violations() == []


def test_bad_weights_leave_the_pictures_and_a_sentence(browser, figure, tmp_path):
    """And the sheet can still be drawn on."""
    file = tmp_path / "figure.html"
    figure.save_html(file)
    given = base64.b64encode(figure.network[:-5]).decode()
    text = re.sub(r'(id="network">)[^<]*', rf"\g<1>{given}", file.read_text("utf-8"))
    file.write_text(text, "utf-8")
    page = Hand(browser, file)
    page.state()
    before = page.picture()
    page.page.get_by_role("button", name="Run the network here").click()
    page.page.get_by_text("The network does not run here").wait_for()
    assert "the weights are damaged" in page.page.locator(".fm-tip").inner_text()
    assert page.button("Try again (2.7 MB)").is_enabled()
    page.draw((8, 20), (18, 22))
    state = page.state("!s.live")
    assert state["middle"][1] > 10 and page.picture() == before
    page.context.close()


def test_in_a_frame_without_a_network_nothing_comes(browser, figure, tmp_path):
    """A page that holds no weights: it says so after a while, and the pictures stay."""
    fragment = re.sub(r'data-fm-network="[^"]*"', 'data-fm-network="gone.bin"', figure.to_html())
    (tmp_path / "page.html").write_text(f"<!doctype html><title>t</title>{fragment}", "utf-8")
    page = browser.new_page()
    page.goto((tmp_path / "page.html").as_uri())
    frame = page.locator("iframe").element_handle().content_frame()
    frame.wait_for_function("() => window.fmFigure?.state().ready")
    frame.get_by_role("button", name="Run the network here").click()
    frame.get_by_text("The network does not run here").wait_for()
    assert "the site cannot be reached" in frame.locator(".fm-tip").inner_text()
    page.close()


def test_in_a_frame_it_asks_its_page_for_the_network(browser, figure, tmp_path):
    (tmp_path / "page.html").write_text(
        f"<!doctype html><title>t</title>{figure.to_html()}", "utf-8"
    )
    page, asked = browser.new_page(), []
    page.on("request", lambda r: asked.append(r.url))
    page.goto((tmp_path / "page.html").as_uri())
    frame = page.locator("iframe").element_handle().content_frame()
    frame.wait_for_function("() => window.fmFigure?.state().ready")
    frame.get_by_role("button", name="Run the network here").click()
    frame.wait_for_function("() => window.fmFigure.state().nfe === 120", timeout=60_000)
    assert all(url.startswith(("blob:", "file:", "data:", "about:")) for url in asked)
    page.close()
