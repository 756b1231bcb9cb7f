from dataclasses import replace

import numpy as np
import pytest
from flax import nnx

from simplex_cir.config import PRESETS, OracleConfig
from simplex_cir.data import splice_sites
from simplex_cir.evaluation import cost_of, judge, oracle, token_law, variation_of
from simplex_cir.model import SimplexDenoiser


def test_law_of_tokens_and_of_pairs() -> None:
    np.testing.assert_allclose(token_law(np.array([[0], [1], [1], [1]]), 2), [0.25, 0.75])
    np.testing.assert_allclose(token_law(np.array([[0, 1, 1]]), 2), [0, 0.5, 0, 0.5])


def test_chain_is_stationary() -> None:
    chain = oracle(OracleConfig((0.5, 0.3, 0.2), stay=0.4, positions=5))
    np.testing.assert_allclose(chain.initial @ chain.transition, chain.initial)
    assert chain.transition[1, 1] == pytest.approx(0.4 + 0.6 * 0.3)


def test_a_good_sampler_is_near_and_a_bad_one_far() -> None:
    config = OracleConfig((0.7, 0.2, 0.1), num_draws=4000)
    assert variation_of(config, "quadratic-exponential", 32, 0) < 0.03
    assert variation_of(config, "euler-reflected", 3, 0) > 0.05


def test_judge_of_an_untrained_model() -> None:
    # At the start the model is the posterior of a uniform prior, whose bound is the cross-entropy log 4 a position.
    model = SimplexDenoiser(replace(PRESETS["smoke"].config.model, width=16, depth=1), nnx.Rngs(0))
    numbers = judge(model, splice_sites(), 300, 32, 0)
    assert numbers["bound"] == pytest.approx(9 * np.log(4), abs=5 * numbers["standard error"] + 0.1)
    assert numbers["entropy of the test part"] < numbers["Markov chain"] < numbers["independent tokens"]


def test_every_preset_has_a_cost() -> None:
    for preset in PRESETS.values():
        assert "parameters" in cost_of(preset.config)
