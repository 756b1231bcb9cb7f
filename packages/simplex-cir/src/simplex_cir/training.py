"""Training by score interpolation: token probabilities are learnt from noisy vectors at all SNRs."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, PRNGKeyArray
from onepaper.data import BatchSampler
from onepaper.jax.accelerator import Accelerator
from onepaper.jax.steps import JaxState, JaxTask
from onepaper.runs import Run
from onepaper.training import Hook, fit

from simplex_cir.config import LearnedConfig, SampleOptions
from simplex_cir.data.dataset import Dataset
from simplex_cir.data.loading import check_fits, load
from simplex_cir.data.pictures import sample_files
from simplex_cir.diffusion.likelihood import bound, integrand
from simplex_cir.diffusion.posterior import condition_on_known
from simplex_cir.models.denoiser import SimplexDenoiser
from simplex_cir.models.masked_diffusion import masked_bound, masked_loss
from simplex_cir.process.cir import noise_tokens
from simplex_cir.sampling import draw_from

# Numbers of sequences and SNRs of the held-out bound during training, and the seed of its noise, fixed for all
# evaluations.
HELD_OUT_SEQUENCES, HELD_OUT_POINTS, HELD_OUT_SEED = 512, 32, 0
Batch = Mapping[str, Array]
Loss = Callable[[SimplexDenoiser, Batch, PRNGKeyArray], tuple[Array, Array]]
# (key, model, held-out sequences) -> nats of each.
HeldOut = Callable[[PRNGKeyArray, SimplexDenoiser, Array], Array]


def stratified(key: PRNGKeyArray, count: int) -> Float[Array, " count"]:
    """One uniform number in each of `count` equal parts of [0, 1], in random order."""
    shift_key, order_key = jax.random.split(key)
    return jax.random.permutation(order_key, (jnp.arange(count) + jax.random.uniform(shift_key, (count,))) / count)


def random_part(key: PRNGKeyArray, shape: tuple[int, ...], share: float) -> Bool[Array, "batch positions"]:
    """A random proper subset of positions, of uniform size, with probability `share` for each sequence; else none."""
    which_key, part_key, key = jax.random.split(key, 3)
    some = jax.random.uniform(which_key, (shape[0],)) < share
    count = jnp.where(some, jax.random.randint(part_key, (shape[0],), 0, shape[1]), 0)
    return jnp.argsort(jnp.argsort(jax.random.uniform(key, shape), axis=1), axis=1) < count[:, None]


def make_loss(config: LearnedConfig) -> Loss:
    """The loss: sum over sequences of the mean loss at positions that are not given, and the number of sequences.

    Every sequence has the same weight for any number of given positions, as in the bound of an order-agnostic model.

    "cross-entropy": of the tokens, at uniform log SNRs, and at SNR 0 for masked positions. "bound": the integrand of
    the bound times the SNR, whose mean over log SNR is the bound in nats divided by the width of the range.
    """
    low, high = np.log(config.lowest_snr), np.log(config.highest_snr)
    model_config = config.model

    def loss(model: SimplexDenoiser, batch: Batch, key: PRNGKeyArray) -> tuple[Array, Array]:
        tokens = batch["tokens"]
        snr_key, noise_key, label_key, again_key, known_key, hidden_key = jax.random.split(key, 6)
        snrs = jnp.exp(low + (high - low) * stratified(snr_key, len(tokens)))
        v = noise_tokens(noise_key, tokens, model_config.num_categories, model_config.a, snrs[:, None])
        known = random_part(known_key, tokens.shape, config.clamp_prob)
        v, levels = condition_on_known(tokens, known, v, snrs, model_config.a)
        levels = jnp.where(~known & random_part(hidden_key, tokens.shape, config.mask_prob), 0.0, levels)
        label = None
        if model_config.num_classes:
            withheld = jax.random.uniform(label_key, (len(tokens),)) < config.label_dropout
            label = jnp.where(withheld, model.null_label, batch["labels"])
        self_cond = None
        if model_config.self_conditioning:
            first = jax.lax.stop_gradient(jnp.exp(model(v, levels, label)))
            again = jax.random.uniform(again_key, (len(tokens), 1, 1)) < 0.5
            self_cond = jnp.where(again, first, 1 / model_config.num_categories)
        log_probabilities = model(v, levels, label, self_cond)
        if config.loss == "bound":
            values = integrand(log_probabilities, tokens, v, snrs, model_config.a) * snrs[:, None]
        else:
            values = -jnp.take_along_axis(log_probabilities, tokens[..., None], axis=-1)[..., 0]
        return (jnp.where(known, 0.0, values).sum(axis=1) / (~known).sum(axis=1)).sum(), jnp.asarray(len(tokens))

    return loss


def make_bound(config: LearnedConfig) -> HeldOut:
    """The bound on held-out sequences, with `HELD_OUT_POINTS` SNRs each."""
    n, a = config.model.num_categories, config.model.a

    def held_out(key: PRNGKeyArray, model: SimplexDenoiser, tokens: Array) -> Array:
        return bound(key, model, tokens, n, a, points=HELD_OUT_POINTS, highest_snr=config.highest_snr).total

    return held_out


def train(
    config: LearnedConfig,
    run: Run | None = None,
    *,
    seed: int = 0,
    accelerator: Accelerator | None = None,
    data: Dataset | None = None,
    hooks: Sequence[Hook[JaxState]] = (),
) -> SimplexDenoiser:
    """Train a configuration, from the newest checkpoint of `run` if it has one; returns the averaged model.

    Args:
        config: data, model and training.
        run: where logs and checkpoints go; None keeps nothing.
        seed: of the initial weights, the batches and the noise.
        accelerator: devices; None: one.
        data: sequences of your own; None: those of the configuration.
        hooks: called as `hook(step, state, row)` after each log row, with the row's numbers.

    Raises:
        UsageError: a model that does not fit the data.
    """
    return train_by(
        make_loss(config), make_bound(config), config, run, seed=seed, accelerator=accelerator, data=data, hooks=hooks
    )


def train_by(
    loss: Loss,
    held_out: HeldOut,
    config: LearnedConfig,
    run: Run | None = None,
    *,
    seed: int = 0,
    accelerator: Accelerator | None = None,
    data: Dataset | None = None,
    hooks: Sequence[Hook[JaxState]] = (),
) -> SimplexDenoiser:
    """`train` with a custom loss and held-out bound."""
    data = data or load(config.data, config.model.symbols)
    check_fits(config, data)
    accelerator = accelerator or Accelerator()
    task = JaxTask(
        lambda rngs: SimplexDenoiser(config.model, rngs),
        loss,
        config.optimizer,
        total_steps=config.loop.steps,
        accelerator=accelerator,
    )
    sampler = BatchSampler(
        len(data.train), config.batch_size, seed=seed, rank=accelerator.rank, world=accelerator.world
    )

    def batches(step: int) -> dict[str, np.ndarray]:
        chosen = sampler(step)
        batch = {"tokens": data.train[chosen].astype(np.int32)}
        if config.model.num_classes:
            assert data.labels is not None
            batch["labels"] = data.labels[0][chosen].astype(np.int32)
        return batch

    held_out_tokens = jnp.asarray(data.validation[:HELD_OUT_SEQUENCES])
    mean_bound = jax.jit(lambda model: held_out(jax.random.key(HELD_OUT_SEED), model, held_out_tokens).mean())

    def evaluate(state: JaxState) -> dict[str, float]:
        model = task.model(state)
        assert isinstance(model, SimplexDenoiser)
        return {"held_out_bound": float(mean_bound(model))}

    def draw(state: JaxState) -> dict[str, bytes]:
        model = task.model(state)
        assert isinstance(model, SimplexDenoiser)
        return sample_files(draw_from(model, SampleOptions(count=config.samples)), config.model, data.train)

    fitted = fit(
        task,
        batches,
        config.loop,
        run,
        seed=seed,
        evaluate=evaluate,
        draw=draw if config.samples and accelerator.world == 1 else None,
        hooks=hooks,
        processes=accelerator,
    )
    model = task.model(fitted.state)
    assert isinstance(model, SimplexDenoiser)
    model.eval()
    return model


def train_masked(config: LearnedConfig, *, seed: int = 0) -> SimplexDenoiser:
    """Train the masked-diffusion baseline with the data, network (without evidence), optimiser and steps of
    `config`."""
    plain = replace(config, mask_prob=0.0, model=replace(config.model, evidence=False))
    return train_by(masked_loss, masked_bound, plain, seed=seed)
