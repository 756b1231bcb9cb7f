"""Samplers compared on oracle models, and the bound and samples of trained networks."""

import itertools
import math
from collections.abc import Callable
from functools import lru_cache

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, PRNGKeyArray
from onepaper import progress
from scipy import special

from simplex_cir.config import LETTERS, OracleConfig, SampleOptions
from simplex_cir.data.dataset import Dataset, empirical_distribution, entropy
from simplex_cir.data.sudoku import satisfied_constraints, valid_sudokus
from simplex_cir.diffusion.likelihood import bound, fitted_snr_distribution
from simplex_cir.diffusion.posterior import INVALID_TOKEN
from simplex_cir.diffusion.priors import MarkovPrior
from simplex_cir.models.denoiser import SimplexDenoiser
from simplex_cir.models.ngrams import best_ngrams, ngram_nats
from simplex_cir.sampling import draw_by_steps, draw_from

# Names of the n-gram baselines, by order.
BASELINES = {1: "independent tokens", 2: "Markov chain", 4: "4-grams"}
# Maximal number of validation sequences, and total number of SNRs, for fitting the SNR distribution of the bound.
FIT_SEQUENCES, FIT_POINTS = 256, 4096


@lru_cache(maxsize=1)
def oracle(config: OracleConfig) -> MarkovPrior:
    """The prior of a configuration: a chain whose tokens repeat with probability `stay`, else are independent draws."""
    probabilities = np.asarray(config.probabilities)
    n = len(probabilities)
    return MarkovPrior(probabilities, config.stay * np.eye(n) + (1 - config.stay) * probabilities, config.a)


def token_distribution(tokens: np.ndarray, n: int) -> np.ndarray:
    """Frequencies of neighbouring pairs, or of tokens where a sequence has one position; invalid tokens count in the
    total only."""
    if tokens.shape[1] == 1:
        return np.bincount(tokens[tokens != INVALID_TOKEN], minlength=n) / len(tokens)
    before, after = tokens[:, :-1].ravel(), tokens[:, 1:].ravel()
    known = (before != INVALID_TOKEN) & (after != INVALID_TOKEN)
    return np.bincount(n * before[known] + after[known], minlength=n * n) / len(before)


def variation_of(config: OracleConfig, sampler: str, steps: int, seed: int) -> tuple[float, float]:
    """Total variation between the drawn and the true distribution of tokens (of neighbouring pairs for a chain).

    Returns:
        The total variation, and the fraction of tokens (of pairs) that are NaN, which it includes.
    """
    prior = oracle(config)
    n = prior.num_categories
    tokens = draw_by_steps(
        jax.random.key(seed),
        prior,
        (config.num_draws, config.positions, n),
        a=config.a,
        sampler=sampler,
        steps=steps,
        lowest_snr=config.lowest_snr,
        highest_snr=config.highest_snr,
    )
    drawn = token_distribution(np.asarray(tokens), n)
    if config.positions == 1:
        true = prior.initial
    else:  # the chain is stationary, so all neighbouring pairs have the same distribution
        true = (prior.initial[:, None] * prior.transition).ravel()
    lost = 1 - drawn.sum()
    return float(0.5 * (np.abs(drawn - true).sum() + lost)), float(lost)


def oracle_table(config: OracleConfig, seed: int) -> dict[tuple[str, int], tuple[float, float]]:
    """`variation_of` for every sampler and number of steps."""
    work = list(itertools.product(config.samplers, config.steps))
    return {pair: variation_of(config, *pair, seed) for pair in progress.track(work, "samplers", unit="sampler")}


def measure_bound(
    model: SimplexDenoiser, data: Dataset, tokens: Int[np.ndarray, "count positions"], points: int, seed: int
) -> Float[np.ndarray, " count"]:
    """The bound of each sequence, nats. SNRs are drawn from a histogram fitted on the validation part, for all seeds.

    Args:
        model: trained network.
        data: its validation part is used to fit the SNR distribution.
        tokens: sequences to evaluate, of the test part.
        points: SNRs for each sequence.
        seed: of the noise.
    """
    key = jax.random.key(seed)
    return np.asarray(_bound_of(model, data, points)(key, model, jnp.asarray(tokens)))


