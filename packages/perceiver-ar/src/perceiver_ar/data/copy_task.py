"""The copy task: a random sequence and then its mirror image, which asks for every distance up to the whole length."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Int
from onepaper.errors import UsageError

from perceiver_ar.config import EOS, RESERVED, SOS, ModelConfig
from perceiver_ar.data.codec import Prompt, Tokens
from perceiver_ar.data.figures import array_bytes


def check_fits(config: ModelConfig) -> None:
    """Raise `UsageError` unless the latents can always sit in the mirrored half of an even sequence."""
    length, latents = config.context_length, config.num_latents
    if length % 2 or length < 4:
        raise UsageError(f"context_length is {length}, expected an even number from 4 on for the copy task")
    if latents > length // 2:
        raise UsageError(f"num_latents is {latents}, expected at most {length // 2}, half of the copy task's sequence")


def mirrored(
    generator: np.random.Generator, batch: int, length: int, vocab_size: int
) -> Int[np.ndarray, "batch length"]:
    """SOS, s, s reversed, EOS, where s holds (length - 2) / 2 symbols drawn uniformly (section 5, copy).

    The second half is certain given the first: its least loss is 0, that of the first half ln(vocab_size - 3) a symbol.
    """
    if length % 2 or length < 4:
        raise UsageError(f"length is {length}, expected an even number from 4 on: SOS, two mirrored halves, EOS")
    half = generator.integers(RESERVED, vocab_size, (batch, length // 2 - 1))
    edge = np.ones((batch, 1), int)
    return np.concatenate([SOS * edge, half, half[:, ::-1], EOS * edge], axis=1)


def crops(generator: np.random.Generator, batch: int, length: int, num_latents: int) -> Int[np.ndarray, " batch"]:
    """Numbers of inputs to train on: uniform, with the targets of all latents in the mirrored half or EOS."""
    return generator.integers(length // 2 - 1 + num_latents, length, batch)


class CopyCodec:
    """Sequences of the copy task, to sample from a network: prompts are random first halves to mirror.

    Args:
        length: of a sequence, with SOS and EOS.
        vocab_size: symbols and the three reserved ids.
    """

    coordinates = None
    allowed = None
    stop = None

    def __init__(self, length: int, vocab_size: int) -> None:
        self.half = length // 2 - 1
        self.vocab_size = vocab_size
        self.num_symbols = 2 * self.half

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

    def encode_file(self, path: Path) -> Tokens:
        """Refused: the task has no files."""
        raise UsageError(f"a network of the copy task reads no files; leave {path} out")

    def decode(self, tokens: Tokens) -> Tokens:
        """The symbols."""
        return tokens - RESERVED

    def figure(self, samples: Sequence[Tokens]) -> None:
        """None: symbols are read."""
        del samples

    def files(self, samples: Sequence[Tokens]) -> dict[str, bytes]:
        """samples.npy: the tokens, a row for each sequence."""
        return {"samples.npy": array_bytes(np.stack(samples))}

    def summary(self, tokens: Tokens) -> str:
        """Both halves, and how many symbols of the second are right."""
        first, second = np.split(self.decode(tokens), 2)
        right = int((second == first[::-1]).sum())
        halves = " | ".join(" ".join(map(str, half)) for half in (first, second))
        return f"{halves}   ({right} of {len(first)} right)"

    def measure(self, tokens: Tokens) -> dict[str, float]:
        """Symbols have no unit."""
        del tokens
        return {}

    def saved_files(self) -> dict[str, bytes]:
        """Nothing."""
        return {}
