"""Documents as tokens in three parts, and training windows of them.

A document is SOS, its symbols, EOS. A window has at most M + 1 tokens: M inputs, and their targets one token later.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Int, Integer
from onepaper.data import BatchSampler, rank_slice
from onepaper.errors import UsageError

from perceiver_ar.config import EOS, RESERVED, SOS, ModelConfig

Tokens = Int[np.ndarray, " _"]


PARTS = ("train", "validation", "test")


# Seed of the random order in which files are split into parts.
SPLIT_SEED = 0


@runtime_checkable
class Codec(Protocol):
    """Tokens of one kind of data, and the units that they are measured in."""

    @property
    def vocab_size(self) -> int:
        """Number of ids, including the three reserved ones."""
        ...

    @property
    def coordinates(self) -> Int[np.ndarray, "inputs axes"] | None:
        """Coordinates of the inputs of a document, where positions have several axes."""
        ...

    @property
    def allowed(self) -> Bool[np.ndarray, "rows vocab"] | None:
        """Tokens that may be sampled, with rows that are used in turn; None: all but PAD and SOS."""
        ...

    def measure(self, tokens: Tokens) -> Mapping[str, float]:
        """The size of these tokens in bytes, words, values, seconds or frames."""
        ...

    def saved_files(self) -> Mapping[str, bytes]:
        """What is saved beside the weights of a network to decode its tokens, by file name."""
        ...


@runtime_checkable
class Documents(Protocol):
    """Documents as tokens, possibly read on access."""

    @property
    def sizes(self) -> Sequence[int]:
        """Approximate number of tokens of each, which sets how often it is sampled."""
        ...

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> Tokens: ...


class InMemory(tuple):
    """Documents in memory."""

    @property
    def sizes(self) -> list[int]:
        """Number of tokens of each."""
        return [len(document) for document in self]


class OnDisk:
    """Documents that are read and encoded on access, with a cache of recent ones.

    Args:
        sources: arguments of `read`, one for each document.
        sizes: approximate number of tokens of each.
        read: gives the tokens of a source.
        keep: number of documents in the cache.
    """

    def __init__(
        self, sources: Sequence[Any], sizes: Sequence[int], read: Callable[[Any], Tokens], keep: int = 64
    ) -> None:
        self.sources, self.sizes = sources, sizes
        self._read = lru_cache(maxsize=keep)(read)

    def __len__(self) -> int:
        return len(self.sources)

    def __getitem__(self, index: int) -> Tokens:
        return self._read(self.sources[index])


@dataclass(frozen=True, eq=False)
class Corpus:
    """Documents for training, validation and test."""

    codec: Codec
    train: Documents
    validation: Documents
    test: Documents

    def __post_init__(self) -> None:
        for name in PARTS:
            if not len(getattr(self, name)):
                raise UsageError(f"the {name} part of the data has no documents; provide more data")


def document(symbols: Integer[np.ndarray, " symbols"]) -> Int[np.ndarray, " tokens"]:
    """SOS, the symbols behind the reserved ids, EOS."""
    return np.concatenate([[SOS], symbols.astype(np.int32) + RESERVED, [EOS]]).astype(np.int32)


def split_files(files: Sequence[Path]) -> list[list[Path]]:
    """Files in three parts, in a random order (fixed seed): a tenth, at least one, for validation and for test each."""
    held_out = max(1, len(files) // 10)
    order = np.random.default_rng(SPLIT_SEED).permutation(len(files))
    parts = np.split(order, [len(files) - 2 * held_out, len(files) - held_out])
    return [[files[number] for number in part] for part in parts]


def check_fits(config: ModelConfig, codec: Codec, *, advice: bool = True) -> None:
    """Raise `UsageError` unless the model has the vocabulary and the axes of the data.

    Args:
        config: of the model.
        codec: of the data.
        advice: name the options to change; False for a model that is already trained.
    """
    problems, options = list[str](), list[str]()
    if config.vocab_size != codec.vocab_size:
        problems.append(f"vocab_size is {config.vocab_size}, but the data have {codec.vocab_size} ids")
        options.append(f"--model.vocab-size {codec.vocab_size}")
    coordinates, axes = codec.coordinates, config.axis_sizes
    if config.needs_coordinates and coordinates is None:
        problems.append(f"the model has {len(axes)} axes of positions, but the data have one")
        options.append("--model.positions rotary")
    elif config.needs_coordinates and coordinates is not None:
        needed = tuple(int(size) + 1 for size in coordinates.max(axis=0))
        if len(needed) != len(axes) or any(size < least for size, least in zip(axes, needed, strict=True)):
            problems.append(f"axes are {axes}, but the data need {needed}")
            options.append(f"--model.axes {' '.join(map(str, needed))}")
    if problems:
        end = f"set {' '.join(options)}" if advice else "the weights were trained on other data; choose others"
        raise UsageError(f"{'; '.join(problems)}; {end}")


class Windows:
    """Training batches, as a function of the step.

    An epoch has each document once for every N of its tokens. The start of a window of M + 1 tokens is uniform over the
    document and may precede it by at most M - `least_inputs` tokens, so that the first tokens of a document are scored
    too; the window then has fewer inputs (official code, dataset.py). A shorter document is a single window.

    Args:
        documents: to draw from.
        config: of the model: M, N, and whether positions have axes.
        codec: of the documents.
        batch_size: of the global batch.
        least_inputs: as in `DataConfig`.
        seed: of the order of documents and the starts of windows.
        rank: index of this process.
        world: number of processes.
        augment: maps a window and a uniform random number in [0, 1) to another window.
    """

    def __init__(
        self,
        documents: Documents,
        config: ModelConfig,
        codec: Codec,
        batch_size: int,
        *,
        least_inputs: int = 0,
        seed: int = 0,
        rank: int = 0,
        world: int = 1,
        augment: Callable[[Tokens, float], Tokens] | None = None,
    ) -> None:
        self.documents, self.config, self.seed, self.augment = documents, config, seed, augment
        self.coordinates = codec.coordinates if config.needs_coordinates else None
        self.least = min(least_inputs or config.num_latents, config.context_length)
        sizes = np.asarray(documents.sizes)
        self._epoch_documents = np.repeat(np.arange(len(sizes)), np.maximum(1, -(-sizes // config.num_latents)))
        self._order = BatchSampler(len(self._epoch_documents), batch_size, seed=seed)
        self._part = rank_slice(batch_size, rank, world)
        self.full = least_inputs >= config.context_length

    def __call__(self, step: int) -> dict[str, np.ndarray]:
        """`inputs` and `targets` [B, M], `lengths` [B] unless all are full, `coordinates` where positions have axes."""
        chosen = self._epoch_documents[self._order(step)]
        generator = np.random.default_rng([self.seed, step])
        draws = generator.random(len(chosen))
        width = self.config.context_length
        rows = [
            self._window(self.documents[int(number)], float(draw))
            for number, draw in zip(chosen[self._part], draws[self._part], strict=True)
        ]
        if self.augment is not None:
            others = generator.random(len(chosen))[self._part]
            rows = [
                (self.augment(tokens, float(other)), start) for (tokens, start), other in zip(rows, others, strict=True)
            ]
        inputs, targets = np.zeros((2, len(rows), width), np.int32)
        for row, (tokens, _) in enumerate(rows):
            inputs[row, : len(tokens) - 1], targets[row, : len(tokens) - 1] = tokens[:-1], tokens[1:]
        batch = {"inputs": inputs, "targets": targets}
        if not self.full:
            batch["lengths"] = np.array([len(tokens) - 1 for tokens, _ in rows], np.int32)
        if self.coordinates is not None:
            coords = np.ones((len(rows), width, self.coordinates.shape[1]), np.int32)
            for row, (tokens, start) in enumerate(rows):
                coords[row, : len(tokens) - 1] = self.coordinates[start : start + len(tokens) - 1]
            batch["coordinates"] = coords
        return batch

    def _window(self, tokens: Tokens, draw: float) -> tuple[Tokens, int]:
        """The tokens, and the index of the first one in the document."""
        context = self.config.context_length
        if self.full and len(tokens) <= context:
            raise UsageError(
                f"a document has {len(tokens)} tokens, expected more than {context} where least_inputs is the context "
                "length; leave data.least_inputs at 0"
            )
        first = self.least - context
        last = max(len(tokens) - (context + 1), first)
        start = first + int(draw * (last - first + 1))
        begin = max(start, 0)
        return tokens[begin : start + context + 1], begin
