"""The third example set: spoken prompts of the telephone exchange Asterisk, whose class is the language.

Each of three languages has two voices. Those to train on are of G.722 at 16 kHz, those to test of GSM or uncompressed
at 8 kHz: within a part all classes came through about the same channel, so that it does not give the class away. With
one voice a language in training, a classifier may learn the voice in place of the language.
"""

from pathlib import Path
from typing import NamedTuple

import soundfile
from onepaper.audio import write_wav
from onepaper.errors import UsageError

from audio_datasets.data.clips import Clip, ClipSet
from audio_datasets.data.examples.hedgewars import distinct

NAME = "asterisk-prompts"
CLASSES = ("es", "fr", "it")
FOLDER = "usr/share/asterisk/sounds"
"""the voices' folders are below it in each package"""
_GSM_RATE = 8000
_TONES = ("beep", "beeperr", "ascending-2tone", "descending-2tone")


class Voice(NamedTuple):
    """One speaker: the Debian package and its split, language, and country."""

    package: str
    split: str
    language: str
    country: str


VOICES = {
    "es_MX_f_Allison": Voice("asterisk-core-sounds-es-g722", "train", "es", "MX"),
    "es": Voice("asterisk-prompt-es-co", "test", "es", "CO"),
    "fr": Voice("asterisk-prompt-fr-armelle", "test", "fr", "FR"),
    "fr_CA_f_June": Voice("asterisk-core-sounds-fr-g722", "train", "fr", "CA"),
    "it_IT_f_Menardi": Voice("asterisk-prompt-it-menardi-wav", "test", "it", "IT"),
    "it_IT_m_Carlo": Voice("asterisk-core-sounds-it-g722", "train", "it", "IT"),
}


def decode_gsm(path: Path, target: Path) -> None:
    """Write a WAV file of a GSM 06.10 file without header, as Asterisk keeps them.

    Raises:
        UsageError: not such a file.
    """
    try:
        samples, _ = soundfile.read(
            path, dtype="float32", samplerate=_GSM_RATE, channels=1, format="RAW", subtype="GSM610"
        )
    except (soundfile.SoundFileError, OSError) as error:
        raise UsageError(f"{path} is not readable GSM 06.10 ({error}); unpack its package again") from None
    write_wav(target, samples, _GSM_RATE)


def load_prompts(root: Path) -> ClipSet:
    """The prompts of the six voices, without tones, silence, and byte-identical copies.

    Args:
        root: what `data prepare` wrote.

    Raises:
        UsageError: a voice is missing.
    """
    folder = root / NAME if (root / NAME).is_dir() else root
    clips: list[Clip] = []
    for name, voice in VOICES.items():
        files = sorted(path for suffix in ("g722", "wav") for path in (folder / name).rglob(f"*.{suffix}"))
        if not files:
            raise UsageError(
                f"{root} holds no prompts of the voice {name}, expected .g722 or .wav files in {name}/; `onepaper "
                f"audio-datasets data prepare {NAME}` writes them"
            )
        for path in distinct(files):
            text = path.relative_to(folder / name).with_suffix("").as_posix()
            if path.stem not in _TONES and not text.startswith("silence/"):
                clips.append(
                    Clip(f"{name}/{text}", path, name, voice.split, voice.language, country=voice.country, text=text)
                )
    return ClipSet(NAME, tuple(clips), classes=CLASSES)
