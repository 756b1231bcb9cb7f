"""`evaluate --reference`: a folder is nearer to itself than to another one."""

import json
from pathlib import Path

import pytest
from onepaper.testing import check_one_line_error, run_verb


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    found = []
    for seed in ("0", "1"):
        folder = tmp_path_factory.mktemp("scenes") / seed
        assert run_verb("imagen3", "scenes", "--count", "20", "--seed", seed, "--output", str(folder)) == 0
        found.append(str(folder / "pictures"))
    return found


def test_distances(folders: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tables = []
    for number, other in enumerate(folders):
        run = tmp_path / str(number)
        words = ("--pictures", other, "--reference", folders[0], "--output", str(run))
        assert run_verb("imagen3", "evaluate", *words) == 0
        tables.append({row[0]: row[1:] for row in json.loads((run / "tables.json").read_text())["Distances"]})
    for name in ("Frechet", "MMD x 1000"):
        assert [float(value) for value in tables[0][name]] == pytest.approx([0, 0], abs=1e-4)
        assert min(float(value) for value in tables[1][name]) > 1e-3
    assert tables[0]["coverage"] == ["1.000", "1.000"]
    printed = capsys.readouterr().out
    assert "None of them is FID" in printed
    assert "20 samples of" in printed


def test_wrong_values(folders: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    few = tmp_path / "few"
    assert run_verb("imagen3", "scenes", "--count", "3", "--output", str(few)) == 0
    for words, expected in (
        ((), "give --prompts FILE for counts"),
        (("--reference", folders[0], "--prompts", "a.csv"), "expected one of them"),
        (("--reference", str(few / "pictures")), "holds 3 pictures, expected at least 20"),
    ):
        words = ("--pictures", folders[0], *words, "--output", str(tmp_path / "run"))
        assert run_verb("imagen3", "evaluate", *words) == 2
        check_one_line_error(capsys.readouterr().err, expected)
        assert not (tmp_path / "run").exists()
