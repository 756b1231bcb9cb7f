"""The verb `stats`."""

import pytest
from onepaper.testing import run_verb


def test_photographs(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_verb("dct-transformer", "stats", "--size", "64") == 0
    out = capsys.readouterr().out
    assert "32 images of 64 x 64 pixels" in out
    assert "PSNR" in out
