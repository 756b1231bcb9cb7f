"""The verb `card`."""

from pathlib import Path

import pytest
from onepaper.testing import check_one_line_error, run_verb


def test_card(weights: Path, tmp_path: Path) -> None:
    (tmp_path / "tables.json").write_text('{"Safety": [["prompts", "rate"], ["benign", "3%"]]}')
    words = ("--weights", str(weights), "--tables", str(tmp_path / "tables.json"), "--output", str(tmp_path / "run"))
    assert run_verb("imagen3", "card", *words) == 0
    assert "| benign | 3% |" in (tmp_path / "run" / "model-card.md").read_text()


@pytest.mark.parametrize("content", ['{"Safety": 3}', '{"Safety": [["a"], ["b", "c"]]}', '{"Safety": [[1]]}', "[]"])
def test_wrong_values(content: str, weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "tables.json").write_text(content)
    words = ("--weights", str(weights), "--tables", str(tmp_path / "tables.json"), "--output", str(tmp_path / "run"))
    assert run_verb("imagen3", "card", *words) == 2
    check_one_line_error(capsys.readouterr().err, "tables.json")
    assert not (tmp_path / "run").exists()
