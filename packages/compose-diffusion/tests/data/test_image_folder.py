from dataclasses import replace

import numpy as np
import pytest
from onepaper.errors import UsageError
from onepaper.testing.mutations import fuzz
from PIL import Image

from compose_diffusion.data.image_folder import open_image_folder


@pytest.fixture
def folder(tmp_path):
    """Three images which differ in the red channel: 0, 100, 200."""
    (tmp_path / "images" / "more").mkdir(parents=True)
    for index, name in enumerate(("a.png", "b.png", "more/c.png")):
        pixels = np.zeros((8, 12, 3), np.uint8)
        pixels[:, :, 0] = 100 * index
        Image.fromarray(pixels).save(tmp_path / "images" / name)
    return tmp_path


def labels(folder, text):
    (folder / "labels.csv").write_text(text)


def opened(folder, condition="none", **options):
    return open_image_folder("mine", condition, image_size=8, root=folder, **options)


def test_images_without_labels_in_order_of_their_names(folder):
    images = opened(folder)
    assert images.files == ("a.png", "b.png", "more/c.png")
    batch = images(np.array([2, 0]))
    assert batch.keys() == {"images"}
    assert batch["images"].shape == (2, 3, 8, 8)
    assert batch["images"].dtype == np.float32
    np.testing.assert_allclose(batch["images"][:, 0].mean((1, 2)), [200 / 127.5 - 1, -1])
    np.testing.assert_array_equal(batch["images"][:, 1:], -1)


def test_images_are_cropped_around_the_middle_and_scaled(folder):
    pixels = np.zeros((16, 32, 3), np.uint8)
    pixels[:, 8:24] = 255
    Image.fromarray(pixels).save(folder / "images" / "a.png")
    image = opened(folder)(np.array([0]))["images"][0]
    # Its middle 16 x 16 square is white; resampling rings a little, and blurs the outer pixels of the crop.
    np.testing.assert_allclose(image[:, :, 1:-1], 1, atol=0.02)
    assert image.min() > 0.5
    grey = opened(folder, image_channels=1)(np.array([0]))["images"]
    assert grey.shape == (1, 1, 8, 8)
    tall = np.zeros((30, 10, 3), np.uint8)
    Image.fromarray(tall).save(folder / "images" / "a.png")
    assert opened(folder)(np.array([0]))["images"].shape == (1, 3, 8, 8)


def test_classes(folder):
    labels(folder, "image,class\nmore/c.png,2\na.png,0\n")
    images = opened(folder, "class", num_classes=3)
    assert len(images) == 2
    batch = images(np.array([0, 1, 0]))
    assert batch["condition"].tolist() == [2, 0, 2]
    assert batch["condition"].dtype == np.int64
    assert batch["images"][0, 0].mean() > batch["images"][1, 0].mean()


def test_positions_of_several_objects_are_several_examples(folder):
    labels(folder, "image,x,y\na.png,0.25,0.5\na.png,0.75,1\nb.png,0,0\n")
    images = opened(folder, "position")
    assert images.files == ("a.png", "a.png", "b.png")
    np.testing.assert_allclose(images(np.array([1]))["condition"], [[0.75, 1.0]])


def test_arrays_of_texts_and_classes(folder):
    texts = np.random.default_rng(0).normal(size=(2, 4, 5)).astype(np.float16)
    np.savez(folder / "labels.npz", image=np.array(["b.png", "a.png"]), text=texts, **{"class": [1, 0]})
    images = opened(folder, "text", text_dim=5)
    np.testing.assert_array_equal(images(np.array([1]))["condition"], texts[1:].astype(np.float32))
    assert opened(folder, "class", num_classes=2)(np.array([0]))["condition"].tolist() == [1]


def test_data_variable_says_where(folder, monkeypatch):
    monkeypatch.setenv("ONEPAPER_DATA", str(folder.parent))
    assert len(open_image_folder(folder.name, "none", image_size=8)) == 3
    monkeypatch.delenv("ONEPAPER_DATA")
    with pytest.raises(UsageError, match="where is the dataset 'mine'"):
        open_image_folder("mine", "none", image_size=8)


