"""Lists are sorted as in the paper's figure, and are equivalent to dense coefficients."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onepaper.errors import UsageError

from dct_transformer.config import CHROMA_STEPS, CodecConfig
from dct_transformer.representation.dct_image import from_pixels
from dct_transformer.representation.triples import Layout, Triples, band_of, image_to_triples, pack, unpack

STEPS = ((1, 1), (2, 2), (2, 2))


def random_image(generator: np.random.Generator, height: int, width: int, config: CodecConfig):  # noqa: ANN201
    return from_pixels(generator.integers(0, 256, (height, width, 3), np.uint8), config)


@settings(max_examples=30, deadline=None)
@given(
    st.integers(1, 40),
    st.integers(1, 40),
    st.sampled_from([2, 3, 4, 8]),
    st.sampled_from(list(CHROMA_STEPS)),
    st.sampled_from(["bands", "channels", "blocks"]),
    st.integers(1, 100),
    st.integers(0, 1000),
)
def test_lists_and_images_are_equivalent(height, width, block, subsampling, order, quality, seed) -> None:  # noqa: ANN001
    config = CodecConfig(block=block, quality=quality, subsampling=subsampling, order=order)
    image = random_image(np.random.default_rng(seed), height, width, config)
    layout = Layout(height, width, block, image.steps, order)
    triples = layout.to_triples(image)
    assert triples.length == image.nonzero
    layout.check(triples)
    again = layout.to_image(triples, image.tables)
    for before, after in zip(image.planes, again.planes, strict=True):
        np.testing.assert_array_equal(before, after)
    if layout.num_positions < 65_536:
        for before, after in zip(triples, unpack(pack(triples)), strict=True):
            np.testing.assert_array_equal(before, after)


def test_order_of_the_papers_figure() -> None:
    # A naive sort: bands, in each Y, Cr, Cb, then channels, then positions.
    image = random_image(np.random.default_rng(0), 48, 48, CodecConfig())
    triples = image_to_triples(image)

    def key(channel: int, position: int) -> tuple[int, ...]:
        plane, index = divmod(channel, 64)
        band = 0 if index == 0 else 1 if index < 4 else 2 if index < 16 else 3
        return band, {0: 0, 2: 1, 1: 2}[plane], index, position

    keys = [key(int(c), int(p)) for c, p in zip(triples.channels, triples.positions, strict=True)]
    assert keys == sorted(keys)
    assert triples.channels[0] == 0
    # Chroma blocks stand at even rows and columns of the grid.
    chroma = triples.positions[triples.channels >= 64]
    assert not ((chroma // 6) % 2).any()
    assert not ((chroma % 6) % 2).any()


def test_other_orders() -> None:
    image = random_image(np.random.default_rng(0), 32, 32, CodecConfig())
    interleaved = image_to_triples(image, "channels")
    index = interleaved.channels % 64
    assert (np.diff(index) >= 0).all()
    blocks = image_to_triples(image, "blocks")
    assert (np.diff(blocks.positions) >= 0).all()


def test_bands() -> None:
    assert band_of(np.array([0, 1, 3, 4, 15, 16, 63, 64])).tolist() == [0, 1, 1, 2, 2, 3, 3, 4]


def triples(*rows: tuple[int, int, int]) -> Triples:
    return Triples(*np.array(rows, np.int32).reshape(-1, 3).T)


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([(0, 0, 1), (0, 0, 2)], "list each pair of channel and position once"),
        ([(0, 1, 1), (0, 0, 2)], "not after the one before it"),
        ([(0, 0, 0)], "zeros are not listed"),
        ([(192, 0, 1)], "channels are 192 to 192"),
        ([(0, -1, 1)], "positions are -1"),
        ([(64, 1, 1)], "no block at position 1"),
        ([(0, 0, 40_000)], "16-bit"),
    ],
)
def test_wrong_lists_are_refused(rows: list[tuple[int, int, int]], expected: str) -> None:
    with pytest.raises(UsageError, match=expected):
        Layout(32, 32, 8, STEPS).check(triples(*rows))


def test_an_empty_list_is_grey() -> None:
    from dct_transformer.representation.codec import decode

    empty = Triples(*(np.zeros(0, np.int32) for _ in range(3)))
    assert (decode(empty, 24, 24) == 128).all()


def test_values_that_do_not_fit_are_not_packed() -> None:
    with pytest.raises(UsageError, match="positions are 0 to 70000"):
        pack(triples((0, 0, 1), (0, 70_000, 1)))
    with pytest.raises(UsageError, match="expected uint16"):
        unpack(np.zeros((2, 3)))  # type: ignore[arg-type]
