"""Exact claims hold, and would not for wrong scores or maps."""

import pytest
from onepaper.claims import ClaimContext, Verdict

from cdcd.claims import CLAIMS
from cdcd.diffusion import embeddings
from cdcd.experiments import exact

LEDGER = {claim.id: claim for claim in CLAIMS}


@pytest.mark.parametrize("name", ["C1", "C11"])
def test_reproduced(name: str) -> None:
    evidence, decision = LEDGER[name].run(ClaimContext(seeds=(0, 1, 2)))
    assert decision.verdict is Verdict.REPRODUCED, decision
    assert evidence.measured


def test_decoded_tokens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exact, "PAPER_VOCAB", 500)
    monkeypatch.setattr(exact, "DECODED", 100)
    found = {m.name: m.mean for m in exact.decodability(ClaimContext(seeds=(0, 1, 2))).measured}
    assert found["decoded, d=256"] == 1.0 >= found["decoded, d=64"] > 0.9 > found["decoded, d=16"]


def test_a_wrong_norm_breaks_the_identity(monkeypatch: pytest.MonkeyPatch) -> None:
    """Embeddings whose norms differ: the products alone are not the posterior any more."""
    normalize = embeddings.normalize
    monkeypatch.setattr(exact, "normalize", lambda table: normalize(table) * (1 + 0.1 * table[:, :1]))
    _, decision = LEDGER["C1"].run(ClaimContext(seeds=(0, 1, 2)))
    assert decision.verdict is not Verdict.REPRODUCED
