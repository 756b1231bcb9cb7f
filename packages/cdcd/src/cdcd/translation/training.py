"""Training of the translation model and of its autoregressive baseline (paper, section 6.6)."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, PRNGKeyArray
from onepaper.jax.accelerator import Accelerator
from onepaper.jax.custom_steps import CustomJaxTask
from onepaper.jax.steps import JaxState, JaxTask
from onepaper.runs import Run
from onepaper.training import Hook, fit

from cdcd.config import CausalTranslationExperiment, TranslationExperiment
from cdcd.data.sentences import PADDING, ParallelCorpus, load_pairs, pair_batches
from cdcd.diffusion.embeddings import add_noise, spread
from cdcd.diffusion.masks import keeps_condition
from cdcd.diffusion.times import low_discrepancy
from cdcd.evaluation.translations import causal_translation_nats, evaluate_denoising
from cdcd.models.causal_translation import CausalTranslator
from cdcd.models.translation import TranslationDiffusion
from cdcd.pretrained.translators import TranslationNetwork
from cdcd.time_warping.fit import fit_loss
from cdcd.time_warping.warp import manipulate
from cdcd.training import LEVELS, make_direction, warn

# Held-out pairs on which a training is evaluated.
HELD_OUT_PAIRS = 256

Loss = Callable[[Any, Any, PRNGKeyArray], tuple[Array, Array, dict[str, Array]]]


def make_translation_loss(config: TranslationExperiment) -> Loss:
    """The loss of a batch of (source, target) as a sum over all positions, their number, and sums to log.

    Padding of the target is predicted, too (paper, section 4.4). It is easy, so that the cross-entropy of the other
    tokens is logged apart as `loss_tokens`.
    """
    warp_config = config.model.warp

    def loss(model: TranslationDiffusion, batch: Any, key: PRNGKeyArray) -> Any:
        source, target = batch
        keys = jax.random.split(key, 3)
        # 1. Noise levels through the averaged warping.
        averaged = model.warp.averaged()
        if warp_config.enabled:
            drawn_by = manipulate(averaged, warp_config.temperature, warp_config.uniformity)
        else:
            drawn_by = averaged.mixed(1.0)
        u = low_discrepancy(keys[0], len(target))
        t = jax.lax.stop_gradient(drawn_by.inverse(u))
        # 2. Sources, of which some are hidden, and noisy targets.
        memory = model.encode(source, keeps_condition(keys[1], config.dropout, len(target)))
        embeddings = model.embeddings()
        x = add_noise(keys[2], embeddings[target], t)
        # 3. Every second target is conditioned on its own prediction; no gradient goes through it.
        prediction = jnp.zeros_like(x)
        if config.model.self_conditioning:
            half = jax.tree.map(lambda array: array[::2], (x, t, memory, prediction))
            first = jax.lax.stop_gradient(model.predict(model.hidden(*half), embeddings))
            prediction = jnp.stack([first, jnp.zeros_like(first)], axis=1).reshape(x.shape)
        # 4. Cross-entropy of all positions.
        nats = model.nats(model.hidden(x, t, memory, prediction), target)
        weight = jnp.asarray(nats.size, jnp.float32)
        # 5. The warping is fitted to the mean of each sequence.
        fitted = fit_loss(model.warp.logits(), drawn_by, t, nats.mean(axis=1), warp_config)
        model.warp.update_average()
        tokens = target != PADDING
        logged = {
            "warp_error": fitted,
            "embedding_spread": spread(embeddings),
            "loss_tokens": jnp.where(tokens, nats, 0.0).sum() / tokens.sum(),
        }
        level = jnp.minimum((u * LEVELS).astype(int), LEVELS - 1)
        for number in range(LEVELS):
            chosen = (level == number)[:, None] & tokens
            logged[f"loss_level_{number + 1}"] = jnp.where(chosen, nats, 0.0).sum() / jnp.maximum(chosen.sum(), 1)
        # What is logged is divided by the weight.
        value = nats.sum() + weight * (fitted - jax.lax.stop_gradient(fitted))
        return value, weight, {name: weight * number for name, number in logged.items()}

    return loss


def load_checked_pairs(config: TranslationExperiment | CausalTranslationExperiment) -> ParallelCorpus:
    """The parallel text of a training, of pairs that fit the model.

    Raises:
        UsageError: missing or wrong files, or no pair that fits.
    """
    model = config.model
    return load_pairs(config.data, model.vocab_size, model.source_length, model.length)


def train_translation(
    config: TranslationExperiment,
    run: Run | None = None,
    *,
    seed: int = 0,
    accelerator: Accelerator | None = None,
    corpus: ParallelCorpus | None = None,
    draw: Callable[[TranslationNetwork[TranslationDiffusion]], Mapping[str, bytes]] | None = None,
    hooks: Sequence[Hook[JaxState]] = (),
) -> TranslationNetwork[TranslationDiffusion]:
    """Train from a configuration, or from the newest checkpoint of `run`; returns the network.

    Args:
        config: data, model and training.
        run: where logs and checkpoints go; None keeps nothing.
        seed: of the initial weights, the order of the pairs and the noise.
        accelerator: devices; None: one.
        corpus: parallel text of your own; None: the data of the configuration.
        draw: samples of a network as files by name, asked for with every evaluation of a run.
        hooks: called as `hook(step, state, row)` after each log row, with the row's numbers.

    Raises:
        UsageError: missing data, or none that fit the model.
    """
    task = CustomJaxTask(
        lambda rngs: TranslationDiffusion(config.model, rngs),
        make_translation_loss(config),
        # The network's gradient is clipped by its own transformation.
        replace(config.optimizer, clip_norm=0.0),
        direction=make_direction(config),
        total_steps=config.loop.steps,
        accelerator=accelerator,
    )
    return _fit(task, config, corpus, evaluate_denoising, run, seed=seed, draw=draw, hooks=hooks)


def train_causal_translation(
    config: CausalTranslationExperiment,
    run: Run | None = None,
    *,
    seed: int = 0,
    accelerator: Accelerator | None = None,
    corpus: ParallelCorpus | None = None,
    hooks: Sequence[Hook[JaxState]] = (),
) -> TranslationNetwork[CausalTranslator]:
    """Train the autoregressive baseline; arguments and errors as for `train_translation`."""

    def loss(model: CausalTranslator, batch: Any, key: PRNGKeyArray) -> Any:
        source, target = batch
        weight = (target[:, 1:] != PADDING).sum()
        return model.nats(source, target, config.label_smoothing).sum(), weight

    task = JaxTask(
        lambda rngs: CausalTranslator(config.model, rngs),
        loss,
        config.optimizer,
        total_steps=config.loop.steps,
        accelerator=accelerator,
    )

    def evaluate(model: CausalTranslator, source: np.ndarray, target: np.ndarray) -> dict[str, float]:
        return {"nats": causal_translation_nats(model, source, target)}

    return _fit(task, config, corpus, evaluate, run, seed=seed, hooks=hooks)


def _fit(
    task: JaxTask,
    config: TranslationExperiment | CausalTranslationExperiment,
    corpus: ParallelCorpus | None,
    evaluate: Callable[[Any, np.ndarray, np.ndarray], dict[str, float]],
    run: Run | None,
    *,
    seed: int,
    draw: Callable[[Any], Mapping[str, bytes]] | None = None,
    hooks: Sequence[Hook[JaxState]] = (),
) -> Any:
    corpus = corpus or load_checked_pairs(config)
    processes = task.accelerator
    held_out = corpus.validation.source[:HELD_OUT_PAIRS], corpus.validation.target[:HELD_OUT_PAIRS]
    batches = pair_batches(corpus.train, config.batch_size, seed=seed, rank=processes.rank, world=processes.world)

    def network_of(state: JaxState) -> TranslationNetwork:
        model: Any = task.model(state)
        return TranslationNetwork(model, config.data, corpus.codec)

    fitted = fit(
        task,
        batches,
        config.loop,
        run,
        seed=seed,
        evaluate=lambda state: evaluate(network_of(state).model, *held_out),
        draw=None if draw is None else lambda state: draw(network_of(state)),
        hooks=(warn, *hooks),
        processes=processes,
    )
    return network_of(fitted.state)
