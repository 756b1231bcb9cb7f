"""From a prompt to files; what a cached step draws is tested in `generation`."""

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from flax import nnx
from onepaper.errors import UsageError
from onepaper.testing import check_one_line_error, run_verb
from PIL import Image

from perceiver_ar.cli.options import SampleOptions
from perceiver_ar.cli.sample import encode_prompts
from perceiver_ar.config import ModelConfig, SamplingOptions
from perceiver_ar.data.codes import CodesCodec
from perceiver_ar.data.corpus import Codec
from perceiver_ar.data.events import Note, encode
from perceiver_ar.data.formats import sample_format
from perceiver_ar.data.images import ImageCodec
from perceiver_ar.data.midi import midi_bytes, read_midi
from perceiver_ar.data.music import EventCodec
from perceiver_ar.data.text import ByteText
from perceiver_ar.generation.samples import continuations, make_sampler
from perceiver_ar.models.perceiver_ar import PerceiverAR
from perceiver_ar.pretrained.checkpoints import open_network

SMALL = ModelConfig(context_length=16, num_latents=4, depth=1, width=16, heads=2, rotary_fraction=0.5)
OPTIONS = SampleOptions(count=2, tokens=8)
PICTURE = ImageCodec(2, 2, 3)


def model_of(codec: Codec, **changes: object) -> PerceiverAR:
    return PerceiverAR(replace(SMALL, **{"vocab_size": codec.vocab_size, **changes}), nnx.Rngs(0))


@pytest.fixture(scope="module")
def picture_model() -> PerceiverAR:
    axes = {"positions": "absolute", "position_tables": "learned", "axes": (4, 4, 5)}
    return model_of(PICTURE, context_length=13, **axes)


def draw(model: PerceiverAR, codec: Codec | None, options: SampleOptions) -> list[np.ndarray]:
    data_format = sample_format(codec, model.config)
    prompts = encode_prompts(data_format, model.config, options)
    sampler = make_sampler(model, codec, options.sampling)
    return continuations(data_format, sampler, prompts, options.tokens, options.seed)


def image(content: bytes) -> Image.Image:
    return Image.open(io.BytesIO(content))


def test_the_verb_writes_files_and_a_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("sample", "--weights", "text", "--count", "1", "--tokens", "5", "--prompt", "It is")
    assert run_verb("perceiver-ar", *words, "--output", str(tmp_path / "run")) == 0
    assert (tmp_path / "run" / "sample-0.txt").read_text().startswith("It is")
    assert "It is" in (tmp_path / "run" / "index.html").read_text(encoding="utf-8")
    assert "sample-0: It is" in capsys.readouterr().out


def test_text_continues_its_prompt() -> None:
    codec, options = ByteText(), replace(OPTIONS, prompt="Anne")
    model = model_of(codec)
    samples = draw(model, codec, options)
    assert [codec.decode(tokens)[:4] for tokens in samples] == ["Anne", "Anne"]
    assert all(len(tokens) <= 12 for tokens in samples)
    for one, other in zip(samples, draw(model, codec, options), strict=True):
        np.testing.assert_array_equal(one, other)
    files = sample_format(codec, model.config).files(samples)
    assert list(files) == ["sample-0.txt", "sample-1.txt"]
    assert files["sample-1.txt"].startswith(b"Anne")
    files = sample_format(codec, model.config).files(samples, given=4)
    assert list(files)[:2] == ["sample-0.txt", "sample-0.given.txt"]
    assert files["sample-1.given.txt"] == b"Anne"


def test_music_continues_a_file(tmp_path: Path) -> None:
    codec, notes = EventCodec(), [Note(60, 66, 0.0, 0.5), Note(64, 66, 0.5, 1.0)]
    (tmp_path / "prompt.mid").write_bytes(midi_bytes(notes))
    options = replace(OPTIONS, prompt_file=tmp_path / "prompt.mid")
    model = model_of(codec, context_length=32)
    np.testing.assert_array_equal(
        encode_prompts(sample_format(codec, model.config), model.config, options)[0][1:], encode(notes)
    )
    assert (
        len(encode_prompts(sample_format(codec, model.config), model.config, replace(options, prompt_tokens=3))[1]) == 4
    )
    samples = draw(model, codec, options)
    files = sample_format(codec, model.config).files(samples)
    assert read_midi(files["sample-0.mid"])[0] == pytest.approx(notes[0])
    assert image(files["sample-1.png"]).size == (640, 280)
    assert files["sample-1.wav"][:4] == b"RIFF"
    assert sample_format(codec, model.config).summary(samples[0]).endswith(" s")


