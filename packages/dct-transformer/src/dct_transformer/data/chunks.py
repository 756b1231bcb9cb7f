"""Chunks of lists, the examples of training (paper, section 3.1 and figure 3)."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from dct_transformer.config import ChunkConfig, ModelConfig
from dct_transformer.representation.codec import bounds_of, layout_for, listed_channels
from dct_transformer.representation.triples import Layout, Triples

START_KEY = -1
"""Key of the position before a list."""

Array = Any
"""A numpy array in a batch, a tensor in the network."""


class Chunk(NamedTuple):
    """A batch of chunks. B: batch, L: length of the decoders' sequence, P: positions, C: channels."""

    partial: Int[Array, "batch positions channels"]
    """the DCT image of all triples before the target, and of what is given"""
    partial_key: Int[Array, " batch"]
    """key of the last triple in it; coefficients up to there are known"""
    channels: Int[Array, "batch length"]
    """of the overlap and the target; C is the stop symbol, after which there is padding"""
    positions: Int[Array, "batch length"]
    values: Int[Array, "batch length"]
    first_key: Int[Array, " batch"]
    """key of the triple before the sequence"""
    start: Int[Array, " batch"]
    """index in the list at which the sequence starts"""
    counted: Bool[Array, "batch length"]
    """elements of the sequence whose likelihood is wanted"""
    labels: Int[Array, " batch"]
    """classes; the number of classes stands for none"""
    hint: Int[Array, "batch positions channels"] | None = None
    """DCT image of the low-resolution version, for super-resolution"""


class Example(NamedTuple):
    """An image as its complete list, sorted, with what is given besides the list."""

    triples: Triples
    label: int
    given: Triples
    """coefficients that the encoder sees and that the list lacks; empty without a condition"""
    hint: Triples | None = None
    """list of the low-resolution version"""


def make_example(triples: Triples, label: int, config: ModelConfig, hint: Triples | None = None) -> Example:
    """Split a complete list into the part that a network models and the part that is given; values are clipped."""
    bound = bounds_of(config)[triples.channels]
    triples = triples._replace(values=np.clip(triples.values, -bound, bound))
    listed = listed_channels(config)[triples.channels]
    return Example(select(triples, listed), label, select(triples, ~listed), hint)


def select(triples: Triples, chosen: Bool[np.ndarray, "length"]) -> Triples:
    """The triples where a mask is true."""
    return Triples(*(array[chosen] for array in triples))


def start_probabilities(config: ChunkConfig, chunks: int) -> Float[np.ndarray, "chunks"]:
    r"""Probability that a list of so many chunks is trained at each of them.

    The default prefers early chunks: $w_k \propto \max(f, (1 - k / K)^3)$ with the floor f and the horizon K, zero
    below the cube for k > K.
    """
    k = np.arange(chunks)
    if config.start == "uniform":
        weights = np.ones(chunks)
    elif config.start == "harmonic":
        weights = 1 / (k + 1)
    else:
        weights = np.maximum(config.floor, np.clip(1 - k / config.horizon, 0, 1) ** 3)
        weights = weights if weights.any() else np.ones(chunks)
    return weights / weights.sum()


def number_of_chunks(length: int, config: ChunkConfig) -> int:
    """Chunks of a list: the stop symbol is in the last one, alone where the length is a multiple of the target."""
    return length // config.target + 1


def dense(triples: Triples, layout: Layout) -> Int[np.ndarray, "positions channels"]:
    """A list as the dense DCT image that the encoder reads."""
    image = np.zeros((layout.num_positions, layout.num_channels), np.int16)
    image[triples.positions, triples.channels] = triples.values
    return image


def make_chunks(examples: Sequence[Example], indices: Sequence[int], config: ModelConfig) -> Chunk:
    """A batch of one chunk of each example.

    Args:
        examples: lists.
        indices: which chunk of each.
        config: chunks and layout.
    """
    layout, chunk = layout_for(config), config.chunk
    rows = [_row(example, index, layout, chunk) for example, index in zip(examples, indices, strict=True)]
    hints = None
    if config.condition == "low-resolution":
        hints = np.stack([dense(example.hint, layout) for example in examples if example.hint is not None])
    columns = zip(*rows, strict=True)
    return Chunk(*(np.stack(column) for column in columns), hint=hints)


def _row(example: Example, index: int, layout: Layout, config: ChunkConfig) -> tuple[np.ndarray, ...]:
    triples, begin = example.triples, index * config.target
    first = max(0, begin - config.overlap)
    part = triples[first : begin + config.target]
    before = triples[:begin]
    partial = dense(before, layout)
    partial[example.given.positions, example.given.channels] = example.given.values
    ends = triples.length < begin + config.target
    length = part.length + ends

    sequence = np.zeros((3, config.length), np.int64)
    sequence[:, : part.length] = np.stack(part)
    sequence[2, part.length :] = 1
    if ends:
        sequence[0, part.length] = layout.num_channels
    counted = np.zeros(config.length, bool)
    counted[0 if config.overlap_loss else begin - first : length] = True
    keys = (key_before(triples, begin, layout), key_before(triples, first, layout))
    return (
        partial,
        np.array(keys[0]),
        *sequence,
        np.array(keys[1]),
        np.array(first),
        counted,
        np.array(example.label),
    )


def key_before(triples: Triples, index: int, layout: Layout) -> int:
    """The key of the triple before an index."""
    if index == 0:
        return START_KEY
    return int(layout.keys(triples.channels[index - 1 : index], triples.positions[index - 1 : index])[0])
