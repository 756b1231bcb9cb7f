"""Music as events: pieces of the games Freedoom that ship here, user MIDI files, MAESTRO."""

import csv
import io
import lzma
from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path

import numpy as np
from onepaper.data import data_root, embedded, readable
from onepaper.errors import UsageError
from onepaper.fingerprint.marks import unmeasured

from perceiver_ar.config import EOS, RESERVED, SOS, DataConfig
from perceiver_ar.data.corpus import PARTS, SPLIT_SEED, Corpus, InMemory, OnDisk, Tokens, split_files
from perceiver_ar.data.events import (
    PITCHES,
    SET_VELOCITY,
    STEPS_PER_SECOND,
    TIME_SHIFT,
    VOCAB_SIZE,
    encode,
)
from perceiver_ar.data.midi import read_midi

# Approximate number of events per byte of a MIDI file.
EVENTS_PER_BYTE = 0.4


# Pieces of Freedoom held out for validation, and for test.
HELD_OUT_PIECES = 6


class EventCodec:
    """Events in the vocabulary of the Music Transformer, see `events`."""

    vocab_size = VOCAB_SIZE
    coordinates = None
    allowed = None

    def measure(self, tokens: Tokens) -> dict[str, float]:
        """Seconds of music."""
        symbols = tokens - RESERVED
        shifts = symbols[(symbols >= TIME_SHIFT) & (symbols < SET_VELOCITY)] - TIME_SHIFT + 1
        return {"seconds": float(shifts.sum()) / STEPS_PER_SECOND}

    def saved_files(self) -> dict[str, bytes]:
        """Nothing."""
        return {}


def event_document(ids: np.ndarray) -> Tokens:
    """SOS, events, EOS."""
    return np.concatenate([[SOS], ids, [EOS]]).astype(np.int32)


def transposed(tokens: Tokens, draw: float, *, most: int) -> Tokens:
    """The same music, transposed.

    Args:
        tokens: events, with or without reserved ids.
        draw: uniform in [0, 1), selects one of the 2 * `most` + 1 shifts; clipped to the range of MIDI pitches.
        most: the largest shift in semitones.
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
    return event_document(encode(notes))


@lru_cache(maxsize=1)
def freedoom_pieces() -> Mapping[str, Tokens]:
    """Name -> events of the 66 pieces of music of the games Freedoom, with all instruments as one piano."""
    content = lzma.decompress(embedded("perceiver_ar", "freedoom.npz.xz").read_bytes())
    with np.load(io.BytesIO(content), allow_pickle=False) as archive:
        return {name: event_document(archive[name]) for name in archive.files}


def freedoom(config: DataConfig | None) -> Corpus:
    """The Freedoom pieces, split by piece."""
    del config  # nothing to choose
    pieces = list(freedoom_pieces().values())
    order = np.random.default_rng(SPLIT_SEED).permutation(len(pieces))
    cuts = [len(pieces) - 2 * HELD_OUT_PIECES, len(pieces) - HELD_OUT_PIECES]
    return Corpus(EventCodec(), *(InMemory(pieces[number] for number in part) for part in np.split(order, cuts)))


@unmeasured
def user_midi(config: DataConfig) -> Corpus:
    """A folder of MIDI files: with subfolders `train`, `validation` and `test`, or split 80/10/10 (fixed seed).

    Raises:
        UsageError: no folder, an unreadable file, or fewer than three.
    """
    assert config.path is not None
    folder = config.path
    if not folder.is_dir():
        raise UsageError(f"{folder} is not a folder; give a folder of .mid files")

    def found(below: Path) -> list[Path]:
        return readable(midi_files(below), read_performance, description="checking MIDI files")

    if all((folder / part).is_dir() for part in PARTS):
        return on_disk(*(found(folder / part) for part in PARTS))
    files = found(folder)
    if len(files) < 3:
        raise UsageError(f"{folder} holds {len(files)} MIDI files, expected at least 3: one for each part")
    return on_disk(*split_files(files))


def midi_files(folder: Path) -> list[Path]:
    """MIDI files below a folder, by name."""
    return sorted(file for file in folder.rglob("*") if file.suffix.lower() in (".mid", ".midi"))


@unmeasured
def maestro(config: DataConfig) -> Corpus:
    """A local copy of MAESTRO with the splits of its table `maestro-v*.csv`.

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
                    f"{row.get('midi_filename')!r}, expected one of {', '.join(parts)} and an existing file"
                )
            parts[row["split"]].append(path)
    return on_disk(*parts.values())


def on_disk(train: list[Path], validation: list[Path], test: list[Path]) -> Corpus:
    """Three parts of MIDI files, read on access."""

    def part(files: list[Path]) -> OnDisk:
        sizes = [max(1, int(file.stat().st_size * EVENTS_PER_BYTE)) for file in files]
        return OnDisk(files, sizes, read_performance, keep=2048)

    return Corpus(EventCodec(), part(train), part(validation), part(test))


LOADERS: Mapping[str, Callable[[DataConfig], Corpus]] = {"freedoom": freedoom, "midi": user_midi, "maestro": maestro}
