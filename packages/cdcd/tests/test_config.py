"""Configurations are validated."""

from collections.abc import Callable
from pathlib import Path

import pytest
from onepaper.errors import UsageError
from onepaper.optimizer import OptimizerOptions

from cdcd.config import (
    AutoregressiveConfig,
    DataConfig,
    ExperimentConfig,
    MaskConfig,
    ModelConfig,
    SamplingOptions,
    WarpConfig,
)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: WarpConfig(t_min=0.0), "t_min is 0.0"),
        (lambda: WarpConfig(t_min=2.0, t_max=2.0), "expected less than t_max"),
        (lambda: WarpConfig(temperature=0.0), "warp.temperature is 0.0"),
        (lambda: WarpConfig(temperature=float("nan")), "warp.temperature is nan"),
        (lambda: ModelConfig(width=20, heads=3), "width is 20 for 3 heads"),
        (lambda: ModelConfig(width=12, heads=4), "an even number of channels"),
        (lambda: ModelConfig(vocab_size=1), "vocab_size is 1"),
        (lambda: ModelConfig(time_width=7), "time_width is 7"),
        (lambda: AutoregressiveConfig(width=20, heads=3), "width is 20 for 3 heads"),
        (lambda: MaskConfig(prefix_share=1.5), "prefix_share is 1.5"),
        (lambda: ExperimentConfig(batch_size=7), "expected an even number"),
        (lambda: ExperimentConfig(batch_size=6, optimizer=OptimizerOptions(accumulation=2)), "in 2 parts"),
        (lambda: ExperimentConfig(mask=MaskConfig("fixed-prefix", prefix=32)), "less than the 32 positions"),
        (lambda: SamplingOptions(steps=0), "steps is 0"),
        (lambda: SamplingOptions(nucleus=1.1), "nucleus is 1.1"),
        (lambda: SamplingOptions(score_temperature=0.0), "score_temperature is 0.0"),
        (lambda: SamplingOptions(guidance=float("inf")), "guidance is inf"),
        (lambda: DataConfig("text"), "give their path"),
        (lambda: DataConfig(path=Path("here")), "takes no path"),
    ],
)
def test_wrong_values_are_refused(make: Callable[[], object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        make()


def test_limits_are_allowed() -> None:
    assert WarpConfig(temperature=float("inf")).temperature == float("inf")
    assert SamplingOptions(guidance=0.0).guidance == 0.0
