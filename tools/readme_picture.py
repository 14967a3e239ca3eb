"""Draw book/assets/readme.png: ten noises on their way to 0 to 9, by the shipped network."""

from pathlib import Path

import matplotlib.pyplot as plt
import torch

from fmcore import Guided, load_pretrained, odeint
from fmcore.viz import plots, theme

TIMES = [0.0, 0.3, 0.5, 0.7, 0.85, 1.0]
SEED = 6

model = Guided(load_pretrained("mnist"), 2.0)
noise = torch.randn(10, 1, 28, 28, generator=torch.Generator().manual_seed(SEED))
with torch.no_grad():
    field = lambda x, t: model(x, t, torch.arange(10))  # noqa: E731
    way = odeint(field, noise, method="midpoint", steps=20, t_eval=TIMES).xs  # (6, 10, 1, 28, 28)
with theme("auto"):
    ax = plots.digits(
        way.flatten(0, 1).clamp(-1, 1), columns=10, row_labels=[f"t = {t:g}" for t in TIMES]
    )
    file = Path(__file__).parent.parent / "book" / "assets" / "readme.png"
    ax.figure.savefig(file, dpi=120)
    plt.close(ax.figure)
