"""Hume-VocalBurst from a synthetic copy of the published layout."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from onepaper.errors import UsageError
from onepaper.testing.mutations import fuzz

from audio_datasets.data.loaders import load
from audio_datasets.data.vocal_bursts import countries, load_exvo, multitask_targets
from audio_datasets.tasks.definitions import BURST_EMOTIONS


def test_ratings(bursts: Path) -> None:
    clips = load("hume-vocalburst-two", bursts)
    assert clips.targets == ("Valence", "Arousal")
    assert [len(clips.split(name)) for name in ("train", "validation", "test")] == [4, 4, 4]
    assert clips.clips[1].targets[0] == pytest.approx(0.35)
    assert np.isnan(clips.split("test").ratings()).all()
    assert len(clips.clips[0].read(16_000)) == 4800


def test_classes(bursts: Path) -> None:
    clips = load("hume-vocalburst-type", bursts)
    assert [clip.label for clip in clips.split("train")] == ["Gasp", "Laugh", "Gasp", "Laugh"]
    with pytest.raises(UsageError, match="cannot be scored"):
        clips.split("test").labels()


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("Arousal", "Activity", "unknown column 'Arousal'"),
        ("[00001]", "00001", "line 3: the File_ID is '00001'"),
        ("[00001]", "[00000]", "'00000' of 'hume-vocalburst' is there twice"),
        ("Val,", "Dev,", "line 6: unknown Split 'Dev'"),
        ("0.350", "1.350", "line 3 has '1.350', expected a number from 0 to 1"),
        ("0.350", "nan", "line 3 has 'nan', expected a number"),
    ],
)
def test_wrong_labels(bursts: Path, tmp_path: Path, old: str, new: str, expected: str) -> None:
    (tmp_path / "labels").mkdir()
    text = (bursts / "labels" / "two_info.csv").read_text()
    assert old in text
    (tmp_path / "labels" / "two_info.csv").write_text(text.replace(old, new))
    with pytest.raises(UsageError) as raised:
        load("hume-vocalburst-two", tmp_path)
    assert expected in str(raised.value)


def test_missing_parts(bursts: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"culture_info.csv is missing"):
        load("hume-vocalburst-culture", bursts)
    shutil.copytree(bursts / "labels", tmp_path / "labels")
    with pytest.raises(UsageError, match="is not a file"):
        load("hume-vocalburst-two", tmp_path).clips[0].read()


def test_exvo(exvo: Path) -> None:
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
def test_wrong_labels_of_exvo(exvo: Path, tmp_path: Path, old: str, new: str, expected: str) -> None:
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
def test_damaged_tables_of_exvo(exvo: Path, tmp_path: Path, count: int) -> None:
    valid = "\n".join((exvo / "data_info.csv").read_text().splitlines()[:3]).encode()
    fuzz(lambda path: multitask_targets(tmp_path, load_exvo(tmp_path)), tmp_path / "data_info.csv", [valid], count)


def test_official_order_of_columns(bursts: Path, tmp_path: Path) -> None:
    """By name a copy may have its columns in any order; the official code goes by position."""
    (tmp_path / "labels").mkdir()
    path = tmp_path / "labels" / "two_info.csv"
    rows = [line.split(",") for line in (bursts / "labels" / "two_info.csv").read_text().splitlines()]
    path.write_text("\n".join(",".join((*row[:2], row[3], row[2])) for row in rows))
    np.testing.assert_array_equal(
        load("hume-vocalburst-two", tmp_path).ratings(), load("hume-vocalburst-two", bursts).ratings()
    )
    with pytest.raises(UsageError, match="column 3 is 'Arousal', expected Valence as in the release"):
        load("hume-vocalburst-two", tmp_path, strict_official=True)
    path.write_text("\n".join(",".join((*row, "0")) for row in rows).replace(",0", ",Extra", 1))
    with pytest.raises(UsageError, match="column 5 is 'Extra', expected nothing"):
        load("hume-vocalburst-two", tmp_path, strict_official=True)


def test_oddities_of_the_official_code(bursts: Path, tmp_path: Path) -> None:
    strict = load("hume-vocalburst-type", bursts, strict_official=True)
    assert strict.classes == ("Cry", "Gasp", "Groan", "Grunt", "Laugh", "Other", "Pant", "Scream")
    assert strict.split("train").labels().tolist() == [1, 4, 1, 4]
    # The task Two is called low in the label script.
    (tmp_path / "labels").mkdir()
    shutil.copyfile(bursts / "labels" / "two_info.csv", tmp_path / "labels" / "low_info.csv")
    assert len(load("hume-vocalburst-two", tmp_path, strict_official=True)) == 12
    with pytest.raises(UsageError, match=r"two_info.csv is missing"):
        load("hume-vocalburst-two", tmp_path)


def test_official_order_of_exvo(exvo: Path, tmp_path: Path) -> None:
    text = (exvo / "data_info.csv").read_text()
    (tmp_path / "data_info.csv").write_text(text.replace("Awe,Excitement", "Excitement,Awe", 1))
    assert load("hume-vocalburst-exvo", exvo, strict_official=True) == load("hume-vocalburst-exvo", exvo)
    assert load("hume-vocalburst-exvo", tmp_path).clips[0].targets[0] == 0.11
    with pytest.raises(UsageError, match="column 6 is 'Excitement', expected Awe"):
        load("hume-vocalburst-exvo", tmp_path, strict_official=True)
