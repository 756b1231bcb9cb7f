import pytest
from onepaper.config import from_dict, to_dict
from onepaper.errors import UsageError

from compose_diffusion.config.networks import ScheduleConfig
from compose_diffusion.config.positions import (
    CanvasConfig,
    PositionNetworkConfig,
    PositionsComparison,
    PositionsConfig,
    TapestryComparison,
    WhatWhereComparison,
)
from compose_diffusion.presets import POSITIONS_PRESETS


def test_presets_survive_json():
    for preset in POSITIONS_PRESETS.values():
        assert from_dict(PositionsConfig, to_dict(preset.config)) == preset.config


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: CanvasConfig(size=7), "canvas size is 7, expected at least 8"),
        (lambda: CanvasConfig(size=24), "5 digits of 8 x 8 pixels on a canvas of size 24 cover more than 40%"),
        (lambda: CanvasConfig(max_digits=0), "max_digits is 0"),
        (
            lambda: from_dict(PositionNetworkConfig, {"form": "scores"}),
            "form: unknown value 'scores': did you mean 'score'",
        ),
        (lambda: PositionNetworkConfig(width=12), "width is 12, expected a multiple of 8"),
        (lambda: PositionNetworkConfig(multipliers=()), "multipliers is empty"),
        (lambda: PositionNetworkConfig(canvas_size=36), "canvas_size is 36, expected a multiple of 8"),
        (lambda: PositionsConfig(score=PositionNetworkConfig("energy")), "score.form is 'energy', expected 'score'"),
        (lambda: PositionsConfig(canvas=CanvasConfig(40)), "score.canvas_size is 32 and canvas.size 40"),
        (
            lambda: PositionsConfig(energy=PositionNetworkConfig("energy", schedule=ScheduleConfig(num_levels=50))),
            "expected equal ones",
        ),
        (lambda: PositionsComparison(counts=(1, 1)), "counts are \\[1, 1\\]"),
        (lambda: PositionsComparison(arms=("score/hmc",)), "unknown arm 'score/hmc'"),
        (lambda: PositionsComparison(num_levels=20), "lowest_level is 25, expected a level from 0 to 19"),
        (lambda: TapestryComparison(stride=9), "stride is 9, expected a number from 1 to 8"),
        (lambda: WhatWhereComparison(class_weight=0.0), "class_weight is 0"),
    ],
)
def test_wrong_settings_are_reported(make, message):
    with pytest.raises(UsageError, match=message):
        make()


def test_canvas_of_a_tapestry():
    assert TapestryComparison(rows=2, columns=3, stride=6).canvas == (14, 20)
