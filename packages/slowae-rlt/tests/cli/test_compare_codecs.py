"""The verb `compare-codecs` writes its table and its page."""

import json
from pathlib import Path

import pytest
from onepaper.testing import check_one_line_error, run_verb

QUICK = ("--weights", "identity", "--metrics", "--count", "2")


def test_compare(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "run"
    words = (*QUICK, "--vq-weights", "--peers", "--output", str(folder))
    assert run_verb("slowae-rlt", "compare-codecs", *words) == 0
    table = json.loads((folder / "comparison.json").read_text())
    assert set(table) == {"identity"}
    assert f"| identity | {table['identity']['bits a second']:.0f} |" in capsys.readouterr().out
    assert {"index.html", "recording.wav", "identity.wav"} <= {file.name for file in folder.iterdir()}


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("--vq-weights", "nowhere", "--peers"), "unknown weights 'nowhere'"),
        (("--vq-weights", "--peers", "mp3"), "unknown peer 'mp3'"),
        (("--vq-weights", "--peers", "--count", "0"), "count is 0"),
    ],
)
def test_wrong_values(
    words: tuple[str, ...], expected: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = str(tmp_path / "run")
    assert run_verb("slowae-rlt", "compare-codecs", *QUICK, *words, "--output", run) == 2
    check_one_line_error(capsys.readouterr().err, expected)
    assert not (tmp_path / "run").exists()
