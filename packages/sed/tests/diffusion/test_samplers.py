"""Samplers with exact denoisers draw from the prior; guidance, steps and what is given."""

import functools
import itertools
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats
from onepaper.errors import UsageError

from sed.config import SamplingOptions, ScheduleConfig
from sed.diffusion.bayes import independent_denoiser, sequence_denoiser
from sed.diffusion.embeddings import nearest_tokens, random_table
from sed.diffusion.samplers import Denoiser, Samples, check_finite, guide, sample, step_table
from sed.diffusion.schedule import Schedule

CONFIG = ScheduleConfig(steps=200)
SCHEDULE = Schedule.of(CONFIG)
TABLE = random_table(jax.random.key(0), 12, 8)
PRIOR = jnp.asarray(1 / np.arange(1, 13) / (1 / np.arange(1, 13)).sum(), jnp.float32)
DENOISER = independent_denoiser(TABLE, PRIOR, CONFIG)


def draw(
    denoiser: Denoiser,
    options: SamplingOptions,
    tokens: np.ndarray,
    cond_mask: np.ndarray | None = None,
    *,
    seed: int = 0,
    keep_path: bool = False,
) -> Samples:
    cond_mask = np.zeros(tokens.shape, bool) if cond_mask is None else cond_mask
    keys = jax.vmap(functools.partial(jax.random.fold_in, jax.random.key(seed)))(jnp.arange(len(tokens)))
    run = jax.jit(
        lambda keys: sample(
            denoiser, TABLE, tokens, cond_mask, step_table(SCHEDULE, options), keys, options, keep_path=keep_path
        )
    )
    return run(keys)


def normalized(prior: jax.Array) -> np.ndarray:
    """In double precision, since older SciPy compares sums to 1e-8."""
    weights = np.asarray(prior, np.float64)
    return weights / weights.sum()


@pytest.mark.parametrize(("sampler", "steps"), [("ddpm", 200), ("ddpm", 50), ("ddim", 50)])
def test_tokens_have_the_prior(sampler: str, steps: int) -> None:
    options = SamplingOptions(steps=steps, sampler=sampler)  # type: ignore[arg-type]
    found = draw(DENOISER, options, np.zeros((2000, 2), int))
    counts = np.bincount(np.asarray(nearest_tokens(found.x_0, TABLE)).ravel(), minlength=12)
    assert scipy.stats.chisquare(counts, 4000 * normalized(PRIOR)).pvalue > 1e-3


def test_pairs_have_their_joint_distribution() -> None:
    sequences, prior = jnp.array([[0, 1], [1, 0], [2, 2]]), jnp.array([0.5, 0.2, 0.3])
    denoiser = sequence_denoiser(TABLE, sequences, prior, CONFIG)
    found = np.asarray(nearest_tokens(draw(denoiser, SamplingOptions(steps=200), np.zeros((2000, 2), int)).x_0, TABLE))
    counts = [(found == np.asarray(sequence)).all(axis=1).sum() for sequence in sequences]
    assert sum(counts) == 2000
    assert scipy.stats.chisquare(counts, 2000 * normalized(prior)).pvalue > 1e-3


def test_the_rest_follows_what_is_given() -> None:
    sequences = jnp.array([[0, 1], [1, 0], [2, 2]])
    denoiser = sequence_denoiser(TABLE, sequences, jnp.ones(3) / 3, CONFIG)
    tokens, cond_mask = np.array([[0, 9], [1, 9], [2, 9]]), np.array([[True, False]] * 3)
    found = draw(denoiser, SamplingOptions(steps=50), tokens, cond_mask)
    np.testing.assert_array_equal(nearest_tokens(found.x_0, TABLE)[:, 1], [1, 0, 2])


