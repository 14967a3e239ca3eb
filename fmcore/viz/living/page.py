"""A living figure as HTML: a frame for the pages of others, and a page of its own."""

from __future__ import annotations

import base64
import html
import json
import re
from functools import cache
from pathlib import Path
from typing import Any

from .bundle import bundle

# A figure carries everything that it needs; the policy refuses any request.
_POLICY = (
    "default-src 'none'; script-src 'unsafe-inline' 'wasm-unsafe-eval'; "
    "style-src 'unsafe-inline'; img-src data:"
)

_DOCUMENT = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<div id="figure"></div>{rest}
<script type="application/json" id="spec">{spec}</script>
<script type="module">
{script}
const el = document.getElementById("figure");
const fmSpec = document.getElementById("spec").textContent;
render({{ model: {{ get: () => fmSpec }}, el }});
window.fmFigure = el.fmFigure;
</script>
</body>
</html>
"""

_IN_FRAME = (
    "html,body,#figure{height:100%;margin:0;overflow:hidden}body{padding:2px;box-sizing:border-box}"
)
_ON_PAGE = (
    "html{color-scheme:light dark}body{max-width:60rem;margin:0 auto;padding:1rem;"
    "font:1rem/1.5 system-ui,sans-serif}#figure{height:min(42rem,88vh);min-height:26rem}"
)


@cache
def styles() -> str:
    """The figures' style sheet, without comments and line breaks."""
    text = (Path(__file__).parent.parent / "style.css").read_text("utf-8")
    text = re.sub(r"/\*[\s\S]*?\*/|\n\s*", "", text)
    return re.sub(r"(?<=[:{};,]) | (?=\{)", "", text)


def document(entry: str, spec: Any, title: str, style: str, rest: str = "") -> str:
    """A figure as an HTML document that makes no request.

    entry   the module whose `render` shows `spec`, such as "flow_figure.js"
    rest    HTML that follows the figure
    """
    return _DOCUMENT.format(
        policy=_POLICY,
        title=html.escape(title),
        style=styles() + style,
        rest=rest,
        # A "</script>" inside the data would end it.
        spec=json.dumps(spec, separators=(",", ":")).replace("<", "\\u003c"),
        script=bundle(entry),
    )


def page(entry: str, spec: Any, title: str, caption: str, still: bytes) -> str:
    """A page with the figure and its caption."""
    words = f"\n<p>{html.escape(caption)}</p>" if caption else ""
    return document(entry, spec, title, _ON_PAGE, f"{_instead('#figure', title, still)}{words}")


def frame(
    entry: str, spec: Any, alt: str, caption: str, height: int, on_phone: int, still: bytes
) -> str:
    """The figure in a frame of fixed height, with its caption and the page's part of the theme.

    On a phone the figure has another layout and the frame another height; both heights are set
    before the frame loads, so that the page does not shift. The frame also works with
    `sandbox="allow-scripts"`; without it a browser need not start a process for each figure. The
    `still`, a PNG, takes its place in print, where no script runs, and in a viewer that removes
    frames and scripts.
    """
    inside = html.escape(document(entry, spec, alt, _IN_FRAME), quote=True)
    low, high = sorted((0, on_phone - height))
    narrow = "(600px - 100vw) * 999" if high else "(100vw - 600px) * 999"
    size = f"width:100%;height:calc({height}px + clamp({low}px, {narrow}, {high}px))"
    words = f"<figcaption>{html.escape(caption)}</figcaption>" if caption else ""
    style = f"display:block;border:0;background:none;{size}"
    return (
        f'<figure class="fm-figure" style="margin:0;padding:0">'
        f'<iframe class="fm-frame" title="{html.escape(alt, quote=True)}" loading="lazy" '
        f'scrolling="no" style="{style}" srcdoc="{inside}"></iframe>'
        f"{_instead('.fm-frame', alt, still)}{words}</figure>"
        f"<script>(() => {{\n{bundle('host/host.js')}hostFigures();\n}})();</script>"
    )


def _instead(figure: str, alt: str, still: bytes) -> str:
    """The still, which takes the place of `figure` (a selector) in print and without scripts."""
    image = base64.b64encode(still).decode("ascii")
    hide, show = f"{figure}{{display:none!important}}", ".fm-still{display:block!important}"
    return (
        f"<style>.fm-still{{display:none!important}}@media print{{{hide}{show}}}</style>"
        f"<noscript><style>{hide}{show}</style></noscript>"
        f'<img class="fm-still" alt="{html.escape(alt, quote=True)}" style="max-width:100%" '
        f'src="data:image/png;base64,{image}">'
    )