@pytest.mark.parametrize(
    ("text", "condition", "message"),
    [
        (None, "class", "lacks labels.csv or labels.npz, expected the 'class' of every image"),
        (None, "text", "lacks labels.npz, expected the 'text'"),
        ("image,label\na.png,1\n", "class", "labels.csv lacks the column 'class', expected image,class"),
        ("image,x\na.png,1\n", "position", "labels.csv lacks the column 'y', expected image,x,y"),
        ("image,class\n", "class", "labels.csv lacks the column 'image'"),
        ("image,class\na.png,cat\n", "class", "has a 'class' that is no number .*cat"),
        ("image,class\na.png\n", "class", "has a 'class' that is no number"),
        ("image,class\na.png,3\n", "class", "has classes from 3 to 3, expected whole numbers from 0 to 2"),
        ("image,class\na.png,-1\n", "class", "has classes from -1 to -1"),
        ("image,x,y\na.png,10,20\n", "position", "has positions from 10 to 20, expected 0 to 1"),
        ("image,x,y\na.png,nan,0.5\n", "position", "has positions from nan"),
        ("image,class\nz.png,1\nb.png,1\ny.png,1\n", "class", "names 2 files that are not in .*images, first z.png"),
    ],
)
def test_labels_that_do_not_serve(text, condition, message, folder):
    if text is not None:
        labels(folder, text)
    with pytest.raises(UsageError, match=message):
        opened(folder, condition, num_classes=3, text_dim=5)


def test_arrays_that_do_not_serve(folder):
    np.savez(folder / "labels.npz", image=np.array(["a.png"]), text=np.zeros((1, 4, 6)))
    with pytest.raises(UsageError, match=r"has 'text' of shape \(1, 4, 6\) for 1 files, expected \[rows, tokens, 5\]"):
        opened(folder, "text", text_dim=5)
    with pytest.raises(UsageError, match="labels.npz lacks the array 'class'; it has image, text"):
        opened(folder, "class", num_classes=3)
    np.savez(folder / "labels.npz", image=np.array(["a.png"], dtype=object), text=np.zeros((1, 4, 5)))
    with pytest.raises(UsageError, match="labels.npz is damaged"):
        opened(folder, "text", text_dim=5)
    (folder / "labels.npz").unlink()
    (folder / "labels.csv").write_bytes(b"image,class\na.png,\xff\n")
    with pytest.raises(UsageError, match="labels.csv is not UTF-8 text"):
        opened(folder, "class", num_classes=3)


def test_folders_without_images(tmp_path):
    with pytest.raises(UsageError, match="lacks images"):
        opened(tmp_path)
    (tmp_path / "images").mkdir()
    with pytest.raises(UsageError, match="holds no images; expected files that end in .png"):
        opened(tmp_path)
    with pytest.raises(UsageError, match=r"image_channels is 2, expected 1 \(grey\) or 3"):
        opened(tmp_path, image_channels=2)


def test_images_that_cannot_be_decoded_are_found_before_a_training(folder, capsys):
    labels(folder, "image,class\na.png,0\nb.png,1\nmore/c.png,2\nb.png,0\n")
    (folder / "images" / "b.png").write_text("not a picture")
    with pytest.raises(UsageError, match="b.png is not a readable image"):
        opened(folder)
    kept = opened(folder, "class", num_classes=3, unreadable="skip")
    assert kept.files == ("a.png", "more/c.png")
    assert kept(np.array([0, 1]))["condition"].tolist() == [0, 2]
    assert "skipped: 1 of 3 files cannot be read" in capsys.readouterr().err
    with pytest.raises(UsageError, match="b.png is not a readable image"):
        replace(kept, files=("b.png",))(np.array([0]))


def test_depth_orientation_and_transparency(folder):
    ramp = (257 * np.arange(64).reshape(8, 8)).astype(np.uint16)
    Image.fromarray(ramp).save(folder / "images" / "a.png")
    grey = opened(folder, image_channels=1)(np.array([0]))["images"][0, 0]
    np.testing.assert_allclose(grey, np.arange(64).reshape(8, 8) / 127.5 - 1, atol=1e-6)
    turned = Image.Exif()
    turned[0x0112] = 6
    Image.fromarray((ramp // 257).astype(np.uint8)).save(folder / "images" / "a.png", exif=turned)
    grey = opened(folder, image_channels=1)(np.array([0]))["images"][0, 0]
    np.testing.assert_allclose(grey, np.rot90(np.arange(64).reshape(8, 8), -1) / 127.5 - 1, atol=1e-6)
    Image.fromarray(np.zeros((8, 8, 4), np.uint8)).save(folder / "images" / "a.png")
    np.testing.assert_array_equal(opened(folder)(np.array([0]))["images"], 1)  # white behind


@pytest.mark.parametrize("count", [150, pytest.param(10_000, marks=pytest.mark.slow)])
def test_damaged_labels(folder, count):
    valid = b"image,class\nb.png,0\nmore/c.png,1\n"
    fuzz(lambda _: opened(folder, "class", num_classes=3), folder / "labels.csv", [valid], count)
