"""The living figure as HTML: a frame for the pages of others, and a page of its own."""

from __future__ import annotations

import html
import json
from typing import Any

from ._scripts import bundle

# Whatever a figure needs it carries; the policy makes sure of it.
_POLICY = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:"

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
<div id="figure"></div>{caption}
<noscript><p>{title}. This figure needs JavaScript.</p></noscript>
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


def document(spec: dict[str, Any], title: str, style: str, caption: str = "") -> str:
    """The figure as a whole HTML document that asks for nothing from anywhere."""
    return _DOCUMENT.format(
        policy=_POLICY,
        title=html.escape(title),
        style=style,
        caption=f"\n<p>{html.escape(caption)}</p>" if caption else "",
        # A "</script>" inside the data would end it.
        spec=json.dumps(spec, separators=(",", ":")).replace("<", "\\u003c"),
        script=bundle(),
    )


def page(spec: dict[str, Any], title: str, caption: str) -> str:
    """A page with the figure and its caption."""
    return document(spec, title, _ON_PAGE, caption)


def frame(spec: dict[str, Any], title: str, caption: str, height: int) -> str:
    """The figure in a frame of fixed height, with its caption and the page's part of the theme.

    On a phone the controls wrap and the frame is 90 pixels taller; either way its size is known
    before it loads. The frame works with `sandbox="allow-scripts"` too; without it a browser
    need not start a process for each figure.
    """
    inside = html.escape(document(spec, title, _IN_FRAME), quote=True)
    size = f"width:100%;height:calc({height}px + clamp(0px, (600px - 100vw) * 999, 90px))"
    words = f"<figcaption>{html.escape(caption)}</figcaption>" if caption else ""
    return (
        f'<figure class="fm-figure" style="margin:0">'
        f'<iframe class="fm-frame" title="{html.escape(title, quote=True)}" '
        f'loading="lazy" scrolling="no" '
        f'style="display:block;border:0;background:none;{size}" srcdoc="{inside}"></iframe>{words}'
        f"</figure><script>(() => {{\n{bundle('host.js')}hostFigures();\n}})();</script>"
    )
