"""Wavelet features against closed forms and a library."""

import numpy as np
import pytest
from onepaper.errors import UsageError

from dct_transformer.evaluation.haar import haar, haar_features
from dct_transformer.representation.transform import rgb_to_ycbcr


def test_differences_by_hand() -> None:
    means, sizes = haar(np.array([[1.0, 3.0], [7.0, 5.0]]))
    assert means.item() == 4
    assert sizes.ravel().tolist() == [2.0, 0.0, 1.0]
    ramp = np.tile(np.arange(8.0), (8, 1))
    _, sizes = haar(ramp)
    assert np.array_equal(sizes, np.stack([np.zeros((4, 4)), np.full((4, 4), 0.5), np.zeros((4, 4))]))


def test_features_of_one_colour() -> None:
    """Only the means of the planes are not zero, and the cells have them too."""
    picture = np.full((1, 16, 24, 3), (200, 30, 90), np.uint8)
    found = haar_features(picture)
    planes = [float(plane.mean()) for plane in rgb_to_ycbcr(picture[0])]
    assert found.pooled.shape == (1, 48)
    assert found.spatial.shape == (1, 192)
    np.testing.assert_allclose(found.pooled[0].reshape(3, 16)[:, 0], planes)
    assert np.abs(found.pooled[0].reshape(3, 16)[:, 1:]).max() == 0
    np.testing.assert_allclose(found.spatial[0].reshape(3, 4, 16)[:, 0], np.repeat(planes, 16).reshape(3, 16))


def test_shuffled_blocks_change_places_only() -> None:
    """Blocks of 8 pixels in another order: the pooled features are the same, the spatial ones are not."""
    generator = np.random.default_rng(0)
    picture = generator.integers(0, 256, (1, 16, 16, 3), dtype=np.uint8)
    moved = np.roll(picture, 8, axis=1)
    one, two = haar_features(picture), haar_features(moved)
    np.testing.assert_allclose(one.pooled, two.pooled)
    assert np.abs(one.spatial - two.spatial).max() > 1


def test_other_sizes_are_refused() -> None:
    with pytest.raises(UsageError, match="multiples of 8"):
        haar_features(np.zeros((1, 12, 16, 3), np.uint8))
