"""The verb `evaluate` on scenes, and what it refuses."""

import json
import shutil
from pathlib import Path

import pytest
from onepaper.testing import check_one_line_error, run_verb


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("scenes") / "run"
    assert run_verb("imagen3", "scenes", "--count", "21", "--output", str(folder)) == 0
    return folder


def test_counting(scenes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pictures = tmp_path / "pictures"
    shutil.copytree(scenes / "pictures", pictures)
    # The last picture is that of another prompt.
    shutil.copy(pictures / "scene_00000_0.png", pictures / "scene_00020_0.png")
    shutil.copy(pictures / "scene_00000_0.png", pictures / "holiday.png")
    run = tmp_path / "run"
    words = ("--pictures", str(pictures), "--prompts", str(scenes / "prompts.csv"), "--output", str(run))
    assert run_verb("imagen3", "evaluate", *words) == 0
    printed = capsys.readouterr().out
    assert "21 pictures of 21 prompts" in printed
    assert "1 other pictures have the name of no prompt" in printed
    found = json.loads((run / "evaluation.json").read_text())
    wrong = [line for line in (run / "answers.csv").read_text().splitlines() if line.endswith(",0.0")]
    assert {line.split(",")[0] for line in wrong} == {"scene_00020_0.png"}
    questions = sum(group["questions"] for group in found["by type"].values())
    assert found["accuracy"]["estimate"] == pytest.approx(1 - len(wrong) / questions)
    assert sum(group["questions"] for group in found["by number"].values()) == questions
    assert "requested" not in printed
    assert "scene_00020_0.png" in (run / "index.html").read_text()


def test_wrong_values(scenes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pictures, prompts = ("--pictures", str(scenes / "pictures")), ("--prompts", str(scenes / "prompts.csv"))
    (tmp_path / "koala.csv").write_text(
        "prompt,entities,prompt_type,dataset_id\nx,koala:2,numeric_simple,scene_00000\n"
    )
    (tmp_path / "other.csv").write_text("prompt,entities,prompt_type,dataset_id\nx,dog:2,numeric_simple,b\n")
    for words, expected in (
        ((*prompts, "--pictures", str(tmp_path / "none")), "holds no images"),
        ((*pictures, "--prompts", str(tmp_path / "none.csv")), "none.csv is not a file"),
        ((*pictures, "--prompts", str(tmp_path / "koala.csv")), "does not know 'koala'"),
        ((*pictures, "--prompts", str(tmp_path / "other.csv")), "no file has the name of a prompt"),
        ((*pictures, *prompts, "--scene-size", "8"), "scene_size is 8"),
    ):
        assert run_verb("imagen3", "evaluate", *words, "--output", str(tmp_path / "run")) == 2
        check_one_line_error(capsys.readouterr().err, expected)
        assert not (tmp_path / "run").exists()