@lru_cache(maxsize=4)
def _bound_of(
    model: SimplexDenoiser, data: Dataset, points: int
) -> Callable[[PRNGKeyArray, SimplexDenoiser, Array], Array]:
    """The bound with a fitted SNR distribution, compiled once for all seeds."""
    n, a = data.num_categories, model.config.a
    others = jnp.asarray(data.validation[:FIT_SEQUENCES])
    key = jax.random.fold_in(jax.random.key(0), 1)  # different from the key of any seed
    snr_distribution = fitted_snr_distribution(key, model, others, n, a, points=math.ceil(FIT_POINTS / len(others)))
    return jax.jit(
        lambda key, model, tokens: (
            bound(key, model, tokens, n, a, points=points, snr_distribution=snr_distribution).total
        )
    )


def occurrences(
    tokens: Int[np.ndarray, "count positions"], sequences: Int[np.ndarray, "sequences positions"]
) -> Int[np.ndarray, " sequences"]:
    """How often each of the sequences was drawn; other draws are omitted."""
    index_of = {row.tobytes(): index for index, row in enumerate(sequences)}
    drawn = (row.tobytes() for row in np.asarray(tokens, sequences.dtype))
    return np.bincount(np.array([index_of[row] for row in drawn if row in index_of], int), minlength=len(sequences))


def divergence(
    counts: Int[np.ndarray, "*repeats sequences"], distribution: Float[np.ndarray, " sequences"]
) -> Float[np.ndarray, "*repeats"]:
    """Kullback-Leibler divergence of drawn frequencies from a distribution, nats; NaN where nothing was drawn.

    This is the plug-in estimate: for n exact draws it is (cells - 1) / (2 n) on average where n is large.
    """
    total = counts.sum(axis=-1, keepdims=True)
    shares = np.where(total > 0, counts / np.maximum(total, 1), np.nan)
    return np.asarray(special.rel_entr(shares, distribution).sum(axis=-1))


def excess_divergence(
    counts: Int[np.ndarray, " sequences"], distribution: Float[np.ndarray, " sequences"], seed: int
) -> float:
    """`divergence` minus its mean for as many exact draws, which removes the bias of the estimate."""
    exact = np.random.default_rng(seed).multinomial(counts.sum(), distribution, size=100)
    return float(divergence(counts, distribution) - divergence(exact, distribution).mean())


def evaluate_model(model: SimplexDenoiser, data: Dataset, count: int, points: int, seed: int) -> dict[str, float]:
    """Bound and samples of a trained network, beside baselines.

    In nats a sequence: the bound on test sequences with its standard error; n-gram models, fitted to the training part
    and evaluated on the same test sequences, with counts of each position where sequences are aligned, and elsewhere
    also the one whose order is the best on the validation part. Where sequences repeat: the entropy of the test part,
    the fraction of samples that occur in the data, and the divergence of those from all occurrences, above that of
    exact draws. For Sudoku the fraction of valid grids among samples, and of rows, columns and boxes without a
    repeated symbol.
    """
    chosen = np.random.default_rng(seed).permutation(len(data.test))[:count]
    tokens = data.test[chosen]
    nats = measure_bound(model, data, tokens, points, seed)
    numbers = {"bound": float(nats.mean()), "standard error": float(nats.std() / np.sqrt(len(nats)))}
    if not data.aligned:
        numbers["bits a character"] = numbers["bound"] / data.positions / math.log(2)
    for order in (1, 2) if data.symbols != LETTERS else (1, 2, 4):
        baseline = ngram_nats(data.train, tokens, data.num_categories, order, positional=data.aligned)
        numbers[BASELINES[order]] = float(baseline.mean())
    if not data.aligned:
        best = best_ngrams(data.train, data.validation, tokens, data.num_categories)
        numbers[f"best n-grams (order {best.order})"] = float(best.nats.mean())
    if len(empirical_distribution(data.test)[0]) < len(data.test) / 2:
        numbers["entropy of the test part"] = entropy(data.test)
        sequences, distribution = empirical_distribution(np.concatenate([data.train, data.validation, data.test]))
        counts = occurrences(draw_from(model, SampleOptions(count=count, seed=seed)), sequences)
        numbers["samples that occur"] = float(counts.sum() / count)
        numbers["excess divergence of samples"] = excess_divergence(counts, distribution, seed)
    if model.config.layout == "grid":
        drawn = draw_from(model, SampleOptions(count=count, seed=seed))
        numbers["valid grids"] = float(valid_sudokus(drawn).mean())
        numbers["satisfied constraints"] = float(satisfied_constraints(drawn).mean())
    return numbers
