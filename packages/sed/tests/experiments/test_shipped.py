"""Claims on shipped networks run on tiny ones, and read the right numbers."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from onepaper.claims import ClaimContext

from sed.claims import CLAIMS
from sed.experiments import shipped

# Each setting of a sampler is compiled; the last three have several.
MEASURED = (
    "tasks_of_one_network",
    "padding",
    pytest.param("self_conditioning_at_sampling", marks=pytest.mark.slow),
    pytest.param("steps_of_the_sampler", marks=pytest.mark.slow),
    pytest.param("guidance", marks=pytest.mark.slow),
)


@pytest.fixture
def tiny(weights: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Networks of the smoke presets in place of the shipped ones, few samples and steps."""
    shipped.setting.cache_clear()
    for name, value in {
        "WEIGHTS": str(weights / "kjv"), "EVALUATOR": str(weights / "kjv-evaluator"), "STEPS": 2,
        "SAMPLES": {"quick": 4, "full": 4}, "STEP_COUNTS": (2, 3),
    }.items():  # fmt: skip
        monkeypatch.setattr(shipped, name, value)
    yield
    shipped.setting.cache_clear()


@pytest.mark.parametrize("name", MEASURED)
def test_measured_names_are_those_of_the_rule(name: str, tiny: None, monkeypatch: pytest.MonkeyPatch) -> None:
    claims = [claim for claim in CLAIMS if claim.measure.endswith(f":{name}")]
    assert claims
    context = ClaimContext(tier=claims[0].tier, seeds=(0, 1, 2))
    for claim in claims:
        evidence, decision = claim.run(context)
        assert decision.reason
        assert all(np.isfinite(measurement.values).all() for measurement in evidence.measured)
    if name == "tasks_of_one_network":
        assert evidence.measurement("given tokens that changed").mean == 0


def test_filled_parts_are_in_brackets(tiny: None) -> None:
    codec = shipped.setting().network.codec
    row = codec.encode(" And the king")
    assert shipped._show(row, np.array([True, False, True])) == " And[ the] king"
