"""Quantities of the measurements on networks, by hand."""

import numpy as np

from dct_transformer.evaluation.heat_maps import detail_counts, heat_map
from dct_transformer.experiments.shipped import gradient_energy, rank_correlation
from dct_transformer.models.dct_transformer import DCTransformer
from dct_transformer.representation.triples import Triples


def test_counts_and_edges_of_a_picture(untrained: DCTransformer) -> None:
    triples = Triples(np.array([0, 1, 1, 2, 20]), np.array([3, 3, 5, 3, 2]), np.array([1, 1, 1, 1, 1]))
    counts = detail_counts(untrained.config, triples)
    assert counts[3] == 2
    assert counts.sum() == 3
    picture = np.full((16, 16, 3), 128, np.uint8)
    picture[1, 13] = 255  # within the block of position 3
    edges = gradient_energy(untrained, picture)
    assert edges.argmax() == 3
    assert heat_map(untrained.config, counts)[0, 15, 0] == 0
    assert rank_correlation([counts], [counts.astype(float)]) == 1


def test_correlation_is_within_pictures() -> None:
    """A picture with more detail everywhere does not count, and one without any is left out."""
    generator = np.random.default_rng(0)
    counts = [generator.permutation(16) + 100 * number for number in range(200)]
    edges = [generator.permutation(16) + 100.0 * number for number in range(200)]
    assert abs(rank_correlation(counts, edges)) < 0.06
    flat = np.zeros(16)
    assert rank_correlation([np.arange(16), flat], [np.arange(16)[::-1], flat]) == -1
