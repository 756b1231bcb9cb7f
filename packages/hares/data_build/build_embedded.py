"""Build `assets/data`: three sets of real audio from Debian packages, each one Ogg Vorbis file and a table of clips.

    apt-get download tuxpaint-stamps-default klettres-data timgm6mb-soundfont
    for deb in *.deb; do dpkg -x $deb debian; done
    pip install numpy soundfile soxr; pip install --no-deps tinysoundfont
    python build_embedded.py debian ../src/hares/assets/data

Clips of a set are concatenated, because the headers of an Ogg file are longer than a clip of a second. Encoders differ
between versions of libsndfile, so that another machine may write other bytes; the tables are the same.
"""

import csv
import re
import shutil
import sys
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile
import soxr
import tinysoundfont
from onepaper.data import write_sums

RATE = 16_000
COMPRESSION = 0.85
"""of libsndfile's Vorbis encoder, 0 (best) to 1 (smallest)"""
SOUNDS_SECONDS, SYLLABLE_SECONDS, NOTE_SECONDS = 4.0, 1.2, 1.0
HOLD_SECONDS = 0.7
NOTES = range(48, 84, 3)
"""Pitches of the rendered notes, C3 to A5 by minor thirds, as MIDI numbers."""
FAMILIES = {
    "keyboard": range(8),
    "mallet": range(8, 16),
    "organ": range(16, 24),
    "guitar": range(24, 32),
    "bass": range(32, 40),
    "string": (40, 41, 42, 43, 44, 45, 48, 49),
    "vocal": (52, 53, 54, 85),
    "brass": range(56, 64),
    "reed": range(64, 72),
    "flute": range(72, 80),
    "synth_lead": (80, 81, 82, 83, 84, 86, 87),
}
"""Programs of General MIDI (from 0) in the instrument families of NSynth (Engel et al., 2017)."""
# The vowel that a syllable of one consonant and one vowel ends in, by language and sign.
LATIN = {letter: letter for letter in "aeiou"}
CYRILLIC = {"а": "a", "е": "e", "и": "i", "о": "o", "у": "u"}
MALAYALAM = {"\u0d3e": "a", "\u0d46": "e", "\u0d3f": "i", "\u0d4a": "o", "\u0d41": "u"}
SYLLABLES = {
    "es": (r"(?:[bcdfghjklmnñprstvxyz]|ll)([aeiou])", LATIN),
    "it": (r"(?:[bcdfglmnprstvz]|gn)([aeiou])", LATIN),
    "pt_BR": (r"[bcdfgjlmnprstvxz]([aeiou])", LATIN),
    "ml": (r"[\u0d15-\u0d39]([\u0d3e\u0d46\u0d3f\u0d4a\u0d41])", MALAYALAM),
    "ru": (r"[бвгджзклмнпрстфхчшщ]([аеиоу])", CYRILLIC),
    "tn": (r"[bdfghklmnprstw]([aeiou])", LATIN),
}
SYLLABLE_FOLDS = {"es": 0, "it": 1, "pt_BR": 2, "ml": 3, "ru": 4, "tn": 4}
BIRDS = "birds"
SPEECH_OR_TOYS = ("apple_red", "xing_", "excited", "happy", "mad", "sad", "dreydl", "bat_left", "spider", "ghost")


@dataclass
class Set:
    """Clips of one data set."""

    columns: tuple[str, ...]
    clips: list[npt.NDArray[np.float32]] = field(default_factory=list)
    rows: list[dict[str, object]] = field(default_factory=list)

    def add(self, samples: npt.NDArray[np.float32], **row: object) -> None:
        """Append a clip with its row of the table."""
        self.clips.append(samples)
        self.rows.append(row)

    def write(self, folder: Path) -> None:
        """Write `clips.ogg` and `clips.csv`."""
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        starts = np.cumsum([0, *map(len, self.clips)])
        # Clip by clip: libsndfile's Vorbis encoder overflows the stack on a block of minutes.
        with soundfile.SoundFile(
            folder / "clips.ogg", "w", RATE, 1, "VORBIS", format="OGG", compression_level=COMPRESSION
        ) as file:
            for clip in self.clips:
                file.write(clip)
        with (folder / "clips.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(
                file, ("name", "start", "frames", "group", "fold", *self.columns), lineterminator="\n"
            )
            writer.writeheader()
            for start, clip, row in zip(starts[:-1], self.clips, self.rows, strict=True):
                writer.writerow({"start": start, "frames": len(clip), **row})
        seconds = starts[-1] / RATE
        print(folder.name, len(self.clips), f"{seconds:.0f} s", f"{(folder / 'clips.ogg').stat().st_size:,} bytes")


