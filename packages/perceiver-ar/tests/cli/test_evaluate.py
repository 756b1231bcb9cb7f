import json
from pathlib import Path

import numpy as np
import pytest
from flax import nnx
from onepaper.testing import check_one_line_error, run_verb

from perceiver_ar.cli.evaluate import load_documents
from perceiver_ar.cli.options import EvaluateOptions
from perceiver_ar.config import DataConfig, ModelConfig
from perceiver_ar.data.datasets import load
from perceiver_ar.models.perceiver_ar import PerceiverAR
from perceiver_ar.pretrained.checkpoints import Network


def test_documents_of_a_dataset(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("evaluate", "--weights", "text", "--max-tokens", "60", "--latents", "8", "32", "--context", "64")
    assert run_verb("perceiver-ar", *words, "--output", str(tmp_path / "run")) == 0
    found = json.loads((tmp_path / "run" / "evaluation.json").read_text())
    assert found["data"] == "the validation part of novels"
    assert {name: numbers["tokens"] for name, numbers in found["results"].items()} == {
        "8 latents, stride 4, context 64": 60, "32 latents, stride 4, context 64": 60,
    }  # fmt: skip
    assert "bits per byte" in capsys.readouterr().out


def test_files(tmp_path: Path) -> None:
    (tmp_path / "own.txt").write_text("\u6c34" * 200, encoding="utf-8")  # without a space, so without words
    words = ("evaluate", "--weights", "text", "--files", str(tmp_path / "own.txt"), "--context", "64")
    assert run_verb("perceiver-ar", *words, "--output", str(tmp_path / "run")) == 0
    (numbers,) = json.loads((tmp_path / "run" / "evaluation.json").read_text())["results"].values()
    assert numbers["tokens"] == 601  # all bytes and the end
    assert "word_perplexity" not in numbers


@pytest.mark.parametrize("words", [("--files", "a.txt"), ("--data.dataset", "text", "--data.path", ".")])
def test_empty_documents_raise(
    words: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("a.txt", "b.txt", "c.txt"):
        Path(name).touch()
    assert run_verb("perceiver-ar", "evaluate", "--weights", "text", *words) == 2
    check_one_line_error(capsys.readouterr().err, "is empty, expected at least one symbol")
    assert not Path("runs").exists()


def test_all_tokens_are_more_than_their_estimated_number(tmp_path: Path) -> None:
    """`--max-tokens 0`: sizes of documents are estimates, here far too small ones."""
    for name in "abc":
        (tmp_path / f"{name}.txt").write_text("a b c d " * 300, encoding="utf-8")
    data = DataConfig("text", path=tmp_path, tokens="words")
    corpus = load(data)
    config = ModelConfig(corpus.codec.vocab_size, context_length=8, num_latents=4, depth=1, width=8, heads=1)
    network = Network(PerceiverAR(config, nnx.Rngs(0)), data, corpus.codec)
    (document,) = load_documents(network, data, EvaluateOptions(max_tokens=0))
    np.testing.assert_array_equal(document, corpus.validation[0])
    assert len(document) > 2 * sum(corpus.validation.sizes)


def test_copies(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_verb("perceiver-ar", "evaluate", "--weights", "copy", "--output", str(tmp_path / "run")) == 0
    assert "accuracy without prefix" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("copy", "--latents", "4", "--mode", "strided"), "leave --mode, --latents out"),
        (("text", "--data.dataset", "digits"), "is images, but the weights were trained on text"),
        (("text", "--latents", "8", "2048"), "latents are 2048, expected 1 to the context"),
        (("text", "--latents", "8", "64", "--stride", "9"), "the fewest latents, which are 8"),
        (("text", "--files", "no.txt", "--data.dataset", "novels"), "both --files and --data"),
    ],
)
def test_inputs_are_validated_before_there_is_a_run(
    words: tuple[str, ...], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    assert run_verb("perceiver-ar", "evaluate", "--weights", *words) == 2
    check_one_line_error(capsys.readouterr().err, message)
    assert not any(tmp_path.iterdir())
