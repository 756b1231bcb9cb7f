import io
import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from onepaper.audio import audio_info, read_audio
from onepaper.errors import UsageError

RATE = 8000
TONE = (0.5 * np.sin(np.arange(RATE) / 7)).astype(np.float32)


def wav(samples: np.ndarray = TONE, subtype: str = "PCM_16") -> bytes:
    content = io.BytesIO()
    soundfile.write(content, samples, RATE, format="WAV", subtype=subtype)
    return content.getvalue()


@pytest.mark.parametrize(
    ("subtype", "step"),
    [("PCM_U8", 2**-7), ("PCM_16", 2**-15), ("PCM_24", 2**-23), ("PCM_32", 2**-24), ("FLOAT", 0.0), ("DOUBLE", 0.0)],
)
def test_every_depth_is_read_to_its_last_bit(tmp_path: Path, subtype: str, step: float) -> None:
    (tmp_path / "a.wav").write_bytes(wav(subtype=subtype))
    audio = read_audio(tmp_path / "a.wav")
    assert audio.samples.dtype == np.float32
    assert audio.rate == RATE
    assert audio.seconds == 1
    assert np.abs(audio.samples - TONE).max() <= step


def test_integers_are_divided_by_a_power_of_two(tmp_path: Path) -> None:
    values = np.array([-(2**15), -1, 0, 1, 2**15 - 1], np.int16)
    (tmp_path / "a.wav").write_bytes(wav(values))
    np.testing.assert_array_equal(read_audio(tmp_path / "a.wav").samples, values / np.float32(2**15))


@pytest.mark.parametrize(
    "form", [("FLAC", "PCM_16"), ("OGG", "VORBIS"), ("OGG", "OPUS"), ("AIFF", "PCM_16"), ("MP3", None)]
)
def test_formats_go_by_content(tmp_path: Path, form: tuple[str, str | None]) -> None:
    soundfile.write(tmp_path / "sound", TONE, RATE, format=form[0], subtype=form[1])
    (tmp_path / "sound.raw").write_bytes((tmp_path / "sound").read_bytes())
    info = audio_info(tmp_path / "sound.raw")
    assert (info.container, info.rate, info.channels, info.frames) == (form[0], RATE, 1, RATE)
    samples = read_audio(tmp_path / "sound.raw").samples
    assert samples.shape == (RATE,)
    assert np.corrcoef(samples, TONE)[0, 1] > 0.95


def test_channels(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(wav(np.stack([TONE, -0.5 * TONE], axis=1), "FLOAT"))
    both = read_audio(tmp_path / "a.wav", mono=False).samples
    np.testing.assert_array_equal(both, np.stack([TONE, -0.5 * TONE], axis=1))
    np.testing.assert_allclose(read_audio(tmp_path / "a.wav").samples, TONE / 4, atol=1e-7)


def test_a_part_equals_the_part_of_the_whole(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(wav())
    whole = read_audio(tmp_path / "a.wav").samples
    part = read_audio(tmp_path / "a.wav", start=0.25, seconds=0.5).samples
    np.testing.assert_array_equal(part, whole[RATE // 4 : 3 * RATE // 4])
    assert len(read_audio(tmp_path / "a.wav", start=0.75, seconds=9).samples) == RATE // 4
    with pytest.raises(UsageError, match=r"a.wav has no samples after 1 s; it ends at 1 s"):
        read_audio(tmp_path / "a.wav", start=1.0)


@pytest.mark.parametrize("declared", [0x7FFFFFFF, 0xFFFFFFFF, 2**31 - 2])
def test_what_is_decoded_counts_and_not_the_declared_length(tmp_path: Path, declared: int) -> None:
    content = bytearray(wav())
    at = content.index(b"data") + 4
    content[at : at + 4] = struct.pack("<I", declared)
    (tmp_path / "a.wav").write_bytes(content)
    assert read_audio(tmp_path / "a.wav").samples.shape == (RATE,)


def test_what_cannot_be_read_gets_one_line(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    with pytest.raises(UsageError, match=r"a.wav is not a file; give the path of an audio file"):
        read_audio(path)
    for content, message in (
        (b"", "is not readable audio"),
        (b"text", "is not readable audio"),
        (wav(TONE[:0]), "has no samples; expected audio"),
        (wav(np.where(np.arange(RATE) == 5, np.nan, TONE), "FLOAT"), "holds samples that are NaN or infinite"),
    ):
        path.write_bytes(content)
        with pytest.raises(UsageError, match=rf"a.wav {message}"):
            read_audio(path)
    path.write_bytes(wav())
    for arguments in ({"start": -1.0}, {"start": np.nan}, {"seconds": 0.0}, {"seconds": np.inf}, {"rate": 0}):
        with pytest.raises(UsageError, match="expected"):
            read_audio(path, **arguments)


def test_g722_has_two_samples_a_byte(tmp_path: Path) -> None:
    g722 = pytest.importorskip("G722")
    codes = g722.G722(16_000, 64_000).encode((np.repeat(TONE, 2) * 2**15).astype(np.int16))
    (tmp_path / "a.g722").write_bytes(codes)
    audio = read_audio(tmp_path / "a.g722")
    assert audio_info(tmp_path / "a.g722").frames == len(audio.samples) == 2 * len(codes)
    assert audio.rate == 16_000
    assert np.abs(np.fft.rfft(audio.samples)).argmax() == np.abs(np.fft.rfft(np.repeat(TONE, 2))).argmax()


def _survives(path: Path, content: bytes, changes: list[tuple[int, int]], length: float) -> None:
    changed = bytearray(content)
    for place, value in changes:
        changed[place % len(changed)] = value
    path.write_bytes(changed[: max(1, int(length * len(changed)))])
    try:
        samples = read_audio(path).samples
    except UsageError:
        return
    assert 0 < samples.size <= 64 * len(content)
    assert np.isfinite(samples).all()


_CHANGES = st.lists(st.tuples(st.integers(0, 2**16), st.integers(0, 255)), max_size=4)


@pytest.mark.parametrize("form", ["WAV", "FLAC", "OGG"])
def test_damaged_files_give_samples_or_one_line(tmp_path_factory: pytest.TempPathFactory, form: str) -> None:
    content = io.BytesIO()
    soundfile.write(content, TONE[:400], RATE, format=form)
    path = tmp_path_factory.mktemp(form) / "a.wav"

    @settings(max_examples=60, deadline=None, database=None)
    @given(changes=_CHANGES, length=st.floats(0.1, 1.0))
    def survives(changes: list[tuple[int, int]], length: float) -> None:
        _survives(path, content.getvalue(), changes, length)

    survives()


@pytest.mark.slow
@pytest.mark.parametrize("form", ["WAV", "FLAC", "OGG", "MP3", "AIFF"])
def test_ten_thousand_damaged_files(tmp_path: Path, form: str) -> None:
    content = io.BytesIO()
    soundfile.write(content, TONE[:400], RATE, format=form)
    random = np.random.default_rng(0)
    for _ in range(2000):
        changes = [(int(random.integers(2**16)), int(random.integers(256))) for _ in range(random.integers(5))]
        _survives(tmp_path / "a.wav", content.getvalue(), changes, random.uniform(0.1, 1.0))
