"""Documents as tokens in three parts, and the windows of them that a training sees.

A document is SOS, its symbols, EOS. A window has at most M + 1 tokens, whose last M are the targets of the others.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
from onepaper.data import BatchSampler, rank_slice
from onepaper.errors import UsageError

from perceiver_ar.config import ModelConfig
from perceiver_ar.data.codec import Codec, Tokens

PARTS = ("train", "validation", "test")


# Of the order in which things are dealt out to parts, the same for everyone.
SPLIT_SEED = 0


@runtime_checkable
class Documents(Protocol):
    """Documents as tokens, read when they are asked for."""

    @property
    def sizes(self) -> Sequence[int]:
        """About how many tokens each has: how often it is drawn."""
        ...

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> Tokens: ...


class InMemory(tuple):
    """Documents that are there."""

    @property
    def sizes(self) -> list[int]:
        """Tokens of each."""
        return [len(document) for document in self]


class OnDisk:
    """Documents that are read and encoded one at a time; the latest are kept.

    Args:
        sources: whatever `read` understands, one for each document.
        sizes: about how many tokens each has.
        read: gives the tokens of a source.
        keep: how many documents stay in memory.
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
    """Documents to learn from, to decide by and to report on."""

    codec: Codec
    train: Documents
    validation: Documents
    test: Documents

    def __post_init__(self) -> None:
        for name in PARTS:
            if not len(getattr(self, name)):
                raise UsageError(f"the {name} part of the data has no documents; give more data")


def dealt(files: Sequence[Path]) -> list[list[Path]]:
    """Three parts of files in an order drawn once: a tenth, one at least, for validation and as many for the test."""
    held_out = max(1, len(files) // 10)
    order = np.random.default_rng(SPLIT_SEED).permutation(len(files))
    parts = np.split(order, [len(files) - 2 * held_out, len(files) - held_out])
    return [[files[number] for number in part] for part in parts]


def check_fits(config: ModelConfig, codec: Codec, *, advice: bool = True) -> None:
    """Raise `UsageError` unless the model knows the data's ids and places.

    Args:
        config: of the model.
        codec: of the data.
        advice: name the options that make a model for these data; without it the model is trained already.
    """
    told, options = list[str](), list[str]()
    if config.vocab_size != codec.vocab_size:
        told.append(f"vocab_size is {config.vocab_size}, but the data has {codec.vocab_size} ids")
        options.append(f"--model.vocab-size {codec.vocab_size}")
    coordinates, axes = codec.coordinates, config.axis_sizes
    if config.needs_coordinates and coordinates is None:
        told.append(f"the model has {len(axes)} axes of positions, the data has one")
        options.append("--model.positions rotary")
    elif config.needs_coordinates and coordinates is not None:
        needed = tuple(int(size) + 1 for size in coordinates.max(axis=0))
        if len(needed) != len(axes) or any(size < least for size, least in zip(axes, needed, strict=True)):
            told.append(f"axes are {axes}, the data needs {needed}")
            options.append(f"--model.axes {' '.join(map(str, needed))}")
    if told:
        end = f"set {' '.join(options)}" if advice else "the weights learnt other data; choose others"
        raise UsageError(f"{'; '.join(told)}; {end}")


class Windows:
    """Training batches: which tokens make batch number `step` is a function of the step.

    An epoch holds every document once for each N of its tokens. A window of M + 1 tokens is laid uniformly over the
    document, hanging over its start by at most M - `least_inputs`, so that a document's first tokens are scored too;
    what hangs over is cut off (section 3, objective). A document shorter than a window is taken whole.

    Args:
        documents: to draw from.
        config: of the model: M, N, and whether positions have axes.
        codec: of the documents.
        batch_size: of the global batch.
        least_inputs: as in `DataConfig`.
        seed: of order and places.
        rank: this process's number.
        world: how many processes there are.
        augment: gives another window for a window and a number evenly drawn from [0, 1).
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
        self._tickets = np.repeat(np.arange(len(sizes)), np.maximum(1, -(-sizes // config.num_latents)))
        self._order = BatchSampler(len(self._tickets), batch_size, seed=seed)
        self._part = rank_slice(batch_size, rank, world)
        self.full = least_inputs >= config.context_length

    def __call__(self, step: int) -> dict[str, np.ndarray]:
        """`inputs` and `targets` [B, M], `lengths` [B] unless all are full, `coordinates` where positions have axes."""
        chosen = self._tickets[self._order(step)]
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
            at = np.ones((len(rows), width, self.coordinates.shape[1]), np.int32)
            for row, (tokens, start) in enumerate(rows):
                at[row, : len(tokens) - 1] = self.coordinates[start : start + len(tokens) - 1]
            batch["coordinates"] = at
        return batch

    def _window(self, tokens: Tokens, draw: float) -> tuple[Tokens, int]:
        """The tokens, and where they begin in their document."""
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
