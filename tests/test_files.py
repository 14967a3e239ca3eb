"""Files: whole or not at all, in places that can be written."""

import pytest

from fmcore.files import writable


def test_places_that_cannot_be_written(tmp_path):
    with pytest.raises(ValueError, match="there is no folder .*missing"):
        writable(tmp_path / "missing" / "w.safetensors")
    with pytest.raises(ValueError, match="it is a folder"):
        writable(tmp_path)
    with pytest.raises(ValueError, match="cannot write /proc/w"):
        writable("/proc/w.safetensors")
    file = tmp_path / "w.safetensors"
    assert writable(str(file)) == file and not file.exists()
