"""The claim on the language model runs on a tiny one, and reads the right numbers."""

from pathlib import Path

import numpy as np
import pytest
from onepaper.claims import ClaimContext

from slowae_rlt.claims import CLAIMS
from slowae_rlt.data.prompts import split_prompts
from slowae_rlt.experiments import language


def test_measured_names_are_those_of_the_rule(language_weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parts = {part: prompts[:6] for part, prompts in split_prompts(("en",)).items()}
    monkeypatch.setattr(language, "WEIGHTS", str(language_weights))
    monkeypatch.setattr(language, "PROMPT_SECONDS", 0.1)
    monkeypatch.setattr(language, "split_prompts", lambda languages: parts)
    language._language_model.cache_clear()
    claim = next(claim for claim in CLAIMS if claim.id == "C11")
    evidence, decision = claim.run(ClaimContext(tier="quick", seeds=(0,)))
    language._language_model.cache_clear()
    assert decision.verdict == "not reproduced"  # the model is untrained
    assert all(np.isfinite(measurement.values).all() for measurement in evidence.measured)
