"""Costs by published arithmetic."""

from hares.cli.costs import cost_of
from hares.presets import PRESETS


def test_costs() -> None:
    cost = cost_of(PRESETS["paper-simclr-slowfast-nfnet-f0"].config)
    assert cost["parameters"] == "62,970,654"
    # 3.70 G at 300 x 80.
    assert 3.5 < float(cost["MACs a crop"].split()[0]) < 3.8
