"""Claims on translation run on tiny networks, and read the right numbers."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from onepaper.claims import ClaimContext

from cdcd.claims import CLAIMS
from cdcd.config import SamplingOptions
from cdcd.experiments import translation

LEDGER = {claim.id: claim for claim in CLAIMS}


@pytest.fixture
def tiny(translators: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Networks of the smoke presets in place of the shipped ones, few sentences and steps."""
    translation.setting.cache_clear()
    for name, value in {
        "WEIGHTS": str(translators / "verses"), "BASELINE": str(translators / "verses-autoregressive"),
        "SENTENCES": {"quick": 4, "full": 4}, "OPTIONS": SamplingOptions(steps=2, guidance=2.0),
    }.items():  # fmt: skip
        monkeypatch.setattr(translation, name, value)
    yield
    translation.setting.cache_clear()


@pytest.mark.parametrize("name", ["C20", "C21"])
def test_measured_names_are_those_of_the_rule(name: str, tiny: None, tmp_path: Path) -> None:
    claim = LEDGER[name]
    evidence, decision = claim.run(ClaimContext(tier=claim.tier, seeds=(0, 1, 2), folder=tmp_path))
    assert decision.reason
    assert evidence.shown
