"""The base of all living figures: how they are shown, and how they are saved."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from fmcore.files import writable

from .page import frame, page

MOST_BYTES = 2_000_000
DPI, SHADES = 120, 128  # of the still: sharp enough for print, and small


class LivingFigure:
    """A figure that the browser computes, or assembles, from its data `spec`.

    `entry` is the module in `js/` whose `render` shows it; `still()` draws the same by matplotlib.
    """

    entry: str
    more_on_phone: int  # CSS pixels by which the figure is higher on a phone
    spec: dict[str, Any]
    alt: str
    caption: str
    height: int

    def still(self) -> Figure:
        """The same as a matplotlib figure: for print, and where no script runs."""
        raise NotImplementedError

    def save_html(self, path: str | Path) -> None:
        """Write the figure as an HTML page that works from a file, without a network.

        Raises ValueError if the file cannot be written.
        """
        file = writable(path)  # known before the work
        file.write_text(page(self.entry, self.spec, self.alt, self.caption, self._png()), "utf-8")

    def _check_size(self) -> None:
        """Raise ValueError if the data would make a page heavy."""
        size = len(json.dumps(self.spec))
        if size > MOST_BYTES:
            raise ValueError(
                f"this figure would carry {size / 1e6:.1f} MB of data, and 2 MB is the limit: take "
                "fewer points or a smaller network, or a lattice of a lower resolution"
            )

    def _png(self) -> bytes:
        """The still as a PNG of few colours."""
        from matplotlib import pyplot as plt
        from PIL import Image  # comes with matplotlib

        figure, file = self.still(), io.BytesIO()
        figure.savefig(file, format="png", dpi=DPI)
        plt.close(figure)
        image, out = Image.open(file), io.BytesIO()
        image.quantize(SHADES, method=Image.Quantize.FASTOCTREE).save(out, "PNG", optimize=True)
        return out.getvalue()

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> Mapping[str, Any]:
        png, heights = self._png(), (self.height, self.height + self.more_on_phone)
        return {
            "text/html": frame(self.entry, self.spec, self.alt, self.caption, *heights, png),
            "image/png": png,
            "text/plain": repr(self),
        }
