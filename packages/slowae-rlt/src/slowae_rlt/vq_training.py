"""Training of the VQ-VAE: reconstruction, commitment, and the moving averages of the codebook."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from einops import rearrange
from flax import nnx
from jaxtyping import Array, Float, Int, PRNGKeyArray
from onepaper.jax.accelerator import Accelerator
from onepaper.jax.steps import JaxState
from onepaper.runs import Run
from onepaper.training import Hook

from slowae_rlt.config import VectorQuantizedExperiment
from slowae_rlt.models.codebook import nearest_codes
from slowae_rlt.models.vq_autoencoder import VQAutoencoder
from slowae_rlt.training import Recordings, fit_on_crops, reconstruction_error


def context_codes(model: VQAutoencoder) -> int:
    """Codes before and after a crop, which the decoder sees."""
    return -(-model.decoder.context // model.config.steps_per_code)


def crop_context(model: VQAutoencoder) -> tuple[int, int]:
    """Samples before and after a crop: the encoder's context of the decoder's context."""
    before, after = model.encoder.context()
    reach = context_codes(model) * model.config.samples_per_code
    return before + reach, after + reach


def decoder_error(
    model: VQAutoencoder, vectors: Float[Array, "batch codes D"], samples: Float[Array, "batch samples"]
) -> Float[Array, " batch"]:
    """`reconstruction_error` of the decoder for the vectors of a crop and of its context."""
    surplus = context_codes(model) * model.config.steps_per_code - model.decoder.context
    codes = model.on_grid(vectors)
    codes = codes[:, surplus : codes.shape[1] - surplus]
    return reconstruction_error(model.decoder, model.config.networks, codes, samples, crop_context(model))


def make_loss(config: VectorQuantizedExperiment) -> Callable[[Any, Any, PRNGKeyArray], Any]:
    r"""$\mathrm{NLL} + \beta \lVert x - \mathrm{sg}(e) \rVert^2$ as a sum over crops, their number, and sums to log.

    The gradient of the reconstruction goes straight through to the encoder. The codes of the batch are those of the
    statistics after it, so that the first batch has codes too.
    """
    commitment = config.model.codebook.commitment

    def loss(model: VQAutoencoder, samples: Float[Array, "batch samples"], key: PRNGKeyArray) -> Any:
        x = model.encoder(samples)
        fixed = jax.lax.stop_gradient(x)
        model.codebook.update(rearrange(fixed, "b t d -> (b t) d"), key)
        vectors = model.codebook.statistics.vectors()
        codes = nearest_codes(fixed, vectors)
        chosen = vectors[codes]
        error = decoder_error(model, x + jax.lax.stop_gradient(chosen - x), samples)
        distance = jnp.square(x - chosen).sum(axis=-1).mean(axis=-1)
        used = (jax.nn.one_hot(codes, len(vectors)).sum(axis=(0, 1)) > 0).sum()
        total = (error + commitment * distance).sum()
        count = samples.shape[0]
        return total, count, {"reconstruction": error.sum(), "distance": distance.sum(), "used_codes": count * used}

    return loss


def evaluate_held_out_codes(model: VQAutoencoder, crops: Float[np.ndarray, "count samples"]) -> dict[str, float]:
    """Error with the right codes and with those of another crop, codes in use, and the entropy of codes in bits."""

    @nnx.jit
    def measure(model: VQAutoencoder, samples: Array) -> tuple[Array, Array, Int[Array, "count codes"]]:
        vectors = model.codebook.statistics.vectors()
        codes = nearest_codes(model.encoder(samples), vectors)
        shuffled = decoder_error(model, vectors[jnp.roll(codes, 1, axis=0)], samples)
        return decoder_error(model, vectors[codes], samples).mean(), shuffled.mean(), codes

    error, shuffled, codes = measure(model, jnp.asarray(crops))
    counts = np.unique(np.asarray(codes), return_counts=True)[1]
    share = counts / counts.sum()
    return {
        "reconstruction": float(error),
        "reconstruction_shuffled": float(shuffled),
        "used_codes": float(len(counts)),
        "entropy": float(-(share * np.log2(share)).sum()),
    }


def train_vq(
    config: VectorQuantizedExperiment,
    run: Run | None = None,
    *,
    seed: int = 0,
    accelerator: Accelerator | None = None,
    recordings: Recordings | None = None,
    hooks: Sequence[Hook[JaxState]] = (),
) -> VQAutoencoder:
    """Train from a configuration, or from the newest checkpoint of `run`; returns the averaged model.

    Args:
        config: data, model and training.
        run: where logs and checkpoints go; None keeps nothing.
        seed: of the initial weights, the crops and the codes that are revived.
        accelerator: devices; None: one.
        recordings: recordings of your own; None: those of the configuration.
        hooks: called as `hook(step, state, row)` after each log row, with the row's numbers.

    Raises:
        UsageError: missing or damaged data.
    """
    return fit_on_crops(
        config,
        lambda rngs: VQAutoencoder(config.model, rngs),
        make_loss(config),
        crop_context(VQAutoencoder(config.model, nnx.Rngs(0))),
        evaluate_held_out_codes,
        run,
        seed=seed,
        accelerator=accelerator,
        recordings=recordings,
        hooks=hooks,
    )
