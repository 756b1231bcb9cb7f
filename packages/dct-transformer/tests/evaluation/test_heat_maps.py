"""Heat maps of lists."""

from dataclasses import replace

import numpy as np

from dct_transformer.evaluation.heat_maps import detail_counts, heat_map
from dct_transformer.models.dct_transformer import DCTransformer
from dct_transformer.representation.triples import Triples


def test_counts_and_maps(untrained: DCTransformer) -> None:
    config = untrained.config
    triples = Triples(np.array([0, 1, 1, 2, 20]), np.array([3, 3, 5, 3, 2]), np.array([1, 1, 1, 1, 1]))
    counts = detail_counts(config, triples)
    assert counts.tolist() == [0, 0, 0, 2, 0, 1, *[0] * 10]
    shown = heat_map(config, counts)
    assert shown.shape == (16, 16, 3)
    assert (shown[0, 15, 0], shown[4, 4, 0], shown[15, 0, 0]) == (0, 128, 255)
    odd = heat_map(replace(config, width=14), counts)
    assert odd.shape == (16, 14, 3)
