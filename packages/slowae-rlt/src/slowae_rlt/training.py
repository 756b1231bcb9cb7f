"""Training of a slow autoencoder: reconstruction, slowness, and the controller of the event rate."""

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Float, PRNGKeyArray
from onepaper.errors import UsageError
from onepaper.jax.accelerator import Accelerator
from onepaper.jax.steps import JaxState, JaxTask
from onepaper.runs import Run
from onepaper.training import Hook, fit

from slowae_rlt.config import ExperimentConfig, ModelConfig, VectorQuantizedExperiment
from slowae_rlt.data.mel import log_mel, window_context
from slowae_rlt.data.mu_law import mu_law_symbols
from slowae_rlt.data.recordings import crop_batches, load_recordings
from slowae_rlt.events.event_rate import ControllerState, count_changes, update_weight
from slowae_rlt.events.schmitt_trigger import quantize_by_scan, straight_through
from slowae_rlt.events.slowness import margin_loss, slowness
from slowae_rlt.models.decoders import Decoder
from slowae_rlt.models.slow_autoencoder import SlowAE
from slowae_rlt.models.waveform_decoder import WaveformDecoder

# An event rate below this part of its target is a collapse: the decoder learns without the codes.
COLLAPSED_SHARE = 0.2

HELD_OUT_CROPS = 64

CodecExperiment = ExperimentConfig | VectorQuantizedExperiment
ModelT = TypeVar("ModelT", bound=nnx.Module)

Recordings = Mapping[str, Sequence[Float[np.ndarray, " _samples"]]]


class ControllerVariable(nnx.Variable):
    """State of the controller, which a training step updates without gradients."""


class TrainedModel(nnx.Module):
    """The autoencoder with the state of the controller."""

    def __init__(self, config: ExperimentConfig, rngs: nnx.Rngs) -> None:
        self.autoencoder = SlowAE(config.model, rngs)
        self.weight = ControllerVariable(jnp.float32(config.slowness.controller.initial))
        self.rate = ControllerVariable(jnp.float32(-1.0))


def crop_context(model: SlowAE) -> tuple[int, int]:
    """Samples before and after a crop: the encoder's context of the decoder's context."""
    before, after = model.encoder.context()
    steps = model.decoder.context * model.config.encoder.stride
    return before + steps, after + steps


def reconstruction_error(
    decoder: Decoder,
    config: ModelConfig,
    codes: Float[Array, "batch T C"],
    samples: Float[Array, "batch samples"],
    context: tuple[int, int],
) -> Float[Array, " batch"]:
    """Nats a sample of the mu-law codes of a crop, or the mean absolute error of its log-mel spectrogram.

    The unit of the latter is that of the scaled logarithm; up to a constant it is the negative log-likelihood of a
    Laplace distribution.

    Args:
        decoder: whose predictions are compared.
        config: of its model.
        codes: of the crop with the decoder's context.
        samples: of the crop with samples before and after it.
        context: their numbers.
    """
    before, after = context
    if isinstance(decoder, WaveformDecoder):
        known = samples[:, before - decoder.history : samples.shape[1] - after]
        return decoder.nats(codes, mu_law_symbols(known)).mean(axis=1)
    mel = config.decoder.mel
    around = window_context(mel)
    target = log_mel(samples[:, before - around : samples.shape[1] - after + around], mel, config.sample_rate)
    return jnp.abs(decoder(codes) - target).mean(axis=(1, 2))


def make_loss(config: ExperimentConfig) -> Callable[[Any, Any, PRNGKeyArray], Any]:
    r"""$\mathrm{NLL} + \lambda S(z)$ with the margin loss, as a sum over crops, their number, and sums to log.

    One step of the controller follows, on the event rate of the whole batch.
    """
    quantizer, penalty = config.model.quantizer, config.slowness

    def loss(model: TrainedModel, samples: Float[Array, "batch samples"], key: PRNGKeyArray) -> Any:
        del key
        autoencoder, count = model.autoencoder, samples.shape[0]
        z = autoencoder.encoder(samples)
        codes = straight_through(z, quantizer.levels, quantizer.margin)
        error = reconstruction_error(autoencoder.decoder, config.model, codes, samples, crop_context(autoencoder))
        slow = slowness(z, penalty.penalty, group_axis=penalty.group_axis)
        total = error + model.weight[...] * slow
        if quantizer.bound == "margin":
            total = total + quantizer.margin_weight * margin_loss(z)
        levels = jax.lax.stop_gradient(jnp.round(codes * quantizer.levels))
        # Sums over the batch, which spans all processes.
        rate = count_changes(levels).sum() * config.model.grid_rate / (count * (levels.shape[1] - 1))
        state = update_weight(
            ControllerState(model.weight[...], model.rate[...]), jax.lax.stop_gradient(rate), penalty.controller
        )
        model.weight[...], model.rate[...] = state
        logged = {"reconstruction": error.sum(), "slowness": slow.sum()}
        return total.sum(), count, logged | {"event_rate": count * rate, "slowness_weight": count * state.weight}

    return loss


