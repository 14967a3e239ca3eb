"""The figure of a network with wires to cut: what it carries, and what it does in a browser."""

import base64
import json
import re

import axe
import numpy as np
import pytest
import torch
from opened import Opened, frame_is_high_enough
from small import unet

from fmcore import FlowModel, OTPath, generate, load_pretrained
from fmcore.images import from_unit
from fmcore.metrics import readable
from fmcore.viz import DigitFigure, WireFigure
from fmcore.viz.living.wires import cut

ASKED = [1, 3, 6, 8]


@pytest.fixture(scope="module")
def figure():
    return WireFigure(load_pretrained("mnist"), labels=ASKED, cut="down2")


def test_it_carries_what_the_library_draws(figure):
    spec = json.loads(json.dumps(figure.spec))
    packed = spec["pictures"]
    data = np.frombuffer(base64.b64decode(packed["base64"]), packed["type"]).copy()
    pictures = torch.from_numpy(data).view(12, 4, 1, 28, 28)
    model = load_pretrained("mnist")
    x0 = torch.randn(16, 1, 28, 28, generator=torch.Generator().manual_seed(0))[:4]
    names = [None, *(wire["id"] for wire in spec["wires"])]
    for name in (None, "skip1", "clock"):
        with cut(model.net, [name] if name else []):
            x = generate(model, 4, x0=x0, label=ASKED)
        # The noises of the page are of half precision.
        gap = (pictures[names.index(name)].int() - from_unit(x).int()).abs()
        assert gap.float().mean() < 0.5, name
    assert spec["labels"] == ASKED and spec["start_state"] == {"cut": ["down2"]}
    for read, images in zip(spec["reads"], figure.digits.values(), strict=True):
        assert [digit is not None for digit in read] == readable(images).tolist()
    right = [a == b for a, b in zip(spec["reads"][0], spec["labels"], strict=True)]
    assert sum(right) >= 3  # of the whole network
    assert len(json.dumps(spec)) < 90_000


def test_the_network_is_sent_as_by_the_other_figures(figure):
    """Byte for byte: who has asked for it in one figure has it in all."""
    assert figure.network == DigitFigure(load_pretrained("mnist")).network


def test_a_still_shows_the_whole_and_what_is_left(figure):
    first, second = (ax.images[0].get_array() for ax in figure.still().axes)
    assert first.shape == second.shape and (first != second).any()
    assert [ax.get_title() for ax in figure.still().axes] == ["the whole network", "cut: down"]
    assert repr(figure) == "WireFigure(11 wires, cut='down2')"


def test_what_is_asked_for_if_nothing_is_said():
    model = FlowModel(unet(num_classes=10), OTPath(), (1, 8, 8))
    assert WireFigure(model).spec["labels"] == [*range(1, 10)]
    assert WireFigure(model, labels=None).spec["labels"] is None


def test_a_network_without_classes_and_of_another_size():
    model = FlowModel(unet(), OTPath(), (1, 8, 12))
    spec = WireFigure(model).spec
    assert spec["labels"] is None and spec["shape"] == [9, 8, 12] and spec["levels"] == 2
    assert set(map(type, spec["reads"])) == {type(None)}  # the judge reads 28 by 28
    assert spec["start_state"] == {"cut": []}


# ---- in a browser


class Wires(Opened):
    ready = "s.ready && !s.waiting"
    height = 900

    def __init__(self, browser, file, **context):
        super().__init__(browser, file, **context)
        self.page.on("request", lambda r: r.url.startswith("blob:") and self.errors.pop())

    def wire(self, name):
        return self.page.get_by_role("button", name=name, exact=True)

    def begin(self):
        self.page.get_by_role("button", name="Run the network here").click()
        return self.state("s.live && s.nfe")

    def readout(self):
        return self.page.locator(".fm-readout").inner_text()

    def pictures(self):
        """Of the whole network, and of what is left of it."""
        return self.page.eval_on_selector_all("canvas", "all => all.map((c) => c.toDataURL())")


def count(figure, index):
    """How many are read as the digits that were asked for."""
    read = figure.spec["reads"][index]
    return sum(a == b for a, b in zip(read, figure.spec["labels"], strict=True))