def test_the_loop_is_the_algorithm() -> None:
    """Against a plain loop over steps with the posterior and a denoiser that uses all that it gets."""

    def denoiser(x_t, cond, cond_mask, x_self, t):  # type: ignore[no-untyped-def]
        return 0.3 * x_t + 0.2 * x_self + cond.sum(axis=1, keepdims=True) + 0.01 * t[:, None, None]

    options = SamplingOptions(steps=5, guidance=2.0)
    tokens, cond_mask = np.array([[3, 0, 0], [0, 5, 0]]), np.array([[True, False, False], [False, True, False]])
    found = draw(denoiser, options, tokens, cond_mask, keep_path=True)
    cond = jnp.where(cond_mask[..., None], TABLE[tokens], 0)
    open_ = ~jnp.asarray(cond_mask)[..., None]
    keys = jax.vmap(functools.partial(jax.random.fold_in, jax.random.key(0)))(jnp.arange(2))

    def noise(number: int) -> jax.Array:
        return jax.vmap(lambda key: jax.random.normal(jax.random.fold_in(key, number), (3, 8)))(keys)

    x, own = open_ * noise(0), jnp.zeros((2, 3, 8))
    times = [200, 160, 120, 80, 40, 0]
    for number, (t, t_prev) in enumerate(itertools.pairwise(times), 1):
        full = jnp.full(2, t)
        with_all, without = denoiser(x, cond, cond_mask, own, full), denoiser(x, 0 * cond, cond_mask, 0 * own, full)
        x_0 = without + 2 * (with_all - without)
        np.testing.assert_allclose(found.path[number - 1], x_0, rtol=1e-3, atol=1e-3)
        posterior = SCHEDULE.posterior(x_0, x, t, t_prev)
        x, own = open_ * (posterior.mean + posterior.std * noise(number)), open_ * x_0
    np.testing.assert_allclose(found.x_0, found.path[-1])


def test_all_steps_are_the_plain_sampler() -> None:
    table = step_table(SCHEDULE, SamplingOptions(steps=200))
    expected = SCHEDULE.coefficients(np.arange(200, 0, -1), np.arange(199, -1, -1))
    for found, value in zip(table[1:], expected, strict=True):
        np.testing.assert_array_equal(found, value.astype(np.float32))
    for sampler in ("ddpm", "ddim"):
        last = step_table(SCHEDULE, SamplingOptions(steps=7, sampler=sampler))  # type: ignore[arg-type]
        assert (last.of_x_0[-1], last.of_x_t[-1], last.std[-1]) == (1, 0, 0)


def test_a_sequence_does_not_depend_on_its_batch() -> None:
    options = SamplingOptions(steps=10)
    whole, half = (draw(DENOISER, options, np.zeros((count, 3), int)).x_0 for count in (8, 4))
    np.testing.assert_allclose(whole[:4], half, atol=1e-6)
    assert np.abs(draw(DENOISER, options, np.zeros((4, 3), int), seed=1).x_0 - half).max() > 0.1


def test_guidance_is_affine() -> None:
    k, u = jnp.array([2.0]), jnp.array([0.5])
    assert [float(guide(k, u, scale)[0]) for scale in (0.0, 1.0, 3.0)] == [0.5, 2.0, 5.0]


def test_the_unconditional_branch_sees_neither_given_tokens_nor_its_estimate() -> None:
    seen = []

    def denoiser(x_t, cond, cond_mask, x_self, t):  # type: ignore[no-untyped-def]
        seen.append((cond.shape[0], cond, x_self))
        return cond + x_self + 0.1

    tokens, cond_mask = np.array([[3, 0]]), np.array([[True, False]])
    options = SamplingOptions(steps=3, guidance=0.0)
    found = draw(denoiser, options, tokens, cond_mask)
    assert {count for count, *_ in seen} == {2}
    np.testing.assert_allclose(found.x_0, 0.1, rtol=1e-6)  # s = 0 is the unconditional estimate


def test_self_conditioning_and_clamping_are_switches() -> None:
    def denoiser(x_t, cond, cond_mask, x_self, t):  # type: ignore[no-untyped-def]
        return x_self + 1.0

    tokens = np.zeros((1, 1), int)
    on = draw(denoiser, SamplingOptions(steps=4), tokens).x_0
    off = draw(denoiser, SamplingOptions(steps=4, self_conditioning=False), tokens).x_0
    np.testing.assert_allclose([on[0, 0, 0], off[0, 0, 0]], [4.0, 1.0])
    clamped = draw(DENOISER, SamplingOptions(steps=4, clamp_below=200), tokens).x_0
    assert float(jnp.abs(clamped[0, 0] - TABLE).max(axis=1).min()) < 1e-6


def test_the_first_step_that_is_not_finite_is_named() -> None:
    steps = step_table(SCHEDULE, SamplingOptions(steps=4))
    check_finite(np.ones(4, bool), steps)
    with pytest.raises(UsageError, match="not finite from step 150 on"):
        check_finite(np.array([True, False, False, False]), steps)
    found = draw(lambda x, *_: x * jnp.nan, SamplingOptions(steps=4), np.zeros((1, 1), int))
    assert not np.asarray(found.finite).any()


def test_too_many_steps() -> None:
    with pytest.raises(UsageError, match="expected 1 to 200"):
        step_table(SCHEDULE, replace(SamplingOptions(), steps=201))
