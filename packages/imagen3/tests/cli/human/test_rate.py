"""The verb `rate`: what is refused before it serves; what it serves is in `human/web`."""

import socket
import sys
from pathlib import Path

import pytest
from onepaper.testing import check_light_start, check_one_line_error, run_verb
from PIL import Image


@pytest.fixture
def study(tmp_path: Path) -> Path:
    """Two models with one picture each."""
    folder = tmp_path / "study"
    for model in ("alpha", "beta"):
        (folder / model).mkdir(parents=True)
        Image.new("RGB", (8, 8)).save(folder / model / "p1.png")
    (folder / "prompts.csv").write_text("prompt_id,prompt\np1,a picture\n")
    return folder


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("--aspects", "looks"), "aspects"),
        (("--aspects", "counting"), "noun is empty"),
        (("--aspects", "detail"), "references lacks the pictures"),
        (("--port", "70000"), "port is 70000"),
        (("--size", "8"), "size is 8"),
        (("--check-rate", "0.9"), "check_rate is 0.9"),
        (("--rules.ratings", "60"), "expected a multiple of submission"),
        (("--rules.largest-share", "2"), "largest_share is 2"),
        (("--database", "nothing"), "database 'nothing' is not usable"),
    ],
)
def test_wrong_values(
    words: tuple[str, ...], expected: str, study: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ("--study", str(study), "--state", str(tmp_path / "state"), *words)
    assert run_verb("imagen3", "rate", *given) == 2
    check_one_line_error(capsys.readouterr().err, expected)
    assert not (tmp_path / "state" / "pictures").exists()


def test_damaged_pictures_and_taken_ports(study: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("--study", str(study), "--state", str(tmp_path / "state"))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert run_verb("imagen3", "rate", *words, "--port", str(taken.getsockname()[1])) == 1
    check_one_line_error(capsys.readouterr().err.splitlines(keepends=True)[-1], "choose another --host or --port")
    (study / "beta" / "p1.png").write_bytes(b"no picture")
    assert run_verb("imagen3", "rate", "--study", str(study), "--state", str(tmp_path / "other")) == 2
    assert "is not a readable image" in capsys.readouterr().err


def test_without_the_extra(study: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    assert run_verb("imagen3", "rate", "--study", str(study)) == 1
    check_one_line_error(capsys.readouterr().err, "pip install 'onepaper-imagen3[rate]'")


def test_help_needs_no_server() -> None:
    check_light_start("imagen3", "rate", "--help", heavy=("torch", "sqlalchemy", "starlette", "uvicorn"))
