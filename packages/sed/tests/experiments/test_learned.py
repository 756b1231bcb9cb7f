"""C13 on few steps: all that the rule reads is measured."""

import numpy as np
import pytest
from onepaper.claims import ClaimContext

from sed.claims import CLAIMS
from sed.config import SamplingOptions
from sed.experiments import learned


@pytest.mark.slow
def test_measured_names_are_those_of_the_rule(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"STEPS": 2, "LOG_EVERY": 1, "SAMPLES": 3, "SAMPLING": SamplingOptions(steps=2)}.items():
        monkeypatch.setattr(learned, name, value)
    claim = next(claim for claim in CLAIMS if claim.id == "C13")
    evidence, decision = claim.run(ClaimContext(tier="quick", seeds=(0,)))
    assert decision.reason
    assert all(np.isfinite(measurement.values).all() for measurement in evidence.measured)
    fixed, trained = (evidence.measurement(f"spread, {name}").mean for name in ("fixed", "learned"))
    assert 0.5 < fixed < 1
    assert trained != fixed
