import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from onepaper.errors import UsageError

from simplex_cir.config import SAMPLERS, ModelConfig, SampleOptions
from simplex_cir.model import SimplexDenoiser
from simplex_cir.priors import IndependentPrior, MarkovPrior, TablePrior
from simplex_cir.reverse import SCHEMES
from simplex_cir.sampling import UNKNOWN, clamped, conditioned, constrained, draw, parse_clamp, shown

PRIOR = np.array([0.7, 0.2, 0.1])


def test_every_scheme_has_a_name_on_the_command_line() -> None:
    assert set(SCHEMES) == {name for name in SAMPLERS if name != "ancestral" and not name.startswith("flow-")}


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_every_sampler_returns_the_prior(sampler: str) -> None:
    steps = 200 if "euler" in sampler else 64
    run = jax.jit(lambda key: draw(key, IndependentPrior(PRIOR), (8000, 1, 3), sampler=sampler, steps=steps))
    tokens = np.asarray(run(jax.random.key(0)))
    shares = np.bincount(tokens[:, 0], minlength=3) / len(tokens)
    assert 0.5 * np.abs(shares - PRIOR).sum() < 0.06


def test_clamped_positions_stay_and_inform_the_others() -> None:
    prior = TablePrior(np.array([[0, 0, 1], [1, 1, 0], [1, 0, 1]]), 2)
    known = jnp.array([UNKNOWN, 1, UNKNOWN])
    tokens = np.asarray(draw(jax.random.key(1), clamped(prior, known), (200, 3, 2), steps=32, highest_snr=80.0))
    assert (tokens[:, 1] == 1).all()
    assert (tokens == [1, 1, 0]).all(axis=1).mean() > 0.97


def test_filling_in_follows_the_conditional_law() -> None:
    chain = MarkovPrior(np.array([0.5, 0.5]), np.array([[0.9, 0.1], [0.3, 0.7]]))
    tokens = np.asarray(
        draw(jax.random.key(2), clamped(chain, jnp.array([0, UNKNOWN])), (20_000, 2, 2), steps=8, highest_snr=80.0)
    )
    assert (tokens[:, 1] == 1).mean() == pytest.approx(0.1, abs=0.01)


def test_guidance_is_a_weighted_sum_of_logits() -> None:
    config = ModelConfig("AB", positions=2, width=16, depth=1, heads=2, num_classes=2)
    model = SimplexDenoiser(config, nnx.Rngs(0))
    model.label.embedding[...] = 3 * jax.random.normal(jax.random.key(0), model.label.embedding.shape)
    model.blocks[0].modulation.kernel[...] = 0.3 * jax.random.normal(jax.random.key(1), (16, 96))
    model.head.kernel[...] = jax.random.normal(jax.random.key(2), (16, 2))
    v = jax.random.gamma(jax.random.key(3), 1.0, (4, 2, 2))
    label = jnp.array([0, 1, 0, 1])
    with_class, without = model(v, 1.0, label), model(v, 1.0)
    assert not np.allclose(with_class, without)
    expected = 3 * with_class - 2 * without
    expected -= jax.nn.logsumexp(expected, axis=-1, keepdims=True)
    np.testing.assert_allclose(conditioned(model, label, 2.0)(v, 1.0), expected, atol=1e-5)
    with pytest.raises(UsageError, match="knows no classes"):
        conditioned(SimplexDenoiser(ModelConfig(width=16, heads=2), nnx.Rngs(0)), label)


def test_clamp_texts() -> None:
    np.testing.assert_array_equal(parse_clamp("A?C", "ACGU", 3), [0, UNKNOWN, 1])
    with pytest.raises(UsageError, match="has 2 symbols, expected 3"):
        parse_clamp("A?", "ACGU", 3)
    with pytest.raises(UsageError, match="has 'X'"):
        parse_clamp("AX?", "ACGU", 3)


def test_a_label_that_is_not_there() -> None:
    model = SimplexDenoiser(ModelConfig(width=16, heads=2), nnx.Rngs(0))
    with pytest.raises(UsageError, match="label 3 does not exist"):
        constrained(model, SampleOptions(label=3))


def test_squares_are_shown_as_squares() -> None:
    assert shown("ACGUACGUA") == "ACGUACGUA"
    assert shown("1234341221434321") == "1234\n3412\n2143\n4321\n"
