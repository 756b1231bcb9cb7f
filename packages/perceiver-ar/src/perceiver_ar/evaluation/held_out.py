"""The evaluation that runs during training, on the same held-out sequences every time."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from perceiver_ar.config import ExperimentConfig
from perceiver_ar.data import copy_task
from perceiver_ar.data.corpus import Corpus, Windows
from perceiver_ar.evaluation.copies import HELD_OUT_SEED, HELD_OUT_SEQUENCES, HELD_OUT_WINDOWS, copy_accuracy
from perceiver_ar.evaluation.units import per_unit
from perceiver_ar.models.losses import batch_loss
from perceiver_ar.models.perceiver_ar import PerceiverAR
from perceiver_ar.models.positions import latent_indices


def held_out_evaluation(config: ExperimentConfig, corpus: Corpus | None) -> Callable[[PerceiverAR], dict[str, float]]:
    """The evaluation during training, always on the same held-out sequences.

    For the copy task the accuracy; for documents the mean nats of the targets in a few windows of the validation part,
    also per byte, value or second. The verb `evaluate` scores complete documents instead.

    Args:
        config: of the training.
        corpus: its documents; None: the copy task.
    """
    if corpus is None:
        generator = np.random.default_rng(HELD_OUT_SEED)
        events = copy_task.mirrored(generator, HELD_OUT_SEQUENCES, config.model.context_length, config.model.vocab_size)
        return lambda model: {"accuracy": float(copy_accuracy(model, events).mean())}
    count = min(config.batch_size, HELD_OUT_WINDOWS)
    windows = Windows(corpus.validation, config.model, corpus.codec, count, seed=HELD_OUT_SEED)
    batches = [windows(step) for step in range(max(1, HELD_OUT_WINDOWS // count))]
    amounts: dict[str, float] = {}
    for batch in batches:
        input_indices = np.asarray(latent_indices(jnp.asarray(batch["lengths"]), config.model.num_latents))
        for targets, chosen in zip(batch["targets"], input_indices, strict=True):
            for unit, amount in corpus.codec.measure(targets[chosen[chosen >= 0]]).items():
                amounts[unit] = amounts.get(unit, 0.0) + amount
    amounts.pop("words", None)  # windows begin and end inside words
    loss = jax.jit(lambda model, batch: batch_loss(model, batch))

    def evaluate(model: PerceiverAR) -> dict[str, float]:
        found = [loss(model, {name: jnp.asarray(array) for name, array in batch.items()}) for batch in batches]
        nats, targets = (sum(float(getattr(part, name)) for part in found) for name in ("nats", "targets"))
        return {"nats": nats / targets, **per_unit(nats, amounts)}

    return evaluate
