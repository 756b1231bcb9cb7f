"""Functionals against numpy, column by column, and their standardisation."""

import numpy as np
import pytest
from onepaper.errors import UsageError

from audio_datasets.config import FeatureConfig
from audio_datasets.features.functionals import Scaler, clip_features, feature_names
from audio_datasets.features.low_level import low_level

CONFIG = FeatureConfig()


def test_against_single_columns() -> None:
    generator = np.random.default_rng(0)
    samples = np.sin(np.arange(8000) * 0.07).astype(np.float32) * np.linspace(0.1, 1, 8000, dtype=np.float32)
    samples[4000:6000] = 0.1 * generator.standard_normal(2000)
    found = dict(zip(feature_names(CONFIG), clip_features(samples, CONFIG), strict=True))
    values, names = low_level(samples, CONFIG)
    time = np.arange(len(values)) * 0.01
    for name in ("log_mel_7", "mfcc_3", "centroid", "pitch"):
        column = values[:, names.index(name)]
        column = column[~np.isnan(column)]
        assert found[f"{name}/mean"] == pytest.approx(column.mean(), rel=1e-4)
        assert found[f"{name}/deviation"] == pytest.approx(column.std(), rel=1e-4)
        assert found[f"{name}/p80"] == pytest.approx(np.percentile(column, 80), rel=1e-4)
    energy = values[:, names.index("log_energy")]
    assert found["log_energy/slope"] == pytest.approx(np.polyfit(time, energy, 1)[0], rel=1e-3, abs=1e-4)
    voiced = ~np.isnan(values[:, names.index("pitch")])
    assert found["voiced_share"] == pytest.approx(voiced.mean())
    assert found["log_seconds"] == pytest.approx(np.log(0.5))


def test_always_finite() -> None:
    for samples in (np.zeros(1), np.zeros(16_000), np.ones(3000), np.random.default_rng(0).standard_normal(700)):
        found = clip_features(samples.astype(np.float32), CONFIG)
        assert found.shape == (len(feature_names(CONFIG)),)
        assert np.isfinite(found).all()
    assert len(set(feature_names(CONFIG))) == len(feature_names(CONFIG))


def test_scaler() -> None:
    features = np.random.default_rng(0).normal(3, 2, (50, 4)).astype(np.float32)
    features[:, 2] = 7
    found = Scaler.fit(features)(features)
    np.testing.assert_allclose(found.mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(found.std(axis=0), [1, 1, 0, 1], atol=1e-5)
    with pytest.raises(UsageError, match="expected finite rows"):
        Scaler.fit(np.full((2, 2), np.nan, np.float32))
