"""Submissions: written files pass the check, damaged ones do not."""

from pathlib import Path

import numpy as np
import pytest
from onepaper.errors import UsageError
from onepaper.testing.mutations import fuzz

from audio_datasets.tasks.definitions import get_task
from audio_datasets.tasks.submissions import check_submission, submission_csv

TWO, TYPE = get_task("avb-two"), get_task("avb-type")


def test_round_trip(tmp_path: Path) -> None:
    text = submission_csv(TWO, ("1", "2"), np.array([[0.5, 1], [0, 0.25]]))
    assert text.splitlines() == ["File_ID,Valence,Arousal", "[1],0.500000,1.000000", "[2],0.000000,0.250000"]
    (tmp_path / "a.csv").write_text(text)
    assert check_submission(TWO, tmp_path / "a.csv", ("2", "1")) == 2
    (tmp_path / "b.csv").write_text(submission_csv(TYPE, ("1",), np.array([2])))
    assert "[1],Cry" in (tmp_path / "b.csv").read_text()
    assert check_submission(TYPE, tmp_path / "b.csv", ("1",)) == 1


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("File_ID,Arousal,Valence\n", "expected File_ID, Valence, Arousal"),
        ("File_ID,Valence,Arousal\n[1],0.5,0.5\n", "lacks 1 clips"),
        ("File_ID,Valence,Arousal\n[1],0.5,0.5\n[1],0.5,0.5\n", "expected each id of the split once"),
        ("File_ID,Valence,Arousal\n1,0.5,0.5\n", "in square brackets"),
        ("File_ID,Valence,Arousal\n[1],nan,0.5\n", "line 2 has 'nan'"),
        ("File_ID,Valence,Arousal\n[1],0.5\n", "line 2 has 2 cells"),
        ("File_ID,Valence,Arousal\n[1],0_1,0.5\n", "line 2 has '0_1' as Valence"),
        ("\0", "expected File_ID"),
        ("", "has 0 bytes"),
    ],
)
def test_wrong_files(tmp_path: Path, text: str, expected: str) -> None:
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(UsageError, match=expected):
        check_submission(TWO, tmp_path / "a.csv", ("1", "2"))


def test_multitask(tmp_path: Path) -> None:
    task, row = get_task("exvo-multitask"), [1, 32.25, *[0.5] * 10]
    (tmp_path / "a.csv").write_text(submission_csv(task, ("1",), np.array([row])))
    assert (tmp_path / "a.csv").read_text().splitlines()[1].startswith("[1],1,32.250000,0.500000")
    assert check_submission(task, tmp_path / "a.csv", ("1",)) == 1
    for column, value, expected in ((0, 4, "Country of '1' is 4"), (1, 121, "Age of '1' is 121"), (2, 2, "Awe of '1'")):
        with pytest.raises(UsageError, match=expected):
            submission_csv(task, ("1",), np.array([[*row[:column], value, *row[column + 1 :]]]))
    (tmp_path / "a.csv").write_text((tmp_path / "a.csv").read_text().replace("[1],1,", "[1],1.5,"))
    with pytest.raises(UsageError, match="has '1.5' as Country, expected a whole number from 0 to 3"):
        check_submission(task, tmp_path / "a.csv", ("1",))


def test_generation_has_no_predictions(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="takes clips, not predictions"):
        submission_csv(get_task("exvo-generate"), ("1",), np.zeros((1, 10)))


def test_wrong_predictions() -> None:
    for task, ids, predicted in (
        (TWO, ("1",), np.array([[0.5, np.nan]])),
        (TWO, ("1",), np.array([[0.5, 1.1]])),
        (TWO, ("1",), np.array([0.5])),
        (TWO, ("1", "1"), np.zeros((2, 2))),
        (TYPE, ("1",), np.array([8])),
    ):
        with pytest.raises(UsageError):
            submission_csv(task, ids, predicted)


@pytest.mark.parametrize("count", [300, pytest.param(10_000, marks=pytest.mark.slow)])
def test_damaged_submissions(tmp_path: Path, count: int) -> None:
    valid = submission_csv(TWO, ("1", "2"), np.array([[0.5, 1], [0, 0.25]])).encode()
    fuzz(lambda path: check_submission(TWO, path, ("1", "2")), tmp_path / "a.csv", [valid], count)
