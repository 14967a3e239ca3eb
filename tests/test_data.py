"""Data: where it is found, what is said when it is not, damage, and the toys."""

import gzip
import struct

import pytest
import torch

from fmcore import data
from fmcore.data import DataUnavailable, load_images, toy


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
        load_images("mnist", root=nowhere / "here")
    message = str(error.value)
    for part in ("here", "elsewhere", "cache", "failed", "FMCORE_DATA=FOLDER", "MNIST/raw"):
        assert part in message
    with pytest.raises(DataUnavailable, match="download=False"):
        load_images("mnist", download=False)


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
    try:
        test = load_images("mnist", split="test", download=False)
    except DataUnavailable:
        pytest.skip("MNIST is not on this machine")
    assert len(test) == 10_000 and test.labels[:5].tolist() == [7, 2, 1, 0, 4]
    counts = torch.tensor([980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009])
    assert torch.equal(test.labels.bincount(), counts)


def test_bundled_digits_need_nothing(nowhere):
    train, test = load_images("digits"), load_images("digits", split="test")
    assert (len(train), len(test)) == (1500, 297)
    assert train.pixels.shape == (1500, 1, 28, 28) and train.pixels.dtype == torch.uint8
    assert train.labels.unique().tolist() == list(range(10))
    assert train.pixels[:, :, :2].max() == 0 and train.pixels.max() == 255


@pytest.mark.parametrize(("name", "split"), [("cifar10", "train"), ("mnist", "validation")])
def test_unknown_names_list_the_known(name, split):
    with pytest.raises(
        ValueError,
        match="name must be one of .*'digits', got|split must be one of 'train', 'test', got",
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
