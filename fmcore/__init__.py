"""fmcore: flow matching, small and exact.

Time runs from noise at t = 0 to data at t = 1. A velocity field is a callable `v(x, t)`.

>>> import torch, fmcore
>>> model = fmcore.load_pretrained("mnist")
>>> fmcore.generate(model, 4, steps=2, generator=torch.Generator().manual_seed(0)).shape
torch.Size([4, 1, 28, 28])

The public names are in `fmcore.flat`. They are loaded when the first of them is used, and torch
with them: until then an import takes no time, which the command line needs for its help.
"""

import sys
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path as _Path  # `Path` was the name of something else here
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fmcore.flat import *  # noqa: F403
    from fmcore.flat import metrics as metrics
    from fmcore.flat import winds as winds

__version__ = "0.1.0"

if find_spec("torch") is None:
    _NEEDED = "fmcore needs PyTorch, which is not installed: pip install torch"
    if _Path(sys.argv[0]).stem in ("fmcore", "-m"):  # the command, where a traceback says nothing
        sys.exit(_NEEDED)
    raise ModuleNotFoundError(_NEEDED, name="torch")


def __getattr__(name: str) -> Any:
    """A name that is not here yet: all of `fmcore.flat` are from now on."""
    if name.startswith("__") and name != "__all__":  # what Python asks of any module
        raise AttributeError(f"module 'fmcore' has no attribute {name!r}")
    flat = vars(import_module("fmcore.flat"))
    globals().update({key: flat[key] for key in flat if key == "__all__" or key[0] != "_"})
    if name not in globals():
        raise AttributeError(f"module 'fmcore' has no attribute {name!r}")
    return globals()[name]


def __dir__() -> list[str]:
    return sorted({*globals(), *__getattr__("__all__")})
