"""Data: MNIST and its relatives as bytes, and two-dimensional toys.

Images stay `uint8` until they are used: the whole of MNIST is 47 MB, which fits on any GPU, and
`images.to_unit` turns a batch into the float32 numbers in [-1, 1] that the networks see. A part of
MNIST, 5,000 training and 1,000 test images, comes with the library.
"""

from __future__ import annotations

import gzip
import hashlib
import math
import os
import shutil
import socket
import warnings
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from fmcore.checks import flag, one_of, require_generator, whole
from fmcore.files import ASSETS

__all__ = [
    "DATA_SETS", "EMBEDDED", "DataUnavailable", "ImageData", "cache_folder", "load_images", "toy",
]  # fmt: skip

# MD5 of the uncompressed files. torchvision checks the archives it downloads, but not the files
# that it finds, and a truncated one surfaces there as an obscure assertion.
_CHECKSUMS = {
    "MNIST": {
        "train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
        "train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
        "t10k-images-idx3-ubyte": "2646ac647ad5339dbf082846283269ea",
        "t10k-labels-idx1-ubyte": "27ae3e4e09519cfbb04c329615203637",
    },
    "FashionMNIST": {
        "train-images-idx3-ubyte": "f4a8712d7a061bf5bd6d2ca38dc4d50a",
        "train-labels-idx1-ubyte": "9018921c3c673c538a1fc5bad174d6f9",
        "t10k-images-idx3-ubyte": "8181f5470baa50b63fa0f6fddb340f0a",
        "t10k-labels-idx1-ubyte": "15d484375f8d13e6eb1aabb0c3f46965",
    },
    "KMNIST": {},  # not published: compared with the archive that torchvision leaves beside it
}
_TORCHVISION = {"mnist": "MNIST", "fashion_mnist": "FashionMNIST", "kmnist": "KMNIST"}
DATA_SETS = tuple(_TORCHVISION)
"""The names that `load_images` knows."""
_COUNT = {"train": 60_000, "t10k": 10_000}
_PATIENCE = 600.0  # seconds that a process waits for another one's download
_SILENCE = 30.0  # seconds after which a server that sends nothing is given up

EMBEDDED = "embedded"
"""In the place of a folder of data: the part of MNIST that comes with the library, and no other."""


class DataUnavailable(RuntimeError):
    """The data set is not on this machine and could not be downloaded."""


@dataclass(frozen=True)
class ImageData:
    """`pixels` `(N, C, H, W)` as uint8 and `labels` `(N,)` as int64, and where they are from."""

    pixels: Tensor
    labels: Tensor | None
    """None for images without classes."""
    name: str
    source: str
    """The folder of the files; of the embedded part, why it is not the whole set."""
    complete: bool = True
    """Whether these are all images of the split."""
    classes: tuple[str, ...] = ()
    """The names of the classes, if they have any."""

    def __len__(self) -> int:
        return len(self.pixels)

    @property
    def about(self) -> dict[str, Any]:
        """What a model that was trained on it says of it, as plain values for a file."""
        named = {"classes": self.classes} if self.classes else {}
        return {"data": self.name, "images": len(self), **named}

    def __str__(self) -> str:
        part = "" if self.complete else ", the part that comes with the library"
        return f"{len(self):,} images of {self.name}{part}"


def load_images(
    name: str,
    *,
    split: str = "train",
    root: str | Path | None = None,
    download: bool = True,
) -> ImageData:
    """A set of 28x28 grey images: "mnist", "fashion_mnist" or "kmnist".

    It is looked for in `root`, in the folder that `FMCORE_DATA` names and in the user's cache; if
    it is in none, one process downloads it into `root`, or else the cache, while others wait.
    Where MNIST cannot be had, the part of it that comes with the library serves, and `complete` is
    False: the first 500 training and the first 100 test images of each class, in the order 0 to 9,
    0 to 9, ... `root="embedded"`, or `FMCORE_DATA=embedded`, takes that part and looks no further.

    Raises `ValueError` if the name or the split is another, or if the checksum of a file is wrong
    (named), `DataUnavailable`, with what was tried and what to do, if another set cannot be had,
    and `TimeoutError` after ten minutes of waiting for another process's download. Warns if MNIST
    was looked for in `root` in vain.

    >>> data = load_images("mnist", split="test", root="embedded")
    >>> data.pixels.shape, data.complete, data.labels[:12].tolist()
    (torch.Size([1000, 1, 28, 28]), False, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1])
    """
    one_of("name", name, DATA_SETS)
    one_of("split", split, ("train", "test"))
    flag("download", download)
    try:
        folder = _find(name, root, download)
    except DataUnavailable as missing:
        if name != "mnist":
            raise
        if root is not None and str(root) != EMBEDDED:
            warnings.warn(f"{missing} Until then, a part of it serves.", stacklevel=2)
        pixels = read_mosaic(ASSETS / f"mnist_{split}.png")
        labels = torch.arange(len(pixels)) % 10
        return ImageData(pixels, labels, name, str(missing), complete=False)
    dataset, prefix = _TORCHVISION[name], "train" if split == "train" else "t10k"
    pixels, labels = (
        _verified(folder / dataset / "raw" / f"{prefix}-{kind}", dataset)
        for kind in ("images-idx3-ubyte", "labels-idx1-ubyte")
    )
    return ImageData(pixels.reshape(-1, 1, 28, 28), labels.long(), name, str(folder))


