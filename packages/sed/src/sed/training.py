"""Training of the denoiser with its readout, of masked models, and of causal models (paper, section 3)."""

import logging
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray
from onepaper.errors import UsageError
from onepaper.jax.accelerator import Accelerator
from onepaper.jax.custom_steps import CustomJaxTask, label_parameters
from onepaper.jax.steps import JaxState, JaxTask, make_optimizer
from onepaper.runs import Run
from onepaper.training import Hook, fit

from sed.config import AutoregressiveExperiment, ExperimentConfig, MaskedExperiment
from sed.data.corpus import (
    Corpus,
    TextCodec,
    check_length,
    check_tokens,
    held_out_windows,
    learn_codec,
    tokenize,
    window_batches,
)
from sed.diffusion.embeddings import bit_table, import_table, random_table, spread
from sed.diffusion.spans import sample_mask
from sed.diffusion.times import low_discrepancy_steps
from sed.evaluation.evaluators import causal_nats
from sed.evaluation.held_out import evaluate_denoising, masked_nats
from sed.models.autoregressive import AutoregressiveLM
from sed.models.denoiser import EmbeddingDiffusion, add_start_noise
from sed.models.learned import LearnedEmbeddings
from sed.models.masked import MaskedLM, mask_tokens
from sed.pretrained.networks import Network, open_network
from sed.pretrained.tables import read_table

# The error is logged for so many equal parts of the steps 1 to T; the last one has the most noise.
PARTS = 4

# The random table of `embeddings.source: random` is part of the data, not of the initial weights.
RANDOM_TABLE_SEED = 0

HELD_OUT_WINDOWS = 256

# Learned embeddings whose spread over a text is below this have nearly collapsed.
SMALLEST_SPREAD = 0.1

Table = Float[np.ndarray, "vocab embed"]
Loss = Callable[[Any, Array, PRNGKeyArray], Any]
AnyExperiment = ExperimentConfig | MaskedExperiment | AutoregressiveExperiment


def infill_error(
    found: Float[Array, "batch length embed"],
    x_0: Float[Array, "batch length embed"],
    given: Bool[Array, "batch length"],
) -> Float[Array, " batch"]:
    """Mean squared error of each example over the coordinates of positions that are not given.

    The mean of each example comes first, so that those with few such positions count as much as others.
    """
    squares = jnp.where(given, 0.0, jnp.square(found - x_0).mean(axis=-1))
    return squares.sum(axis=-1) / jnp.maximum((~given).sum(axis=-1), 1)


def make_loss(config: ExperimentConfig) -> Loss:
    """The loss of a batch as a sum over examples, their number, and sums to log (paper, eq. 4 and 5)."""
    schedule_config, kind = config.model.schedule, config.model.self_conditioning

    def loss(model: EmbeddingDiffusion, tokens: Int[Array, "batch length"], key: PRNGKeyArray) -> Any:
        keys = jax.random.split(key, 6)
        batch, length = tokens.shape
        # 1. Clean and noisy embeddings; given tokens are embedded without noise.
        table = model.table[...]
        x_0 = add_start_noise(table, tokens, keys[0], schedule_config.sigma_0)
        t = low_discrepancy_steps(keys[1], batch, schedule_config.steps)
        x_t = model.schedule.q_sample(x_0, t[:, None], jax.random.normal(keys[2], x_0.shape))
        given = sample_mask(keys[3], batch, length, config.spans.max_spans)
        shown = ~jax.random.bernoulli(keys[4], config.spans.dropout, (batch, 1, 1))
        cond = jnp.where(given[..., None], table[tokens], 0.0) * shown
        offset_keys = model.offset_keys()

        def estimate(x_self: Array) -> Array:
            return model(x_t, cond, given, x_self, t, offset_keys)

        # 2. Estimates without and with the network's own estimate, through which no gradient goes.
        zeros = jnp.zeros_like(x_0)
        if kind == "both":
            first = estimate(zeros)
            second = estimate(jax.lax.stop_gradient(first) * shown)
            errors = [infill_error(found, x_0, given) for found in (first, second)]
            error, logged = (errors[0] + errors[1]) / 2, {"mse_first": errors[0].sum(), "mse_second": errors[1].sum()}
        else:
            x_self = zeros
            if kind == "coin":
                first = model(x_t[::2], cond[::2], given[::2], zeros[::2], t[::2], offset_keys)
                own = jax.lax.stop_gradient(first) * shown[::2]
                x_self = jnp.stack([own, jnp.zeros_like(own)], axis=1).reshape(x_0.shape)
            error, logged = infill_error(estimate(x_self), x_0, given), {}
        # 3. The readout is trained on clean embeddings and shares no weight with the network.
        readout = jnp.zeros(())
        if model.readout is not None:
            targets, clean = tokens, x_0
            if (count := config.readout_positions) and count < length:
                columns = jax.random.permutation(keys[5], length)[:count]
                targets, clean = tokens[:, columns], x_0[:, columns]
            log_probs = jax.nn.log_softmax(model.logits(clean))
            readout = -jnp.take_along_axis(log_probs, targets[..., None], axis=-1).mean(axis=(1, 2)).sum()
        part = (t - 1) * PARTS // schedule_config.steps
        for number in range(PARTS):
            chosen = part == number
            mean = jnp.where(chosen, error, 0.0).sum() / jnp.maximum(chosen.sum(), 1)
            logged[f"mse_part_{number + 1}"] = batch * mean
        return error.sum() + readout, batch, {"mse": error.sum(), "readout_nats": readout, **logged}

    return loss


