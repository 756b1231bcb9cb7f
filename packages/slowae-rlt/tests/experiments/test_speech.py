"""Measurements on speech run on band energies, and read the names that the rules decide on."""

import numpy as np
import pytest
from onepaper.claims import ClaimContext

from slowae_rlt.claims import CLAIMS
from slowae_rlt.data.prompts import clips, split_prompts
from slowae_rlt.experiments import speech

MEASURED = ("activity", "phone_boundaries", "speaking_rates", "baseline_sequence_durations")


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Band energies in place of the shipped model, and few recordings."""
    parts = {name: part[:3] for name, part in split_prompts().items()}
    monkeypatch.setattr(speech, "WEIGHTS", "identity")
    monkeypatch.setattr(speech, "split_prompts", lambda: parts)
    monkeypatch.setattr(speech, "clips", lambda: clips()[:8])
    monkeypatch.setattr(speech, "SEQUENCE", 200)


@pytest.mark.parametrize("name", MEASURED)
def test_measured_names_are_those_of_the_rule(name: str) -> None:
    claim = next(claim for claim in CLAIMS if claim.measure.endswith(f":{name}"))
    evidence, decision = claim.run(ClaimContext(seeds=(0, 1, 2)))
    assert decision.reason
    assert all(np.isfinite(measurement.values).all() for measurement in evidence.measured)


def test_faster_speech_has_more_events_of_the_baseline() -> None:
    found = {m.name: m.mean for m in speech.speaking_rates(ClaimContext()).measured}
    assert found["rank correlation of speaking rate and event rate"] > 0.5
