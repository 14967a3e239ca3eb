"""A figure in the pages of others: it lives where scripts run, and leaves a still elsewhere."""

import html
import re

import bleach
import pytest
from nbconvert.filters.strings import clean_html
from nbconvert.preprocessors.sanitize import SanitizeHTML

from fmcore.fields import Rotation
from fmcore.viz import FlowFigure

WORDS = "the picture shows one moment of it"
# What GitHub lets through (github/html-pipeline, its default allowlist), as far as it matters here.
GITHUB = {"div": [], "i": [], "img": ["src", "alt"], "figure": [], "figcaption": []}
SANITIZERS = {
    "nbconvert --sanitize-html": clean_html,
    "nbconvert, its preprocessor": SanitizeHTML().sanitize_html_tags,
    "nbconvert, stripping": SanitizeHTML(strip=True).sanitize_html_tags,
    "GitHub": lambda text: bleach.clean(
        # Of scripts the content goes too.
        re.sub(r"<script\b.*?</script>", "", text, flags=re.DOTALL),
        *(GITHUB, GITHUB, ["https", "data"]),
        strip=True,
    ),
    "escaping all but pictures": lambda text: bleach.clean(text, GITHUB, GITHUB, ["data"]),
}
KEEP_PICTURES = {"GitHub", "escaping all but pictures"}
POLICY = '<meta http-equiv="Content-Security-Policy" content="{}">'
# Of the outputs of a notebook in VS Code (.../notebook/browser/view/renderers/backLayerWebView.ts)
VS_CODE = (
    "default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval'; style-src 'unsafe-inline'; "
    "img-src https: http: data:; connect-src https:; child-src https: data:"
)


@pytest.fixture(scope="module")
def fragment():
    figure = FlowFigure(
        Rotation(1.0), particles=20, steps=3, alt='a "turning" wind', caption="a < caption"
    )
    return figure._repr_mimebundle_()["text/html"]


@pytest.fixture
def shown(browser, tmp_path):
    """Opens a page with a body; every error is one."""
    pages, errors = [], []

    def show(body, *, head="", **context):
        file = tmp_path / "page.html"
        file.write_text(f"<!doctype html><meta charset=utf-8><title>t</title>{head}<body>{body}")
        pages.append(browser.new_context(viewport={"width": 800, "height": 900}, **context))
        page = pages[-1].new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(file.as_uri())
        return page

    yield show
    for one in pages:
        one.close()
    assert errors == []


def lives(page, i=0):
    node = page.locator("iframe.fm-frame").nth(i)
    node.scroll_into_view_if_needed()
    frame = node.element_handle().content_frame()
    frame.wait_for_function("() => window.fmFigure?.state().steps === 3", timeout=60_000)
    page.locator(".fm-still").nth(i).wait_for(state="hidden")
    return frame


def is_still(page):
    still = page.get_by_role("img", name='a "turning" wind').first
    still.wait_for()
    box = still.bounding_box()
    assert still.evaluate("node => node.naturalWidth") > 300 and box["height"] > 300
    assert not page.locator("iframe.fm-frame:visible").count()


@pytest.mark.parametrize("name", SANITIZERS)
def test_a_sanitiser_leaves_no_source_as_text(fragment, name):
    left = SANITIZERS[name](fragment)
    picture = "data:image/png;base64,"
    if name in KEEP_PICTURES:
        assert f'src="{picture}' in left and 'alt="a &quot;turning&quot; wind"' in left.replace(
            "alt='a \"turning\" wind'", 'alt="a &quot;turning&quot; wind"'
        )
    text = html.unescape(re.sub("<[^>]*>", "", left))
    text = re.sub(f"{picture}[A-Za-z0-9+/=]*", "", text)
    assert "a < caption" in text and WORDS in text
    assert len(text) < 1000 and "=>" not in text and "fm-stage" not in text


def test_two_live_as_parsed_and_rest_as_stills_in_print(fragment, shown):
    page = shown(f"{fragment}<div style='height:4000px'></div>{fragment}")
    lives(page)
    page.wait_for_timeout(2500)  # the second has not been seen yet: it is not given up
    lives(page, 1)
    assert page.locator("figcaption").count() == 2 == page.locator("iframe").count()
    page.emulate_media(media="print")
    is_still(page)


@pytest.mark.parametrize("policy", ["", VS_CODE], ids=["any", "VS Code"])
def test_it_lives_where_an_output_is_set_as_html(fragment, shown, policy):
    """JupyterLab, VS Code and Colab set `innerHTML`, which runs no script of its own."""
    page = shown("<div id=output></div>", head=policy and POLICY.format(policy))
    page.evaluate("text => (document.getElementById('output').innerHTML = text)", fragment)
    frame = lives(page)
    page.evaluate("document.documentElement.dataset.theme = 'dark'")
    frame.wait_for_function("() => window.fmFigure.state().theme === 'dark'")


@pytest.mark.parametrize("why", ["no scripts", "a strict policy", "sanitised"])
def test_the_still_stands_where_nothing_runs(fragment, shown, why):
    head = POLICY.format("script-src 'self'") if why == "a strict policy" else ""
    body = SANITIZERS["GitHub"](fragment) if why == "sanitised" else fragment
    scripts = why != "no scripts"
    page = shown(body, head=head, java_script_enabled=scripts)
    is_still(page)
    if why != "a strict policy":
        assert WORDS in page.locator("body").inner_text()


BROKEN = {
    "its data": lambda text: text.replace(
        "&quot;kind&quot;:&quot;winds&quot;", "&quot;kind&quot;:1"
    ),
    "its script": lambda text: text.replace("const el = document", "const el el = document"),
    "its first picture": lambda text: text.replace("computation.work(", "computation.rest("),
}


@pytest.mark.parametrize("broken", BROKEN)
def test_the_still_and_a_sentence_stay_where_a_figure_fails(fragment, browser, tmp_path, broken):
    """A script that cannot be read is what an old browser makes of a new one."""
    text = BROKEN[broken](fragment)
    assert text != fragment
    (tmp_path / "page.html").write_text(f"<!doctype html><title>t</title><body>{text}")
    page = browser.new_page()
    page.goto((tmp_path / "page.html").as_uri())
    page.get_by_text(WORDS).wait_for()
    is_still(page)
    assert page.locator("iframe").count() == 0
    page.close()


@pytest.mark.parametrize("broken", [*BROKEN, None])
def test_a_saved_page_keeps_the_still_where_its_figure_fails(browser, tmp_path, broken):
    file = tmp_path / "page.html"
    FlowFigure(Rotation(1.0), particles=20, alt="a wind").save_html(file)
    if broken:  # as it stands in an attribute
        text = BROKEN[broken](file.read_text("utf-8").replace('"', "&quot;"))
        file.write_text(text.replace("&quot;", '"'), "utf-8")
    page = browser.new_page()
    page.goto(file.as_uri())
    still = page.get_by_role("img", name="a wind")
    if broken == "its data":
        page.get_by_role("alert").wait_for()
    if not broken:
        page.locator(".fm").wait_for()
        assert not still.is_visible()
        page.emulate_media(media="print")
        assert not page.locator(".fm").is_visible()
    still.wait_for()
    page.close()
