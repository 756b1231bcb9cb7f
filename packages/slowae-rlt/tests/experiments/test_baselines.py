"""Trainings of language models run on tiny models, and read the names that the rules decide on."""

from dataclasses import replace

import pytest
from onepaper.claims import ClaimContext

from slowae_rlt.claims import CLAIMS
from slowae_rlt.config import DataConfig
from slowae_rlt.experiments import baselines
from slowae_rlt.presets import PRESETS

SMOKE = PRESETS["smoke-rlt"].config


@pytest.mark.slow
@pytest.mark.parametrize("name", ["raster_baseline", "conditions"])
def test_measured_names_are_those_of_the_rule(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    config = replace(SMOKE, loop=replace(SMOKE.loop, steps=2), data=DataConfig(languages=("en", "it")))
    monkeypatch.setattr(baselines, "BASE", config)
    conditioned = replace(config, model=replace(config.model, conditions=("en", "it")))
    monkeypatch.setattr(baselines, "CONDITIONED", conditioned)
    (claim,) = [claim for claim in CLAIMS if claim.measure.endswith(f":{name}")]
    evidence, decision = claim.run(ClaimContext(tier="full", seeds=(0,)))
    assert decision.reason
    assert len(evidence.measured) == 3
