from simplex_cir.cli.costs import cost_of
from simplex_cir.presets import PRESETS


def test_every_preset_has_a_cost() -> None:
    for preset in PRESETS.values():
        assert "parameters" in cost_of(preset.config)
