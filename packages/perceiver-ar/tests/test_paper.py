"""The verbs work from the command line, and starting is light."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from onepaper.cli import main
from onepaper.pages import commands

ROOT = Path(__file__).parents[3]


def run(*words: str) -> int:
    with pytest.raises(SystemExit) as leaving:
        main(["perceiver-ar", *words])
    return int(leaving.value.code or 0)


def test_train_sample_evaluate(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    weights = str(tmp_path / "run" / "pretrained")
    assert run("train", "--preset", "smoke-text", "--output", str(tmp_path / "run")) == 0
    assert (tmp_path / "run" / "samples" / "index.html").read_text(encoding="utf-8").count("<pre>") == 4
    sample = ("sample", "--weights", weights, "--count", "1", "--tokens", "5", "--prompt", "It is")
    assert run(*sample, "--output", str(tmp_path / "drawn")) == 0
    assert (tmp_path / "drawn" / "sample-0.txt").read_text().startswith("It is")
    assert "It is" in (tmp_path / "drawn" / "index.html").read_text(encoding="utf-8")
    judged = ("evaluate", "--weights", weights, "--max-tokens", "300", "--latents", "8", "32")
    assert run(*judged, "--output", str(tmp_path / "judged")) == 0
    found = json.loads((tmp_path / "judged" / "evaluation.json").read_text())
    assert found["data"] == "the validation part of novels"
    assert {name: numbers["tokens"] for name, numbers in found["results"].items()} == {
        "8 latents, stride 4, context 64": 300, "32 latents, stride 4, context 64": 300,
    }  # fmt: skip
    assert "bits per byte" in capsys.readouterr().out
    (tmp_path / "mine.txt").write_text("\u6c34" * 200, encoding="utf-8")  # without a space, so without words
    own = ("evaluate", "--weights", weights, "--files", str(tmp_path / "mine.txt"), "--output", str(tmp_path / "own"))
    assert run(*own) == 0
    (numbers,) = json.loads((tmp_path / "own" / "evaluation.json").read_text())["results"].values()
    assert numbers["tokens"] == 601  # all bytes and the end
    assert "word_perplexity" not in numbers


def test_evaluate_the_shipped_copies(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("evaluate", "--weights", "copy", "--output", str(tmp_path / "judged"))
    assert run(*words) == 0
    assert "accuracy without prefix" in capsys.readouterr().out


def test_mistakes_take_a_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for words, told in (
        (("sample", "--weights", str(tmp_path / "no")), "neither a folder nor a shipped network"),
        (("train", "--model.heads", "3"), "multiple of the 3 heads"),
        (("train", "--preset", "laptop-text", "--data.dataset", "text"), "give its path with --data.path"),
        (("train", "--tensor", "2", "--context", "3"), "1 devices do not divide into groups of 6"),
        (("train", "--preset", "paper-maestro"), "where is the dataset 'maestro'?"),
        (("evaluate", "--weights", "copy", "--latents", "4", "--mode", "strided"), "leave --mode, --latents out"),
        (("evaluate", "--weights", "text", "--data.dataset", "digits"), "is images, but the weights learnt text"),
        (("evaluate", "--weights", "text", "--latents", "8", "2048"), "latents are 2048, expected 1 to the context"),
        (("evaluate", "--weights", "text", "--latents", "8", "64", "--stride", "9"), "the fewest latents, which are 8"),
        (("evaluate", "--weights", "text", "--data.dataset", "text", "--data.path", "no"), "no"),
        (("evaluate", "--weights", "text", "--files", "no.txt", "--data.dataset", "novels"), "both --files and --data"),
        (("sample", "--weights", "copy", "--device", "tpu"), "device 'tpu' is not available to JAX here"),
        (("train", "--preset", "laptop-music", "--data.dataset", "midi", "--data.path", "no", "--output", "run"), "no"),
        (("sample", "--weights", "copy", "--precision", "bf16"), "--precision"),
    ):
        assert run(*words) == 2, words
        message = capsys.readouterr().err.strip()
        assert told in message.splitlines()[-1], message
    assert not any(tmp_path.iterdir())  # a mistake leaves no run behind, which would be in the way of the next try


PAGES = [
    "docs/papers/perceiver-ar.md",
    "docs/tutorials/perceiver-ar.md",
    *(str(page.relative_to(ROOT)) for page in sorted((ROOT / "docs/guides/perceiver-ar").glob("*.md"))),
    "packages/perceiver-ar/README.md",
    "packages/perceiver-ar/DATA.md",
]


@pytest.mark.parametrize("page", PAGES)
def test_commands_on_the_pages_work(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for words in commands(ROOT / page, "perceiver-ar"):
        assert run(*words[1:]) == 0, words


def test_light_start() -> None:
    code = (
        "import sys\nfrom onepaper.cli import main\n"
        "try:\n    main(['perceiver-ar', 'claims'])\nexcept SystemExit as leaving:\n    assert not leaving.code\n"
        "assert not {'torch', 'jax'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