def read(path: Path, seconds: float) -> npt.NDArray[np.float32]:
    """The first `seconds` after silence, or around the peak; mono, 16 kHz, peak at 0.5; nothing of a silent file."""
    samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    mono = soxr.resample(samples.mean(axis=1), rate, RATE).astype(np.float32)
    peak = np.abs(mono).max()
    if peak < 1e-4:
        return mono[:0]
    first = max(0, int(np.argmax(np.abs(mono) > 0.02 * peak)) - RATE // 50)
    last = len(mono) - int(np.argmax(np.abs(mono[::-1]) > 0.02 * peak)) + RATE // 50
    length, loudest = round(seconds * RATE), int(np.abs(mono).argmax())
    if loudest >= first + length:  # noise before the sound
        first = loudest - length // 2
    return 0.5 / peak * mono[first : min(last, first + length)]


def sounds(debian: Path) -> Set:
    """Sounds of stamps: birds, other animals and things. Equal recordings under two names are in one group."""
    made = Set(("kind",))
    seen: dict[bytes, str] = {}
    kinds: dict[str, int] = {}
    root = debian / "usr/share/tuxpaint/stamps"
    for path in sorted([*root.rglob("*.ogg"), *root.rglob("*.wav")]):
        where = path.relative_to(root).parts
        name = path.stem
        if "_desc" in name or where[0] == "symbols" or name.startswith(SPEECH_OR_TOYS) or path.is_symlink():
            continue
        kind = "thing"
        if where[0] == "animals":
            kind = "bird" if where[1] == BIRDS else "animal"
        samples = read(path, SOUNDS_SECONDS)
        if seen.setdefault(path.read_bytes(), name) != name or not len(samples):
            continue
        kinds[kind] = kinds.get(kind, 0) + 1
        made.add(samples, name=name, group=name, fold=(kinds[kind] - 1) % 5, kind=kind)
    return made


def syllables(debian: Path) -> Set:
    """Spoken syllables that end in one of five vowels, in six languages; folds hold out languages, hence voices."""
    made = Set(("vowel",))
    seen: set[str] = set()
    for language, (pattern, vowels) in SYLLABLES.items():
        folder = debian / "usr/share/klettres" / language
        listing = re.sub(r"<!--.*?-->", "", (folder / "sounds.xml").read_text(encoding="utf-8"), flags=re.DOTALL)
        for syllable, file in re.findall(r'<sound\s+name="([^"]*)"\s+file="([^"]*)"', listing):
            found = re.fullmatch(pattern, syllable.lower())
            path = debian / "usr/share/klettres" / file
            # Tswana lists a file twice.
            if found and "syllab" in file and path.is_file() and file not in seen:
                seen.add(file)
                made.add(
                    read(path, SYLLABLE_SECONDS),
                    name=f"{language}-{path.stem}",
                    group=language,
                    fold=SYLLABLE_FOLDS[language],
                    vowel=vowels[found[1]],
                )
    return made


def notes(debian: Path) -> Set:
    """Notes of a SoundFont; folds hold out instruments."""
    made = Set(("family", "pitch"))
    synth = tinysoundfont.Synth(samplerate=RATE)
    font = synth.sfload(str(debian / "usr/share/sounds/sf2/TimGM6mb.sf2"))
    for family, programs in FAMILIES.items():
        for index, program in enumerate(programs):
            for note in NOTES:
                synth.program_select(0, font, 0, program)
                synth.noteon(0, note, 100)
                held = bytes(synth.generate(round(HOLD_SECONDS * RATE)))
                synth.noteoff(0, note)
                samples = np.frombuffer(held + bytes(synth.generate(round(NOTE_SECONDS * RATE))), np.float32)
                synth.sounds_off(0)
                synth.generate(RATE)
                mono = samples.reshape(-1, 2).mean(axis=1)[: round(NOTE_SECONDS * RATE)]
                peak = np.abs(mono).max()
                if peak < 1e-4:  # above the range of the instrument
                    continue
                made.add(
                    (0.5 / peak * mono).astype(np.float32),
                    name=f"{program:03d}-{note}",
                    group=f"program-{program:03d}",
                    fold=index % 4,
                    family=family,
                    pitch=note,
                )
    return made


def main() -> None:
    """Build the folder named on the command line."""
    debian, target = Path(sys.argv[1]), Path(sys.argv[2])
    for made, package in (
        (sounds, "tuxpaint-stamps-default"),
        (syllables, "klettres-data"),
        (notes, "timgm6mb-soundfont"),
    ):
        made(debian).write(target / made.__name__)
        shutil.copyfile(debian / "usr/share/doc" / package / "copyright", target / made.__name__ / "copyright.txt")
        licence = Path("/usr/share/common-licenses/GPL-2")
        shutil.copyfile(licence, target / made.__name__ / "GPL-2.txt")
    write_sums(target)


if __name__ == "__main__":
    main()
