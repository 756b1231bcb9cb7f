"""The verbs work from the command line, and starting is light."""

import subprocess
import sys
from pathlib import Path

import pytest
from onepaper.cli import main
from onepaper.pages import commands

ROOT = Path(__file__).parents[3]


def run(*words: str) -> int:
    with pytest.raises(SystemExit) as leaving:
        main(["simplex-cir", *words])
    return int(leaving.value.code or 0)


def test_train_sample_evaluate(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder, weights = tmp_path / "run", tmp_path / "run" / "pretrained"
    assert run("train", "--preset", "smoke", "--loop.steps", "20", "--output", str(folder)) == 0
    sample = ("sample", "--weights", str(weights), "--count", "4", "--steps", "4")
    assert run(*sample, "--output", str(tmp_path / "drawn"), "--clamp", "CAGGU????") == 0
    lines = (tmp_path / "drawn" / "samples.txt").read_text().splitlines()
    assert len(lines) == 4
    assert all(line.startswith("CAGGU") and set(line) <= set("ACGU") for line in lines)
    again = ("evaluate", "--preset", "smoke", "--weights", str(weights), "--count", "20", "--points", "8")
    assert run(*again, "--output", str(tmp_path / "judged")) == 0
    assert "bound" in capsys.readouterr().out


def test_mistakes_take_a_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for words, told in (
        (("sample",), "--weights"),
        (("sample", "--weights", str(tmp_path / "no")), "no"),
        (("train", "--model.width", "50"), "multiple of 8"),
        (("simulate", "--alpha", "1", "-2"), "alpha"),
        (("train", "--data.dataset", "text", "--data.path", str(tmp_path / "no.txt")), "no.txt"),
    ):
        assert run(*words) == 2, words
        message = capsys.readouterr().err.strip()
        assert told in message.splitlines()[-1], message


def test_simulate_draws_a_triangle(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("simulate", "--steps", "20", "--output", str(tmp_path / "run")) == 0
    assert (tmp_path / "run" / "trajectories.png").stat().st_size > 10_000
    assert "share of token 0" in capsys.readouterr().out


@pytest.mark.parametrize(
    "page", ["packages/simplex-cir/README.md", "docs/papers/simplex-cir.md", "docs/tutorials/simplex-cir.md"]
)
def test_commands_on_the_pages_work(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for words in commands(ROOT / page, "simplex-cir"):
        slow = words[1] in ("verify", "rank-law") and "--dry-run" not in words
        assert run(*words[1:], *(["--dry-run"] if slow else [])) == 0, words


def test_light_start() -> None:
    code = (
        "import sys\nfrom onepaper.cli import main\n"
        "try:\n    main(['simplex-cir', 'claims'])\nexcept SystemExit as leaving:\n    assert not leaving.code\n"
        "assert not {'torch', 'jax'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