def cache_folder() -> Path:
    """Where downloads go: `$XDG_CACHE_HOME/fmcore`, or `~/.cache/fmcore`."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "fmcore"


def _files(name: str, folder: Path) -> list[Path]:
    raw = folder / _TORCHVISION[name] / "raw"
    return [raw / f"{p}-{k}" for p in _COUNT for k in ("images-idx3-ubyte", "labels-idx1-ubyte")]


def _present(name: str, folder: Path) -> bool:
    return all(file.is_file() for file in _files(name, folder))


def _find(name: str, root: str | Path | None, download: bool) -> Path:
    """The folder that holds the set, after a download if need be."""
    named = os.environ.get("FMCORE_DATA")
    if str(root or named) == EMBEDDED:
        raise DataUnavailable(
            f"{name}: only the part that comes with the library was asked for, and only mnist has "
            "one."
        )
    named = None if named == EMBEDDED else named  # which is no folder
    places = {"root=": root, "FMCORE_DATA": named, "cache": cache_folder()}
    places = {why: Path(where).expanduser() for why, where in places.items() if where}
    for folder in places.values():
        if _present(name, folder):
            return folder
    tried = ", ".join(f"{folder} ({why})" for why, folder in places.items())
    target = places.get("root=", places["cache"])
    problem = _download(name, target) if download else "download=False"
    if not problem:
        return target
    raise DataUnavailable(
        f"{name} was not found in {tried}; {problem}. Put the four files "
        f"{', '.join(file.name for file in _files(name, target))} into "
        f"FOLDER/{_TORCHVISION[name]}/raw and pass root=FOLDER or set FMCORE_DATA=FOLDER."
    )


def _download(name: str, target: Path) -> str:
    """Bring a set into `target`; return what went wrong, "" if nothing did.

    One process downloads, beside the place, and renames, while others wait. The lock is the
    operating system's: it ends with the process that holds it, however that ends.
    """
    import torchvision  # takes seconds, and is needed only here
    from filelock import FileLock, Timeout

    dataset = _TORCHVISION[name]
    beside, raw = target / f".{dataset}.partial", target / dataset / "raw"
    lock = target / f".{dataset}.lock"
    allowed = socket.getdefaulttimeout()
    try:
        target.mkdir(parents=True, exist_ok=True)
        with FileLock(lock, timeout=_PATIENCE):
            if _present(name, target):
                return ""  # another process has brought it
            shutil.rmtree(beside, ignore_errors=True)  # of a process that was killed
            try:
                socket.setdefaulttimeout(_SILENCE)  # torchvision would wait for ever
                getattr(torchvision.datasets, dataset)(root=beside, download=True)
                raw.mkdir(parents=True, exist_ok=True)
                # Archives first: whoever sees all four files may compare them with the archives.
                files = (beside / dataset / "raw").iterdir()
                for file in sorted(files, key=lambda file: file.suffix != ".gz"):
                    os.replace(file, raw / file.name)
            finally:
                socket.setdefaulttimeout(allowed)
                shutil.rmtree(beside, ignore_errors=True)
        return ""
    except Timeout:
        raise TimeoutError(
            f"{name} is being downloaded by another process, which has held {lock} for "
            f"{_PATIENCE:g} s. Wait for that process or end it, then try again."
        ) from None
    except (RuntimeError, OSError) as error:  # no network, a full disk, a folder of another's
        return f"downloading into {target} failed: {str(error).strip().splitlines()[-1]}"


def _verified(file: Path, dataset: str) -> Tensor:
    """The bytes behind the header of a file that is the published one to the last byte.

    `ValueError`, naming the file, if it is not.
    """
    content = file.read_bytes()
    pixels, header = (28 * 28, 16) if "images" in file.name else (1, 8)
    size = header + _COUNT[file.name.split("-")[0]] * pixels
    archive = file.with_name(file.name + ".gz")
    if len(content) != size:
        problem = f"it has {len(content):,} bytes instead of {size:,}"
    elif expected := _CHECKSUMS[dataset].get(file.name):
        found = hashlib.md5(content).hexdigest()
        problem = found != expected and f"its MD5 is {found} instead of {expected}"
    else:
        problem = archive.is_file() and _differs(content, archive)
    if problem:
        raise ValueError(f"{file} is damaged: {problem}. Delete it, and it can be fetched again.")
    return torch.frombuffer(bytearray(content), dtype=torch.uint8, offset=header)


def _differs(content: bytes, archive: Path) -> str | bool:
    try:
        same = zlib.crc32(content) == zlib.crc32(gzip.decompress(archive.read_bytes()))
    except (OSError, EOFError, zlib.error) as error:
        return f"its archive {archive.name} cannot be read ({error})"
    return not same and f"its content differs from {archive.name}"


def read_mosaic(file: Path) -> Tensor:
    """The bytes `(N, 1, 28, 28)` of a grey picture that shows them side by side, without gaps."""
    from PIL import Image  # comes with matplotlib

    mosaic = torch.from_numpy(np.array(Image.open(file)))
    rows, columns = (side // 28 for side in mosaic.shape)
    return mosaic.reshape(rows, 28, columns, 28).transpose(1, 2).reshape(-1, 1, 28, 28)


def toy(name: str, n: int, *, generator: torch.Generator) -> Tensor:
    """`n` points `(n, 2)` of a two-dimensional distribution, nearly all of them in [-3, 3]^2.

    Names: "two_moons", "checkerboard", "eight_gaussians", "spiral", "pinwheel". `ValueError` for
    another name or a negative `n`, `TypeError` for a fractional one.

    >>> toy("two_moons", 5, generator=torch.Generator().manual_seed(0)).shape
    torch.Size([5, 2])
    """
    one_of("name", name, _TOYS)
    n = whole("n", n, least=0)
    g = require_generator(generator)
    uniform = torch.rand(n, 2, generator=g, device=g.device)
    normal = torch.randn(n, 2, generator=g, device=g.device)
    return _TOYS[name](uniform, normal)


def _two_moons(uniform: Tensor, normal: Tensor) -> Tensor:
    angle = math.pi * uniform[:, 0]
    upper = (uniform[:, 1] < 0.5).float() * 2 - 1  # +1 for the upper moon, -1 for the lower
    x = torch.stack([upper * (angle.cos() - 0.5), upper * (angle.sin() - 0.25)], dim=-1)
    return 1.6 * x + 0.12 * normal


def _checkerboard(uniform: Tensor, normal: Tensor) -> Tensor:
    # Eight black fields of a 4x4 board with sides 1.25: the row shifts every other column.
    field = (uniform[:, :1] * 8).floor()  # (n, 1): 0 ... 7
    inside = torch.cat([uniform[:, :1] * 8 - field, uniform[:, 1:]], dim=-1)
    column = (field / 2).floor()
    row = 2 * (field % 2) + column % 2
    return 1.25 * (torch.cat([column, row], dim=-1) - 2 + inside)


def _eight_gaussians(uniform: Tensor, normal: Tensor) -> Tensor:
    angle = math.pi / 4 * (uniform[:, 0] * 8).floor()
    return 2 * torch.stack([angle.cos(), angle.sin()], dim=-1) + 0.2 * normal


def _spiral(uniform: Tensor, normal: Tensor) -> Tensor:
    turn = uniform[:, 0].sqrt()  # the square root spreads the points evenly along the arm
    angle = 3 * math.pi * turn
    return 2.5 * turn[:, None] * torch.stack([angle.cos(), angle.sin()], dim=-1) + 0.08 * normal


def _pinwheel(uniform: Tensor, normal: Tensor) -> Tensor:
    blade = 2 * math.pi / 5 * (uniform[:, 0] * 5).floor()
    radius = 1.5 + 0.45 * normal[:, 0]  # along the blade, which bends as it goes outwards
    across = 0.15 * normal[:, 1]
    angle = blade + 0.6 * (radius - 1.5) + across / radius.clamp(min=0.3)
    return radius[:, None] * torch.stack([angle.cos(), angle.sin()], dim=-1)


_TOYS = {
    "two_moons": _two_moons,
    "checkerboard": _checkerboard,
    "eight_gaussians": _eight_gaussians,
    "spiral": _spiral,
    "pinwheel": _pinwheel,
}
