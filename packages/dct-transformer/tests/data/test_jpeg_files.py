"""Files of libjpeg of many kinds, read exactly; others are refused in one line."""

import io
from pathlib import Path

import numpy as np
import pytest
from onepaper.errors import UsageError
from PIL import Image

from dct_transformer.config import CodecConfig
from dct_transformer.data.images import photographs, resize
from dct_transformer.data.jpeg_files import (
    jpeg_bytes,
    read_frame,
    read_jpeg,
    read_jpeg_bytes,
    write_jpeg,
)
from dct_transformer.experiments.pillow_files import saved_by_pillow
from dct_transformer.representation.dct_image import DctImage, from_pixels

PIXELS = photographs()["coffee"]


def saved(size: tuple[int, int], mode: str = "RGB", **options: object) -> bytes:
    content = io.BytesIO()
    image = Image.fromarray(resize(PIXELS, size)).convert(mode)
    image.save(content, "JPEG", quality=75, **options)  # type: ignore[arg-type]
    return content.getvalue()


def assert_equal(first: DctImage, second: DctImage) -> None:
    assert (first.height, first.width, first.steps) == (second.height, second.width, second.steps)
    for before, after in zip((*first.planes, *first.tables), (*second.planes, *second.tables), strict=True):
        np.testing.assert_array_equal(before, after)


@pytest.mark.parametrize(
    ("size", "options", "luma", "chroma"),
    [
        ((600, 800), {"subsampling": 2}, (75, 100), (38, 50)),  # chroma blocks are rounded up
        ((177, 253), {"subsampling": 2, "progressive": True}, (23, 32), (12, 16)),
        ((177, 253), {"subsampling": 1, "progressive": True}, (23, 32), (23, 16)),
        ((40, 41), {"subsampling": 0}, (5, 6), (5, 6)),
        ((64, 64), {"subsampling": 2, "restart_marker_blocks": 2}, (8, 8), (4, 4)),
    ],
)
def test_kinds_of_files(size, options, luma, chroma) -> None:  # noqa: ANN001
    image = read_jpeg_bytes(saved(size, **options))
    assert image.planes[0].shape[:2] == luma
    assert image.planes[1].shape[:2] == image.planes[2].shape[:2] == chroma
    # The same pixels without progressive scans or restart markers have the same coefficients.
    plain = {key: value for key, value in options.items() if key == "subsampling"}
    assert_equal(image, read_jpeg_bytes(saved(size, **plain)))
    assert_equal(image, read_jpeg_bytes(jpeg_bytes(image)))


def test_grey_files_with_factors_of_two() -> None:
    content = saved((177, 253), mode="L")
    frame = content.find(b"\xff\xc0")
    changed = bytearray(content)
    assert changed[frame + 11] == 0x11
    changed[frame + 11] = 0x22
    assert_equal(read_jpeg_bytes(bytes(changed)), read_jpeg_bytes(content))
    assert read_jpeg_bytes(content).planes[0].shape == (23, 32, 64)


def decoded(content: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))


def test_written_files_decode_to_the_same_pixels(tmp_path: Path) -> None:
    config = CodecConfig(quality=75, subsampling="4:2:2")
    pixels = resize(PIXELS, (50, 70))
    image = from_pixels(pixels, config)
    again = read_jpeg(write_jpeg(tmp_path / "image.jpg", image))
    assert_equal(image, again)
    ours = decoded((tmp_path / "image.jpg").read_bytes()).astype(int)
    assert np.abs(ours - decoded(saved_by_pillow(pixels, config))).mean() < 0.5


def with_depth(content: bytes, depth: int) -> bytes:
    changed = bytearray(content)
    changed[content.find(b"\xff\xc0") + 4] = depth
    return bytes(changed)


def with_size(content: bytes, height: int, width: int) -> bytes:
    changed, place = bytearray(content), content.find(b"\xff\xc0") + 5
    changed[place : place + 4] = height.to_bytes(2) + width.to_bytes(2)
    return bytes(changed)


SMALL = saved((32, 32))


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "is not a JPEG file"),
        (b"\x89PNG\r\n\x1a\n", "is not a JPEG file"),
        (saved((32, 32), mode="CMYK"), "has CMYK"),
        (with_depth(SMALL, 12), "has 12 bits"),
        (SMALL.replace(b"\xff\xc0", b"\xff\xc9", 1), "arithmetic-coded"),
        (SMALL.replace(b"\xff\xc0", b"\xff\xc3", 1), "lossless"),
        (SMALL[: len(SMALL) // 2], "truncated"),
        (SMALL[:100], "truncated|damaged"),
        (with_size(SMALL, 65_000, 65_000), "declares 65,000 x 65,000"),
        (with_size(SMALL, 0, 32), "declares 32 x 0"),
        (saved((32, 32), keep_rgb=True), "stores RGB"),
    ],
)
def test_other_files_are_refused(content: bytes, expected: str) -> None:
    with pytest.raises(UsageError, match=expected) as error:
        read_jpeg_bytes(content, "photo.jpg")
    assert "\n" not in str(error.value)


def test_missing_files_and_other_blocks(tmp_path: Path, picture: np.ndarray) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        read_jpeg(tmp_path / "nothing.jpg")
    with pytest.raises(UsageError, match="expected 8 x 8"):
        jpeg_bytes(from_pixels(picture, CodecConfig(block=4)))


def fuzz(count: int, seed: int) -> None:
    """Damaged files give an image whose shapes fit, or one line."""
    generator, lines = np.random.default_rng(seed), []
    kinds = [
        saved((24, 40)),
        saved((24, 40), progressive=True),
        saved((17, 9), mode="L"),
        saved((24, 40), subsampling=0),
    ]
    for _ in range(count):
        content = bytearray(kinds[generator.integers(len(kinds))])
        if generator.random() < 0.3:
            content = content[: generator.integers(len(content))]
        for _ in range(generator.integers(0, 6)):
            limit = min(len(content), 700) if generator.random() < 0.7 else len(content)
            if limit:
                content[generator.integers(limit)] = generator.integers(256)
        try:
            image = read_jpeg_bytes(bytes(content))
        except UsageError as error:
            lines.append(str(error))
        else:
            assert image.height * image.width <= 2**27
    assert lines
    assert not any("\n" in line for line in lines)


def test_damaged_files() -> None:
    fuzz(300, 0)


@pytest.mark.slow
def test_many_damaged_files() -> None:
    fuzz(10_000, 1)


def test_headers_with_fill_bytes() -> None:
    filled = SMALL[:2] + b"\xff\xff" + SMALL[2:]
    assert read_frame(filled, "photo.jpg") == read_frame(SMALL, "photo.jpg")
