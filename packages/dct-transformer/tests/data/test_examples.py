"""Batches are a function of the step."""

from dataclasses import replace

import numpy as np
from networks import TINY

from dct_transformer.config import DataConfig
from dct_transformer.data.examples import chunk_batches, image_example, low_resolution
from dct_transformer.data.images import open_images
from dct_transformer.representation.codec import encode


def test_batches_are_a_function_of_the_step() -> None:
    images = open_images(DataConfig(), 16, 16)
    config = replace(TINY, classes=15)
    first, second = (chunk_batches(images, DataConfig(), config, 8, seed=1) for _ in range(2))
    for before, after in zip(first(5), second(5), strict=True):
        assert before is None or np.array_equal(before, after)
    assert not np.array_equal(first(5).channels, first(6).channels)
    labels = np.concatenate([first(step).labels for step in range(20)])
    assert 0.02 < (labels == 15).mean() < 0.25
    # Each of two processes has its part.
    parts = [chunk_batches(images, DataConfig(), config, 8, seed=1, rank=rank, world=2)(5) for rank in (0, 1)]
    assert [len(part.channels) for part in parts] == [4, 4]


def test_low_resolution_hints(picture: np.ndarray) -> None:
    config = replace(TINY, condition="low-resolution")
    example = image_example(picture, 0, config)
    assert example.hint is not None
    np.testing.assert_array_equal(example.hint.values, encode(low_resolution(picture, 4), config.codec).values)
    assert example.hint.length < example.triples.length
