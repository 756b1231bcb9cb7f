"""Training and evaluation of Transformers of the raster, on the data of run-length Transformers."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Float, Int, PRNGKeyArray
from onepaper.data import random_batches
from onepaper.errors import UsageError
from onepaper.jax.accelerator import Accelerator
from onepaper.jax.steps import JaxTask
from onepaper.runs import Run
from onepaper.training import fit

from slowae_rlt.config import RunLengthConfig, RunLengthExperiment
from slowae_rlt.models.raster_transformer import RasterTransformer
from slowae_rlt.run_length.training import EventData, load_levels

# Sequences that are evaluated at once.
BATCH = 16


def raster_batches(
    levels: Int[np.ndarray, "T C"],
    config: RunLengthConfig,
    batch_size: int,
    *,
    seed: int,
    rank: int = 0,
    world: int = 1,
) -> Callable[[int], Int[np.ndarray, "B N C"]]:
    """Parts of the raster that begin anywhere, as level + k, as a function of the step."""
    steps = np.arange(config.length)

    def make(generator: np.random.Generator, count: int) -> Int[np.ndarray, "B N C"]:
        starts = generator.integers(0, len(levels) - config.length + 1, count)
        return levels[starts[:, None] + steps].astype(np.int32) + config.levels

    return random_batches(make, batch_size, seed=seed, rank=rank, world=world)


def raster_bits(model: RasterTransformer, levels: Int[np.ndarray, "T C"], grid_rate: float) -> Float[np.ndarray, " B"]:
    """Bits a second of each of successive sequences, none of which sees those before it.

    Raises:
        UsageError: fewer steps than a sequence has.
    """
    config = model.config
    count = len(levels) // config.length
    if not count:
        raise UsageError(f"the recordings have {len(levels)} grid steps, expected at least {config.length}")
    parts = levels[: count * config.length].reshape(count, config.length, -1).astype(np.int32) + config.levels
    measure = nnx.jit(lambda model, part: model.nats(part).sum(axis=(1, 2)))
    nats = np.concatenate(
        [
            np.asarray(measure(model, jnp.asarray(parts[np.arange(start, start + BATCH).clip(max=count - 1)])))
            for start in range(0, count, BATCH)
        ]
    )[:count]
    return nats / np.log(2) / (config.length / grid_rate)


def train_raster(
    config: RunLengthExperiment,
    run: Run | None = None,
    *,
    seed: int = 0,
    accelerator: Accelerator | None = None,
    data: EventData | None = None,
) -> RasterTransformer:
    """Train from a configuration, or from the newest checkpoint of `run`; returns the averaged model.

    Args:
        config: as of a run-length Transformer, with as many grid steps in a sequence as that has events.
        run: where logs and checkpoints go; None keeps nothing.
        seed: of the initial weights, the sequences and the dropout.
        accelerator: devices; None: one.
        data: a codec, levels and labels of your own; None: those of the configuration.

    Raises:
        UsageError: as by `load_levels`.
    """
    codec, levels, _ = data or load_levels(config)
    processes = accelerator or Accelerator()

    def loss(model: RasterTransformer, batch: Any, key: PRNGKeyArray) -> tuple[jax.Array, int]:
        return model.nats(batch, key).sum(), batch.shape[0] * batch.shape[1]

    task = JaxTask(
        lambda rngs: RasterTransformer(config.model, rngs),
        loss,
        config.optimizer,
        total_steps=config.loop.steps,
        accelerator=processes,
    )

    def evaluate(state: Any) -> dict[str, float]:
        model = task.model(state)
        assert isinstance(model, RasterTransformer)
        return {"bits_per_second": float(raster_bits(model, levels["validation"], codec.config.grid_rate).mean())}

    batches = raster_batches(
        levels["train"], config.model, config.batch_size, seed=seed, rank=processes.rank, world=processes.world
    )
    fitted = fit(task, batches, config.loop, run, seed=seed, evaluate=evaluate, processes=processes)
    model = task.model(fitted.state)
    assert isinstance(model, RasterTransformer)
    return model