def evaluate_held_out(model: SlowAE, crops: Float[np.ndarray, "count samples"]) -> dict[str, float]:
    """Error with the right codes and with those of another crop, event rate, and levels in use.

    The difference of the two errors is what the decoder takes from the codes.
    """
    quantizer = model.config.quantizer

    @nnx.jit
    def measure(model: SlowAE, samples: Array) -> tuple[Array, Array, Array]:
        levels = quantize_by_scan(model.encoder(samples), quantizer.levels, quantizer.margin)
        codes = levels.astype(jnp.float32) / quantizer.levels
        right, shuffled = (
            reconstruction_error(model.decoder, model.config, own, samples, crop_context(model)).mean()
            for own in (codes, jnp.roll(codes, 1, axis=0))
        )
        return right, shuffled, levels

    error, shuffled, levels = measure(model, jnp.asarray(crops))
    changes = np.asarray(count_changes(levels)) * model.config.grid_rate / (levels.shape[1] - 1)
    used = [len(np.unique(levels[..., channel])) for channel in range(levels.shape[-1])]
    return {
        "reconstruction": float(error),
        "reconstruction_shuffled": float(shuffled),
        "event_rate": float(changes.mean()),
        "fewest_levels": float(min(used)),
    }


def make_warning(config: ExperimentConfig) -> Callable[[int, JaxState, Mapping[str, Any]], None]:
    """A hook that logs a warning where the codes have collapsed."""
    target = config.slowness.controller.target_rate

    def warn(step: int, state: JaxState, row: Mapping[str, Any]) -> None:
        del state
        log = logging.getLogger(__name__)
        if target and row.get("event_rate", target) < COLLAPSED_SHARE * target:
            log.warning(
                "step %d: the codes have collapsed, %.1f events a second of %.0f; start with a smaller "
                "slowness.controller.initial, or use more channels or levels", step, row["event_rate"], target,
            )  # fmt: skip
        if row.get("evaluate/fewest_levels", 2.0) < 2:
            log.warning("step %d: a channel is constant on held-out recordings", step)

    return warn


def load_checked_recordings(config: CodecExperiment) -> Recordings:
    """The recordings of a training.

    Raises:
        UsageError: missing or damaged data.
    """
    return load_recordings(config.data, config.model.sample_rate)


def held_out_crops(
    config: CodecExperiment, recordings: Sequence[Float[np.ndarray, " _samples"]], context: tuple[int, int]
) -> Float[np.ndarray, "count samples"]:
    """The same crops at every evaluation."""
    return crop_batches(recordings, config.crop_samples, context, HELD_OUT_CROPS, seed=0)(0)


def fit_on_crops(
    config: CodecExperiment,
    build: Callable[[nnx.Rngs], ModelT],
    loss: Callable[[Any, Any, PRNGKeyArray], Any],
    context: tuple[int, int],
    evaluate: Callable[[ModelT, Float[np.ndarray, "count samples"]], dict[str, float]],
    run: Run | None,
    *,
    seed: int,
    accelerator: Accelerator | None,
    recordings: Recordings | None,
    hooks: Sequence[Hook[JaxState]],
) -> ModelT:
    """A model trained on crops of recordings with so many samples around them; arguments as for `train`.

    Raises:
        UsageError: missing or damaged data, or micro-batches.
    """
    if config.optimizer.accumulation > 1:
        raise UsageError("accumulation is above 1, expected 1: event rate and codebook are those of the whole batch")
    processes = accelerator or Accelerator()
    task = JaxTask(build, loss, config.optimizer, total_steps=config.loop.steps, accelerator=processes)

    def model_of(state: JaxState) -> ModelT:
        return task.model(state)  # type: ignore[return-value]

    recordings = recordings or load_checked_recordings(config)
    batches = crop_batches(
        recordings["train"],
        config.crop_samples,
        context,
        config.batch_size,
        seed=seed,
        rank=processes.rank,
        world=processes.world,
    )
    crops = held_out_crops(config, recordings["validation"], context)
    fitted = fit(
        task,
        batches,
        config.loop,
        run,
        seed=seed,
        evaluate=lambda state: evaluate(model_of(state), crops),
        hooks=hooks,
        processes=processes,
    )
    return model_of(fitted.state)


def train(
    config: ExperimentConfig,
    run: Run | None = None,
    *,
    seed: int = 0,
    accelerator: Accelerator | None = None,
    recordings: Recordings | None = None,
    hooks: Sequence[Hook[JaxState]] = (),
) -> SlowAE:
    """Train from a configuration, or from the newest checkpoint of `run`; returns the averaged model.

    Args:
        config: data, model and training.
        run: where logs and checkpoints go; None keeps nothing.
        seed: of the initial weights and the crops.
        accelerator: devices; None: one.
        recordings: recordings of your own; None: those of the configuration.
        hooks: called as `hook(step, state, row)` after each log row, with the row's numbers.

    Raises:
        UsageError: missing or damaged data.
    """
    trained = fit_on_crops(
        config,
        lambda rngs: TrainedModel(config, rngs),
        make_loss(config),
        crop_context(SlowAE(config.model, nnx.Rngs(0))),
        lambda model, crops: evaluate_held_out(model.autoencoder, crops),
        run,
        seed=seed,
        accelerator=accelerator,
        recordings=recordings,
        hooks=(make_warning(config), *hooks),
    )
    return trained.autoencoder
