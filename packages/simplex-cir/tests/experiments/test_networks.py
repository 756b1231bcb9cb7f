"""The measuring functions on few samples: they measure what the rules name, and correctly."""

import jax
import numpy as np
import pytest
from onepaper.claims import ClaimContext

from simplex_cir.claims import CLAIMS
from simplex_cir.data.sequences import splice_sites
from simplex_cir.experiments import networks
from simplex_cir.experiments.networks import comparison_configs, splice_table, table_nats, variation, variation_floor


def test_total_variation_counts_draws_outside_the_support() -> None:
    sequences, distribution = np.array([[0, 0], [0, 1]]), np.array([0.5, 0.5])
    assert variation(np.array([[0, 0], [0, 1]]), sequences, distribution) == pytest.approx(0)
    assert variation(np.array([[0, 0], [0, 0]]), sequences, distribution) == pytest.approx(0.5)
    assert variation(np.array([[1, 1], [0, 1]]), sequences, distribution) == pytest.approx(0.5)
    # for one draw of two: half of |1 - 1/2| + |0 - 1/2|
    assert variation_floor(distribution, 1, 0) == pytest.approx(0.5)


def test_the_table_has_the_frequency_of_every_occurrence() -> None:
    table, tokens = splice_table(), splice_sites().test
    nats = table_nats(table, tokens)
    assert nats.mean() == pytest.approx(table.entropy(), abs=0.05)
    assert np.exp(-nats).min() > 0


def test_compared_trainings_differ_in_one_setting() -> None:
    arms = comparison_configs()
    plain = arms["nothing hidden"]
    assert plain.mask_prob == 0
    assert arms["nothing hidden, bound as loss"].loss == "bound"
    assert not arms["nothing hidden, no evidence"].model.evidence
    assert {arm.loop.steps for arm in arms.values()} == {networks.COMPARISON_STEPS}


SMALL = {
    "NUM_GRIDS": 4, "STEPS": 2, "TEXT_STEPS": 2, "NUM_FILLED": 8, "FILLING_STEPS": 2, "SWEEP": (1, 4, 16, 64),
    "BOUND_SIZES": {"splice": (8, 4), "letters": (4, 2), "digits": (4, 2)},
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("name", ["learned_models", "infilling"])
def test_measurements_have_the_names_in_the_rules(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for constant, value in SMALL.items():
        monkeypatch.setattr(networks, constant, value)
    evidence = getattr(networks, name)(ClaimContext(seeds=(0, 1)))
    claims = [claim for claim in CLAIMS if claim.measure.endswith(f":{name}")]
    assert claims
    for claim in claims:
        claim.rule.decide(evidence)
    jax.clear_caches()
