"""Sampling with a network: batches, templates, warnings and what is refused."""

import logging
from dataclasses import replace

import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from onepaper.errors import UsageError

from sed.config import SamplingOptions
from sed.data.corpus import Corpus
from sed.models.denoiser import EmbeddingDiffusion
from sed.sampling import Sampler

OPTIONS = SamplingOptions(steps=3)
TOKENS = np.random.default_rng(0).integers(0, 2048, (5, 16)).astype(np.int32)
GIVEN = np.arange(16) < np.arange(5)[:, None]


def test_batches_do_not_matter(untrained: EmbeddingDiffusion) -> None:
    whole = Sampler(untrained, OPTIONS).sample(TOKENS, GIVEN, seed=1, keep_path=True)
    parts = Sampler(untrained, OPTIONS, batch_size=2).sample(TOKENS, GIVEN, seed=1, keep_path=True)
    np.testing.assert_array_equal(parts.tokens, whole.tokens)
    assert whole.path is not None
    assert parts.path is not None
    np.testing.assert_array_equal(parts.path, whole.path)
    assert whole.path.shape == (3, 5, 16)
    np.testing.assert_array_equal(np.where(GIVEN, 0, whole.path[-1]), np.where(GIVEN, 0, whole.tokens))
    np.testing.assert_array_equal(whole.tokens[GIVEN], TOKENS[GIVEN])
    other = Sampler(untrained, OPTIONS).sample(TOKENS, GIVEN, seed=2)
    assert (other.tokens != whole.tokens).any()
    assert other.path is None


def test_what_is_given_completely_comes_back(untrained: EmbeddingDiffusion) -> None:
    for guidance in (1.0, 2.0):
        sampler = Sampler(untrained, replace(OPTIONS, guidance=guidance))
        np.testing.assert_array_equal(sampler.sample(TOKENS, np.ones_like(GIVEN)).tokens, TOKENS)


def test_templates(untrained: EmbeddingDiffusion, corpus: Corpus) -> None:
    texts = Sampler(untrained, OPTIONS).fill("And [[3]] the king", corpus.codec, 4)
    assert len(set(texts)) > 1
    assert all(text.startswith("And") and text.endswith(" the king") for text in texts)


def test_unconditional(untrained: EmbeddingDiffusion) -> None:
    assert Sampler(untrained, OPTIONS).unconditional(3).shape == (3, 16)


def test_wrong_inputs(untrained: EmbeddingDiffusion) -> None:
    sampler = Sampler(untrained, OPTIONS)
    with pytest.raises(UsageError, match="expected sequences of 16"):
        sampler.sample(TOKENS[:, :8], GIVEN[:, :8])
    with pytest.raises(UsageError, match="expected 0 to 2047"):
        sampler.sample(TOKENS + 2048, GIVEN)
    with pytest.raises(UsageError, match="expected 1 to 100"):
        Sampler(untrained, SamplingOptions(steps=101))
    with pytest.raises(UsageError, match="batch_size is 0"):
        Sampler(untrained, OPTIONS, batch_size=0)


def test_a_result_that_is_not_finite_names_its_step(untrained: EmbeddingDiffusion) -> None:
    model = nnx.clone(untrained)
    model.predict.kernel[...] = model.predict.kernel[...] * jnp.nan
    with pytest.raises(UsageError, match="not finite from step 100 on"):
        Sampler(model, OPTIONS).sample(TOKENS, GIVEN)


def test_one_token_that_takes_over(untrained: EmbeddingDiffusion, caplog: pytest.LogCaptureFixture) -> None:
    model = nnx.clone(untrained)
    model.predict.kernel[...] = jnp.zeros_like(model.predict.kernel[...])
    model.predict.bias[...] = model.table[...][7]  # type: ignore[index]
    with caplog.at_level(logging.WARNING):
        Sampler(untrained, OPTIONS).sample(TOKENS, GIVEN)
        assert not caplog.records
        assert (Sampler(model, OPTIONS).unconditional(5) == 7).all()
    assert "100% of the sampled tokens are number 7" in caplog.text
