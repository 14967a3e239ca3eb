"""LeNet-5 and its statistics, and the script that asks Inception."""

import hashlib
import json
import subprocess
import sys
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from urllib.error import URLError

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file

from fmcore.data import load_images
from fmcore.images import to_unit
from fmcore.metrics import frechet_distance

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture
def lenet5(script):
    return script("lenet5")


def card(lenet5, name):
    with safe_open(lenet5.FOLDER / f"{name}.safetensors", framework="pt") as file:
        return json.loads(file.metadata()["fmcore"])


def mnist(split):
    data = load_images("mnist", split=split, download=False)
    if not data.complete:
        pytest.skip("not all of MNIST")
    return data


def draw(*shape, seed=0):
    g = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=g, dtype=torch.float64)


def measured():
    return json.loads((BENCHMARKS / "results" / "lenet.json").read_text())


# ---- the network


def test_lenet_reads_digits(lenet5):
    lenet, about = lenet5.load_lenet(), card(lenet5, "weights")
    assert not lenet.training and not any(p.requires_grad for p in lenet.parameters())
    assert sum(p.numel() for p in lenet.parameters()) == about["parameters"] == 61_706
    assert about["test_accuracy"] > 0.98
    test = mnist("test")
    with torch.no_grad():
        logits = torch.cat([lenet(to_unit(x)) for x in test.pixels.split(1000)])
    accuracy = (logits.argmax(1) == test.labels).double().mean().item()
    assert accuracy == pytest.approx(about["test_accuracy"], abs=2e-4)


def test_lenet_has_the_shapes_of_1998(lenet5):
    """Figure 2 of LeCun et al.: 6 maps of 28x28, halved, 16 of 10x10, halved, 120, 84, 10."""
    seen, x = [], torch.zeros(1, 1, 28, 28)
    for layer in lenet5.LeNet5().body:
        x = layer(x)
        seen.append(tuple(x.shape[1:]))
    expected = [(6, 28, 28), (6, 14, 14), (16, 10, 10), (16, 5, 5), (400,), (120,), (84,)]
    assert list(dict.fromkeys(seen)) == expected


def test_lenet_refuses_other_images(lenet5):
    with pytest.raises(ValueError, match=r"images must have shape \(B, 1, 28, 28\)"):
        lenet5.LeNet5()(torch.zeros(2, 784))


# ---- the statistics and the distance to them


def test_the_statistics_belong_to_the_weights(lenet5):
    digest = hashlib.sha256((lenet5.FOLDER / "weights.safetensors").read_bytes()).hexdigest()
    assert card(lenet5, "statistics")["weights_sha256"] == digest
    published = load_file(lenet5.FOLDER / "statistics.safetensors")
    for split, count in (("train", 60_000), ("test", 10_000)):
        mean, covariance = (published[f"{split}.{name}"] for name in ("mean", "covariance"))
        assert mean.shape == (84,) and covariance.shape == (84, 84)
        assert published[f"{split}.n"] == count and mean.dtype == covariance.dtype == torch.float64


@pytest.mark.parametrize("split", ["train", "test"])
def test_the_statistics_are_those_of_mnist(split, lenet5):
    pixels, published = mnist(split).pixels, load_file(lenet5.FOLDER / "statistics.safetensors")
    lenet = lenet5.load_lenet()
    with torch.no_grad():
        x = torch.cat([lenet.features(to_unit(part)) for part in pixels.split(1000)]).double()
    torch.testing.assert_close(published[f"{split}.mean"], x.mean(0), rtol=0, atol=1e-5)
    torch.testing.assert_close(published[f"{split}.covariance"], x.T.cov(), rtol=0, atol=1e-5)


def test_the_distance_is_that_of_the_features_of_bytes(lenet5):
    test, real = mnist("test"), to_unit(mnist("train").pixels[:500])
    soft = real + 0.4 / 255 * draw(*real.shape).sign().float()  # less than half a grey level
    lenet = lenet5.load_lenet()
    with torch.no_grad():
        x, y = (lenet.features(images) for images in (real, to_unit(test.pixels)))
    assert lenet5.lenet_distance(real) == pytest.approx(frechet_distance(x, y), rel=1e-4)
    assert (
        lenet5.lenet_distance(soft)
        == lenet5.lenet_distance(real)
        == lenet5.lenet_distance(real.double())
    )


def test_the_distance_knows_real_images(lenet5):
    rows = {row["what"]: row for row in measured()["rows"]}
    real, few = rows["training images"], rows["training images, a fifth as many"]
    train = mnist("train").pixels
    pixels = train[torch.linspace(0, len(train) - 1, few["n"]).round().long()]
    assert lenet5.lenet_distance(to_unit(pixels)) == pytest.approx(few["distance"], rel=1e-3)
    for what in ("uniform noise", "halves of two test images"):
        assert rows[what]["distance"] > 50 * real["distance"]


