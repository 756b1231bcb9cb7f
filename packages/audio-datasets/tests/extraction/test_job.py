"""What an extraction computes."""

import numpy as np
import pytest
from onepaper.errors import UsageError

from audio_datasets.config import FeatureConfig
from audio_datasets.extraction.job import Extraction
from audio_datasets.features.functionals import clip_features, feature_names


def test_open_functionals() -> None:
    samples = np.random.default_rng(0).uniform(-0.5, 0.5, 8000).astype(np.float32)
    np.testing.assert_array_equal(Extraction().of(samples), clip_features(samples, FeatureConfig()))
    assert Extraction().names == feature_names(FeatureConfig())


def test_functionals_of_open_smile() -> None:
    pytest.importorskip("opensmile")
    extraction = Extraction("egemaps")
    assert len(extraction.names) == 88
    assert extraction.of(np.zeros(8000, np.float32)).shape == (88,)


def test_wrong_values() -> None:
    with pytest.raises(UsageError, match="max_seconds"):
        Extraction(max_seconds=0)
    with pytest.raises(UsageError, match="did you mean 'skip'"):
        Extraction(unreadable="skp")  # type: ignore[arg-type]
