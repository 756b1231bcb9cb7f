"""The verb `submission`: what the package writes is complete; what lacks a clip is refused."""

from pathlib import Path

import numpy as np
import pytest
from onepaper.testing import check_one_line_error, run_verb

from audio_datasets.tasks.definitions import get_task
from audio_datasets.tasks.submissions import submission_csv


def test_all_clips_of_a_split(bursts: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sent = tmp_path / "a.csv"
    sent.write_text(submission_csv(get_task("avb-type"), [f"{index:05d}" for index in range(8, 12)], np.arange(4)))
    words = ("submission", "avb-type", str(sent), "--root", str(bursts))
    assert run_verb("audio-datasets", *words) == 0
    assert "4 clips, complete and in range" in capsys.readouterr().out
    sent.write_text("\n".join(sent.read_text().splitlines()[:-1]))
    assert run_verb("audio-datasets", *words) == 2
    check_one_line_error(capsys.readouterr().err, "lacks 1 clips, first [00011]")


def test_queries_of_a_few_shot_task(exvo: Path, tmp_path: Path) -> None:
    """Clips that a model may adapt to are not asked for."""
    sent, ids = tmp_path / "a.csv", ["00010", "00011", "00014", "00015"]
    sent.write_text(submission_csv(get_task("exvo-few-shot"), ids, np.full((4, 10), 0.5)))
    words = ("submission", "exvo-few-shot", str(sent), "--root", str(exvo), "--split", "validation")
    assert run_verb("audio-datasets", *words) == 0


@pytest.mark.parametrize(
    ("words", "expected"),
    [(("avb-two",), "needs a task, a file and your copy"), (("avb-twos", "a.csv", "--root", "."), "did you mean")],
)
def test_wrong_values(words: tuple[str, ...], expected: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_verb("audio-datasets", "submission", *words) == 2
    check_one_line_error(capsys.readouterr().err, expected)
