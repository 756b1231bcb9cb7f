from perceiver_ar.cli.costs import cost_of
from perceiver_ar.presets import PRESETS


def test_a_cost_table_has_numbers_of_the_preset() -> None:
    costs = cost_of(PRESETS["paper-imagenet64"].config)
    assert costs["by the official layout"] == "770,094,339"
    assert costs["targets per step"] == f"{2048 * 1024:,}"
    assert costs["GPU time"].endswith("h at 100 TFLOP/s")
