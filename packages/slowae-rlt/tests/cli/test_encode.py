"""The verb `encode`: what is refused. Its result is in `test_train`."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
from onepaper.testing import check_one_line_error, run_verb


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ((), "give --audio FILE or --prompt NAME"),
        (("--prompt", "en/agent-logginok"), "did you mean 'en/agent-loginok'?"),
        (("--prompt", "de/hello"), "unknown prompt"),
        (("--audio", "missing.wav"), "missing.wav"),
        (("--audio", "nan.wav"), "nan.wav"),
        (("--audio", "empty.wav"), "has no samples"),
    ],
)
def test_wrong_values(
    words: tuple[str, ...],
    expected: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    soundfile.write("nan.wav", np.full(100, np.nan), 8000, subtype="FLOAT")
    soundfile.write("empty.wav", np.zeros(0), 8000)
    assert run_verb("slowae-rlt", "encode", "--weights", "identity", *words, "--output", "run") == 2
    check_one_line_error(capsys.readouterr().err, expected)
    assert not Path("run").exists()


def test_stereo_of_another_rate(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, np.random.default_rng(0).standard_normal((44_100, 2)) / 10, 44_100)
    words = ("--weights", "identity", "--audio", str(path), "--output", str(tmp_path / "run"))
    assert run_verb("slowae-rlt", "encode", *words) == 0
    assert "bits a second" in capsys.readouterr().out
    assert len(soundfile.read(tmp_path / "run" / "reconstruction.wav")[0]) == 8000
