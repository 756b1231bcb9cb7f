"""The measuring functions, small: what they compute is tested where it lives."""

import numpy as np
import pytest
from onepaper.claims import ClaimContext

from simplex_cir.claims import CLAIMS
from simplex_cir.diffusion.posterior import INVALID_TOKEN
from simplex_cir.experiments import theory
from simplex_cir.experiments.theory import PRIORS, floor_of_variation, g_test, total_variation


def test_total_variation_and_its_floor() -> None:
    prior = np.array([0.5, 0.5])
    assert total_variation(np.array([0, 0, 0, 1]), prior) == pytest.approx(0.25)
    assert total_variation(np.array([0, 1, INVALID_TOKEN, INVALID_TOKEN]), prior) == pytest.approx(0.5)
    # E |B / n - 1/2| for n = 1 is 1/2
    assert floor_of_variation(prior, 1) == pytest.approx(0.5)
    assert floor_of_variation(prior, 10_000) == pytest.approx(0.5 * np.sqrt(2 / np.pi) / 100, rel=0.15)


def test_g_test_sees_a_wrong_law() -> None:
    generator = np.random.default_rng(0)
    prior = PRIORS["n=4"]
    assert g_test(generator.choice(4, 20_000, p=prior), prior) > 1e-3
    assert g_test(generator.choice(4, 20_000), prior) < 1e-6


@pytest.mark.parametrize("name", ["general_process", "stationary_law", "vector_is_no_posterior", "floor_of_euler"])
def test_measurements_bear_the_names_that_rules_ask_for(name: str) -> None:
    evidence = getattr(theory, name)(ClaimContext(seeds=(100, 101, 102)))
    claims = [claim for claim in CLAIMS if claim.measure.endswith(f":{name}")]
    assert claims
    for claim in claims:
        claim.rule.judge(evidence)
