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

# A figure carries everything that it needs; the policy refuses any request. A network runs in a
# worker, whose script is within the figure too.
_POLICY = (
    "default-src 'none'; script-src 'unsafe-inline' 'wasm-unsafe-eval'; "
    "style-src 'unsafe-inline'; img-src data:; worker-src blob:"
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
render({{ model: {{ get: (name) => document.getElementById(name)?.textContent }}, el }});
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
    "#figure:not(:has(>.fm)){height:auto;min-height:0}"
    "@media(max-width:600px){#figure:has(>.fm-playground,>*>.fm-sides){height:auto}}"
    "@media print{#figure{display:none}}"
    "@media screen{#figure:has(>.fm)~.fm-still{display:none}}"
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


def page(
    entry: str, spec: Any, title: str, caption: str, still: bytes, network: bytes = b""
) -> str:
    """A page with the figure and its caption, and with the network that it may be asked for."""
    rest = f"{_still(title, still, 'max-width:100%')}><noscript><p>{_NO_SCRIPT}</p></noscript>"
    rest += f"\n<p>{html.escape(caption)}</p>" if caption else ""
    if network:
        rest += f'\n<script type="text/plain" id="network">{_base64(network)}</script>'
    return document(entry, spec, title, _ON_PAGE, rest)


# Runs when the still has loaded, or cannot: the page learns once how to host figures.
_START = (
    "if(!window.fmShow){const s=document.createElement('script');"
    "s.textContent=this.previousElementSibling.dataset.fmHost;document.head.append(s)}"
    "this.onload=this.onerror=null;fmShow(this)"
)
_NO_SCRIPT = "The living figure needs JavaScript; the picture shows one moment of it."


def frame(
    entry: str, spec: Any, alt: str, caption: str, height: int, on_phone: str, still: bytes,
    network: bytes = b"",
) -> str:  # fmt: skip
    """The figure for the pages of others: its `still`, a PNG, that becomes a frame; its caption.

    What runs stands in attributes of an empty `<i>`, an element that every sanitiser allows, so
    that a viewer that removes or escapes scripts shows no source as text. On a phone the figure has
    another layout and another height, `on_phone` as CSS has it; still and frame have both heights
    from the start, so that the page does not shift. Frame and network lie in the page: whoever
    publishes it may put the addresses of files in their place, from which the page then loads them.
    """
    wide, narrow = "(100vw - 600.5px) * 999", "(600.5px - 100vw) * 999"
    size = f"width:100%;height:max(min({height}px, {wide}), min({on_phone}, {narrow}))"
    words = f"<figcaption>{html.escape(caption)}</figcaption>" if caption else ""
    inside = html.escape(document(entry, spec, alt, _IN_FRAME))
    host = html.escape(f"{bundle('host/host.js')}window.fmShow=figureHost();")
    start = html.escape(_START)
    held = f' data-fm-network="base64,{_base64(network)}"' if network else ""
    image = _still(alt, still, f"display:block;object-fit:contain;{size}")
    return (
        '<figure class="fm-figure" style="margin:0;padding:0"><div style="position:relative">'
        f'<i hidden data-fm-frame="{inside}" data-fm-host="{host}"{held}></i>'
        f'{image} onload="{start}" onerror="{start}"></div>'
        f"<noscript>{_NO_SCRIPT}</noscript>{words}</figure>"
    )


def _still(alt: str, still: bytes, style: str) -> str:
    """An `<img>` with the still, to be closed."""
    return (
        f'<img class="fm-still" alt="{html.escape(alt)}" style="{style}" '
        f'src="data:image/png;base64,{_base64(still)}"'
    )


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")
