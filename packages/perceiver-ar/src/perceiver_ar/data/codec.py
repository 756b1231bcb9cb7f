"""How sequences of one kind of data become tokens, and tokens become text, figures and files again.

A document is SOS, its symbols behind the reserved ids, EOS.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Int, Integer
from matplotlib.figure import Figure
from onepaper.errors import UsageError

from perceiver_ar.config import EOS, RESERVED, SOS

Tokens = Int[np.ndarray, " _"]


class Prompt(NamedTuple):
    """What the sequences to be sampled begin with."""

    text: str = ""
    file: Path | None = None
    tokens: int = 0
    """how many tokens of it to keep, the first ones; 0: what the codec keeps by default"""


@runtime_checkable
class Codec(Protocol):
    """Tokens of one kind of data: reading, decoding, drawing, writing, and the units that they are measured in."""

    @property
    def vocab_size(self) -> int:
        """Ids of the data and the three reserved ones."""
        ...

    @property
    def coordinates(self) -> Int[np.ndarray, "inputs axes"] | None:
        """Of every input of a document, where positions have several axes."""
        ...

    @property
    def allowed(self) -> Bool[np.ndarray, "rows vocab"] | None:
        """Which tokens may follow, one row for each index in turn; None: all but PAD and SOS."""
        ...

    @property
    def stop(self) -> int | None:
        """The token that ends a sequence, if there is one."""
        ...

    @property
    def num_symbols(self) -> int | None:
        """Symbols of every sequence, where all are equally long."""
        ...

    def encode_prompt(self, prompt: Prompt, seed: int) -> Tokens:
        """SOS and the tokens of a prompt; `seed` draws what the task itself prescribes.

        Raises:
            UsageError: a prompt of another kind, or a file that cannot be read.
        """
        ...

    def encode_file(self, path: Path) -> Tokens:
        """A file as a document.

        Raises:
            UsageError: the file cannot be read or holds nothing.
        """
        ...

    def decode(self, tokens: Tokens) -> Any:
        """The content of a sequence: text, notes, an image or codes."""
        ...

    def figure(self, samples: Sequence[Tokens]) -> Figure | None:
        """A figure of sequences, where one is worth looking at."""
        ...

    def files(self, samples: Sequence[Tokens]) -> Mapping[str, bytes]:
        """Sequences as files, by name."""
        ...

    def summary(self, tokens: Tokens) -> str:
        """A sequence in a line or more for the terminal; empty where only files show it."""
        ...

    def measure(self, tokens: Tokens) -> Mapping[str, float]:
        """The size of these tokens in bytes, words, values, seconds or frames."""
        ...

    def saved_files(self) -> Mapping[str, bytes]:
        """What is saved beside the weights of a network to decode its tokens, by file name."""
        ...


def document(symbols: Integer[np.ndarray, " symbols"]) -> Int[np.ndarray, " tokens"]:
    """SOS, the symbols behind the reserved ids, EOS."""
    return np.concatenate([[SOS], symbols.astype(np.int32) + RESERVED, [EOS]]).astype(np.int32)


def file_prompt(codec: Codec, prompt: Prompt, kind: str) -> Tokens:
    """SOS and the prompt's file, of a codec that reads no text.

    Raises:
        UsageError: the prompt is text, or its file cannot be read.
    """
    if prompt.text:
        raise UsageError(f"--prompt is text, but the network's data are {kind}; give --prompt-file")
    tokens = np.array([SOS]) if prompt.file is None else codec.encode_file(prompt.file)[:-1]
    return tokens[: prompt.tokens + 1] if prompt.tokens else tokens
