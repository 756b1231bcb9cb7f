"""What an extraction computes of each clip."""

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from jaxtyping import Float32
from onepaper.config import check_choice, check_positive

from audio_datasets.config import FeatureConfig
from audio_datasets.features.functionals import clip_features, feature_names
from audio_datasets.features.open_smile import smile_features, smile_names


@dataclass(frozen=True)
class Extraction:
    """What is computed of each clip."""

    bank: Literal["open", "egemaps", "compare"] = "open"
    """functionals: open (of this package), or egemaps and compare of openSMILE, whose licence is not commercial"""
    features: FeatureConfig = field(default_factory=FeatureConfig)
    max_seconds: float = 10.0
    """longer clips are cut"""
    trim: bool = False
    """leave out silence before and after speech, as Silero VAD finds it"""
    unreadable: Literal["error", "skip"] = "error"
    """error: a clip that cannot be read stops the extraction; skip: the manifest lists it"""

    def __post_init__(self) -> None:
        check_positive("max_seconds", self.max_seconds)
        check_choice("bank", self.bank, ("open", "egemaps", "compare"))
        check_choice("unreadable", self.unreadable, ("error", "skip"))

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the features."""
        return feature_names(self.features) if self.bank == "open" else smile_names(self.bank)

    def of(self, samples: Float32[np.ndarray, " frames"]) -> Float32[np.ndarray, " features"]:
        """Features of a waveform at the rate of `features`."""
        if self.bank == "open":
            return clip_features(samples, self.features)
        return smile_features(samples, self.features.rate, self.bank)
