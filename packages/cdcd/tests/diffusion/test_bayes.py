"""Exact denoisers against sums over sequences, and their cross-entropy against an integral."""

import jax.numpy as jnp
import numpy as np
import pytest

from cdcd.diffusion.bayes import independent_denoiser, sequence_denoiser
from cdcd.diffusion.embeddings import normalize

EMBEDDINGS = normalize(jnp.asarray(np.random.default_rng(0).standard_normal((4, 6)), jnp.float32))
SEQUENCES = jnp.array([[0, 1, 2], [0, 3, 3], [2, 1, 0]])
PRIOR = jnp.array([0.5, 0.2, 0.3])


def test_sequences_by_squared_distances() -> None:
    mask = jnp.array([[True, True, True], [False, True, True]])
    given = jnp.array([[3, 3, 3], [0, 1, 1]])
    x = jnp.asarray(np.random.default_rng(1).standard_normal((2, 3, 6)) * 2, jnp.float32)
    logits = sequence_denoiser(EMBEDDINGS, SEQUENCES, PRIOR, given, mask)(x, jnp.float32(1.5), x, jnp.float32(1))
    for row in range(2):
        weights = []
        for sequence, prior in zip(SEQUENCES, PRIOR, strict=True):
            agrees = all(bool(mask[row, p]) or int(given[row, p]) == int(sequence[p]) for p in range(3))
            distance = sum(
                float(jnp.square(x[row, p] - EMBEDDINGS[sequence[p]]).sum()) for p in range(3) if mask[row, p]
            )
            weights.append(agrees * float(prior) * np.exp(-distance / (2 * 1.5**2)))
        expected = np.zeros((3, 4))
        for sequence, weight in zip(SEQUENCES, weights, strict=True):
            for place, token in enumerate(sequence):
                expected[place, int(token)] += weight / sum(weights)
        np.testing.assert_allclose(jnp.exp(logits[row]), expected, atol=2e-5)


@pytest.mark.parametrize("t", [0.3, 1.0, 4.0])
def test_two_tokens_on_a_line(t: float) -> None:
    """For e = +1 and -1 the cross-entropy is an integral, done by Gauss-Hermite quadrature."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(60)
    expected = (weights * np.log1p(np.exp(-2 * (1 + t * nodes) / t**2))).sum() / weights.sum()
    denoiser = independent_denoiser(jnp.array([[1.0], [-1.0]]), jnp.array([0.5, 0.5]))
    x = jnp.asarray(1 + t * nodes, jnp.float32)[:, None, None]
    logits = denoiser(x, jnp.float32(t), x, jnp.float32(1))[:, 0]
    nats = np.logaddexp(logits[:, 0], logits[:, 1]) - logits[:, 0]
    np.testing.assert_allclose((weights * nats).sum() / weights.sum(), expected, rtol=1e-4)
