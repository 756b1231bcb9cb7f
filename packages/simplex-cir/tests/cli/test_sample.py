from pathlib import Path

import pytest

from simplex_cir.cli.sample import as_lines
from simplex_cir.models.denoiser import SimplexDenoiser


def test_sequences_with_known_positions_from_own_weights(trained: Path, run, tmp_path: Path) -> None:
    words = ("--weights", trained.parent / "exported", "--count", "4", "--steps", "4", "--clamp", "CAGGU????")
    assert run("sample", *words, "--output", tmp_path / "drawn") == 0
    lines = (tmp_path / "drawn" / "samples.txt").read_text().splitlines()
    assert 'src="samples.png"' in (tmp_path / "drawn" / "index.html").read_text()
    assert len(lines) == 4
    assert (tmp_path / "drawn" / "index.html").read_text().count("<mark>CAGGU</mark>") == 1
    assert (tmp_path / "drawn" / "index.html").read_text().count("CAGGU</mark>") == 4
    assert all(line.startswith("CAGGU") and set(line) <= set("ACGU") for line in lines)


def test_the_folder_of_a_run_serves(trained: Path, run, capsys: pytest.CaptureFixture[str]) -> None:
    for words in (("sample",), ("evaluate", "--preset", "smoke")):
        assert run(*words, "--weights", trained, "--dry-run") == 0
        assert str(trained) in capsys.readouterr().out


@pytest.mark.slow
def test_a_shipped_network_with_classes_and_guidance(run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = (
        "--weights",
        "digits",
        "--label",
        "3",
        "--guidance",
        "1",
        "--count",
        "3",
        "--steps",
        "4",
        "--dilation",
        "2",
    )
    assert run("sample", *words, "--output", tmp_path / "digits") == 0
    assert (tmp_path / "digits" / "samples.png").exists()
    assert "3 sequences of digits" in capsys.readouterr().out


@pytest.mark.parametrize("words", [("--clamp", "CAGGX????"), ("--clamp", "CA"), ("--label", "3")])
def test_conditions_are_checked_before_weights_are_loaded(
    words: tuple[str, ...], run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(SimplexDenoiser, "from_pretrained", lambda name: pytest.fail("loaded"))
    assert run("sample", *words, "--output", tmp_path / "run") == 2
    assert not (tmp_path / "run").exists()


def test_images_and_grids_are_printed_as_squares() -> None:
    assert as_lines("ACGUACGUA") == "ACGUACGUA"
    assert as_lines("1234341221434321") == "1234\n3412\n2143\n4321\n"
