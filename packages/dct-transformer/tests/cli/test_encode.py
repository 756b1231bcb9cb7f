"""The verb `encode`, of pixels and of stored coefficients."""

from pathlib import Path

import pytest
from onepaper.data import embedded
from onepaper.testing import check_one_line_error, run_verb

from dct_transformer.data.jpeg_files import read_jpeg
from dct_transformer.representation.list_files import read_list


def test_stored_coefficients(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    photo = embedded("dct_transformer", "photographs/coffee.jpg")
    words = ("--image", str(photo), "--stored", "--output", str(tmp_path))
    assert run_verb("dct-transformer", "encode", *words) == 0
    triples, _, _ = read_list(tmp_path / "triples.npz")
    assert triples.length == read_jpeg(photo).nonzero
    assert f"{triples.length:,} triples" in capsys.readouterr().out


def test_bad_input(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "photo.jpg"
    path.write_bytes(b"no image")
    cases = (
        (("--stored",), "give it with --image"),
        (("--image", str(path)), "photo.jpg is not a readable"),
        (("--image", str(path), "--stored"), "photo.jpg is not a JPEG file"),
    )
    for words, expected in cases:
        assert run_verb("dct-transformer", "encode", *words, "--output", str(tmp_path / "run")) == 2
        check_one_line_error(capsys.readouterr().err, expected)
    assert not (tmp_path / "run").exists()
