"""Files that are there whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


@contextmanager
def written_whole(file: Path) -> Iterator[BinaryIO]:
    """A stream whose bytes get the name `file` once they are on the disk, in place of an old file.

    They are first written to a file called `file` + ".partial", which is all that a process killed
    on the way leaves behind. After an error not even that is left.
    """
    partial = file.with_name(file.name + ".partial")
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
