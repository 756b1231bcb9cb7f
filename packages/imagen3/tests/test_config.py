"""Configurations are validated."""

from dataclasses import replace
from pathlib import Path

import pytest
from onepaper.errors import UsageError

from imagen3.config import (
    AutoencoderConfig,
    DataConfig,
    DenoiserConfig,
    ObjectiveConfig,
    SamplingOptions,
    SystemConfig,
    TextConfig,
)


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda: DataConfig("folder"), "give both or neither"),
        (lambda: DataConfig(categories=("Food",)), "did you mean 'Food & Drink'"),
        (lambda: TextConfig(path=Path("t5")), "give both or neither"),
        (lambda: AutoencoderConfig(factor=6), "factor is 6"),
        (lambda: AutoencoderConfig(width=20), "multiple of 8"),
        (lambda: DenoiserConfig(width=100), "expected a multiple of 16 for 4 heads"),
        (lambda: DenoiserConfig(positions="table"), "table_size"),
        (lambda: ObjectiveConfig(shift=0.0), "shift is 0"),
        (lambda: SamplingOptions(guidance=-1.0), "guidance is -1"),
        (lambda: SamplingOptions(steps=0), "steps is 0"),
        (lambda: SamplingOptions(interval=(0.9, 0.1)), "two noise levels in order"),
    ],
)
def test_wrong_values_are_refused(make: type, expected: str) -> None:
    with pytest.raises(UsageError, match=expected):
        make()


def test_parts_fit_each_other(config: SystemConfig) -> None:
    with pytest.raises(UsageError, match="output_channels is 8, expected 0 or 4"):
        replace(config, denoiser=replace(config.denoiser, output_channels=8))
    with pytest.raises(UsageError, match="expected 4, the channels of the autoencoder"):
        replace(config, denoiser=replace(config.denoiser, channels=8))
    with pytest.raises(UsageError, match="expected text.dim, 128"):
        replace(config, denoiser=replace(config.denoiser, text_dim=64))
    with pytest.raises(UsageError, match="expected a multiple of factor \\* patch = 8"):
        replace(config, data=replace(config.data, size=36))
    assert config.grid == 8
