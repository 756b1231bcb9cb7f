"""The verb `evaluate` needs weights."""

import pytest
from onepaper.testing import check_one_line_error, run_verb


def test_missing_weights(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_verb("dct-transformer", "evaluate", "--weights", "nowhere") == 2
    check_one_line_error(capsys.readouterr().err, "unknown weights 'nowhere'")
