"""The verbs work from the command line, and starting is light."""

import subprocess
import sys
from pathlib import Path

import pytest
from onepaper.cli import main
from onepaper.pages import commands

from simplex_cir.model import SimplexDenoiser

ROOT = Path(__file__).parents[3]


def run(*words: str) -> int:
    with pytest.raises(SystemExit) as leaving:
        main(["simplex-cir", *words])
    return int(leaving.value.code or 0)


def test_train_sample_evaluate(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder, weights = tmp_path / "run", tmp_path / "run" / "pretrained"
    assert run("train", "--preset", "smoke", "--loop.steps", "20", "--output", str(folder)) == 0
    assert {path.name for path in (folder / "samples" / "step-20").iterdir()} == {"samples.png", "samples.txt"}
    assert "step-20/samples.png" in (folder / "samples" / "index.html").read_text()
    sample = ("sample", "--weights", str(weights), "--count", "4", "--steps", "4")
    assert run(*sample, "--output", str(tmp_path / "drawn"), "--clamp", "CAGGU????") == 0
    lines = (tmp_path / "drawn" / "samples.txt").read_text().splitlines()
    assert 'src="samples.png"' in (tmp_path / "drawn" / "index.html").read_text()
    assert len(lines) == 4
    assert all(line.startswith("CAGGU") and set(line) <= set("ACGU") for line in lines)
    for words in (("sample",), ("evaluate", "--preset", "smoke")):
        assert run(*words, "--weights", str(folder)) == 2
        assert f"its weights are in {weights}" in capsys.readouterr().err
    assert run("evaluate", "--preset", "laptop-digits", "--weights", str(weights), "--dry-run") == 2
    assert "choose the --preset and --data that it was trained for" in capsys.readouterr().err
    again = ("evaluate", "--preset", "smoke", "--weights", str(weights), "--count", "20", "--points", "8")
    assert run(*again, "--output", str(tmp_path / "judged")) == 0
    assert "bound" in capsys.readouterr().out


def test_shipped_networks_draw(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("sample", "--count", "6", "--steps", "4", "--dilation", "2", "--output", str(tmp_path / "sites")) == 0
    assert (tmp_path / "sites" / "samples.png").stat().st_size > 10_000
    digits = ("sample", "--model", "digits", "--label", "3", "--guidance", "1", "--count", "3", "--steps", "4")
    assert run(*digits, "--output", str(tmp_path / "digits")) == 0
    assert (tmp_path / "digits" / "samples.png").exists()
    assert "3 sequences of digits" in capsys.readouterr().out
    assert run("evaluate", "--model", "splice", "--count", "50", "--points", "4", "--output", str(tmp_path / "e")) == 0
    assert "Markov chain" in capsys.readouterr().out


def test_training_exports_weights_with_checksums(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    export = tmp_path / "exported"
    words = ("train", "--preset", "smoke", "--loop.steps", "3", "--model.width", "16", "--model.stored", "float16")
    assert run(*words, "--output", str(tmp_path / "run"), "--export", str(export)) == 0
    assert {path.name for path in export.iterdir()} == {"SHA256SUMS", "config.json", "model.safetensors"}
    assert run("sample", "--weights", str(export), "--count", "2", "--steps", "2", "--output", str(tmp_path / "s")) == 0


def test_mistakes_take_a_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for words, told in (
        (("sample", "--model", "splices"), "splice"),
        (("sample", "--guidance", "2"), "say which by --label"),
        (("sample", "--model", "digits", "--weights", str(tmp_path)), "expected one of them"),
        (("evaluate", "--weights", str(tmp_path)), "--preset laptop-splice"),
        (("evaluate", "--preset", "laptop-sudoku9"), "no network is shipped for 'sudoku9'"),
        (("sample", "--weights", str(tmp_path / "no")), "no"),
        (("sample", "--sampler", "heun"), "flow-heun"),
        (("evaluate", "--model", "splice", "--preset", "laptop-letters"), "leave out --preset"),
        (("evaluate", "--model", "splice", "--num-draws", "5"), "leave out --preset"),
        (("evaluate", "--count", "5"), "--count and --points are for networks"),
        (("train", "--model.width", "50"), "multiple of 8"),
        (("simulate", "--alpha", "1", "-2"), "alpha"),
        (("verify", "--device", "tpu"), "tpu"),
        (("train", "--samples", "-1"), "samples"),
        (("train", "--data.dataset", "text", "--data.path", str(tmp_path / "no.txt")), "no.txt"),
    ):
        assert run(*words) == 2, words
        message = capsys.readouterr().err.strip()
        assert told in message.splitlines()[-1], message


@pytest.mark.parametrize("dry", [(), ("--dry-run",)])
def test_what_cannot_be_trained_leaves_no_folder(dry: tuple[str, ...], tmp_path: Path) -> None:
    folder = tmp_path / "run"
    missing = ("--data.dataset", "text", "--data.path", str(tmp_path / "no.txt"))
    for words in (missing, ("--model.symbols", "ACGT"), ("--model.num-classes", "3")):
        assert run("train", "--preset", "smoke", *words, "--output", str(folder), *dry) == 2
        assert not folder.exists()


def test_symbols_of_the_model_read_a_fasta_file(tmp_path: Path) -> None:
    file = tmp_path / "x.fa"
    file.write_text(">one\n" + "MKVLACDEFW" * 200)
    words = ("train", "--preset", "smoke", "--data.dataset", "fasta", "--data.path", str(file), "--data.length", "10")
    words = (*words, "--model.positions", "10", "--output", str(tmp_path / "run"), "--dry-run")
    assert run(*words, "--model.symbols", "ACDEFGHIKLMNPQRSTVWY") == 0
    assert run(*words) == 2


@pytest.mark.parametrize("words", [("--clamp", "CAGGX????"), ("--clamp", "CA"), ("--label", "3")])
def test_conditions_are_checked_before_weights_are_loaded(
    words: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(SimplexDenoiser, "from_pretrained", lambda name: pytest.fail("loaded"))
    assert run("sample", *words, "--output", str(tmp_path / "run")) == 2
    assert not (tmp_path / "run").exists()


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
