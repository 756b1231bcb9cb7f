"""Claims on trainings run with tiny arms, and read the right numbers."""

from dataclasses import replace
from pathlib import Path

import pytest
from onepaper.claims import ClaimContext

from cdcd.claims import CLAIMS
from cdcd.experiments import shipped, training_arms
from cdcd.presets import PRESETS

LEDGER = {claim.id: claim for claim in CLAIMS}


@pytest.mark.parametrize("name", ["C6", *(pytest.param(name, marks=pytest.mark.slow) for name in ("C5", "C10", "C24"))])
def test_measured_names_are_those_of_the_rule(
    name: str, weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shipped.setting.cache_clear()
    monkeypatch.setattr(shipped, "WEIGHTS", str(weights / "speeches"))
    monkeypatch.setattr(shipped, "EVALUATOR", str(weights / "speeches-evaluator"))
    config = PRESETS["smoke"].config
    tiny = replace(config, loop=replace(config.loop, steps=2, evaluate_every=0))
    monkeypatch.setitem(PRESETS, "tiny", replace(PRESETS["smoke"], config=tiny))
    for field, value in {"PRESET": "tiny", "PROMPTS": {"retrain": 4}}.items():
        monkeypatch.setattr(training_arms, field, value)
    for field in ("WARPED", "UNWARPED"):
        monkeypatch.setattr(training_arms, field, replace(getattr(training_arms, field), steps=2))
    evidence, decision = LEDGER[name].run(ClaimContext(tier="retrain", seeds=(0,), folder=tmp_path))
    assert "there is no" not in decision.reason
    assert evidence.measured
    shipped.setting.cache_clear()
