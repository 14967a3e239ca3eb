"""Files: whole or not at all, in places that can be written."""

import os
import stat

import pytest

from fmcore.files import ASSETS, replacing, writable


def test_a_file_gets_its_name_when_it_is_whole(tmp_path):
    file, partial = tmp_path / "x.bin", tmp_path / "x.bin.partial"
    file.write_bytes(b"old")
    with replacing(file) as stream:
        stream.write(b"new")
        stream.flush()
        assert file.read_bytes() == b"old" and partial.read_bytes() == b"new"
    assert file.read_bytes() == b"new" and list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
@pytest.mark.parametrize("before", [b"old", None])
def test_after_an_error_everything_is_as_before(before, error, tmp_path):
    file = tmp_path / "x.bin"
    if before:
        file.write_bytes(before)
    with pytest.raises(error, match="stop"), replacing(file) as stream:  # noqa: PT012
        stream.write(b"half")
        raise error("stop")
    assert [f.read_bytes() for f in tmp_path.iterdir()] == ([before] if before else [])


def test_a_name_that_cannot_be_given_leaves_the_old_file(tmp_path, monkeypatch):
    def fail(*args):
        raise OSError("disk full")

    file = tmp_path / "x.bin"
    file.write_bytes(b"old")
    monkeypatch.setattr("fmcore.files.os.replace", fail)
    with pytest.raises(OSError, match="disk full"), replacing(file) as stream:
        stream.write(b"new")
    assert file.read_bytes() == b"old" and list(tmp_path.iterdir()) == [file]


def test_the_bytes_are_on_the_disk_before_they_get_their_name(tmp_path, monkeypatch):
    done, fsync, replace = [], os.fsync, os.replace

    def noted(descriptor):
        file = stat.S_ISREG(os.fstat(descriptor).st_mode)
        done.append(f"{os.fstat(descriptor).st_size} bytes" if file else "folder")
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", noted)
    monkeypatch.setattr(os, "replace", lambda *names: done.append("name") or replace(*names))
    with replacing(tmp_path / "x.bin") as stream:
        stream.write(b"new")
    assert done == ["3 bytes", "name"] + ["folder"] * (os.name == "posix")


@pytest.mark.skipif(not os.path.isdir("/dev/fd"), reason="open files are not listed here")
def test_nothing_stays_open(tmp_path):
    before = len(os.listdir("/dev/fd"))
    with replacing(tmp_path / "x.bin") as stream:
        stream.write(b"new")
    assert len(os.listdir("/dev/fd")) <= before


def test_places_that_cannot_be_written(tmp_path):
    with pytest.raises(ValueError, match="there is no folder .*missing"):
        writable(tmp_path / "missing" / "w.safetensors")
    with pytest.raises(ValueError, match="it is a folder"):
        writable(tmp_path)
    with pytest.raises(ValueError, match="cannot write /proc/w"):
        writable("/proc/w.safetensors")
    file = tmp_path / "w.safetensors"
    assert writable(str(file)) == file and not file.exists()


def test_a_file_that_is_there_is_left_as_it_is(tmp_path, monkeypatch):
    file = tmp_path / "w.safetensors"
    file.write_bytes(b"old")
    assert writable(file) == file and file.read_bytes() == b"old"
    monkeypatch.setattr(os, "access", lambda path, mode: mode != os.W_OK)
    with pytest.raises(ValueError, match="cannot write .*w.safetensors: the file is write-prot"):
        writable(file)
    assert list(tmp_path.iterdir()) == [file]


def test_what_another_process_is_writing_is_left_alone(tmp_path):
    file, partial = tmp_path / "x.bin", tmp_path / "x.bin.partial"
    partial.write_bytes(b"half")
    assert writable(file) == file and partial.read_bytes() == b"half"


def test_the_home_folder_has_a_short_name(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert writable("~/w.safetensors") == tmp_path / "w.safetensors"


def test_what_is_shipped_lies_beside_the_library():
    assert (ASSETS / "mnist.safetensors").is_file()
