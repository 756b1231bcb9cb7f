"""Prompts and files; what a cached step draws is tested with `generation`."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from flax import nnx
from onepaper.errors import UsageError
from onepaper.runs import Run
from PIL import Image

from perceiver_ar.codes import CodesCodec
from perceiver_ar.config import DataConfig, ModelConfig, SamplingOptions
from perceiver_ar.events import Note, encode
from perceiver_ar.images import ImageCodec
from perceiver_ar.midi import midi_bytes, read_midi
from perceiver_ar.model import PerceiverAR
from perceiver_ar.music import EventCodec
from perceiver_ar.sampling import draw, prompt_of, write_codes, write_copies, write_images, write_music, write_text
from perceiver_ar.text import ByteText
from perceiver_ar.verb_options import SampleOptions
from perceiver_ar.weights import Network, open_network

SMALL = ModelConfig(context_length=16, num_latents=4, depth=1, width=16, heads=2, rotary_fraction=0.5)
OPTIONS = SampleOptions(count=2, tokens=8)


def network(data: DataConfig, codec: object, **changes: object) -> Network:
    config = replace(SMALL, **{"vocab_size": codec.vocab_size, **changes})
    return Network(PerceiverAR(config, nnx.Rngs(0)), data, codec)


TEXT = network(DataConfig("novels"), ByteText())
MUSIC = network(DataConfig("freedoom"), EventCodec(), context_length=32)
CODES = network(DataConfig("codes", Path("x"), codebook_size=5), CodesCodec(3, 5))
IMAGES = network(
    DataConfig("photos"), ImageCodec(2, 2, 3),
    context_length=13, positions="absolute", position_tables="learned", axes=(4, 4, 5),
)  # fmt: skip


@pytest.fixture
def run(tmp_path: Path) -> Run:
    with Run.open(tmp_path / "run", paper="perceiver-ar", verb="sample", config=None) as opened:
        yield opened


def test_text_goes_on_from_its_prompt(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    options = replace(OPTIONS, prompt="Anne")
    samples = draw(TEXT, options)
    assert [ByteText().decode(tokens)[:4] for tokens in samples] == ["Anne", "Anne"]
    assert all(len(tokens) <= 12 for tokens in samples)
    again = draw(TEXT, options)
    for one, other in zip(samples, again, strict=True):
        np.testing.assert_array_equal(one, other)
    write_text(run, TEXT.codec, samples)
    assert "Anne" in capsys.readouterr().out
    assert (run.folder / "samples.txt").read_text().count("---") == 1


def test_music_goes_on_from_a_file(run: Run, tmp_path: Path) -> None:
    notes = [Note(60, 66, 0.0, 0.5), Note(64, 66, 0.5, 1.0)]
    (tmp_path / "prompt.mid").write_bytes(midi_bytes(notes))
    options = replace(OPTIONS, prompt_file=tmp_path / "prompt.mid")
    np.testing.assert_array_equal(prompt_of(MUSIC, options)[1:], encode(notes))
    assert len(prompt_of(MUSIC, replace(options, prompt_tokens=3))) == 4
    samples = draw(MUSIC, options)
    write_music(run, MUSIC.codec, samples)
    assert read_midi(run.folder / "sample-0.mid")[0] == pytest.approx(notes[0])
    assert Image.open(run.folder / "sample-1.png").size == (900, 300)
    assert (run.folder / "sample-1.wav").read_bytes()[:4] == b"RIFF"


def test_images_are_whole(run: Run) -> None:
    samples = draw(IMAGES, replace(OPTIONS, count=3))
    assert [len(tokens) for tokens in samples] == [12] * 3
    assert min(tokens.min() for tokens in samples) >= 3
    write_images(run, IMAGES.codec, samples)
    assert np.load(run.folder / "samples.npy").shape == (3, 2, 2, 3)
    assert Image.open(run.folder / "samples.png").size == (240, 240)


def test_codes_keep_to_their_codebooks(run: Run, tmp_path: Path) -> None:
    codes = np.array([[1, 2, 3], [0, 0, 4]])
    np.save(tmp_path / "prompt.npy", codes)
    samples = draw(CODES, replace(OPTIONS, prompt_file=tmp_path / "prompt.npy", tokens=9))
    for tokens in samples:
        assert ((tokens - 3) // 5).tolist() == [0, 1, 2] * 5
    write_codes(run, CODES.codec, samples)
    np.testing.assert_array_equal(np.load(run.folder / "sample-1.npy")[:2], codes)


def test_the_shipped_copy_network_copies(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    copy = open_network("copy")
    samples = draw(copy, replace(OPTIONS, sampling=SamplingOptions(temperature=0.0)))
    for tokens in samples:
        np.testing.assert_array_equal(tokens[31:], tokens[:31][::-1])
    write_copies(run, copy.model, samples)
    assert capsys.readouterr().out.count("(31 of 31 right)") == 2


@pytest.mark.parametrize(
    ("which", "changes", "told"),
    [
        (TEXT, {"prompt": "a prompt that is too long for the context"}, "give --prompt-tokens 15 or fewer"),
        (TEXT, {"prompt": "a", "prompt_file": Path("b")}, "both --prompt and --prompt-file"),
        (TEXT, {"prompt_file": Path("none.txt")}, "none.txt does not exist"),
        (MUSIC, {"prompt": "a"}, "--prompt is text, but the network's data are events"),
        (IMAGES, {"prompt": "a"}, "a network of images takes no prompt"),
        (CODES, {"prompt_file": Path("none.npy")}, "none.npy is not a readable .npy file"),
    ],
)
def test_mistakes_take_a_line(which: Network, changes: dict, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        draw(which, replace(OPTIONS, **changes))
