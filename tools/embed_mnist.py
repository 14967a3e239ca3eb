"""Write the part of MNIST that comes with the library: `python tools/embed_mnist.py`.

The first 500 training and the first 100 test images of each class, in the order of the files, dealt
out so that the k-th image shows the digit k % 10: any first part of them is balanced. One picture a
split, a hundred images a row. Needs the whole of MNIST.
"""

import torch
from PIL import Image

from fmcore.data import load_images
from fmcore.files import ASSETS
from fmcore.images import image_grid, to_unit

COLUMNS = 100

for split, count in (("train", 500), ("test", 100)):
    data = load_images("mnist", split=split)
    if not data.complete:
        raise SystemExit("the whole of MNIST is needed: " + data.source)
    of_each = [(data.labels == digit).nonzero()[:count, 0] for digit in range(10)]
    pixels = data.pixels[torch.stack(of_each, dim=1).flatten()]
    mosaic = image_grid(to_unit(pixels), COLUMNS, gap=0)[..., 0]
    file = ASSETS / f"mnist_{split}.png"
    Image.fromarray(mosaic.numpy()).save(file, optimize=True)
    print(f"{file.name}: {len(pixels):,} images, {file.stat().st_size:,} bytes")
