"""The walks of C6 on few words."""

import numpy as np
import pytest
from onepaper.claims import ClaimContext

from sed.claims import CLAIMS
from sed.experiments import walks


def test_measured_names_are_those_of_the_rule(monkeypatch: pytest.MonkeyPatch) -> None:
    from sed.data.word_vectors import WordVectors

    vectors = np.random.default_rng(0).standard_normal((300, 384)) * np.geomspace(1, 0.05, 384)
    words = [f"w{number}" for number in range(299)] + ["sheep"]
    monkeypatch.setattr(walks, "word_vectors", lambda: WordVectors(words, vectors))
    claim = next(claim for claim in CLAIMS if claim.id == "C6")
    evidence, decision = claim.run(ClaimContext(tier="quick", seeds=(0, 1, 2)))
    assert decision.reason
    by_name = {measurement.name: measurement.mean for measurement in evidence.measured}
    assert by_name["step at which half have left, D=16"] < by_name["step at which half have left, D=384"]
    assert walks.shown_walk(16).startswith("sheep (1)")
