"""The claim on collapse holds in a shorter training, and fails for another loss."""

import pytest
from onepaper.claims import ClaimContext

from cdcd.experiments import collapse


def test_directions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collapse, "STEPS", 800)
    found = {m.name: m.mean for m in collapse.collapse(ClaimContext(seeds=(0,))).measured}
    assert found["distance at the end over that at the start, squared error"] < 0.5
    assert found["norm at the end over that at the start, cross-entropy"] > 1.5
    assert found["norm at the end over that at the start, cross-entropy, normalised"] == pytest.approx(1, abs=1e-5)
    assert found["distance at the end over that at the start, cross-entropy, normalised"] > 0.9
