"""The measuring functions on small sizes; what they compute is tested beside its definition."""

import numpy as np
import pytest
from onepaper.claims import ClaimContext

from simplex_cir.claims import CLAIMS
from simplex_cir.diffusion.posterior import INVALID_TOKEN
from simplex_cir.experiments import theory
from simplex_cir.experiments.theory import PRIORS, g_test, sampling_floor, total_variation


def test_total_variation_and_its_floor() -> None:
    prior = np.array([0.5, 0.5])
    assert total_variation(np.array([0, 0, 0, 1]), prior) == pytest.approx(0.25)
    assert total_variation(np.array([0, 1, INVALID_TOKEN, INVALID_TOKEN]), prior) == pytest.approx(0.5)
    # E |B / n - 1/2| for n = 1 is 1/2
    assert sampling_floor(prior, 1) == pytest.approx(0.5)
    assert sampling_floor(prior, 10_000) == pytest.approx(0.5 * np.sqrt(2 / np.pi) / 100, rel=0.15)


def test_g_test_rejects_a_wrong_distribution() -> None:
    generator = np.random.default_rng(0)
    prior = PRIORS["n=4"]
    assert g_test(generator.choice(4, 20_000, p=prior), prior) > 1e-3
    assert g_test(generator.choice(4, 20_000), prior) < 1e-6


SLOW = ("general_process", "stationary_distribution", "floor_in_euler")


@pytest.mark.parametrize(
    "name", ["vector_is_not_the_posterior", *(pytest.param(name, marks=pytest.mark.slow) for name in SLOW)]
)
def test_measurements_have_the_names_in_the_rules(name: str) -> None:
    evidence = getattr(theory, name)(ClaimContext(seeds=(100, 101, 102)))
    claims = [claim for claim in CLAIMS if claim.measure.endswith(f":{name}")]
    assert claims
    for claim in claims:
        claim.rule.decide(evidence)
