"""Three mini tasks of speech from Debian packages of spoken prompts: languages, speakers, intents.

Voices are studio recordings, one of each company; some came through telephone codecs. So a language, speaker or intent
may be known by the channel: folds hold out voices (languages, intents) or texts (speakers).
"""

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile
from onepaper.audio import read_audio, resample
from onepaper.errors import UsageError
from onepaper.progress import track
from onepaper.runs import write_atomic

from hares.data.embedded import RATE

PACKAGES = (
    *(f"asterisk-core-sounds-{language}-g722" for language in ("en", "es", "fr", "it", "ru")),
    *("asterisk-prompt-it-menardi-wav", "asterisk-prompt-fr-armelle", "asterisk-prompt-es-co"),
    *("tuxpaint-stamps-default", "klettres-data"),
)
"""Debian packages whose files are read, all of them extracted below one folder."""
_ASTERISK, _STAMPS, _LETTERS = "usr/share/asterisk/sounds", "usr/share/tuxpaint/stamps", "usr/share/klettres"
_SHORTEST, _LONGEST = 0.4, 3.0
_CLIPS, _SPEAKER_CLIPS = 80, 60
_GSM_RATE = 8000
# (language, fold) -> files; a voice is in one fold only.
_LANGUAGES = {
    ("es", 0): f"{_ASTERISK}/es_MX_f_Allison/**/*.g722",
    ("fr", 0): f"{_ASTERISK}/fr_CA_f_June/**/*.g722",
    ("it", 0): f"{_ASTERISK}/it_IT_m_Carlo/**/*.g722",
    ("ru", 0): f"{_ASTERISK}/ru_RU_f_IvrvoiceRU/**/*.g722",
    ("es", 1): f"{_ASTERISK}/es/**/*.gsm",
    ("fr", 1): f"{_ASTERISK}/fr/**/*.gsm",
    ("it", 1): f"{_ASTERISK}/it_IT_f_Menardi/**/*.wav",
    ("ru", 1): f"{_STAMPS}/**/*_desc_ru.ogg",
    ("es", 2): f"{_STAMPS}/**/*_desc_es.ogg",
    ("fr", 2): f"{_STAMPS}/**/*_desc_fr.ogg",
    ("it", 2): f"{_LETTERS}/it/**/*.ogg",
    ("ru", 2): f"{_LETTERS}/ru/**/*.ogg",
}
# Allison speaks English and Spanish, and is one speaker.
_SPEAKERS = {
    "allison": f"{_ASTERISK}/en_US_f_Allison",
    "june": f"{_ASTERISK}/fr_CA_f_June",
    "carlo": f"{_ASTERISK}/it_IT_m_Carlo",
    "menardi": f"{_ASTERISK}/it_IT_f_Menardi",
    "ivrvoice": f"{_ASTERISK}/ru_RU_f_IvrvoiceRU",
    "armelle": f"{_ASTERISK}/fr",
    "colombia": f"{_ASTERISK}/es",
}
_INTENT_VOICES = ("en_US_f_Allison", "es_MX_f_Allison", "fr_CA_f_June", "it_IT_m_Carlo", "ru_RU_f_IvrvoiceRU")
_INTENT_FOLDS = (0, 0, 1, 2, 3)
_INTENTS = {"vm": "voicemail", "conf": "conference", "confbridge": "conference", "spy": "channel", "dir": "directory",
            "queue": "queue", "agent": "agent", "privacy": "privacy", "priv": "privacy"}  # fmt: skip


@dataclass(frozen=True)
class Prompt:
    """A file with the group, fold and label of a task."""

    path: Path
    group: str
    fold: int
    label: str


def prepare_prompts(debian: Path, folder: Path) -> dict[str, int]:
    """Write `mini_languages`, `mini_speakers` and `mini_intents`, each a FLAC file and a table; number of clips.

    Clips are mono at 16 kHz, at most three seconds long, with their peak at 0.5.

    Args:
        debian: the folder into which `PACKAGES` were extracted.
        folder: where the files go.

    Raises:
        UsageError: a package is missing, or a file cannot be read.
        OnePaperError: the disk is full.
    """
    tasks = {"mini_languages": _languages(debian), "mini_speakers": _speakers(debian), "mini_intents": _intents(debian)}
    folder.mkdir(parents=True, exist_ok=True)
    return {name: _write_set(folder, name, prompts) for name, prompts in tasks.items()}


