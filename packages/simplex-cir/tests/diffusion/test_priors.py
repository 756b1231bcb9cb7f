"""Oracle models against enumeration of every sequence."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from onepaper.errors import UsageError

from simplex_cir.diffusion.posterior import log_evidence
from simplex_cir.diffusion.priors import IndependentPrior, MarkovPrior, TablePrior

INITIAL = np.array([0.6, 0.3, 0.1])
TRANSITION = np.array([[0.7, 0.2, 0.1], [0.1, 0.1, 0.8], [0.3, 0.3, 0.4]])
SEQUENCES = np.array(list(itertools.product(range(3), repeat=4)))


def weights() -> np.ndarray:
    steps = TRANSITION[SEQUENCES[:, :-1], SEQUENCES[:, 1:]].prod(axis=1)
    return INITIAL[SEQUENCES[:, 0]] * steps


def enumerated(v: np.ndarray, snr: float, a: float) -> tuple[np.ndarray, np.ndarray]:
    """Marginals and evidence by summing over all 81 sequences in a loop."""
    evidence = np.asarray(log_evidence(jnp.asarray(v), snr, a))
    marginals, totals = np.zeros(v.shape), np.zeros(len(v))
    for sequence, weight in zip(SEQUENCES, weights(), strict=True):
        likelihood = weight * np.exp(evidence[:, np.arange(4), sequence].sum(axis=1))
        totals += likelihood
        marginals[:, np.arange(4), sequence] += likelihood[:, None]
    return np.log(marginals / totals[:, None, None]), np.log(totals)


@pytest.mark.parametrize("a", [0.5, 1.0])
def test_forward_backward_is_enumeration(a: float) -> None:
    with jax.enable_x64(True):
        v = np.random.default_rng(1).gamma(2.0, size=(5, 4, 3))
        marginals, evidence = enumerated(v, 3.0, a)
        chain = MarkovPrior(INITIAL, TRANSITION, a)
        np.testing.assert_allclose(chain(jnp.asarray(v), 3.0), marginals, rtol=1e-9, atol=1e-9)
        np.testing.assert_allclose(chain.log_likelihood_ratio(jnp.asarray(v), 3.0), evidence, rtol=1e-9)
        table = TablePrior(SEQUENCES, 3, weights(), a)
        np.testing.assert_allclose(table(jnp.asarray(v), 3.0), marginals, rtol=1e-9, atol=1e-9)
        np.testing.assert_allclose(table.log_likelihood_ratio(jnp.asarray(v), 3.0), evidence, rtol=1e-9)


def test_chain_without_memory_is_independent() -> None:
    chain = MarkovPrior(INITIAL, np.tile(INITIAL, (3, 1)))
    v = jnp.asarray(np.random.default_rng(2).gamma(2.0, size=(2, 4, 3)), jnp.float32)
    np.testing.assert_allclose(chain(v, 1.5), IndependentPrior(INITIAL)(v, 1.5), atol=1e-5)


def test_entropies() -> None:
    chain = MarkovPrior(INITIAL, TRANSITION)
    all_weights = weights()
    assert chain.entropy(4) == pytest.approx(-(all_weights * np.log(all_weights)).sum())
    assert TablePrior(SEQUENCES, 3, all_weights).entropy() == pytest.approx(chain.entropy(4))
    assert IndependentPrior(np.array([0.25] * 4)).entropy() == pytest.approx(np.log(4))
    assert IndependentPrior(np.array([1.0, 0.0])).entropy() == 0


def test_samples_follow_the_distribution() -> None:
    chain = MarkovPrior(INITIAL, TRANSITION)
    drawn = np.asarray(chain.sample(jax.random.key(0), 40_000, 4))
    codes = (drawn * 3 ** np.arange(3, -1, -1)).sum(axis=1)
    shares = np.bincount(codes, minlength=81) / len(codes)
    assert np.abs(shares - weights()).max() < 5 * np.sqrt(0.25 / len(codes))
    np.testing.assert_allclose(chain.log_prob(jnp.asarray(SEQUENCES)), np.log(weights()), rtol=1e-5)


def test_fit_recovers_the_chain() -> None:
    tokens = MarkovPrior(INITIAL, TRANSITION).sample(jax.random.key(1), 20_000, 6)
    fitted = MarkovPrior.fitted(np.asarray(tokens), 3)
    np.testing.assert_allclose(fitted.transition, TRANSITION, atol=0.02)
    np.testing.assert_allclose(fitted.initial, INITIAL, atol=0.02)


def test_bad_priors() -> None:
    with pytest.raises(UsageError, match="expected at least two finite numbers"):
        IndependentPrior(np.array([1.0]))
    with pytest.raises(UsageError, match="probabilities is .*-0.1"):
        IndependentPrior(np.array([1.1, -0.1]))
    with pytest.raises(UsageError, match="expected a square matrix"):
        MarkovPrior(INITIAL, TRANSITION[:2])
    with pytest.raises(UsageError, match="tokens 1 to 3, expected 0 to 2"):
        TablePrior(SEQUENCES + 1, 3)


def test_impossible_tokens_have_derivatives() -> None:
    """Probabilities of 0 stay 0 with derivative 0, and the others have the derivatives of enumeration."""
    v = jnp.asarray(np.random.default_rng(5).gamma(2.0, size=(3, 2)))
    chain = MarkovPrior(np.array([1.0, 0.0]), np.array([[0.5, 0.5], [0.0, 1.0]]))
    table = TablePrior(np.array([[0, 0, 0], [0, 0, 1], [0, 1, 1]]), 2, np.array([0.25, 0.25, 0.5]))
    slopes = [jax.jacobian(lambda v, prior=prior: jnp.exp(prior(v, 2.0)))(v) for prior in (chain, table)]
    assert np.isfinite(slopes[0]).all()
    np.testing.assert_allclose(*slopes, atol=1e-6)
    slopes = [jax.grad(lambda v, prior=prior: prior.log_likelihood_ratio(v, 2.0))(v) for prior in (chain, table)]
    np.testing.assert_allclose(*slopes, atol=1e-6)
