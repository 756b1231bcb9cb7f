"""The verb `score` on a small copy of ESC-50."""

import json
from pathlib import Path

import numpy as np
import pytest
from onepaper.audio import write_wav
from onepaper.testing import check_one_line_error, run_verb


@pytest.fixture
def esc50(tmp_path: Path) -> Path:
    root = tmp_path / "ESC-50"
    (root / "meta").mkdir(parents=True)
    (root / "audio").mkdir()
    rows = ["filename,fold,target,category"]
    for index in range(20):
        time = np.arange(4000) / 16_000
        samples = 0.5 * np.sin(2 * np.pi * (400 + 2000 * (index % 2)) * time)
        write_wav(root / "audio" / f"{index}.wav", samples.astype(np.float32), 16_000)
        rows.append(f"{index}.wav,{1 + index // 4},{index % 2},{('hum', 'whistle')[index % 2]}")
    (root / "meta" / "esc50.csv").write_text("\n".join(rows) + "\n")
    return root


def test_score(esc50: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("score", "--data", f"esc50={esc50}", "--embedding", "statistics", "--output", str(tmp_path / "run"))
    assert run_verb("hares", *words, "--probe", "ridge", "--features", str(tmp_path / "features")) == 0
    assert len([path for path in (tmp_path / "features").iterdir() if path.is_dir()]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split()[:2] == ["esc50", "100.0%"]
    assert "partial (1/12), no HARES score" in lines[1]
    content = json.loads((tmp_path / "run" / "scores.json").read_text())
    assert content["esc50"]["probe"] == "ridge"


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ((), "give --data TASK=FOLDER"),
        (("--data", "esc50"), "expected TASK=FOLDER"),
        (("--data", "esc5=x"), "did you mean 'esc50'"),
        (("--data", "esc50=missing"), "missing is not a folder"),
        (("--data", "esc50=.", "--embedding", "nowhere"), "unknown weights 'nowhere'"),
    ],
)
def test_wrong_values(
    words: tuple[str, ...], expected: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_verb("hares", "score", *words, "--output", str(tmp_path / "run")) == 2
    check_one_line_error(capsys.readouterr().err, expected)
    assert not (tmp_path / "run").exists()
