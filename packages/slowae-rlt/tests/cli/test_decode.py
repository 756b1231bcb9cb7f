"""The verb `decode`: what is refused. Its result is in `test_train`."""

from pathlib import Path

import pytest
from onepaper.testing import check_one_line_error, run_verb


def test_wrong_values(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.sae").write_bytes(b"SAE\x01 truncated")
    for words, expected in (
        ((), "give --events FILE.sae"),
        (("--events", str(tmp_path / "b.sae")), "cannot be read"),
        (("--events", str(tmp_path / "a.sae")), "expected at least"),
    ):
        assert run_verb("slowae-rlt", "decode", "--weights", "identity", *words, "--output", str(tmp_path / "d")) == 2
        check_one_line_error(capsys.readouterr().err, expected)
        assert not (tmp_path / "d").exists()
