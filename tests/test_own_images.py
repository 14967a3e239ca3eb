"""A folder of images on the command line, from training to a class; data sets by name."""

import struct

import numpy as np
import pytest
import torch
from PIL import Image

from fmcore import data
from fmcore.cli import main
from fmcore.weights import load_weights

NET = ["--base", "8", "--batch-size", "4", "--no-progress"]
SMALL = [*NET, "--steps", "2"]


def write(folder, size=(8, 8), classes=("ants", "bees", "cats")):
    """Four images a class, each of its own colour."""
    for k, name in enumerate(classes):
        (folder / name).mkdir(parents=True, exist_ok=True)
        for j in range(4):
            colour = (255 * (k == 0), 255 * (k == 1), 60 * j)
            Image.new("RGB", size, colour).save(folder / name / f"{j}.png")
    return folder


def refused(args, capsys):
    capsys.readouterr()
    with pytest.raises(SystemExit) as stop:
        main(args)
    assert stop.value.code == 2
    return capsys.readouterr().err


def test_a_folder_is_trained_on_and_a_class_is_drawn_by_its_name(tmp_path, capsys):
    folder, weights = write(tmp_path / "shapes"), str(tmp_path / "w.safetensors")
    main(["train", "--data", str(folder), "--classes", "--out", weights, *SMALL])
    assert "12 images of shapes; " in capsys.readouterr().out
    config = load_weights(weights).config
    assert config["shape"] == [3, 8, 8] and config["network"]["num_classes"] == 3
    assert config["about"]["classes"] == ["ants", "bees", "cats"]
    drawn = []
    for label in ("bees", "1", "cats", "all"):
        out = tmp_path / f"{label}.npy"
        main(["sample", "--weights", weights, "--n", "3", "--label", label, "--out", str(out)])
        drawn.append(np.load(out))
    assert np.array_equal(drawn[0], drawn[1]) and not np.array_equal(drawn[0], drawn[2])
    assert np.array_equal(drawn[3][1], drawn[0][1]) and drawn[0].shape == (3, 3, 8, 8)
    sample = ["sample", "--weights", weights, "--out", str(tmp_path / "x.png"), "--label", "dogs"]
    told = refused(sample, capsys)
    assert "label must be a whole number, ants, bees, cats or all, got 'dogs'" in told


def test_a_name_that_is_a_number_is_a_name(tmp_path):
    """Subfolders "1" and "2" are the classes 0 and 1."""
    folder, weights = write(tmp_path / "d", classes=("1", "2")), str(tmp_path / "w.safetensors")
    main(["train", "--data", str(folder), "--classes", "--out", weights, *SMALL])
    drawn = [tmp_path / "a.npy", tmp_path / "b.npy"]
    for out, label in zip(drawn, ("1", "0"), strict=True):
        main(["sample", "--weights", weights, "--n", "2", "--label", label, "--out", str(out)])
    assert np.array_equal(*map(np.load, drawn))


def test_a_finished_training_is_extended(tmp_path, capsys):
    """Two epochs after one are the two epochs at once."""
    folder, files = write(tmp_path / "shapes"), [tmp_path / f"{k}.safetensors" for k in range(3)]
    saved = ["--checkpoints", str(tmp_path / "run"), "--resume"]
    how = ["train", "--data", str(folder), "--lr", "1e-2", *NET]
    main([*how, "--epochs", "1", "--out", str(files[0]), *saved])
    main([*how, "--epochs", "2", "--out", str(files[1]), *saved])
    assert "step 6/6" in capsys.readouterr().out
    main([*how, "--epochs", "2", "--out", str(files[2])])
    extended, once = (list(load_weights(file).parameters()) for file in files[1:])
    assert all(map(torch.equal, extended, once))
    assert load_weights(files[1]).config["about"]["extended"] == [[3, 3]]
    told = refused([*how, "--epochs", "1", "--out", str(files[0]), *saved], capsys)
    assert "has done 6 steps, and 3 are asked for in all" in told


def test_what_is_refused_before_the_work(tmp_path, capsys):
    folder, flat, odd, empty = (tmp_path / name for name in ("shapes", "flat", "odd", "empty"))
    write(folder), write(odd, size=(8, 9)), flat.mkdir(), empty.mkdir()
    Image.new("L", (8, 8)).save(flat / "0.png")
    out = ["--out", str(tmp_path / "w.safetensors"), *SMALL]
    for given, message in (
        ([tmp_path / "nowhere"], "data must be one of mnist, fashion_mnist, kmnist or a folder"),
        ([flat, "--classes"], "--classes needs subfolders, and"),
        ([flat], "flat has fewer samples than batch_size=4: 1"),
        ([folder, "--root", str(tmp_path)], "--root is for a data set with a name"),
        ([odd], "multiples of 2, got (4, 3, 9, 8)"),
        ([empty], "there is no image in"),
    ):
        assert message in refused(["train", "--data", *map(str, given), *out], capsys)
    assert not (tmp_path / "w.safetensors").exists()


def test_a_data_set_by_name_comes_before_a_folder_of_that_name(tmp_path, capsys, monkeypatch):
    raw = tmp_path / "FashionMNIST" / "raw"
    raw.mkdir(parents=True)
    for prefix, n in (("train", 60_000), ("t10k", 10_000)):
        images = struct.pack(">4i", 2051, n, 28, 28) + bytes([7]) * (n * 784)
        (raw / f"{prefix}-images-idx3-ubyte").write_bytes(images)
        labels = struct.pack(">2i", 2049, n) + bytes(i % 10 for i in range(n))
        (raw / f"{prefix}-labels-idx1-ubyte").write_bytes(labels)
    monkeypatch.setitem(data._CHECKSUMS, "FashionMNIST", {})  # these are other images
    monkeypatch.chdir(write(tmp_path / "here"))
    write(tmp_path / "here" / "fashion_mnist")
    named = ["--data", "fashion_mnist", "--root", str(tmp_path), "--classes"]
    main(["train", *named, "--out", "w.safetensors", *SMALL])
    assert "60,000 images of fashion_mnist; " in capsys.readouterr().out
    assert load_weights("w.safetensors").config["network"]["num_classes"] == 10
