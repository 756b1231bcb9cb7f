"""Prompts of six voices: languages, splits, what is no speech, and files of GSM."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from onepaper.audio import write_wav
from onepaper.errors import UsageError

from audio_datasets.data.clips import overlap
from audio_datasets.data.examples.preparation import prepare
from audio_datasets.data.examples.prompts import CLASSES, FOLDER, NAME, VOICES
from audio_datasets.data.loaders import load


@pytest.fixture
def unpacked(tmp_path: Path) -> Path:
    """The six packages, with two prompts and a tone each; those of GSM are encoded by libsndfile."""
    root, samples = tmp_path / "packages", 0.5 * np.sin(0.3 * np.arange(1600))
    for number, (name, voice) in enumerate(VOICES.items()):
        folder = root / FOLDER / name
        (folder / "digits").mkdir(parents=True)
        notice = root / "usr/share/doc" / voice.package / "copyright"
        notice.parent.mkdir(parents=True)
        notice.write_text(voice.package)
        for place, scale in (("conf-full", 1.0), ("digits/1", 0.5), ("beep", 0.25)):
            signal = (scale - 0.01 * number) * samples
            if name in ("es", "fr"):
                soundfile.write(folder / f"{place}.gsm", signal, 8000, format="RAW", subtype="GSM610")
            else:
                write_wav(folder / f"{place}.wav", signal.astype(np.float32), 16_000)
    shutil.copyfile(root / FOLDER / "it_IT_m_Carlo/beep.wav", root / FOLDER / "it_IT_m_Carlo/copy.wav")
    shutil.copyfile(root / FOLDER / "it_IT_m_Carlo/beep.wav", root / FOLDER / "unknown.wav")
    return root


def test_languages_have_one_voice_in_each_split(unpacked: Path, tmp_path: Path) -> None:
    assert prepare(NAME, tmp_path / "out", unpacked) == 19
    clips = load(NAME, tmp_path / "out")
    assert len(clips) == 2 * len(VOICES)
    assert not overlap(clips)
    for split in ("train", "test"):
        assert sorted(set(clips.split(split).values("label"))) == list(CLASSES)
    assert clips.clips[0].text == "conf-full"
    assert (tmp_path / "out/copyright-asterisk-prompt-es-co").read_text() == "asterisk-prompt-es-co"


def test_packages_are_read_from_their_newest_files(
    unpacked: Path, tmp_path: Path, write_deb: Callable[..., Path]
) -> None:
    debs = tmp_path / "debs"
    debs.mkdir()
    for name, voice in VOICES.items():
        files = {
            f"./{path.relative_to(unpacked)}": path.read_bytes() for path in (unpacked / FOLDER / name).rglob("*.*")
        }
        write_deb(debs / f"{voice.package}_2_all.deb", files)
        write_deb(debs / f"{voice.package}_1_all.deb", {f"./{FOLDER}/{name}/old.wav": b""})
    assert prepare(NAME, tmp_path / "out", debs) == 19
    assert len(load(NAME, tmp_path / "out")) == 2 * len(VOICES)


def test_gsm_is_decoded_as_libsndfile_does(unpacked: Path, tmp_path: Path) -> None:
    prepare(NAME, tmp_path / "out", unpacked)
    clip = next(clip for clip in load(NAME, tmp_path / "out") if clip.id == "es/digits/1")
    expected, _ = soundfile.read(
        unpacked / FOLDER / "es/digits/1.gsm", samplerate=8000, channels=1, format="RAW", subtype="GSM610"
    )
    # A WAV file has 16 bits; GSM has 13.
    np.testing.assert_allclose(clip.read(8000), expected, atol=2**-15)
    assert np.abs(expected).max() > 0.2


def test_refused(unpacked: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="apt-get download asterisk-core-sounds-es-g722 asterisk-prompt-es-co"):
        prepare(NAME, tmp_path / "out")
    with pytest.raises(UsageError, match="is not a folder"):
        prepare(NAME, tmp_path / "out", tmp_path / "missing")
    shutil.rmtree(unpacked / FOLDER / "fr")
    with pytest.raises(UsageError, match="no voice fr of asterisk-prompt-fr-armelle"):
        prepare(NAME, tmp_path / "out", unpacked)
    assert not (tmp_path / "out").exists()
    with pytest.raises(UsageError, match="no prompts of the voice es_MX_f_Allison"):
        load(NAME, tmp_path)
