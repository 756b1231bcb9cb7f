"""Embeddings are kept, and computed again where audio or settings change."""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from onepaper.errors import UsageError

from audio_datasets import embeddings
from audio_datasets.config import EncoderConfig
from audio_datasets.data.clips import ClipSet
from audio_datasets.embeddings import embed_clips
from audio_datasets.features.encoders import FrozenEncoder


def test_cache(sounds: ClipSet, encoder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embeddings, "_AT_ONCE", 5)
    clips = replace(sounds, clips=sounds.clips[:12])
    config = EncoderConfig(cache=tmp_path / "cache")
    found = embed_clips(clips, encoder, config)
    assert found.shape == (12, 16)
    expected = FrozenEncoder(encoder, config)(clips.clips[7].read(16_000))
    np.testing.assert_array_equal(found[7], expected)
    assert len(list((tmp_path / "cache").iterdir())) == 3

    def refuse(*_: object) -> None:
        raise AssertionError("encoded again")

    with monkeypatch.context() as patched:
        patched.setattr(FrozenEncoder, "__call__", refuse)
        np.testing.assert_array_equal(embed_clips(clips, encoder, config), found)
        with pytest.raises(AssertionError, match="encoded again"):
            embed_clips(clips, encoder, replace(config, layer=1))
        os.utime(clips.clips[11].path, ns=(1, 1))
        with pytest.raises(AssertionError, match="encoded again"):
            embed_clips(clips, encoder, config)
    for kept in (tmp_path / "cache").iterdir():
        np.save(kept, np.zeros((2, 2)))
    with pytest.raises(UsageError, match="is damaged; remove it"):
        embed_clips(clips, encoder, config)
