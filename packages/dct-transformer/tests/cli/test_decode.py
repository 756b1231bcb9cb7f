"""The verb `decode` writes the picture of what `encode` wrote."""

from pathlib import Path

import numpy as np
import pytest
from onepaper.images import read_image
from onepaper.testing import check_one_line_error, run_verb

from dct_transformer.data.jpeg_files import read_jpeg


def test_encode_then_decode(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_verb("dct-transformer", "encode", "--output", str(tmp_path / "list")) == 0
    triples = str(tmp_path / "list" / "triples.npz")
    assert run_verb("dct-transformer", "decode", "--triples", triples, "--output", str(tmp_path / "all")) == 0
    last = max((tmp_path / "list").glob("prefix-*.png"), key=lambda path: int(path.stem.split("-")[1]))
    np.testing.assert_array_equal(read_image(tmp_path / "all" / "image.png"), read_image(last))
    assert read_jpeg(tmp_path / "all" / "image.jpg").nonzero == int(last.stem.split("-")[1])
    words = ("--triples", triples, "--keep", "0.1", "--output", str(tmp_path / "part"))
    assert run_verb("dct-transformer", "decode", *words) == 0
    assert run_verb("dct-transformer", "decode", "--triples", "nowhere.npz", "--output", str(tmp_path / "no")) == 2
    check_one_line_error(capsys.readouterr().err, "nowhere.npz")