def make_learned_loss(config: ExperimentConfig) -> Loss:
    """The same loss with gradients to the embeddings; the spread of those in the batch is logged.

    The squared error alone is least where all embeddings are equal. The cross-entropy of the readout, which then also
    moves the embeddings, keeps them apart (Li et al., 2022), though by no more than a few $\\sigma_0$.
    """
    fixed = make_loss(config)

    def loss(model: LearnedEmbeddings, tokens: Int[Array, "batch length"], key: PRNGKeyArray) -> Any:
        network = model.with_table()
        total, weight, logged = fixed(network, tokens, key)
        return total, weight, {**logged, "embedding_spread": weight * spread(network.table[...][tokens])}

    return loss


class LearnedTask(CustomJaxTask):
    """A task whose model is the network in the embeddings that were learned with it."""

    def model(self, state: JaxState, *, averaged: bool = True, decay: float | None = None) -> nnx.Module:
        """The network, with averaged weights and embeddings if they are kept."""
        model = super().model(state, averaged=averaged, decay=decay)
        assert isinstance(model, LearnedEmbeddings)
        return model.with_table()


def warn_of_collapse(step: int, state: JaxState, row: Mapping[str, Any]) -> None:
    """Log a warning when learned embeddings have nearly collapsed."""
    if (found := row.get("embedding_spread", 1.0)) < SMALLEST_SPREAD:
        logging.getLogger(__name__).warning(
            "step %d: the embeddings have nearly collapsed, their mean squared distance is %.1f%% of that of "
            "independent ones; use fixed embeddings, a lower lr, or a larger sigma_0", step, 100 * found,
        )  # fmt: skip


def make_masked_loss(config: MaskedExperiment) -> Loss:
    """Sum over the tokens that are to be predicted, and their number."""

    def loss(model: MaskedLM, tokens: Int[Array, "batch length"], key: PRNGKeyArray) -> Any:
        nats = model.nats(mask_tokens(key, tokens, config.model.vocab_size, config.model.mask_rate), tokens)
        return nats.sum(), nats.size

    return loss


def causal_loss(model: AutoregressiveLM, tokens: Int[Array, "batch length"], key: PRNGKeyArray) -> tuple[Array, int]:
    """Sum over tokens, and their number."""
    return model.nats(tokens).sum(), tokens.size


def make_direction(config: ExperimentConfig) -> optax.GradientTransformation:
    """The optimiser, with the gradients of network and readout clipped apart.

    A common norm would let either loss change the step of the other, with which it shares no weight.
    """
    options = config.optimizer

    def clipped() -> optax.GradientTransformation:
        clip = optax.clip_by_global_norm(options.clip_norm) if options.clip_norm else optax.identity()
        return optax.chain(clip, make_optimizer(options))

    parts: dict[Hashable, optax.GradientTransformation] = {"network": clipped(), "readout": clipped()}
    return optax.multi_transform(
        parts, label_parameters({"readout": "readout", "network/readout": "readout"}, "network")
    )


def embedding_table(config: ExperimentConfig) -> tuple[TextCodec, Table]:
    """The tokenizer and the embeddings of a training, of learned ones the initial values.

    Raises:
        UsageError: no such weights or file, or a table of another size than the model's.
    """
    model, source = config.model, config.embeddings.source
    if source == "pretrained":
        network = open_network(config.embeddings.weights, MaskedLM)
        table = np.asarray(network.model.table())
        if table.shape != (model.vocab_size, model.embed_dim):
            raise UsageError(
                f"weights '{config.embeddings.weights}' have {table.shape[0]} embeddings of {table.shape[1]} channels, "
                f"expected {model.vocab_size} of {model.embed_dim}; give --model.vocab-size {table.shape[0]} "
                f"--model.embed-dim {table.shape[1]}, or train other embeddings"
            )
        return network.codec, table
    codec = learn_codec(config.data, model.vocab_size)
    if source == "bits":
        return codec, np.asarray(bit_table(model.vocab_size))
    if source in ("random", "learned"):
        key = jax.random.key(RANDOM_TABLE_SEED)
        return codec, np.asarray(random_table(key, model.vocab_size, model.embed_dim))
    assert config.embeddings.path is not None
    table = read_table(config.embeddings.path, codec.names(), config.embeddings.key)
    return codec, import_table(table, model.embed_dim)


