"""Configurations are validated."""

from dataclasses import replace
from typing import Any

import pytest
from onepaper.errors import UsageError

from hares.config import EncoderConfig, FrontEndConfig, PoolConfig, TrainConfig


@pytest.mark.parametrize(
    ("config", "change", "expected"),
    [
        (FrontEndConfig(), {"high": 9000.0}, "9000"),
        (FrontEndConfig(), {"fft": 256}, "at least the window"),
        (EncoderConfig(), {"architecture": "lstm"}, "lstm"),
        (EncoderConfig(), {"depths": (1, 2)}, "four numbers"),
        (EncoderConfig(), {"width": 40}, "multiple of 32"),
        (EncoderConfig(), {"fast_group": 5}, "divisor of 16"),
        (EncoderConfig(architecture="vit"), {"width": 100}, "multiple of 64"),
        (PoolConfig(), {"source": "web"}, "web"),
        (TrainConfig(), {"batch_size": 1}, "at least 2"),
        (TrainConfig(), {"encoder": EncoderConfig(architecture="statistics")}, "no parameters"),
    ],
)
def test_wrong_values_are_refused(config: Any, change: dict[str, Any], expected: str) -> None:
    with pytest.raises(UsageError, match=expected):
        replace(config, **change)
