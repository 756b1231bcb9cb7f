"""Training of run-length Transformers."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Int, PRNGKeyArray
from onepaper.jax.accelerator import Accelerator
from onepaper.jax.steps import JaxState, JaxTask
from onepaper.runs import Run
from onepaper.training import Hook, fit

from slowae_rlt.config import RunLengthExperiment
from slowae_rlt.data.recordings import load_recordings
from slowae_rlt.models.run_length_transformer import RunLengthTransformer
from slowae_rlt.pretrained.codecs import Codec, open_codec
from slowae_rlt.pretrained.language_models import LanguageModel
from slowae_rlt.run_length.evaluation import measure_nats
from slowae_rlt.run_length.sequences import (
    Sequences,
    check_levels,
    join_levels,
    language_labels,
    sequence_batches,
    successive_sequences,
)

Levels = dict[str, Int[np.ndarray, "T C"]]

# Of the key from which it is drawn which sequences have no condition; smaller numbers belong to the dropout.
_NULL = 1 << 20


class EventData(NamedTuple):
    """A codec, levels of the parts of the recordings, and the number of the condition at each of their steps."""

    codec: Codec
    levels: Levels
    labels: dict[str, Int[np.ndarray, " T"]]
    """empty for a model without conditions"""


def loss(model: RunLengthTransformer, batch: Sequences, key: PRNGKeyArray) -> Any:
    """Nats of the events that count, their number, and the two parts to log; some sequences have no condition."""
    conditions = jnp.asarray(batch.conditions)
    without = jax.random.bernoulli(jax.random.fold_in(key, _NULL), model.config.null_share, conditions.shape)
    conditions = jnp.where(without, -1, conditions)
    nats = model.nats(jnp.asarray(batch.values), jnp.asarray(batch.lengths), key, conditions)
    counts = jnp.asarray(batch.counts)
    values, lengths = (jnp.where(counts, part, 0.0).sum() for part in nats)
    return values + lengths, counts.sum(), {"value_nats": values, "length_nats": lengths}


def load_levels(config: RunLengthExperiment) -> EventData:
    """The codec, and levels and labels of the recordings of each part.

    Raises:
        UsageError: no such codec, missing or damaged data, or recordings that do not fit the model.
    """
    codec = open_codec(config.codec)
    recordings = load_recordings(config.data, codec.config.sample_rate)
    levels = {part: join_levels(codec, recordings[part]) for part in ("train", "validation", "test")}
    for part in ("train", "validation"):
        check_levels(levels[part], config.model, part)
    labels = {}
    if config.model.conditions:
        stride = codec.config.encoder.stride
        labels = {
            part: language_labels(config.model.conditions, stride, part, len(own)) for part, own in levels.items()
        }
    return EventData(codec, levels, labels)


def train_language_model(
    config: RunLengthExperiment,
    run: Run | None = None,
    *,
    seed: int = 0,
    accelerator: Accelerator | None = None,
    data: EventData | None = None,
    hooks: Sequence[Hook[JaxState]] = (),
) -> LanguageModel:
    """Train from a configuration, or from the newest checkpoint of `run`; returns the averaged model with its codec.

    Args:
        config: codec, data, model and training.
        run: where logs and checkpoints go; None keeps nothing.
        seed: of the initial weights, the sequences and the dropout.
        accelerator: devices; None: one.
        data: a codec, levels and labels of your own; None: those of the configuration.
        hooks: called as `hook(step, state, row)` after each log row, with the row's numbers.

    Raises:
        UsageError: as by `load_levels`.
    """
    codec, levels, labels = data or load_levels(config)
    processes = accelerator or Accelerator()
    task = JaxTask(
        lambda rngs: RunLengthTransformer(config.model, rngs),
        loss,
        config.optimizer,
        total_steps=config.loop.steps,
        accelerator=processes,
    )
    held_out = successive_sequences(levels["validation"], config.model, labels.get("validation"))

    def model_of(state: JaxState) -> RunLengthTransformer:
        model = task.model(state)
        assert isinstance(model, RunLengthTransformer)
        return model

    def evaluate(state: JaxState) -> dict[str, float]:
        return measure_nats(model_of(state), held_out, codec.config.grid_rate)

    fitted = fit(
        task,
        sequence_batches(
            levels["train"],
            config.model,
            config.batch_size,
            seed=seed,
            labels=labels.get("train"),
            rank=processes.rank,
            world=processes.world,
        ),
        config.loop,
        run,
        seed=seed,
        evaluate=evaluate,
        hooks=hooks,
        processes=processes,
    )
    return LanguageModel(model_of(fitted.state), codec, config.codec)
