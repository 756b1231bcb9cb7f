"""Masks give as many tokens as they should, where they should."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import chisquare

from cdcd.config import MaskConfig
from cdcd.diffusion.masks import keeps_condition, prefix_mask, random_mask, training_mask


def test_prefix() -> None:
    np.testing.assert_array_equal(prefix_mask(jnp.array([0, 2]), 3), [[1, 1, 1], [0, 0, 1]])


def test_random_masks_have_their_size_anywhere() -> None:
    mask = np.asarray(random_mask(jax.random.key(0), jnp.full(4000, 3), 8))
    assert (mask.sum(axis=1) == 5).all()
    assert chisquare((~mask).sum(axis=0)).pvalue > 0.01


@pytest.mark.parametrize("strategy", ["mixed", "prefix", "random"])
def test_numbers_of_given_tokens_are_uniform(strategy: str) -> None:
    config = MaskConfig(strategy, prefix_share=0.25)  # type: ignore[arg-type]
    mask = np.asarray(training_mask(jax.random.key(1), config, 4000, 8))
    assert mask.any(axis=1).all()
    assert chisquare(np.bincount(8 - mask.sum(axis=1), minlength=8)).pvalue > 0.01
    is_prefix = (np.diff(mask.astype(int), axis=1) >= 0).all(axis=1)
    # Of random masks of 8 tokens some are prefixes: all with 0 given, and one of C(8, k) others.
    random_prefixes = np.mean([1 / c for c in (1, 8, 28, 56, 70, 56, 28, 8)])
    expected = {"mixed": 0.25 + 0.75 * random_prefixes, "prefix": 1.0, "random": random_prefixes}[strategy]
    assert is_prefix.mean() == pytest.approx(expected, abs=0.03)


def test_fixed_masks() -> None:
    np.testing.assert_array_equal(
        training_mask(jax.random.key(0), MaskConfig("fixed-prefix", prefix=1), 1, 2), [[0, 1]]
    )
    assert bool(training_mask(jax.random.key(0), MaskConfig("none"), 2, 3).all())


def test_rate_of_dropped_conditions() -> None:
    kept = keeps_condition(jax.random.key(2), 0.1, 10_000)
    assert float(kept.mean()) == pytest.approx(0.9, abs=0.01)
