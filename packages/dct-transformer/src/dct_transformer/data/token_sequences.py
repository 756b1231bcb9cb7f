"""Pictures as sequences of tokens other than triples: pixels, and bytes of JPEG files."""

import io
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Int, UInt8
from onepaper.data import BatchSampler
from onepaper.errors import UsageError
from PIL import Image

from dct_transformer.config import CodecConfig, DataConfig
from dct_transformer.data.images import Images, augment
from dct_transformer.data.jpeg_files import read_jpeg_bytes
from dct_transformer.representation.codec import decode, encode
from dct_transformer.representation.dct_image import to_pixels

_SCAN, _SCAN_HEADER, _END = b"\xff\xda", 14, b"\xff\xd9"
_PILLOW = {"4:4:4": 0, "4:2:2": 1, "4:2:0": 2}
Picture = UInt8[np.ndarray, "height width 3"]


class TokenBatch(NamedTuple):
    """A batch of sequences, padded to the longest one. B: batch, L: length."""

    tokens: Int[Any, "batch length"]
    counted: Bool[Any, "batch length"]


@runtime_checkable
class Tokenizer(Protocol):
    """A way to write pictures as tokens from 0 to `vocabulary` - 1."""

    vocabulary: int
    stop: int | None
    """the token that ends a sequence; None: all have `length`"""
    length: int
    """of a sequence; with a stop token the longest that is drawn"""

    def encode(self, picture: Picture) -> Int[np.ndarray, "length"]:
        """The tokens of a picture, with the stop token."""
        ...

    def decode(self, tokens: Int[np.ndarray, "length"]) -> Picture | None:
        """The picture of tokens; None if they are none."""
        ...


class PixelTokens:
    """Red, green and blue of each pixel of the coded picture, row by row.

    Args:
        height: of the pictures.
        width: of the pictures.
        codec: which coefficients the pictures keep.
    """

    def __init__(self, height: int, width: int, codec: CodecConfig) -> None:
        self.shape, self.codec = (height, width, 3), codec
        self.vocabulary, self.length = 256, 3 * height * width
        self.stop: int | None = None

    def encode(self, picture: Picture) -> Int[np.ndarray, "length"]:
        """As of `Tokenizer`."""
        return decode(encode(picture, self.codec), *self.shape[:2], self.codec).ravel().astype(np.int64)

    def decode(self, tokens: Int[np.ndarray, "length"]) -> Picture:
        """As of `Tokenizer`."""
        return tokens.reshape(self.shape).astype(np.uint8)


class JpegTokens:
    """The entropy-coded bytes of the JPEG file of a picture, without its header, which all pictures share.

    Pillow writes the files, whose coefficients are those of the codec but for a few of a thousand, which differ by 1.

    Args:
        height: of the pictures.
        width: of the pictures.
        codec: quality and subsampling, in blocks of 8.
    """

    def __init__(self, height: int, width: int, codec: CodecConfig) -> None:
        self.codec = codec
        grey = self._file(np.full((height, width, 3), 128, np.uint8))
        self._header = grey[: grey.index(_SCAN) + _SCAN_HEADER]
        self.vocabulary, self.length = 257, 3 * height * width
        self.stop: int | None = 256

    def _file(self, picture: Picture) -> bytes:
        content = io.BytesIO()
        subsampling = _PILLOW[self.codec.subsampling]
        Image.fromarray(picture).save(content, "JPEG", quality=self.codec.quality, subsampling=subsampling)
        return content.getvalue()

    def encode(self, picture: Picture) -> Int[np.ndarray, "length"]:
        """As of `Tokenizer`."""
        scan = self._file(picture)[len(self._header) : -len(_END)]
        return np.append(np.frombuffer(scan, np.uint8).astype(np.int64), self.vocabulary - 1)

    def decode(self, tokens: Int[np.ndarray, "length"]) -> Picture | None:
        """As of `Tokenizer`; a file that libjpeg refuses is no picture."""
        scan = bytes(int(token) for token in tokens if token != self.stop)
        try:
            return to_pixels(read_jpeg_bytes(self._header + scan + _END))
        except UsageError:
            return None


def pad(sequences: Iterable[Int[np.ndarray, "length"]]) -> TokenBatch:
    """Sequences of any lengths as one batch."""
    rows = list(sequences)
    tokens = np.zeros((len(rows), max(len(row) for row in rows)), np.int64)
    counted = np.zeros(tokens.shape, bool)
    for index, row in enumerate(rows):
        tokens[index, : len(row)], counted[index, : len(row)] = row, True
    return TokenBatch(tokens, counted)


def picture_batches(
    images: Images,
    data: DataConfig,
    size: tuple[int, int],
    batch_size: int,
    *,
    seed: int,
    rank: int = 0,
    world: int = 1,
) -> Callable[[int], Sequence[Picture]]:
    """Pictures with random changes, as a function of the step; the same for one process and several."""
    sampler = BatchSampler(len(images), batch_size, seed=seed, rank=rank, world=world)
    first = rank * (batch_size // world)

    def batch(step: int) -> list[Picture]:
        return [
            augment(images[int(index)], size, data, np.random.default_rng([seed, step, 0, first + row]))
            for row, index in enumerate(sampler(step))
        ]

    return batch
