from pathlib import Path

import numpy as np
import pytest

from onepaper.audio import read_audio, write_wav
from onepaper.errors import UsageError


def test_a_written_file_is_read_back(tmp_path: Path) -> None:
    samples = np.random.default_rng(0).uniform(-1, 1, (100, 2)).astype(np.float32)
    audio = read_audio(write_wav(tmp_path / "a.wav", samples, 22_050), mono=False)
    assert audio.rate == 22_050
    np.testing.assert_allclose(audio.samples, samples, atol=2**-14)
    with pytest.raises(UsageError, match="NaN"):
        write_wav(tmp_path / "b.wav", np.full(3, np.nan), 8000)
    assert not (tmp_path / "b.wav").exists()
