"""The oracle: files written byte by byte from arrays, so that no decoder is tested by its own encoder."""

import io
import re
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from onepaper.errors import UsageError
from onepaper.images import MAX_PIXELS, read_image

GENERATOR = np.random.default_rng(0)
GREY, COLOUR, PALETTE, GREY_ALPHA, COLOUR_ALPHA = 0, 2, 3, 4, 6


def chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def png(samples: np.ndarray, depth: int, kind: int, *more: bytes) -> bytes:
    """A PNG of samples [height, width, channels]; `more` are chunks before the pixels."""
    rows = samples.reshape(len(samples), -1)
    if depth == 16:
        packed = rows.astype(">u2").view(np.uint8).reshape(len(rows), -1)
    elif depth == 8:
        packed = rows.astype(np.uint8)
    else:
        bits = (rows[:, :, None] >> np.arange(depth)[::-1]) & 1
        packed = np.packbits(bits.reshape(len(rows), -1).astype(np.uint8), axis=1)
    header = struct.pack(">IIBBBBB", samples.shape[1], samples.shape[0], depth, kind, 0, 0, 0)
    content = b"".join(b"\0" + row.tobytes() for row in packed)
    ends = chunk(b"IDAT", zlib.compress(content)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + b"".join(more) + ends


def tiff(
    samples: np.ndarray, photometric: int, order: str = "<", sample_format: int = 1, orientation: int = 1
) -> bytes:
    """An uncompressed TIFF of samples [height, width, channels]."""
    height, width, channels = samples.shape
    pixels = samples.astype(samples.dtype.newbyteorder(order)).tobytes()
    depth = 8 * samples.dtype.itemsize
    tags = {
        256: width, 257: height, 258: depth, 259: 1, 262: photometric, 273: 8, 274: orientation, 277: channels,
        278: height, 279: len(pixels), 339: sample_format,
    }  # fmt: skip
    table = 8 + len(pixels)
    depths = struct.pack(f"{order}{channels}H", *[depth] * channels)
    after = table + 2 + 12 * len(tags) + 4
    entries = b""
    for tag, value in sorted(tags.items()):
        if tag == 258 and channels > 2:
            entries += struct.pack(f"{order}HHII", tag, 3, channels, after)
        else:
            entries += struct.pack(f"{order}HHII", tag, 4, 1, value)
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}I", table)
    return head + pixels + struct.pack(f"{order}H", len(tags)) + entries + bytes(4) + depths


def saved(tmp_path: Path, content: bytes, name: str = "image.png") -> Path:
    path = tmp_path / name
    path.write_bytes(content)
    return path


def noise(top: int, *shape: int) -> np.ndarray:
    return GENERATOR.integers(0, top + 1, shape)


def over(colour: np.ndarray, alpha: np.ndarray, background: float) -> np.ndarray:
    return colour * (alpha / 255.0) + background * (1 - alpha / 255.0)


@pytest.mark.parametrize("depth", [1, 2, 4, 8, 16])
def test_grey_of_every_depth(depth: int, tmp_path: Path) -> None:
    top = 2**depth - 1
    values = noise(top, 5, 7, 1)
    path = saved(tmp_path, png(values, depth, GREY))
    expected = np.round(values * 255 / top).astype(np.uint8)
    np.testing.assert_array_equal(read_image(path, channels=1), expected)
    np.testing.assert_array_equal(read_image(path), np.repeat(expected, 3, axis=2))
    assert read_image(path).dtype == np.uint8


def test_a_16_bit_ramp_is_its_8_bit_twin(tmp_path: Path) -> None:
    ramp = np.arange(256).reshape(16, 16, 1)
    for name, content in {
        "png": png(257 * ramp, 16, GREY),
        "little": tiff((257 * ramp).astype(np.uint16), 1),
        "big": tiff((257 * ramp).astype(np.uint16), 1, ">"),
        "inverted": tiff((65535 - 257 * ramp).astype(np.uint16), 0),
        "colour": png(np.repeat(257 * ramp, 3, axis=2), 16, COLOUR),
        "colour tiff": tiff(np.repeat(257 * ramp, 3, axis=2).astype(np.uint16), 2),
        "alpha": png(np.concatenate([257 * ramp, np.full_like(ramp, 65535)], axis=2), 16, GREY_ALPHA),
    }.items():
        np.testing.assert_array_equal(read_image(saved(tmp_path, content), channels=1), ramp, err_msg=name)


