"""Audio as WAV files."""

from pathlib import Path

import numpy as np
from jaxtyping import Float

from onepaper.display.file_bytes import wav_bytes


def write_wav(path: Path, samples: Float[np.ndarray, "frames *channels"], rate: int) -> Path:
    """Write a WAV file of 16 bits; values beyond [-1, 1] are clipped.

    Raises:
        UsageError: as `onepaper.display.file_bytes.wav_bytes`.
    """
    path.write_bytes(wav_bytes(samples, rate))
    return path