def _files(debian: Path, pattern: str) -> list[Path]:
    """Files of a pattern, in a fixed order."""
    found = sorted(path for path in debian.glob(pattern) if path.is_file() and not path.is_symlink())
    if not found:
        raise UsageError(f"{debian} has no {pattern}; extract the Debian packages {', '.join(PACKAGES)} there")
    return found


def _spread(files: list[Path], count: int) -> list[Path]:
    """As many files at equal distances in the list."""
    return files if len(files) <= count else [files[index * len(files) // count] for index in range(count)]


def _languages(debian: Path) -> list[Prompt]:
    return [
        Prompt(path, f"{language}-{fold}", fold, language)
        for (language, fold), pattern in _LANGUAGES.items()
        for path in _spread(_files(debian, pattern), _CLIPS)
    ]


def _speakers(debian: Path) -> list[Prompt]:
    """A text, by the name of its prompt, is in one fold with all its voices."""
    found: list[Prompt] = []
    for speaker, where in _SPEAKERS.items():
        root = debian / where
        for path in _spread(_files(debian, f"{where}/*.*"), _SPEAKER_CLIPS):
            text = path.relative_to(root).with_suffix("").as_posix()
            found.append(Prompt(path, text, sum(text.encode()) % 4, speaker))
    return found


def _intents(debian: Path) -> list[Prompt]:
    return [
        Prompt(path, voice, fold, _INTENTS[path.name.partition("-")[0]])
        for voice, fold in zip(_INTENT_VOICES, _INTENT_FOLDS, strict=True)
        for path in _files(debian, f"{_ASTERISK}/{voice}/*.g722")
        if path.name.partition("-")[0] in _INTENTS
    ]


def _write_set(folder: Path, name: str, prompts: list[Prompt]) -> int:
    column = {"mini_languages": "language", "mini_speakers": "speaker", "mini_intents": "intent"}[name]
    table, audio = io.StringIO(), io.BytesIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(("name", "start", "frames", "group", "fold", column))
    start = count = 0
    with soundfile.SoundFile(audio, "w", RATE, 1, "PCM_16", format="FLAC") as file:
        for prompt, samples in _clips(track(prompts, name, total=len(prompts))):
            file.write(samples)
            writer.writerow((prompt.path.stem, start, len(samples), prompt.group, prompt.fold, prompt.label))
            start, count = start + len(samples), count + 1
    write_atomic(folder / f"{name}.flac", audio.getvalue())
    write_atomic(folder / f"{name}.csv", table.getvalue())
    return count


def _clips(prompts: Iterator[Prompt]) -> Iterator[tuple[Prompt, npt.NDArray[np.float32]]]:
    """The prompts that are long and loud enough, from where the sound begins."""
    for prompt in prompts:
        samples = _read(prompt.path)
        peak = float(np.abs(samples).max())
        if peak < 1e-4:
            continue
        first = int(np.argmax(np.abs(samples) > 0.02 * peak))
        samples = samples[first : first + round(_LONGEST * RATE)]
        if len(samples) >= _SHORTEST * RATE:
            yield prompt, (0.5 / peak * samples).astype(np.float32)


def _read(path: Path) -> npt.NDArray[np.float32]:
    if path.suffix != ".gsm":
        return read_audio(path, rate=RATE).samples
    try:
        # GSM 06.10 without a header.
        samples, _ = soundfile.read(
            path, dtype="float32", samplerate=_GSM_RATE, channels=1, format="RAW", subtype="GSM610"
        )
    except soundfile.SoundFileError as error:
        raise UsageError(f"{path} is not readable GSM 06.10 ({error}); extract its package again") from None
    return resample(samples, _GSM_RATE, RATE)