def test_colours(tmp_path: Path) -> None:
    values = noise(255, 6, 5, 3)
    for content in (png(values, 8, COLOUR), tiff(values.astype(np.uint8), 2)):
        path = saved(tmp_path, content)
        np.testing.assert_array_equal(read_image(path), values)
        luma = values @ [0.299, 0.587, 0.114]
        np.testing.assert_allclose(read_image(path, channels=1)[..., 0], luma, atol=0.51)
    inks = noise(255, 6, 5, 4).astype(np.uint8)
    found = read_image(saved(tmp_path, tiff(inks, 5)))
    expected = (255 - inks[..., :3].astype(float)) * (255 - inks[..., 3:]) / 255
    np.testing.assert_allclose(found, expected, atol=1)


@pytest.mark.parametrize("depth", [8, 16])
@pytest.mark.parametrize("background", [255, 0, 100])
def test_alpha_is_composited(depth: int, background: int, tmp_path: Path) -> None:
    scale = 1 if depth == 8 else 257
    for kind, channels in ((GREY_ALPHA, 1), (COLOUR_ALPHA, 3)):
        values = noise(255, 6, 5, channels + 1)
        found = read_image(saved(tmp_path, png(scale * values, depth, kind)), background=background)
        expected = np.broadcast_to(over(values[..., :-1], values[..., -1:], background), (6, 5, 3))
        np.testing.assert_allclose(found, expected, atol=1)


@pytest.mark.parametrize("depth", [1, 2, 4, 8])
def test_palettes_with_and_without_transparency(depth: int, tmp_path: Path) -> None:
    count = 2**depth
    palette, alpha, indices = noise(255, count, 3), noise(255, count), noise(count - 1, 6, 9, 1)
    colours = chunk(b"PLTE", palette.astype(np.uint8).tobytes())
    path = saved(tmp_path, png(indices, depth, PALETTE, colours))
    np.testing.assert_array_equal(read_image(path), palette[indices[..., 0]])
    transparency = chunk(b"tRNS", alpha.astype(np.uint8).tobytes())
    path = saved(tmp_path, png(indices, depth, PALETTE, colours, transparency))
    expected = over(palette[indices[..., 0]], alpha[indices], 255)
    np.testing.assert_allclose(read_image(path), expected, atol=1)


@pytest.mark.parametrize(("depth", "kind"), [(8, GREY), (16, GREY), (8, COLOUR)])
def test_one_value_may_be_transparent(depth: int, kind: int, tmp_path: Path) -> None:
    scale = 257 if depth == 16 else 1
    channels = 3 if kind == COLOUR else 1
    values = np.tile(noise(200, 1, 4, channels), (2, 1, 1))
    key = chunk(b"tRNS", (scale * values[0, 2]).astype(">u2").tobytes())
    found = read_image(saved(tmp_path, png(scale * values, depth, kind, key)), background=255)
    transparent = (values == values[0, 2]).all(axis=2, keepdims=True)
    np.testing.assert_array_equal(found, np.broadcast_to(np.where(transparent, 255, values), (2, 4, 3)))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation(orientation: int, tmp_path: Path) -> None:
    upright = noise(255, 4, 6, 3).astype(np.uint8)
    # TIFF 6.0, tag 274: where row 0 and column 0 of what is stored are to be seen.
    stored = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.transpose(1, 0, 2),
        6: np.rot90(upright, 1),
        7: upright[::-1, ::-1].transpose(1, 0, 2),
        8: np.rot90(upright, -1),
    }[orientation]
    exif = b"II*\0\x08\0\0\0" + struct.pack("<HHHIHH", 1, 274, 3, 1, orientation, 0) + bytes(4)
    path = saved(tmp_path, png(stored, 8, COLOUR, chunk(b"eXIf", exif)))
    np.testing.assert_array_equal(read_image(path), upright)
    path = saved(tmp_path, tiff(np.ascontiguousarray(stored), 2, orientation=orientation))
    np.testing.assert_array_equal(read_image(path), upright)
    content = io.BytesIO()
    Image.fromarray(np.repeat(np.repeat(stored, 16, axis=0), 16, axis=1)).save(
        content, "JPEG", quality=100, subsampling=0, exif=b"Exif\0\0" + exif
    )
    found = read_image(saved(tmp_path, content.getvalue()))[8::16, 8::16]
    np.testing.assert_allclose(found.astype(int), upright, atol=4)


def test_damaged_exif_is_no_orientation(tmp_path: Path) -> None:
    values = noise(255, 3, 4, 3)
    path = saved(tmp_path, png(values, 8, COLOUR, chunk(b"eXIf", b"nonsense")))
    np.testing.assert_array_equal(read_image(path), values)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF"])
def test_every_format_whatever_its_name(kind: str, tmp_path: Path) -> None:
    values = np.repeat(np.repeat(noise(255, 2, 2, 1), 16, axis=0), 16, axis=1).astype(np.uint8)
    content = io.BytesIO()
    Image.fromarray(values[..., 0]).save(content, kind, **({"lossless": True} if kind == "WEBP" else {}))
    found = read_image(saved(tmp_path, content.getvalue(), "image.dat"), channels=1)
    np.testing.assert_allclose(found.astype(int), values, atol=3 if kind == "JPEG" else 0)


