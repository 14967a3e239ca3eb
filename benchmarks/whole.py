"""The data of every benchmark: the whole of MNIST, or none."""

from fmcore.data import ImageData, load_images


def whole_mnist(split: str = "train") -> ImageData:
    """All images of the split; ends the program, saying why, where only a part can be had."""
    data = load_images("mnist", split=split)
    if not data.complete:
        raise SystemExit(f"a benchmark needs the whole of MNIST. {data.source}")
    return data
