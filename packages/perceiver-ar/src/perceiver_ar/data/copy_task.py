"""The copy task: a random sequence followed by its mirror image, with copies over all distances."""

import numpy as np
from jaxtyping import Int
from onepaper.errors import UsageError

from perceiver_ar.config import EOS, RESERVED, SOS, ModelConfig


def check_fits(config: ModelConfig) -> None:
    """Raise `UsageError` unless the length is even and all latents fit into the mirrored half."""
    length, latents = config.context_length, config.num_latents
    if length % 2 or length < 4:
        raise UsageError(f"context_length is {length}, expected an even number from 4 on for the copy task")
    if latents > length // 2:
        raise UsageError(f"num_latents is {latents}, expected at most {length // 2}, half of the copy task's sequence")


def mirrored(
    generator: np.random.Generator, batch: int, length: int, vocab_size: int
) -> Int[np.ndarray, "batch length"]:
    """SOS, s, s reversed, EOS, where s holds (length - 2) / 2 symbols sampled uniformly (paper, section 5.1.1; official
    code, dataset.py).

    The second half is determined by the first: its optimal loss is 0, that of the first half ln(vocab_size - 3) per
    symbol.
    """
    if length % 2 or length < 4:
        raise UsageError(f"length is {length}, expected an even number from 4 on: SOS, two mirrored halves, EOS")
    half = generator.integers(RESERVED, vocab_size, (batch, length // 2 - 1))
    edge = np.ones((batch, 1), int)
    return np.concatenate([SOS * edge, half, half[:, ::-1], EOS * edge], axis=1)


def crops(generator: np.random.Generator, batch: int, length: int, num_latents: int) -> Int[np.ndarray, " batch"]:
    """Numbers of inputs to train on: uniform, such that the targets of all latents are in the mirrored half or EOS."""
    return generator.integers(length // 2 - 1 + num_latents, length, batch)
