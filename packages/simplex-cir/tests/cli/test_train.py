from pathlib import Path

import pytest


def test_a_run_has_samples_and_weights(trained: Path) -> None:
    assert {path.name for path in (trained / "samples" / "step-60").iterdir()} == {"samples.png", "samples.txt"}
    assert "step-60/samples.png" in (trained / "samples" / "index.html").read_text()
    weights = {"config.json", "model.safetensors"}
    assert weights <= {path.name for path in (trained / "pretrained").iterdir()}
    assert {path.name for path in (trained.parent / "exported").iterdir()} == {"SHA256SUMS", *weights}


@pytest.mark.parametrize("dry", [(), ("--dry-run",)])
def test_inputs_are_validated_before_the_run_folder_is_created(dry: tuple[str, ...], run, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    missing = ("--data.dataset", "text", "--data.path", tmp_path / "no.txt")
    for words in (missing, ("--model.symbols", "ACGT"), ("--model.num-classes", "3")):
        assert run("train", "--preset", "smoke", *words, "--output", folder, *dry) == 2
        assert not folder.exists()


def test_a_fasta_file_is_read_in_the_symbols_of_the_model(run, tmp_path: Path) -> None:
    file = tmp_path / "x.fa"
    file.write_text(">one\n" + "MKVLACDEFW" * 200)
    words = ("train", "--preset", "smoke", "--data.dataset", "fasta", "--data.path", file, "--data.length", "10")
    words = (*words, "--model.positions", "10", "--output", tmp_path / "run", "--dry-run")
    assert run(*words, "--model.symbols", "ACDEFGHIKLMNPQRSTVWY") == 0
    assert run(*words) == 2
