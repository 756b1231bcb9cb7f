"""Costs of the presets."""

from audio_datasets.cli.costs import cost_of
from audio_datasets.presets import PRESETS


def test_costs() -> None:
    assert cost_of(PRESETS["paper-end-to-end-high"].config)["parameters"] == "1,565,002"
    assert cost_of(PRESETS["paper-features-culture"].config)["GPU time"].endswith("h at 100 TFLOP/s")
