"""A synthetic copy of ExVo: columns, blind labels, numbers of countries."""

from pathlib import Path

import numpy as np
import pytest
from onepaper.errors import UsageError
from onepaper.testing.mutations import fuzz

from audio_datasets.data.exvo import countries, load_exvo, multitask_targets
from audio_datasets.data.loaders import load
from audio_datasets.tasks.definitions import BURST_EMOTIONS


def test_labels(exvo: Path) -> None:
    clips = load("hume-vocalburst-exvo", exvo)
    assert clips.targets == BURST_EMOTIONS
    assert {clip.split for clip in clips} == {"train", "validation", "test"}
    assert clips.clips[0].speaker == "Speaker_0"
    assert len(clips.clips[0].read(16_000)) == 4800
    assert np.isnan(clips.split("test").ratings()[-1]).all()
    assert countries(clips) == ("0", "1")


def test_targets_are_rows_of_a_submission(exvo: Path) -> None:
    clips = load_exvo(exvo)
    found = multitask_targets(exvo, clips)
    assert found.shape == (len(clips), 12)
    assert found[0, 1] == 20
    assert set(found[:8, 0]) == {0.0, 1.0}
    np.testing.assert_array_equal(found[:, 2:], clips.ratings())
    assert np.isnan(found[-1]).all()


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("Subject_ID", "Subject", "unknown column 'Subject_ID'"),
        (",20,", ",200,", "has '200', expected a number from 0 to 120"),
        (",20,", ",young,", "has 'young', expected a number"),
        ("[00000]", "00000", "line 2: the File_ID is '00000'"),
    ],
)
def test_wrong_labels(exvo: Path, tmp_path: Path, old: str, new: str, expected: str) -> None:
    text = (exvo / "data_info.csv").read_text()
    assert old in text
    (tmp_path / "data_info.csv").write_text(text.replace(old, new, 1))
    with pytest.raises(UsageError) as raised:
        multitask_targets(tmp_path, load_exvo(tmp_path))
    assert expected in str(raised.value)


def test_too_many_countries(exvo: Path) -> None:
    clips = load_exvo(exvo)
    many = [clip._replace(country=str(place)) for place, clip in enumerate(clips)]
    with pytest.raises(UsageError, match="expected at most 4"):
        countries(type(clips)(clips.name, tuple(many), clips.targets))


@pytest.mark.parametrize("count", [200, pytest.param(10_000, marks=pytest.mark.slow)])
def test_damaged_tables(exvo: Path, tmp_path: Path, count: int) -> None:
    valid = "\n".join((exvo / "data_info.csv").read_text().splitlines()[:3]).encode()
    fuzz(lambda path: multitask_targets(tmp_path, load_exvo(tmp_path)), tmp_path / "data_info.csv", [valid], count)
