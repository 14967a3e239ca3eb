"""A folder of pictures: which are taken, how, and what is said of the others."""

import numpy as np
import pytest
import torch
from PIL import Image
from small import config, unet

from fmcore.folders import load_folder
from fmcore.paths import OTPath
from fmcore.training import Checkpoints, train


def picture(seed=0, height=8, width=8, channels=3):
    sides = (height, width) if channels == 1 else (height, width, channels)
    pixels = np.random.default_rng(seed).integers(0, 256, sides, dtype=np.uint8)
    return Image.fromarray(pixels)


@pytest.fixture
def folder(tmp_path):
    """Three classes of two images each, with what systems leave behind."""
    for k, name in enumerate(("cats", "ants", "bees")):
        (tmp_path / name).mkdir()
        for j in range(2):
            picture(10 * k + j).save(tmp_path / name / f"{j}.png")
    (tmp_path / ".DS_Store").write_bytes(b"\0")
    (tmp_path / ".git").mkdir()
    (tmp_path / "__MACOSX").mkdir()
    (tmp_path / "bees" / "Thumbs.db").write_bytes(b"\0")
    (tmp_path / "bees" / "._0.png").write_bytes(b"\0")
    return tmp_path


def test_subfolders_are_classes_by_the_order_of_their_names(folder):
    data = load_folder(folder)
    assert data.classes == ("ants", "bees", "cats") and data.labels.tolist() == [0, 0, 1, 1, 2, 2]
    assert data.pixels.dtype == torch.uint8 and data.labels.dtype == torch.int64
    for image, seed in zip(data.pixels, (10, 11, 20, 21, 0, 1), strict=True):
        assert np.array_equal(image.permute(1, 2, 0).numpy(), np.asarray(picture(seed)))
    assert (data.name, data.source, len(data)) == (folder.name, str(folder), 6)


def test_without_subfolders_there_are_no_labels(tmp_path):
    for k, name in enumerate(("b.png", "a.jpg", "c.gif")):
        picture(k, 6, 10, 1).save(tmp_path / name)
    data = load_folder(tmp_path)
    assert data.labels is None and data.classes == ()
    assert data.pixels.shape[0] == 3 and data.pixels.shape[2:] == (6, 10)
    assert np.array_equal(data.pixels[1, 0], np.asarray(picture(0, 6, 10, 1)))  # "b.png"


def test_grey_stays_grey_until_there_is_a_colour(tmp_path):
    picture(0, channels=1).save(tmp_path / "0.png")
    picture(1, channels=1).convert("LA").save(tmp_path / "1.png")
    picture(2, channels=1).convert("1").save(tmp_path / "2.png")
    assert load_folder(tmp_path).pixels.shape == (3, 1, 8, 8)
    picture(3).save(tmp_path / "3.png")
    pixels = load_folder(tmp_path).pixels
    assert pixels.shape == (4, 3, 8, 8)
    assert (pixels[0] == pixels[0, :1]).all() and not (pixels[3] == pixels[3, :1]).all()
    assert set(pixels[2].unique().tolist()) == {0, 255}


def test_an_opaque_image_with_an_alpha_channel_and_one_with_a_palette(tmp_path):
    picture(0).convert("RGBA").save(tmp_path / "0.png")
    picture(1).convert("P", palette=Image.Palette.ADAPTIVE).save(tmp_path / "1.png")
    picture(2).convert("CMYK").save(tmp_path / "2.tiff")
    picture(3).convert("YCbCr").save(tmp_path / "3.tiff")
    pixels = load_folder(tmp_path).pixels
    assert pixels.shape == (4, 3, 8, 8)
    assert np.array_equal(pixels[0].permute(1, 2, 0), np.asarray(picture(0)))


