"""openSMILE's functionals: their numbers, the pitch of a tone, and its pitch against ours."""

import sys

import numpy as np
import pytest
from onepaper.errors import UsageError

from audio_datasets.config import FeatureConfig
from audio_datasets.features import open_smile
from audio_datasets.features.functionals import clip_features, feature_names
from audio_datasets.features.open_smile import smile_features, smile_names

TONE = (0.3 * np.sin(2 * np.pi * 220 * np.arange(16_000) / 16_000)).astype(np.float32)


def test_functionals() -> None:
    pytest.importorskip("opensmile")
    assert (len(smile_names("egemaps")), len(smile_names("compare"))) == (88, 6373)
    found = smile_features(TONE, 16_000, "egemaps")
    assert found.shape == (88,)
    # 220 Hz are 36 semitones above 27.5 Hz.
    theirs = found[smile_names("egemaps").index("F0semitoneFrom27.5Hz_sma3nz_amean")]
    ours = clip_features(TONE, FeatureConfig())[feature_names(FeatureConfig()).index("pitch/mean")]
    assert theirs == pytest.approx(36, abs=0.1)
    assert ours == pytest.approx(theirs, abs=0.1)


@pytest.mark.parametrize("samples", [1, 200, 1600])
def test_short_waveforms(samples: int) -> None:
    pytest.importorskip("opensmile")
    assert np.isfinite(smile_features(TONE[:samples], 16_000, "egemaps")).all()


def test_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="finite samples"):
        smile_features(np.zeros(0, np.float32), 16_000, "egemaps")
    open_smile._extractor.cache_clear()
    monkeypatch.setitem(sys.modules, "opensmile", None)
    with pytest.raises(UsageError, match="its licence"):
        smile_names("egemaps")
    open_smile._extractor.cache_clear()
