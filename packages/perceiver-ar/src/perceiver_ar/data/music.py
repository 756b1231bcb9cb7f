"""Music as events: embedded pieces of the games Freedoom, MIDI files of one's own, MAESTRO."""

import csv
import io
import lzma
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from onepaper.data import data_root, embedded
from onepaper.errors import UsageError

from perceiver_ar.config import EOS, RESERVED, SOS, DataConfig
from perceiver_ar.data.audio import render, wave_bytes
from perceiver_ar.data.codec import Prompt, Tokens, file_prompt
from perceiver_ar.data.corpus import PARTS, SPLIT_SEED, Corpus, InMemory, OnDisk, dealt
from perceiver_ar.data.events import (
    PITCHES,
    SET_VELOCITY,
    STEPS_PER_SECOND,
    TIME_SHIFT,
    VOCAB_SIZE,
    Note,
    decode,
    encode,
)
from perceiver_ar.data.figures import piano_roll_figure, png_bytes
from perceiver_ar.data.midi import midi_bytes, read_midi

# About how many events a byte of a MIDI file makes.
EVENTS_PER_BYTE = 0.4


# Pieces of Freedoom held out for validation, and as many for the test.
HELD_OUT_PIECES = 6


class EventCodec:
    """Events of the vocabulary of the Music Transformer, see `events`."""

    vocab_size = VOCAB_SIZE
    coordinates = None
    stop = EOS
    num_symbols = None
    allowed = None

    def measure(self, tokens: Tokens) -> dict[str, float]:
        """Seconds of music."""
        symbols = tokens - RESERVED
        shifts = symbols[(symbols >= TIME_SHIFT) & (symbols < SET_VELOCITY)] - TIME_SHIFT + 1
        return {"seconds": float(shifts.sum()) / STEPS_PER_SECOND}

    def encode_file(self, path: Path) -> Tokens:
        """A MIDI file as a document."""
        return read_performance(path)

    def encode_prompt(self, prompt: Prompt, seed: int) -> Tokens:
        """SOS and the events of a MIDI file."""
        del seed
        return file_prompt(self, prompt, "events")

    def decode(self, tokens: Tokens) -> list[Note]:
        """The notes."""
        return decode(tokens)

    def figure(self, samples: Sequence[Tokens]) -> Figure:
        """A piano roll of each sequence."""
        return piano_roll_figure(*(self.decode(tokens) for tokens in samples))

    def files(self, samples: Sequence[Tokens]) -> dict[str, bytes]:
        """Of each sequence the piano roll as .png, a plain rendering as .wav, and the MIDI file."""
        made: dict[str, bytes] = {}
        for number, tokens in enumerate(samples):
            notes = self.decode(tokens)
            made[f"sample-{number}.png"] = png_bytes(self.figure([tokens]))
            made[f"sample-{number}.wav"] = wave_bytes(render(notes))
            made[f"sample-{number}.mid"] = midi_bytes(notes)
        return made

    def summary(self, tokens: Tokens) -> str:
        """Notes and seconds."""
        return f"{len(self.decode(tokens))} notes, {self.measure(tokens)['seconds']:.1f} s"

    def saved_files(self) -> dict[str, bytes]:
        """Nothing."""
        return {}


def performance(ids: np.ndarray) -> Tokens:
    """SOS, events, EOS."""
    return np.concatenate([[SOS], ids, [EOS]]).astype(np.int32)


def transposed(tokens: Tokens, draw: float, *, most: int) -> Tokens:
    """The same music some semitones higher or lower.

    Args:
        tokens: events, with or without reserved ids.
        draw: from [0, 1): which of the 2 * `most` + 1 shifts; as near to it as the range of pitches allows.
        most: semitones.
    """
    symbols = tokens - RESERVED
    notes = (symbols >= 0) & (symbols < TIME_SHIFT)
    pitches = symbols[notes] % PITCHES
    if not len(pitches):
        return tokens
    shift = int(np.clip(int(draw * (2 * most + 1)) - most, -pitches.min(), PITCHES - 1 - pitches.max()))
    return np.where(notes, tokens + shift, tokens)


