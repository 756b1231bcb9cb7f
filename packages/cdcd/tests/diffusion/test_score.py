"""Scores, temperatures, the nucleus and guidance against closed forms."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cdcd.diffusion.embeddings import normalize
from cdcd.diffusion.score import expected_embedding, guide, interpolated_score, postprocess, token_probs

EMBEDDINGS = normalize(jnp.asarray(np.random.default_rng(0).standard_normal((6, 8)), jnp.float32))


def test_one_hot_probabilities_give_the_embedding_itself() -> None:
    np.testing.assert_array_equal(expected_embedding(jnp.eye(6), EMBEDDINGS), EMBEDDINGS)


@pytest.mark.parametrize("t", [0.5, 2.0, 10.0])
def test_score_is_the_gradient_of_the_log_density(t: float) -> None:
    prior = np.array([0.1, 0.3, 0.2, 0.1, 0.2, 0.1])
    x = EMBEDDINGS[1] + t * jnp.asarray(np.random.default_rng(1).standard_normal(8), jnp.float32)
    with jax.enable_x64(True):
        wide = jnp.asarray(np.asarray(EMBEDDINGS), jnp.float64)

        def log_density(x: jax.Array) -> jax.Array:
            return jax.nn.logsumexp(jnp.log(prior) - jnp.square(x - wide).sum(axis=1) / (2 * t**2))

        expected = jax.grad(log_density)(jnp.asarray(np.asarray(x), jnp.float64))
    # The posterior with squared distances, without using that norms are equal.
    distances = np.square(np.asarray(x, np.float64) - np.asarray(EMBEDDINGS)).sum(axis=1)
    weights = prior * np.exp(-(distances - distances.min()) / (2 * t**2))
    found = interpolated_score(x, expected_embedding(jnp.asarray(weights / weights.sum()), EMBEDDINGS), t)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_temperature_and_nucleus() -> None:
    logits = jnp.log(jnp.array([[0.5, 0.25, 0.15, 0.1], [0.1, 0.2, 0.3, 0.4]]))
    np.testing.assert_allclose(token_probs(logits, 0.5)[0], np.array([0.25, 0.0625, 0.0225, 0.01]) / 0.345, rtol=1e-5)
    np.testing.assert_allclose(
        token_probs(logits, nucleus=0.6), [[2 / 3, 1 / 3, 0, 0], [0, 0, 3 / 7, 4 / 7]], atol=1e-6
    )
    np.testing.assert_allclose(token_probs(logits, nucleus=1e-6), [[1, 0, 0, 0], [0, 0, 0, 1]], atol=1e-6)
    np.testing.assert_allclose(token_probs(logits, nucleus=1.0), jnp.exp(logits), rtol=1e-6)


def test_postprocess() -> None:
    prediction = 0.7 * EMBEDDINGS[2] + 0.2 * EMBEDDINGS[4]
    np.testing.assert_array_equal(postprocess(prediction, EMBEDDINGS, clamp=True), EMBEDDINGS[2])
    assert float(jnp.linalg.norm(postprocess(prediction, EMBEDDINGS, renormalize=True))) == pytest.approx(8**0.5)
    np.testing.assert_array_equal(postprocess(prediction, EMBEDDINGS), prediction)


def test_guidance_of_scores_and_of_predictions_agree() -> None:
    x, t = jnp.ones(8), 2.0
    conditional, unconditional = EMBEDDINGS[0], EMBEDDINGS[1]
    scores = [interpolated_score(x, part, t) for part in (conditional, unconditional)]
    found = interpolated_score(x, guide(conditional, unconditional, 4.0), t)
    np.testing.assert_allclose(found, scores[1] + 4.0 * (scores[0] - scores[1]), rtol=1e-5)
    np.testing.assert_array_equal(guide(conditional, unconditional, 0.0), unconditional)
