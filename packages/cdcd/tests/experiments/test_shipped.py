"""Claims on shipped networks run on tiny ones, and read the right numbers."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from onepaper.claims import ClaimContext

from cdcd.claims import CLAIMS
from cdcd.experiments import shipped

MEASURED = ("loss_over_u", "weight_of_levels", "loss_of_masks", "final_tokens", "steps_of_euler", "temperatures")
# Measures whose sweeps differ from those only in their options, each of which is compiled.
SWEEPS = ("heun_against_euler", "guidance", "spacings")


@pytest.fixture
def tiny(weights: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Networks of the smoke presets in place of the shipped ones, few windows and steps."""
    shipped.setting.cache_clear()
    for name, value in {
        "WEIGHTS": str(weights / "speeches"), "EVALUATOR": str(weights / "speeches-evaluator"), "WINDOWS": 16,
        "BINS": 4, "FINAL_STEPS": 2, "SWEEP_STEPS": 2, "PROMPTS": {"quick": 4, "full": 4},
    }.items():  # fmt: skip
        monkeypatch.setattr(shipped, name, value)
    # Only the compiled program depends on the options, not on the number of steps.
    monkeypatch.setattr(shipped, "SCORE_TEMPERATURES", (0.8, 1.0))
    yield
    shipped.setting.cache_clear()


@pytest.mark.parametrize("name", [*MEASURED, *(pytest.param(name, marks=pytest.mark.slow) for name in SWEEPS)])
def test_measured_names_are_those_of_the_rule(name: str, tiny: None) -> None:
    claim = next(claim for claim in CLAIMS if claim.measure.endswith(f":{name}"))
    evidence, decision = claim.run(ClaimContext(tier=claim.tier, seeds=(0, 1, 2)))
    assert decision.reason
    # Networks that are not trained give the same tokens after any number of steps, so that there is no gap.
    measured = [measurement for measurement in evidence.measured if "gap" not in measurement.name]
    assert all(np.isfinite(measurement.values).all() for measurement in measured)
    if name in ("steps_of_euler", "temperatures", *SWEEPS):
        assert "Quality against entropy" in [artifact.title for artifact in evidence.artifacts]


def test_straightness() -> None:
    x = np.linspace(0, 1, 5)
    assert shipped.straightness(x, 3 * x + 1) == pytest.approx((1.0, 0.0), abs=1e-12)
    straight, deviation = shipped.straightness(x, np.array([0.0, 0, 0, 0, 1]))
    assert straight == pytest.approx(0.5)
    assert deviation == pytest.approx(0.4)
