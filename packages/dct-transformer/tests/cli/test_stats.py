"""The verb `stats`."""

from pathlib import Path

import numpy as np
import pytest
from onepaper.testing import check_one_line_error, run_verb
from PIL import Image

from dct_transformer.data.images import photographs


def test_photographs(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_verb("dct-transformer", "stats", "--size", "64") == 0
    out = capsys.readouterr().out
    assert "32 images of 64 x 64 pixels" in out
    assert "PSNR" in out
    assert "zigzag 16 to 63" in out


def test_stored_coefficients(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("coffee", "chelsea"):
        (tmp_path / name).mkdir()
        Image.fromarray(photographs()[name]).save(tmp_path / name / "photo.jpg", quality=60)
    assert run_verb("dct-transformer", "stats", "--path", str(tmp_path), "--stored") == 0
    out = capsys.readouterr().out
    assert "2 JPEG files" in out
    assert "PSNR" not in out
    assert "classes: chelsea 1, coffee 1" in out
    assert run_verb("dct-transformer", "stats", "--stored") == 2
    check_one_line_error(capsys.readouterr().err, "give their folder")
    Image.fromarray(np.full((16, 16, 3), 128, np.uint8)).save(tmp_path / "grey.jpg")
    (tmp_path / "empty").mkdir()
    (tmp_path / "grey.jpg").rename(tmp_path / "empty" / "grey.jpg")
    assert run_verb("dct-transformer", "stats", "--path", str(tmp_path / "empty"), "--stored") == 2
    check_one_line_error(capsys.readouterr().err, "no triples")
