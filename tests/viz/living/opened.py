"""A saved figure in a browser, as the tests of what it does under a hand see it."""

from contextlib import contextmanager

# Of each picture that a page asks to draw, the milliseconds that its own thread takes.
TIMED = """() => {
  window.frames = [];
  const ask = requestAnimationFrame;
  window.requestAnimationFrame = (paint) => ask((now) => {
    const begun = performance.now();
    paint(now);
    window.frames.push(performance.now() - begun);
  });
}"""


@contextmanager
def answering(browser, script):
    """An empty page with a script that sets `answer`, in which nothing may go wrong."""
    page, errors = browser.new_page(), []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto("about:blank")
    page.add_script_tag(type="module", content=script)
    page.wait_for_function("() => window.answer")
    yield page
    page.close()
    assert errors == []


def frame_is_high_enough(page, figure):
    """The frame of a figure, alone on a page: on a desk and on phones of several widths, before the
    network is there. What is more is for what comes with the network."""
    frame = page.wait_for_selector("iframe").content_frame()
    frame.wait_for_function("() => window.fmFigure?.state().ready")
    for width in (900, 340, 390, 430, 560):
        page.set_viewport_size({"width": width, "height": 1400})
        high = page.locator("iframe").bounding_box()["height"]
        needed = frame.evaluate(
            """() => Math.max(...[...document.querySelector(".fm").children]
              .map((child) => child.getBoundingClientRect().bottom))"""
        )
        narrow = figure.more_on_phone + figure.grows_on_phone * (width - 390)
        expected = figure.height + (narrow if width < 600 else 0)
        assert abs(high - expected) < 1 and needed <= high < needed + 170, width


class Opened:
    """A figure on its page; every message of the console and every request is an error.

    `ready` is a condition on the figure's account `s` that holds once its picture is there.
    """

    ready = "s.mean"
    height = 800

    def __init__(self, browser, file, **context):
        size = {"width": 800, "height": self.height}
        self.context = browser.new_context(**{"viewport": size, **context})
        self.page, self.errors = self.context.new_page(), []
        self.page.set_default_timeout(60_000)
        self.page.on("console", lambda message: self.errors.append(message.text))
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on(
            "request", lambda r: r.url == file.as_uri() or self.errors.append(f"asked for {r.url}")
        )
        self.page.goto(file.as_uri(), wait_until="commit")

    def state(self, until="true"):
        """The figure's own account, once it is at rest and a condition on `s` holds."""
        self.page.wait_for_function(
            "() => { const s = window.fmFigure?.state(); "
            f"return s && !s.pending && ({self.ready}) && ({until}); }}"
        )
        return self.page.evaluate("window.fmFigure.state()")

    def get(self, label):
        return self.page.get_by_label(label, exact=True)