def read_performance(path: Path) -> Tokens:
    """A MIDI file as events.

    Raises:
        UsageError: not readable, or without notes.
    """
    notes = read_midi(path)
    if not notes:
        raise UsageError(f"{path} has no notes (drums are left out); expected a MIDI file with notes")
    return performance(encode(notes))


@lru_cache(maxsize=1)
def freedoom_pieces() -> Mapping[str, Tokens]:
    """Name -> events of the 66 pieces of music of the games Freedoom, all instruments as one piano."""
    content = lzma.decompress(embedded("perceiver_ar.assets", "freedoom.npz.xz").read_bytes())
    with np.load(io.BytesIO(content), allow_pickle=False) as archive:
        return {name: performance(archive[name]) for name in archive.files}


def freedoom(config: DataConfig) -> Corpus:
    """The embedded pieces, split by piece."""
    del config  # nothing to choose
    pieces = list(freedoom_pieces().values())
    order = np.random.default_rng(SPLIT_SEED).permutation(len(pieces))
    cuts = [len(pieces) - 2 * HELD_OUT_PIECES, len(pieces) - HELD_OUT_PIECES]
    return Corpus(EventCodec(), *(InMemory(pieces[number] for number in part) for part in np.split(order, cuts)))


def own_midi(config: DataConfig) -> Corpus:
    """A folder of MIDI files: with `train`, `validation` and `test` in it, or cut 80/10/10 in an order drawn once.

    Raises:
        UsageError: no folder, or fewer than three files.
    """
    assert config.path is not None
    folder = config.path
    if not folder.is_dir():
        raise UsageError(f"{folder} is no folder; give one with .mid files")
    if all((folder / part).is_dir() for part in PARTS):
        return on_disk(*(midi_files(folder / part) for part in PARTS))
    files = midi_files(folder)
    if len(files) < 3:
        raise UsageError(f"{folder} holds {len(files)} MIDI files, expected at least 3: one for each part")
    return on_disk(*dealt(files))


def midi_files(folder: Path) -> list[Path]:
    """MIDI files below a folder, by name."""
    return sorted(file for file in folder.rglob("*") if file.suffix.lower() in (".mid", ".midi"))


def maestro(config: DataConfig) -> Corpus:
    """A local copy of MAESTRO, split as its table `maestro-v*.csv` says.

    Raises:
        UsageError: the table or a file that it names is missing.
    """
    root = data_root("maestro", config.path)
    tables = sorted(root.glob("maestro-v*.csv"))
    if not tables:
        raise UsageError(f"{root} holds no maestro-v*.csv; give the folder that the archive unpacks to")
    parts: dict[str, list[Path]] = {name: [] for name in PARTS}
    with tables[-1].open(encoding="utf-8", newline="") as file:
        for number, row in enumerate(csv.DictReader(file), 2):
            path = root / (row.get("midi_filename") or "")
            if row.get("split") not in parts or not path.is_file():
                raise UsageError(
                    f"{tables[-1]} line {number}: split is {row.get('split')!r} and midi_filename "
                    f"{row.get('midi_filename')!r}, expected one of {', '.join(parts)} and a file that is there"
                )
            parts[row["split"]].append(path)
    return on_disk(*parts.values())


def on_disk(train: list[Path], validation: list[Path], test: list[Path]) -> Corpus:
    """Three parts of MIDI files."""

    def part(files: list[Path]) -> OnDisk:
        sizes = [max(1, int(file.stat().st_size * EVENTS_PER_BYTE)) for file in files]
        return OnDisk(files, sizes, read_performance, keep=2048)

    return Corpus(EventCodec(), part(train), part(validation), part(test))


LOADERS: Mapping[str, Callable[[DataConfig], Corpus]] = {"freedoom": freedoom, "midi": own_midi, "maestro": maestro}
