"""The site as a whole: no link that leads nowhere, nothing from elsewhere, light, and still."""

import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urljoin, urlsplit

import pytest
from test_pages import HEAVIEST, PAGES

ROOT = Path(__file__).resolve().parent.parent.parent
HTML = ROOT / "_build" / "html"
OURS = "http://book.invalid/"


class Addresses(HTMLParser):
    """The addresses that a page names, and the places in it that have a name."""

    def __init__(self, page):
        super().__init__()
        self.named, self.places, self.policy = set(), {"", "top"}, 0
        self.feed((HTML / page).read_text("utf-8"))

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        self.places |= {found[key] for key in ("id", "name") if found.get(key)}
        for key in ("href", "src", "action", "data-fm-frame", "data-fm-network"):
            if found.get(key):
                self.named.add(found[key])
        self.policy += found.get("http-equiv") == "Content-Security-Policy"
        if found.get("http-equiv") == "Refresh":
            self.named.add(found["content"].split("url=")[1])


@pytest.fixture(scope="module")
def site_pages(built):
    names = [file.relative_to(HTML).as_posix() for file in HTML.rglob("*.html")]
    return {name: Addresses(name) for name in names if not name.startswith("_static")}


def test_no_link_leads_nowhere(site_pages):
    """Every address within the site, on every page, with its anchor."""
    dead = set()
    for name, page in site_pages.items():
        for address in page.named:
            where = urlsplit(urljoin(OURS + name, address))
            if where.scheme not in ("http", "https") or f"http://{where.netloc}/" != OURS:
                continue
            path = unquote(where.path).lstrip("/") or "index.html"
            target = site_pages.get(path)
            there = target and unquote(where.fragment) in target.places
            if not there and not (target is None and (HTML / path).is_file()):
                dead.add(f"{name}: {address}")
    assert not dead
    assert (
        len(site_pages) >= len(PAGES) + 4 and sum(len(p.named) for p in site_pages.values()) > 500
    )


def test_every_page_has_one_policy(site_pages):
    assert {name: page.policy for name, page in site_pages.items() if page.policy != 1} == {}
    for frame in (HTML / "_static" / "figures").glob("*.html"):
        assert frame.read_text("utf-8").count("Content-Security-Policy") == 1


def test_the_policy_refuses_what_is_not_ours(visit):
    """A script and a picture that someone else put into the page."""
    visited = visit("book/notation")
    refused = visited.page.evaluate(
        """async () => {
          const seen = [];
          addEventListener("securitypolicyviolation", (e) => seen.push(e.effectiveDirective));
          const put = (tag, more) => document.body.append(Object.assign(
            document.createElement(tag), more));
          put("script", { textContent: "window.wrong = 1" });
          put("script", { src: "https://book.invalid/a.js" });
          put("img", { src: "https://book.invalid/a.png" });
          await fetch("https://book.invalid/").catch(() => {});
          await new Promise((done) => setTimeout(done, 300));
          return [seen.sort(), window.wrong];
        }"""
    )
    wanted = ["connect-src", "img-src", "script-src-elem", "script-src-elem"]
    assert refused[0] == wanted and not refused[1]
    refusals = ("Content Security Policy", "book.invalid")
    assert all(any(words in fault for words in refusals) for fault in visited.faults)
    visited.faults.clear()


@pytest.mark.parametrize("path", ["search", "404", "genindex"])
def test_what_is_no_chapter_is_as_clean(visit, path):
    visited = visit(path)
    assert visited.weight() <= HEAVIEST and visited.barriers() == []


def test_an_address_that_is_none_offers_the_search(visit):
    visited = visit("book/notation")
    page = visited.page
    page.goto(f"{visited._site}/no/such/page.html")
    assert page.locator("h1").inner_text() == "There is no such page"
    page.locator(".bd-search-container input").fill("streamline")
    page.keyboard.press("Enter")
    page.wait_for_url("**/search.html?q=streamline*")
    page.locator("#search-results li").first.wait_for()
    assert [f for f in visited.faults if "/no/such/page.html" not in f and "404" not in f] == []
    visited.faults.clear()


def test_stills_and_plots_are_there_for_paper_and_without_script(visit, browser, site):
    """Also those that no one scrolled to."""
    whole = """() => [...document.querySelectorAll("article img")]
        .filter((image) => !image.complete || !image.naturalWidth).map((image) => image.src)"""
    page = visit("book/02_following_the_wind").page
    assert page.evaluate(whole)  # some are far below
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    page.wait_for_function(f"() => ({whole})().length === 0")
    context = browser.new_context(java_script_enabled=False)
    bare = context.new_page()
    bare.goto(f"{site}/book/02_following_the_wind.html", wait_until="load")
    images = bare.locator("article img")
    for i in range(images.count()):
        box = images.nth(i).bounding_box()
        assert box["width"] > 100 and box["height"] > 50
    stills = bare.locator("img.fm-still")
    assert stills.count() == 2 and bare.locator("iframe").count() == 0
    context.close()


def test_the_button_prints(visit):
    page = visit("book/01_wind", first="window.print = () => (window.printed = true)").page
    page.locator(".dropdown-download-buttons > button").click()
    page.locator(".btn-download-pdf-button").click()
    assert page.evaluate("window.printed")


def test_what_is_shared_is_there(site_pages):
    """Each page says what a preview shows; the picture is a file of the site."""
    for page in PAGES:
        text = (HTML / f"{page}.html").read_text("utf-8")
        about = re.search('name="description" content="([^"]+)"', text)[1]
        picture = re.search('property="og:image" content="([^"]+)"', text)[1]
        name = urlsplit(picture).path.rpartition("/")[2]
        assert (HTML / "_static" / "share" / name).is_file() and len(about) > 40
        assert text.count('<script type="application/ld+json">') == 1
    assert (HTML / "changes.xml").is_file()
