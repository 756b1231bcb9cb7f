"""Wrong values are refused with what was expected."""

import pytest
from onepaper.errors import UsageError

from slowae_rlt.config import (
    ControllerConfig,
    DataConfig,
    DecoderConfig,
    EncoderConfig,
    ExperimentConfig,
    MelConfig,
    ModelConfig,
    QuantizerConfig,
    SlownessConfig,
)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: DataConfig("audio"), "give their folder"),
        (lambda: DataConfig(languages=("de",)), "unknown language 'de'"),
        (lambda: QuantizerConfig(margin=0.3), "expected at least 0.5"),
        (lambda: QuantizerConfig(levels=0), "levels is 0"),
        (lambda: QuantizerConfig(channels=256), "at most 255"),
        (lambda: ControllerConfig(smallest=2.0, largest=1.0), "expected more than smallest"),
        (lambda: EncoderConfig(strides=()), "strides is empty"),
        (lambda: EncoderConfig(dilations=(1, 0)), "dilations is 0"),
        (lambda: MelConfig(window=8), "expected at least hop"),
        (lambda: ModelConfig(decoder=DecoderConfig(frame_steps=2)), "expected 32"),
        (
            lambda: ExperimentConfig(slowness=SlownessConfig(controller=ControllerConfig(target_rate=2000.0))),
            "expected less than 2000",
        ),
        (lambda: ExperimentConfig(data=DataConfig(crop_seconds=0.011)), "whole number of spectrogram frames"),
    ],
)
def test_refused(build, message: str) -> None:  # noqa: ANN001
    with pytest.raises(UsageError, match=message):
        build()


def test_derived() -> None:
    config = ExperimentConfig()
    assert (config.model.grid_rate, config.model.encoder.stride, config.crop_steps) == (500.0, 16, 500)
