"""Training of the denoiser with its embeddings and its time warping (paper, sections 3 and 4), and of causal models."""

import logging
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Int, PRNGKeyArray
from onepaper.jax.accelerator import Accelerator
from onepaper.jax.custom_steps import CustomJaxTask, label_parameters
from onepaper.jax.steps import JaxState, JaxTask, make_optimizer
from onepaper.runs import Run
from onepaper.training import Hook, fit

from cdcd.config import AutoregressiveExperiment, ExperimentConfig, TranslationExperiment
from cdcd.data.corpus import Corpus, check_length, check_tokens, held_out_windows, load, window_batches
from cdcd.diffusion.embeddings import add_noise, spread
from cdcd.diffusion.masks import keeps_condition, training_mask
from cdcd.diffusion.times import low_discrepancy
from cdcd.evaluation.evaluators import causal_nats
from cdcd.evaluation.held_out import LARGEST_LOSS_AT_T_MIN, evaluate_held_out
from cdcd.models.autoregressive import AutoregressiveLM
from cdcd.models.denoiser import CategoricalDiffusion
from cdcd.pretrained.networks import Network
from cdcd.time_warping.fit import fit_loss
from cdcd.time_warping.warp import manipulate

# The loss is logged for so many equal parts of u; the last one has the most noise.
LEVELS = 4

# Embeddings whose mean squared distance is below this part of that of independent ones have nearly collapsed.
SMALLEST_SPREAD = 0.2

HELD_OUT_WINDOWS = 256

Loss = Callable[[Any, Array, PRNGKeyArray], tuple[Array, Array, dict[str, Array]]]


def make_loss(config: ExperimentConfig) -> Loss:
    """The loss of a batch as a sum over noisy tokens, their number, and sums to log.

    The fit of the time warping adds a gradient but nothing to the value of the loss.
    """
    warp_config = config.model.warp

    def loss(model: CategoricalDiffusion, tokens: Int[Array, "batch length"], key: PRNGKeyArray) -> Any:
        keys = jax.random.split(key, 4)
        batch, length = tokens.shape
        # 1. Noise levels through the averaged warping.
        averaged = model.warp.averaged()
        if warp_config.enabled:
            drawn_by = manipulate(averaged, warp_config.temperature, warp_config.uniformity)
        else:
            drawn_by = averaged.mixed(1.0)
        u = low_discrepancy(keys[0], batch)
        t = jax.lax.stop_gradient(drawn_by.inverse(u))
        # 2. Masks, given embeddings, noisy embeddings.
        mask = training_mask(keys[1], config.mask, batch, length)
        shown = keeps_condition(keys[2], config.mask.dropout, batch)
        embeddings = model.embeddings()
        embedded = embeddings[tokens]
        condition = jnp.where(mask[..., None], 0.0, embedded) * shown[:, None, None]
        x = add_noise(keys[3], embedded, t)
        # 3. Every second sequence is conditioned on its own prediction; no gradient goes through it.
        prediction = jnp.zeros_like(x)
        if config.model.self_conditioning:
            inputs = [array[::2] for array in (x, t, mask, condition, prediction)]
            first = jax.lax.stop_gradient(model.predict(model.hidden(*inputs), embeddings))
            prediction = jnp.stack([first, jnp.zeros_like(first)], axis=1).reshape(x.shape)
        # 4. Cross-entropy of noisy tokens.
        nats = jnp.where(mask, model.nats(model.hidden(x, t, mask, condition, prediction), tokens), 0.0)
        total, weight = nats.sum(), mask.sum().astype(jnp.float32)
        # 5. The warping is fitted to the mean of each sequence.
        fitted = fit_loss(model.warp.logits(), drawn_by, t, nats.sum(axis=1) / mask.sum(axis=1), warp_config)
        model.warp.update_average()
        logged = {"warp_error": fitted, "embedding_spread": spread(embeddings)}
        level = jnp.minimum((u * LEVELS).astype(int), LEVELS - 1)
        for number in range(LEVELS):
            chosen = (level == number)[:, None] & mask
            logged[f"loss_level_{number + 1}"] = jnp.where(chosen, nats, 0.0).sum() / jnp.maximum(chosen.sum(), 1)
        # What is logged is divided by the weight.
        value = total + weight * (fitted - jax.lax.stop_gradient(fitted))
        return value, weight, {name: weight * number for name, number in logged.items()}

    return loss


def autoregressive_loss(
    model: AutoregressiveLM, tokens: Int[Array, "batch length"], key: PRNGKeyArray
) -> tuple[Array, int]:
    """Sum over tokens, and their number."""
    return model.nats(tokens).sum(), tokens.size


def make_direction(config: ExperimentConfig | TranslationExperiment) -> optax.GradientTransformation:
    """Adam for the network, whose gradient alone is clipped, and for the warping with a rate of its own."""
    options = config.optimizer
    clip = optax.clip_by_global_norm(options.clip_norm) if options.clip_norm else optax.identity()
    directions: dict[Hashable, optax.GradientTransformation] = {
        "network": optax.chain(clip, make_optimizer(options)),
        "warp": optax.chain(optax.scale_by_adam(*options.betas), optax.scale(config.model.warp.lr_factor)),
    }
    return optax.multi_transform(directions, label_parameters({"warp/": "warp"}, "network"))


def load_checked_corpus(config: ExperimentConfig | AutoregressiveExperiment) -> Corpus:
    """The corpus of a training, checked against the model.

    Raises:
        UsageError: missing data, or parts that are too short.
    """
    return check_corpus(load(config.data, config.model.vocab_size), config)


