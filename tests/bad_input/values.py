"""Good and bad values that many rows share: fields of every kind, tensors, networks, files."""

import math
import tempfile
from pathlib import Path

import torch
from small import gen, noise, unet

import fmcore
from fmcore.data import ImageData
from fmcore.images import save_grid

NAN, INF = math.nan, math.inf
X, IMAGES, FOUR = noise(3, 2), noise(2, 1, 8, 8), noise(4, 1, 8, 8)
LABELS = torch.tensor([0, 1, 2, 3])
BYTES = torch.zeros(8, 1, 8, 8, dtype=torch.uint8)
SPOILT = X.clone().index_fill_(0, torch.tensor([1]), NAN)
TIMES = torch.tensor([0.1, 0.2, 0.3])
G = gen()

OT, MIX = fmcore.OTPath(), fmcore.GaussianMixture([[0.0, 1.0], [2.0, 0.0]], stds=0.5)
POINTS = fmcore.Empirical([[0.0, 1.0], [2.0, 0.0]])
MLP, NET, CLASSES = fmcore.MLP(hidden=8), unet(), unet(num_classes=10)
VECTORS = fmcore.MLP(hidden=8, condition_dim=2)
RALSTON = dict(name="ralston", order=2, a=((), (2 / 3,)), b=(1 / 4, 3 / 4), c=(0, 2 / 3))

FOLDER = tempfile.TemporaryDirectory()  # goes when the tests end
HERE = Path(FOLDER.name) / "folder"
HERE.mkdir()
NOWHERE = HERE / "nowhere" / "file.png"
OTHER = HERE / "other.safetensors"
OTHER.write_bytes(b"no weights")
SAVED = HERE / "saved.safetensors"
ONE_IMAGE = HERE / "one"
ONE_IMAGE.mkdir()
save_grid(IMAGES[:1], ONE_IMAGE / "0.png")
DAMAGED = HERE / "damaged"
DAMAGED.mkdir()
(DAMAGED / "step-00000001.pt").write_bytes(b"no checkpoint")


def turn(x, t):
    """A good field of the plane."""
    return torch.stack([-x[:, 1], x[:, 0]], dim=1)


def still(x, t):
    """A good field of anything: nothing moves."""
    return 0 * x


def to_none(x, t, label=None):
    return None


def to_float(x, t):
    return 0.5


def to_first(x, t, label=None):
    return x[:1]


def to_double(x, t):
    return x.double()


def to_complex(x, t):
    return torch.complex(x, x)


def to_nan(x, t):
    return x * NAN


def to_column(x, t):
    return x[:, :1]


def to_bool(x, t):
    return x > 0


def few(n=8, **changes):
    """A few images with labels."""
    labels = torch.arange(n) % 10
    return ImageData(**{"pixels": BYTES, "labels": labels, "name": "few", "source": ""} | changes)
