"""The coefficients of JPEG files, as stored: the bitstream is read and written by jpeglib, which wraps libjpeg.

Alternatives, measured on files of 256 x 256 to 800 x 600 pixels: jpegio 0.2.8 has no wheels for current Pythons and
takes 1 to 2 times as long; the wheel of torchjpeg 0.9.33 does not load with current PyTorch; jpeg2dct 0.2.4 returns
4:2:0 for every file, and no tables.
"""

import struct
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from onepaper.errors import UsageError
from onepaper.fingerprint.marks import unmeasured
from onepaper.runs import write_atomic
from PIL import Image

from dct_transformer.representation.dct_image import DctImage, block_grid
from dct_transformer.representation.transform import zigzag

MAX_PIXELS = 2**27
"""Larger files are refused before they are decoded."""

_START, _END, _SCAN = 0xD8, 0xD9, 0xDA
_BASELINE, _PROGRESSIVE = (0xC0, 0xC1), 0xC2
_ARITHMETIC = range(0xC9, 0xD0)
_FRAMES = tuple(code for code in range(0xC0, 0xD0) if code not in (0xC4, 0xC8, 0xCC))
_ADOBE = 0xEE
# A unit takes two bits at least in the first scan of any file, and progressive scans skip runs of units only later.
_UNITS_PER_BYTE = 8


class Frame(NamedTuple):
    """The header of a JPEG file."""

    height: int
    width: int
    factors: tuple[tuple[int, int], ...]
    """sampling factors of the components, vertically and horizontally"""
    transform: int | None
    """colour transform of Adobe's marker: 0 none, 1 YCbCr, 2 YCCK; None without the marker"""


