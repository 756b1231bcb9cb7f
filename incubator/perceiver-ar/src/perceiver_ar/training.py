"""Training: the loss at the latents, summed as in the paper or averaged, in the loop that all papers share."""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Float, Int, PRNGKeyArray
from onepaper.data import random_batches
from onepaper.errors import UsageError
from onepaper.jax.accelerator import Accelerator
from onepaper.jax.steps import JaxState, JaxTask
from onepaper.runs import Run
from onepaper.training import fit

from perceiver_ar import copying
from perceiver_ar.config import ExperimentConfig
from perceiver_ar.model import PerceiverAR, sequence_loss, take
from perceiver_ar.positions import latent_places

# Sequences of the copy task that an evaluation during training looks at, and the seed that keeps them apart.
HELD_OUT_SEQUENCES, HELD_OUT_SEED = 64, 2**31

Batch = Mapping[str, Array]


def make_loss(config: ExperimentConfig) -> Callable[[PerceiverAR, Batch, PRNGKeyArray], tuple[Array, Array, dict]]:
    """Loss sum, weight and the sum of nats, of batches with `inputs`, `targets` and `lengths`.

    The weight is the number of targets for the mean; for the sum over a batch it is a constant that adds up to 1 over
    micro-batches (section 3, objective). The logged `nats` are means over targets either way.
    """
    summed, parts = config.loss_reduction == "sum", config.optimizer.accumulation

    def loss(model: PerceiverAR, batch: Batch, key: PRNGKeyArray) -> tuple[Array, Array, dict]:
        found = sequence_loss(
            model,
            batch["inputs"],
            batch["targets"],
            batch["lengths"],
            key=key,
            label_smoothing=config.label_smoothing,
        )
        weight = jnp.float32(1 / parts) if summed else found.targets
        return found.total(config.z_loss), weight, {"nats": weight * found.nats / found.targets}

    return loss


def copy_batches(config: ExperimentConfig, *, seed: int, rank: int = 0, world: int = 1) -> Callable[[int], dict]:
    """Batches of the copy task, functions of the step."""
    model = config.model

    def make(generator: np.random.Generator, batch_size: int) -> dict[str, np.ndarray]:
        events = copying.mirrored(generator, batch_size, model.context_length, model.vocab_size).astype(np.int32)
        lengths = copying.crops(generator, batch_size, model.context_length, model.num_latents).astype(np.int32)
        return {"inputs": events[:, :-1], "targets": events[:, 1:], "lengths": lengths}

    return random_batches(make, config.batch_size, seed=seed, rank=rank, world=world)


def copy_accuracy(
    model: PerceiverAR, events: Int[np.ndarray, "batch length"], *, context: int | None = None
) -> Float[np.ndarray, " mirrored"]:
    """Share of right guesses for each token of the mirrored half and EOS, the nearest copy first.

    The k-th of them stands 2k + 1 tokens after its original.

    Args:
        model: of the copy task.
        events: sequences as `copying.mirrored` makes them.
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


def train(
    config: ExperimentConfig, run: Run | None = None, *, seed: int = 0, accelerator: Accelerator | None = None
) -> PerceiverAR:
    """Train from a configuration, from the newest checkpoint of `run` if it has one; the averaged model.

    Raises:
        UsageError: data other than the copy task, or a model that does not fit it.
    """
    if config.data != "copy":
        raise UsageError(f"data is '{config.data}', expected 'copy', the one task that this version trains on")
    copying.check_fits(config.model)
    accelerator = accelerator or Accelerator()
    task = JaxTask(
        lambda rngs: PerceiverAR(config.model, rngs),
        make_loss(config),
        config.optimizer,
        total_steps=config.loop.steps,
        accelerator=accelerator,
    )
    batches = copy_batches(config, seed=seed, rank=accelerator.rank, world=accelerator.world)
    generator = np.random.default_rng(HELD_OUT_SEED)
    held_out = copying.mirrored(generator, HELD_OUT_SEQUENCES, config.model.context_length, config.model.vocab_size)

    def evaluate(state: JaxState) -> dict[str, float]:
        model = task.model(state)
        assert isinstance(model, PerceiverAR)
        return {"accuracy": float(copy_accuracy(model, held_out).mean())}

    fitted = fit(task, batches, config.loop, run, seed=seed, evaluate=evaluate, processes=accelerator)
    model = task.model(fitted.state)
    assert isinstance(model, PerceiverAR)
    return model
