import re
from pathlib import Path

import numpy as np
import pytest
from onepaper.errors import UsageError

from perceiver_ar.config import EOS, SOS, DataConfig
from perceiver_ar.data.events import Note, decode, encode
from perceiver_ar.data.midi import midi_bytes
from perceiver_ar.data.music import (
    EventCodec,
    event_document,
    freedoom,
    freedoom_pieces,
    maestro,
    transposed,
    user_midi,
)


def song(pitch: int) -> list[Note]:
    return [Note(pitch, 66, 0.5 * n, 0.5 * n + 0.3) for n in range(4)]


def test_embedded_pieces_are_what_an_encoder_writes() -> None:
    pieces = freedoom_pieces()
    assert len(pieces) == 66
    for name in ("freedoom1-d_e1m1", "freedoom2-d_romero"):
        ids = pieces[name][1:-1]
        np.testing.assert_array_equal(encode(decode(ids)), ids)
    corpus = freedoom(DataConfig("freedoom"))
    assert [len(part) for part in (corpus.train, corpus.validation, corpus.test)] == [54, 6, 6]
    everything = {
        part[n].tobytes() for part in (corpus.train, corpus.validation, corpus.test) for n in range(len(part))
    }
    assert len(everything) == 66


def test_seconds_are_those_of_the_notes() -> None:
    tokens = event_document(encode(song(60)))
    assert (tokens[0], tokens[-1]) == (SOS, EOS)
    assert EventCodec().measure(tokens)["seconds"] == pytest.approx(1.8)


def midi_folder(folder: Path, count: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        (folder / f"{number}.mid").write_bytes(midi_bytes(song(40 + number)))


def test_transposed_music_is_the_same_some_semitones_away() -> None:
    notes = [Note(60, 66, 0.0, 0.5), Note(64, 66, 0.25, 1.0), Note(2, 90, 2.0, 2.5)]
    tokens = event_document(encode(notes))
    shifts = []
    for draw in (0.0, 0.2, 0.5, 0.7, 0.99):  # of five shifts, each with a fifth of the draws
        moved = decode(transposed(tokens, draw, most=2))
        (shift,) = {new.pitch - old.pitch for new, old in zip(moved, decode(tokens), strict=True)}
        assert [note._replace(pitch=0) for note in moved] == [note._replace(pitch=0) for note in decode(tokens)]
        shifts.append(shift)
    assert shifts == [-2, -1, 0, 1, 2]
    assert min(note.pitch for note in decode(transposed(tokens, 0.0, most=9))) == 0  # as far as pitches go
    np.testing.assert_array_equal(transposed(tokens[:1], 0.0, most=2), tokens[:1])


def test_own_files_are_dealt_out(tmp_path: Path) -> None:
    midi_folder(tmp_path / "flat", 12)
    corpus = user_midi(DataConfig("midi", tmp_path / "flat"))
    assert [len(part) for part in (corpus.train, corpus.validation, corpus.test)] == [10, 1, 1]
    for count, part in enumerate(("train", "validation", "test"), 1):
        midi_folder(tmp_path / "parts" / part, count)
    corpus = user_midi(DataConfig("midi", tmp_path / "parts"))
    assert [len(part) for part in (corpus.train, corpus.validation, corpus.test)] == [1, 2, 3]
    np.testing.assert_array_equal(corpus.train[0], event_document(encode(song(40))))


def test_maestro_is_split_by_its_table(tmp_path: Path) -> None:
    midi_folder(tmp_path / "2004", 4)
    rows = ["composer,split,midi_filename", "A,train,2004/0.mid", "B,train,2004/1.mid", "C,validation,2004/2.mid"]
    table = tmp_path / "maestro-v3.0.0.csv"
    table.write_text("\n".join([*rows, "D,test,2004/3.mid"]))
    corpus = maestro(DataConfig("maestro", tmp_path))
    assert [len(part) for part in (corpus.train, corpus.validation, corpus.test)] == [2, 1, 1]
    np.testing.assert_array_equal(corpus.test[0], event_document(encode(song(43))))
    table.write_text("\n".join([*rows, "D,test,2004/9.mid"]))
    with pytest.raises(UsageError, match=re.escape("line 5: split is 'test' and midi_filename '2004/9.mid'")):
        maestro(DataConfig("maestro", tmp_path))
    table.unlink()
    with pytest.raises(UsageError, match="holds no maestro-v"):
        maestro(DataConfig("maestro", tmp_path))


def test_bad_folders_raise_one_line(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is not a folder"):
        user_midi(DataConfig("midi", tmp_path / "none"))
    midi_folder(tmp_path, 2)
    with pytest.raises(UsageError, match="holds 2 MIDI files, expected at least 3"):
        user_midi(DataConfig("midi", tmp_path))
    (tmp_path / "empty.mid").write_bytes(midi_bytes([]))
    with pytest.raises(UsageError, match="empty.mid has no notes"):
        user_midi(DataConfig("midi", tmp_path))  # before a training starts
