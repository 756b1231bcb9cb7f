from dataclasses import replace

import numpy as np
import pytest
from flax import nnx

from simplex_cir.config import OracleConfig
from simplex_cir.data.dataset import Dataset
from simplex_cir.data.sequences import splice_sites
from simplex_cir.data.sudoku import sudokus
from simplex_cir.diffusion.posterior import INVALID_TOKEN
from simplex_cir.evaluation import (
    divergence,
    evaluate_model,
    excess_divergence,
    occurrences,
    oracle,
    token_distribution,
    variation_of,
)
from simplex_cir.models.denoiser import SimplexDenoiser
from simplex_cir.presets import PRESETS


def test_distribution_of_tokens_and_of_pairs() -> None:
    np.testing.assert_allclose(token_distribution(np.array([[0], [1], [1], [1]]), 2), [0.25, 0.75])
    np.testing.assert_allclose(token_distribution(np.array([[0, 1, 1]]), 2), [0, 0.5, 0, 0.5])
    np.testing.assert_allclose(token_distribution(np.array([[0], [INVALID_TOKEN]]), 2), [0.5, 0])
    np.testing.assert_allclose(token_distribution(np.array([[INVALID_TOKEN, 1, 1]]), 2), [0, 0, 0, 0.5])


def test_chain_is_stationary() -> None:
    chain = oracle(OracleConfig((0.5, 0.3, 0.2), stay=0.4, positions=5))
    np.testing.assert_allclose(chain.initial @ chain.transition, chain.initial)
    assert chain.transition[1, 1] == pytest.approx(0.4 + 0.6 * 0.3)


def test_a_good_sampler_is_near_and_a_bad_one_far() -> None:
    config = OracleConfig((0.7, 0.2, 0.1), num_draws=4000)
    assert variation_of(config, "quadratic-exponential", 32, 0)[0] < 0.03
    assert variation_of(config, "euler-reflected", 3, 0)[0] > 0.05


@pytest.mark.slow
def test_evaluation_of_an_untrained_model() -> None:
    # At the start the model is the posterior of a uniform prior, whose bound is the cross-entropy log 4 a position.
    model = SimplexDenoiser(replace(PRESETS["smoke"].config.model, width=16, depth=1), nnx.Rngs(0))
    numbers = evaluate_model(model, splice_sites(), 300, 8, 0)
    assert numbers["bound"] == pytest.approx(9 * np.log(4), abs=5 * numbers["standard error"] + 0.1)
    assert numbers["entropy of the test part"] < numbers["Markov chain"] < numbers["independent tokens"]
    # of 4^9 sequences less than one in ten occurs; 300 uniform draws are far from their distribution
    assert numbers["samples that occur"] < 0.2
    assert numbers["excess divergence of samples"] > 0.5


@pytest.mark.slow
def test_evaluation_of_grids_counts_their_constraints() -> None:
    model = SimplexDenoiser(replace(PRESETS["laptop-sudoku9"].config.model, width=16, depth=1), nnx.Rngs(0))
    grids = sudokus(64, np.random.default_rng(0))
    numbers = evaluate_model(model, Dataset("123456789", grids, grids, grids), 8, 64, 0)
    # digits at random: 9! / 9^9 of the rows, columns and boxes are without a repetition
    assert numbers["valid grids"] == 0
    assert 0 <= numbers["satisfied constraints"] < 0.1


def test_divergence_of_draws() -> None:
    sequences, distribution = np.array([[0, 0], [0, 1], [1, 1]]), np.array([0.5, 0.25, 0.25])
    counts = occurrences(np.array([[0, 1], [0, 1], [1, 0], [0, 0], [0, 1]]), sequences)
    np.testing.assert_array_equal(counts, [1, 3, 0])
    assert float(divergence(counts, distribution)) == pytest.approx(0.25 * np.log(0.5) + 0.75 * np.log(3))
    exact = np.random.default_rng(1).multinomial(1000, distribution, size=400)
    assert divergence(exact, distribution).mean() == pytest.approx(2 / 2000, rel=0.2)
    assert abs(np.mean([excess_divergence(row, distribution, 2) for row in exact])) < 4e-4
    assert np.isnan(divergence(np.zeros(3, int), distribution))
