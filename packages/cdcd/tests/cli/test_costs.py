"""Costs of the presets."""

from cdcd.cli.costs import cost_of
from cdcd.presets import PRESETS


def test_costs() -> None:
    found = cost_of(PRESETS["paper-base"].config)
    assert found["parameters"] == "147,041,992"
    assert found["tokens per step"] == "65,536"
    assert cost_of(PRESETS["smoke-evaluator"].config)["GPU time"].endswith("h at 100 TFLOP/s")
