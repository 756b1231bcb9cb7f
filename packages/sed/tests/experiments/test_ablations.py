"""Ablations train each variant, and read the right numbers."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from onepaper.claims import ClaimContext

from sed.claims import CLAIMS
from sed.config import EmbeddingConfig, SamplingOptions
from sed.experiments import ablations, shipped
from sed.presets import PRESETS


@pytest.fixture
def tiny(weights: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The smoke preset in place of the laptop preset, two steps of training."""
    shipped.setting.cache_clear()
    monkeypatch.setattr(shipped, "WEIGHTS", str(weights / "kjv"))
    monkeypatch.setattr(shipped, "EVALUATOR", str(weights / "kjv-evaluator"))
    embeddings = EmbeddingConfig(weights=str(weights / "kjv-embeddings"))
    masked = PRESETS["smoke-embeddings"].config
    small = {"laptop-embeddings": replace(masked, loop=replace(masked.loop, steps=2, evaluate_every=0)),
             "laptop-wide": replace(PRESETS["smoke"].config, embeddings=embeddings)}  # fmt: skip
    for name, config in small.items():
        monkeypatch.setitem(PRESETS, name, replace(PRESETS[name], config=config))
    for name, value in {
        "STEPS": 2, "SAMPLES": 4, "SAMPLING": SamplingOptions(steps=2),
        "_BASE": replace(PRESETS["smoke"].config, embeddings=embeddings),
    }.items():  # fmt: skip
        monkeypatch.setattr(ablations, name, value)
    yield
    shipped.setting.cache_clear()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["spaces", "spans", "dimensions", "widths"])
def test_measured_names_are_those_of_the_rule(name: str, tiny: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ablations, "EmbeddingConfig", lambda source: (
        ablations._BASE.embeddings if source == "pretrained" else EmbeddingConfig(source)
    ))  # fmt: skip
    claims = [claim for claim in CLAIMS if claim.measure.endswith(f":{name}")]
    context = ClaimContext(tier="retrain", seeds=(0,))
    for claim in claims:
        evidence, decision = claim.run(context)
        assert decision.reason
        assert any(measurement.name.startswith("entropy above data") for measurement in evidence.measured)
