"""Comparisons of trainings run on tiny models, and read the names that the rules decide on."""

from dataclasses import replace

import pytest
from onepaper.claims import ClaimContext

from slowae_rlt.claims import CLAIMS
from slowae_rlt.experiments import trainings
from slowae_rlt.presets import PRESETS

SMOKE = PRESETS["smoke"].config


@pytest.mark.slow
@pytest.mark.parametrize("name", ["fixed_weights", "target_rates", "penalties", "sizes"])
def test_measured_names_are_those_of_the_rule(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trainings, "BASE", replace(SMOKE, loop=replace(SMOKE.loop, steps=2)))
    for claim in (claim for claim in CLAIMS if claim.measure.endswith(f":{name}")):
        evidence, decision = claim.run(ClaimContext(tier="retrain", seeds=(0,)))
        assert decision.reason
        assert len(evidence.measured) >= 6


def test_arms_differ_in_what_is_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = {}
    monkeypatch.setattr(trainings, "_measure", lambda context, configs: seen.update(configs) or {})
    trainings.sizes(ClaimContext())
    assert [(c.model.quantizer.channels, c.model.quantizer.levels) for c in seen.values()] == [(1, 7), (4, 1), (4, 7)]
    seen.clear()
    trainings.fixed_weights(ClaimContext())
    assert all(not config.slowness.controller.target_rate for config in seen.values())
    assert [config.slowness.controller.initial for config in seen.values()] == list(trainings.FIXED_WEIGHTS)
