"""Sequences of each kind of data as a user gives and gets them: prompts, decoded content, figures and files.

A codec maps symbols to tokens and measures them; a format adds what only sampling needs, so that the verb `sample` does
the same for all kinds of data: encode the prompt, sample, write the files.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Int, UInt8
from matplotlib.figure import Figure
from onepaper.display.file_bytes import figure_png, npy_bytes, wav_bytes
from onepaper.display.gallery import GIVEN_SUFFIX
from onepaper.errors import UsageError
from onepaper.text import Document
from onepaper.text.tokenizers import utf8

from perceiver_ar.config import EOS, RESERVED, SOS, ModelConfig
from perceiver_ar.data.audio import SAMPLE_RATE, render
from perceiver_ar.data.codes import CodesCodec
from perceiver_ar.data.corpus import Codec, Tokens
from perceiver_ar.data.events import Note, decode
from perceiver_ar.data.figures import copies_figure, image_grid, piano_roll_figure
from perceiver_ar.data.images import ImageCodec, read_image
from perceiver_ar.data.midi import midi_bytes
from perceiver_ar.data.music import EventCodec, read_performance
from perceiver_ar.data.text import TextCodec, decode_bytes, encode_document


class Prompt(NamedTuple):
    """What the sequences to be sampled begin with."""

    text: str = ""
    file: Path | None = None
    tokens: int = 0
    """how many tokens of it to keep, the first ones; 0: all, and of an image half"""


@runtime_checkable
class SampleFormat(Protocol):
    """Prompts, content, figures and files of one kind of data."""

    stop: int | None
    """the token that ends a sequence, if there is one"""
    num_symbols: int | None
    """symbols of every sequence, where all are equally long"""

    def encode_file(self, path: Path) -> Tokens:
        """A file as a document: SOS, its tokens, EOS.

        Raises:
            UsageError: the file cannot be read or holds nothing.
        """
        ...

    def encode_prompt(self, prompt: Prompt, seed: int) -> Tokens:
        """SOS and the tokens of a prompt; a task with random prompts draws one from `seed`.

        Raises:
            UsageError: a prompt of another kind, or a file that cannot be read.
        """
        ...

    def decode(self, tokens: Tokens) -> Any:
        """The content of a sequence: text, an image, notes or codes."""
        ...

    def figure(self, samples: Sequence[Tokens], given: int = 0) -> Figure | None:
        """A figure of sequences, of which the first tokens were given; None where there is nothing to draw."""
        ...

    def files(self, samples: Sequence[Tokens], given: int = 0) -> Mapping[str, bytes]:
        """Sequences as files, by name; the first tokens of each were given."""
        ...

    def summary(self, tokens: Tokens) -> str:
        """A sequence as text for the terminal; empty where only files show it."""
        ...


class TextFormat:
    """Text: the prompt is text or a text file, and each sequence becomes a .txt file."""

    stop: int | None = EOS
    num_symbols: int | None = None

    def __init__(self, codec: TextCodec) -> None:
        self.codec = codec

    def encode_file(self, path: Path) -> Tokens:
        """A text file as a document."""
        return encode_document(self.codec, Document(path))

    def encode_prompt(self, prompt: Prompt, seed: int) -> Tokens:
        """SOS and the text given, or that of a file."""
        del seed
        utf8(prompt.text)  # a command line may hold other bytes
        tokens = (self.codec.encode(prompt.text) if prompt.file is None else self.encode_file(prompt.file))[:-1]
        return tokens[: prompt.tokens + 1] if prompt.tokens else tokens

    def decode(self, tokens: Tokens) -> str:
        """The text."""
        return self.codec.decode(tokens)

    def figure(self, samples: Sequence[Tokens], given: int = 0) -> None:
        """Text is not drawn."""
        del samples, given

    def files(self, samples: Sequence[Tokens], given: int = 0) -> dict[str, bytes]:
        """sample-0.txt and so on, and what it begins with as sample-0.given.txt, which the page marks."""
        made: dict[str, bytes] = {}
        for number, tokens in enumerate(samples):
            made[f"sample-{number}.txt"] = decode_bytes(self.codec, tokens)
            if given:
                made[f"sample-{number}{GIVEN_SUFFIX}"] = decode_bytes(self.codec, tokens[:given])
        return made

    def summary(self, tokens: Tokens) -> str:
        """The text."""
        return f"{self.decode(tokens)}\n---"


class ImageFormat:
    """Images: the prompt is the first part of an image, and all sequences have the size of an image."""

    stop: int | None = None

    def __init__(self, codec: ImageCodec) -> None:
        self.codec = codec
        self.num_symbols: int | None = codec.height * codec.width * codec.channels

    def encode_file(self, path: Path) -> Tokens:
        """An image file as a document, scaled to the size of the codec."""
        return self.codec.encode(read_image(path, self.codec))

    def encode_prompt(self, prompt: Prompt, seed: int) -> Tokens:
        """SOS and the first values of an image; half of them unless the prompt says how many."""
        del seed
        half = self.codec.height * self.codec.width * self.codec.channels // 2
        return file_prompt(self, prompt._replace(tokens=prompt.tokens or half), "images")

    def decode(self, tokens: Tokens) -> UInt8[np.ndarray, "height width channels"]:
        """The image."""
        return self.codec.decode(tokens)

    def figure(self, samples: Sequence[Tokens], given: int = 0) -> Figure:
        """All images in one grid; a line sets apart what was given, unless channels follow one another."""
        images = np.stack([self.decode(tokens) for tokens in samples])
        return image_grid(images, self.codec.levels, given if self.codec.order == "raster" else 0)

    def files(self, samples: Sequence[Tokens], given: int = 0) -> dict[str, bytes]:
        """samples.png, all images in one grid, and their values as samples.npy."""
        images = np.stack([self.decode(tokens) for tokens in samples])
        return {"samples.png": figure_png(self.figure(samples, given), dpi=100), "samples.npy": npy_bytes(images)}

    def summary(self, tokens: Tokens) -> str:
        """Empty: an image is in the files."""
        del tokens
        return ""


class MusicFormat:
    """Music: the prompt is a MIDI file, and each sequence becomes a MIDI file, a piano roll and a rendering."""

    stop: int | None = EOS
    num_symbols: int | None = None

    def __init__(self, codec: EventCodec) -> None:
        self.codec = codec

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

    def figure(self, samples: Sequence[Tokens], given: int = 0) -> Figure:
        """A piano roll of each sequence."""
        seconds = self.codec.measure(samples[0][:given])["seconds"] if given else 0.0
        return piano_roll_figure(*(self.decode(tokens) for tokens in samples), given_seconds=seconds)

    def files(self, samples: Sequence[Tokens], given: int = 0) -> dict[str, bytes]:
        """For each sequence a piano roll (.png), a plain rendering (.wav) and a MIDI file (.mid)."""
        made: dict[str, bytes] = {}
        for number, tokens in enumerate(samples):
            notes = self.decode(tokens)
            made[f"sample-{number}.png"] = figure_png(self.figure([tokens], given), dpi=100)
            made[f"sample-{number}.wav"] = wav_bytes(render(notes), SAMPLE_RATE)
            made[f"sample-{number}.mid"] = midi_bytes(notes)
        return made

    def summary(self, tokens: Tokens) -> str:
        """Number of notes, and seconds."""
        return f"{len(self.decode(tokens))} notes, {self.codec.measure(tokens)['seconds']:.1f} s"


class CodesFormat:
    """Codes of sounds: the prompt is an .npy file, and each sequence becomes one."""

    stop: int | None = None
    num_symbols: int | None = None

    def __init__(self, codec: CodesCodec) -> None:
        self.codec = codec

    def encode_file(self, path: Path) -> Tokens:
        """An .npy file as a document."""
        return self.codec.encode_file(path)

    def encode_prompt(self, prompt: Prompt, seed: int) -> Tokens:
        """SOS and the codes of a file."""
        del seed
        return file_prompt(self, prompt, "codes")

    def decode(self, tokens: Tokens) -> Int[np.ndarray, "frames codebooks"]:
        """The codes."""
        return self.codec.decode(tokens)

    def figure(self, samples: Sequence[Tokens], given: int = 0) -> None:
        """Codes are not drawn."""
        del samples, given

    def files(self, samples: Sequence[Tokens], given: int = 0) -> dict[str, bytes]:
        """sample-0.npy and so on, [frames, codebooks]."""
        del given
        return {f"sample-{number}.npy": npy_bytes(self.decode(tokens)) for number, tokens in enumerate(samples)}

    def summary(self, tokens: Tokens) -> str:
        """Number of frames."""
        return f"{len(self.decode(tokens))} frames of {self.codec.codebooks} codes"


class CopyFormat:
    """The copy task: prompts are random first halves, and a sequence is summarized by its correct symbols.

    Args:
        config: of the network.
    """

    stop: int | None = None

    def __init__(self, config: ModelConfig) -> None:
        self.vocab_size = config.vocab_size
        self.half = config.context_length // 2 - 1
        self.num_symbols: int | None = 2 * self.half

    def encode_file(self, path: Path) -> Tokens:
        """The copy task reads no files."""
        raise UsageError(f"a network of the copy task reads no files; leave {path} out")

    def encode_prompt(self, prompt: Prompt, seed: int) -> Tokens:
        """SOS and a random first half.

        Raises:
            UsageError: a prompt was given.
        """
        if prompt != Prompt():
            raise UsageError(
                "a network of the copy task takes no prompt; leave out --prompt, --prompt-file and --prompt-tokens"
            )
        return np.concatenate([[SOS], np.random.default_rng(seed).integers(RESERVED, self.vocab_size, self.half)])

    def decode(self, tokens: Tokens) -> Tokens:
        """The symbols."""
        return tokens - RESERVED

    def figure(self, samples: Sequence[Tokens], given: int = 0) -> Figure:
        """Input, expected copy and output of each sequence, with errors marked."""
        del given  # always a half
        return copies_figure(self.decode(np.stack(samples)))

    def files(self, samples: Sequence[Tokens], given: int = 0) -> dict[str, bytes]:
        """samples.png; samples.txt, what was given, expected and generated; samples.npy: a row for each sequence."""
        blocks = []
        for number, tokens in enumerate(samples):
            first, second = np.split(self.decode(tokens), 2)
            rows = {"given": first, "expected": first[::-1], "output": second}
            (wrong,) = np.nonzero(second != first[::-1])
            lines = [f"{name:<9} {' '.join(map(str, row))}" for name, row in rows.items()]
            errors = f"at positions {', '.join(map(str, wrong + 1))} of the copy" if len(wrong) else "none"
            blocks.append("\n".join([f"sample-{number}", *lines, f"{'errors':<9} {errors}\n"]))
        return {
            "samples.png": figure_png(self.figure(samples, given), dpi=130),
            "samples.txt": "\n".join(blocks).encode(),
            "samples.npy": npy_bytes(np.stack(samples)),
        }

    def summary(self, tokens: Tokens) -> str:
        """Both halves, and the number of correct symbols."""
        first, second = np.split(self.decode(tokens), 2)
        right = int((second == first[::-1]).sum())
        halves = " | ".join(" ".join(map(str, half)) for half in (first, second))
        return f"{halves}   ({right} of {len(first)} right)"


def file_prompt(sample_format: SampleFormat, prompt: Prompt, kind: str) -> Tokens:
    """SOS and the first tokens of the prompt's file, for a kind of data that is not text.

    Raises:
        UsageError: the prompt is text, or its file cannot be read.
    """
    if prompt.text:
        raise UsageError(f"--prompt is text, but the network's data are {kind}; give --prompt-file")
    tokens = np.array([SOS]) if prompt.file is None else sample_format.encode_file(prompt.file)[:-1]
    return tokens[: prompt.tokens + 1] if prompt.tokens else tokens


def sample_format(codec: Codec | None, config: ModelConfig) -> SampleFormat:
    """The format of a network's data; without a codec that of the copy task."""
    if isinstance(codec, TextCodec):
        return TextFormat(codec)
    if isinstance(codec, ImageCodec):
        return ImageFormat(codec)
    if isinstance(codec, EventCodec):
        return MusicFormat(codec)
    if isinstance(codec, CodesCodec):
        return CodesFormat(codec)
    return CopyFormat(config)
