import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from onepaper.errors import OnePaperError, UsageError
from scipy import stats

from simplex_cir.config import SAMPLERS, ModelConfig, OracleConfig, SampleOptions, Sampler
from simplex_cir.diffusion.likelihood import bound
from simplex_cir.diffusion.priors import IndependentPrior, MarkovPrior, TablePrior
from simplex_cir.diffusion.reverse import SCHEMES, noise, reverse_sde
from simplex_cir.diffusion.snr import Scalar
from simplex_cir.evaluation import variation_of
from simplex_cir.models.denoiser import SimplexDenoiser
from simplex_cir.sampling import (
    UNKNOWN,
    clamped,
    conditional_denoiser,
    draw,
    draw_by_steps,
    draw_from,
    guided_denoiser,
    parse_clamp,
)

PRIOR = np.array([0.7, 0.2, 0.1])


def test_every_scheme_has_a_name_on_the_command_line() -> None:
    assert set(SCHEMES) == {name for name in SAMPLERS if name != "ancestral" and not name.startswith("flow-")}


def g_test(tokens: np.ndarray, distribution: np.ndarray) -> float:
    counts = np.bincount(tokens, minlength=len(distribution))
    return float(stats.power_divergence(counts, distribution * len(tokens), lambda_="log-likelihood").pvalue)


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_every_sampler_returns_the_prior(sampler: str) -> None:
    """A G-test each, at 1e-3 over all of them; 4,000 draws reveal a probability that is wrong by 0.05."""
    # A step in log v is unbounded where v is below the step, so log-Euler needs paths that stay away from 0.
    a, steps = {"log-euler": (4.0, 128), "ancestral": (1.0, 4)}.get(sampler, (1.0, 64))
    prior = IndependentPrior(PRIOR, a)
    run = jax.jit(lambda key: draw(key, prior, (4000, 1, 3), a=a, sampler=sampler, steps=steps, lowest_snr=1e-3))
    assert g_test(np.asarray(run(jax.random.key(0)))[:, 0], PRIOR) > 1e-3 / len(SAMPLERS)


def test_single_steps_are_the_sampler_and_compile_once() -> None:
    prior, traced = IndependentPrior(PRIOR), []

    def denoiser(v: jax.Array, snr: Scalar) -> jax.Array:
        traced.append(v.shape)
        return prior(v, snr)

    counts = []
    for steps in (1, 2, 8):
        draws = draw_by_steps(
            jax.random.key(steps), denoiser, (4000, 3), steps=steps, lowest_snr=1e-3, highest_snr=80.0
        )
        assert g_test(np.asarray(draws), PRIOR) > 1e-3 / 3
        counts.append(len(traced))
    assert counts == [counts[0]] * 3


def test_clamped_positions_are_kept_and_determine_the_others() -> None:
    """One sequence of three has a 1 in the middle, so that token determines the others, from the lowest SNR on."""
    prior = TablePrior(np.array([[0, 0, 1], [1, 1, 0], [1, 0, 1]]), 2)
    sure = clamped(prior, jnp.array([UNKNOWN, 1, UNKNOWN]))
    run = jax.jit(lambda key: draw(key, sure, (200, 3, 2), steps=2, highest_snr=80.0))
    tokens = np.asarray(run(jax.random.key(1)))
    assert (tokens == [1, 1, 0]).all()
    uninformed = noise(jax.random.key(2), (5, 3, 2))
    np.testing.assert_allclose(
        jnp.exp(jax.jit(sure)(uninformed, 1e-3)), np.tile(np.eye(2)[[1, 1, 0]], (5, 1, 1)), atol=1e-6
    )


@pytest.mark.parametrize("sampler", ["ancestral", pytest.param("implicit-root", marks=pytest.mark.slow)])
def test_filling_in_follows_the_conditional_distribution(sampler: str) -> None:
    """p(middle | ends) of a chain of three, by hand; the unconditional distribution of the middle differs from it."""
    transition = np.array([[0.9, 0.1], [0.3, 0.7]])
    chain = MarkovPrior(np.array([0.5, 0.5]), transition)
    sure = clamped(chain, jnp.array([0, UNKNOWN, 1]))
    steps = 4 if sampler == "ancestral" else 64
    run = jax.jit(lambda key: draw(key, sure, (4000, 3, 2), sampler=sampler, steps=steps, highest_snr=80.0))
    tokens = np.asarray(run(jax.random.key(2)))
    assert (tokens[:, [0, 2]] == [0, 1]).all()
    distribution = transition[0] * transition[:, 1]
    assert g_test(tokens[:, 1], distribution / distribution.sum()) > 1e-3 / 2
    assert g_test(tokens[:, 1], chain.initial @ transition) < 1e-5


