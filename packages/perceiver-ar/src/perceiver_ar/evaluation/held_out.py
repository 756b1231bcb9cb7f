"""The evaluation that runs during training, on the same held-out sequences every time."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from perceiver_ar.config import ExperimentConfig
from perceiver_ar.data import copy_task
from perceiver_ar.data.corpus import Windows
from perceiver_ar.data.datasets import load
from perceiver_ar.evaluation.copies import HELD_OUT_SEED, HELD_OUT_SEQUENCES, HELD_OUT_WINDOWS, copy_accuracy
from perceiver_ar.evaluation.units import per_unit
from perceiver_ar.models.losses import batch_loss
from perceiver_ar.models.perceiver_ar import PerceiverAR
from perceiver_ar.models.positions import latent_places


def held_out_evaluation(config: ExperimentConfig) -> Callable[[PerceiverAR], dict[str, float]]:
    """What an evaluation during training says, from the same held-out sequences every time.

    Of the copy task the accuracy; of documents the mean nats of the targets of a few windows of the validation part,
    and the same for each byte, value or second. `evaluate` scores whole documents instead.
    """
    if config.data.kind == "copy":
        generator = np.random.default_rng(HELD_OUT_SEED)
        events = copy_task.mirrored(generator, HELD_OUT_SEQUENCES, config.model.context_length, config.model.vocab_size)
        return lambda model: {"accuracy": float(copy_accuracy(model, events).mean())}
    corpus = load(config.data)
    count = min(config.batch_size, HELD_OUT_WINDOWS)
    windows = Windows(corpus.validation, config.model, corpus.codec, count, seed=HELD_OUT_SEED)
    batches = [windows(step) for step in range(max(1, HELD_OUT_WINDOWS // count))]
    worth: dict[str, float] = {}
    for batch in batches:
        places = np.asarray(latent_places(jnp.asarray(batch["lengths"]), config.model.num_latents))
        for targets, chosen in zip(batch["targets"], places, strict=True):
            for unit, amount in corpus.codec.measure(targets[chosen[chosen >= 0]]).items():
                worth[unit] = worth.get(unit, 0.0) + amount
    worth.pop("words", None)  # of pieces cut off at both ends of a window
    loss = jax.jit(lambda model, batch: batch_loss(model, batch))

    def evaluate(model: PerceiverAR) -> dict[str, float]:
        found = [loss(model, {name: jnp.asarray(array) for name, array in batch.items()}) for batch in batches]
        nats, targets = (sum(float(getattr(part, name)) for part in found) for name in ("nats", "targets"))
        return {"nats": nats / targets, **per_unit(nats, worth)}

    return evaluate
