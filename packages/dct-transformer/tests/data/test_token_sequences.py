"""Pictures as tokens, and back."""

import io

import numpy as np
import pytest
from PIL import Image

from dct_transformer.config import CodecConfig, DataConfig
from dct_transformer.data.images import open_images
from dct_transformer.data.token_sequences import JpegTokens, PixelTokens, pad, picture_batches
from dct_transformer.representation.codec import decode, encode
from dct_transformer.representation.dct_image import psnr


def test_pixels_are_those_of_the_coded_picture(picture: np.ndarray) -> None:
    tokenizer = PixelTokens(16, 16, CodecConfig())
    tokens = tokenizer.encode(picture)
    assert tokens.shape == (tokenizer.length,)
    coded = decode(encode(picture), 16, 16)
    assert tokens[:6].tolist() == [*coded[0, 0], *coded[0, 1]]
    np.testing.assert_array_equal(tokenizer.decode(tokens), coded)


@pytest.mark.parametrize("subsampling", ["4:4:4", "4:2:0"])
def test_bytes_are_those_of_the_file(picture: np.ndarray, subsampling: str) -> None:
    codec = CodecConfig(quality=70, subsampling=subsampling)  # type: ignore[arg-type]
    tokenizer = JpegTokens(16, 16, codec)
    tokens = tokenizer.encode(picture)
    assert tokens[-1] == tokenizer.stop
    content = io.BytesIO()
    Image.fromarray(picture).save(content, "JPEG", quality=70, subsampling=subsampling)
    assert bytes(tokens[:-1].astype(np.uint8)) + b"\xff\xd9" == content.getvalue()[-len(tokens) - 1 :]
    found = tokenizer.decode(tokens)
    assert found is not None
    assert psnr(found, decode(encode(picture, codec), 16, 16, codec)) > 40
    assert tokenizer.decode(np.array([0xFF, 0xC0, 0])) is None


def test_padding() -> None:
    batch = pad([np.array([5, 6]), np.array([7])])
    assert batch.tokens.tolist() == [[5, 6], [7, 0]]
    assert batch.counted.tolist() == [[True, True], [True, False]]


def test_processes_share_the_batches_of_one() -> None:
    images = open_images(DataConfig(), 16, 16)
    whole = picture_batches(images, DataConfig(), (16, 16), 4, seed=1)(3)
    halves = [picture_batches(images, DataConfig(), (16, 16), 4, seed=1, rank=rank, world=2)(3) for rank in (0, 1)]
    np.testing.assert_array_equal(np.stack(whole), np.concatenate(halves))