def load_checked_corpus(config: AnyExperiment, codec: TextCodec | None = None) -> Corpus:
    """The corpus of a training, checked against the model.

    Args:
        config: of the training.
        codec: the tokenizer; None: that of the data.

    Raises:
        UsageError: missing data, or parts that are too short.
    """
    return check_corpus(tokenize(config.data, codec or learn_codec(config.data, config.model.vocab_size)), config)


def check_corpus(corpus: Corpus, config: AnyExperiment) -> Corpus:
    """The corpus itself.

    Raises:
        UsageError: parts that are too short for the model, or tokens that it does not have.
    """
    for part in ("train", "validation"):
        check_length(getattr(corpus, part), config.model.length, part)
        check_tokens(getattr(corpus, part), config.model.vocab_size, part)
    return corpus


def train(
    config: ExperimentConfig,
    run: Run | None = None,
    *,
    seed: int = 0,
    accelerator: Accelerator | None = None,
    embeddings: tuple[TextCodec, Table] | None = None,
    corpus: Corpus | None = None,
    draw: Callable[[EmbeddingDiffusion], Mapping[str, bytes]] | None = None,
    hooks: Sequence[Hook[JaxState]] = (),
) -> Network[EmbeddingDiffusion]:
    """Train from a configuration, or from the newest checkpoint of `run`; returns the network.

    Args:
        config: data, embeddings, model and training.
        run: where logs and checkpoints go; None keeps nothing.
        seed: of the initial weights, the batches and the noise.
        accelerator: devices; None: one.
        embeddings: the tokenizer and the table; None: as configured.
        corpus: text of your own, with the tokenizer of the embeddings; None: the data of the configuration.
        draw: samples of a model as files by name, asked for with every evaluation of a run.
        hooks: called as `hook(step, state, row)` after each log row, with the row's numbers.

    Raises:
        UsageError: missing data or embeddings, or a model that does not fit them.
    """
    codec, table = embeddings or embedding_table(config)
    learned = config.embeddings.source == "learned"
    build, make_task = (LearnedEmbeddings, LearnedTask) if learned else (EmbeddingDiffusion, CustomJaxTask)
    task = make_task(
        lambda rngs: build(config.model, rngs, jnp.asarray(table)),
        make_learned_loss(config) if learned else make_loss(config),
        # Network and readout are clipped by their own transformations.
        replace(config.optimizer, clip_norm=0.0),
        direction=make_direction(config),
        total_steps=config.loop.steps,
        accelerator=accelerator,
    )
    corpus = check_corpus(corpus, config) if corpus else load_checked_corpus(config, codec)
    watched = [*hooks, warn_of_collapse]
    return _fit(task, config, corpus, evaluate_denoising, run, seed=seed, draw=draw, hooks=watched)


def train_masked(
    config: MaskedExperiment,
    run: Run | None = None,
    *,
    seed: int = 0,
    accelerator: Accelerator | None = None,
    corpus: Corpus | None = None,
    hooks: Sequence[Hook[JaxState]] = (),
) -> Network[MaskedLM]:
    """Train a masked model for its embeddings; arguments and errors as for `train`."""
    task = JaxTask(
        lambda rngs: MaskedLM(config.model, rngs),
        make_masked_loss(config),
        config.optimizer,
        total_steps=config.loop.steps,
        accelerator=accelerator,
    )

    def evaluate(model: MaskedLM, windows: np.ndarray) -> dict[str, float]:
        return {"nats": masked_nats(model, windows)}

    corpus = check_corpus(corpus, config) if corpus else load_checked_corpus(config)
    return _fit(task, config, corpus, evaluate, run, seed=seed, hooks=hooks)


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
        causal_loss,
        config.optimizer,
        total_steps=config.loop.steps,
        accelerator=accelerator,
    )

    def evaluate(model: AutoregressiveLM, windows: np.ndarray) -> dict[str, float]:
        return {"nats": float(causal_nats(model, windows).mean())}

    corpus = check_corpus(corpus, config) if corpus else load_checked_corpus(config)
    return _fit(task, config, corpus, evaluate, run, seed=seed, hooks=hooks)


def _fit(
    task: JaxTask,
    config: AnyExperiment,
    corpus: Corpus,
    evaluate: Callable[[Any, np.ndarray], dict[str, float]],
    run: Run | None,
    *,
    seed: int,
    draw: Callable[[Any], Mapping[str, bytes]] | None = None,
    hooks: Sequence[Hook[JaxState]] = (),
) -> Network[Any]:
    processes = task.accelerator
    length = config.model.length
    windows = held_out_windows(corpus.validation, length, HELD_OUT_WINDOWS, config.data)

    def evaluate_state(state: JaxState) -> dict[str, float]:
        return evaluate(task.model(state), windows)

    fitted = fit(
        task,
        window_batches(
            corpus.train, length, config.batch_size, config.data, seed=seed, rank=processes.rank, world=processes.world
        ),
        config.loop,
        run,
        seed=seed,
        evaluate=evaluate_state,
        draw=None if draw is None else lambda state: draw(task.model(state)),
        hooks=hooks,
        processes=processes,
    )
    return Network(task.model(fitted.state), config.data, corpus.codec)  # type: ignore[arg-type]
