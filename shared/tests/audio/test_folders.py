from pathlib import Path

import numpy as np
import pytest

from onepaper.audio import audio_files, readable_audio, write_wav
from onepaper.errors import UsageError


def test_audio_of_all_folders_is_checked_at_the_start(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "b" / "c").mkdir(parents=True)
    with pytest.raises(UsageError, match="holds no audio; expected files that end in .wav, .flac"):
        audio_files(tmp_path)
    for name in ("z.WAV", "b/c/a.wav", "b/.hidden.wav"):
        write_wav(tmp_path / name, np.zeros(10), 8000)
    (tmp_path / "b" / "broken.ogg").write_bytes(b"no sound")
    files = audio_files(tmp_path)
    assert files == [tmp_path / "b" / "broken.ogg", tmp_path / "b" / "c" / "a.wav", tmp_path / "z.WAV"]
    with pytest.raises(UsageError, match=r"broken.ogg is not readable audio"):
        readable_audio(files)
    assert readable_audio(files, "skip") == files[1:]
    assert "skipped: 1 of 3 files cannot be read" in capsys.readouterr().err
