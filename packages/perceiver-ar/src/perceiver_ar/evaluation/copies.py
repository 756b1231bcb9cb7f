"""Accuracy on the copy task by the distance of the copy."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Float, Int

from perceiver_ar.data import copy_task
from perceiver_ar.models.perceiver_ar import PerceiverAR, take
from perceiver_ar.models.positions import latent_indices

# Evaluation during training: sequences of the copy task, windows of documents, and the seed of both.
HELD_OUT_SEQUENCES, HELD_OUT_WINDOWS, HELD_OUT_SEED = 64, 64, 2**31


# Sequences of the copy task in an evaluation by the verb `evaluate`.
COPY_SEQUENCES = 512


def copy_accuracy(
    model: PerceiverAR, events: Int[np.ndarray, "batch length"], *, context: int | None = None
) -> Float[np.ndarray, " mirrored"]:
    """Accuracy for each token of the mirrored half and EOS, the shortest copy distance first.

    Token k (from 0) is 2k + 1 tokens after its source.

    Args:
        model: of the copy task.
        events: sequences from `copy_task.mirrored`.
        context: the most inputs of a prediction, as a control without the prefix; None: all.
    """
    config = model.config
    length = events.shape[1]
    reach = length - 1 if context is None else context
    latents = min(config.num_latents, reach)
    graph, params = nnx.split(model)

    @jax.jit
    def hits(params: Any, input_ids: Array, targets: Array, lengths: Array, position_ids: Array | None) -> Array:
        logits = nnx.merge(graph, params)(input_ids, lengths, position_ids, num_latents=latents)
        return (logits.argmax(axis=-1) == take(targets, latent_indices(lengths, latents))).mean(axis=0)

    right = np.zeros(length // 2)
    width = reach
    for first in range(length // 2 - 1, length - 1, latents):
        end = min(first + latents, length - 1)
        start = max(0, end - reach)
        input_ids, targets = np.zeros((2, len(events), width), np.int32)
        input_ids[:, : end - start], targets[:, : end - start] = events[:, start:end], events[:, start + 1 : end + 1]
        # Without the prefix, the remaining inputs keep their positions in the sequence.
        position_ids = np.zeros((len(events), width, 1), np.int32)
        position_ids[:, : end - start, 0] = np.arange(start, end) + 1
        coords = jnp.asarray(position_ids) if config.uses_absolute_positions else None
        lengths = jnp.full(len(events), end - start)
        found = np.asarray(hits(params, jnp.asarray(input_ids), jnp.asarray(targets), lengths, coords))
        right[first - length // 2 + 1 : end - length // 2 + 1] = found[latents - (end - first) :]
    return right


def evaluate_copies(model: PerceiverAR) -> dict[str, float]:
    """Accuracy on the mirrored half by copy distance, with all inputs and with only the inputs of the latents."""
    config = model.config
    copy_task.check_fits(config)
    events = copy_task.mirrored(
        np.random.default_rng(HELD_OUT_SEED), COPY_SEQUENCES, config.context_length, config.vocab_size
    )
    with_prefix, without_prefix = copy_accuracy(model, events), copy_accuracy(model, events, context=config.num_latents)
    found = {"accuracy": float(with_prefix.mean()), "accuracy_without_prefix": float(without_prefix.mean())}
    for group in np.array_split(np.arange(len(with_prefix) - 1), min(4, len(with_prefix) - 1)):
        name = f"at_distance_{2 * group[0] + 1}_to_{2 * group[-1] + 1}"
        found[name] = float(with_prefix[group].mean())
        found[f"{name}_without_prefix"] = float(without_prefix[group].mean())
    return found
