"""Functionals: numbers of a whole clip from its low-level descriptors, and their standardisation."""

from functools import cache
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from jaxtyping import Float, Float32
from onepaper.errors import UsageError

from audio_datasets.config import FeatureConfig
from audio_datasets.features.low_level import low_level

_STATISTICS = ("mean", "deviation", "p20", "p50", "p80", "range", "slope", "change")


def clip_features(samples: Float32[np.ndarray, " samples"], config: FeatureConfig) -> Float32[np.ndarray, " features"]:
    """Functionals of a waveform at `config.rate`; `feature_names` gives their names.

    Of each descriptor, over the frames where it exists: mean, standard deviation, percentiles 20, 50 and 80, the range
    from percentile 5 to 95, slope over time (a second) and mean absolute change from frame to frame. They are 0 for a
    descriptor of the pitch where no frame is voiced. Then the logarithm of the duration, the share of voiced frames,
    and the number of voiced segments a second.

    Raises:
        UsageError: no samples, or samples that are not finite.
    """
    values, names = low_level(samples, config)
    pitch = names.index("pitch")
    always, voiced = values[:, :pitch], values[:, pitch:]
    mask = ~np.isnan(voiced[:, 0])
    parts = [_statistics(always, config.hop_seconds)]
    # Of the first voiced frame after another one there is no change yet: NaN is left out column by column.
    for column in voiced.T:
        present = column[~np.isnan(column)]
        parts.append(_statistics(present[:, None], config.hop_seconds) if len(present) else np.zeros(len(_STATISTICS)))
    segments = int(mask[0]) + int((mask[1:] & ~mask[:-1]).sum())
    seconds = len(samples) / config.rate
    parts.append(np.array([np.log(seconds), mask.mean(), segments / seconds]))
    return np.concatenate(parts).astype(np.float32)


def _statistics(values: npt.NDArray[Any], hop: float) -> npt.NDArray[Any]:
    """Statistics of each column, column by column."""
    low, *middle, high = np.percentile(values, (5, 20, 50, 80, 95), axis=0)
    time = (np.arange(len(values)) - (len(values) - 1) / 2) * hop
    slope = time @ values / max(float(time @ time), 1e-12)
    change = np.abs(np.diff(values, axis=0)).mean(axis=0) if len(values) > 1 else np.zeros(values.shape[1])
    rows = [values.mean(axis=0), values.std(axis=0), *middle, high - low, slope, change]
    return np.stack(rows, axis=1).ravel()


@cache
def feature_names(config: FeatureConfig) -> tuple[str, ...]:
    """Names of the functionals, in the order of `clip_features`."""
    names = low_level(np.zeros(config.rate, np.float32), config).names
    functionals = [f"{name}/{statistic}" for name in names for statistic in _STATISTICS]
    return (*functionals, "log_seconds", "voiced_share", "voiced_segments_per_second")


class Scaler(NamedTuple):
    """Standardisation by the statistics of the training clips.

    Attributes:
        mean: of each feature.
        scale: its standard deviation, 1 for a constant.
    """

    mean: Float32[np.ndarray, " features"]
    scale: Float32[np.ndarray, " features"]

    @classmethod
    def fit(cls, features: Float32[np.ndarray, "clips features"]) -> "Scaler":
        """The statistics of these clips.

        Raises:
            UsageError: no clips, or values that are not finite.
        """
        if features.ndim != 2 or not len(features) or not np.isfinite(features).all():
            raise UsageError(f"features have shape {features.shape}, expected finite rows, one a clip")
        deviation = features.std(axis=0)
        return cls(features.mean(axis=0), np.where(deviation > 1e-8, deviation, 1).astype(np.float32))

    def __call__(self, features: Float[np.ndarray, "clips features"]) -> Float32[np.ndarray, "clips features"]:
        """(x - mean) / scale."""
        return ((features - self.mean) / self.scale).astype(np.float32)
