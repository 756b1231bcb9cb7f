"""The verb `train` writes weights that `evaluate` reads."""

from pathlib import Path

import pytest
import torch
from onepaper.testing import check_one_line_error, run_verb

from audio_datasets.pretrained.networks import open_network


def test_train_then_evaluate(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = tmp_path / "run"
    words = ("--preset", "smoke", "--output", str(run), "--export", str(tmp_path / "exported"), "--loop.steps", "3")
    assert run_verb("audio-datasets", "train", *words, "--data.max-seconds", "0.3") == 0
    assert {file.name for file in (tmp_path / "exported").iterdir()} == {
        "SHA256SUMS",
        "config.json",
        "data.json",
        "model.safetensors",
    }
    words = ("--weights", str(run), "--split", "test", "--resamples", "20", "--output", str(tmp_path / "evaluated"))
    assert run_verb("audio-datasets", "evaluate", *words) == 0
    assert "UAR" in capsys.readouterr().out
    assert len((tmp_path / "evaluated" / "predictions.csv").read_text().splitlines()) == 85


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("--data.dataset", "nothing"), "unknown data set 'nothing'"),
        (("--model.outputs", "3"), "set --model.outputs"),
        (("--data.root", "nowhere"), "nowhere holds no voices"),
        (("--seed", "-1"), "seed is -1"),
    ],
)
def test_wrong_values(
    words: tuple[str, ...], expected: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_verb("audio-datasets", "train", "--preset", "smoke", *words, "--output", str(tmp_path / "run")) == 2
    check_one_line_error(capsys.readouterr().err, expected)
    assert not (tmp_path / "run").exists()


def test_stored_features(exvo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The multitask baseline from a copy without audio; what is wrong is seen before a run folder is made."""
    (tmp_path / "data_info.csv").write_text((exvo / "data_info.csv").read_text())
    run, features = tmp_path / "run", tmp_path / "features.csv"
    words = (
        "--preset",
        "paper-multitask",
        "--data.root",
        str(tmp_path),
        "--stored",
        str(features),
        "--selection.seeds",
    )
    words = (*words, "1", "--loop.steps", "4", "--loop.evaluate-every", "2", "--output", str(run))
    assert run_verb("audio-datasets", "train", *words) == 2
    check_one_line_error(capsys.readouterr().err, "features.csv does not exist")
    assert not run.exists()
    features.write_text("\n".join(["name,a,b", *(f"{place:05d},{place % 4},{place % 3}" for place in range(20))]))
    assert run_verb("audio-datasets", "train", *words, "--data.strict-official") == 0
    assert (run / "selection.json").is_file()


def test_a_folder_to_export_to(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run, file = tmp_path / "run", tmp_path / "file"
    file.touch()
    words = ("--output", str(run), "--export", str(file / "below"))
    assert run_verb("audio-datasets", "train", "--preset", "smoke", *words) in (1, 2)
    check_one_line_error(capsys.readouterr().err, "choose another --export")
    assert run_verb("audio-datasets", "train", "--preset", "laptop-features", *words) == 2
    check_one_line_error(capsys.readouterr().err, "laptop-features trains one on functionals")
    assert not run.exists()


def test_the_shipped_network_is_taken_away(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The exported folder holds the same network and a card, and is read without the package's own files."""
    folder = tmp_path / "hub"
    assert run_verb("audio-datasets", "export", "hedgewars", str(folder)) == 0
    shipped, taken = open_network("hedgewars"), open_network(folder)
    assert (shipped.outputs, shipped.data, shipped.model.config) == (taken.outputs, taken.data, taken.model.config)
    for first, second in zip(shipped.model.state_dict().values(), taken.model.state_dict().values(), strict=True):
        assert torch.equal(first, second)
    assert "| C14 |" in (folder / "README.md").read_text()
    assert f"evaluate --weights {folder}" in capsys.readouterr().out
