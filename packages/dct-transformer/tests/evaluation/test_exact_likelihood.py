"""Likelihoods cover every triple, in whatever batches."""

import numpy as np
import pytest
import torch
from networks import TINY, random_network
from onepaper.errors import UsageError

from dct_transformer.data.examples import image_example
from dct_transformer.evaluation.exact_likelihood import all_chunks, likelihood
from dct_transformer.models.dct_transformer import DCTransformer


def test_batches_do_not_matter(untrained: DCTransformer, picture: np.ndarray) -> None:
    examples = [image_example(image, 0, TINY) for image in (picture, picture[::-1].copy(), picture[:, ::-1].copy())]
    first, second = (likelihood(untrained, examples, batch) for batch in (2, 100))
    np.testing.assert_allclose(first.bits, second.bits, rtol=1e-5)
    assert first.lengths.tolist() == [example.triples.length for example in examples]
    counted = sum(int(chunk.counted.sum()) for _, _, chunk in all_chunks(examples, TINY))
    assert counted == first.lengths.sum() + len(examples)


def test_broken_networks_are_reported(picture: np.ndarray) -> None:
    model = random_network(TINY)
    with torch.no_grad():
        model.begin.fill_(torch.nan)
    with pytest.raises(UsageError, match="image 0 is not finite"):
        likelihood(model, [image_example(picture, 0, TINY)])
    with pytest.raises(UsageError, match="no images"):
        likelihood(model, [])
