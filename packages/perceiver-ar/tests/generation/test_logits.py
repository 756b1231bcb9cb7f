import jax
import jax.numpy as jnp
import numpy as np
import pytest

from perceiver_ar.config import SamplingOptions
from perceiver_ar.generation.logits import filter_logits, sample_token

GREEDY = SamplingOptions(temperature=0.0)


def test_draws_follow_the_softmax() -> None:
    logits = jnp.array([0.3, 2.0, -1.0, 1.0])
    options = SamplingOptions(temperature=1.7)
    got = np.bincount(sample_token(jax.random.key(0), jnp.tile(logits, (100_000, 1)), options), minlength=4)
    wanted = np.exp(np.asarray(logits) / 1.7)
    wanted = wanted / wanted.sum() * 100_000
    assert ((got - wanted) ** 2 / wanted).sum() < 21.1  # chi-square, 3 degrees of freedom, p = 1e-4


@pytest.mark.parametrize("top_p", [0.05, 0.3, 0.6, 0.95, 0.999])
def test_the_nucleus_is_the_smallest_set(top_p: float) -> None:
    logits = np.random.default_rng(1).standard_normal((20, 9)) * 2
    got = np.isfinite(filter_logits(jnp.asarray(logits, jnp.float32), SamplingOptions(top_p=top_p)))
    for row, kept in zip(logits, got, strict=True):
        p = np.exp(row) / np.exp(row).sum()
        order = np.argsort(-p)
        size = next(n for n in range(1, 10) if p[order[:n]].sum() >= top_p)
        assert set(np.flatnonzero(kept)) == set(order[:size])


def test_the_best_k_and_the_best() -> None:
    logits = jnp.asarray(np.random.default_rng(2).standard_normal((50, 9)), jnp.float32)
    kept = np.isfinite(filter_logits(logits, SamplingOptions(top_k=3)))
    assert (kept.sum(axis=1) == 3).all()
    np.testing.assert_array_equal(np.where(kept, logits, -np.inf).argmax(axis=1), logits.argmax(axis=1))
    np.testing.assert_array_equal(sample_token(jax.random.key(0), logits, GREEDY), logits.argmax(axis=1))
    allowed = jnp.zeros((50, 9), bool).at[:, 4].set(True)
    assert (sample_token(jax.random.key(0), logits, SamplingOptions(), allowed) == 4).all()


def test_the_cut_comes_before_the_temperature() -> None:
    logits = jnp.log(jnp.array([[0.7, 0.2, 0.1]]))
    hot = SamplingOptions(temperature=100.0, top_p=0.65)
    draws = {int(sample_token(jax.random.key(seed), logits, hot)[0]) for seed in range(20)}
    assert draws == {0}  # after the temperature all three would be about equal and two would stay
