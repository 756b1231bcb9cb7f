"""Trainings read the coefficients in JPEG files, and decode no pixels."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from onepaper.errors import UsageError
from PIL import Image

from dct_transformer.config import CodecConfig, DataConfig, ModelConfig
from dct_transformer.data import stored_images
from dct_transformer.data.examples import centre_examples, chunk_batches
from dct_transformer.data.images import photographs, resize
from dct_transformer.data.jpeg_files import read_jpeg
from dct_transformer.data.stored_images import StoredImages, open_pictures
from dct_transformer.representation.dct_edits import crop
from dct_transformer.representation.triples import image_to_triples

MODEL = ModelConfig(height=32, width=32, codec=CodecConfig(quality=50), classes=2)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, photo in list(photographs().items())[:10]:
        path = tmp_path / ("land" if len(name) % 2 else "things") / f"{name}.jpg"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(resize(photo, (72, 88))).save(path, quality=50, subsampling=2)
    return tmp_path


def test_lists_are_those_of_the_files(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stored_images, "to_pixels", None)
    data = DataConfig("images", folder, stored=True)
    images = open_pictures(data, MODEL)
    assert isinstance(images, StoredImages)
    assert images.classes == ("land", "things")
    examples = centre_examples(images, MODEL)
    for path, example in zip(images.files, examples, strict=True):
        expected = image_to_triples(crop(read_jpeg(path), 16, 32, 32, 32))
        for one, two in zip(example.triples, expected, strict=True):
            np.testing.assert_array_equal(one, two)
    batches = chunk_batches(images.part(held_out=False), data, MODEL, 4, seed=0)
    first = batches(0)
    assert first.partial.shape == (4, 16, 192)
    np.testing.assert_array_equal(first.values, batches(0).values)
    # Two processes have the rows of one.
    halves = [chunk_batches(images.part(False), data, MODEL, 4, seed=0, rank=rank, world=2)(0) for rank in (0, 1)]
    np.testing.assert_array_equal(first.values, np.concatenate([half.values for half in halves]))


def test_pictures_are_of_the_same_part(folder: Path) -> None:
    images = open_pictures(DataConfig("images", folder, stored=True), MODEL)
    decoded = np.asarray(Image.open(images.files[0]).convert("RGB"))[16:48, 32:64].astype(int)
    assert np.abs(images[0] - decoded).mean() < 4  # Pillow interpolates chroma


def test_files_that_do_not_fit(folder: Path) -> None:
    data = DataConfig("images", folder, stored=True)
    cases = (
        (replace(MODEL, height=80), "expected 32 x 80 at least"),
        (replace(MODEL, codec=CodecConfig(subsampling="4:4:4")), "subsampling 4:2:0, the network 4:4:4"),
        (replace(MODEL, codec=CodecConfig(block=4)), "block is 4"),
        (replace(MODEL, condition="low-resolution"), "no low-resolution version"),
        (replace(MODEL, width=40), "no-data.flip"),
    )
    for config, expected in cases:
        with pytest.raises(UsageError, match=expected):
            open_pictures(data, config)
    with pytest.raises(UsageError, match="--data.stored"):
        DataConfig(stored=True)
    Image.new("RGB", (40, 40)).save(folder / "land" / "drawing.png")
    with pytest.raises(UsageError, match="drawing.png is not a JPEG file"):
        open_pictures(data, MODEL)
