from pathlib import Path

import numpy as np
import pytest
from onepaper.errors import UsageError

from perceiver_ar.config import EOS, SOS, ModelConfig
from perceiver_ar.data.codes import CodesCodec
from perceiver_ar.data.corpus import Codec
from perceiver_ar.data.events import Note, encode
from perceiver_ar.data.formats import CopyFormat, Prompt, sample_format
from perceiver_ar.data.images import ImageCodec
from perceiver_ar.data.midi import midi_bytes
from perceiver_ar.data.music import EventCodec
from perceiver_ar.data.text import ByteText

CONFIG = ModelConfig(vocab_size=7, context_length=16, num_latents=4, positions="absolute")


@pytest.mark.parametrize("codec", [ByteText(), ImageCodec(2, 2, 3), EventCodec(), CodesCodec(3, 5)], ids=type)
def test_without_a_prompt_sequences_begin_with_sos(codec: Codec) -> None:
    assert sample_format(codec, CONFIG).encode_prompt(Prompt(), 0).tolist() == [SOS]


def test_text_comes_from_the_prompt_or_a_file(tmp_path: Path) -> None:
    data_format = sample_format(ByteText(), CONFIG)
    (tmp_path / "a.txt").write_text("Anne Elliot")
    tokens = data_format.encode_file(tmp_path / "a.txt")
    assert (tokens[0], tokens[-1], data_format.decode(tokens)) == (SOS, EOS, "Anne Elliot")
    assert data_format.decode(data_format.encode_prompt(Prompt("Anne"), 0)) == "Anne"
    assert data_format.decode(data_format.encode_prompt(Prompt(file=tmp_path / "a.txt", tokens=4), 0)) == "Anne"


def test_music_is_read_and_written_as_midi(tmp_path: Path) -> None:
    notes = [Note(60, 66, 0.0, 0.5), Note(64, 66, 0.5, 1.0)]
    (tmp_path / "a.mid").write_bytes(midi_bytes(notes))
    data_format = sample_format(EventCodec(), CONFIG)
    tokens = data_format.encode_prompt(Prompt(file=tmp_path / "a.mid"), 0)
    np.testing.assert_array_equal(tokens[1:], encode(notes))
    files = data_format.files([tokens])
    assert sorted(files) == ["sample-0.mid", "sample-0.png", "sample-0.wav"]
    assert files["sample-0.mid"] == midi_bytes(notes)
    assert data_format.summary(tokens) == "2 notes, 1.0 s"
    (tmp_path / "silence.mid").write_bytes(midi_bytes([]))
    with pytest.raises(UsageError, match="silence.mid has no notes"):
        data_format.encode_file(tmp_path / "silence.mid")


def test_copies_begin_with_a_random_half() -> None:
    data_format = CopyFormat(CONFIG)
    halves = [data_format.encode_prompt(Prompt(), seed) for seed in range(2)]
    assert [len(half) for half in halves] == [8, 8]
    assert (halves[0] != halves[1]).any()
    mirrored = np.concatenate([halves[0][1:], halves[0][:0:-1]])
    assert "(7 of 7 right)" in data_format.summary(mirrored)
    mirrored[9] = mirrored[9] % 4 + 3  # another symbol
    files = data_format.files([mirrored])
    assert set(files) == {"samples.png", "samples.txt", "samples.npy"}
    assert b"errors    at positions 3 of the copy" in files["samples.txt"]
    with pytest.raises(UsageError, match="takes no prompt"):
        data_format.encode_prompt(Prompt("a"), 0)


def test_a_text_prompt_needs_a_network_of_text() -> None:
    with pytest.raises(UsageError, match="--prompt is text, but the network's data are codes; give --prompt-file"):
        sample_format(CodesCodec(3, 5), CONFIG).encode_prompt(Prompt("words"), 0)