def test_what_a_camera_says_is_up_is_up(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # rotate by 90 degrees to see it
    picture(0, 4, 8).save(tmp_path / "0.png", exif=exif)
    assert load_folder(tmp_path).pixels.shape == (1, 3, 8, 4)


def test_one_image_is_enough_for_batches_of_one(tmp_path):
    picture().save(tmp_path / "0.png")
    data, net = load_folder(tmp_path), unet(in_channels=3)
    with pytest.raises(ValueError, match="fewer samples than batch_size=8: 1"):
        train(net, OTPath(), data, config())
    model = train(net, OTPath(), data, config(batch_size=1))
    assert model.config["shape"] == [3, 8, 8]


def test_a_size_that_the_network_cannot_take(tmp_path):
    for k in range(8):
        picture(k, 8, 10).save(tmp_path / f"{k}.png")
    net, saved = unet(in_channels=3, levels=3), Checkpoints(tmp_path.parent / "runs", every=1)
    with pytest.raises(ValueError, match=r"H and W multiples of 4, got \(8, 3, 8, 10\)"):
        train(net, OTPath(), load_folder(tmp_path), config(), checkpoints=saved)
    assert saved.files() == []


def spoil(folder, how):
    if how == "empty":
        for each in [*folder.rglob("*.png"), *folder.rglob("*.db")]:
            each.unlink()
        for each in ("ants", "bees", "cats"):
            for file in (folder / each).iterdir():
                file.unlink()
            (folder / each).rmdir()
    elif how == "class of none":
        (folder / "ducks").mkdir()
        (folder / "ducks" / ".hidden.png").touch()
    elif how == "first class of none":
        (folder / "aardvarks").mkdir()
    elif how == "text":
        (folder / "bees" / "notes.txt").write_text("bees, in 2024")
    elif how == "beside":
        picture().save(folder / "0.png")
    elif how == "deeper":
        (folder / "cats" / "more").mkdir()
    elif how == "size":
        picture(0, 8, 9).save(folder / "cats" / "9.png")
    elif how == "truncated":
        whole = (folder / "cats" / "0.png").read_bytes()
        (folder / "cats" / "0.png").write_bytes(whole[: len(whole) // 2])
    elif how == "transparent":
        image = picture().convert("RGBA")
        image.putpixel((3, 3), (1, 2, 3, 254))
        image.save(folder / "cats" / "0.png")
    elif how == "clear":
        palette = picture().convert("P", palette=Image.Palette.ADAPTIVE)
        palette.save(folder / "cats" / "0.png", transparency=palette.getpixel((0, 0)))
    elif how == "deep":
        Image.fromarray(np.zeros((8, 8), np.uint16)).save(folder / "cats" / "0.png")


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("empty", "there is no image in "),
        ("class of none", "there is no image in .*ducks$"),
        ("first class of none", "there is no image in .*aardvarks$"),
        ("text", r"bees.notes.txt cannot be used as an image: cannot identify"),
        ("beside", "has classes as subfolders: move 0.png into one of them"),
        ("deeper", "cats.more cannot be used as an image"),
        ("size", r"one size: .*ants.0.png is 8x8 and .*cats.9.png is 9x8"),
        ("truncated", "cats.0.png cannot be used as an image"),
        ("transparent", "cats.0.png cannot be used .*: it is transparent in places"),
        ("clear", "cats.0.png cannot be used .*: it is transparent in places"),
        ("deep", "cats.0.png cannot be used .*: its mode is I;16, not one of 8 bits a channel"),
    ],
)
def test_what_is_no_folder_of_images(how, message, folder):
    spoil(folder, how)
    with pytest.raises(ValueError, match=message):
        load_folder(folder)


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(ValueError, match="there is no folder .*nowhere"):
        load_folder(tmp_path / "nowhere")


def test_a_trained_model_remembers_the_names_of_its_classes(folder):
    net, data = unet(in_channels=3, num_classes=3), load_folder(folder)
    model = train(net, OTPath(), data, config(steps=1, batch_size=6))
    about = model.config["about"]
    assert about["classes"] == ["ants", "bees", "cats"] and about["data"] == folder.name
