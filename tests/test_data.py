"""Data: where it is found, what is said when it is not, damage, and the toys."""

import contextlib
import gzip
import hashlib
import http.server
import multiprocessing
import shutil
import socket
import struct
import threading
import time
from pathlib import Path

import filelock
import pytest
import torch

from fmcore import data
from fmcore.data import DataUnavailable, cache_folder, load_images, toy
from fmcore.images import to_unit
from fmcore.metrics import load_classifier


def write_kmnist(root, fill=7):
    """A whole KMNIST of our own: its checksums are unknown, so any content of the right size."""
    raw = root / "KMNIST" / "raw"
    raw.mkdir(parents=True)
    for prefix, n in (("train", 60_000), ("t10k", 10_000)):
        images = struct.pack(">4i", 2051, n, 28, 28) + bytes([fill]) * (n * 784)
        labels = struct.pack(">2i", 2049, n) + bytes(i % 10 for i in range(n))
        (raw / f"{prefix}-images-idx3-ubyte").write_bytes(images)
        (raw / f"{prefix}-labels-idx1-ubyte").write_bytes(labels)
    return raw


@pytest.fixture
def nowhere(tmp_path, monkeypatch):
    """A machine without data and without network."""
    monkeypatch.delenv("FMCORE_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))

    def refuse(*args, **kwargs):
        raise RuntimeError("no network")

    import torchvision.datasets.mnist as module

    monkeypatch.setattr(module, "download_and_extract_archive", refuse)
    return tmp_path


@pytest.fixture(scope="module")
def kmnist(tmp_path_factory):
    root = tmp_path_factory.mktemp("data")
    write_kmnist(root)
    return root


def test_root_comes_before_the_environment_and_that_before_the_cache(nowhere, monkeypatch, kmnist):
    assert load_images("kmnist", root=kmnist, split="test").source == str(kmnist)
    monkeypatch.setenv("FMCORE_DATA", str(kmnist))
    found = load_images("kmnist", split="test")
    assert found.source == str(kmnist) and len(found) == 10_000
    assert found.pixels.shape == (10_000, 1, 28, 28) and found.pixels.dtype == torch.uint8
    assert found.labels[:12].tolist() == [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1]
    (nowhere / "cache").mkdir()
    (nowhere / "cache" / "fmcore").symlink_to(kmnist)
    monkeypatch.delenv("FMCORE_DATA")
    assert load_images("kmnist", split="test").source == str(nowhere / "cache" / "fmcore")


def test_what_cannot_be_had_says_what_was_tried_and_what_to_do(nowhere, monkeypatch):
    monkeypatch.setenv("FMCORE_DATA", str(nowhere / "elsewhere"))
    with pytest.raises(DataUnavailable) as error:
        load_images("fashion_mnist", root=nowhere / "here")
    message = str(error.value)
    for part in ("here", "elsewhere", "cache", "failed", "FMCORE_DATA=FOLDER", "MNIST/raw"):
        assert part in message
    with pytest.raises(DataUnavailable, match="download=False"):
        load_images("kmnist", download=False)


@pytest.mark.parametrize("root", ["here", None])
def test_a_download_goes_into_the_folder_that_was_named_or_the_cache(
    root, nowhere, monkeypatch, kmnist
):
    """Never into that of FMCORE_DATA, which others may share."""

    def downloaded(root, download):
        shutil.copytree(kmnist, root)

    monkeypatch.setenv("FMCORE_DATA", str(nowhere / "elsewhere"))
    monkeypatch.setattr("torchvision.datasets.KMNIST", downloaded)
    found = load_images("kmnist", root=root and nowhere / root, split="test")
    place = nowhere / root if root else nowhere / "cache" / "fmcore"
    assert found.source == str(place) and not (nowhere / "elsewhere").exists()
    assert {file.name for file in place.iterdir()} <= {"KMNIST", ".KMNIST.lock"}


def test_a_folder_that_cannot_be_written_is_named(nowhere, monkeypatch):
    def denied(root, download):
        raise PermissionError("not yours")

    monkeypatch.setattr("torchvision.datasets.KMNIST", denied)
    with pytest.raises(DataUnavailable, match="downloading into .*here failed: not yours"):
        load_images("kmnist", root=nowhere / "here")


def served(tmp_path, kmnist):
    """A server of the four archives of KMNIST, and the text that makes torchvision ask it.

    It sends each in two halves, and no second half before `go` is set; `asked` grows by each name.
    """
    archives = {
        f"/{file.name}.gz": gzip.compress(file.read_bytes(), 1)
        for file in (kmnist / "KMNIST" / "raw").iterdir()
    }

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            content = archives[self.path]
            server.asked.append(self.path)
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            with contextlib.suppress(ConnectionError):
                self.wfile.write(content[: len(content) // 2])
                server.go.wait(60)
                self.wfile.write(content[len(content) // 2 :])

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.asked, server.go = [], threading.Event()
    md5 = [(name[1:], hashlib.md5(content).hexdigest()) for name, content in archives.items()]
    server.client = f"""
import torchvision
torchvision.datasets.KMNIST.mirrors = ["http://127.0.0.1:{server.server_address[1]}/"]
torchvision.datasets.KMNIST.resources = {md5}
"""
    return server


def test_one_process_downloads_while_the_others_wait(tmp_path, kmnist):
    """Also after the first was killed in the middle, and left its lock and half of its files."""
    server = served(tmp_path, kmnist)
    code = (
        server.client
        + f"""
from fmcore import load_images
assert len(load_images("kmnist", root={str(tmp_path / "new")!r}, split="test")) == 10_000
"""
    )
    forks = multiprocessing.get_context("forkserver")
    forks.set_forkserver_preload(["fmcore.data", "torchvision"])  # once, as it takes seconds
    first, *others = (forks.Process(target=exec, args=(code, {})) for _ in range(3))
    with server:
        threading.Thread(target=server.serve_forever).start()
        first.start()
        while len(server.asked) < 2:  # torchvision asks twice for each file
            assert first.exitcode is None
            time.sleep(0.05)
        first.kill()
        first.join()
        (left,) = (tmp_path / "new").rglob("*.gz")
        for file in (kmnist / "KMNIST" / "raw").iterdir():
            (left.parent / file.name).write_bytes(b"unpacked by half")
        server.asked.clear()
        for other in others:
            other.start()
        server.go.set()
        for other in others:
            other.join()
        server.shutdown()
    assert [other.exitcode for other in others] == [0, 0]
    assert len(server.asked) == 2 * 4, "more than one process has downloaded"
    assert {file.name for file in (tmp_path / "new").iterdir()} == {"KMNIST", ".KMNIST.lock"}


def test_who_waits_too_long_says_for_whom(nowhere, monkeypatch):
    """And does not go on with the embedded part, while its neighbours train on the whole."""
    monkeypatch.setattr(data, "_PATIENCE", 0.1)
    with filelock.FileLock(nowhere / ".MNIST.lock"):
        said = "mnist is being downloaded by another process, .*MNIST.lock for 0.1 s"
        with pytest.raises(TimeoutError, match=said):
            load_images("mnist", root=nowhere)


def test_a_server_that_falls_silent_is_given_up(tmp_path, monkeypatch, kmnist):
    server = served(tmp_path, kmnist)
    exec(server.client)
    monkeypatch.setattr(data, "_SILENCE", 0.2)
    with server:
        threading.Thread(target=server.serve_forever).start()
        with pytest.raises(DataUnavailable, match="downloading into .* failed: .*timed out"):
            load_images("kmnist", root=tmp_path / "new")
        server.go.set()
        server.shutdown()
    assert socket.getdefaulttimeout() is None
    assert [file.name for file in (tmp_path / "new").iterdir()] == [".KMNIST.lock"]


def test_a_folder_with_some_of_the_files_is_passed_over(nowhere, monkeypatch, kmnist):
    (nowhere / "KMNIST" / "raw").mkdir(parents=True)
    (nowhere / "KMNIST" / "raw" / "t10k-images-idx3-ubyte").touch()
    monkeypatch.setenv("FMCORE_DATA", str(kmnist))
    assert load_images("kmnist", root=nowhere, split="test").source == str(kmnist)


def test_the_home_folder_has_a_short_name_and_holds_the_cache(monkeypatch, kmnist):
    monkeypatch.setenv("HOME", str(kmnist))
    assert load_images("kmnist", root="~", split="test").source == str(kmnist)
    monkeypatch.setenv("XDG_CACHE_HOME", "")  # as good as not set
    assert cache_folder() == kmnist / ".cache" / "fmcore"


def test_mnist_is_there_always(nowhere, monkeypatch, recwarn):
    """Its embedded part says that it is one, and why; a folder that was named is missed aloud."""
    for place in ("", str(nowhere), "embedded"):
        monkeypatch.setenv("FMCORE_DATA", place)
        data = load_images("mnist", split="test")
        assert (len(data), data.complete, data.name) == (1000, False, "mnist")
        assert ("failed: no network" in data.source) == (place != "embedded")
        assert str(data) == "1,000 images of mnist, the part that comes with the library"
    assert not recwarn
    with pytest.warns(UserWarning, match="mnist was not found in .*a part of it serves"):
        assert not load_images("mnist", root=nowhere, download=False).complete


@pytest.mark.parametrize("how", [dict(root="embedded"), dict(root=Path("embedded")), dict()])
def test_only_the_embedded_part(how, monkeypatch, recwarn):
    """Asked for by name it is taken even where the whole set lies, and it is no other set's."""
    if not how:
        monkeypatch.setenv("FMCORE_DATA", "embedded")
    assert len(load_images("mnist", **how)) == 5000 and not recwarn
    with pytest.raises(DataUnavailable, match="kmnist: only the part .* only mnist has one"):
        load_images("kmnist", **how)


def test_a_folder_that_is_named_comes_before_the_wish_for_the_embedded_part(monkeypatch, kmnist):
    monkeypatch.setenv("FMCORE_DATA", "embedded")
    assert load_images("kmnist", root=kmnist, split="test").complete
    with pytest.raises(DataUnavailable, match=r"not found in \S+ \(root=\), \S+ \(cache\);"):
        load_images("kmnist", root=kmnist / "elsewhere", download=False)  # no folder "embedded"


@pytest.mark.parametrize("name", ["train-images-idx3-ubyte", "train-labels-idx1-ubyte"])
def test_a_truncated_file_is_named(nowhere, name):
    file = write_kmnist(nowhere) / name
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(ValueError, match=f"{name} is damaged: it has .* bytes instead of"):
        load_images("kmnist", root=nowhere)


def test_a_changed_byte_is_recognised_by_the_checksum(nowhere):
    write_kmnist(nowhere).parent.rename(nowhere / "MNIST")  # the right sizes, not the digits
    with pytest.raises(ValueError, match="train-images-idx3-ubyte is damaged: its MD5 is"):
        load_images("mnist", root=nowhere)


def test_without_a_known_checksum_the_archive_beside_it_decides(nowhere):
    file = write_kmnist(nowhere) / "t10k-images-idx3-ubyte"
    archive = file.with_name(file.name + ".gz")
    archive.write_bytes(gzip.compress(file.read_bytes(), 1))
    assert len(load_images("kmnist", root=nowhere, split="test")) == 10_000
    changed = bytearray(file.read_bytes())
    changed[5000] ^= 1
    file.write_bytes(changed)
    with pytest.raises(ValueError, match="its content differs from t10k-images-idx3-ubyte.gz"):
        load_images("kmnist", root=nowhere, split="test")
    archive.write_bytes(archive.read_bytes()[:-9])
    with pytest.raises(ValueError, match="cannot be read"):
        load_images("kmnist", root=nowhere, split="test")


def test_real_mnist_when_it_is_here():
    test = load_images("mnist", split="test", download=False)
    if not test.complete:
        pytest.skip("MNIST is not on this machine")
    assert len(test) == 10_000 and test.labels[:5].tolist() == [7, 2, 1, 0, 4]
    counts = torch.tensor([980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009])
    assert torch.equal(test.labels.bincount(), counts)


@pytest.mark.parametrize(("split", "count"), [("train", 500), ("test", 100)])
def test_the_embedded_part_is_the_first_of_each_class(split, count):
    """Dealt out 0 to 9, 0 to 9, so that any first part of it is balanced."""
    part = load_images("mnist", split=split, root="embedded")
    assert part.labels.equal(torch.arange(10).repeat(count)) and part.labels.dtype == torch.int64
    assert part.pixels.shape == (10 * count, 1, 28, 28) and part.pixels.dtype == torch.uint8
    whole = load_images("mnist", split=split, download=False)
    if not whole.complete:
        pytest.skip("MNIST is not on this machine")
    assert str(whole) == f"{len(whole):,} images of mnist"
    for digit in range(10):
        first = whole.pixels[whole.labels == digit][:count]
        assert part.pixels[digit::10].equal(first)


def test_the_embedded_part_reads_as_digits():
    """Labels and pixels belong together: the classifier, which has seen neither so, agrees."""
    part = load_images("mnist", split="test", root="embedded")
    with torch.no_grad():
        read = load_classifier()(to_unit(part.pixels)).argmax(1)
    assert (read == part.labels).double().mean() > 0.98


@pytest.mark.parametrize(("name", "split"), [("cifar10", "train"), ("mnist", "validation")])
def test_unknown_names_list_the_known(name, split):
    with pytest.raises(
        ValueError,
        match="name must be one of .*'kmnist', got|split must be one of 'train', 'test', got",
    ):
        load_images(name, split=split)


@pytest.mark.parametrize("name", sorted(data._TOYS))
def test_toys_repeat_and_fit_the_frame(name):
    g = [torch.Generator().manual_seed(s) for s in (0, 0, 1)]
    before = torch.random.get_rng_state()
    a, b, c = (toy(name, 5000, generator=gi) for gi in g)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert torch.equal(a, b) and not torch.equal(a, c)
    assert a.shape == (5000, 2) and a.dtype == torch.float32
    assert (a.abs() < 3).float().mean() > 0.995
    assert a.std(0).min() > 0.5


def test_toys_have_their_shapes():
    g = torch.Generator().manual_seed(0)
    board = toy("checkerboard", 20_000, generator=g)
    fields = ((board / 1.25 + 2).floor()).long()
    assert fields.min() == 0 and fields.max() == 3
    assert (fields.sum(-1) % 2 == 0).all()  # one colour only
    assert len(fields.unique(dim=0)) == 8
    ring = toy("eight_gaussians", 20_000, generator=g)
    angle = torch.atan2(ring[:, 1], ring[:, 0]) / (torch.pi / 4)
    assert angle.round().long().remainder(8).bincount().tolist() == pytest.approx(
        [2500] * 8, rel=0.1
    )
    assert abs(ring.norm(dim=-1).mean() - 2) < 0.05
    moons = toy("two_moons", 20_000, generator=g)
    assert moons.mean(0).abs().max() < 0.05  # turned by half a turn, one is the other


def test_bad_toys():
    g = torch.Generator()
    with pytest.raises(ValueError, match="name must be one of .*'two_moons'.*, got 'moons'"):
        toy("moons", 3, generator=g)
    with pytest.raises(TypeError, match="n must be a whole number of at least 0, got 2.5"):
        toy("spiral", 2.5, generator=g)
    with pytest.raises(TypeError, match="generator"):
        toy("spiral", 2, generator=None)
