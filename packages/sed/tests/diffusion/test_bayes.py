"""Exact denoisers against sums over tokens and sequences in numpy."""

import jax.numpy as jnp
import numpy as np

from sed.config import ScheduleConfig
from sed.diffusion.bayes import independent_denoiser, sequence_denoiser
from sed.diffusion.embeddings import normalize_rows
from sed.diffusion.schedule import Schedule

CONFIG = ScheduleConfig(steps=20, sigma_0=0.3)
ALPHA_BAR = Schedule.of(CONFIG).alpha_bar
TABLE = np.asarray(normalize_rows(jnp.asarray(np.random.default_rng(0).standard_normal((4, 6)), jnp.float32)))


def posterior_mean(x: np.ndarray, embedded: np.ndarray, prior: np.ndarray, t: int) -> np.ndarray:
    """E[x_0 | x] for Gaussians around `embedded` [outcomes, ...] by weighting their densities."""
    variance = ALPHA_BAR[t] * CONFIG.sigma_0**2 + 1 - ALPHA_BAR[t]
    squares = np.square(x - np.sqrt(ALPHA_BAR[t]) * embedded).reshape(len(embedded), -1).sum(axis=1)
    weights = prior * np.exp(-squares / (2 * variance))
    weights = weights / weights.sum()
    gain = CONFIG.sigma_0**2 * np.sqrt(ALPHA_BAR[t]) / variance
    means = embedded + gain * (x - np.sqrt(ALPHA_BAR[t]) * embedded)
    return np.tensordot(weights, means, axes=1)


def test_independent_tokens() -> None:
    prior = np.array([0.4, 0.3, 0.2, 0.1])
    x = np.random.default_rng(1).standard_normal((2, 3, 6))
    t = np.array([3, 15])
    found = independent_denoiser(jnp.asarray(TABLE), jnp.asarray(prior), CONFIG)(
        jnp.asarray(x), jnp.zeros_like(x), jnp.zeros((2, 3), bool), jnp.zeros_like(x), jnp.asarray(t)
    )
    for row in range(2):
        for place in range(3):
            np.testing.assert_allclose(
                found[row, place], posterior_mean(x[row, place], TABLE, prior, t[row]), rtol=1e-4, atol=1e-5
            )


def test_sequences_of_which_a_token_is_given() -> None:
    sequences = np.array([[0, 1, 2], [0, 3, 3], [2, 1, 0]])
    prior = np.array([0.5, 0.2, 0.3])
    x = np.random.default_rng(1).standard_normal((1, 3, 6))
    cond_mask = np.array([[True, False, False]])
    cond = np.where(cond_mask[..., None], TABLE[[[0, 0, 0]]], 0)
    denoiser = sequence_denoiser(jnp.asarray(TABLE), jnp.asarray(sequences), jnp.asarray(prior), CONFIG)
    arrays = [jnp.asarray(array, jnp.float32) for array in (x, cond)]
    t = jnp.array([8])
    shown = denoiser(*arrays, jnp.asarray(cond_mask), arrays[0], t)
    hidden = denoiser(arrays[0], jnp.zeros_like(arrays[1]), jnp.asarray(cond_mask), arrays[0], t)
    for found, kept in ((shown, [0, 1]), (hidden, [0, 1, 2])):
        embedded = TABLE[sequences[kept]][:, 1:]
        expected = posterior_mean(x[0, 1:], embedded, prior[kept], 8)
        np.testing.assert_allclose(found[0, 1:], expected, rtol=1e-4, atol=1e-5)
