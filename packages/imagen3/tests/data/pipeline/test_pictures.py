"""Quality by pictures that have one fault each, and metadata of generators."""

from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter, PngImagePlugin
from scipy import stats

from imagen3.config import FilterConfig
from imagen3.data.emoji import emoji_pictures
from imagen3.data.pipeline.pictures import entropy, grey, machine_made, quality, sharpness
from imagen3.data.pipeline.records import Record

GOOD = emoji_pictures()[0]


def record(pixels: np.ndarray | None, header: bytes = b"") -> Record:
    return Record(Path("x.png"), "x", pixels, header)


def blurred(pixels: np.ndarray) -> np.ndarray:
    return np.asarray(Image.fromarray(pixels).filter(ImageFilter.GaussianBlur(6)))


@pytest.mark.parametrize(
    ("pixels", "reason"),
    [
        (GOOD, ""),
        (None, "undecodable"),
        (GOOD[:40], "small"),
        (np.tile(GOOD, (5, 1, 1)), "narrow"),
        (GOOD // 40, "exposure"),
        (np.full_like(GOOD, 250), "empty"),
        (blurred(GOOD), "blurred"),
    ],
)
def test_faults(pixels: np.ndarray | None, reason: str) -> None:
    found = quality(record(pixels), FilterConfig())
    assert (found.reason, found.drop) == (reason, bool(reason))


def test_most_of_what_ships_is_kept() -> None:
    limits = FilterConfig()
    dropped = [quality(record(own), limits).drop for own in emoji_pictures()[::10]]
    assert np.mean(dropped) < 0.05
    assert all(quality(record(own), replace(limits, least_sharpness=1e9)).drop for own in emoji_pictures()[:5])


def test_values_by_other_means() -> None:
    values = grey(GOOD)
    counts = np.unique(values, return_counts=True)[1]
    assert entropy(values) == pytest.approx(stats.entropy(counts, base=2))
    board = np.indices((8, 8)).sum(0) % 2 * 255.0
    assert sharpness(board) > sharpness(np.tile(np.linspace(0, 255, 8), (8, 1)))
    assert grey(np.zeros((1000, 500, 3), np.uint8)).shape == (256, 128)


def test_metadata_of_generators() -> None:
    """Settings in a PNG file, a program in EXIF, a mark of IPTC; a camera's name is none of them."""

    def file(kind: str, **more: object) -> bytes:
        stream = BytesIO()
        Image.fromarray(GOOD).save(stream, kind, **more)
        return stream.getvalue()

    info = PngImagePlugin.PngInfo()
    info.add_text("parameters", "a cat\nNegative prompt: dog\nSteps: 20, CFG scale: 7")
    exif, camera = Image.Exif(), Image.Exif()
    exif[0x0131], camera[0x0131] = "Midjourney v6", "Adobe Lightroom 6.0"
    mark = b"<x:xmpmeta>http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia</x:xmpmeta>"
    for content, declared in (
        (file("PNG", pnginfo=info), True),
        (file("JPEG", exif=exif), True),
        (file("JPEG", xmp=mark), True),
        (file("JPEG", exif=camera), False),
        (file("PNG"), False),
    ):
        assert machine_made(record(GOOD, content)).drop == declared
