"""Counts by hand, and probabilities that sum to 1."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
from networks import TINY

from dct_transformer.config import CodecConfig
from dct_transformer.data.examples import image_example
from dct_transformer.models import counts
from dct_transformer.models.counts import CountModel
from dct_transformer.representation.triples import Triples


@pytest.mark.parametrize("order", [1, 2])
def test_probabilities_of_all_lists_sum_to_one(order: int, monkeypatch: pytest.MonkeyPatch) -> None:
    config = replace(TINY, height=4, width=2, codec=CodecConfig(block=2, subsampling="4:4:4"), value_limit=1, scale=2)
    monkeypatch.setattr(counts, "listed_channels", lambda config: np.arange(12) < 2)
    lists = []
    for values in itertools.product((-1, 0, 1), repeat=4):
        rows = [(i // 2, i % 2, v) for i, v in enumerate(values) if v]
        lists.append(Triples(*np.array(rows, int).reshape(-1, 3).T))
    model = CountModel(config, order).fit(lists[:20])
    assert np.exp2(-model.likelihood(lists).bits).sum() == pytest.approx(1)


def test_counting_helps(picture: np.ndarray) -> None:
    triples = image_example(picture, 0, TINY).triples
    uniform, fitted = CountModel(TINY, 2), CountModel(TINY, 2).fit([triples])
    assert fitted.likelihood([triples]).bits < uniform.likelihood([triples]).bits
