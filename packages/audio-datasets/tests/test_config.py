"""Configurations validate their fields."""

import pytest
from onepaper.errors import UsageError

from audio_datasets.config import (
    AdaptationConfig,
    DataConfig,
    EncoderConfig,
    EndToEndConfig,
    FeatureConfig,
    FeaturesExperiment,
    MLPConfig,
)


def test_wrong_values() -> None:
    with pytest.raises(UsageError, match="rate is 0"):
        DataConfig(rate=0)
    with pytest.raises(UsageError, match="too short for 30"):
        FeatureConfig(pitch_low=30.0)
    with pytest.raises(UsageError, match="pitch_high is 9000"):
        FeatureConfig(pitch_high=9000.0)
    with pytest.raises(UsageError, match="cepstra is 26"):
        FeatureConfig(cepstra=26)
    with pytest.raises(UsageError, match="frame is 100"):
        EndToEndConfig(frame=100)
    with pytest.raises(UsageError, match="width of a layer is 0"):
        MLPConfig(widths=(0,))
    with pytest.raises(UsageError, match="batch_size is 0"):
        FeaturesExperiment(batch_size=0)
    with pytest.raises(UsageError, match="encoder.layer is -2"):
        EncoderConfig(layer=-2)
    with pytest.raises(UsageError, match="steps is 0"):
        AdaptationConfig(steps=0)
