"""Functionals of openSMILE (Eyben et al., 2010): eGeMAPS and ComParE, as in the baselines of the challenges.

openSMILE has a licence for research and no commercial use; it is not installed with the package.
"""

from functools import cache
from typing import Any, Literal

import numpy as np
from jaxtyping import Float32
from onepaper.config import check_choice
from onepaper.errors import UsageError

SmileSet = Literal["egemaps", "compare"]
_SETS = {"egemaps": "eGeMAPSv02", "compare": "ComParE_2016"}


@cache
def _extractor(name: SmileSet) -> Any:
    check_choice("feature set", name, _SETS)
    try:
        import opensmile
    except ImportError:
        raise UsageError(
            "opensmile is not installed; if its licence (research, not commercial) fits, "
            "pip install 'onepaper-audio-datasets[opensmile]'"
        ) from None
    return opensmile.Smile(opensmile.FeatureSet[_SETS[name]], opensmile.FeatureLevel.Functionals)


def smile_names(name: SmileSet) -> tuple[str, ...]:
    """Names of the functionals: 88 of egemaps (version 02), 6,373 of compare (2016).

    Raises:
        UsageError: openSMILE is not installed.
    """
    return tuple(_extractor(name).feature_names)


def smile_features(
    samples: Float32[np.ndarray, " samples"], rate: int, name: SmileSet
) -> Float32[np.ndarray, " features"]:
    """Functionals of a waveform; `smile_names` gives their names.

    Raises:
        UsageError: no samples, samples that are not finite, or openSMILE is not installed.
    """
    samples = np.asarray(samples, np.float32)
    if samples.ndim != 1 or not len(samples) or not np.isfinite(samples).all():
        raise UsageError(f"a waveform has shape {samples.shape}, expected finite samples of one channel")
    extractor = _extractor(name)
    # Shorter waveforms than its longest frame, 60 ms, give no value.
    padded = np.pad(samples, (0, max(0, round(0.1 * rate) - len(samples))))
    return np.nan_to_num(extractor.process_signal(padded, rate).to_numpy(np.float32)[0])
