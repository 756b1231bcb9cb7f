"""Manifests are read back by lhotse, sample by sample."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from audio_datasets.data.clips import ClipSet
from audio_datasets.exports.lhotse_sets import RECORDINGS, SUPERVISIONS, write_lhotse

lhotse = pytest.importorskip("lhotse")


def test_round_trip(sounds: ClipSet, tmp_path: Path) -> None:
    # Two parts of the first file, and whole files of both rates.
    first = sounds.clips[0]
    parts = (first._replace(id="a", start=0.1, seconds=0.2), first._replace(id="b", start=0.3, targets=(0.5,)))
    clips = replace(sounds, clips=(*parts, *sounds.clips[1:6]), targets=("x",))
    assert write_lhotse(tmp_path / "out", clips) == 7
    recordings = lhotse.RecordingSet.from_file(tmp_path / "out" / RECORDINGS)
    supervisions = lhotse.SupervisionSet.from_file(tmp_path / "out" / SUPERVISIONS)
    assert len(recordings) == 6
    cuts = lhotse.CutSet.from_manifests(recordings, supervisions).trim_to_supervisions(keep_overlapping=False)
    by_id = {cut.supervisions[0].id: cut for cut in cuts}
    assert set(by_id) == {clip.id for clip in clips}
    for clip in clips:
        cut = by_id[clip.id]
        np.testing.assert_array_equal(cut.load_audio()[0], clip.read())
        assert cut.supervisions[0].speaker == clip.speaker
        assert cut.supervisions[0].custom["label"] == clip.label
    assert by_id["b"].supervisions[0].custom["targets"] == {"x": 0.5}
