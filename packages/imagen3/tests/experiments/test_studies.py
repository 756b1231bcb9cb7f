"""Claim C19."""

from onepaper.claims import ClaimContext

from imagen3.claims import CLAIMS
from imagen3.experiments.studies import simulated_plan

CLAIM = next(claim for claim in CLAIMS if claim.id == "C19")


def test_the_plan() -> None:
    evidence, _ = CLAIM.run(ClaimContext(seeds=(0,)))
    assert evidence.measurement("ratings").values == (375_000,)
    assert evidence.measurement("submissions").values == (7500,)
    assert evidence.measurement("violations").values == (0,)


def test_raters_of_own_taste_widen_only_the_bootstrap() -> None:
    found = simulated_plan(1)
    assert found["bootstrap, raters of own taste"] > 1.5 * found["bootstrap, independent votes"]
    assert found["closed form, raters of own taste"] < 1.1 * found["closed form, independent votes"]
