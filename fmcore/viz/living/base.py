"""The base of all living figures: how they are shown, and how they are saved."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from PIL import Image  # comes with matplotlib

from fmcore.checks import one_of, positive, whole
from fmcore.files import replacing, writable

from .page import frame, page

MOST_BYTES = 2_000_000
DPI, SHADES = 120, 128  # of the still: sharp enough for print, and small
ANIMATIONS = {".gif": "GIF", ".webp": "WEBP"}
MOST_FRAMES, PAUSE = 600, 1000  # of an animation, and the milliseconds that its end stays


class LivingFigure:
    """A figure that the browser computes, or assembles, from its data `spec`.

    `entry` is the module in `js/` whose `render` shows it; `still()` draws the same by matplotlib.
    """

    entry: str
    more_on_phone: int  # CSS pixels by which the figure is higher on a phone of 390 pixels
    grows_on_phone: float = 0.0  # the same for each pixel that the phone is wider
    spec: dict[str, Any]
    alt: str
    caption: str
    height: int
    network: bytes = b""  # what is sent when the reader asks for it
    span: tuple[float, float] = (0.0, 1.0)  # the times from which and to which it plays

    def still(self, t: float | None = None) -> Figure:
        """The same as a matplotlib figure, at time `t`: for print, and where no script runs."""
        raise NotImplementedError

    def to_html(self) -> str:
        """The figure as HTML to paste into a page of your own, as often as you like.

        Everything is within: a frame, so that styles and names of the page and of other figures
        stay apart, the still for print, and the caption. It makes no request. The frame takes the
        width of its place and has the height of the figure. On slides it is drawn when its slide is
        shown, and a slide that is scaled scales it.

        >>> from fmcore.fields import Rotation
        >>> from fmcore.viz import FlowFigure
        >>> fragment = FlowFigure(Rotation(rate=1.0), particles=9).to_html()
        >>> page = f"<!doctype html><title>Twice</title>{fragment}<p>Again:</p>{fragment}"
        """
        return self._frame(self._png())

    def save_animation(self, path: str | Path, *, seconds: float = 4.0, fps: int = 12) -> None:
        """Write what the figure plays as an animation, GIF or WebP by the ending of `path`.

        Its frames are the stills of as many times, on white: `seconds` of `fps` frames each, and
        then the end, which stays for one more second before all begins again.

        Raises ValueError if the file cannot be written, for another ending, for fps above 50, which
        no viewer shows, and unless there are 2 to 600 frames; TypeError for what is no number.

        >>> from fmcore.fields import Rotation
        >>> from fmcore.viz import FlowFigure
        >>> figure = FlowFigure(Rotation(rate=1.0), particles=9)
        >>> figure.save_animation("rotation.gif")  # doctest: +SKIP
        """
        file = writable(path)
        kind = ANIMATIONS[one_of("the ending of path", file.suffix.lower(), ANIMATIONS)]
        fps = whole("fps", fps, 1, 50)
        frames = round(positive("seconds", seconds) * fps)
        times = np.linspace(*self.span, whole("seconds times fps", frames, 2, MOST_FRAMES))
        first, *rest = (self._picture(t, paper="white") for t in times.tolist())
        stay = [round(1000 / fps)] * len(rest) + [PAUSE]
        with replacing(file) as stream:
            first.save(stream, kind, save_all=True, append_images=rest, duration=stay, loop=0)

    def save_html(self, path: str | Path) -> None:
        """Write the figure as an HTML page that works from a file, offline.

        Raises ValueError if the file cannot be written.
        """
        file = writable(path)  # known before the work
        said = self.alt, self.caption
        file.write_text(page(self.entry, self.spec, *said, self._png(), self.network), "utf-8")

    def _check_size(self) -> None:
        """Raise ValueError if the data would make a page heavy."""
        size = len(json.dumps(self.spec))
        if size > MOST_BYTES:
            raise ValueError(
                f"this figure would carry {size / 1e6:.1f} MB of data, and 2 MB is the limit: take "
                "fewer points or a smaller network, or a lattice of a lower resolution"
            )

    def _picture(self, t: float | None = None, paper: str = "none") -> Image.Image:
        """The still as an image of few colours, transparent where no paper is said.

        A GIF knows no half transparent pixel: without paper its edges would be ragged.
        """
        figure, file = self.still(t), io.BytesIO()
        figure.savefig(file, format="png", dpi=DPI, facecolor=paper)
        plt.close(figure)
        return Image.open(file).quantize(SHADES, method=Image.Quantize.FASTOCTREE)

    def _png(self) -> bytes:
        out = io.BytesIO()
        self._picture().save(out, "PNG", optimize=True)
        return out.getvalue()

    def _frame(self, png: bytes) -> str:
        narrow = f"{self.height + self.more_on_phone}px"
        if self.grows_on_phone:
            narrow += f" + (100vw - 390px) * {self.grows_on_phone:g}"
        heights = self.height, narrow
        return frame(self.entry, self.spec, self.alt, self.caption, *heights, png, self.network)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> Mapping[str, Any]:
        png = self._png()
        return {"text/html": self._frame(png), "image/png": png, "text/plain": repr(self)}
