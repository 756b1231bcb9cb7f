"""Chunks cover a list once, and the encoder sees what is before."""

from dataclasses import replace

import numpy as np
import pytest
from networks import TINY

from dct_transformer.config import ChunkConfig
from dct_transformer.data.chunks import START_KEY, dense, make_chunks, number_of_chunks, start_probabilities
from dct_transformer.data.examples import image_example
from dct_transformer.representation.codec import layout_for


def test_chunks_cover_the_list_once(picture: np.ndarray) -> None:
    example = image_example(picture, 0, TINY)
    triples, layout = example.triples, layout_for(TINY)
    count = number_of_chunks(triples.length, TINY.chunk)
    batch = make_chunks([example] * count, range(count), TINY)
    counted = [array[batch.counted] for array in (batch.channels, batch.positions, batch.values)]
    stop = layout.num_channels
    assert counted[0].tolist() == [*triples.channels, stop]
    assert counted[1][:-1].tolist() == triples.positions.tolist()
    assert counted[2][:-1].tolist() == triples.values.tolist()
    for chunk in range(count):
        begin = 16 * chunk
        np.testing.assert_array_equal(batch.partial[chunk], dense(triples[:begin], layout))
        first = max(0, begin - 4)
        assert batch.start[chunk] == first
        shown = min(triples.length, begin + 16) - first
        assert batch.channels[chunk, :shown].tolist() == triples.channels[first : first + shown].tolist()
    keys = layout.keys(triples.channels, triples.positions)
    assert batch.partial_key.tolist() == [START_KEY, *keys[15::16]][:count]
    assert batch.first_key.tolist() == [START_KEY, *keys[11::16]][:count]


def test_a_list_of_whole_chunks_ends_in_a_chunk_of_its_own(picture: np.ndarray) -> None:
    example = image_example(picture, 0, TINY)
    example = example._replace(triples=example.triples[:32])
    assert number_of_chunks(32, TINY.chunk) == 3
    batch = make_chunks([example], [2], TINY)
    assert batch.counted.sum() == 1
    assert batch.channels[0][batch.counted[0]] == layout_for(TINY).num_channels


def test_overlap_loss(picture: np.ndarray) -> None:
    config = replace(TINY, chunk=replace(TINY.chunk, overlap_loss=True))
    batch = make_chunks([image_example(picture, 0, config)], [1], config)
    assert batch.counted[0, :4].all()


def test_luma_is_given(picture: np.ndarray) -> None:
    config = replace(TINY, condition="luma")
    example = image_example(picture, 0, config)
    assert (example.triples.channels >= 16).all()
    assert (example.given.channels < 16).all()
    batch = make_chunks([example], [0], config)
    np.testing.assert_array_equal(batch.partial[0], dense(example.given, layout_for(config)))


def test_values_are_clipped(picture: np.ndarray) -> None:
    config = replace(TINY, value_limit=3)
    assert np.abs(image_example(picture, 0, config).triples.values).max() == 3


def test_start_probabilities_by_hand() -> None:
    cubic = start_probabilities(ChunkConfig(8, 0, horizon=4), 6)
    weights = np.array([1, 0.75**3, 0.5**3, 0.1, 0.1, 0.1])
    np.testing.assert_allclose(cubic, weights / weights.sum())
    np.testing.assert_allclose(start_probabilities(ChunkConfig(8, 0, "uniform"), 4), 0.25)
    np.testing.assert_allclose(start_probabilities(ChunkConfig(8, 0, "harmonic"), 2), [2 / 3, 1 / 3])
    assert start_probabilities(ChunkConfig(8, 0, floor=0.0, horizon=2), 5)[2:].sum() == pytest.approx(0)