@pytest.mark.parametrize(
    ("images", "kind", "message"),
    [
        (torch.zeros(300, 784), ValueError, r"images must have shape \(B, 1, 28, 28\)"),
        (torch.zeros(199, 1, 28, 28), ValueError, "at least 200 images are needed, got 199"),
        (torch.full((200, 1, 28, 28), torch.inf), ValueError, "images must be finite"),
        (torch.full((200, 1, 28, 28), torch.nan), ValueError, "images must be finite"),
        (torch.zeros(200, 1, 28, 28, dtype=torch.uint8), TypeError, "floating dtype, got .*uint8"),
        ([[0.0]], TypeError, "floating dtype, got list"),
    ],
)
def test_images_without_a_distance(images, kind, message, lenet5):
    with pytest.raises(kind, match=message):
        lenet5.lenet_distance(images)


# ---- the script that asks Inception


@pytest.fixture
def inception(script):
    return script("inception")


class MeanGrey:
    """In place of the metric: the difference of the mean grey levels, and what was shown."""

    def __init__(self):
        self.real, self.fake, self.resets = [], [], 0

    def to(self, device):
        return self

    def update(self, imgs, real):
        assert imgs.dtype == torch.uint8 and imgs.shape[1:] == (3, 28, 28)
        assert (imgs == imgs[:, :1]).all()
        (self.real if real else self.fake).append(imgs.double())

    def compute(self):
        return (torch.cat(self.real).mean() - torch.cat(self.fake).mean()).abs()

    def reset(self):
        self.fake = []
        self.resets += 1


def test_inception_judges_what_it_is_to_judge(inception, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("FMCORE_DATA", "embedded")
    file, metric = tmp_path / "inception.json", MeanGrey()
    arguments = ["--n", "200", "--limit", "150", "--batch", "64", "--device", "cpu"]
    status = inception.main([*arguments, "--out", str(file)], lambda: (metric, {"judge": "1.0"}))
    assert status == 0 and sum(map(len, metric.real)) == 150 and metric.resets == 7
    results = json.loads(file.read_text())
    assert results["about"]["judge"] == "1.0" and results["about"]["test_images"] == 150
    rows = results["rows"]
    assert [row["what"] for row in rows] == [
        "training images",
        *(f"training images, noise {sigma}" for sigma in (0.02, 0.05, 0.1)),
        *["shipped network"] * 3,
    ]
    assert [row["seed"] for row in rows[4:]] == [0, 1, 2] and {row["n"] for row in rows} == {200}
    assert all((row["method"], row["steps"]) == ("midpoint", 5) for row in rows[4:])
    train, test = (load_images("mnist", split=s).pixels for s in ("train", "test"))
    floor = train[torch.linspace(0, len(train) - 1, 200).round().long()]
    expected = abs(test[:150].double().mean() - floor.double().mean())
    assert rows[0]["fid"] == pytest.approx(expected.item())
    assert len({row["fid"] for row in rows}) == 7 and max(row["fid"] for row in rows) < 10
    assert capsys.readouterr().out.count("shipped network") == 3


def test_inception_needs_all_of_mnist(inception, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("FMCORE_DATA", "embedded")
    file = tmp_path / "inception.json"
    assert inception.main(["--out", str(file)], lambda: (MeanGrey(), {})) == 2
    assert "All of MNIST is needed" in capsys.readouterr().err and not file.exists()


def test_inception_without_its_weights(inception, tmp_path, monkeypatch, capsys):
    """The packages are there, and their download fails."""

    def no_network(feature, reset_real_features):
        assert feature == 2048 and reset_real_features is False
        raise URLError("no route to host")

    for name in ("torchmetrics", "torchmetrics.image", "torchmetrics.image.fid", "torch_fidelity"):
        module = ModuleType(name)
        module.__spec__, module.FrechetInceptionDistance = ModuleSpec(name, None), no_network
        monkeypatch.setitem(sys.modules, name, module)
    file = tmp_path / "inception.json"
    assert inception.main(["--device", "cpu", "--out", str(file)]) == 2
    said = capsys.readouterr().err
    assert "weights of Inception could not be loaded" in said and "no route to host" in said
    assert inception.SOURCE in said and "checkpoints" in said and not file.exists()


@pytest.mark.parametrize("absent", [["torchmetrics"], ["torchmetrics", "torch_fidelity"]])
def test_inception_without_its_packages(inception, absent, monkeypatch, capsys):
    for name in ("torchmetrics", "torch_fidelity"):
        module = ModuleType(name)
        module.__spec__ = ModuleSpec(name, None)
        monkeypatch.setitem(sys.modules, name, None if name in absent else module)
    assert inception.main(["--device", "cpu"]) == 2
    names = " ".join(name.replace("_", "-") for name in absent)
    assert f"pip install {names}\n" in capsys.readouterr().err


def test_inception_ends_with_status_2_and_no_traceback():
    script = str(BENCHMARKS / "inception.py")
    code = (
        "import runpy, sys; sys.modules['torchmetrics'] = None; "
        f"sys.path.insert(0, {str(BENCHMARKS)!r}); sys.argv = [{script!r}]; "
        f"runpy.run_path({script!r}, run_name='__main__')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 2 and "Traceback" not in done.stderr
    assert done.stderr.startswith("No Inception FID here: not installed: torchmetrics")
