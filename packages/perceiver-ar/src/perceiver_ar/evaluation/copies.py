"""Accuracy on the copy task by the distance of the copy."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Float, Int

from perceiver_ar.data import copy_task
from perceiver_ar.models.perceiver_ar import PerceiverAR, take
from perceiver_ar.models.positions import latent_places

# Sequences of the copy task and windows of documents that an evaluation during training looks at, and the seed that
# keeps the former apart from those trained on and places the latter.
HELD_OUT_SEQUENCES, HELD_OUT_WINDOWS, HELD_OUT_SEED = 64, 64, 2**31


# Sequences of the copy task that the verb looks at.
COPY_SEQUENCES = 512


def copy_accuracy(
    model: PerceiverAR, events: Int[np.ndarray, "batch length"], *, context: int | None = None
) -> Float[np.ndarray, " mirrored"]:
    """Share of right guesses for each token of the mirrored half and EOS, the nearest copy first.

    The k-th of them stands 2k + 1 tokens after its original.

    Args:
        model: of the copy task.
        events: sequences as `copy_task.mirrored` makes them.
        context: the most inputs that a guess may rest on, the control that cannot see far; None: all.
    """
    config = model.config
    length = events.shape[1]
    reach = length - 1 if context is None else context
    latents = min(config.num_latents, reach)
    graph, params = nnx.split(model)

    @jax.jit
    def hits(params: Any, inputs: Array, targets: Array, lengths: Array, numbers: Array | None) -> Array:
        logits = nnx.merge(graph, params)(inputs, lengths, numbers, num_latents=latents)
        return (logits.argmax(axis=-1) == take(targets, latent_places(lengths, latents))).mean(axis=0)

    right = np.zeros(length // 2)
    width = reach
    for first in range(length // 2 - 1, length - 1, latents):
        end = min(first + latents, length - 1)
        start = max(0, end - reach)
        inputs, targets = np.zeros((2, len(events), width), np.int32)
        inputs[:, : end - start], targets[:, : end - start] = events[:, start:end], events[:, start + 1 : end + 1]
        # A hidden prefix does not move what is left: inputs keep the numbers of their places in the sequence.
        numbers = np.zeros((len(events), width, 1), np.int32)
        numbers[:, : end - start, 0] = np.arange(start, end) + 1
        at = jnp.asarray(numbers) if config.adds else None
        lengths = jnp.full(len(events), end - start)
        found = np.asarray(hits(params, jnp.asarray(inputs), jnp.asarray(targets), lengths, at))
        right[first - length // 2 + 1 : end - length // 2 + 1] = found[latents - (end - first) :]
    return right


def evaluate_copies(model: PerceiverAR) -> dict[str, float]:
    """Accuracy of the mirrored half by the distance of the copy, with all inputs and with as many as latents only."""
    config = model.config
    copy_task.check_fits(config)
    events = copy_task.mirrored(
        np.random.default_rng(HELD_OUT_SEED), COPY_SEQUENCES, config.context_length, config.vocab_size
    )
    whole, blind = copy_accuracy(model, events), copy_accuracy(model, events, context=config.num_latents)
    found = {"accuracy": float(whole.mean()), "accuracy_without_prefix": float(blind.mean())}
    for group in np.array_split(np.arange(len(whole) - 1), min(4, len(whole) - 1)):
        name = f"at_distance_{2 * group[0] + 1}_to_{2 * group[-1] + 1}"
        found[name] = float(whole[group].mean())
        found[f"{name}_without_prefix"] = float(blind[group].mean())
    return found
