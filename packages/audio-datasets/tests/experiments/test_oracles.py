"""Claims of arithmetic hold, and would not for other formulas."""

import pytest
from onepaper.claims import ClaimContext, Verdict

from audio_datasets.claims import CLAIMS
from audio_datasets.experiments import oracles

LEDGER = {claim.id: claim for claim in CLAIMS}


@pytest.mark.parametrize("name", ["C2", "X1", "X2", "X3", "X4"])
def test_reproduced(name: str) -> None:
    _, decision = LEDGER[name].run(ClaimContext(seeds=(0, 1, 2)))
    assert decision.verdict is Verdict.REPRODUCED, decision


def test_another_covariance_breaks_the_claim(monkeypatch: pytest.MonkeyPatch) -> None:
    ccc = oracles.ccc
    monkeypatch.setattr(oracles, "ccc", lambda *arguments: 1.01 * ccc(*arguments))
    _, decision = LEDGER["X1"].run(ClaimContext(seeds=(0, 1, 2)))
    assert decision.verdict is Verdict.NOT_REPRODUCED
