"""Costs of presets."""

from imagen3.cli.costs import cost_of
from imagen3.presets import PRESETS


def test_costs() -> None:
    assert cost_of(PRESETS["laptop-s"].config)["parameters"] == "3,484,688"