def test_crops_at_the_centre_and_scales(tmp_path: Path) -> None:
    wide = np.zeros((8, 24, 3), np.uint8)
    wide[:, 8:16] = 200
    path = saved(tmp_path, png(wide, 8, COLOUR))
    np.testing.assert_array_equal(read_image(path, size=(8, 8)), wide[:, 8:16])
    flat = read_image(saved(tmp_path, png(np.full((30, 50, 3), 77), 8, COLOUR)), size=(7, 9))
    np.testing.assert_array_equal(flat, np.full((7, 9, 3), 77))
    # averages of blocks, which a linear ramp keeps wherever the filter is symmetric
    ramp = np.broadcast_to(np.arange(64)[:, None], (64, 64))[..., None]
    small = read_image(saved(tmp_path, png(ramp, 8, GREY)), channels=1, size=(16, 16))[4:12, :, 0]
    np.testing.assert_allclose(
        small, np.broadcast_to(ramp.reshape(16, 4, 64).mean((1, 2))[4:12, None], (8, 16)), atol=1
    )


GOOD = png(noise(255, 40, 40, 3), 8, COLOUR)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "none of PNG, JPEG"),
        (b"no picture", "none of PNG, JPEG"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(pwned) print\n", "none of PNG, JPEG"),
        (b"P5 2 2 255\n1234", "none of PNG, JPEG"),
        (GOOD[: len(GOOD) // 2], "is not a readable image"),
        (GOOD[:60] + b"\xff" + GOOD[61:], "is not a readable image"),
        (png(np.zeros((1, 0, 1)), 8, GREY), "is not a readable image|expected 1 to"),
        (
            tiff(noise(9, 2, 2, 1).astype(np.float32), 1, sample_format=3),
            "its values are floats without a defined range",
        ),
        (tiff(noise(9, 2, 2, 1).astype(np.int32), 1, sample_format=2), "its values are 32-bit or signed integers"),
        (tiff(noise(9, 2, 2, 1).astype(np.int16), 1, sample_format=2), "its values are 32-bit or signed integers"),
    ],
)
def test_what_is_no_image_is_one_line_with_its_name(content: bytes, message: str, tmp_path: Path) -> None:
    path = saved(tmp_path, content)
    with pytest.raises(UsageError, match=message) as caught:
        read_image(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("width", "height"), [(12_000, 12_000), (60_000, 60_000), (2**31 - 1, 2**31 - 1)])
def test_decompression_bombs_are_refused_before_decoding(width: int, height: int, tmp_path: Path) -> None:
    header = struct.pack(">IIBBBBB", width, height, 8, GREY, 0, 0, 0)
    content = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(10**5)))
    with pytest.raises(UsageError, match=re.escape(f"expected 1 to {MAX_PIXELS:,} pixels")):
        read_image(saved(tmp_path, content))


def test_paths_that_are_no_files(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none.png", Path("/dev/null")):
        with pytest.raises(UsageError, match=f"{path} is not a file"):
            read_image(path)


def damaged_images(count: int, seed: int) -> list[bytes]:
    """Images of several formats with some bytes changed, cut out or doubled."""
    generator = np.random.default_rng(seed)
    pixels = generator.integers(0, 256, (9, 11, 3)).astype(np.uint8)
    whole = [png(pixels, 8, COLOUR), png(257 * pixels[..., :1].astype(int), 16, GREY), tiff(pixels, 2)]
    for kind in ("JPEG", "WEBP", "BMP", "GIF", "TIFF"):
        content = io.BytesIO()
        Image.fromarray(pixels).save(content, kind, **({"compression": "tiff_lzw"} if kind == "TIFF" else {}))
        whole.append(content.getvalue())
    found = []
    for number in range(count):
        content = bytearray(whole[number % len(whole)])
        for _ in range(generator.integers(1, 4)):
            at = int(generator.integers(len(content) or 1))
            kind = generator.integers(3)
            if kind == 0 and content:
                content[at] = int(generator.integers(256))
            elif kind == 1:
                del content[at : at + int(generator.integers(1, 40))]
            else:
                content[at:at] = content[at : at + 8]
        found.append(bytes(content))
    return found


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("count", [400, pytest.param(10_000, marks=pytest.mark.slow)])
def test_damaged_files_are_images_or_one_line(count: int, tmp_path: Path) -> None:
    path = tmp_path / "image"
    for content in damaged_images(count, count):
        path.write_bytes(content)
        try:
            found = read_image(path, size=(4, 4))
        except UsageError as error:
            message = str(error)
        else:
            message = f"{path} {found.shape}"
            assert found.shape == (4, 4, 3)
        assert str(path) in message
        assert "\n" not in message