def read_frame(content: bytes, name: str) -> Frame:
    """The header of a file, checked: 8 bits, Huffman coding, grey or YCbCr, and a plausible size.

    Args:
        content: of the file.
        name: for errors.

    Raises:
        UsageError: not JPEG, of a kind that has no such coefficients, truncated, or of a size that it cannot have.
    """
    if content[:2] != bytes((0xFF, _START)):
        raise UsageError(f"{name} is not a JPEG file; give one, or save the image as JPEG")
    frame, transform, place = None, None, 2
    while place + 4 <= len(content):
        if content[place] != 0xFF:
            raise UsageError(f"{name} is damaged: no marker at byte {place}; save the image again")
        code = content[place + 1]
        if code in (0x01, 0xFF) or 0xD0 <= code <= 0xD7:
            place += 1 if code == 0xFF else 2
            continue
        if code in (_SCAN, _END):
            break
        (size,) = struct.unpack_from(">H", content, place + 2)
        segment = content[place + 4 : place + 2 + size]
        if code in _ARITHMETIC and code != 0xCC:
            raise UsageError(f"{name} is arithmetic-coded; expected Huffman coding, save the image again as baseline")
        if code in _FRAMES:
            if code not in (*_BASELINE, _PROGRESSIVE):
                raise UsageError(f"{name} is lossless or hierarchical JPEG; expected baseline or progressive")
            frame = _frame(segment, name)
        if code == _ADOBE and segment[:5] == b"Adobe" and len(segment) >= 12:
            transform = segment[11]
        place += 2 + size
    if frame is None:
        raise UsageError(f"{name} is truncated: it has no frame; save the image again")
    if content.rfind(bytes((0xFF, _END)), place) < 0:
        raise UsageError(f"{name} is truncated: it has no end; save the image again")
    if len(frame.factors) == 3 and transform == 0:
        raise UsageError(f"{name} stores RGB; expected YCbCr or grey, save the image again")
    tall, wide = (max(factor[axis] for factor in frame.factors) for axis in (0, 1))
    blocks = -(-frame.height // (8 * tall)) * -(-frame.width // (8 * wide))
    if blocks > _UNITS_PER_BYTE * len(content) or frame.height * frame.width > MAX_PIXELS:
        raise UsageError(
            f"{name} declares {frame.width:,} x {frame.height:,} pixels in {len(content):,} bytes; refused as damaged "
            f"or larger than {MAX_PIXELS:,} pixels"
        )
    return frame._replace(transform=transform)


def _frame(segment: bytes, name: str) -> Frame:
    if len(segment) < 6 or len(segment) != 6 + 3 * segment[5]:
        raise UsageError(f"{name} is damaged: its frame header has {len(segment)} bytes; save the image again")
    depth, height, width, components = struct.unpack_from(">BHHB", segment)
    if depth != 8:
        raise UsageError(f"{name} has {depth} bits a sample, expected 8; save the image with 8 bits")
    if components not in (1, 3):
        kind = "CMYK" if components == 4 else f"{components} components"
        raise UsageError(f"{name} has {kind}, expected grey or YCbCr; convert it to RGB and save it again")
    if not height or not width:
        raise UsageError(f"{name} declares {width} x {height} pixels; save the image again")
    factors = tuple((segment[7 + 3 * index] & 15, segment[7 + 3 * index] >> 4) for index in range(components))
    if any(not 1 <= factor <= 4 for pair in factors for factor in pair):
        raise UsageError(f"{name} is damaged: its sampling factors are {factors}; save the image again")
    return Frame(height, width, factors, None)


@unmeasured
def read_jpeg(path: Path) -> DctImage:
    """The quantised coefficients of a JPEG file, exactly as they are stored, without decoding pixels.

    Baseline and progressive files, grey or YCbCr with 4:4:4, 4:2:2, 4:2:0 or 4:1:1, any tables, restart markers. A grey
    file has one block a unit, whatever its sampling factors are. Blocks beyond the image that fill up the last units
    are in the file, and not in the result, as with libjpeg.

    Raises:
        UsageError: no such file, or one that has no such coefficients: truncated, damaged, arithmetic coding, 12 bits,
            CMYK, RGB, lossless, unusual subsampling, too large.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path} cannot be read ({error.strerror}); give the path of a JPEG file") from None
    return read_jpeg_bytes(content, str(path))


def read_jpeg_bytes(content: bytes, name: str = "the file") -> DctImage:
    """As `read_jpeg`, from the content of a file."""
    import jpeglib

    frame = read_frame(content, name)
    steps = _steps(frame, name)
    with tempfile.NamedTemporaryFile(suffix=".jpg") as file:
        file.write(content)
        file.flush()
        try:
            found: Any = jpeglib.read_dct(file.name)
            found.load()
        except Exception as error:  # libjpeg's errors arrive as RuntimeError, OSError or ValueError
            raise UsageError(f"{name} is damaged ({' '.join(str(error).split())}); save the image again") from None
    order = zigzag(8)
    planes, tables = [], []
    for index, component in enumerate((found.Y, found.Cb, found.Cr)[: len(steps)]):
        grid = block_grid(frame.height, frame.width, 8, steps[index])
        table = np.asarray(found.qt).reshape(-1, 64)[int(found.quant_tbl_no[index])][order].astype(np.int32)
        if component is None or component.shape[:2] != grid or not table.all():
            raise UsageError(f"{name} is damaged: its tables or blocks do not fit its header; save the image again")
        planes.append(component.reshape(*grid, 64)[:, :, order].astype(np.int16))
        tables.append(table)
    return DctImage(frame.height, frame.width, tuple(planes), tuple(tables), steps)


def _steps(frame: Frame, name: str) -> tuple[tuple[int, int], ...]:
    """Luma blocks for one block of each component."""
    if len(frame.factors) == 1:
        return ((1, 1),)
    largest = [max(factor[axis] for factor in frame.factors) for axis in (0, 1)]
    luma, *chroma = frame.factors
    fits = list(luma) == largest and all(
        big % small == 0 for pair in chroma for big, small in zip(largest, pair, strict=True)
    )
    if not fits or len(set(chroma)) > 1:
        raise UsageError(
            f"{name} has the sampling factors {frame.factors}, expected luma at full resolution and equal chroma "
            "planes; save the image again with 4:2:0"
        )
    return ((1, 1), *((largest[0] // tall, largest[1] // wide) for tall, wide in chroma))


def write_jpeg(path: Path, image: DctImage) -> Path:
    """Write coefficients with 8 x 8 blocks as a JPEG file, exactly.

    Raises:
        UsageError: blocks of another size.
    """
    write_atomic(path, jpeg_bytes(image))
    return path


def jpeg_bytes(image: DctImage) -> bytes:
    """The content of the file that `write_jpeg` writes.

    Raises:
        UsageError: blocks of another size.
    """
    import jpeglib

    if image.block != 8:
        raise UsageError(f"blocks are {image.block} x {image.block}, expected 8 x 8, which JPEG files have")
    # A file of the same size and subsampling; then its coefficients and tables are replaced.
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "image.jpg"
        names = {(1, 1): 0, (1, 2): 1, (2, 2): 2}
        if image.steps[-1] not in names:
            raise UsageError(f"chroma has one block for {image.steps[-1]} of luma, expected 4:4:4, 4:2:2 or 4:2:0")
        blank = Image.new("L" if len(image.planes) == 1 else "RGB", (image.width, image.height))
        blank.save(path, "JPEG", subsampling=names[image.steps[-1]], qtables=_two_tables(image))
        target: Any = jpeglib.read_dct(str(path))
        target.load()
        raster = np.argsort(zigzag(8))
        for name, plane in zip(("Y", "Cb", "Cr"), image.planes, strict=False):
            setattr(target, name, np.ascontiguousarray(plane[:, :, raster].reshape(*plane.shape[:2], 8, 8)))
        target.write_dct(str(path))
        return path.read_bytes()


def _two_tables(image: DctImage) -> list[list[int]]:
    raster = np.argsort(zigzag(8))
    tables = [[int(step) for step in table[raster]] for table in image.tables]
    if len(tables) == 3 and tables[1] != tables[2]:
        raise UsageError(
            "Cb and Cr have different quantisation tables; give it one for both with `representation.codec.requantize`"
        )
    return tables[:2]
