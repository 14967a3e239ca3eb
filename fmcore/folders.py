"""Images of one's own: a folder of pictures, and subfolders as classes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from fmcore.data import ImageData

__all__ = ["load_folder"]

_GREY = ("1", "L", "LA")
_MODES = (*_GREY, "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr")  # of 8 bits a channel
_OF_THE_SYSTEM = ("Thumbs.db", "desktop.ini", "__MACOSX")


def load_folder(folder: str | Path) -> ImageData:
    """The images in a folder; its subfolders, if it has any, are classes by the order of names.

    All images have one size. They are grey `(N, 1, H, W)` if each of them is, else RGB
    `(N, 3, H, W)`, and come in the order of their names. `labels` are the numbers of the subfolders
    and `classes` their names; without subfolders `labels` is None. Hidden files, and what a system
    leaves behind (Thumbs.db), are passed over. All of it is held in memory, as bytes: what is
    larger is for a `Dataset` of torch.

    Raises a `ValueError` that names the folder or the file: if there is no image, or none in one of
    the classes; if images lie beside the classes; if a file is not an image of 8 bits a channel, is
    damaged or transparent; and if two images differ in size.

    >>> import tempfile
    >>> from PIL import Image
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for name, colour in (("sea", "blue"), ("land", "green")):
    ...         (Path(folder) / name).mkdir()
    ...         Image.new("RGB", (32, 24), colour).save(Path(folder) / name / "1.png")
    ...     data = load_folder(folder)
    >>> data.pixels.shape, data.labels.tolist(), data.classes
    (torch.Size([2, 3, 24, 32]), [0, 1], ('land', 'sea'))
    """
    folder = Path(folder).expanduser()
    if not folder.is_dir():
        raise ValueError(f"there is no folder {folder}")
    inside = _seen(folder)
    classes = [each for each in inside if each.is_dir()]
    stray = [each.name for each in inside if not each.is_dir()]
    if classes and stray:
        raise ValueError(f"{folder} has classes as subfolders: move {stray[0]} into one of them")
    images: list[np.ndarray] = []
    labels: list[int] = []
    first = folder
    for label, place in enumerate(classes or [folder]):
        for file in _seen(place):
            image = _read(file)
            if not images:
                first = file
            elif image.shape[:2] != images[0].shape[:2]:
                raise ValueError(
                    f"images must have one size: {first} is {_size(images[0])} and {file} is "
                    f"{_size(image)}"
                )
            images.append(image)
            labels.append(label)
        if not labels or labels[-1] != label:
            raise ValueError(f"there is no image in {place}")
    channels = max(image.shape[2] for image in images)
    pixels = np.stack([np.broadcast_to(i, (*i.shape[:2], channels)) for i in images])
    return ImageData(
        torch.from_numpy(pixels).permute(0, 3, 1, 2).contiguous(),
        torch.tensor(labels) if classes else None,
        folder.resolve().name,
        str(folder),
        classes=tuple(each.name for each in classes),
    )


def _seen(folder: Path) -> list[Path]:
    """What is in a folder, by name, without what is hidden."""
    inside = (each for each in folder.iterdir() if each.name not in _OF_THE_SYSTEM)
    return sorted(each for each in inside if not each.name.startswith("."))


def _size(image: np.ndarray) -> str:
    return f"{image.shape[1]}x{image.shape[0]}"


def _read(file: Path) -> np.ndarray:
    """The bytes `(H, W, C)` of a picture: C is 1 if it is grey, else 3."""
    from PIL import Image, ImageOps  # comes with torchvision

    try:
        with Image.open(file) as opened:
            image: Any = ImageOps.exif_transpose(opened)  # a camera's note of what is up
            if image.mode not in _MODES:
                raise ValueError(f"its mode is {image.mode}, not one of 8 bits a channel")
            alpha = image.convert("RGBA").getchannel("A")  # also of a palette, or of one colour
            if alpha.getextrema()[0] < 255:
                raise ValueError("it is transparent in places")
            bytes_ = np.array(image.convert("L" if image.mode in _GREY else "RGB"))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise ValueError(f"{file} cannot be used as an image: {error}") from error
    return bytes_[:, :, None] if bytes_.ndim == 2 else bytes_
