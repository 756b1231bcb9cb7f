"""Folds of groups."""

import numpy as np
import pytest
from onepaper.errors import UsageError

from audio_datasets.data.clips import ClipSet
from audio_datasets.data.examples.hedgewars import shipped_voices
from audio_datasets.data.folds import group_folds


def test_groups_are_whole() -> None:
    clips = shipped_voices()
    folds = group_folds(clips, 5)
    groups = np.array(clips.groups())
    assert all(len(set(folds[groups == group])) == 1 for group in groups)
    assert set(folds) == set(range(5))


def test_folds_are_even(sounds: ClipSet) -> None:
    assert np.bincount(group_folds(sounds, 3)).tolist() == [8, 8, 8]


def test_too_many_folds(sounds: ClipSet) -> None:
    with pytest.raises(UsageError, match="folds is 7, expected 2 to 6"):
        group_folds(sounds, 7)