def check_corpus(corpus: Corpus, config: ExperimentConfig | AutoregressiveExperiment) -> Corpus:
    """The corpus itself.

    Raises:
        UsageError: parts that are too short for the model, or tokens that it does not have.
    """
    for part in (config.data.part, "test"):
        check_length(getattr(corpus, part), config.model.length, part)
        check_tokens(getattr(corpus, part), config.model.vocab_size, part)
    return corpus


def warn(step: int, state: JaxState, row: Mapping[str, Any]) -> None:
    """Log a warning when embeddings are near a collapse, or the range of noise levels begins too high."""
    log = logging.getLogger(__name__)
    if row.get("embedding_spread", 1.0) < SMALLEST_SPREAD:
        log.warning(
            "step %d: the embeddings are near a collapse, their mean squared distance is %.0f%% of that of independent "
            "ones; use normalised embeddings and a lower lr", step, 100 * row["embedding_spread"],
        )  # fmt: skip
    if (share := row.get("evaluate/t_min_share", 0.0)) > LARGEST_LOSS_AT_T_MIN:
        log.warning(
            "step %d: the loss at t_min is %.0f%% of that at t_max, where the time warping is 0; train for longer or "
            "lower t_min (`onepaper cdcd doctor`)", step, 100 * share,
        )  # fmt: skip


def train(
    config: ExperimentConfig,
    run: Run | None = None,
    *,
    seed: int = 0,
    accelerator: Accelerator | None = None,
    corpus: Corpus | None = None,
    draw: Callable[[CategoricalDiffusion], Mapping[str, bytes]] | None = None,
    hooks: Sequence[Hook[JaxState]] = (),
) -> Network[CategoricalDiffusion]:
    """Train from a configuration, or from the newest checkpoint of `run`; returns the network.

    Args:
        config: data, model and training.
        run: where logs and checkpoints go; None keeps nothing.
        seed: of the initial weights, the batches and the noise.
        accelerator: devices; None: one.
        corpus: text of your own; None: the data of the configuration.
        draw: samples of a model as files by name, asked for with every evaluation of a run.
        hooks: called as `hook(step, state, row)` after each log row, with the row's numbers.

    Raises:
        UsageError: missing data, or a model that does not fit them.
    """
    task = CustomJaxTask(
        lambda rngs: CategoricalDiffusion(config.model, rngs),
        make_loss(config),
        # The network's gradient is clipped by its own transformation.
        replace(config.optimizer, clip_norm=0.0),
        direction=make_direction(config),
        total_steps=config.loop.steps,
        accelerator=accelerator,
    )

    def model_of(state: JaxState) -> CategoricalDiffusion:
        model = task.model(state)
        assert isinstance(model, CategoricalDiffusion)
        return model

    corpus = check_corpus(corpus, config) if corpus else load_checked_corpus(config)
    windows = held_out_windows(corpus.test, config.model.length, HELD_OUT_WINDOWS)
    model = _fit(
        task,
        config,
        corpus,
        model_of,
        lambda model: evaluate_held_out(model, windows),
        run,
        seed=seed,
        draw=draw,
        hooks=hooks,
    )
    return Network(model, config.data, corpus.codec)


def train_autoregressive(
    config: AutoregressiveExperiment,
    run: Run | None = None,
    *,
    seed: int = 0,
    accelerator: Accelerator | None = None,
    corpus: Corpus | None = None,
    hooks: Sequence[Hook[JaxState]] = (),
) -> Network[AutoregressiveLM]:
    """Train a causal model; arguments and errors as for `train`."""
    task = JaxTask(
        lambda rngs: AutoregressiveLM(config.model, rngs),
        autoregressive_loss,
        config.optimizer,
        total_steps=config.loop.steps,
        accelerator=accelerator,
    )

    def model_of(state: JaxState) -> AutoregressiveLM:
        model = task.model(state)
        assert isinstance(model, AutoregressiveLM)
        return model

    corpus = check_corpus(corpus, config) if corpus else load_checked_corpus(config)
    windows = held_out_windows(corpus.test, config.model.length, HELD_OUT_WINDOWS)
    model = _fit(
        task,
        config,
        corpus,
        model_of,
        lambda model: {"nats": float(causal_nats(model, windows).mean())},
        run,
        seed=seed,
        hooks=hooks,
    )
    return Network(model, config.data, corpus.codec)


def _fit(
    task: JaxTask,
    config: ExperimentConfig | AutoregressiveExperiment,
    corpus: Corpus,
    model_of: Callable[[JaxState], Any],
    evaluate: Callable[[Any], dict[str, float]],
    run: Run | None,
    *,
    seed: int,
    draw: Callable[[Any], Mapping[str, bytes]] | None = None,
    hooks: Sequence[Hook[JaxState]] = (),
) -> Any:
    processes = task.accelerator
    batches = window_batches(
        getattr(corpus, config.data.part),
        config.model.length,
        config.batch_size,
        seed=seed,
        rank=processes.rank,
        world=processes.world,
    )
    fitted = fit(
        task,
        batches,
        config.loop,
        run,
        seed=seed,
        evaluate=lambda state: evaluate(model_of(state)),
        draw=None if draw is None else lambda state: draw(model_of(state)),
        hooks=(warn, *hooks),
        processes=processes,
    )
    return model_of(fitted.state)