def test_images_have_all_their_values(picture_model: PerceiverAR, tmp_path: Path) -> None:
    """From nothing, and from the first values of a picture: half of it by default."""
    picture = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
    Image.fromarray(picture).save(tmp_path / "half.png")
    sampler = make_sampler(picture_model, PICTURE, OPTIONS.sampling)
    data_format = sample_format(PICTURE, picture_model.config)
    for file, kept, rows, length in ((None, 0, 0, 0), ("half.png", 0, 1, 6), ("half.png", 9, 1, 9)):
        options = replace(OPTIONS, prompt_file=file and tmp_path / file, prompt_tokens=kept)
        prompts = encode_prompts(data_format, picture_model.config, options)
        samples = continuations(data_format, sampler, prompts, 5, 0)
        for tokens in samples:
            assert len(tokens) == 12
            assert tokens.min() >= 3
            np.testing.assert_array_equal(PICTURE.decode(tokens)[:rows], picture[:rows])
            np.testing.assert_array_equal(tokens[:length] - 3, picture.ravel()[:length])
    files = data_format.files(samples)
    assert np.load(io.BytesIO(files["samples.npy"])).shape == (2, 2, 2, 3)
    assert image(files["samples.png"]).size == (240, 120)


def test_codes_keep_to_their_codebooks(tmp_path: Path) -> None:
    codec, codes = CodesCodec(3, 5), np.array([[1, 2, 3], [0, 0, 4]])
    np.save(tmp_path / "prompt.npy", codes)
    data_format = sample_format(codec, SMALL)
    samples = draw(model_of(codec), codec, replace(OPTIONS, prompt_file=tmp_path / "prompt.npy", tokens=9))
    for tokens in samples:
        assert ((tokens - 3) // 5).tolist() == [0, 1, 2] * 5
    np.testing.assert_array_equal(np.load(io.BytesIO(data_format.files(samples)["sample-1.npy"]))[:2], codes)
    assert data_format.summary(samples[0]) == "5 frames of 3 codes"


def test_the_shipped_copy_network_copies() -> None:
    model = open_network("copy").model
    data_format = sample_format(None, model.config)
    samples = draw(model, None, replace(OPTIONS, sampling=SamplingOptions(temperature=0.0)))
    for tokens in samples:
        np.testing.assert_array_equal(tokens[31:], tokens[:31][::-1])
        assert "(31 of 31 right)" in data_format.summary(tokens)
    assert (samples[0] != samples[1]).any()  # another half to mirror for each


@pytest.mark.parametrize(
    ("codec", "changes", "message"),
    [
        (ByteText(), {"prompt": "a prompt that is too long for the context"}, "give --prompt-tokens 15 or fewer"),
        (ByteText(), {"prompt": "a", "prompt_file": Path("b")}, "both --prompt and --prompt-file"),
        (ByteText(), {"prompt_file": Path("none.txt")}, "none.txt does not exist"),
        (EventCodec(), {"prompt": "a"}, "--prompt is text, but the network's data are events"),
        (CodesCodec(3, 5), {"prompt_file": Path("none.npy")}, "none.npy does not exist, expected a .npy file"),
        (None, {"prompt": "a"}, "a network of the copy task takes no prompt"),
    ],
)
def test_prompts_that_do_not_fit_raise(codec: Codec | None, changes: dict, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        encode_prompts(sample_format(codec, SMALL), SMALL, replace(OPTIONS, **changes))


def test_an_empty_prompt_file_raises(tmp_path: Path) -> None:
    (tmp_path / "empty.txt").touch()
    with pytest.raises(UsageError, match="empty.txt is empty, expected at least one symbol; leave --prompt-file out"):
        options = replace(OPTIONS, prompt_file=tmp_path / "empty.txt")
        encode_prompts(sample_format(ByteText(), SMALL), SMALL, options)


def test_inputs_are_validated_before_there_is_a_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for words, message in (
        (("--weights", "no"), "unknown weights 'no'"),
        (("--weights", "copy", "--device", "tpu"), "device 'tpu' is not available to JAX here"),
    ):
        assert run_verb("perceiver-ar", "sample", *words) == 2
        check_one_line_error(capsys.readouterr().err, message)
    assert not any(tmp_path.iterdir())
