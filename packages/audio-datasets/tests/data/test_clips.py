"""Sets of clips: splits, labels, leakage, frames."""

from pathlib import Path

import numpy as np
import pytest
from onepaper.audio import read_audio, write_wav
from onepaper.display.file_bytes import wav_bytes
from onepaper.errors import UsageError

from audio_datasets.data.clips import Clip, ClipSet, overlap, pad_waveforms


def make(*clips: Clip, **fields: tuple[str, ...]) -> ClipSet:
    return ClipSet("test", clips, **fields)


def test_splits_and_labels(sounds: ClipSet) -> None:
    assert [len(sounds.split(name)) for name in ("train", "validation", "test")] == [12, 4, 8]
    assert sounds.labels()[:4].tolist() == [0, 1, 2, 0]
    assert len(set(sounds.groups())) == 6
    with pytest.raises(UsageError, match="did you mean 'validation'"):
        sounds.split("validaton")


def test_audio_is_resampled_from_its_own_rate(sounds: ClipSet) -> None:
    """Files of 16 and 22.05 kHz with equal duration have equal lengths at one rate."""
    lengths = {len(clip.read(16_000)) for clip in sounds.clips[:2]}
    assert lengths == {6400}
    assert len(sounds.clips[0].read(16_000, max_seconds=0.1)) == 1600
    assert len(sounds.clips[0]._replace(start=0.1, seconds=0.2).read(8000)) == 1600


@pytest.mark.parametrize("channels", [1, 2, 3])
def test_channels_are_mixed_as_by_the_shared_reader(tmp_path: Path, channels: int) -> None:
    """To the same bits, also of a part, and after resampling."""
    samples = np.random.default_rng(0).uniform(-1, 1, (4000, channels)).astype(np.float32)
    clip = Clip("a", write_wav(tmp_path / "a.wav", samples, 8000))
    np.testing.assert_array_equal(clip.read(), read_audio(clip.path).samples)
    part = clip._replace(start=0.1, seconds=0.2)
    np.testing.assert_array_equal(part.read(5000), read_audio(clip.path, rate=5000, start=0.1, seconds=0.2).samples)


def test_wrong_sets() -> None:
    clip = Clip("a", Path("a.wav"))
    with pytest.raises(UsageError, match="'a' of 'test' is there twice"):
        make(clip, clip)
    with pytest.raises(UsageError, match="has no clips"):
        make()
    with pytest.raises(UsageError, match="has 1 ratings, expected 2"):
        make(clip._replace(targets=(0.5,)), targets=("x", "y"))
    with pytest.raises(UsageError, match="has the label 'c'"):
        make(clip._replace(label="c"), classes=("a", "b"))


def test_blind_splits_have_no_labels() -> None:
    clips = make(Clip("a", Path("a.wav"), label="x"), Clip("b", Path("b.wav")), classes=("x",))
    with pytest.raises(UsageError, match=r"1 of 2 clips of 'test' have no class, first 'b'; .* cannot be scored"):
        clips.labels()
    assert len(clips.labelled()) == 1
    assert np.isnan(make(Clip("a", Path("a.wav")), targets=("x",)).ratings()).all()


def test_overlap() -> None:
    rows = (("a", "s", "train"), ("b", "s", "test"), ("c", "t", "train"), ("d", "", "test"), ("e", "t", ""))
    clips = [Clip(name, Path(name), speaker, split) for name, speaker, split in rows]
    assert overlap(clips) == {"s": ("test", "train")}


def test_frames() -> None:
    frames, counts = pad_waveforms([np.ones(5, np.float32), np.ones(12, np.float32)], 4)
    assert frames.shape == (2, 3, 4)
    assert counts.tolist() == [2, 3]
    assert frames.reshape(2, -1).sum(axis=1).tolist() == [5, 12]


def test_a_header_that_declares_too_much(tmp_path: Path) -> None:
    """The true length counts, not the 2,147,483,647 bytes of the header."""
    content = bytearray(wav_bytes(np.full(1000, 0.25), 16_000))
    content[40:44] = (2**31 - 1).to_bytes(4, "little")
    (tmp_path / "a.wav").write_bytes(content)
    assert len(Clip("a", tmp_path / "a.wav").read()) == 1000