def test_one_wire_at_a_time_and_with_the_network_as_many_as_there_are(opened, figure):
    page = opened(figure, Wires)
    names = [wire["id"] for wire in figure.spec["wires"]]
    whole, seen = page.pictures()[0], set()
    # Computed in advance: the last that is pressed is the one that is cut.
    for name, wire in (
        ("Cut skip, level 1", "skip1"),
        ("Cut clock, for all blocks, the time", "clock"),
    ):
        page.wire(name).click()
        assert page.state()["cut"] == [wire]
        assert page.wire(name).get_attribute("aria-pressed") == "true"
        read = count(figure, 1 + names.index(wire))
        assert f"The judge reads {read} of 4 as the digits" in page.readout()
        seen.add(page.pictures()[1])
    assert len(seen) == 2 and page.pictures()[0] == whole
    page.wire("Mend all").click()
    assert page.state()["cut"] == [] and page.pictures()[1] == whole
    assert f"reads {count(figure, 0)} of 4" in page.readout()
    # By the network itself: the same digits, and more than one wire.
    page.begin()
    page.wire("Cut skip, level 1").click()
    page.state("s.cut.length === 1 && s.nfe === 10")
    read = count(figure, 1 + names.index("skip1"))
    assert f"reads {read} of 4" in page.readout() and "NFE 10 a digit" in page.readout()
    one = page.pictures()[1]
    page.wire("Cut block4, level 1").click()
    assert page.state("s.cut.length === 2")["cut"] == ["skip1", "block4"]
    both = page.pictures()[1]
    page.wire("Cut skip, level 1").click()
    page.state("s.cut.length === 1")
    assert len({one, both, page.pictures()[1], whole}) == 4


def test_by_the_keyboard_and_without_barriers(opened, figure):
    page = opened(figure, Wires, reduced_motion="reduce")
    keys, stops = page.page.keyboard, []
    for _ in range(30):
        keys.press("Tab")
        stops.append(page.page.evaluate(
            "document.activeElement.ariaLabel ?? document.activeElement.textContent"
        ))  # fmt: skip
        if stops[-1].startswith("Run"):
            break
    assert len(stops) == 13 and stops[-2] == "Mend all"  # the wires, and what mends them
    keys.press("Enter")
    page.state("s.live && s.nfe")
    page.wire("Cut down, level 3").press("Space")
    assert page.state("!s.cut.length")["cut"] == []
    page.page.evaluate(axe.SCRIPT)
    found = page.page.evaluate("axe.run('.fm', { resultTypes: ['violations'] })")
    assert [(one["id"], one["nodes"][0]["html"]) for one in found["violations"]] == []


def cut_short(network):
    """The page sees it at once."""
    return network[:-5]


def one_byte_off(network):
    """The worker sees it, by the checksum."""
    return network[:100_000] + bytes([network[100_000] ^ 1]) + network[100_001:]


@pytest.mark.parametrize("damage", [cut_short, one_byte_off])
def test_bad_weights_leave_the_pictures_and_a_sentence(browser, figure, tmp_path, damage):
    file = tmp_path / "figure.html"
    figure.save_html(file)
    given = base64.b64encode(damage(figure.network)).decode()
    text = re.sub(r'(id="network">)[^<]*', rf"\g<1>{given}", file.read_text("utf-8"))
    file.write_text(text, "utf-8")
    page = Wires(browser, file)
    page.state()
    before = page.pictures()
    page.page.get_by_role("button", name="Run the network here").click()
    page.page.get_by_text("The network does not run here: the weights are damaged").wait_for()
    assert page.state("!s.live")["cut"] == ["down2"] and page.pictures() == before
    page.wire("Cut skip, level 1").click()
    assert page.state()["cut"] == ["skip1"] and page.pictures() != before
    assert page.errors == []
    page.context.close()


def test_on_a_phone_it_fits(browser, figure, tmp_path):
    """Nothing is wider than the screen, and no button is too small for a finger."""
    figure.save_html(tmp_path / "saved.html")
    page = Wires(
        browser, tmp_path / "saved.html",
        viewport={"width": 390, "height": 800}, has_touch=True, is_mobile=True,
    )  # fmt: skip
    page.state()
    assert page.page.evaluate("document.documentElement.scrollWidth") <= 390
    sizes = page.page.eval_on_selector_all(
        ".fm-wires button",
        "all => all.map((b) => [b.clientWidth, b.clientHeight, b.scrollWidth])",
    )
    assert all(wide >= 38 and high >= 36 and inner <= wide + 4 for wide, high, inner in sizes)
    page.context.close()
    (tmp_path / "page.html").write_text(f"<title>t</title>{figure.to_html()}", "utf-8")
    page = browser.new_page(viewport={"width": 900, "height": 1400})
    page.goto((tmp_path / "page.html").as_uri())
    frame_is_high_enough(page, figure)
    page.close()
