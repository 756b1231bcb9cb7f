"""Costs of presets."""

from sed.cli.costs import cost_of
from sed.presets import PRESETS


def test_costs() -> None:
    found = cost_of(PRESETS["paper-s"].config)
    assert found["parameters"] == "134,205,984"
    assert found["tokens per step"] == "65,536"
