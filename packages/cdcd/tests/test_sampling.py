"""Sampling with a network: batches, templates and what is refused."""

import numpy as np
import pytest
from flax import nnx
from onepaper.errors import UsageError

from cdcd.config import SamplingOptions
from cdcd.data.corpus import Corpus
from cdcd.models.denoiser import CategoricalDiffusion
from cdcd.sampling import Sampler

OPTIONS = SamplingOptions(steps=3)
GIVEN = np.random.default_rng(0).integers(0, 28, (5, 16)).astype(np.int32)
MASK = np.arange(16) >= np.arange(5)[:, None]


def test_batches_do_not_matter(untrained: CategoricalDiffusion) -> None:
    whole = Sampler(untrained, OPTIONS).sample(GIVEN, MASK, seed=1)
    parts = Sampler(untrained, OPTIONS, batch_size=2).sample(GIVEN, MASK, seed=1)
    np.testing.assert_array_equal(parts.tokens, whole.tokens)
    np.testing.assert_array_equal(parts.path, whole.path)
    np.testing.assert_array_equal(np.where(MASK, 0, whole.tokens), np.where(MASK, 0, GIVEN))
    assert whole.path.shape == (3, 5, 16)
    assert (np.asarray(Sampler(untrained, OPTIONS).sample(GIVEN, MASK, seed=2).tokens) != whole.tokens).any()


def test_templates(untrained: CategoricalDiffusion, letters: Corpus) -> None:
    texts = Sampler(untrained, OPTIONS).fill("The {3} of", letters.codec, 4)
    assert len(texts) == 4
    assert all(text.startswith("the") and text.endswith(" of") and len(text) == 9 for text in texts)


def test_wrong_inputs(untrained: CategoricalDiffusion) -> None:
    sampler = Sampler(untrained, OPTIONS)
    with pytest.raises(UsageError, match="expected sequences of 16"):
        sampler.sample(GIVEN[:, :8], MASK[:, :8])
    with pytest.raises(UsageError, match="sequence 1 has no position to sample"):
        sampler.sample(GIVEN, MASK & (np.arange(5) != 1)[:, None])
    with pytest.raises(UsageError, match="expected 0 to 27"):
        sampler.sample(GIVEN + 28, MASK)


def test_a_result_that_is_not_finite_names_its_step(untrained: CategoricalDiffusion) -> None:
    graph, state = nnx.split(untrained)
    model = nnx.merge(graph, state, copy=True)
    model.head.kernel[...] = model.head.kernel[...] * np.nan
    with pytest.raises(UsageError, match="not finite from step 0 on, at noise level 50"):
        Sampler(model, OPTIONS).sample(GIVEN, MASK)
