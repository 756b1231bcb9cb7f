"""Samplers with exact denoisers give the distribution that they should, and converge with the right order."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.stats import chisquare, entropy

from cdcd.config import SamplingOptions, WarpConfig
from cdcd.diffusion.bayes import independent_denoiser, sequence_denoiser
from cdcd.diffusion.embeddings import normalize
from cdcd.diffusion.samplers import Samples, sample
from cdcd.diffusion.times import karras_times, step_times
from cdcd.time_warping.warp import initial_logits, make_warp

EMBEDDINGS = normalize(jnp.asarray(np.random.default_rng(0).standard_normal((5, 8)), jnp.float32))
PRIOR = jnp.array([0.4, 0.3, 0.15, 0.1, 0.05])
SEQUENCES, WEIGHTS = jnp.array([[0, 1, 2, 3], [0, 4, 4, 1], [2, 1, 0, 0]]), jnp.array([0.5, 0.2, 0.3])
TIMES = karras_times(0.05, 60.0, 60, 4.0)
COUNT = 2000


def normalized(prior: jax.Array) -> np.ndarray:
    """In double precision, since older SciPy compares sums to 1e-8."""
    weights = np.asarray(prior, np.float64)
    return weights / weights.sum()


def draw(count: int = COUNT, length: int = 1, times: jax.Array = TIMES, **options: Any) -> Samples:
    """Independent tokens through the exact denoiser."""
    mask, given = jnp.ones((count, length), bool), jnp.zeros((count, length), int)
    return sample(
        independent_denoiser(EMBEDDINGS, PRIOR), EMBEDDINGS, given, mask, times,
        jax.random.split(jax.random.key(5), count), SamplingOptions(steps=1, **options),
    )  # fmt: skip


@pytest.mark.parametrize("solver", ["euler", "heun"])
def test_samples_have_the_prior(solver: str) -> None:
    counts = np.bincount(draw(solver=solver).tokens[:, 0], minlength=5)
    assert chisquare(counts, COUNT * normalized(PRIOR)).pvalue > 0.01


@pytest.mark.parametrize("final", ["prediction", "state"])
def test_final_tokens_agree_when_the_noise_is_gone(final: str) -> None:
    np.testing.assert_array_equal(draw(500, final=final).tokens, draw(500).tokens)


def test_warped_times_sample_the_prior_too() -> None:
    config = WarpConfig(t_min=0.05, t_max=60.0)
    levels = np.geomspace(0.05, 60.0, 64)
    warp = make_warp(initial_logits(config, (levels, levels**2 / (4 + levels**2))), config)
    counts = np.bincount(draw(times=step_times(warp, SamplingOptions(steps=60))).tokens[:, 0], minlength=5)
    assert chisquare(counts, COUNT * normalized(PRIOR)).pvalue > 0.01


@pytest.mark.parametrize(
    "options",
    [{"score_temperature": 0.5}, {"softmax_temperature": 0.5}, {"nucleus": 0.6}, {"initial_scale": 0.5}],
    ids=str,
)
def test_sharpening_concentrates(options: dict[str, Any]) -> None:
    plain, sharp = (np.bincount(found.tokens[:, 0], minlength=5) / COUNT for found in (draw(), draw(**options)))
    assert entropy(sharp) < entropy(plain) - 0.05


def test_orders_of_the_solvers() -> None:
    """Halving the size of the steps divides the error by 2 for Euler and by 4 for Heun."""
    with jax.enable_x64(True):
        embeddings, prior = (jnp.asarray(np.asarray(part), jnp.float64) for part in (EMBEDDINGS, PRIOR))
        keys = jax.random.split(jax.random.key(3), 16)
        start = 20.0 * jax.vmap(lambda key: jax.random.normal(key, (1, 8)))(keys)

        def slope(t: float, flat: np.ndarray) -> np.ndarray:
            x = flat.reshape(16, 8)
            weights = np.asarray(prior) * np.exp(x @ np.asarray(embeddings).T / t**2)
            return ((x - weights / weights.sum(axis=1, keepdims=True) @ np.asarray(embeddings)) / t).ravel()

        exact = solve_ivp(slope, (20.0, 2.0), np.asarray(start).ravel(), rtol=1e-10, atol=1e-10).y[:, -1]

        def error(steps: int, solver: str) -> float:
            times = jnp.geomspace(20.0, 2.0, steps + 1, dtype=jnp.float64)
            found = sample(
                independent_denoiser(embeddings, prior), embeddings, jnp.zeros((16, 1), int),
                jnp.ones((16, 1), bool), times, keys, SamplingOptions(solver=solver),  # type: ignore[arg-type]
            )  # fmt: skip
            return float(np.abs(np.asarray(found.state).ravel() - exact).max())

        ratios = {solver: error(20, solver) / error(40, solver) for solver in ("euler", "heun")}
    assert ratios["euler"] == pytest.approx(2, abs=0.3)
    assert ratios["heun"] == pytest.approx(4, abs=0.8)


def test_given_tokens_stay_and_are_used() -> None:
    given = jnp.tile(jnp.array([[0, 0, 0, 1]]), (200, 1))
    mask = jnp.tile(jnp.array([[True, True, True, False]]), (200, 1))
    denoiser = sequence_denoiser(EMBEDDINGS, SEQUENCES, WEIGHTS, given, mask)
    keys = jax.random.split(jax.random.key(0), 200)
    tokens = sample(denoiser, EMBEDDINGS, given, mask, TIMES, keys, SamplingOptions()).tokens
    np.testing.assert_array_equal(tokens, jnp.tile(SEQUENCES[1], (200, 1)))


def test_whole_sequences_have_their_prior() -> None:
    given, mask = jnp.zeros((COUNT, 4), int), jnp.ones((COUNT, 4), bool)
    denoiser = sequence_denoiser(EMBEDDINGS, SEQUENCES, WEIGHTS, given, mask)
    keys = jax.random.split(jax.random.key(1), COUNT)
    found = sample(denoiser, EMBEDDINGS, given, mask, TIMES, keys, SamplingOptions())
    counts = [(np.asarray(found.tokens) == np.asarray(row)).all(axis=1).sum() for row in SEQUENCES]
    assert sum(counts) == COUNT
    assert chisquare(counts, COUNT * normalized(WEIGHTS)).pvalue > 0.01
    # From pure noise the tokens of each position have their marginal distribution.
    marginals = [[0.7, 0.3], [0.8, 0.2], [0.5, 0.2, 0.3], [0.5, 0.2, 0.3]]
    assert float(found.entropy[0]) == pytest.approx(np.mean([entropy(probs) for probs in marginals]), abs=0.01)
    assert float(found.entropy[-1]) < 0.01
    assert float(found.changed[0]) == 0.0
    np.testing.assert_array_equal(found.path[-1], found.tokens)


def test_guidance_limits() -> None:
    given, mask = jnp.zeros((64, 4), int), jnp.tile(jnp.array([[False, True, True, True]]), (64, 1))
    denoiser = sequence_denoiser(EMBEDDINGS, SEQUENCES, WEIGHTS, given, mask)
    keys = jax.random.split(jax.random.key(2), 64)

    def tokens(**options: Any) -> np.ndarray:
        return np.asarray(sample(denoiser, EMBEDDINGS, given, mask, TIMES, keys, SamplingOptions(**options)).tokens)

    # Guidance of 1 is one conditional branch: bit for bit, also if both branches are computed.
    for feedback in ("own", "conditional", "guided"):
        np.testing.assert_array_equal(tokens(guided_prediction=feedback), tokens())
    # Without the condition, the third sequence is possible although it does not begin with 0.
    free = tokens(guidance=0.0, final="prediction")
    assert {tuple(row[1:]) for row in free} == {(1, 2, 3), (4, 4, 1), (1, 0, 0)}


def test_rows_do_not_depend_on_the_batch() -> None:
    keys = jax.random.split(jax.random.key(7), 20)
    arguments = independent_denoiser(EMBEDDINGS, PRIOR), EMBEDDINGS
    many, one = (
        sample(*arguments, jnp.zeros((n, 3), int), jnp.ones((n, 3), bool), TIMES, keys[:n], SamplingOptions()).tokens
        for n in (20, 1)
    )
    np.testing.assert_array_equal(many[:1], one)


def test_self_conditioning_feeds_the_last_prediction() -> None:
    """A denoiser that predicts token 0 from zeros, and otherwise the token after the one that it is fed."""

    def denoiser(x: jax.Array, t: jax.Array, prediction: jax.Array, conditional: jax.Array) -> jax.Array:
        after = jnp.argmax(prediction @ EMBEDDINGS.T, axis=-1) + 1
        return 100.0 * jax.nn.one_hot(jnp.where(jnp.abs(prediction).sum(axis=-1) > 0, after, 0), 5)

    for feeds, expected in ((True, [0, 1, 2]), (False, [0, 0, 0])):
        found = sample(
            denoiser, EMBEDDINGS, jnp.zeros((1, 1), int), jnp.ones((1, 1), bool), TIMES[-3:],
            jax.random.split(jax.random.key(0), 1), SamplingOptions(), self_conditioning=feeds,
        )  # fmt: skip
        assert [*found.path[:, 0, 0].tolist(), int(found.tokens[0, 0])] == expected
