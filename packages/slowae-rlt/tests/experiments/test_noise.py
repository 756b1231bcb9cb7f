"""The noise test is decided by the exact part, and a quantiser without hysteresis fails it."""

import pytest
from onepaper.claims import ClaimContext, Verdict

from slowae_rlt.claims import CLAIMS
from slowae_rlt.experiments import noise

CLAIM = next(claim for claim in CLAIMS if claim.id == "C10")


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(noise, "PROMPTS", 2)


def test_reproduced() -> None:
    _, decision = CLAIM.run(ClaimContext(seeds=(0, 1, 2)))
    assert decision.verdict is Verdict.REPRODUCED, decision


def test_rounding_alone_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    quantize = noise.quantize
    monkeypatch.setattr(noise, "quantize", lambda z, levels, margin: quantize(z, levels, 0.5))
    _, decision = CLAIM.run(ClaimContext(seeds=(0, 1, 2)))
    assert decision.verdict is not Verdict.REPRODUCED
