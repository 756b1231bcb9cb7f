"""The state of single files, from odd ones."""

import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile
from onepaper.audio import write_wav
from onepaper.errors import UsageError

from audio_datasets.checks.recordings import BLOCK_SECONDS, audio_blocks, examine, recording_findings

TONE = (0.3 * np.sin(np.arange(16_000) * 0.1)).astype(np.float32)


@pytest.mark.parametrize("size", [2**31 - 1, 2**32 - 1, 0x7FFFF000, 2 * (2**31 - 1)])
def test_streamed_wav(tmp_path: Path, size: int) -> None:
    """A header that declares 2,147,483,647 samples, or bytes, as written into a pipe: the true length counts."""
    content = bytearray(write_wav(tmp_path / "a.wav", TONE, 16_000).read_bytes())
    assert not examine(tmp_path / "a.wav").incomplete
    content[4:8] = content[40:44] = struct.pack("<I", size)
    (tmp_path / "a.wav").write_bytes(content)
    for decode in (True, False):
        found = examine(tmp_path / "a.wav", decode)
        assert (found.seconds, found.incomplete) == (1.0, True)
    content[40:44] = bytes(4)
    (tmp_path / "a.wav").write_bytes(content)
    with pytest.raises(UsageError, match="has no samples"):
        examine(tmp_path / "a.wav")


@pytest.mark.parametrize("ending", ["wav", "ogg"])
def test_truncated(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"a.{ending}"
    noise = 0.1 * np.random.default_rng(0).standard_normal(160_000)
    soundfile.write(path, noise, 16_000)
    assert not examine(path).incomplete
    path.write_bytes(path.read_bytes()[:-5000])
    assert examine(path).incomplete


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE"])
def test_depths_and_channels(tmp_path: Path, subtype: str) -> None:
    """Channels are mixed, and samples of all depths have the same scale."""
    path = tmp_path / "a.wav"
    soundfile.write(path, np.stack([TONE, TONE], axis=1), 16_000, subtype=subtype)
    (block,) = audio_blocks(path)
    np.testing.assert_allclose(block, TONE, atol=1 / 127)
    assert (examine(path).rate, examine(path).channels) == (16_000, 2)


def test_levels_and_names(tmp_path: Path) -> None:
    paths = [tmp_path / name for name in ("clipped.wav", "silent.wav", "vorbis.wav", "a.ogg")]
    soundfile.write(paths[0], np.clip(10 * TONE, -1, 1), 16_000)
    soundfile.write(paths[1], np.zeros(8000), 8000)
    soundfile.write(paths[3], TONE, 16_000)
    paths[2].write_bytes(paths[3].read_bytes())
    found = {path: examine(path) for path in paths}
    assert [each.silent for each in found.values()] == [False, True, False, False]
    assert [each.misnamed for each in found.values()] == [False, False, True, False]
    assert found[paths[0]].clipped > 0.5
    words = [finding.text.partition(", first")[0] for finding in recording_findings(found)]
    assert words == [
        "rates: 8,000 Hz 1, 16,000 Hz 3; 1 channel 4; each file is resampled from its own rate",
        "1 files have the ending of another format",
        "1 files are clipped",
        "1 files are silent",
    ]
    assert list(recording_findings({})) == []


def test_webm_named_wav(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(bytes.fromhex("1A45DFA3") + b"webm" * 100)
    with pytest.raises(UsageError, match="a.wav is not readable audio"):
        examine(path)


@pytest.mark.parametrize("rate", [None, 4000])
def test_blocks_of_a_long_file(tmp_path: Path, rate: int | None) -> None:
    for seconds, blocks in ((2.5 * BLOCK_SECONDS, 3), (2 * BLOCK_SECONDS, 2)):
        samples = np.random.default_rng(0).uniform(-0.5, 0.5, round(seconds * 2000)).astype(np.float32)
        soundfile.write(tmp_path / "a.wav", samples, 2000, subtype="FLOAT")
        found = list(audio_blocks(tmp_path / "a.wav", rate))
        assert len(found) == blocks
        if rate is None:
            np.testing.assert_array_equal(np.concatenate(found), samples)
        else:
            assert sum(map(len, found)) == 2 * len(samples)
