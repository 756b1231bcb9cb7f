"""The verb `train` writes weights that `sample` reads."""

from pathlib import Path

import pytest
from onepaper.testing import check_one_line_error, run_verb

SHORT = ("--loop.steps", "4", "--loop.evaluate-every", "0")


def test_embeddings_then_network_then_sample(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tables, run, exported = tmp_path / "tables", tmp_path / "run", tmp_path / "exported"
    assert run_verb("sed", "train", "--preset", "smoke-embeddings", "--output", str(tables), *SHORT) == 0
    words = ("--preset", "smoke", "--embeddings.source", "pretrained", "--embeddings.weights", str(tables))
    assert run_verb("sed", "train", *words, "--output", str(run), "--export", str(exported), *SHORT) == 0
    names = {"pieces.model", "config.json", "data.json", "model.safetensors", "SHA256SUMS"}
    assert {file.name for file in exported.iterdir()} == names
    sizes = [(folder / "model.safetensors").stat().st_size for folder in (exported, run / "pretrained")]
    assert sizes[0] < 0.6 * sizes[1]
    assert (run / "samples" / "index.html").is_file()
    words = ("--weights", str(run), "And [[5]]", "--sampling.steps", "2", "--output", str(tmp_path / "s"))
    capsys.readouterr()
    assert run_verb("sed", "sample", *words) == 0
    assert capsys.readouterr().out.startswith("And")
    assert (tmp_path / "s" / "sample-3.txt").is_file()


def test_letters_of_proteins(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A vocabulary of one's own goes through training and sampling."""
    path = tmp_path / "proteins.txt"
    path.write_text("MKVLAAGITDEWQRNPSFHYC" * 200)
    data = ("--data.dataset", "text", "--data.path", str(path), "--data.tokens", "characters")
    words = ("--preset", "smoke", *data, "--model.vocab-size", "22", "--output", str(tmp_path / "run"))
    assert run_verb("sed", "train", *words, *SHORT) == 0
    capsys.readouterr()
    words = ("--weights", str(tmp_path / "run"), "MKV[[4]]AAG", "--sampling.steps", "2")
    assert run_verb("sed", "sample", *words, "--output", str(tmp_path / "s")) == 0
    first = capsys.readouterr().out.splitlines()[0]
    assert first.startswith("MKV")
    assert first.endswith("AAG")


@pytest.mark.slow
def test_causal_model(tmp_path: Path) -> None:
    words = ("--preset", "smoke-evaluator", "--output", str(tmp_path / "run"), *SHORT)
    assert run_verb("sed", "train", *words) == 0
    assert (tmp_path / "run" / "pretrained" / "model.safetensors").is_file()


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("--embeddings.source", "pretrained", "--embeddings.weights", "none"), "unknown weights 'none'"),
        (("--embeddings.source", "file", "--embeddings.path", "none.npy"), "none.npy does not exist"),
        (("--spans.max-spans", "17"), "max_spans is 17"),
        (("--data.dataset", "text", "--data.path", "missing.txt"), "missing.txt does not exist"),
    ],
)
def test_wrong_values(
    words: tuple[str, ...], expected: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_verb("sed", "train", "--preset", "smoke", *words, "--output", str(tmp_path / "run")) == 2
    check_one_line_error(capsys.readouterr().err, expected)
    assert not (tmp_path / "run").exists()
