"""Files: whole or not at all, in places that were tried before the work."""

import pytest

from fmcore.files import writable
from fmcore.networks import MLP
from fmcore.paths import OTPath
from fmcore.weights import FlowModel, save_weights


def test_places_that_cannot_be_written(tmp_path):
    with pytest.raises(ValueError, match="there is no folder .*missing"):
        writable(tmp_path / "missing" / "w.safetensors")
    with pytest.raises(ValueError, match="it is a folder"):
        writable(tmp_path)
    with pytest.raises(ValueError, match="cannot write /proc/w"):
        writable("/proc/w.safetensors")
    file = tmp_path / "w.safetensors"
    assert writable(str(file)) == file and not file.exists()
    model = FlowModel(MLP(hidden=4), OTPath(), (2,))
    with pytest.raises(ValueError, match="no folder"):
        save_weights(model, tmp_path / "missing" / "w.safetensors")
