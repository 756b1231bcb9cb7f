r"""Likelihood of documents, with every target scored exactly once.

A document is $e_0, \ldots, e_T$ with $e_0$ = SOS; its T targets are $e_1, \ldots, e_T$. A forward pass
over a window of inputs scores the targets of its last latents (official code, experiment.py).
"""

import functools
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Float, Int
from onepaper.config import check_positive
from onepaper.errors import UsageError

from perceiver_ar.config import ModelConfig
from perceiver_ar.models.embeddings import check_ids
from perceiver_ar.models.losses import token_nats
from perceiver_ar.models.perceiver_ar import PerceiverAR, take
from perceiver_ar.models.positions import check_coordinates, latent_indices


class Window(NamedTuple):
    """A forward pass over inputs `start` to `end - 1` of a document that scores the targets of `first` to `end - 1`."""

    document: int
    start: int
    end: int
    first: int


def windows(lengths: Sequence[int], context: int, stride: int) -> list[Window]:
    """Windows that score every target of every document once, in order.

    Args:
        lengths: T, targets of each document.
        context: the most inputs of a window.
        stride: targets that one pass scores. 1 is the incremental mode, in which each target has the longest context.
            More is the block mode; N - R + 1 corresponds to sampling with resets to R of N latents.
    """
    return [
        Window(document, max(0, end - context), end, first)
        for document, length in enumerate(lengths)
        for first in range(0, length, stride)
        for end in (min(first + stride, length),)
    ]


def score(
    model: PerceiverAR,
    documents: Sequence[Int[np.ndarray, "_"]],
    *,
    stride: int,
    num_latents: int | None = None,
    context: int | None = None,
    coordinates: Int[np.ndarray, "inputs axes"] | None = None,
    batch_size: int = 8,
) -> list[Float[np.ndarray, "_"]]:
    r"""$-\ln p(e_t | e_{<t})$ of every target of every document.

    Args:
        model: the network; positions count from the start of each window.
        documents: ids that begin with SOS.
        stride: targets that one pass scores, at most the number of latents.
        num_latents: N of the evaluation; None: as in training. The targets of the first N - stride are not scored.
        context: the most inputs of a pass; None: the context length.
        coordinates: absolute positions on several axes, the same for all documents.
        batch_size: passes in a batch.

    Raises:
        UsageError: no documents, a document without a target or with padding, ids that are not integers inside the
            vocabulary, or inconsistent numbers.
    """
    config = model.config
    latents = config.num_latents if num_latents is None else num_latents
    context = config.context_length if context is None else context
    _check(config, documents, stride, latents, context, coordinates)
    check_positive("batch_size", batch_size)
    plan = windows([len(document) - 1 for document in documents], context, stride)
    width = min(context, max(latents, max(window.end - window.start for window in plan)))
    graph, params = nnx.split(model)
    found = [np.zeros(len(document) - 1) for document in documents]
    for begin in range(0, len(plan), batch_size):
        part = plan[begin : begin + batch_size]
        rows = part + part[:1] * (batch_size - len(part))  # a smaller last batch would be compiled again
        input_ids, targets = np.zeros((2, batch_size, width), np.int32)
        coords = None if coordinates is None else np.zeros((batch_size, width, coordinates.shape[1]), np.int32)
        for row, (document, start, end, _) in enumerate(rows):
            input_ids[row, : end - start] = documents[document][start:end]
            targets[row, : end - start] = documents[document][start + 1 : end + 1]
            if coords is not None and coordinates is not None:
                coords[row, : end - start] = coordinates[start:end]
        lengths = np.array([window.end - window.start for window in rows])
        nats = np.asarray(_nats(graph, latents, params, input_ids, targets, lengths, coords), np.float64)
        for row, (document, _, end, first) in enumerate(part):
            found[document][first:end] = nats[row, latents - (end - first) :]
    return found


def _check(
    config: ModelConfig,
    documents: Sequence[np.ndarray],
    stride: int,
    latents: int,
    context: int,
    coordinates: np.ndarray | None,
) -> None:
    if not documents:
        raise UsageError("there are no documents to evaluate; give at least one")
    if not 1 <= context <= config.context_length:
        raise UsageError(f"context is {context}, expected 1 to {config.context_length}")
    if not 1 <= latents <= context:
        raise UsageError(f"num_latents is {latents}, expected 1 to the context, which is {context}")
    if not 1 <= stride <= latents:
        raise UsageError(f"stride is {stride}, expected 1 to num_latents, which is {latents}")
    for number, document in enumerate(documents):
        if len(document) < 2:
            raise UsageError(f"document {number} has {len(document)} tokens, expected SOS and at least one more")
        check_ids(f"document {number}", np.asarray(document), config.vocab_size)
    if coordinates is not None:
        check_coordinates(coordinates, config.axis_sizes)
        longest = max(len(document) for document in documents) - 1
        if len(coordinates) < longest:
            raise UsageError(
                f"coordinates have {len(coordinates)} rows, the longest document has {longest} inputs; pass more"
            )


@functools.partial(jax.jit, static_argnums=(0, 1))  # one compilation for all evaluations of one architecture
def _nats(
    graph: Any, latents: int, params: Any, input_ids: Array, targets: Array, lengths: Array, coordinates: Array | None
) -> Array:
    logits = nnx.merge(graph, params)(input_ids, lengths, coordinates, num_latents=latents)
    return token_nats(logits, take(targets, latent_indices(jnp.asarray(lengths), latents)))[0]


def by_inputs(nats: Sequence[Float[np.ndarray, "_"]]) -> dict[tuple[int, int], tuple[float, int]]:
    """Mean nats and number of targets by the number of inputs before: 0 to 511, 512 to 1023, then powers of two.

    Args:
        nats: what `score` returns.

    Returns:
        (from, below) -> (mean, count), for ranges with targets.
    """
    found: dict[tuple[int, int], tuple[float, int]] = {}
    low, high = 0, 512
    while inside := [part for document in nats if len(part := document[low:high])]:
        values = np.concatenate(inside)
        found[low, high] = float(values.mean()), len(values)
        low, high = high, 2 * high
    return found
