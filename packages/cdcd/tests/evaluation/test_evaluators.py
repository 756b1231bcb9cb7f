"""Evaluators average over the right tokens."""

import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from onepaper.errors import UsageError
from onepaper.text import KneserNey

from cdcd.config import AutoregressiveConfig
from cdcd.evaluation.evaluators import Evaluators, causal_nats
from cdcd.models.autoregressive import AutoregressiveLM

TOKENS = np.random.default_rng(0).integers(0, 6, (5, 8))
MODEL = AutoregressiveLM(AutoregressiveConfig(vocab_size=6, length=8, width=8, depth=1, heads=2), nnx.Rngs(0))


def test_batches_do_not_matter() -> None:
    np.testing.assert_allclose(causal_nats(MODEL, TOKENS, 2), MODEL.nats(jnp.asarray(TOKENS)), rtol=1e-5)


def test_means() -> None:
    ngrams = KneserNey(np.random.default_rng(1).integers(0, 6, 100), 6, 2)
    mask = np.arange(8) >= np.array([4, 4, 4, 4, 7])[:, None]
    found = Evaluators(MODEL, ngrams).measure(TOKENS, mask)
    for name, nats in (("ar", np.asarray(MODEL.nats(jnp.asarray(TOKENS)))), ("kn", ngrams.nats(TOKENS))):
        assert found[f"{name}_nll"] == pytest.approx(nats.mean(), rel=1e-5)
        by_hand = np.concatenate([row[first:] for row, first in zip(nats, (4, 4, 4, 4, 7), strict=True)]).mean()
        assert found[f"{name}_nll_completion"] == pytest.approx(by_hand, rel=1e-5)
    assert {"entropy", "repetition", "distinct_1", "distinct_2"} < set(found)


def test_vocabularies_must_agree() -> None:
    with pytest.raises(UsageError, match="vocabularies of 6 and 7"):
        Evaluators(MODEL, KneserNey(np.arange(7), 7, 2))
