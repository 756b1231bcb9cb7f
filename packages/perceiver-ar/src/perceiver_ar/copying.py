"""The copy task: a random sequence and then its mirror image, which asks for every distance up to the whole length."""

import numpy as np
from jaxtyping import Int
from onepaper.errors import UsageError

from perceiver_ar.config import EOS, RESERVED, SOS, ModelConfig


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
