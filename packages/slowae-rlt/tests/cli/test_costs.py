"""Costs of the presets."""

from slowae_rlt.cli.costs import cost_of
from slowae_rlt.presets import PRESETS


def test_costs() -> None:
    found = cost_of(PRESETS["laptop"].config)
    width, wide = 64, 96
    block = lambda w: w + 3 * w * w + w + w * w + w  # noqa: E731 - norm, taps, linear
    encoder = 48 * width + width + 4 * block(width) + width + width * 4 + 4
    decoder = 4 * wide + wide + 7 * block(wide) + 4 * wide * wide + wide + wide + wide * 48 + 48
    assert found["parameters"] == f"{encoder + decoder:,}"
