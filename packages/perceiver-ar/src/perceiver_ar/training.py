"""Training: the loss at the latents, as a sum (paper) or a mean, and batches of the copy task and of documents."""

import functools
from collections.abc import Callable, Mapping, Sequence

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, PRNGKeyArray
from onepaper.data import random_batches
from onepaper.jax.accelerator import Accelerator
from onepaper.jax.steps import JaxState, JaxTask
from onepaper.runs import Run
from onepaper.training import Hook, fit

from perceiver_ar.config import ExperimentConfig
from perceiver_ar.data import copy_task
from perceiver_ar.data.corpus import Corpus, Windows, check_fits
from perceiver_ar.data.datasets import load
from perceiver_ar.data.music import transposed
from perceiver_ar.evaluation.held_out import held_out_evaluation
from perceiver_ar.models.losses import Batch, batch_loss
from perceiver_ar.models.perceiver_ar import PerceiverAR
from perceiver_ar.parallel import model_builder


def make_loss(config: ExperimentConfig) -> Callable[[PerceiverAR, Batch, PRNGKeyArray], tuple[Array, Array, dict]]:
    """Loss sum, weight and the sum of nats of a batch.

    The weight is the number of targets for the mean. For the sum it is a constant that adds up to 1 over micro-batches
    (official code, experiment.py). The logged `nats` are means over targets in both cases.
    """
    summed, parts = config.loss_reduction == "sum", config.optimizer.accumulation

    def loss(model: PerceiverAR, batch: Batch, key: PRNGKeyArray) -> tuple[Array, Array, dict]:
        found = batch_loss(model, batch, key, config.label_smoothing)
        weight = jnp.float32(1 / parts) if summed else found.targets
        return found.total(config.z_loss), weight, {"nats": weight * found.nats / found.targets}

    return loss


def copy_batches(config: ExperimentConfig, *, seed: int, rank: int = 0, world: int = 1) -> Callable[[int], dict]:
    """Batches of the copy task, as a function of the step."""
    model = config.model

    def make(generator: np.random.Generator, batch_size: int) -> dict[str, np.ndarray]:
        events = copy_task.mirrored(generator, batch_size, model.context_length, model.vocab_size).astype(np.int32)
        lengths = copy_task.crops(generator, batch_size, model.context_length, model.num_latents).astype(np.int32)
        return {"inputs": events[:, :-1], "targets": events[:, 1:], "lengths": lengths}

    return random_batches(make, config.batch_size, seed=seed, rank=rank, world=world)


def document_batches(
    config: ExperimentConfig, corpus: Corpus, *, seed: int, rank: int = 0, world: int = 1
) -> Callable[[int], dict]:
    """Batches of windows of the training documents, as a function of the step."""
    return Windows(
        corpus.train,
        config.model,
        corpus.codec,
        config.batch_size,
        least_inputs=config.data.least_inputs,
        seed=seed,
        rank=rank,
        world=world,
        augment=functools.partial(transposed, most=config.data.transpose) if config.data.transpose else None,
    )


def load_checked_corpus(config: ExperimentConfig) -> Corpus | None:
    """The documents of a training, checked against the model; None for the copy task.

    Raises:
        UsageError: missing data, or a model that does not fit them.
    """
    if config.data.kind == "copy":
        copy_task.check_fits(config.model)
        return None
    return check_corpus(load(config.data), config)


def check_corpus(corpus: Corpus, config: ExperimentConfig) -> Corpus:
    """The corpus itself.

    Raises:
        UsageError: a model that does not fit it.
    """
    check_fits(config.model, corpus.codec)
    return corpus


def train(
    config: ExperimentConfig,
    run: Run | None = None,
    *,
    seed: int = 0,
    accelerator: Accelerator | None = None,
    corpus: Corpus | None = None,
    draw: Callable[[PerceiverAR], Mapping[str, bytes]] | None = None,
    hooks: Sequence[Hook[JaxState]] = (),
) -> PerceiverAR:
    """Train from a configuration, or from the newest checkpoint of `run`; returns the averaged model.

    Args:
        config: model, data, optimizer and length.
        run: where logs and checkpoints go; None keeps nothing.
        seed: of the initial weights, the batches and dropout.
        accelerator: devices; None: one.
        corpus: documents of one's own in three parts; None: those that `config.data` names.
        draw: samples of a model as files by name, asked for with every evaluation of a run.
        hooks: called as `hook(step, state, row)` after each log row, with the row's numbers.

    Raises:
        UsageError: missing data, or a model that does not fit them.
    """
    accelerator = accelerator or Accelerator()
    processes = {"rank": accelerator.rank, "world": accelerator.world}
    corpus = load_checked_corpus(config) if corpus is None else check_corpus(corpus, config)
    if corpus is None:
        batches = copy_batches(config, seed=seed, **processes)
    else:
        batches = document_batches(config, corpus, seed=seed, **processes)
    task = JaxTask(
        model_builder(config.model, accelerator),
        make_loss(config),
        config.optimizer,
        total_steps=config.loop.steps,
        accelerator=accelerator,
    )
    evaluate_held_out = held_out_evaluation(config, corpus)

    def evaluate(state: JaxState) -> dict[str, float]:
        model = task.model(state)
        assert isinstance(model, PerceiverAR)
        return evaluate_held_out(model)

    def samples(state: JaxState) -> Mapping[str, bytes]:
        model = task.model(state)
        assert isinstance(model, PerceiverAR)
        return {} if draw is None else draw(model)

    fitted = fit(
        task,
        batches,
        config.loop,
        run,
        seed=seed,
        evaluate=evaluate,
        draw=None if draw is None else samples,
        hooks=hooks,
        processes=accelerator,
    )
    model = task.model(fitted.state)
    assert isinstance(model, PerceiverAR)
    return model
