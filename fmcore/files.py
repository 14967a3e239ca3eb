"""Files that are there whole or not at all, in places that were tried before the work."""

from __future__ import annotations

import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

ASSETS = Path(__file__).parent / "assets"
"""What is shipped with the library and is not code: weights, their cards, pictures."""


@contextmanager
def replacing(file: Path) -> Generator[BinaryIO]:
    """A stream whose bytes get the name `file` once they are on the disk, in place of an old file.

    They are first written to a file called `file` + ".partial", which is all that a process killed
    in between leaves behind. After an error not even that is left.
    """
    partial = _partial(file)
    try:
        with open(partial, "wb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())  # on the disk before it gets its name
        os.replace(partial, file)
    except (Exception, KeyboardInterrupt):
        partial.unlink(missing_ok=True)
        raise
    if os.name == "posix":  # the name as well; Windows has no way to ask for that
        descriptor = os.open(file.parent, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def writable(file: str | Path) -> Path:
    """`file` as a `Path`, if a file can be written there; `ValueError` says why not.

    Meant for the start of long work, whose result would otherwise be lost at the end.
    """
    file = Path(file).expanduser()
    try:
        if file.is_dir():
            raise ValueError(f"cannot write {file}: it is a folder")
        if not file.parent.is_dir():
            raise ValueError(f"cannot write {file}: there is no folder {file.parent}")
        # Trying is the only honest test: permission bits do not bind root, nor a read-only disk,
        # and the name that is written first is a little longer.
        partial = _partial(file)
        left_over = partial.exists()
        with open(partial, "ab"):
            pass
        if not left_over:
            partial.unlink()
        if file.exists() and not os.access(file, os.W_OK):
            raise ValueError(f"cannot write {file}: the file is write-protected")
    except OSError as error:
        raise ValueError(f"cannot write {file}: {error.strerror}") from error
    return file


def _partial(file: Path) -> Path:
    return file.with_name(file.name + ".partial")