def test_guidance_is_a_weighted_sum_of_logits() -> None:
    config = ModelConfig("AB", positions=2, width=16, depth=1, heads=2, num_classes=2)
    model = SimplexDenoiser(config, nnx.Rngs(0))
    model.label.embedding[...] = 3 * jax.random.normal(jax.random.key(0), model.label.embedding.shape)
    model.blocks[0].modulation.kernel[...] = 0.3 * jax.random.normal(jax.random.key(1), (16, 96))
    model.head.kernel[...] = jax.random.normal(jax.random.key(2), (16, 2))
    v = jax.random.gamma(jax.random.key(3), 1.0, (4, 2, 2))
    label = jnp.array([0, 1, 0, 1])
    run = jax.jit(lambda model, v, label: model(v, 1.0, label))
    with_class, without = run(model, v, label), run(model, v, None)
    assert not np.allclose(with_class, without)
    expected = 3 * with_class - 2 * without
    expected -= jax.nn.logsumexp(expected, axis=-1, keepdims=True)
    guided = jax.jit(lambda model, v, label: guided_denoiser(model, label, 2.0)(v, 1.0))
    np.testing.assert_allclose(guided(model, v, label), expected, atol=1e-5)
    with pytest.raises(UsageError, match="has no classes"):
        guided_denoiser(SimplexDenoiser(ModelConfig(width=16, heads=2), nnx.Rngs(0)), label)


@pytest.mark.parametrize("temperature", [0.0, -1.0, np.nan])
def test_a_temperature_is_above_0(temperature: float) -> None:
    with pytest.raises(UsageError, match=f"temperature is {temperature}"):
        draw(jax.random.key(0), IndependentPrior(PRIOR), (2, 1, 3), steps=1, temperature=temperature)


def test_implicit_root_needs_a_shape() -> None:
    for a in (0.3, jnp.array([1.0, 0.3, 2.0])):
        prior = IndependentPrior(PRIOR, a)
        with pytest.raises(UsageError, match=r"implicit-root needs a shape a of at least 0.5, got 0.3"):
            reverse_sde(jax.random.key(0), prior, jnp.ones((1, 3)), np.array([0.1, 1.0]), a, scheme="implicit-root")
    with pytest.raises(UsageError, match="choose another sampler"):
        draw(jax.random.key(0), IndependentPrior(PRIOR, 0.3), (2, 1, 3), a=0.3, sampler="implicit-root")
    with pytest.raises(UsageError, match="choose another sampler"):
        OracleConfig(a=0.3)


def test_diverged_sequences_are_reported() -> None:
    model = SimplexDenoiser(ModelConfig(width=16, heads=2, a=0.05), nnx.Rngs(0))
    with pytest.raises(OnePaperError, match="log-euler diverged to NaN on .* of 30 sequences"):
        draw_from(model, SampleOptions(count=30, steps=2, sampler="log-euler"))


def test_clamp_texts() -> None:
    np.testing.assert_array_equal(parse_clamp("A?C", "ACGU", 3), [0, UNKNOWN, 1])
    with pytest.raises(UsageError, match="has 2 symbols, expected 3"):
        parse_clamp("A?", "ACGU", 3)
    with pytest.raises(UsageError, match="has 'X'"):
        parse_clamp("AX?", "ACGU", 3)


@pytest.mark.parametrize(
    ("known", "message"),
    [
        ([0, 3, 1], "token is 3, expected 0 to 2"),
        ([0, -2, 1], "token is -2"),
        ([0, 1], r"shape \(2,\), .* 3 positions"),
    ],
)
def test_clamps_that_do_not_fit(known: list[int], message: str) -> None:
    tokens = jnp.array(known)
    with pytest.raises(UsageError, match=message):
        jax.jit(lambda key: draw(key, clamped(IndependentPrior(PRIOR), tokens), (2, 3, 3), steps=1))(jax.random.key(0))


def test_a_label_that_is_not_there() -> None:
    model = SimplexDenoiser(ModelConfig(width=16, heads=2), nnx.Rngs(0))
    with pytest.raises(UsageError, match="label 3 does not exist"):
        conditional_denoiser(model, SampleOptions(label=3))


@pytest.mark.parametrize("sampler", ["ancestral", pytest.param("flow-heun", marks=pytest.mark.slow)])
def test_shapes_are_those_of_the_prior(sampler: Sampler) -> None:
    """A prior with one shape for each category."""
    probabilities, shapes = (0.6, 0.3, 0.1), (0.5, 1.0, 3.0)
    prior = IndependentPrior(np.array(probabilities), shapes)
    tokens = draw(jax.random.key(1), prior, (3_000, 1, 3), sampler=sampler, steps=24)
    assert abs(np.bincount(np.asarray(tokens)[:, 0], minlength=3) / 3_000 - probabilities).max() < 0.04
    known = clamped(MarkovPrior(np.full(3, 1 / 3), np.eye(3), shapes), jnp.array([2, -1]))
    assert (draw(jax.random.key(4), known, (8, 2, 3), sampler=sampler, steps=4) == 2).all()


@pytest.mark.slow
def test_the_bound_and_the_configuration_take_the_shapes_of_the_prior() -> None:
    probabilities, shapes = (0.6, 0.3, 0.1), (0.5, 1.0, 3.0)
    prior = IndependentPrior(np.array(probabilities), shapes)
    tokens = prior.sample(jax.random.key(2), (3_000, 1))
    assert float(bound(jax.random.key(3), prior, tokens, 3, points=24).total.mean()) == pytest.approx(
        prior.entropy(), abs=0.04
    )
    config = OracleConfig(probabilities, a=shapes, num_draws=3_000)
    assert variation_of(config, "ancestral", 4, 0)[0] < 0.04
