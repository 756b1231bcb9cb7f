"""Shuffled tiles, and the claim on them."""

import numpy as np
from onepaper.claims import ClaimContext

from dct_transformer.experiments.arrangement import distance_of_shuffled, shuffled


def test_tiles_change_places_only() -> None:
    pictures = np.random.default_rng(0).integers(0, 256, (3, 8, 8, 3), dtype=np.uint8)
    moved = shuffled(pictures, np.random.default_rng(1))
    assert moved.shape == pictures.shape
    for before, after in zip(pictures, moved, strict=True):
        tiles = [
            {part[r : r + 2, c : c + 2].tobytes() for r in (0, 2, 4, 6) for c in (0, 2, 4, 6)}
            for part in (before, after)
        ]
        assert tiles[0] == tiles[1]
        assert not np.array_equal(before, after)


def test_the_claim() -> None:
    found = distance_of_shuffled(ClaimContext(seeds=(0,)))
    spatial, pooled = (found.measurement(f"factor of the {name} distance").mean for name in ("spatial", "pooled"))
    assert spatial > 2 * pooled > 2
