"""Prompts and files; what a cached step draws is tested with `generation`."""

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from flax import nnx
from onepaper.errors import UsageError
from PIL import Image

from perceiver_ar.codes import CodesCodec
from perceiver_ar.config import DataConfig, ModelConfig, SamplingOptions
from perceiver_ar.events import Note, encode
from perceiver_ar.images import ImageCodec
from perceiver_ar.midi import midi_bytes, read_midi
from perceiver_ar.model import PerceiverAR
from perceiver_ar.music import EventCodec
from perceiver_ar.sampling import continuations, prompts_of, read_document, sample_files, sampler_of
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


def draw(which: Network, options: SampleOptions) -> list[np.ndarray]:
    prompts = prompts_of(which, options)
    return continuations(which, sampler_of(which, options.sampling), prompts, options.tokens, options.seed)


def image(content: bytes) -> Image.Image:
    return Image.open(io.BytesIO(content))


def test_text_goes_on_from_its_prompt() -> None:
    options = replace(OPTIONS, prompt="Anne")
    samples = draw(TEXT, options)
    assert [ByteText().decode(tokens)[:4] for tokens in samples] == ["Anne", "Anne"]
    assert all(len(tokens) <= 12 for tokens in samples)
    again = draw(TEXT, options)
    for one, other in zip(samples, again, strict=True):
        np.testing.assert_array_equal(one, other)
    files, told = sample_files(TEXT, samples)
    assert list(files) == ["sample-0.txt", "sample-1.txt"]
    assert files["sample-1.txt"].startswith(b"Anne")
    assert told[0].startswith("Anne")


def test_music_goes_on_from_a_file(tmp_path: Path) -> None:
    notes = [Note(60, 66, 0.0, 0.5), Note(64, 66, 0.5, 1.0)]
    (tmp_path / "prompt.mid").write_bytes(midi_bytes(notes))
    options = replace(OPTIONS, prompt_file=tmp_path / "prompt.mid")
    np.testing.assert_array_equal(prompts_of(MUSIC, options)[0][1:], encode(notes))
    assert len(prompts_of(MUSIC, replace(options, prompt_tokens=3))[1]) == 4
    files, told = sample_files(MUSIC, draw(MUSIC, options))
    assert read_midi(files["sample-0.mid"])[0] == pytest.approx(notes[0])
    assert image(files["sample-1.png"]).size == (900, 300)
    assert files["sample-1.wav"][:4] == b"RIFF"
    assert len(told) == 2
    (tmp_path / "silence.mid").write_bytes(midi_bytes([]))
    with pytest.raises(UsageError, match=r"silence.mid holds no notes"):
        read_document(MUSIC, tmp_path / "silence.mid")


def test_images_are_whole() -> None:
    samples = draw(IMAGES, replace(OPTIONS, count=3))
    assert [len(tokens) for tokens in samples] == [12] * 3
    assert min(tokens.min() for tokens in samples) >= 3
    files, _ = sample_files(IMAGES, samples)
    assert np.load(io.BytesIO(files["samples.npy"])).shape == (3, 2, 2, 3)
    assert image(files["samples.png"]).size == (240, 240)


def test_a_picture_is_completed(tmp_path: Path) -> None:
    picture = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
    Image.fromarray(picture).save(tmp_path / "half.png")
    for kept, rows in ((0, 1), (9, 1), (3, 0)):
        options = replace(OPTIONS, prompt_file=tmp_path / "half.png", prompt_tokens=kept)
        samples = draw(IMAGES, options)
        assert [len(tokens) for tokens in samples] == [12, 12]
        for tokens in samples:
            np.testing.assert_array_equal(IMAGES.codec.decode(tokens)[:rows], picture[:rows])
            np.testing.assert_array_equal(tokens[: kept or 6] - 3, picture.ravel()[: kept or 6])
    assert len(read_document(IMAGES, tmp_path / "half.png")) == 14


def test_codes_keep_to_their_codebooks(tmp_path: Path) -> None:
    codes = np.array([[1, 2, 3], [0, 0, 4]])
    np.save(tmp_path / "prompt.npy", codes)
    samples = draw(CODES, replace(OPTIONS, prompt_file=tmp_path / "prompt.npy", tokens=9))
    for tokens in samples:
        assert ((tokens - 3) // 5).tolist() == [0, 1, 2] * 5
    files, _ = sample_files(CODES, samples)
    np.testing.assert_array_equal(np.load(io.BytesIO(files["sample-1.npy"]))[:2], codes)


def test_the_shipped_copy_network_copies() -> None:
    copy = open_network("copy")
    samples = draw(copy, replace(OPTIONS, sampling=SamplingOptions(temperature=0.0)))
    for tokens in samples:
        np.testing.assert_array_equal(tokens[31:], tokens[:31][::-1])
    assert (samples[0] != samples[1]).any()  # another half to mirror for each
    _, told = sample_files(copy, samples)
    assert all("(31 of 31 right)" in line for line in told)


@pytest.mark.parametrize(
    ("which", "changes", "told"),
    [
        (TEXT, {"prompt": "a prompt that is too long for the context"}, "give --prompt-tokens 15 or fewer"),
        (TEXT, {"prompt": "a", "prompt_file": Path("b")}, "both --prompt and --prompt-file"),
        (TEXT, {"prompt_file": Path("none.txt")}, "none.txt does not exist"),
        (MUSIC, {"prompt": "a"}, "--prompt is text, but the network's data are events"),
        (IMAGES, {"prompt": "a"}, "--prompt is text, but the network's data are images"),
        (CODES, {"prompt_file": Path("none.npy")}, "none.npy is not a readable .npy file"),
    ],
)
def test_mistakes_take_a_line(which: Network, changes: dict, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        draw(which, replace(OPTIONS, **changes))
