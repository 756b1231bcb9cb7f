"""Claims on translation run on tiny networks, and read the right numbers."""

from dataclasses import replace
from pathlib import Path

import pytest
from onepaper.claims import ClaimContext

from cdcd.claims import CLAIMS
from cdcd.config import SamplingOptions
from cdcd.experiments import translation
from cdcd.presets import PRESETS

LEDGER = {claim.id: claim for claim in CLAIMS}


@pytest.mark.parametrize("name", [pytest.param("C20", marks=pytest.mark.slow), "C21"])
def test_measured_names_are_those_of_the_rule(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for field, preset in (("PRESET", "smoke-mt"), ("BASELINE", "smoke-mt-autoregressive")):
        config = PRESETS[preset].config
        short = replace(config, loop=replace(config.loop, steps=2, evaluate_every=0))
        monkeypatch.setitem(PRESETS, f"tiny-{preset}", replace(PRESETS[preset], config=short))
        monkeypatch.setattr(translation, field, f"tiny-{preset}")
    monkeypatch.setattr(translation, "SENTENCES", 4)
    monkeypatch.setattr(translation, "OPTIONS", SamplingOptions(steps=2, guidance=2.0))
    claim = LEDGER[name]
    evidence, decision = claim.run(ClaimContext(tier=claim.tier, seeds=(0,), folder=tmp_path))
    assert "a verdict needs 3 seeds" in decision.reason
    assert evidence.measured
