"""Draw fmcore/assets/mnist_sprite.png: the pictures of `DigitFigure` for the shipped network.

    python tools/digit_sprite.py

To be run whenever the weights change; it takes a minute on two CPU cores.
"""

from fmcore import load_pretrained
from fmcore.viz import DigitFigure
from fmcore.viz.living.digit_figure import SHIPPED

SHIPPED.write_bytes(DigitFigure(load_pretrained("mnist")).sprite.png())
print(f"{SHIPPED.name}: {SHIPPED.stat().st_size:,} bytes")
